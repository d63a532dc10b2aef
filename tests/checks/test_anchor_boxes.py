"""The checks of notebook 04: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import math

import pytest
import torch

from yolocourse import grid
from yolocourse.boxes import pairwise_iou
from yolocourse.checks.anchor_boxes import ANCHORS, check_box_of, check_numbers_out, check_responsible


def raising(*anything):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda side, anchors, classes: (side // 32) ** 2 * anchors * (5 + classes), "Exercise 1: right."),
        (lambda side, anchors, classes: (side / 32) ** 2 * anchors * (5 + classes), "Exercise 1: right."),
        (lambda side, anchors, classes: torch.tensor((side // 32) ** 2 * anchors * (5 + classes)), "right."),
        (lambda side, anchors, classes: None, "nothing returned yet"),
        (lambda side, anchors, classes: (side // 32) ** 2 * (anchors * 5 + classes), "one class list for a cell"),
        (lambda side, anchors, classes: (side // 32) ** 2 * anchors * (4 + classes), "objectness is missing"),
        (lambda side, anchors, classes: (side // 32) ** 2 * anchors, "the number of boxes"),
        (lambda side, anchors, classes: (side // 32) ** 2 * (5 + classes), "the other anchors"),
        (lambda side, anchors, classes: anchors * (5 + classes), "That is one cell"),
        (lambda side, anchors, classes: side // 32 * anchors * (5 + classes), "one row of cells"),
        (lambda side, anchors, classes: (side // 64) ** 2 * anchors * (5 + classes), "looks like 64"),
        (lambda side, anchors, classes: 7, "it should be"),
        (lambda side, anchors, classes: "many", "not str"),
        (lambda side, anchors, classes: [1, 2], "not list"),
        (raising, "NameError"),
        (lambda side: 1, "TypeError"),
    ],
)
def test_numbers_out(function, said, capsys):
    assert check_numbers_out(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ")


def fit(w, h, anchor):
    shared = min(w, anchor[0]) * min(h, anchor[1])
    return shared / (w * h + anchor[0] * anchor[1] - shared)


def responsible(box, anchors, unit=32, pick=max):
    x, y = (box[0] + box[2]) / 2 / 32, (box[1] + box[3]) / 2 / 32
    w, h = (box[2] - box[0]) / unit, (box[3] - box[1]) / unit
    fits = [fit(w, h, anchor) for anchor in anchors]
    return int(y), int(x), fits.index(pick(fits))


def by_area(box, anchors):
    area = (box[2] - box[0]) * (box[3] - box[1]) / 32**2
    away = [abs(w * h - area) for w, h in anchors]
    return *responsible(box, anchors)[:2], away.index(min(away))


def in_place(box, anchors):
    row, column, _ = responsible(box, anchors)
    x, y = (column + 0.5) * 32, (row + 0.5) * 32
    there = [[x - w * 16, y - h * 16, x + w * 16, y + h * 16] for w, h in anchors]
    return row, column, int(pairwise_iou(torch.tensor(box), torch.tensor(there)).argmax())


def rounded(box, anchors):
    return round((box[1] + box[3]) / 64), round((box[0] + box[2]) / 64), responsible(box, anchors)[2]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (responsible, "Exercise 2: right."),
        (lambda *case: list(responsible(*case)), "Exercise 2: right."),
        (lambda *case: torch.tensor(responsible(*case)), "Exercise 2: right."),
        (lambda *case: None, "nothing returned yet"),
        (lambda b, a: tuple(responsible(b, a)[i] for i in (1, 0, 2)), "column before row"),
        (lambda b, a: (int(b[1] // 32), int(b[0] // 32), responsible(b, a)[2]), "upper left corner"),
        (rounded, "round down"),
        (lambda b, a: responsible(b, a, unit=1), "in one unit"),
        (by_area, "nearest area"),
        (in_place, "common centre"),
        (lambda b, a: responsible(b, a, pick=min), "fits worst"),
        (lambda b, a: (0, 0, 0), "it should be"),
        (lambda b, a: 3, "3 numbers: row, column, anchor"),
        (lambda b, a: (1, 2), "3 numbers: row, column, anchor"),
        (lambda b, a: "cell", "3 numbers: row, column, anchor"),
        (raising, "NameError"),
    ],
)
def test_responsible(function, said, capsys):
    assert check_responsible(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


def test_the_right_answer_is_the_packages():
    boxes = torch.tensor([[40.0, 30, 140, 78], [50, 70, 190, 190]])
    cells, anchors = grid.to_cells(boxes), torch.tensor(ANCHORS)
    found = grid.assign(cells[None], torch.ones(1, 2, dtype=torch.bool), anchors, 7, 7)
    rows, columns = grid.cell_of(cells, 7, 7)
    expected = [responsible(box, ANCHORS) for box in boxes.tolist()]
    assert list(zip(rows.tolist(), columns.tolist(), found.anchor.tolist(), strict=True)) == expected


def box_of(numbers, row, column, anchor, squash=lambda t: 1 / (1 + math.exp(-t)), grow=math.exp, unit=32, reach=0.5):
    x, y = (squash(numbers[0]) + column) * unit, (squash(numbers[1]) + row) * unit
    w, h = grow(numbers[2]) * anchor[0] * unit, grow(numbers[3]) * anchor[1] * unit
    return x - reach * w, y - reach * h, x + reach * w, y + reach * h


def centre_and_size(*case):
    x1, y1, x2, y2 = box_of(*case)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (box_of, "Exercise 3: right."),
        (lambda *case: torch.tensor(box_of(*case)), "Exercise 3: right."),
        (lambda *case: None, "nothing returned yet"),
        (lambda *case: box_of(*case, squash=lambda t: t), "through a sigmoid"),
        (lambda *case: box_of(*case, grow=lambda t: t), "puts out a logarithm"),
        (lambda numbers, row, column, anchor: box_of(numbers, row, column, (1, 1)), "not exp(tw) alone"),
        (lambda numbers, row, column, anchor: box_of(numbers, column, row, anchor), "look swapped"),
        (lambda numbers, row, column, anchor: box_of(numbers, 0, 0, anchor), "Add column and row"),
        (lambda *case: box_of(*case, unit=1), "a cell has 32"),
        (centre_and_size, "Corners are wanted"),
        (lambda *case: box_of(*case, reach=1), "goes a whole one"),
        (lambda *case: (1.0, 2.0, 3.0, 4.0), "the x1 is 1"),
        (lambda *case: 5, "4 numbers: x1, y1, x2, y2"),
        (lambda *case: (float("nan"),) * 4, "it should be"),
        (raising, "NameError"),
    ],
)
def test_box_of(function, said, capsys):
    assert check_box_of(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ")
