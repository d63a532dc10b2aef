"""Charts: what is in them, not how they look."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from yolocourse.metrics import VocResult
from yolocourse.viz.curves import anchors, bars, line, loss_curve, overlap, precision_recall


class Report:
    def __init__(self, step, **terms):
        self.step, self.terms = step, terms


class History:
    def __init__(self, reports):
        self.reports = reports

    def values(self, name):
        return [r.terms.get(name, getattr(r, name, None)) for r in self.reports]

    def smooth(self, name):
        return [value / 2 for value in self.values(name)]  # something else than the values


def texts(figure):
    return [t.get_text() for axes in figure.axes for t in axes.get_legend().get_texts()]


def test_loss_curve():
    steps = [Report(i, total=10.0 - i, xy=1.0, warmup=0.0, average_iou=0.1 * i, recall=0.2) for i in range(1, 6)]
    figure = loss_curve(History(steps))
    left, right = figure.axes
    assert texts(figure) == ["total", "centre", "average IoU", "recall at IoU 0.5"]
    raw, smooth, *_ = left.lines
    assert raw.get_xdata().tolist() == [1, 2, 3, 4, 5] and raw.get_ydata().tolist() == [9, 8, 7, 6, 5]
    assert smooth.get_ydata().tolist() == [4.5, 4, 3.5, 3, 2.5]
    assert right.get_ylim() == (0, 1)


def test_loss_curve_before_the_first_step():
    assert sum(len(axes.lines) for axes in loss_curve(History([])).axes) == 0


def test_loss_curve_takes_the_engines_history():
    from yolocourse.engine.log import History as Engines

    history = Engines()
    history(Report(1, total=3.0, xy=1.0))
    assert len(loss_curve(history).axes[0].lines) == 3


def result():
    curves = [(np.array([0.5, 1.0]), np.array([1.0, 0.5]), np.array([0.9, 0.1]))] * 3
    curves[1] = tuple(np.zeros(0) for _ in range(3))
    return VocResult(np.array([0.4, np.nan, 0.8]), 0.6, np.ones(3), 1.0, curves, np.ones(3))


def test_precision_recall_leaves_out_classes_without_truths():
    figure = precision_recall(result(), ["dog", "bus", "tree"])
    assert texts(figure) == ["tree  0.80", "dog  0.40"]  # the best first
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0.5, 1.0]
    assert "0.600" in figure.axes[0].get_title()


def test_bars():
    figure = bars(["a", "b"], {"one": [0.1, 0.2], "two": [0.3, 0.4]}, {"one": [0.01, 0.02], "two": [0.0, 0.1]})
    (axes,) = figure.axes
    assert [round(bar.get_height(), 2) for bar in axes.patches] == [0.1, 0.2, 0.3, 0.4]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b"]
    assert {t.get_text() for t in axes.texts} == {"0.10", "0.20", "0.30", "0.40"}
    assert texts(figure) == ["one", "two"]
    first, *_, last = sorted(bar.get_x() for bar in axes.patches)
    assert first == pytest.approx(-0.4, abs=0.03) and last < 1.4  # within their group


def test_bars_of_one_series():
    (axes,) = bars(["a", "b", "c"], [0.1, 0.2, 0.3], [0.1, 0.1, 0.1]).axes
    assert len(axes.patches) == 3 and axes.get_legend() is None
    with pytest.raises(ValueError, match="3 labels but 2 values"):
        bars(["a", "b", "c"], [0.1, 0.2])
    with pytest.raises(ValueError, match="3 labels but 1 values for 'x'"):
        bars(["a", "b", "c"], {"x": [1, 2, 3]}, {"x": [0.1]})


def test_line():
    (axes,) = line([1, 2, 3], [0.4, 0.5, 0.6], "anchors", "average IoU", "clusters").axes
    assert axes.lines[0].get_ydata().tolist() == [0.4, 0.5, 0.6]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("anchors", "average IoU", "clusters")
    assert axes.get_xticks().tolist() == [1, 2, 3]


def test_anchors():
    (axes,) = anchors([[1, 2], [3, 1]]).axes
    frames = [patch for patch in axes.patches if not patch.get_fill()]
    assert [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in frames] == [
        (-1.5, -0.5, 3, 1),
        (-0.5, -1, 1, 2),
    ]
    _, scatter = anchors([[1, 2], [3, 1]], [[1, 1], [2, 2], [3, 3]], [0, 1, 1]).axes
    assert len(scatter.collections[0].get_offsets()) == 3
    assert len(np.unique(scatter.collections[0].get_facecolors(), axis=0)) == 2  # coloured by anchor


def test_overlap_by_hand():
    figure = overlap((0, 0, 4, 4), (2, 2, 6, 4))  # 2 x 2 shared; 16 + 8 - 4 = 20
    assert figure.axes[0].get_title() == "IoU = 4 / 20 = 0.20"
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)).axes[0].get_title() == "IoU = 0 / 2 = 0.00"
    assert overlap((0, 0, 0, 0), (0, 0, 0, 0)).axes[0].get_title() == "IoU = 0 / 0 = 0.00"


def test_no_figure_is_registered_anywhere():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    assert isinstance(line([1], [1], "x", "y"), Figure)
    assert plt.get_fignums() == before


def test_legend_of_bars_keeps_clear_of_title_and_labels():
    series = {name: [0.1, 0.2] for name in ("without a passthrough", "pooled", "with passthrough")}
    figure = bars(["flock", "everyday"], series, title="What was found, and a longer title than that")
    (axes,), canvas = figure.axes, FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    legend = axes.get_legend().get_window_extent(renderer)
    others = [axes.title, *axes.get_xticklabels()]
    assert not any(legend.overlaps(other.get_window_extent(renderer)) for other in others)
    assert legend.y0 >= 0, "and inside the figure"
