"""The charts of notebook 02: what is in them."""

import pytest

from yolocourse.viz.batch_norm import learning, strips, through_depth


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_through_depth_keeps_what_lies_beyond_at_the_rim():
    figure = through_depth(
        {"without": [1.0, 1e-9, float("inf"), float("nan")], "with": [1.0, 0.5, 0.6]}, "half", reach=1e3
    )
    (axes,) = figure.axes
    without, with_ = axes.lines[:2]
    assert without.get_xdata().tolist() == [1, 2, 3, 4] and without.get_ydata().tolist() == [1, 1e-3, 1e3, 1e3]
    assert with_.get_ydata().tolist() == [1.0, 0.5, 0.6]
    assert axes.get_yscale() == "log" and axes.get_ylim()[0] < 1e-3 < 1e3 < axes.get_ylim()[1]
    assert texts(axes) == ["without", "with"] and axes.get_title() == "half"
    assert without.get_marker() != with_.get_marker(), "told apart without colour, too"


def test_strips():
    (axes,) = strips({"2": [0.1, 0.5, 0.9], "32": [0.45, 0.55]}, 0.5, "pictures", "mean").axes
    dots = [points.get_offsets() for points in axes.collections]
    assert [len(each) for each in dots] == [3, 2] and dots[0][:, 1].tolist() == [0.1, 0.5, 0.9]
    assert all(-0.3 < x < 0.3 for x in dots[0][:, 0]) and all(0.7 < x < 1.3 for x in dots[1][:, 0])
    assert axes.lines[0].get_ydata()[0] == 0.5
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2", "32"]


def test_learning_marks_what_blew_up():
    curves = {"0.01": {"without": [3.0, 2.0, 1.0], "with": [3.0, 1.0, 0.5]}, "1": {"without": [3.0], "with": [3, 2, 1]}}
    figure = learning(curves, chance=3.3)
    left, right = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["0.01", "1"]
    assert len(left.collections) == 0 and right.collections[0].get_offsets().tolist() == [[1, 3]]
    assert [line.get_linestyle() for line in left.lines] == ["-", "--", ":"]
    assert len({line.get_color() for line in left.lines}) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["without", "with", "guessing"]
    assert left.get_ylim() == right.get_ylim()


def test_learning_in_pairs_over_pictures():
    lines = {"none, old": [3, 2], "none, new": [3, 2.5], "dropout, old": [3, 2.2], "dropout, new": [3, 2.4]}
    (axes,) = learning({"with": lines}, x=[600, 1200], xlabel="pictures", top=2.8).axes
    assert axes.lines[0].get_xdata().tolist() == [600, 1200] and axes.get_xlabel() == "pictures"
    assert axes.get_ylim()[1] == 2.8
    styles = [(line.get_color(), line.get_linestyle()) for line in axes.lines]
    assert len(set(styles)) == 4 and styles[0][0] == styles[1][0] != styles[2][0] == styles[3][0]


@pytest.mark.parametrize("values", [[], [3.0]])
def test_a_run_that_blew_up_at_once(values):
    (axes,) = learning({"1": {"without": values, "with": [3.0, 2.0]}}).axes
    assert len(axes.lines) == 2 and len(axes.collections) == len(values)
