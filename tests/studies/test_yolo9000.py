"""The experiment of notebook 12: starts, what each lesson is, which box is chosen, and the results of the course."""

from dataclasses import replace

import pytest
import torch

from yolocourse import grid
from yolocourse.boxes import pairwise_iou
from yolocourse.datasets import toytown
from yolocourse.engine.train import train
from yolocourse.studies import results
from yolocourse.studies import yolo9000 as study
from yolocourse.studies.results import read, select, summary
from yolocourse.studies.shipped import DETECTOR, DETECTOR_SEED
from yolocourse.weights.checkpoint import load_checkpoint

TINY = {"scenes": 20, "things": 27, "tests": (4, 4), "shown": 4, "images": 32}
WORDS = toytown.tree()


@pytest.fixture(scope="module")
def shipped():
    return load_checkpoint(DETECTOR)


# ----------------------------------------------------------------------------------------------------------- the start


def test_the_shipped_detector_was_never_shown_what_is_never_boxed(shipped):
    """Neither its settings nor its scenes leave room for it."""
    assert shipped.labels.names == list(toytown.COARSE) and shipped.metadata["scenes"] == 6_000
    scenes = toytown.scenes(300, seed=DETECTOR_SEED)
    names = {record.name for i in range(len(scenes)) for record in scenes.records(i)}
    assert not names & set(toytown.NEVER_BOXED) and {"terrier", "owl", "taxi", "fir"} <= names


def test_a_grown_detector_says_the_same_about_boxes(shipped):
    torch.manual_seed(0)
    model = study.grown(shipped.model, WORDS).eval()
    assert model.num_outputs == 46 and torch.equal(model.anchors, shipped.model.anchors)
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        before, after = (grid.split(each(images), 5) for each in (shipped.model, model))
    for part in ("xy", "wh", "objectness"):
        torch.testing.assert_close(getattr(after, part), getattr(before, part), rtol=1e-4, atol=1e-5)
    assert after.scores.shape[-1] == 46 and after.scores.abs().max() < 5
    before = shipped.model.head.weight.clone()
    with torch.no_grad():
        model.head.weight.zero_()
    assert torch.equal(shipped.model.head.weight, before), "a copy"


def test_lessons_differ_in_what_their_names_say():
    recipes = {arm: study.lesson(arm, 3) for arm in study.ARMS}
    assert {recipe.train.seed for recipe in recipes.values()} == {3}
    joint, alone = recipes["joint"].train, recipes["boxes only"].train
    assert alone.images == joint.images // 2 and alone.batch_size == joint.batch_size // 2, "as many steps"
    assert replace(recipes["pushed down"].train, loss=joint.loss) == joint
    assert [arm for arm, recipe in recipes.items() if recipe.train.loss.push_down] == ["pushed down"]
    assert recipes["new head"] == recipes["trunk"] and recipes["trunk"].anchors == 3
    assert recipes["trunk"].train.loss.anchor_warmup_images > 0 == joint.loss.anchor_warmup_images


def test_beginners():
    sizes = torch.rand(50, 2) * 0.5 + 0.1
    found = {}
    for arm in ("joint", "new head", "trunk"):
        torch.manual_seed(0)
        found[arm] = study.beginner(arm, study.lesson(arm, 0), WORDS, sizes)
    assert [len(found[arm].anchors) for arm in found] == [5, 3, 3]
    assert torch.equal(found["joint"].merge[0].weight, found["new head"].merge[0].weight)
    assert not torch.equal(found["trunk"].merge[0].weight, found["new head"].merge[0].weight)
    plain = study.beginner("boxes only", study.lesson("boxes only", 0), toytown.labels("coarse"), sizes)
    assert plain.num_outputs == 12 and torch.equal(plain.head.weight, load_checkpoint(DETECTOR).model.head.weight)


# --------------------------------------------------------------------------------------------- which box is chosen?


def test_shown_things_are_half_as_large_on_grey_with_their_boxes():
    shown = study.shown_things(WORDS, 5, 96)
    assert shown.images.shape == (5, 3, 96, 96) and (shown.images[:, :, :24] == 128).all()
    assert (shown.images[:, :, 24:72, 24:72] != 128).any()
    assert (shown.boxes[:, :2] >= 24).all() and (shown.boxes[:, 2:] <= 72).all()
    things = toytown.things(5, size=96, split="test", with_boxes=True)
    torch.testing.assert_close(shown.boxes[3], things[3][1]["box"] / 2 + 24)
    assert [WORDS.names[node] for node in shown.nodes] == [things.labels.names[things.label(i)] for i in range(5)]


class Fixed(torch.nn.Module):
    """Puts out one raw output whatever it sees; training mode is remembered."""

    def __init__(self, raw, anchors):
        super().__init__()
        self.raw, self.anchors = torch.nn.Parameter(raw), anchors

    def forward(self, images):
        assert not self.training
        return self.raw[: len(images)]


def test_chosen_overlaps_by_hand():
    """Two pictures in a grid of 1 x 2 cells: in one the sure cell is right, in the other the class moves the choice."""
    raw = torch.zeros(2, 5 + 46, 1, 2)
    raw[:, 4] = torch.tensor([[2.0, 1.0]])  # the left cell is surer that there is something
    raw[1, 5:, 0, 1] = -9.0
    for node in WORDS.path(7):
        raw[1, 5 + node, 0, 1] = 9.0  # but in the second picture the right cell is sure of the class
    model = Fixed(raw, torch.tensor([[1.0, 1.0]])).train()
    boxes = torch.tensor([[0.0, 0, 32, 32], [32, 0, 64, 16]])
    shown = study.Shown(torch.zeros(2, 3, 32, 64, dtype=torch.uint8), boxes, torch.tensor([7, 7]))
    torch.testing.assert_close(study.chosen_overlaps(model, WORDS, shown), torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(study.chosen_overlaps(model, WORDS, shown, batch_size=2), torch.tensor([1.0, 0.5]))
    assert model.training
    assert float(pairwise_iou(boxes[:1], boxes[:1])) == 1


# ----------------------------------------------------------------------------------------------------------- the study


def test_ways_to_answer():
    tests = study.Together([toytown.scenes(4, split="test"), toytown.scenes(4, slice="unseen", split="test")])
    assert list(study.fine_answers(WORDS, tests)) == ["own"]
    guessed = study.fine_answers(toytown.labels("coarse"), tests)
    assert list(guessed) == ["every child", "commonest child"] and guessed["every child"].names == list(toytown.FINE)
    assert study.coarse_answer(WORDS).names == study.coarse_answer(toytown.labels("coarse")).names


@pytest.mark.slow
def test_a_tiny_run_of_each(tmp_path):
    rows = study.run([1], tmp_path / "results.csv", **TINY)
    answers = [(row["arm"], row["answer"]) for row in rows]
    assert answers == [
        ("joint", "own"), ("boxes only", "every child"), ("boxes only", "commonest child"),
        ("pushed down", "own"), ("new head", "own"), ("trunk", "own"),
    ]  # fmt: skip
    assert all(0 <= row[group] <= 1 for row in rows for group in ("boxed", "never boxed", "coarse"))
    assert all(0 <= row["chosen first"] <= 1 for row in rows if row["answer"] == "own")
    assert study.run([1], tmp_path / "results.csv", **TINY) == read(tmp_path / "results.csv")  # nothing is run twice


def test_a_lesson_cut_short_is_no_result(tmp_path, monkeypatch):
    def cut(*arguments, **more):
        return replace(train(*arguments, **more), interrupted=True)

    monkeypatch.setattr(results, "train_as_far_as_it_goes", cut)
    with pytest.raises(KeyboardInterrupt):
        study.run([3], tmp_path / "results.csv", arms=["boxes only"], **TINY)
    assert not (tmp_path / "results.csv").exists()


# --------------------------------------------------------------------------------------------------------- the results


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def span(rows, arm, column, answer="own"):
    return summary(select(rows, arm=arm, answer=answer), column)


def test_results_have_five_seeds_of_all_arms(rows):
    found = [(row["arm"], row["seed"], row["answer"]) for row in rows]
    assert len(set(found)) == len(found) and {(arm, seed) for arm, seed, _ in found} >= {
        (arm, seed) for arm in study.ARMS for seed in range(5)
    }
    assert all(row["images"] == study.IMAGES // (2 if row["arm"] == "boxes only" else 1) for row in rows)


def test_never_boxed_classes_are_found_better_than_by_any_guess(rows):
    """Section 4, in every seed."""
    guesses = [span(rows, "boxes only", "never boxed", answer) for answer in ("every child", "commonest child")]
    best = max(guess.high for guess in guesses)
    assert span(rows, "joint", "never boxed").low > best + 0.03
    assert span(rows, "pushed down", "never boxed").low > best + 0.03
