"""The checks of notebook 10: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import math

import pytest
import torch

from yolocourse.checks.yolov2 import FOUND, PICTURES, check_box_loss, check_kind, check_no_object
from yolocourse.error_analysis import KINDS, analyse_errors


def raising(*anything):
    return undefined_name  # noqa: F821


def squares(said, wanted):
    return [(a - b) ** 2 for a, b in zip(said, wanted, strict=True)]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda s, w, share: (2 - share) / 2 * sum(squares(s, w)), "Exercise 1: right."),
        (lambda s, w, share: torch.tensor((2 - share) / 2 * sum(squares(s, w))), "Exercise 1: right."),
        (lambda s, w, share: None, "nothing returned yet"),
        (lambda s, w, share: 1.0 if share > 0.1 else None, "sometimes nothing"),
        (lambda s, w, share: (2 - share) * sum(squares(s, w)), "The half is missing"),
        (lambda s, w, share: sum(squares(s, w)) / 2, "2 - share is missing"),
        (lambda s, w, share: share * sum(squares(s, w)) / 2, "weighs large boxes more"),
        (lambda s, w, share: (1 - share) * sum(squares(s, w)) / 2, "not 1 - share"),
        (lambda s, w, share: (2 - share) * sum(squares(s, w)[:2]) / 2, "width and height are missing"),
        (lambda s, w, share: (2 - share) * sum(squares(s, w)[2:]) / 2, "centre is missing"),
        (lambda s, w, share: 5 * (2 - share) * sum(squares(s, w)) / 2, "the first YOLO"),
        (lambda s, w, share: (2 - share) * sum(squares(s, w)) / 8, "took their mean"),
        (lambda s, w, share: (2 - share) * math.sqrt(sum(squares(s, w))) / 2, "without a root"),
        (lambda s, w, share: (2 - share) * sum(abs(a - b) for a, b in zip(s, w, strict=True)) / 2, "without squares"),
        (lambda s, w, share: 7.0, "it gives 7; it should be"),
        (lambda s, w, share: squares(s, w), "not list"),
        (lambda s, w, share: "small", "not str"),
        (lambda s: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_box_loss(function, said, capsys):
    assert check_box_loss(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ")


def no_object(keep, weight=0.5, power=2):
    def total(objectness, overlap, responsible, ignore):
        rows = zip(objectness, overlap, responsible, strict=True)
        return weight * sum(o**power for o, iou, answers in rows if keep(iou, answers, ignore))

    return total


def told(iou, answers, ignore):
    return not answers and iou <= ignore


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_object(told), "Exercise 2: right."),
        (lambda *case: torch.tensor(no_object(told)(*case)), "Exercise 2: right."),
        (lambda *case: None, "nothing returned yet"),
        (no_object(told, 1.0), "The half is missing"),
        (no_object(lambda iou, answers, ignore: iou <= ignore), "responsible box is in it, too"),
        (no_object(lambda iou, answers, ignore: not answers), "should be left alone"),
        (no_object(lambda iou, answers, ignore: True), "Neither rule"),
        (no_object(lambda iou, answers, ignore: not answers and iou > ignore), "the wrong way round"),
        (no_object(lambda iou, answers, ignore: answers), "all the others"),
        (no_object(told, 2.5), "Weight 5 belongs to the responsible"),
        (no_object(told, 0.5, 1), "Square each objectness"),
        (no_object(told, 0.25), "Quarter, not half"),
        (no_object(lambda iou, answers, ignore: not answers and iou <= 0.6), "it gives"),  # a fixed threshold
        (lambda *case: [1.0], "not list"),
        (lambda *case: "nothing", "not str"),
        (lambda objectness: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_no_object(function, said, capsys):
    assert check_no_object(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


def test_no_object_by_hand():
    """First picture: the first is responsible, the second overlaps by 0.65, so 0.2 and 0.1 are left."""
    assert no_object(told)(*PICTURES[0]) == pytest.approx((0.04 + 0.01) / 2)


def kind(own, taken, other):
    if own >= 0.5 and not taken:
        return "correct"
    if own >= 0.1:
        return "localisation"
    return "confusion" if other >= 0.1 else "background"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (kind, "Exercise 3: right."),
        (lambda own, taken, other: None, "nothing returned yet"),
        (lambda own, taken, other: "correct" if own >= 0.5 else None, "sometimes nothing"),
        (lambda own, taken, other: kind(own, False, other), "finding it again counts"),
        (
            lambda own, taken, other: "background" if taken and own >= 0.5 else kind(own, taken, other),
            "A second box at one thing",
        ),
        (
            lambda own, taken, other: "localisation" if 0 < own < 0.1 else kind(own, taken, other),
            "hardly touches a thing of its class",
        ),
        (
            lambda own, taken, other: "confusion" if own < 0.5 and other >= 0.1 else kind(own, taken, other),
            "The own class comes first",
        ),
        (
            lambda own, taken, other: "background" if own < 0.1 and other < 0.5 else kind(own, taken, other),
            "Confusion begins at an IoU of 0.1",
        ),
        (lambda own, taken, other: "localisation" if own == 0.5 else kind(own, taken, other), "exactly 0.5"),
        (lambda own, taken, other: "background" if max(own, other) == 0.1 else kind(own, taken, other), "exactly 0.1"),
        (lambda own, taken, other: "confusion" if own < 0.1 else kind(own, taken, other), "is background"),
        (lambda own, taken, other: "correct", "is localisation, not correct"),
        (lambda own, taken, other: "wrong", "one of correct, localisation, confusion, background; not 'wrong'"),
        (lambda own, taken, other: 1, "not 1"),
        (lambda own, taken, other: ["correct"], "not ['correct']"),
        (lambda own, taken, other: torch.ones(2), "one of correct"),
        (lambda own: "correct", "TypeError"),
        (raising, "NameError"),
    ],
)
def test_kind(function, said, capsys):
    assert check_kind(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ")


def strip(iou):
    """A box that shares this IoU with (0, 0, 100, 10): as high, and narrower."""
    return (0, 0, 100 * iou, 10)


@pytest.mark.parametrize(("own", "taken", "other"), FOUND)
def test_the_rule_of_exercise_3_is_the_packages(own, taken, other):
    """A thing of class 0 and one of class 1 in places of their own; the detection lies on the one or the other."""
    if own >= 0.1 and other:
        pytest.skip("one box cannot lie on both in this picture")
    things = [(0, 0, 100, 10), (0, 50, 100, 60)]
    x1, y1, x2, y2 = strip(own) if own >= 0.1 or not other else strip(other)
    shift = 50 if own < 0.1 and other else 0
    box = (x1, y1 + shift, max(x2, 1), y2 + shift)
    boxes = [things[0], box] if taken else [box]
    predictions = [{"boxes": torch.tensor(boxes).float(), "scores": torch.tensor([0.9, 0.5][: len(boxes)]),
                    "labels": torch.zeros(len(boxes)).long()}]  # fmt: skip
    labels = torch.tensor([0, 1, 0])
    targets = [{"boxes": torch.tensor([*things, (0, 90, 5, 95)]).float(), "labels": labels}]
    found = analyse_errors(predictions, targets, 2).kinds[0][-1]
    assert {"similar": "confusion", "other": "confusion"}.get(KINDS[found], KINDS[found]) == kind(own, taken, other)
