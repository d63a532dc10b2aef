"""Word trees: probabilities, loss and the walk down against plain loops; malformed trees are refused."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from yolocourse.detect import postprocess
from yolocourse.labels import labels_from_dict
from yolocourse.wordtree import WordTree, read_tree, write_tree

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"
# thing: animal (dog: terrier, hound; cat), vehicle; and a second root.
NAMES = ["thing", "idea", "animal", "vehicle", "dog", "cat", "terrier", "hound"]
PARENTS = [-1, -1, 0, 0, 2, 2, 4, 4]


@pytest.fixture
def tree():
    return WordTree(NAMES, PARENTS)


def slow_conditional(tree, scores):
    result = []
    for node in range(len(tree)):
        group = [other for other in range(len(tree)) if tree.parents[other] == tree.parents[node]]
        result.append(math.exp(scores[node]) / sum(math.exp(scores[other]) for other in group))
    return result


def slow_path(tree, node):
    path = []
    while node >= 0:
        path.append(node)
        node = tree.parents[node]
    return path


def slow_walk(tree, conditional, threshold):
    probability, node = 1.0, -1
    while True:
        below = [other for other in range(len(tree)) if tree.parents[other] == node]
        if not below:
            return probability, node
        best = max(below, key=lambda other: conditional[other])
        if node >= 0 and probability * conditional[best] <= threshold:
            return probability, node
        probability, node = probability * conditional[best], best


def test_probabilities_by_hand(tree):
    """All scores 0: every group is shared out evenly."""
    torch.testing.assert_close(tree.probabilities(torch.zeros(8)), torch.tensor([2, 2, 1, 1, 0.5, 0.5, 0.25, 0.25]) / 4)


def test_against_plain_loops(tree):
    scores = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)) * 3
    conditional = tree.conditional_log_probabilities(scores).exp()
    absolute, (probability, label) = tree.probabilities(scores), tree.predict(scores)
    losses = tree.loss(scores, torch.arange(50) % 8)
    for i, row in enumerate(scores.tolist()):
        expected = slow_conditional(tree, row)
        np.testing.assert_allclose(conditional[i], expected, rtol=1e-4)
        paths = [math.prod(expected[node] for node in slow_path(tree, n)) for n in range(8)]
        np.testing.assert_allclose(absolute[i], paths, rtol=1e-4)
        assert losses[i].item() == pytest.approx(sum(-math.log(expected[n]) for n in slow_path(tree, i % 8)), rel=1e-4)
        wanted, node = slow_walk(tree, expected, 0.5)
        assert (label[i].item(), probability[i].item()) == (node, pytest.approx(wanted, rel=1e-4))
    assert len(set(label.tolist())) > 4


def test_loss_leaves_what_is_below_the_label_alone(tree):
    scores = torch.randn(1, 8, requires_grad=True)
    tree.loss(scores, torch.tensor([4])).backward()
    assert (scores.grad[0, 6:] == 0).all() and (scores.grad[0, :6] != 0).all()


def test_extreme_and_half_precision_scores_stay_finite(tree):
    scores = torch.tensor([[1e4, -1e4] * 4], dtype=torch.bfloat16, requires_grad=True)
    loss = tree.loss(scores, torch.tensor([7]))
    loss.sum().backward()
    assert loss.dtype == torch.float32 and torch.isfinite(loss).all() and torch.isfinite(scores.grad).all()


def test_candidates_carry_one_name_and_the_objectness(tree):
    scores = torch.zeros(3, 8)
    scores[0, [0, 2, 4, 6]] = 9  # a sure terrier
    scores[1, [0, 2, 4]] = 9  # a dog of some kind
    which, label, score = tree.candidates(torch.tensor([0.8, 0.6, 0.1]), scores, 0.25)
    assert which.tolist() == [0, 1] and [NAMES[n] for n in label.tolist()] == ["terrier", "dog"]
    torch.testing.assert_close(score, torch.tensor([0.8, 0.6]))


def test_round_trips(tree, tmp_path):
    assert labels_from_dict(tree.to_dict()) == tree
    write_tree(tmp_path / "a.tree", tree)
    assert (tmp_path / "a.tree").read_text() == "".join(f"{n} {p}\n" for n, p in zip(NAMES, PARENTS, strict=True))
    again = read_tree(tmp_path / "a.tree")
    assert again.names == NAMES and again.parents == PARENTS and again.ids == tuple(NAMES)
    assert repr(again) == "WordTree of 8 nodes in 4 groups, 4 levels"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "expected an id and the number"),
        ("a -1\nb\n", 2, "expected an id and the number of its parent; found 'b'"),
        ("a -1\nb one\n", 2, "expected an id"),
        ("a -1\nb 1\n", 2, "node 1 is its own parent"),
        ("a -1\nb 2\nc 0\n", 2, "a child of 2, which does not come before it"),
        ("a 0\n", 1, "its own parent"),
        ("a -1\nb -2\n", 2, "a child of -2"),
        ("a -1\nb 0\nc 1\nd 0\n", 4, "children of node 0 stand in two places"),
        ("a -1\nb 0\nc -1\n", 3, "children of node -1 stand in two places"),
        ("a -1\nb 0\na 0\n", 3, "id 'a' is that of node 1 already"),
    ],
)
def test_malformed_files(text, line, message, tmp_path):
    (tmp_path / "x.tree").write_text(text)
    with pytest.raises(ValueError, match=f"x.tree:{line}: .*{message}"):
        read_tree(tmp_path / "x.tree")


def test_other_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such word tree"):
        read_tree(tmp_path / "no.tree")
    with pytest.raises(ValueError, match="at least one node"):
        WordTree([], [])
    with pytest.raises(ValueError, match="2 names, 1 parents"):
        WordTree(["a", "b"], [-1])
    with pytest.raises(ValueError, match="threshold is a probability"):
        WordTree(["a"], [-1], threshold=1.5)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs Darknet's 9k.tree in ../shared")
def test_the_tree_of_yolo9000(tmp_path):
    path = SHARED / "darknet" / "data" / "9k.tree"
    names = (SHARED / "darknet" / "data" / "9k.names").read_text().splitlines()
    tree = read_tree(path, names)
    assert len(tree) == 9418 and tree.parents.count(-1) == 4
    write_tree(tmp_path / "9k.tree", tree)
    assert (tmp_path / "9k.tree").read_text() == path.read_text()
    scores = torch.randn(4, 9418, generator=torch.Generator().manual_seed(0))
    probabilities = tree.probabilities(scores)
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(tree.parents):
        children.setdefault(parent, []).append(node)
    for parent, below in children.items():
        total = probabilities[:, below].sum(1)
        torch.testing.assert_close(total, probabilities[:, parent] if parent >= 0 else torch.ones(4), rtol=1e-4, atol=0)
    label = tree.predict(scores * 20)[1]
    assert len(label) == 4 and min(len(slow_path(tree, n)) for n in label.tolist()) > 1


def test_a_detector_names_each_box_once(tree):
    """Flat classes would report a terrier as animal, dog and terrier."""
    raw = torch.full((1, 13, 1, 1), -9.0)
    raw[0, 4], raw[0, 5:] = 3, 0
    raw[0, [5, 7, 9, 11]] = 9  # thing, animal, dog, terrier
    (found,) = postprocess(raw, torch.tensor([[1.0, 1.0]]), tree, threshold=0.2)
    assert [NAMES[n] for n in found["labels"].tolist()] == ["terrier"]
    torch.testing.assert_close(found["scores"], torch.tensor([3.0]).sigmoid())
