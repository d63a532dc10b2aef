"""The charts of notebook 09 about cost: what is in them, and what is refused."""

import pytest

from yolocourse.viz.operations import by_layer, speeds, trade
from yolocourse.viz.style import PALETTE


def test_trade_has_a_named_point_for_each_network():
    (axes,) = trade({"VGG-16": (30.69, 90.0), "Darknet-19": (5.58, 91.2)}, "operations", "top-5", "the paper").axes
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines] == [(30.69, 90.0), (5.58, 91.2)]
    assert [text.get_text() for text in axes.texts] == ["VGG-16", "Darknet-19"]
    assert len({line.get_marker() for line in axes.lines}) == 2, "told apart without colour, too"
    assert axes.get_xlim()[0] == 0 and axes.get_xlim()[1] > 30.69
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("operations", "top-5", "the paper")


def test_by_layer_draws_shares_in_percent_from_the_top_down():
    figure = by_layer(["first", "second"], {"operations": [1, 3], "time": [0.002, 0.002]})
    (axes,) = figure.axes
    bars = [(bar.get_y() + bar.get_height() / 2, bar.get_width()) for bar in axes.patches]
    assert [width for _, width in bars] == pytest.approx([25, 75, 50, 50])
    assert bars[0][0] < bars[2][0] < bars[1][0] < bars[3][0], "a layer's bars lie beside each other"
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first layer is on top"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["operations", "time"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["first", "second"]


@pytest.mark.parametrize(
    ("numbers", "said"), [([1.0], "2 layers but 1 numbers for 'time'"), ([0.0, 0.0], "'time' add up to 0.0")]
)
def test_by_layer_refuses(numbers, said):
    with pytest.raises(ValueError, match=said):
        by_layer(["first", "second"], {"time": numbers})


def test_speeds_are_drawn_on_logarithmic_scales():
    (axes,) = speeds({"3 x 3": [(100, 200), (24, 90)], "1 x 1": [(20, 80)]}, "here").axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [line.get_xdata().tolist() for line in axes.lines] == [[100, 24], [20]]
    assert [line.get_color() for line in axes.lines] == list(PALETTE[:2])
    assert axes.get_title() == "here"
