"""Checks of the exercises in notebook 05: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer. It compares with the right answer and with the usual wrong ones, so that it can
say which mistake it looks like.
"""

import statistics
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from yolocourse.boxes import shape_iou
from yolocourse.checks.answers import call_all, verdict

Pair = tuple[float, float]

# Sizes and anchors in cells. The box that fits worst is neither the largest nor the smallest nor the farthest one.
CLUSTERINGS = (
    ([(1, 1), (5, 5), (8, 7), (0.2, 3), (2, 2), (0.3, 0.3)], [(1, 1), (6, 6), (0.5, 0.4)]),
    ([(4, 0.4), (3, 3), (9, 6), (1.5, 4), (1, 0.7)], [(3.2, 2.8), (1, 0.8), (7.5, 4.6)]),
    ([(2, 6), (0.5, 0.5), (6, 0.7), (9, 9), (3, 2), (1, 1)], [(7, 7), (2, 4), (0.7, 0.6)]),
)

# box and picture, width and height in pixels, and the side of the network's input
BOXES = (
    ((100, 50), (500, 250), 416),
    ((64, 120), (640, 480), 608),
    ((30, 33), (300, 400), 224),
    ((200, 80), (350, 500), 320),
)

WIDTHS = ((1, 2, 9), (1, 1.2, 4, 5, 5.5), (2, 3, 3.6, 9, 10, 11, 12), (1, 6, 2, 7, 8))


def check_worst_box(function: Callable[[Tensor, Tensor], int]) -> None:
    """Exercise 1: function(sizes, anchors) -> number of the box that its best anchor fits worst."""
    cases = [(torch.tensor(sizes), torch.tensor(anchors)) for sizes, anchors in CLUSTERINGS]
    start = "Start with shape_iou(sizes, anchors): a row for each box."
    answers, trouble = call_all("Exercise 1", function, cases, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the box that fits best. The one that fits worst is wanted.": lambda s, a: _best(s, a).argmax(),
        "It takes the lowest of all overlaps. A box belongs to its best anchor: first the highest of each row.": (
            lambda s, a: shape_iou(s, a).amin(dim=1).argmin()
        ),
        "That is the overlap. Which box it is, its number, is wanted: argmin.": lambda s, a: _best(s, a).min(),
        "That is the box farthest from its anchor by Euclidean distance. Compare by IoU.": (
            lambda s, a: torch.cdist(s, a).amin(dim=1).argmax()
        ),
        "That is the largest box. Large boxes may fit well.": lambda s, a: s.prod(1).argmax(),
        "That is the smallest box. Small boxes may fit well.": lambda s, a: s.prod(1).argmin(),
        "That is the number of an anchor. The number of a box is wanted.": (
            lambda s, a: shape_iou(s, a).amax(dim=0).argmin()
        ),
    }
    wanted = [float(_best(*case).argmin()) for case in cases]
    verdict("Exercise 1", answers, wanted, cases, mistakes, describe=lambda case: f"sizes {case[0].tolist()}")


def check_in_cells(function: Callable[[Pair, Pair, int], Pair]) -> None:
    """Exercise 2: function(box, picture, network) -> width and height of the box in grid cells."""
    start = "Start with the share of the picture's width that the box takes."
    answers, trouble = call_all("Exercise 2", function, BOXES, start)
    if trouble:
        return print(trouble)
    try:
        pairs = [[float(number) for number in answer] for answer in answers]
    except (TypeError, ValueError, RuntimeError):
        return print(f"Exercise 2: it should return two numbers, width and height, not {type(answers[0]).__name__}.")
    if any(len(pair) != 2 for pair in pairs):
        return print(f"Exercise 2: it should return two numbers, width and height, not {len(pairs[0])}.")
    mistakes = {
        "That is in pixels of the picture, over 32. The picture is stretched to the network's input first.": (
            lambda box, picture, network, i: box[i] / 32
        ),
        "That is the share of the picture. How many cells does the whole picture have?": (
            lambda box, picture, network, i: box[i] / picture[i]
        ),
        "That is in pixels of the network's input. A cell is 32 of them.": (
            lambda box, picture, network, i: box[i] / picture[i] * network
        ),
        "It takes 13 cells for every network. That is the grid of 416 pixels only.": (
            lambda box, picture, network, i: box[i] / picture[i] * 13
        ),
        "It divides both by the longer side. That is letterbox; here both sides are stretched, each by its own.": (
            lambda box, picture, network, i: box[i] / max(picture) * network / 32
        ),
        "Width and height are swapped.": lambda box, picture, network, i: _cells(box, picture, network, 1 - i),
        "It is rounded. Anchors are fractions of cells.": (
            lambda box, picture, network, i: round(_cells(box, picture, network, i))
        ),
        "It is rounded down. Anchors are fractions of cells.": (
            lambda box, picture, network, i: int(_cells(box, picture, network, i))
        ),
    }
    cases = [(*case, i) for case in BOXES for i in (0, 1)]
    answers, wanted = [number for pair in pairs for number in pair], [_cells(*case) for case in cases]
    verdict("Exercise 2", answers, wanted, cases, mistakes, describe=_described)


def check_best_width(function: Callable[[Sequence[float]], float]) -> None:
    """Exercise 3: function(widths) -> the width with the highest average IoU, all bars being equally high."""
    cases = [(list(widths),) for widths in WIDTHS]
    answers, trouble = call_all("Exercise 3", function, cases, "Start with the IoU of two bars: min(w, c) / max(w, c).")
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the mean, which k-means takes. Its average IoU is not the highest here.": statistics.fmean,
        "That is the median. It is often better than the mean, but it is not always the best.": statistics.median,
        "That is the geometric mean. It is often better than the mean, but it is not always the best.": (
            statistics.geometric_mean
        ),
        "That is the middle between the smallest and the largest.": lambda w: (min(w) + max(w)) / 2,
        "That is the average IoU. The width that reaches it is wanted.": lambda w: max(_fit(w, c) for c in w),
        "That is the width that fits worst.": lambda w: min(w, key=lambda c: _fit(w, c)),
        "That is the widest bar. Try all of them and compare their average IoU.": max,
        "That is the first bar. Try all of them and compare their average IoU.": lambda w: w[0],
    }
    verdict("Exercise 3", answers, [max(w, key=lambda c: _fit(w, c)) for (w,) in cases], cases, mistakes)


def _best(sizes: Tensor, anchors: Tensor) -> Tensor:
    """Overlap (B,) of each box with its best anchor."""
    return shape_iou(sizes, anchors).amax(dim=1)


def _cells(box: Pair, picture: Pair, network: int, i: int) -> float:
    """Width (i = 0) or height (i = 1) in cells."""
    return box[i] / picture[i] * network / 32


def _described(case: tuple) -> str:
    box, picture, network, i = case
    return f"the {('width', 'height')[i]} of a box {box} in a picture {picture} at {network}"


def _fit(widths: Sequence[float], centre: float) -> float:
    """Average IoU of equally high bars with one of width `centre`."""
    return statistics.fmean(min(w, centre) / max(w, centre) for w in widths)
