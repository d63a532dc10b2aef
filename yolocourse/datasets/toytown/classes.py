"""The classes of Toy Town: one hierarchy of WordNet 3.0 noun synsets, two label sets cut out of it.

Detection pictures are labelled with the twelve coarse classes, classification pictures with the fine ones: the leaves.
Three coarse classes (person, street lamp, balloon) have nothing below them and are leaves themselves. Every parent here
is a hypernym in WordNet, though not always the direct one: chains with a single child are left out.
"""

from dataclasses import dataclass

from yolocourse.labels import FlatLabels
from yolocourse.wordtree import WordTree


@dataclass(frozen=True)
class Node:
    """One synset: `id` is n and its offset in WordNet 3.0, `parent` the id of the node above (None: the root)."""

    id: str
    name: str
    parent: str | None
    gloss: str


NODES: tuple[Node, ...] = (
    Node("n00002684", "object", None, "anything one can see and touch"),
    Node("n00004475", "organism", "n00002684", "something that lives and grows"),
    Node("n00007846", "person", "n00004475", "a human being, young or old"),
    Node("n00015388", "animal", "n00004475", "a living thing that moves about and eats"),
    Node("n02075296", "carnivore", "n00015388", "a furry animal with teeth for meat"),
    Node("n02084071", "dog", "n02075296", "the animal that barks and fetches sticks"),
    Node("n02092468", "terrier", "n02084071", "a small rough-haired dog with a beard"),
    Node("n02110341", "dalmatian", "n02084071", "a tall white dog with dark spots"),
    Node("n02089232", "dachshund", "n02084071", "a very long dog on very short legs"),
    Node("n02121620", "cat", "n02075296", "the animal that purrs and climbs"),
    Node("n02123045", "tabby", "n02121620", "a cat with dark stripes on grey or ginger"),
    Node("n02123597", "Siamese cat", "n02121620", "a slim pale cat with dark face, ears, paws and tail"),
    Node("n01503061", "bird", "n00015388", "an animal with feathers and a beak"),
    Node("n01621127", "owl", "n01503061", "a bird of the night with big round eyes"),
    Node("n01844917", "aquatic bird", "n01503061", "a bird that lives on or beside the water"),
    Node("n01846331", "duck", "n01844917", "a swimming bird with a broad flat bill"),
    Node("n02007558", "flamingo", "n01844917", "a pink bird on long thin legs"),
    Node("n02055803", "penguin", "n01844917", "a black and white bird that cannot fly"),
    Node("n02512053", "fish", "n00015388", "an animal with fins that breathes in water"),
    Node("n01443537", "goldfish", "n02512053", "a small orange fish with a veil for a tail"),
    Node("n01482330", "shark", "n02512053", "a long grey fish with a fin on its back and many teeth"),
    Node("n13104059", "tree", "n00004475", "a tall plant with a wooden trunk"),
    Node("n12582231", "palm", "n13104059", "a tree with one bare trunk and a crown of fronds"),
    Node("n11620673", "fir", "n13104059", "a pointed evergreen tree with needles"),
    Node("n12281241", "birch", "n13104059", "a slender tree with white bark"),
    Node("n00021939", "artifact", "n00002684", "something that people made"),
    Node("n04335886", "street lamp", "n00021939", "a light on a post beside the road"),
    Node("n03100490", "conveyance", "n00021939", "something that carries people or loads"),
    Node("n02924116", "bus", "n03100490", "a long car for many passengers"),
    Node("n04146614", "school bus", "n02924116", "the bus that brings children to school"),
    Node("n04487081", "trolleybus", "n02924116", "a bus that takes its power from wires above"),
    Node("n04524313", "vehicle", "n03100490", "a machine that one travels in or on"),
    Node("n04576211", "wheeled vehicle", "n04524313", "a vehicle that rolls"),
    Node("n02958343", "car", "n04576211", "a motor vehicle for a few people"),
    Node("n02930766", "taxi", "n02958343", "a car with a driver, for hire"),
    Node("n03594945", "jeep", "n02958343", "a square car for rough ground"),
    Node("n03100240", "convertible", "n02958343", "a car whose roof folds away"),
    Node("n02834778", "bicycle", "n04576211", "two wheels, a frame and pedals"),
    Node("n03792782", "mountain bike", "n02834778", "a sturdy bicycle with fat tyres"),
    Node("n02835271", "bicycle-built-for-two", "n02834778", "a long bicycle with two saddles"),
    Node("n03125870", "craft", "n04524313", "a vehicle that floats on water or in the air"),
    Node("n02858304", "boat", "n03125870", "a small vessel"),
    Node("n02951358", "canoe", "n02858304", "a light boat, pointed at both ends, moved with paddles"),
    Node("n04273569", "speedboat", "n02858304", "a fast boat with a motor"),
    Node("n04495843", "tugboat", "n02858304", "a stout little boat that pulls big ships"),
    Node("n02782093", "balloon", "n03125870", "a bag of hot air or gas that lifts a basket"),
)

_BY_NAME = {node.name: node for node in NODES}
_BY_ID = {node.id: node for node in NODES}
_PARENTS = {node.parent for node in NODES}

COARSE: tuple[str, ...] = (
    "person",
    "dog",
    "cat",
    "bird",
    "fish",
    "car",
    "bus",
    "boat",
    "bicycle",
    "tree",
    "street lamp",
    "balloon",
)
FINE: tuple[str, ...] = tuple(node.name for node in NODES if node.id not in _PARENTS)

# These never appear in an ordinary scene, so no box of them exists in training, neither fine nor coarse; only the extra
# slice `unseen` shows them. A detector can know them from classification pictures alone.
NEVER_BOXED: tuple[str, ...] = ("dachshund", "penguin", "jeep", "palm")


def node(name: str) -> Node:
    """The node of a class name. Raises ValueError for a name that is not in the hierarchy."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"unknown Toy Town class {name!r}; the known ones are: {', '.join(_BY_NAME)}") from None


def ancestors(name: str) -> list[str]:
    """The names above a class, from its parent to the root. Raises ValueError for an unknown name."""
    above, current = [], node(name)
    while current.parent is not None:
        current = _BY_ID[current.parent]
        above.append(current.name)
    return above


def coarse_of(name: str) -> str | None:
    """The detection class that `name` is or belongs to; None for a node above them all (animal, vehicle, ...)."""
    return next((each for each in (name, *ancestors(name)) if each in COARSE), None)


def labels(kind: str = "coarse") -> FlatLabels:
    """The label set "coarse" (12 detection classes) or "fine" (27 leaves), with WordNet ids; else ValueError."""
    sets = {"coarse": COARSE, "fine": FINE}
    if kind not in sets:
        raise ValueError(f"unknown label set {kind!r}; known: 'coarse', 'fine'")
    return FlatLabels(sets[kind], ids=[_BY_NAME[name].id for name in sets[kind]])


def tree() -> WordTree:
    """The whole hierarchy as a word tree, level by level; data/wordtree/toytown.tree holds the same."""
    order: list[Node] = []
    level: list[str | None] = [None]
    while level:
        below = [node for parent in level for node in NODES if node.parent == parent]
        order.extend(below)
        level = [node.id for node in below]
    place = {node.id: number for number, node in enumerate(order)}
    parents = [place.get(node.parent, -1) for node in order]
    return WordTree([node.name for node in order], parents, [node.id for node in order])
