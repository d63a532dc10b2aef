"""Average precision drawn: the curve, the falling one that is measured, and where VOC 2007 reads it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from yolocourse.metrics import average_precision
from yolocourse.viz.style import FAINT, INK, PALETTE, chart, new_figure


def eleven_points(recall: Sequence[float], precision: Sequence[float], title: str | None = None) -> Figure:
    """Precision over recall (K,), recall rising; the falling curve over it, its area, and the eleven points on it.

    Raises ValueError when the two are not equally long, or empty.
    """
    if len(recall) != len(precision) or not len(recall):
        raise ValueError(
            f"{len(recall)} values of recall and {len(precision)} of precision: equally many, at least one"
        )
    recall, precision = np.asarray(recall, dtype=float), np.asarray(precision, dtype=float)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    tenths = np.arange(11) / 10
    heights = [precision[recall >= tenth].max(initial=0.0) for tenth in tenths]
    figure, (axes,) = new_figure(6.6, 3.8)
    edges, steps = np.concatenate([[0], recall]), np.concatenate([falling[:1], falling])
    area, eleven = (average_precision(recall, precision, method) for method in ("area", "11point"))
    axes.fill_between(edges, steps, step="pre", color=PALETTE[5], alpha=0.3, label=f"area {area:.3f}")
    axes.plot(recall, precision, color=FAINT, linewidth=1, label="precision")
    axes.step(edges, steps, where="pre", color=PALETTE[0], linewidth=2, label="best at that recall or beyond")
    axes.plot(tenths, heights, "o", color=PALETTE[1], markeredgecolor=INK, label=f"11 points, mean {eleven:.3f}")
    axes.set(xlim=(-0.02, 1.02), ylim=(0, 1.05))
    chart(axes, title, "recall", "precision")
    axes.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
