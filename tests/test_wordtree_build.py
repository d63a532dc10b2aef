"""Word trees from WordNet: the paper's rule by hand on a dozen nouns, then ImageNet's 1,000 classes."""

from pathlib import Path

import pytest
from torchvision.models._meta import _IMAGENET_CATEGORIES

from yolocourse.datasets import toytown
from yolocourse.weights.names import read_lines
from yolocourse.wordnet import read_wordnet
from yolocourse.wordtree import read_tree, write_tree
from yolocourse.wordtree_build import build_tree, grow, leave_out, merge_classes, move_up, read_ids

TREES = Path(__file__).resolve().parents[1] / "data" / "wordtree"


def ids(*offsets):
    return [f"n{offset:08d}" for offset in offsets]


def shape(tree):
    """Path of names for each node, in the tree's order."""
    return [" ".join(tree.names[each] for each in tree.path(node)) for node in range(len(tree))]


@pytest.fixture
def wordnet(write_wordnet):
    return read_wordnet(write_wordnet())


@pytest.fixture(scope="module")
def real():
    try:
        return read_wordnet()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_single_ways_come_first_and_then_the_shortest_growth():
    """x can hang from a or from b. Through b it is nearer, once y, which has no choice, has brought b in."""
    ways = {"x": [("a", "x"), ("b", "c", "x")], "y": [("b", "c", "y")]}
    assert grow(ways) == {"b": None, "c": "b", "y": "c", "x": "c"}
    assert grow({"x": ways["x"]}) == {"a": None, "x": "a"}  # two nodes rather than three


def test_equal_growth_takes_the_first_way():
    assert grow({"x": [("a", "x"), ("b", "x")]}) == {"a": None, "x": "a"}
    assert grow({"x": [("b", "x"), ("a", "x")]}) == {"b": None, "x": "b"}


def test_those_that_add_least_go_first():
    """z comes first in the list and could choose; waiting for w, which adds one node, spares it one."""
    ways = {"z": [("a", "b", "z"), ("c", "w", "z")], "w": [("c", "w"), ("d", "e", "w")], "v": [("c", "v")]}
    assert grow(ways) == {"c": None, "v": "c", "w": "c", "z": "w"}


def test_needless_nodes_are_left_out():
    parents = {"a": None, "b": "a", "c": "b", "d": "c", "e": "c"}
    assert leave_out(parents, {"d", "e"}) == {"d": None, "e": None}
    assert leave_out(parents, {"b", "d", "e"}) == {"b": None, "c": "b", "d": "c", "e": "c"}
    assert leave_out({"a": None, "b": "a"}, {"b"}) == {"b": None}


def test_a_lone_leaf_moves_up_beside_its_class():
    assert move_up({"a": None, "b": "a", "c": "b"}, {"a", "b", "c"}) == {"a": None, "b": "a", "c": "a"}
    kept = {"a": None, "b": "a", "c": "b", "d": "b"}
    assert move_up(kept, {"a", "b", "c", "d"}) == kept  # b is no leaf


def test_a_tree_by_hand(wordnet):
    classes = ids(23, 24, 32, 34, 40)  # dog, cat, ball, puppet, sign
    full = build_tree(wordnet, classes, fold="none")
    assert shape(full) == [
        "abstraction",
        "object",
        "abstraction sign",
        "object animal",
        "object artifact",
        "object animal carnivore",
        "object artifact toy",
        "object artifact puppet",
        "object animal carnivore dog",
        "object animal carnivore cat",
        "object artifact toy ball",
    ]  # the cat has brought carnivore in; a puppet as a doll would have added two nodes
    folded = build_tree(wordnet, classes)
    assert shape(folded) == [
        "object",
        "sign",
        "object carnivore",
        "object artifact",
        "object carnivore dog",
        "object carnivore cat",
        "object artifact ball",
        "object artifact puppet",
    ]
    assert folded.ids[4] == "n00000023" and build_tree(wordnet, classes[::-1]) == folded


def test_a_class_above_another_one(wordnet):
    classes = ids(31, 33, 24)  # toy, doll, cat
    assert shape(build_tree(wordnet, classes)) == ["cat", "toy", "toy doll"]
    assert shape(build_tree(wordnet, classes, fold="darknet")) == ["cat", "toy", "doll"]


def test_data_sets_are_merged_by_id(wordnet):
    tree, nodes = merge_classes(wordnet, {"coco": ids(23, 31), "imagenet": ids(32, 23, 24)})
    assert [tree.ids[node] for node in nodes["coco"]] == ids(23, 31)
    assert [tree.ids[node] for node in nodes["imagenet"]] == ids(32, 23, 24)
    assert nodes["coco"][0] == nodes["imagenet"][1]
    with pytest.raises(ValueError, match="coco: id given twice: n00000023"):
        merge_classes(wordnet, {"coco": ids(23, 23)})


def test_bad_input(wordnet):
    with pytest.raises(ValueError, match="unknown fold 'all'; known: none, nodes, darknet"):
        build_tree(wordnet, ids(23), fold="all")
    with pytest.raises(ValueError, match="at least one class id"):
        build_tree(wordnet, [])
    with pytest.raises(ValueError, match="id given twice: n00000023"):
        build_tree(wordnet, ids(23, 24, 23))
    with pytest.raises(ValueError, match="'n00000099' is no noun"):
        build_tree(wordnet, ids(23, 99))
    with pytest.raises(ValueError, match="at the top"):
        build_tree(wordnet, ids(1930))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: expected a WordNet id"),
        ("n00000023\ndog\n", ":2: expected a WordNet id such as n02084071; found 'dog'"),
        ("n00000023\n\nn00000024\n", ":2: expected a WordNet id"),
        ("n00000023 dog\nn00000024\nn00000023\n", ":3: n00000023 stands on line 1 already"),
    ],
)
def test_malformed_lists(tmp_path, text, message):
    (tmp_path / "a.ids").write_text(text)
    with pytest.raises(ValueError, match=f"a.ids{message}"):
        read_ids(tmp_path / "a.ids")
    with pytest.raises(FileNotFoundError, match="no such list"):
        read_ids(tmp_path / "b.ids")


def test_the_shipped_list_is_imagenets(real):
    """torchvision names the same classes, sorted by id: nearly every name is a word of the synset on its line."""
    found = read_ids(TREES / "imagenet1k.ids")
    assert len(found) == 1000 and found == sorted(found)
    right = sum(
        name.lower() in (word.lower() for word in real.words[id])
        for id, name in zip(found, _IMAGENET_CATEGORIES, strict=True)
    )
    assert right > 950


def test_imagenets_tree_has_as_many_nodes_as_the_papers(real, tmp_path):
    """YOLO9000, section 4: 1,369 nodes."""
    classes = read_ids(TREES / "imagenet1k.ids")
    tree = build_tree(real, classes)
    assert len(tree) == 1369 and len(tree.leaves) == 1000
    write_tree(tmp_path / "a.tree", tree)
    assert (tmp_path / "a.tree").read_bytes() == (TREES / "imagenet1k.tree").read_bytes()
    assert read_lines(TREES / "imagenet1k.names", 1369) == tree.names
    for node, id in enumerate(tree.ids):
        above = tree.parents[node]
        assert above < 0 or any(tree.ids[above] in way for way in real.paths(id))


def test_shipped_trees_without_wordnet():
    tree = read_tree(TREES / "imagenet1k.tree", read_lines(TREES / "imagenet1k.names", 1369))
    assert {tree.ids[leaf] for leaf in tree.leaves} == set(read_ids(TREES / "imagenet1k.ids"))
    path = [tree.names[node] for node in tree.path(tree.node("n02094114"))]
    assert path[-4:] == ["dog", "hunting dog", "terrier", "Norfolk terrier"]
    town = read_tree(TREES / "toytown.tree", read_lines(TREES / "toytown.names", 46))
    assert town == toytown.tree() and [town.names[leaf] for leaf in sorted(town.leaves)] != []
    assert {town.names[leaf] for leaf in town.leaves} == set(toytown.FINE)
    for node, name in enumerate(town.names):
        assert [town.names[each] for each in town.path(node)][-2::-1] == toytown.ancestors(name)
    assert "Princeton" in (TREES / "LICENSE-WordNet").read_text()


def test_coco_and_imagenet_in_one_tree(real):
    lists = {name: read_ids(TREES / f"{name}.ids") for name in ("coco", "imagenet1k", "imagenet_det")}
    tree, nodes = merge_classes(real, lists)
    for name, places in nodes.items():
        assert [tree.ids[node] for node in places] == lists[name]
