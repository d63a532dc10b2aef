"""Pictures at one scale with a filter's window, and curves over the size of the input."""

import numpy as np
import pytest
from PIL import Image

from yolocourse.viz.resolution import MARGIN, at_size, curves, windows
from yolocourse.viz.style import PALETTE, rgb


def count(sheet, colour):
    return int((np.asarray(sheet) == rgb(colour)).all(-1).sum())


def span(sheet, colour):
    """Columns and rows from the first to the last pixel of a colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == rgb(colour)).all(-1))
    return int(columns.max() - columns.min() + 1), int(rows.max() - rows.min() + 1)


def test_every_pixel_is_drawn_as_large():
    small, large = Image.new("RGB", (16, 16), "#112233"), Image.new("RGB", (32, 32), "#445566")
    sheet = windows([small, large], reach=8, scale=3)
    assert sheet.size == (3 * (16 + 32) + 3 * MARGIN, 3 * 32 + 2 * MARGIN)
    assert span(sheet, "#112233") == (48, 48) and span(sheet, "#445566") == (96, 96)


def test_the_window_may_be_larger_than_the_picture():
    picture = Image.new("RGB", (16, 16), "#112233")
    assert span(windows([picture], reach=40, scale=2), PALETTE[4]) == (81, 81)
    assert span(windows([picture], reach=8, scale=2), PALETTE[4]) == (17, 17)
    titled = windows([picture], reach=40, titles=["16 pixels"])
    assert titled.height > windows([picture], reach=40).height


def test_a_title_for_each_picture():
    with pytest.raises(ValueError, match="1 titles for 2 pictures"):
        windows([Image.new("RGB", (16, 16))] * 2, 8, ["one"])


def test_curves_have_names_values_and_a_place_pointed_out():
    series = {"small": [0.3, 0.5, 0.4], "fine-tuned": [0.2, 0.4, 0.6]}
    figure = curves([64, 96, 128], series, "size", "top-1", at=96, marks={64: "trained here"})
    axes = figure.axes[0]
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines if not line.get_label().startswith("_")}
    assert lines == series
    large = [line for line in axes.lines if line.get_markersize() == 13]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in large] == [([96], [0.5]), ([96], [0.4])]
    assert [text.get_text() for text in axes.texts] == ["trained here"]
    assert len({line.get_marker() for line in axes.lines if line.get_label() in series}) == 2


@pytest.mark.parametrize(
    ("values", "at", "message"), [([1, 2], None, "2 values for 'small'"), ([1, 2, 3], 100, "100 is none of the places")]
)
def test_curves_that_do_not_fit(values, at, message):
    with pytest.raises(ValueError, match=message):
        curves([64, 96, 128], {"small": values}, "size", "top-1", at=at)


def test_the_picture_grows_beside_the_curves():
    picture, sizes, series = Image.new("RGB", (50, 50), "#112233"), [64, 96], {"small": [0.5, 0.2]}
    small, large = (at_size(picture, 20, sizes, series, at) for at in sizes)
    assert small.size == large.size
    assert span(small, "#112233") == (64, 64) and span(large, "#112233") == (96, 96)
    assert small.tobytes() == at_size(picture, 20, sizes, series, 64).tobytes()
    with pytest.raises(ValueError, match="none of the places"):
        at_size(picture, 20, sizes, series, 80)
