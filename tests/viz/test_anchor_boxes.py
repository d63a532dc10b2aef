"""What the figures of the anchors hold: shapes, counts and verdicts worked out by hand."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.viz.anchor_boxes import anchors_of_cell, centres, curves, fitting
from yolocourse.viz.style import PALETTE, rgb

GREY = Image.new("RGB", (224, 224), "#808080")


def test_anchors_stand_around_the_centre_of_their_cell():
    picture = np.asarray(anchors_of_cell(GREY, 7, (3, 2), [(1, 1), (4, 2)], side=224)).astype(int)
    second = np.abs(picture - rgb(PALETTE[1])).sum(-1) < 30
    rows, columns = np.nonzero(second)
    # centre of column 2, row 3 at x 80, y 112; the anchor is 128 x 64 pixels
    assert abs(columns.min() - 16) <= 2 and abs(columns.max() - 144) <= 2
    assert abs(rows.min() - 80) <= 2 and abs(rows.max() - 144) <= 2


def test_anchors_of_cell_with_a_truth_and_outside():
    truth = {"boxes": torch.tensor([[150.0, 150, 220, 220]]), "labels": torch.tensor([0])}
    with_truth, without = (anchors_of_cell(GREY, 7, (0, 0), [(1, 1)], each) for each in (truth, None))
    assert with_truth.tobytes() != without.tobytes()
    with pytest.raises(ValueError, match="outside the grid of 7"):
        anchors_of_cell(GREY, 7, (7, 0), [(1, 1)])


def test_fitting_by_hand():
    figure = fitting((2, 1), [(1, 1), (2, 2), (2, 0.5)])
    left, right = figure.axes
    assert [text.get_text() for text in right.texts] == ["0.50", "0.50", "0.50"]
    figure = fitting((2, 1), [(1, 1), (2, 1.25), (4, 4)])
    left, right = figure.axes
    assert [text.get_text() for text in right.texts] == ["0.50", "0.80", "0.12"]
    assert right.get_title() == "anchor 2 x 1.25 answers"
    thing, *shapes = left.patches
    assert (thing.get_width(), thing.get_height()) == (2, 1)
    assert [shape.get_linewidth() for shape in shapes] == [1.4, 4, 1.4]


def test_centres_are_counted_and_the_middle_is_framed():
    shares = torch.tensor([[0.5, 0.5], [0.45, 0.55], [0.99, 0.0], [1.0, 0.01]])
    odd, even = centres(shares, (7, 8), ["odd", "even"]).axes
    assert sorted(text.get_text() for text in odd.texts) == ["2", "2"]
    assert sorted(text.get_text() for text in even.texts) == ["1", "1", "2"]
    assert (odd.patches[0].get_x(), odd.patches[0].get_width()) == (2.5, 1)
    assert (even.patches[0].get_x(), even.patches[0].get_width()) == (2.5, 2)
    assert [axes.get_title() for axes in (odd, even)] == ["odd", "even"]


def test_curves():
    panels = {"one": {"a": ([0, 1], [1, 0.5]), "b": ([0, 0.5], [0.2, 0.1])}, "two": {"b": ([0, 1], [0.3, 0.3])}}
    figure = curves(panels, "recall", "precision")
    left, right = figure.axes
    assert [line.get_ydata().tolist() for line in left.lines] == [[1, 0.5], [0.2, 0.1]]
    assert (left.get_title(), right.get_title(), right.get_xlabel()) == ("one", "two", "recall")
    assert right.lines[0].get_color() == left.lines[1].get_color() != left.lines[0].get_color()
    assert left.lines[0].get_linestyle() != left.lines[1].get_linestyle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert left.get_ylim() == (0, 1.03) and left.get_yscale() == "linear"
    (axes,) = curves({"one": {"a": ([0, 1], [1, 0.5])}}, "recall", "precision", top=2, log=True).axes
    assert axes.get_ylim() == (0.002, 2.2) and axes.get_yscale() == "log"
    with pytest.raises(ValueError, match="nothing to draw"):
        curves({}, "x", "y")
