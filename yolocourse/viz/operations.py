"""What a network costs, drawn: operations, time, and the two beside each other, layer by layer."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from yolocourse.viz.style import INK, PALETTE, chart, new_figure

MARKERS = "osD^vPX"


def trade(points: Mapping[str, tuple[float, float]], x: str, y: str, title: str | None = None) -> Figure:
    """One point a network: cost to the right, accuracy up, the name beside it. Up and to the left is better."""
    figure, (axes,) = new_figure(6.4, 3.4)
    for i, (name, (cost, accuracy)) in enumerate(points.items()):
        axes.plot([cost], [accuracy], color=PALETTE[i % 7], marker=MARKERS[i % 7], markersize=10)
        axes.annotate(name, (cost, accuracy), (9, -4), textcoords="offset points", fontsize=10, color=INK)
    low, high = min(cost for cost, _ in points.values()), max(cost for cost, _ in points.values())
    axes.set_xlim(min(0, low), 1.3 * high)  # room for the name on the right
    axes.margins(y=0.25)
    chart(axes, title, x, y)
    return figure


def by_layer(names: Sequence[str], series: Mapping[str, Sequence[float]], title: str | None = None) -> Figure:
    """For each layer, from the top down, the share that it has of several totals: operations, weights, time.

    series: a number for each layer, in any unit; each series is divided by its sum. Raises ValueError when a series has
    not one number for each layer, or sums up to nothing.
    """
    figure, (axes,) = new_figure(7.5, 0.9 + (0.12 + 0.09 * len(series)) * len(names))
    thick = 0.84 / len(series)
    for i, (name, values) in enumerate(series.items()):
        if len(values) != len(names):
            raise ValueError(f"{len(names)} layers but {len(values)} numbers for {name!r}")
        if not sum(values) > 0:
            raise ValueError(f"the numbers for {name!r} add up to {sum(values)}; shares need a sum above 0")
        rows = np.arange(len(names)) + (i - (len(series) - 1) / 2) * thick
        shares = 100 * np.asarray(values, dtype=float) / sum(values)
        axes.barh(rows, shares, 0.92 * thick, color=PALETTE[i], label=name)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    chart(axes, title, "share of all layers, %")
    axes.tick_params(axis="y", labelsize=9)
    axes.grid(axis="y", visible=False)
    figure.legend(fontsize=10, frameon=False, loc="outside lower center", ncols=len(series))
    return figure


def speeds(groups: Mapping[str, Sequence[tuple[float, float]]], title: str | None = None) -> Figure:
    """How fast each layer computes over how much it computes with a byte; both scales are logarithmic.

    groups: for each kind of layer its points (operations for each byte moved, billions of operations a second).
    """
    figure, (axes,) = new_figure(6.8, 3.9)
    for i, (name, points) in enumerate(groups.items()):
        x, height = zip(*points, strict=True)
        style = {"color": PALETTE[i % 7], "marker": MARKERS[i % 7], "linestyle": "none"}
        axes.plot(x, height, markersize=8, alpha=0.8, label=name, **style)
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    axes.margins(0.12)
    chart(axes, title, "operations for each byte read or written", "billions of operations a second")
    axes.legend(fontsize=10, frameon=False, loc="lower right")
    return figure
