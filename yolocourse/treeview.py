"""Some nodes of a word tree as classes of their own: its leaves, a subtree, or the classes of a data set.

YOLO9000's network puts out 9,418 scores. COCO's 80 classes are 80 of its nodes, ImageNet's detection challenge 200
others. Which node a class is, is told by its WordNet id, never by its name: a crane is a bird and a machine.

Shape letters: T nodes of the tree, K classes chosen among them, M any number of rows.
"""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from yolocourse.labels import KINDS, LabelSpace, labels_from_dict
from yolocourse.wordtree import WordTree


class TreeView(LabelSpace):
    """K nodes of a tree as a label space; the network still puts out all T scores.

    nodes: K distinct nodes; names: K words to show, those of the tree unless given. A class may lie below another one,
    so probabilities may add up to more than one; those of all leaves add up to one. Raises ValueError for no nodes, one
    outside the tree, one twice, or another number of names.
    """

    def __init__(self, tree: WordTree, nodes: Sequence[int], names: Sequence[str] | None = None):
        self.tree, self.nodes = tree, [int(node) for node in nodes]
        if not self.nodes:
            raise ValueError("a view of a word tree needs at least one node, found none")
        for number, node in enumerate(self.nodes):
            if not 0 <= node < len(tree):
                raise ValueError(f"class {number}: node {node} is not one of the tree's, 0 to {len(tree) - 1}")
            if node in self.nodes[:number]:
                raise ValueError(f"class {number}: node {node} is that of class {self.nodes.index(node)} already")
        self.names = [tree.names[node] for node in self.nodes] if names is None else list(names)
        if len(self.names) != len(self.nodes):
            raise ValueError(f"{len(self.nodes)} nodes, but {len(self.names)} names")
        self.ids = None if tree.ids is None else tuple(tree.ids[node] for node in self.nodes)

    def __repr__(self) -> str:
        return f"TreeView of {len(self)} nodes of a {self.tree!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeView) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.tree, tuple(self.nodes), tuple(self.names)))

    @property
    def num_outputs(self) -> int:
        return self.tree.num_outputs

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Raw scores (..., T) -> log-probability of the chosen nodes (..., K), along their whole paths."""
        return self.tree.log_probabilities(scores).index_select(-1, self._nodes(scores))

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The tree's loss of (M, T) with labels (M,) -> (M,): the level of the class and all above it."""
        return self.tree.loss(scores, self._nodes(scores).index_select(0, labels))

    def predict(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores (..., T) -> probability (...) and label (...) of the most probable of the K classes."""
        probability, label = self.probabilities(scores).max(dim=-1)
        return probability, label

    def to_dict(self) -> dict:
        return {"kind": "view", "tree": self.tree.to_dict(), "nodes": self.nodes, "names": self.names}

    def _nodes(self, scores: Tensor) -> Tensor:
        return scores.new_tensor(self.nodes, dtype=int)


def _view_from_dict(tree: dict, nodes: list[int], names: list[str]) -> TreeView:
    return TreeView(labels_from_dict(tree), nodes, names)


KINDS["view"] = _view_from_dict


def leaf_view(tree: WordTree) -> TreeView:
    """The leaves as classes that exclude each other: their probabilities add up to one."""
    return TreeView(tree, tree.leaves)


def subtree_view(tree: WordTree, node: int) -> TreeView:
    """A node and all that is below it: "dog" and every breed."""
    return TreeView(tree, tree.subtree(node))


def map_classes(tree: WordTree, labels: LabelSpace) -> list[int]:
    """The node of each class of a data set, found by WordNet id.

    Raises ValueError for classes without ids, and with all ids that the tree does not have.
    """
    if labels.ids is None:
        raise ValueError("these classes have names only; a word tree knows classes by WordNet id, since names repeat")
    known = set(tree.ids or ())
    absent = [f"{id} ({name})" for id, name in zip(labels.ids, labels.names, strict=True) if id not in known]
    if absent:
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        raise ValueError(f"the tree of {len(tree)} nodes has no {', '.join(absent[:5])}{more}")
    return [tree.node(id) for id in labels.ids]


def read_map(path: str | Path, tree: WordTree, classes: int | None = None) -> list[int]:
    """Darknet's .map: on line k the node, counted from 0, that class k of a data set is.

    Raises FileNotFoundError, or ValueError with file and line for a line that is no node of the tree, for a node twice,
    and where there are not `classes` lines.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such map of classes to nodes (.map)")
    seen: dict[int, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").rstrip().split("\n"), 1):
        text = line.strip()
        if not (text.isascii() and text.isdigit()) or int(text) >= len(tree):
            raise ValueError(f"{path}:{number}: expected a node of the tree, 0 to {len(tree) - 1}; found {text[:60]!r}")
        if int(text) in seen:
            raise ValueError(f"{path}:{number}: node {text} stands on line {seen[int(text)]} already")
        seen[int(text)] = number
    if classes is not None and len(seen) != classes:
        raise ValueError(f"{path}: {len(seen)} lines, but the data set has {classes} classes")
    return list(seen)


def write_map(path: str | Path, nodes: Sequence[int]) -> None:
    """Writes Darknet's .map; `map_classes` and `wordtree_build.merge_classes` give the nodes."""
    Path(path).write_text("".join(f"{node}\n" for node in nodes), encoding="utf-8", newline="\n")
