"""Checks of the exercises in notebook 04: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer. It compares with the right answer and with the usual wrong ones, so that it can
say which mistake it looks like.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from yolocourse.boxes import cxcywh_to_xyxy, iou, shape_iou, xyxy_to_cxcywh
from yolocourse.checks.answers import call_all, verdict

Sizes = Sequence[Sequence[float]]

# side of the picture, anchors, classes
HEADS = ((224, 5, 12), (416, 5, 20), (416, 9, 20), (608, 5, 80))


def check_numbers_out(function: Callable[[int, int, int], int]) -> None:
    """Exercise 1: function(side, anchors, classes) -> how many numbers the head puts out for one picture."""
    start = "Start with the cells of the grid: how many are there in a row?"
    answers, trouble = call_all("Exercise 1", function, HEADS, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "That is one class list for a cell. Now each box has its own.": _heads(lambda a, c: a * 5 + c),
        "Each box has five numbers and the classes; objectness is missing.": _heads(lambda a, c: a * (4 + c)),
        "That is the number of boxes. How many numbers belong to each?": _heads(lambda a, c: a),
        "One box for each cell; where are the other anchors?": _heads(lambda a, c: 5 + c),
        "That is one cell. How many cells has the grid?": lambda side, a, c: a * (5 + c),
        "That is one row of cells; the grid has as many rows as columns.": lambda side, a, c: side // 32 * a * (5 + c),
        "A cell is 32 pixels wide, since one pooling is gone; it looks like 64.": _heads(lambda a, c: a * (5 + c), 64),
    }  # fmt: skip
    wanted = [_heads(lambda a, c: a * (5 + c))(*case) for case in HEADS]
    verdict("Exercise 1", answers, wanted, HEADS, mistakes)


ANCHORS = ((1.0, 1.0), (2.0, 2.0), (1.4, 2.8), (2.8, 1.4), (4.0, 4.0))
# xyxy in pixels: flat in the second row, tall at the left border, large in the middle, small near a corner, a bar, and
# a small one whose centre lies in a corner of its cell
BOXES = (
    (40.0, 30.0, 140.0, 78.0),
    (4.0, 60.0, 50.0, 158.0),
    (50.0, 70.0, 190.0, 190.0),
    (190.0, 8.0, 216.0, 40.0),
    (20.0, 96.0, 210.0, 120.0),
    (137.0, 138.0, 177.0, 176.0),
)
CASES = tuple((box, ANCHORS) for box in BOXES)


def check_responsible(function: Callable[[Sequence[float], Sizes], Sequence[int]]) -> None:
    """Exercise 2: function(box, anchors) -> row, column and number of the anchor that answers for a box."""
    start = "Start with the centre of the box, in cells of 32 pixels."
    answers, trouble = call_all("Exercise 2", function, CASES, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "It looks like column before row. A tensor is indexed by its row first.": _swapped,
        "It takes the cell of the upper left corner. The cell with the centre answers.": _by_corner,
        "It looks like rounding. The cell is the whole number below: round down.": _rounded,
        "Box and anchors must be in one unit: anchors are in cells, the box is in pixels.": _in_pixels,
        "That is the anchor of the nearest area. A flat and a tall thing may have one area.": _by_area,
        "It lays the anchor around its cell's centre. Put both on a common centre.": _in_place,
        "It looks like the anchor that fits worst. Take the largest IoU.": _worst,
    }  # fmt: skip
    _compare("Exercise 2", answers, CASES, _right, mistakes, ("row", "column", "anchor"))


# tx, ty, tw, th; row; column; anchor
OUTPUTS = (
    ((0.0, 0.0, 0.0, 0.0), 3, 3, (2.0, 2.0)),
    ((1.2, -0.7, 0.3, -0.5), 1, 5, (2.8, 1.4)),
    ((-0.4, 2.0, -0.2, 0.6), 6, 2, (1.4, 2.8)),
)


def check_box_of(function: Callable[[Sequence[float], int, int, Sequence[float]], Sequence[float]]) -> None:
    """Exercise 3: function(numbers, row, column, anchor) -> x1, y1, x2, y2 in pixels."""
    start = "Start with the centre: sigmoid of tx, plus the column."
    answers, trouble = call_all("Exercise 3", function, OUTPUTS, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "tx and ty go through a sigmoid first, so that the centre stays in its cell.": _decoder(squash=lambda t: t),
        "The size is the anchor times exp(tw): the network puts out a logarithm.": _decoder(grow=lambda t: t),
        "The size is the anchor times exp(tw), not exp(tw) alone.": _decoder(anchored=False),
        "x goes with the column and y with the row; they look swapped.": _decoder(swap=True),
        "sigmoid(tx) says where in its cell the centre is. Add column and row.": _decoder(add=False),
        "That is in cells. Pixels are wanted: a cell has 32.": _decoder(pixels=1),
        "That is centre and size. Corners are wanted: go half a width to each side.": _decoder(corners=False),
        "The corners are a half width and a half height from the centre; it goes a whole one.": _decoder(reach=1.0),
    }
    _compare("Exercise 3", answers, OUTPUTS, _decoder(), mistakes, ("x1", "y1", "x2", "y2"), tolerance=0.05)


# ------------------------------------------------------------------------------------------------------ what is right


def _heads(each: Callable[[int, int], int], stride: int = 32) -> Callable[[int, int, int], int]:
    """Cells of the grid, times the numbers of one cell."""
    return lambda side, anchors, classes: (side // stride) ** 2 * each(anchors, classes)


def _in_cells(box: Sequence[float]) -> torch.Tensor:
    return xyxy_to_cxcywh(torch.tensor(box)) / 32


def _fits(box: Sequence[float], anchors: Sizes, unit: float = 1) -> torch.Tensor:
    return shape_iou(_in_cells(box)[None, 2:] * unit, torch.tensor(anchors))[0]


def _right(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    x, y = _in_cells(box)[:2].long().tolist()
    return y, x, int(_fits(box, anchors).argmax())


def _decoder(squash=lambda t: 1 / (1 + math.exp(-t)), grow=math.exp, anchored: bool = True, swap: bool = False,
             add: bool = True, pixels: float = 32, corners: bool = True, reach: float = 0.5) -> Callable:  # fmt: skip
    """The right way from the head's numbers to a box, or one with a mistake in it."""

    def decode(numbers: Sequence[float], row: int, column: int, anchor: Sequence[float]) -> tuple[float, ...]:
        place = ((row, column) if swap else (column, row)) if add else (0, 0)
        centre = [(squash(t) + at) * pixels for t, at in zip(numbers[:2], place, strict=True)]
        size = [grow(t) * (a if anchored else 1) * pixels for t, a in zip(numbers[2:], anchor, strict=True)]
        if not corners:
            return (*centre, *size)
        return (*(c - reach * s for c, s in zip(centre, size, strict=True)),
                *(c + reach * s for c, s in zip(centre, size, strict=True)))  # fmt: skip

    return decode


# ---------------------------------------------------------------------------------------------------- usual mistakes


def _swapped(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    row, column, anchor = _right(box, anchors)
    return column, row, anchor


def _by_corner(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    return int(box[1] // 32), int(box[0] // 32), _right(box, anchors)[2]


def _rounded(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    x, y = _in_cells(box)[:2].tolist()
    return round(y), round(x), _right(box, anchors)[2]


def _in_pixels(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    return (*_right(box, anchors)[:2], int(_fits(box, anchors, unit=32).argmax()))


def _by_area(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    area = _in_cells(box)[2:].prod()
    return (*_right(box, anchors)[:2], int((torch.tensor(anchors).prod(-1) - area).abs().argmin()))


def _in_place(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    row, column, _ = _right(box, anchors)
    centre = torch.tensor([column + 0.5, row + 0.5]).expand(len(anchors), 2)
    there = cxcywh_to_xyxy(torch.cat([centre, torch.tensor(anchors)], dim=-1))
    return row, column, int(iou(cxcywh_to_xyxy(_in_cells(box))[None], there)[0].argmax())


def _worst(box: Sequence[float], anchors: Sizes) -> tuple[int, int, int]:
    return (*_right(box, anchors)[:2], int(_fits(box, anchors).argmin()))


def _compare(name: str, answers: Sequence, cases: Sequence[tuple], right: Callable, mistakes: dict[str, Callable],
             parts: Sequence[str], tolerance: float = 1e-4) -> None:  # fmt: skip
    """As `answers.verdict`, for functions that return several numbers; `parts` are their names."""
    wanted = np.array([right(*case) for case in cases], dtype=float)
    try:
        values = np.array([[float(part) for part in answer] for answer in answers])
    except (TypeError, ValueError, RuntimeError):
        values = np.empty(0)
    if values.shape != wanted.shape:
        return print(f"{name}: it should return {len(parts)} numbers: {', '.join(parts)}.")
    if np.allclose(values, wanted, atol=tolerance):
        return print(f"{name}: right.")
    for sentence, wrong in mistakes.items():
        if np.allclose(values, np.array([wrong(*case) for case in cases], dtype=float), atol=tolerance):
            return print(f"{name}: not yet. {sentence}")
    case, part = (int(i) for i in np.argwhere(~np.isclose(values, wanted, atol=tolerance))[0])
    print(
        f"{name}: not yet. For {cases[case][0]} the {parts[part]} is {values[case, part]:.3g}; "
        f"it should be {wanted[case, part]:.3g}."
    )
