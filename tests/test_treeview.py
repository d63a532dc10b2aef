"""Some nodes of a tree as classes: leaves, subtrees, data sets mapped by WordNet id; Darknet's .map files."""

from pathlib import Path

import pytest
import torch

from yolocourse.labels import FlatLabels, labels_from_dict
from yolocourse.treeview import TreeView, leaf_view, map_classes, read_map, subtree_view, write_map
from yolocourse.wordtree import WordTree, read_tree

SHARED = Path(__file__).resolve().parents[2] / "shared"
NAMES = ["animal", "machine", "dog", "crane", "crane", "terrier", "hound"]
IDS = [f"n0000000{k}" for k in range(7)]


@pytest.fixture
def tree():
    return WordTree(NAMES, [-1, -1, 0, 0, 1, 2, 2], IDS)


def test_leaves_share_out_all_probability(tree):
    view = leaf_view(tree)
    assert view.names == ["crane", "crane", "terrier", "hound"] and view.num_outputs == 7
    found = view.probabilities(torch.zeros(2, 7))
    torch.testing.assert_close(found, torch.tensor([[1 / 4, 1 / 2, 1 / 8, 1 / 8]] * 2))
    probability, label = view.predict(torch.zeros(2, 7))
    assert label.tolist() == [1, 1] and probability.tolist() == [0.5, 0.5]


def test_a_subtree_and_its_loss(tree):
    view = subtree_view(tree, 2)
    assert view.nodes == [2, 5, 6] and view.ids == ("n00000002", "n00000005", "n00000006")
    scores = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(view.loss(scores, torch.tensor([0, 1, 2])), tree.loss(scores, torch.tensor([2, 5, 6])))
    which, label, score = view.candidates(torch.tensor([1.0]), torch.zeros(1, 7), 0.2)
    assert which.tolist() == [0] and label.tolist() == [0] and score.tolist() == [0.25]


def test_a_view_goes_into_a_checkpoint_and_back(tree):
    view = TreeView(tree, [4, 2], ["derrick", "dog"])
    again = labels_from_dict(view.to_dict())
    assert again == view and again != leaf_view(tree) and again.index("derrick") == 0 and len({view, again}) == 1
    assert repr(again) == "TreeView of 2 nodes of a WordTree of 7 nodes in 4 groups, 3 levels"


@pytest.mark.parametrize(
    ("nodes", "names", "message"),
    [
        ([], None, "at least one node"),
        ([1, 7], None, "class 1: node 7 is not one of the tree's, 0 to 6"),
        ([-1], None, "class 0: node -1"),
        ([3, 2, 3], None, "class 2: node 3 is that of class 0 already"),
        ([1, 2], ["a"], "2 nodes, but 1 names"),
    ],
)
def test_bad_views(tree, nodes, names, message):
    with pytest.raises(ValueError, match=message):
        TreeView(tree, nodes, names)


def test_classes_are_found_by_id_not_by_name(tree):
    assert map_classes(tree, FlatLabels(["dog", "crane"], ids=["n00000002", "n00000004"])) == [2, 4]
    with pytest.raises(ValueError, match=r"has no n00000009 \(cat\)$"):
        map_classes(tree, FlatLabels(["dog", "cat"], ids=["n00000002", "n00000009"]))
    with pytest.raises(ValueError, match=r"n10 \(a10\), .* and 2 more"):
        map_classes(tree, FlatLabels([f"a{k}" for k in range(10, 17)], ids=[f"n{k}" for k in range(10, 17)]))
    with pytest.raises(ValueError, match="names only"):
        map_classes(tree, FlatLabels(["dog"]))


def test_maps_are_read_and_written(tree, tmp_path):
    write_map(tmp_path / "a.map", [4, 2, 0])
    assert (tmp_path / "a.map").read_bytes() == b"4\n2\n0\n" and read_map(tmp_path / "a.map", tree, 3) == [4, 2, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: expected a node of the tree, 0 to 6; found ''"),
        ("1\nx\n", ":2: expected a node"),
        ("1\n\n2\n", ":2: expected a node"),
        ("1\n-1\n", ":2: expected a node"),
        ("1\n7\n", ":2: .*found '7'"),
        ("1\n2\n1\n", ":3: node 1 stands on line 1 already"),
        ("1\n", ": 1 lines, but the data set has 2 classes"),
    ],
)
def test_malformed_maps(tree, tmp_path, text, message):
    (tmp_path / "a.map").write_text(text)
    with pytest.raises(ValueError, match=f"a.map{message}"):
        read_map(tmp_path / "a.map", tree, 2)
    with pytest.raises(FileNotFoundError, match="no such map"):
        read_map(tmp_path / "b.map", tree)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs Darknet's 9k.tree and its maps in ../shared")
@pytest.mark.parametrize(("name", "ids", "classes"), [("coco9k", "coco", 80), ("inet9k", "imagenet_det", 200)])
def test_the_maps_of_yolo9000(tmp_path, name, ids, classes):
    data = SHARED / "darknet" / "data"
    tree = read_tree(data / "9k.tree")
    nodes = read_map(data / f"{name}.map", tree, classes)
    write_map(tmp_path / "a.map", nodes)
    assert (tmp_path / "a.map").read_bytes() == (data / f"{name}.map").read_bytes()
    shipped = Path(__file__).resolve().parents[1] / "data" / "wordtree" / f"{ids}.ids"
    assert [tree.ids[node] for node in nodes] == [line.split()[0] for line in shipped.read_text().splitlines()]
