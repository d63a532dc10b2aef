"""Charts of notebook 02: activations through a network's depth, how far batches differ, training at several rates."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from yolocourse.viz.style import INK, PALETTE, chart, new_figure

MARKERS = ("o", "s", "^", "D")


def through_depth(
    values: Mapping[str, Sequence[float]],
    title: str | None = None,
    y: str = "difference between pictures",
    reach: float = 1e8,
) -> Figure:
    """A positive number after each convolution, on a logarithmic axis, one line for each network.

    reach: the axis goes from 1 / reach to reach, so that figures can be compared; what lies beyond is drawn at the rim.
    """
    figure, (axes,) = new_figure(7.5, 3.6)
    for i, (name, numbers) in enumerate(values.items()):
        inside = np.clip(np.nan_to_num(np.asarray(numbers, dtype=float), nan=reach), 1 / reach, reach)
        axes.plot(range(1, len(inside) + 1), inside, marker=MARKERS[i], markersize=5, color=PALETTE[i], label=name)
    axes.set_yscale("log")
    axes.set_ylim(0.5 / reach, 2 * reach)
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(1, max(map(len, values.values())) + 1))
    chart(axes, title, "convolution", y)
    axes.legend(fontsize=10, frameon=False, loc="upper left")
    return figure


def strips(groups: Mapping[str, Sequence[float]], whole: float, x: str, y: str, title: str | None = None) -> Figure:
    """One column of dots for each group, and a dashed line at the value that all of them estimate."""
    figure, (axes,) = new_figure(7, 3.6)
    for i, values in enumerate(groups.values()):
        sideways = np.linspace(-0.25, 0.25, len(values))
        axes.scatter(i + sideways, values, s=14, color=PALETTE[0], alpha=0.7, linewidths=0)
    axes.axhline(whole, color=PALETTE[1], linestyle="--", linewidth=1.8, label="all pictures")
    axes.set_xticks(range(len(groups)), list(groups))
    chart(axes, title, x, y)
    axes.legend(fontsize=10, frameon=False, loc="upper right")
    return figure


def learning(
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    chance: float | None = None,
    x: Sequence[float] | None = None,
    xlabel: str = "step",
    y: str = "loss",
    top: float | None = None,
) -> Figure:
    """A panel for each setting, such as a learning rate; in it a curve for each network over the course of training.

    chance: drawn as a dotted line, what guessing would give. x: where the values are, if not at 1, 2, 3 and so on. A
    curve that ends early, because training blew up, ends in a cross. Of four curves, two each share a colour.
    top: where the axis of the values ends; None: above the highest one.
    """
    figure, panels = new_figure(max(3.3 * len(curves), 9), 3.6, columns=len(curves), sharey=True)
    longest = max(len(values) for each in curves.values() for values in each.values())
    places = x if x is not None else range(1, longest + 1)
    for axes, (title, each) in zip(panels, curves.items(), strict=True):
        for i, (name, values) in enumerate(each.items()):
            paint = PALETTE[i // 2 if len(each) > 2 else i]
            axes.plot(places[: len(values)], values, color=paint, linestyle=("-", "--")[i % 2], label=name)
            if 0 < len(values) < longest:
                axes.scatter(places[len(values) - 1], values[-1], marker="x", s=80, color=paint, zorder=3)
        if chance is not None:
            axes.axhline(chance, color=INK, linewidth=1, linestyle=":", label="guessing")
        chart(axes, title, xlabel, y if axes is panels[0] else None)
    panels[0].set_ylim(top=top)
    handles, names = panels[0].get_legend_handles_labels()
    across = len(names) if len(names) < 4 else 2
    figure.legend(handles, names, fontsize=10, frameon=False, loc="outside lower center", ncols=across)
    return figure
