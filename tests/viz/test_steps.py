"""The figure of a path of improvements."""

import pytest

from yolocourse.viz.steps import steps

TITLES, PUBLISHED, MEANS, ERRORS = ["YOLO", "+ batch norm"], [63.4, 65.8], [0.2, 0.3], [0.05, 0.01]


def test_bars_values_and_errors():
    left, right = steps(TITLES, PUBLISHED, MEANS, ERRORS).axes
    assert [bar.get_width() for bar in left.patches] == PUBLISHED
    assert [bar.get_width() for bar in right.patches] == MEANS
    assert [text.get_text() for text in left.get_yticklabels()] == TITLES
    assert [text.get_text() for text in left.texts] == ["63.4", "65.8"]
    assert [text.get_text() for text in right.texts] == ["0.200", "0.300"]
    (bars,) = (c for c in right.containers if getattr(c, "errorbar", None))
    segments = bars.errorbar.lines[2][0].get_segments()
    assert [x for segment in segments for x, _ in segment] == pytest.approx([0.15, 0.25, 0.29, 0.31])
    low, high = left.get_ylim()
    assert low > high, "the first step is on top"


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 titles, 2 published values, 1 means and 2 errors"):
        steps(TITLES, PUBLISHED, MEANS[:1], ERRORS)
