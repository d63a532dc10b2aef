"""Checks of the exercises in notebook 06: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer. It compares with the right answer and with the usual wrong ones, so that it can
say which mistake it looks like.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from yolocourse.checks.answers import call_all, verdict

Pair = tuple[float, float]
Four = tuple[float, float, float, float]

# outputs tx, ty, tw, th; anchor width and height; column and row of the cell; every number differs from the others
BOXES = (
    ((0.4, -1.2, 0.3, -0.5), (2.5, 1.5), (4, 2)),
    ((-2.0, 0.7, -0.2, 0.6), (0.6, 1.8), (0, 5)),
    ((1.5, 2.5, 0.1, 0.25), (3.5, 4.5), (6, 1)),
)
CENTRES = (0.25, 3.9, 5.4, 12.65)  # in cells, from the picture's left border
TARGETS = ((4.1, 3, 2.5), (0.2, 0, 0.6), (5.9, 6, 3.5))  # centre and column in cells, anchor width


def check_box(function: Callable[[Four, Pair, Pair], Four]) -> None:
    """Exercise 1: function((tx, ty, tw, th), (pw, ph), (column, row)) -> bx, by, bw, bh in cells."""
    answers, trouble = call_all("Exercise 1", function, BOXES, "Start with bx: a sigmoid and a sum.")
    if trouble:
        return print(trouble)
    try:
        values = np.array([[float(side) for side in answer] for answer in answers])
        if values.shape != (len(BOXES), 4):
            raise ValueError
    except (TypeError, ValueError, RuntimeError):
        return print("Exercise 1: it should return four numbers: bx, by, bw, bh.")
    if np.allclose(values, [_box(*case) for case in BOXES], atol=1e-4):
        return print("Exercise 1: right. The centre cannot leave its cell; the size can be any.")
    mistakes = {
        "tx and ty go in as they are. Put them through the sigmoid first.": lambda t, p, c: _box(t, p, c, squash=_same),
        "That is the region-proposal formula. Here the anchor has no part in the centre.": _by_offset,
        "The anchor stretches the way to the centre. It belongs to the size alone.": _stretched,
        "Column and row are swapped: bx goes with the column, which comes first.": lambda t, p, c: _box(t, p, c[::-1]),
        "The centre is counted from the cell's corner: add the column and the row.": lambda t, p, c: _box(t, p, (0, 0)),
        "The size lacks the exponential: pw * exp(tw).": lambda t, p, c: _box(t, p, c, grow=_same),
        "The size goes through an exponential, not through a sigmoid.": lambda t, p, c: _box(t, p, c, grow=_sigmoid),
        "The size lacks the anchor: pw * exp(tw).": lambda t, p, c: _box(t, (1, 1), c),
        "That is the top left corner of the box. The formula gives its centre.": _corner,
        "That is in pixels. The answer is in cells.": lambda t, p, c: tuple(32 * side for side in _box(t, p, c)),
    }
    for sentence, wrong in mistakes.items():
        if np.allclose(values, [wrong(*case) for case in BOXES], atol=1e-4):
            return print(f"Exercise 1: not yet. {sentence}")
    for name, column in zip(("bx", "by", "bw", "bh"), range(4), strict=True):
        for case, value in zip(BOXES, values[:, column], strict=True):
            wanted = _box(*case)[column]
            if not np.isclose(value, wanted, atol=1e-4):
                where = f"t {case[0]}, anchor {case[1]}, cell {case[2]}"
                return print(f"Exercise 1: not yet. For {where} {name} is {value:.3g}; it should be {wanted:.3g}.")


def check_needed_output(function: Callable[[float], float]) -> None:
    """Exercise 2: function(x) -> the tx that puts a centre at x cells from the left, in the cell that holds x."""
    cases = [(x,) for x in CENTRES]
    answers, trouble = call_all("Exercise 2", function, cases, "How far is x from the left border of its cell?")
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the place within the cell. Which tx has this sigmoid?": _part,
        "That is the sigmoid of the place within the cell. Its inverse is needed.": lambda x: _sigmoid(_part(x)),
        "The sign is turned around: a centre in the right half of its cell needs a tx above 0.": lambda x: -_logit(x),
        "That logarithm has base 10. The sigmoid is made of e: math.log.": lambda x: _logit(x) / math.log(10),
        "The logarithm lacks the other part: log(f / (1 - f)), f being the place in the cell.": lambda x: math.log(
            _part(x)
        ),
        "The inverse of the sigmoid is right; but add no column: the network counts from the cell's corner.": (
            lambda x: _logit(x) + math.floor(x)
        ),
        "That is the output for region proposals with an anchor 1 cell wide.": lambda x: _part(x) - 0.5,
    }
    wanted = [_logit(x) for x in CENTRES]
    verdict("Exercise 2", answers, wanted, cases, mistakes, describe=lambda case: f"x = {case[0]}")


def check_offset_target(function: Callable[[float, int, float], float]) -> None:
    """Exercise 3: function(x, column, width) -> the tx of the region-proposal formula, anchor in the cell's middle."""
    start = "Where is the anchor's centre? Then solve x = tx * width + that for tx."
    answers, trouble = call_all("Exercise 3", function, TARGETS, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "That follows the misprint. With a plus in the formula, the anchor's centre is taken away.": (
            lambda x, column, width: (x + column + 0.5) / width
        ),
        "That measures from the cell's corner. The anchor stands in its middle.": lambda x, c, width: (x - c) / width,
        "That is the way from the anchor to the centre in cells. Divide it by the width.": lambda x, c, _: x - c - 0.5,
        "Divide by the width, do not multiply: the formula multiplies, and this is its inverse.": (
            lambda x, column, width: (x - column - 0.5) * width
        ),
        "The sign is turned around: a centre to the right of the anchor's needs a tx above 0.": (
            lambda x, column, width: (column + 0.5 - x) / width
        ),
        "Only the column is divided by the width. Take the difference first.": lambda x, c, width: (
            x - (c + 0.5) / width
        ),
    }
    wanted = [(x - column - 0.5) / width for x, column, width in TARGETS]
    verdict(
        "Exercise 3", answers, wanted, TARGETS, mistakes,
        describe=lambda case: f"x = {case[0]}, column {case[1]}, width {case[2]}",
    )  # fmt: skip


def _same(value: float) -> float:
    return value


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _part(x: float) -> float:
    """How far into its cell a coordinate lies, 0 to 1."""
    return x - math.floor(x)


def _logit(x: float) -> float:
    return math.log(_part(x) / (1 - _part(x)))


def _box(t: Four, anchor: Pair, cell: Pair, squash: Callable = _sigmoid, grow: Callable = math.exp) -> Four:
    centre = [squash(t[i]) + cell[i] for i in (0, 1)]
    return (*centre, *(anchor[i] * grow(t[i + 2]) for i in (0, 1)))


def _by_offset(t: Four, anchor: Pair, cell: Pair) -> Sequence[float]:
    return (*(t[i] * anchor[i] + cell[i] + 0.5 for i in (0, 1)), *_box(t, anchor, cell)[2:])


def _stretched(t: Four, anchor: Pair, cell: Pair) -> Sequence[float]:
    return (*(_sigmoid(t[i]) * anchor[i] + cell[i] for i in (0, 1)), *_box(t, anchor, cell)[2:])


def _corner(t: Four, anchor: Pair, cell: Pair) -> Sequence[float]:
    x, y, w, h = _box(t, anchor, cell)
    return x - w / 2, y - h / 2, w, h
