"""The checks of notebook 06: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import math

import pytest
import torch

from yolocourse import grid
from yolocourse.checks.direct_location import check_box, check_needed_output, check_offset_target


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def right_box(t, anchor, cell):
    (tx, ty, tw, th), (pw, ph), (column, row) = t, anchor, cell
    return sigmoid(tx) + column, sigmoid(ty) + row, pw * math.exp(tw), ph * math.exp(th)


def by_the_package(t, anchor, cell):
    raw = torch.zeros(1, 6, 7, 7)
    raw[0, :4, cell[1], cell[0]] = torch.tensor(t)
    return grid.decode_cells(grid.split(raw, 1), torch.tensor([anchor]))[0, 0, cell[1], cell[0]]


def with_centre(change):
    return lambda t, p, c: (*change(t, p, c), *right_box(t, p, c)[2:])


def with_size(change):
    return lambda t, p, c: (*right_box(t, p, c)[:2], *change(t, p, c))


def raising(*anything):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_box, "Exercise 1: right."),
        (by_the_package, "Exercise 1: right."),
        (lambda t, p, c: torch.tensor(right_box(t, p, c)), "Exercise 1: right."),
        (lambda t, p, c: None, "nothing returned yet"),
        (lambda t, p, c: right_box(t, p, c) if c[0] else None, "sometimes nothing"),
        (with_centre(lambda t, p, c: (t[0] + c[0], t[1] + c[1])), "through the sigmoid first"),
        (with_centre(lambda t, p, c: [t[i] * p[i] + c[i] + 0.5 for i in (0, 1)]), "region-proposal formula"),
        (with_centre(lambda t, p, c: [sigmoid(t[i]) * p[i] + c[i] for i in (0, 1)]), "belongs to the size alone"),
        (lambda t, p, c: right_box(t, p, c[::-1]), "swapped"),
        (lambda t, p, c: right_box(t, p, (0, 0)), "add the column and the row"),
        (with_size(lambda t, p, c: (p[0] * t[2], p[1] * t[3])), "lacks the exponential"),
        (with_size(lambda t, p, c: (p[0] * sigmoid(t[2]), p[1] * sigmoid(t[3]))), "not through a sigmoid"),
        (lambda t, p, c: right_box(t, (1, 1), c), "lacks the anchor"),
        (
            lambda t, p, c: (
                [a - b / 2 for a, b in zip(right_box(t, p, c), right_box(t, p, c)[2:], strict=False)]
                + list(right_box(t, p, c)[2:])
            ),
            "top left corner",
        ),
        (lambda t, p, c: [32 * side for side in right_box(t, p, c)], "in pixels"),
        (lambda t, p, c: (*right_box(t, p, c)[:3], 1.0), "bh is 1; it should be"),
        (lambda t, p, c: (math.nan, *right_box(t, p, c)[1:]), "bx is nan"),
        (lambda t, p, c: right_box(t, p, c)[:2], "four numbers"),
        (lambda t, p, c: 3.0, "four numbers"),
        (lambda t, p, c: "here", "four numbers"),
        (raising, "NameError"),
        (lambda t: 1, "TypeError"),
    ],
)
def test_box(function, said, capsys):
    assert check_box(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ") and len(out.splitlines()) == 1


def logit(x):
    return math.log((x % 1) / (1 - x % 1))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (logit, "Exercise 2: right."),
        (lambda x: torch.logit(torch.tensor(x % 1, dtype=torch.float64)), "Exercise 2: right."),
        (lambda x: None, "nothing returned yet"),
        (lambda x: x % 1, "Which tx has this sigmoid"),
        (lambda x: sigmoid(x % 1), "inverse is needed"),
        (lambda x: -logit(x), "sign is turned around"),
        (lambda x: math.log10((x % 1) / (1 - x % 1)), "base 10"),
        (lambda x: math.log(x % 1), "lacks the other part"),
        (lambda x: logit(x) + int(x), "add no column"),
        (lambda x: x % 1 - 0.5, "1 cell wide"),
        (lambda x: math.nan, "it should be"),
        (lambda x: 0.0, "For x = 0.25 it gives 0; it should be -1.1"),
        (lambda x: math.log(x / (1 - x)), "ValueError"),  # forgot the column: a logarithm of what is below 0
        (lambda x: "left", "not str"),
        (lambda x: [x, x], "not list"),
        (raising, "NameError"),
    ],
)
def test_needed_output(function, said, capsys):
    assert check_needed_output(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x, column, width: (x - column - 0.5) / width, "Exercise 3: right."),
        (lambda x, column, width: None, "nothing returned yet"),
        (lambda x, column, width: (x + column + 0.5) / width, "misprint"),
        (lambda x, column, width: (x - column) / width, "cell's corner"),
        (lambda x, column, width: x - column - 0.5, "Divide it by the width"),
        (lambda x, column, width: (x - column - 0.5) * width, "do not multiply"),
        (lambda x, column, width: (column + 0.5 - x) / width, "sign is turned around"),
        (lambda x, column, width: x - (column + 0.5) / width, "Take the difference first"),
        (lambda x, column, width: 0, "For x = 4.1, column 3, width 2.5 it gives 0; it should be 0.24."),
        (lambda x, column, width: {}, "not dict"),
        (raising, "NameError"),
    ],
)
def test_offset_target(function, said, capsys):
    assert check_offset_target(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ")
