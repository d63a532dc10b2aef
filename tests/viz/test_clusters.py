"""Figures of dimension clusters: what is in them, not how they look."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.boxes import shape_iou
from yolocourse.viz.clusters import curve, fitted, frame, iterations, progress, reach, side_by_side
from yolocourse.viz.style import rgb

SIZES = torch.tensor([[1.0, 1.0], [1.0, 2.0], [4.0, 4.0], [6.0, 4.0]])
STEPS = [
    (torch.tensor([[1.0, 1.0], [1.0, 2.0]]), torch.tensor([0, 1, 1, 1])),
    (torch.tensor([[1.0, 1.5], [5.0, 4.0]]), torch.tensor([0, 0, 1, 1])),
]


def rectangles(axes):
    return sorted((patch.get_width(), patch.get_height()) for patch in axes.patches)


def test_a_frame_holds_the_anchors_of_its_iteration():
    for step, (anchors, _) in enumerate(STEPS):
        (axes,) = frame(SIZES, {"IoU": STEPS}, step).axes
        assert rectangles(axes) == sorted(map(tuple, anchors.tolist()))
        average = shape_iou(SIZES, anchors).max(dim=1).values.mean()
        assert axes.get_title() == f"IoU: iteration {step}{', ended' * step}\naverage IoU {average:.3f}"
        assert len(axes.collections[0].get_offsets()) == len(SIZES)
        assert [len(line.get_xdata()) for line in axes.lines] == [step + 1] * 2, "the way from the start to here"


def test_a_run_that_has_ended_waits_for_the_others():
    left, right = frame(SIZES, {"short": STEPS[:1], "long": STEPS}, 1).axes
    assert left.get_title().startswith("short: iteration 0, ended")
    assert right.get_title().startswith("long: iteration 1, ended")
    assert rectangles(left) != rectangles(right)
    with pytest.raises(ValueError, match="counted from 0, not -1"):
        frame(SIZES, {"long": STEPS}, -1)


def test_boxes_have_the_colours_of_their_anchors():
    (axes,) = frame(SIZES, {"IoU": STEPS}, 1).axes
    paints = axes.collections[0].get_facecolor()
    assert (paints[0] == paints[1]).all() and (paints[2] == paints[3]).all() and (paints[0] != paints[2]).any()


def test_small_multiples():
    figure = iterations(SIZES, STEPS * 3, [0, 1, 2, 3, 5])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title().split(",")[0] for axes in shown] == [f"iteration {i}" for i in (0, 1, 2, 3, 5)]
    assert rectangles(shown[1]) == [(1.0, 1.5), (5.0, 4.0)]


def test_reach_is_as_large_for_all_boxes_by_distance_and_grows_with_them_by_iou():
    left, right = reach([(1, 1), (4, 4)], distance=0.5, level=0.5).axes

    def widths(axes):
        lines = [c.get_paths()[0].get_extents() for c in axes.collections if not c.get_facecolor().size]
        return [line.width for line in lines]

    assert widths(left) == pytest.approx([1.0, 1.0], abs=0.05)
    small, large = widths(right)
    # Of a square's side s: from s / 2 (half as wide) to 2 s (twice as wide).
    assert small == pytest.approx(1.5, abs=0.05) and large == pytest.approx(6.0, abs=0.05)


def test_curve():
    (axes,) = curve([1, 2, 3], {"a": [0.4, 0.5, 0.6], "b": [0.3, 0.4, 0.5]}, {"by hand": (3, 0.45)}, chosen=2).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "by hand"]
    a, b, hand, mark = axes.lines
    assert list(a.get_ydata()) == [0.4, 0.5, 0.6] and list(hand.get_xdata()) == [3]
    assert len({line.get_marker() for line in (a, b, hand)}) == 3, "told apart without colours, too"
    assert list(mark.get_xdata()) == [2, 2]


def test_progress():
    (axes,) = progress({"clusters": ([8, 16], [0.1, 0.4]), "squares": ([8, 16, 24], [0.1, 0.2, 0.3])}, "recall").axes
    first, second = axes.lines
    assert list(first.get_xdata()) == [8, 16] and list(second.get_ydata()) == [0.1, 0.2, 0.3]
    assert first.get_linestyle() != second.get_linestyle(), "told apart without colours, too"
    assert axes.get_ylabel() == "recall" and axes.get_ylim()[0] == 0


def test_side_by_side_on_one_grid():
    sets = {"small": [(2, 2), (1, 1)], "large": np.array([[9.0, 5.0]])}
    left, right = side_by_side(sets, 13).axes
    assert left.get_title() == "small" and right.get_xlim() == left.get_xlim() == (0, 13)
    middles = {(p.get_x() + p.get_width() / 2, p.get_y() + p.get_height() / 2) for p in left.patches + right.patches}
    assert middles == {(6.5, 6.5)}
    assert len(left.patches) == 4


def test_fitted_draws_the_best_anchor_on_the_centre_of_the_thing():
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    truth = torch.tensor([[16.0, 24, 48, 40]])  # 1 x 0.5 cells
    drawn = np.asarray(fitted(grey, truth, [(0.5, 1.0), (1.0, 0.75)], side=448))
    there = (np.abs(drawn.astype(int) - rgb("#D55E00")) < 12).all(-1)  # the second anchor's colour
    rows, columns = np.nonzero(there)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(32 * 7, abs=8)
    assert columns.max() - columns.min() == pytest.approx(32 * 7, abs=8)
    assert rows.max() == pytest.approx(44 * 7, abs=8)
    other = (np.abs(drawn.astype(int) - rgb("#0072B2")) < 12).all(-1)
    assert not other.any()


def test_fitted_without_things():
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    assert fitted(grey, torch.zeros(0, 4), [(1.0, 1.0)]).size == (448, 448)
