"""Notebook 11's experiment: its parts by hand, a tiny run, and what the results that come with the course say."""

import numpy as np
import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.labels import FlatLabels
from yolocourse.studies import wordtree_classifier as study
from yolocourse.studies.results import read, select, summary
from yolocourse.wordtree import WordTree

#          thing
#     animal      car
#   dog     owl
NAMES, PARENTS = ["thing", "animal", "car", "dog", "owl"], [-1, 0, 0, 1, 1]
IDS = [f"n{k:08d}" for k in range(5)]
TREE = WordTree(NAMES, PARENTS, IDS)


def test_a_tiny_run_has_rows_for_everything(tmp_path):
    trial = {"things": 60, "tests": 54, "images": 64, "few": 10}
    which = [("flat", "a"), ("tree", "b"), ("tree, mixed", "a")]
    rows = study.run([3], tmp_path / "results.csv", which=which, **trial)
    for network, kept_out in which:
        mine = select(rows, network=network, kept_out=kept_out, seed=3)
        (leaves,) = select(mine, what="leaves")
        assert 0 <= leaves["top1"] <= leaves["top5"] <= 1
        assert [row["level"] for row in select(mine, what="level")] == list(range(toytown.tree().levels))
        walks = select(mine, what="walk")
        assert len(walks) == (0 if "," in network else len(study.SETS) * len(study.THRESHOLDS))
        assert all(0 <= row[name] <= 1 for row in walks for name in ("right", "leaf", "coarse"))
    assert study.run([3], tmp_path / "results.csv", which=which, **trial) == rows  # nothing is run twice


def test_summed_scores_are_sums_of_probabilities():
    labels = FlatLabels(["car", "owl", "dog"], ids=[IDS[2], IDS[4], IDS[3]])
    flat = torch.tensor([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
    found = TREE.probabilities(study.summed(flat.log(), labels, TREE))
    torch.testing.assert_close(found, torch.tensor([[1, 0.8, 0.2, 0.5, 0.3], [1, 0.3, 0.7, 0.1, 0.2]]))


def test_what_cannot_be_summed_is_refused():
    with pytest.raises(ValueError, match="2 classes and 3 leaves"):
        study.summed(torch.zeros(1, 2), FlatLabels(["dog", "owl"], ids=[IDS[3], IDS[4]]), TREE)
    with pytest.raises(ValueError, match="each leaf has to be one class"):
        study.summed(torch.zeros(1, 3), FlatLabels(["a", "b", "c"], ids=[IDS[1], IDS[2], IDS[3]]), TREE)


def test_pictures_are_split_by_kind_and_kinds_kept_out_are_real_and_apart():
    drawn = toytown.things(54)
    known, unseen = study.split(drawn, ("taxi", "owl"))
    assert len(unseen) == 4 and sorted(known + unseen) == list(range(54))
    assert {drawn.labels.names[drawn.label(i)] for i in unseen} == {"taxi", "owl"}
    tree = toytown.tree()
    for kinds in study.KEPT_OUT.values():
        for name in kinds:
            siblings = set(tree.children(tree.parents[tree.index(name)])) - {tree.index(each) for each in kinds}
            assert siblings & set(tree.leaves), f"no sibling of {name} is learned"


class Drawn:
    """Stands for `toytown.things`: items 0 .. 26 show the kinds in order."""

    labels = toytown.labels("fine")

    def __len__(self):
        return 27

    def label(self, i):
        return i

    def __getitem__(self, i):
        return f"picture {i}", {"label": torch.tensor(i)}


@pytest.mark.parametrize(("network", "count"), [("flat", 27), ("tree", 27), ("flat, few", 10), ("tree, few", 10)])
def test_lessons(network, count):
    pictures = study.lesson(Drawn(), network, range(27), few=10)
    assert [pictures.labels.names[int(pictures[i][1]["label"])] for i in range(len(pictures))] == list(
        toytown.FINE[:count]
    )
    assert pictures[1][0] == "picture 1" and pictures.target(1) == pictures[1][1]


def test_a_mixed_lesson_shows_few_pictures_with_fine_labels_as_often_as_all_others_with_coarse_ones():
    pictures = study.lesson(Drawn(), "tree, mixed", range(27), few=9)
    shown = [(pictures[i][0], pictures.labels.names[int(pictures[i][1]["label"])]) for i in range(len(pictures))]
    fine = [(f"picture {k}", name) for k, name in enumerate(toytown.FINE[:9])]
    rest = [(f"picture {k}", toytown.coarse_of(name)) for k, name in enumerate(toytown.FINE) if k >= 9]
    assert shown == fine * 2 + rest


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown network 'forest'"):
        study.lesson(Drawn(), "forest", [0])
    with pytest.raises(ValueError, match="unknown way to change pictures: 'upside down'"):
        study.changed(torch.zeros(1, 3, 8, 8), "upside down")


def test_changed_pictures():
    images = torch.zeros(2, 3, 64, 64)
    images[:, :, 32, 32] = 1
    blurred = study.changed(images, "blurred")
    assert blurred.amax() < 0.05 and blurred.sum() == pytest.approx(6, rel=1e-3), "light is spread, not lost"
    assert study.changed(images, "dark").amax() == pytest.approx(0.2)
    plain = torch.full((1, 3, 64, 64), 0.25)
    torch.testing.assert_close(study.changed(plain, "small"), plain)
    stripe = torch.zeros(1, 3, 64, 64)
    stripe[..., :32] = 1
    small = study.changed(stripe, "small")
    assert small[0, 0, 0, 0] == 0.5 and small[0, 0, 32, 20] == 1 and small[0, 0, 32, 44] == 0


def test_level_accuracy_by_hand():
    """Truths dog, dog, car; answers owl, car, car: the root always, animal or car in two of three, no dog."""
    found = study.level_accuracy(TREE, torch.tensor([4, 2, 2]), torch.tensor([3, 3, 2]))
    assert found == [(1.0, 3), (2 / 3, 3), (0.0, 2)]


def test_judge_by_hand():
    tree = toytown.tree()
    node = tree.index
    truth = torch.tensor([node("terrier")] * 5)
    answers = torch.tensor([node(name) for name in ("terrier", "dog", "animal", "cat", "dalmatian")])
    found = study.judge(tree, answers, truth)
    level = (5 + 4 + 2 + 4 + 5) / 5
    assert found == {"right": 3 / 5, "leaf": 2 / 5, "coarse": 2 / 5, "level": level}


def test_a_lamp_is_its_own_coarse_class():
    tree = toytown.tree()
    lamp = torch.tensor([tree.index("street lamp")])
    assert study.judge(tree, lamp, lamp)["coarse"] == 1
    assert study.judge(tree, torch.tensor([tree.index("artifact")]), lamp) == {
        "right": 1, "leaf": 0, "coarse": 0, "level": 1
    }  # fmt: skip


def test_at_leaves_names_each_leaf_by_its_place():
    """One picture named right; of the other, a terrier taken for a dalmatian, all levels but the last are right."""
    tree = toytown.tree()
    scores = torch.zeros(2, len(tree))
    for row, name in enumerate(("taxi", "dalmatian")):
        scores[row, tree.path(tree.index(name))] = 9.0
    rows = list(study.at_leaves(tree, scores, torch.tensor([tree.index("taxi"), tree.index("terrier")])))
    assert rows[0] == {"what": "leaves", "top1": 0.5, "top5": 1.0}
    assert [row["right"] for row in rows[1:]] == [1, 1, 1, 1, 1, 0.5, 1] and rows[-1]["pictures"] == 1


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def top1(rows, network, kept_out="a"):
    return [row["top1"] for row in select(rows, what="leaves", network=network, kept_out=kept_out)]


def walks(rows, network, kept_out, shown, column, threshold=0.6):
    return summary(
        select(rows, what="walk", network=network, kept_out=kept_out, set=shown, threshold=threshold), column
    )


def test_the_results_have_five_seeds_of_everything_in_order(rows):
    for network, kept_out in study.RUNS:
        found = select(rows, what="leaves", network=network, kept_out=kept_out)
        assert [row["seed"] for row in found] == [0, 1, 2, 3, 4]


def test_the_tree_costs_about_five_points_at_the_leaves_and_nothing_of_top5(rows):
    for kept_out in study.KEPT_OUT:
        pairs = list(zip(top1(rows, "flat", kept_out), top1(rows, "tree", kept_out), strict=True))
        assert sum(tree < flat for flat, tree in pairs) == 4
        assert -0.065 < sum(tree - flat for flat, tree in pairs) / 5 < -0.035
        assert min(row["top5"] for row in select(rows, what="leaves", network="tree", kept_out=kept_out)) > 0.97


def test_the_tree_is_behind_at_every_level(rows):
    for level in range(1, toytown.tree().levels):
        flat, tree = (
            summary(select(rows, what="level", network=network, kept_out="a", level=level), "right").mean
            for network in ("flat", "tree")
        )
        assert tree < flat


def test_results_fit_the_ranges_that_the_notebook_asserts(rows):
    for network in ("flat", "tree"):
        assert min(top1(rows, network)) > 0.65 and max(top1(rows, network)) < 0.9
        first = select(rows, what="level", network=network, kept_out="a", level=1)
        assert min(row["right"] for row in first) > 0.9
    for shown in study.SETS:
        assert walks(rows, "tree", "a", shown, "right", 0.95).low > 0.9
        assert walks(rows, "tree", "a", shown, "leaf", 0.95).high < 0.4
    unseen = walks(rows, "tree", "a", "unseen", "right")
    assert unseen.low > 0.35 and unseen.high < 0.9


def test_one_threshold_means_other_things_for_other_pictures(rows):
    assert walks(rows, "tree", "a", "known", "right", 0.5).mean > 0.75
    for shown in ("unseen", "blurred", "small"):
        assert 0.35 < walks(rows, "tree", "a", shown, "right", 0.5).mean < 0.6


@pytest.mark.parametrize(("shown", "most"), [("known", 0.1), ("blurred", 0.08), ("unseen", 0.05)])
def test_at_the_same_depth_the_tree_is_nowhere_clearly_better(rows, shown, most):
    """Share right, flat less tree, between the thresholds by straight lines."""
    lines = []
    for network in ("flat", "tree"):
        found = [[walks(rows, network, "a", shown, c, t).mean for c in ("level", "right")] for t in study.THRESHOLDS]
        lines.append(sorted(found))
    low, high = max(line[0][0] for line in lines), min(line[-1][0] for line in lines)
    depths = np.linspace(low, high, 20)
    flat, tree = (np.interp(depths, *zip(*line, strict=True)) for line in lines)
    assert (flat - tree).min() > -0.03 and (flat - tree).max() < most
    assert shown != "known" or (flat - tree).min() > 0


def test_kinds_that_look_like_others_are_said_wrongly_and_surely(rows):
    for network in ("flat", "tree"):
        alike, strange = (walks(rows, network, kept_out, "unseen", "right").mean for kept_out in "ab")
        assert 0.6 < alike < 0.7 and 0.33 < strange < 0.42
        assert 0.17 < walks(rows, network, "a", "unseen", "coarse").mean < 0.23
        assert 0.35 < walks(rows, network, "b", "unseen", "leaf").mean < 0.43


def test_coarse_labels_help_the_tree_in_every_seed(rows):
    few = top1(rows, "flat, few") + top1(rows, "tree, few")
    assert min(top1(rows, "tree, mixed")) > max(few) + 0.03
    assert abs(sum(top1(rows, "flat, few")) - sum(top1(rows, "tree, few"))) / 5 < 0.02
