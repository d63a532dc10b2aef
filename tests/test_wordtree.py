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


def test_loss_takes_no_rows_and_any_layout(tree):
    assert tree.loss(torch.zeros(0, 8), torch.zeros(0, dtype=torch.long)).shape == (0,)
    scores = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([7, 3, 1])
    turned = scores.t().contiguous().t()  # as a network puts them out: cells last
    torch.testing.assert_close(tree.loss(turned, labels), tree.loss(scores, labels))
    torch.testing.assert_close(tree.log_probabilities(turned.view(3, 1, 8)), tree.log_probabilities(scores)[:, None])
    absolute = tree.log_probabilities(scores)
    torch.testing.assert_close(-absolute.gather(1, labels[:, None])[:, 0], tree.loss(scores, labels))


def test_many_rows_are_done_in_parts(tree):
    scores = torch.randn(2, 150, 8, generator=torch.Generator().manual_seed(4))
    found, label = tree.log_probabilities(scores), tree.predict(scores)[1]
    with_gradient = tree.log_probabilities(scores.clone().requires_grad_())
    torch.testing.assert_close(found, with_gradient.detach())
    assert found.is_contiguous() and (label[1, 77] == tree.predict(scores[1, 77])[1]).all()
    half = tree.log_probabilities(scores.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, tree.log_probabilities(scores.bfloat16().float()))
    assert tree.log_probabilities(torch.zeros(0, 8)).shape == (0, 8)
    assert tree.predict(torch.zeros(0, 8))[1].shape == (0,)


def test_gradients_against_finite_differences(tree):
    scores = torch.randn(4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    labels = torch.tensor([7, 3, 1, 4])
    assert torch.autograd.gradcheck(lambda x: tree.loss(x, labels), scores)
    assert torch.autograd.gradcheck(tree.log_probabilities, scores)
    assert torch.autograd.gradcheck(tree.conditional_log_probabilities, scores)


def test_the_level_of_a_group_does_not_follow_from_its_number():
    """The second root's child comes before the first root's: levels mix, as in Darknet's 9k.tree."""
    mixed = WordTree(["a", "b", "c", "d", "e", "f", "g", "h"], [-1, -1, 0, 0, 3, 3, 1, 1])
    scores = torch.randn(5, 8, generator=torch.Generator().manual_seed(3))
    for row, found in zip(scores.tolist(), mixed.probabilities(scores), strict=True):
        conditional = slow_conditional(mixed, row)
        expected = [math.prod(conditional[n] for n in slow_path(mixed, node)) for node in range(8)]
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_darknets_walk_counts_ancestors_again(tree):
    """0.9 for animal, dog and terrier each: 0.9, 0.81, 0.729 along the path; Darknet compares their products."""
    nine = math.log(9)
    scores = torch.tensor([30.0, 0, nine, 0, nine, 0, nine, 0])
    probability, label = tree.predict(scores)
    assert NAMES[label] == "terrier" and probability.item() == pytest.approx(0.729)
    # thing 1, animal 1 * 0.9, dog 0.9 * 0.81 = 0.729, terrier 0.729 * 0.729 = 0.531
    for threshold, name, value in ((0.5, "terrier", 0.729), (0.6, "dog", 0.81), (0.73, "animal", 0.9)):
        darknet = WordTree(NAMES, PARENTS, threshold=threshold, darknet=True)
        probability, label = darknet.predict(scores)
        assert (NAMES[label], probability.item()) == (name, pytest.approx(value))
        assert NAMES[tree.predict(scores, threshold)[1]] == ("terrier" if threshold < 0.729 else "dog")
    assert darknet != WordTree(NAMES, PARENTS, threshold=0.73) and labels_from_dict(darknet.to_dict()) == darknet


def test_the_shape_of_a_tree(tree):
    assert tree.leaves == [1, 3, 5, 6, 7] and tree.num_groups == 4 and tree.levels == 4
    assert tree.path(7) == [0, 2, 4, 7] and tree.subtree(2) == [2, 4, 5, 6, 7] and tree.subtree(3) == [3]
    assert tree.children(None) == [0, 1] and tree.children(4) == [6, 7] and tree.children(7) == []
    with_ids = WordTree(["crane", "crane"], [-1, -1], ["n02012849", "n03126707"])
    assert with_ids.node("n03126707") == 1
    with pytest.raises(ValueError, match="no id 'n1'"):
        with_ids.node("n1")
    with pytest.raises(ValueError, match="names only"):
        tree.node("n1")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs Darknet's 9k.tree in ../shared")
def test_the_tree_of_yolo9000(tmp_path):
    path = SHARED / "darknet" / "data" / "9k.tree"
    names = (SHARED / "darknet" / "data" / "9k.names").read_text().splitlines()
    tree = read_tree(path, names)
    assert len(tree) == 9418 and tree.parents.count(-1) == 4
    assert tree.num_groups == 1846 and len(tree.leaves) == 7573
    write_tree(tmp_path / "9k.tree", tree)
    assert (tmp_path / "9k.tree").read_bytes() == path.read_bytes()
    scores = torch.randn(4, 9418, generator=torch.Generator().manual_seed(0))
    probabilities = tree.probabilities(scores)
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(tree.parents):
        children.setdefault(parent, []).append(node)
    for parent, below in children.items():
        total = probabilities[:, below].sum(1)
        torch.testing.assert_close(total, probabilities[:, parent] if parent >= 0 else torch.ones(4), rtol=1e-4, atol=0)
    # One softmax over the roots: what stops early or goes on to a leaf adds up to one.
    leaves = probabilities[:, tree.leaves].sum(1)
    torch.testing.assert_close(leaves, torch.ones(4), rtol=0, atol=1e-5)
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
