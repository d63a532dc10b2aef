"""The checks of notebook 05: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import math

import pytest
import torch

from yolocourse.boxes import shape_iou
from yolocourse.checks.dimension_clusters import check_best_width, check_in_cells, check_worst_box


def raising(*anything):
    return undefined_name  # noqa: F821


def right_worst(sizes, anchors):
    return shape_iou(sizes, anchors).max(dim=1).values.argmin()


def loops_worst(sizes, anchors):
    best = []
    for w, h in sizes.tolist():
        shared = [(min(w, a) * min(h, b), a * b) for a, b in anchors.tolist()]
        best.append(max(s / (w * h + area - s) for s, area in shared))
    return best.index(min(best))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_worst, "Exercise 1: right."),
        (loops_worst, "Exercise 1: right."),
        (lambda sizes, anchors: None, "nothing returned yet"),
        (lambda s, a: right_worst(s, a) if len(s) == 6 else None, "sometimes nothing"),
        (lambda s, a: shape_iou(s, a).max(dim=1).values.argmax(), "fits best"),
        (lambda s, a: shape_iou(s, a).argmin() // len(a), "lowest of all overlaps"),
        (lambda s, a: shape_iou(s, a).max(dim=1).values.min(), "That is the overlap"),
        (lambda s, a: torch.cdist(s, a).min(dim=1).values.argmax(), "Euclidean"),
        (lambda s, a: s.prod(dim=1).argmax(), "largest box"),
        (lambda s, a: s.prod(dim=1).argmin(), "smallest box"),
        (lambda s, a: shape_iou(s, a).max(dim=0).values.argmin(), "number of an anchor"),
        (lambda s, a: 0, "it should be"),
        (lambda s, a: float("nan"), "it should be"),
        (lambda s, a: "the lamp", "not str"),
        (lambda s, a: shape_iou(s, a).max(dim=1), "one number"),
        (lambda s, a: s, "one number, not Tensor"),
        (raising, "NameError"),
        (lambda sizes: 1, "TypeError"),
    ],
)
def test_worst_box(function, said, capsys):
    assert check_worst_box(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ")


def right_cells(box, picture, network):
    return box[0] / picture[0] * network / 32, box[1] / picture[1] * network / 32


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_cells, "Exercise 2: right."),
        (lambda *case: list(right_cells(*case)), "Exercise 2: right."),
        (lambda *case: torch.tensor(right_cells(*case)), "Exercise 2: right."),
        (lambda *case: None, "nothing returned yet"),
        (lambda b, p, n: right_cells(b, p, n) if n == 416 else None, "sometimes nothing"),
        (lambda b, p, n: (b[0] / 32, b[1] / 32), "stretched to the network's input first"),
        (lambda b, p, n: (b[0] / p[0], b[1] / p[1]), "share of the picture"),
        (lambda b, p, n: (b[0] / p[0] * n, b[1] / p[1] * n), "A cell is 32"),
        (lambda b, p, n: (b[0] / p[0] * 13, b[1] / p[1] * 13), "13 cells"),
        (lambda b, p, n: (b[0] / max(p) * n / 32, b[1] / max(p) * n / 32), "letterbox"),
        (lambda b, p, n: right_cells(b, p, n)[::-1], "swapped"),
        (lambda b, p, n: tuple(round(side) for side in right_cells(b, p, n)), "It is rounded."),
        (lambda b, p, n: tuple(math.floor(side) for side in right_cells(b, p, n)), "rounded down"),
        (lambda b, p, n: (1, 2), "it should be"),
        (lambda b, p, n: 3.5, "two numbers, width and height, not float"),
        (lambda b, p, n: (1, 2, 3), "two numbers, width and height, not 3"),
        (lambda b, p, n: "ab", "not str"),
        (raising, "NameError"),
        (lambda box: box, "TypeError"),
    ],
)
def test_in_cells(function, said, capsys):
    assert check_in_cells(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


def fit(widths, centre):
    return sum(min(w, centre) / max(w, centre) for w in widths) / len(widths)


def right_width(widths):
    return max(widths, key=lambda centre: fit(widths, centre))


def middle(widths):
    return sorted(widths)[len(widths) // 2]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_width, "Exercise 3: right."),
        (lambda widths: None, "nothing returned yet"),
        (lambda widths: right_width(widths) if len(widths) == 3 else None, "sometimes nothing"),
        (lambda widths: sum(widths) / len(widths), "mean, which k-means takes"),
        (middle, "median"),
        (lambda widths: math.prod(widths) ** (1 / len(widths)), "geometric mean"),
        (lambda widths: (min(widths) + max(widths)) / 2, "middle between"),
        (lambda widths: fit(widths, right_width(widths)), "That is the average IoU"),
        (lambda widths: min(widths, key=lambda centre: fit(widths, centre)), "fits worst"),
        (max, "widest bar"),
        (lambda widths: widths[0], "first bar"),
        (lambda widths: 3.21, "it should be"),
        (lambda widths: widths, "not list"),
        (raising, "NameError"),
        (lambda: 1, "TypeError"),
    ],
)
def test_best_width(function, said, capsys):
    assert check_best_width(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ")


def test_no_width_between_the_bars_is_better():
    """What the solution of exercise 3 rests on: the best width is that of some bar."""
    from yolocourse.checks.dimension_clusters import WIDTHS

    for widths in WIDTHS:
        steps = [min(widths) + (max(widths) - min(widths)) * i / 999 for i in range(1000)]
        assert max(fit(widths, step) for step in steps) <= fit(widths, right_width(widths)) + 1e-9
