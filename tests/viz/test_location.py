"""Boxes and centres by the two location formulas: where they are drawn, worked out by hand."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.viz.jupyter import encode
from yolocourse.viz.location import FORMULAS, box_on_cell, centre, centre_curves, centres, early_training


def test_centre_by_hand():
    t, anchor, cell = torch.tensor([0.0, math.log(3)]), torch.tensor([4.0, 2.0]), torch.tensor([3, 1])
    assert centre(t, anchor, cell, "sigmoid").tolist() == pytest.approx([3.5, 1.75])
    assert centre(t, anchor, cell, "offset").tolist() == pytest.approx([3.5, 1.5 + 2 * math.log(3)])
    with pytest.raises(ValueError, match="location"):
        centre(t, anchor, cell, "anywhere")


def rectangles(axes):
    """(left, top, width, height) of the outlines, the picture's border left out."""
    return [
        (*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in axes.patches if patch.get_width() != 7
    ]


def test_box_on_cell():
    figure = box_on_cell((1.0, 0.0, math.log(2), 0.0), (2.0, 1.5), (3, 2), 7)
    left, right = figure.axes
    assert [axes.get_title() for axes in figure.axes] == list(FORMULAS.values())
    cell, prior, box = rectangles(left)
    assert cell == (3, 2, 1, 1) and prior == (2.5, 1.75, 2, 1.5)
    x = 3 + 1 / (1 + math.exp(-1))
    assert box == pytest.approx((x - 2, 2.5 - 0.75, 4, 1.5))
    assert rectangles(right)[2] == pytest.approx((5.5 - 2, 2.5 - 0.75, 4, 1.5))
    assert right.get_xlabel() == "centre (5.50, 2.50), size 4.00 x 1.50"
    assert len(box_on_cell((0, 0, 0, 0), (1, 1), (0, 0), 5, ["sigmoid"]).axes) == 1
    encode(figure)


def test_centre_curves():
    figure = centre_curves([0.5, 3.0])
    left, right = figure.axes
    values, slopes = ([line.get_ydata() for line in axes.lines] for axes in (left, right))
    assert len(values) == 3
    assert values[0].min() > 0 and values[0].max() < 1
    assert values[2][0] == pytest.approx(0.5 - 4 * 3) and values[2][-1] == pytest.approx(0.5 + 4 * 3)
    assert slopes[0].max() == pytest.approx(0.25) and np.allclose(slopes[1], 0.5) and np.allclose(slopes[2], 3)
    encode(figure)


def test_centres_as_dots_and_paths():
    dots = torch.tensor([[3.5, 3.5], [20.0, 3.0], [3.0, -5.0]])
    paths = torch.rand(4, 2, 2) * 7
    figure = centres({"offset": dots, "paths": paths}, 7, Image.new("RGB", (70, 70), "green"), (3, 3))
    left, right = figure.axes
    assert left.get_title() == "offset" and left.get_xlabel() == "2 more are outside this figure"
    assert right.get_xlabel() == ""
    lines = [line.get_xydata() for line in right.lines[-6:]]  # a path, its start and its end, twice
    assert np.allclose(lines[0], paths[:, 0]) and np.allclose(lines[1], paths[0, 0])
    assert np.allclose(lines[5], paths[-1, 1])
    encode(figure)


def test_early_training():
    curves = {"IoU": {"sigmoid": [[0.2, 0.4], [0.4, 0.8]], "offset": [[0.1, 0.1], [0.3, 0.5]]}}
    figure = early_training(curves, [0, 80], {"sigmoid": "bounded", "offset": "free"})
    (axes,) = figure.axes
    thick = [line for line in axes.lines if line.get_linewidth() > 2]
    assert [line.get_label() for line in thick] == ["bounded", "free"]
    assert np.allclose(thick[0].get_ydata(), [0.3, 0.6]) and np.allclose(thick[1].get_ydata(), [0.2, 0.3])
    assert len(axes.lines) == 6 and axes.get_title() == "IoU"
    encode(figure)


def test_early_training_with_gaps_warns_of_nothing(recwarn):
    figure = early_training({"moved": {"sigmoid": [[math.nan, 0.4]]}}, [0, 80], {"sigmoid": "bounded"})
    encode(figure)
    assert not recwarn.list
