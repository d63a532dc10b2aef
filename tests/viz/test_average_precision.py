"""The eleven points and the area of a curve worked out by hand."""

import pytest

from yolocourse.viz.average_precision import eleven_points


def test_points_and_numbers_by_hand():
    # Right, wrong, right, of 4 things. Recall 0, .1, .2: best precision 1; .3, .4, .5: 2/3; beyond: 0.
    figure = eleven_points([0.25, 0.25, 0.5], [1, 0.5, 2 / 3], "bird")
    (axes,) = figure.axes
    dots = next(line for line in axes.lines if line.get_linestyle() == "None")
    assert list(dots.get_ydata()) == pytest.approx([1] * 3 + [2 / 3] * 3 + [0] * 5)
    texts = {text.get_text() for text in axes.get_legend().get_texts()}
    assert {"area 0.417", "11 points, mean 0.455"} <= texts
    assert axes.get_title() == "bird"


@pytest.mark.parametrize(("recall", "precision"), [([], []), ([0.1], [1, 0.5])])
def test_other_lists_are_refused(recall, precision):
    with pytest.raises(ValueError, match="equally many, at least one"):
        eleven_points(recall, precision)
