"""Checks of the exercises in notebook 01: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer. It compares with the right answer and with the usual wrong ones, so that it can
say which mistake it looks like.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from yolocourse.boxes import cxcywh_to_xyxy, iou
from yolocourse.checks.answers import call_all, verdict
from yolocourse.metrics import average_precision

Box = Sequence[float]

# cxcywh pairs: partly over each other, one inside the other, a gap across, a gap in both directions, the same
PAIRS = (
    ((50, 50, 40, 20), (60, 55, 40, 20)),
    ((50, 50, 60, 60), (50, 50, 30, 30)),
    ((20, 50, 20, 20), (80, 50, 20, 20)),
    ((20, 20, 10, 10), (80, 80, 30, 30)),
    ((30, 40, 25, 35), (30, 40, 25, 35)),
)


def check_iou(function: Callable[[Box, Box], float]) -> None:
    """Exercise 1: function(a, b) -> IoU of two boxes (cx, cy, w, h)."""
    answers, trouble = call_all("Exercise 1", function, PAIRS, "Start with the four corners of both boxes.")
    if trouble:
        return print(trouble)
    mistakes = {
        "That looks like (cx, cy, w, h) read as two corners. First turn each box into x1, y1, x2, y2.": _as_corners,
        "For boxes that do not touch it is not 0: a negative overlap must count as 0, in each direction.": _unclamped,
        "The union counts the shared part twice: subtract it once.": _union_twice,
        "That is the shared part over the smaller box. IoU divides by what both cover together.": _over_smaller,
        "It is a little off: coordinates here are borders, so a width is x2 - x1, without + 1.": _inclusive,
    }
    verdict("Exercise 1", answers, [_right(a, b) for a, b in PAIRS], PAIRS, mistakes)


def check_class_nms(function: Callable) -> None:
    """Exercise 2: function(boxes, scores, labels, threshold) -> indices that stay, best first."""
    boxes = torch.tensor(
        [[10, 10, 50, 50], [12, 12, 52, 52], [11, 10, 51, 50], [100, 100, 140, 150], [12, 10, 52, 50.0]]
    )
    scores, labels = torch.tensor([0.6, 0.9, 0.8, 0.7, 0.5]), torch.tensor([0, 0, 1, 0, 1])
    case = (boxes, scores, labels, 0.45)
    answers, trouble = call_all("Exercise 2", function, [case], "Copy nms from above and change one line.")
    if trouble:
        return print(trouble)
    try:
        answer = [int(i) for i in answers[0]]
    except (TypeError, ValueError):
        return print("Exercise 2: it should return a list of indices, such as [1, 3].")
    mistakes = {
        (1, 2, 3): "",
        (1, 3): "A bus suppressed a dog: only boxes with the same label may suppress each other.",
        (0, 2, 3): "It goes through the boxes in the order given. The best score comes first.",
        (1, 2, 3, 0, 4): "Nothing was suppressed. Compare each box left with the one just kept.",
    }
    sentence = mistakes.get(tuple(answer))
    if sentence == "":
        print("Exercise 2: right. Each class is suppressed by itself.")
    elif sentence:
        print(f"Exercise 2: not yet. {sentence}")
    elif sorted(answer) == [1, 2, 3]:
        print("Exercise 2: the right boxes, but not best first.")
    elif set(answer) == {0, 4}:
        print("Exercise 2: not yet. It keeps the worst boxes: sort the scores from high to low.")
    else:
        print(f"Exercise 2: not yet. It kept {answer} of boxes 0 to 4. Which label and score has each of them?")


# 7, 3 and 11 truths: recall off the tenths, where the area under the curve and the mean over points differ
CURVES = (
    ([1 / 7, 2 / 7, 2 / 7, 3 / 7, 3 / 7, 4 / 7], [1.0, 1.0, 0.67, 0.75, 0.6, 0.67]),
    ([1 / 3, 1 / 3, 2 / 3, 1.0], [1.0, 0.5, 0.67, 0.75]),
    ([1 / 11, 1 / 11, 2 / 11, 3 / 11], [1.0, 0.5, 0.67, 0.75]),
)


def check_eleven_points(function: Callable[[Sequence[float], Sequence[float]], float]) -> None:
    """Exercise 3: function(recall, precision) -> AP by the 11-point rule."""
    answers, trouble = call_all("Exercise 3", function, CURVES, "Loop over r = 0, 0.1, ..., 1.0 first.")
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the area under the curve. Here only 11 values of recall count.": lambda r, p: average_precision(r, p),
        "There are 11 values, 0 and 1 included; it looks like ten.": lambda r, p: _points(r, p, range(1, 11)),
        "0 is one of the 11 values of recall, and 1 too; one is missing.": lambda r, p: _points(r, p, range(10)),
        "Take the best precision at recall r or beyond, not the first one there.": _first_beyond,
        "Recall that is never reached counts as precision 0; leave no value out of the mean.": _reached_only,
        "That is the sum. Divide by 11.": lambda r, p: 11 * average_precision(r, p, "11point"),
    }
    wanted = [average_precision(r, p, "11point") for r, p in CURVES]
    verdict("Exercise 3", answers, wanted, CURVES, mistakes, tolerance=2e-3)


def _right(a: Box, b: Box) -> float:
    one, two = (cxcywh_to_xyxy(torch.tensor([box], dtype=torch.float64)) for box in (a, b))
    return float(iou(one, two))


def _sides(a: Box, b: Box) -> tuple[float, float]:
    """How far two cxcywh boxes overlap across and down; negative where there is a gap."""
    return tuple(
        min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2) for i in (0, 1)
    )


def _as_corners(a: Box, b: Box) -> float:
    across, down = (max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - across * down
    return across * down / union if union else 0.0


def _unclamped(a: Box, b: Box) -> float:
    across, down = _sides(a, b)
    return across * down / (a[2] * a[3] + b[2] * b[3] - across * down)


def _union_twice(a: Box, b: Box) -> float:
    across, down = (max(0, side) for side in _sides(a, b))
    return across * down / (a[2] * a[3] + b[2] * b[3])


def _over_smaller(a: Box, b: Box) -> float:
    across, down = (max(0, side) for side in _sides(a, b))
    return across * down / min(a[2] * a[3], b[2] * b[3])


def _inclusive(a: Box, b: Box) -> float:
    across, down = (max(0, side + 1) for side in _sides(a, b))
    return across * down / (sum((box[2] + 1) * (box[3] + 1) for box in (a, b)) - across * down)


def _points(recall: Sequence[float], precision: Sequence[float], tenths: Sequence[int]) -> float:
    recall, precision = np.array(recall), np.array(precision)
    return float(np.mean([precision[recall >= tenth / 10].max(initial=0.0) for tenth in tenths]))


def _first_beyond(recall: Sequence[float], precision: Sequence[float]) -> float:
    recall, precision = np.array(recall), np.array(precision)
    return float(np.mean([[*precision[recall >= tenth / 10], 0.0][0] for tenth in range(11)]))


def _reached_only(recall: Sequence[float], precision: Sequence[float]) -> float:
    recall, precision = np.array(recall), np.array(precision)
    found = [precision[recall >= tenth / 10] for tenth in range(11)]
    return float(np.mean([values.max() for values in found if len(values)]))
