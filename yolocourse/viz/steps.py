"""A path of improvements, published and measured side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yolocourse.viz.style import INK, PALETTE, chart, new_figure


def steps(
    titles: Sequence[str],
    published: Sequence[float],
    means: Sequence[float],
    errors: Sequence[float],
    names: tuple[str, str] = ("the paper: mAP on VOC 2007", "measured: AP50 on Toy Town"),
) -> Figure:
    """A row a step, first on top: published values on the left, measured ones with error bars on the right.

    The two do not share a scale, since they belong to different data. errors: half the length of the bars, such as the
    standard deviation over seeds. Raises ValueError when the lengths differ.
    """
    counts = {len(each) for each in (titles, published, means, errors)}
    if len(counts) != 1:
        raise ValueError(f"{len(titles)} titles, {len(published)} published values, {len(means)} means and "
                         f"{len(errors)} errors: one of each is needed for a step")  # fmt: skip
    figure, (left, right) = new_figure(9.5, 0.9 + 0.42 * len(titles), columns=2, sharey=True)
    _bars(left, published, None, PALETTE[0], "{:.1f}")
    _bars(right, means, errors, PALETTE[1], "{:.3f}")
    left.set_yticks(range(len(titles)), titles)
    left.invert_yaxis()
    chart(left, names[0])
    chart(right, names[1])
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
    return figure


def _bars(axes: Axes, values: Sequence[float], errors: Sequence[float] | None, paint: str, form: str) -> None:
    rows, ends = np.arange(len(values)), np.asarray(values, dtype=float) + (0 if errors is None else np.asarray(errors))
    axes.barh(rows, values, 0.66, xerr=errors, color=paint, ecolor=INK, capsize=3)
    room = 0.02 * max(ends.max(), 1e-9)
    for row, value, end in zip(rows, values, ends, strict=True):
        axes.text(end + room, row, form.format(value), va="center", fontsize=10, color=INK)
    axes.set_xlim(0, ends.max() * 1.16 or 1)
