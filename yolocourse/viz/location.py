"""Where the centre of a box may go: the two location formulas on one cell, their slopes, and centres on a picture.

Shape letters: A anchors, K centres, S moments of a training. Everything is in grid cells, from the picture's top left
corner, as in grid.py; names of formulas are those of `grid.LOCATIONS`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from yolocourse.detect import Picture
from yolocourse.grid import find_location
from yolocourse.viz.canvas import to_image
from yolocourse.viz.style import FAINT, INK, PALETTE, chart, dash, new_figure

FORMULAS = {"sigmoid": "σ(tx) + cx", "offset": "tx · wa + xa"}
COLOURS = {"sigmoid": PALETTE[0], "offset": PALETTE[1]}
BOTH = tuple(FORMULAS)
MARGIN = 2.2  # cells around the picture that are shown, too


def centre(txy: Tensor, anchor: Tensor, cell: Tensor, location: str) -> Tensor:
    """Outputs tx, ty (..., 2) -> centres (..., 2), for anchors (..., 2) on cells (..., 2) given as column, row."""
    formula = find_location(location)
    return cell + formula.centre(formula.value(txy), anchor)


def box_on_cell(
    t: Sequence[float],
    anchor: Sequence[float],
    cell: tuple[int, int],
    size: int,
    locations: Sequence[str] = BOTH,
) -> Figure:
    """One cell's box by each formula (the paper's figure 3, and the one it replaces): prior dashed, box solid.

    t: the outputs tx, ty, tw, th; anchor: width and height; cell: column and row in a grid of size x size. Arrows lead
    from where each formula measures, the cell's corner or its middle, to the centre.
    """
    figure, panels = new_figure(4.3 * len(locations), 4.7, columns=len(locations))
    prior, corner = torch.tensor(anchor), torch.tensor(cell, dtype=torch.float32)
    width, height = (prior * torch.tensor(t[2:]).exp()).tolist()
    for axes, name in zip(panels, locations, strict=True):
        bx, by = centre(torch.tensor(t[:2]), prior, corner, name).tolist()
        _picture_axes(axes, size)
        axes.add_patch(Rectangle(cell, 1, 1, facecolor=PALETTE[4], alpha=0.45, linewidth=0))
        start = corner if name == "sigmoid" else corner + 0.5
        middle = (corner + 0.5).tolist()
        _box(axes, middle, anchor, edgecolor=INK, linestyle="--", linewidth=1.5)
        _box(axes, (bx, by), (width, height), edgecolor=COLOURS[name], linewidth=2.5)
        arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 2}
        axes.annotate("", (bx, by), start.tolist(), arrowprops=arrow)
        axes.plot(bx, by, "o", color=COLOURS[name], markersize=9, markeredgecolor="white")
        _picture_chart(axes, FORMULAS[name], f"centre ({bx:.2f}, {by:.2f}), size {width:.2f} x {height:.2f}")
        for i in range(size + 1):
            axes.text(i, size + 0.15, i, fontsize=9, color=INK, ha="center", va="top")
            axes.text(-0.2, i, i, fontsize=9, color=INK, ha="right", va="center")
    return figure


def centre_curves(widths: Sequence[float]) -> Figure:
    """Where a centre lands, left, and how fast it moves, right, over tx: sigmoid, and offset for each anchor width."""
    figure, (left, right) = new_figure(9, 3.6, columns=2)
    t = torch.linspace(-4, 4, 161, requires_grad=True)
    lines = [("sigmoid", 1.0, "sigmoid, every anchor")]
    lines += [("offset", width, f"offset, anchor {width:.1f} wide") for width in widths]
    for i, (name, width, label) in enumerate(lines):
        formula = find_location(name)
        x = formula.centre(formula.value(t), torch.tensor(width))
        (slope,) = torch.autograd.grad(x.sum(), t)
        style = {"color": PALETTE[i % 7], "linewidth": 3 if name == "sigmoid" else 1.6, "label": label}
        style |= {} if name == "sigmoid" else {"linestyle": (dash(0), "--", "-.", ":")[i % 4]}
        left.plot(t.detach(), x.detach(), **style)
        right.plot(t.detach(), slope, **style)
    left.axhspan(0, 1, color=PALETTE[4], alpha=0.35, linewidth=0)
    left.text(-3.9, 0.93, "the cell", fontsize=9, color=INK, va="top")
    left.set_ylim(-6, 7)
    right.set_yscale("log")
    right.set_yticks([0.02, 0.1, 0.25, 1, 4], ["0.02", "0.1", "0.25", "1", "4"])
    right.minorticks_off()
    chart(left, "Where the centre lands", "tx", "cells from the cell's corner")
    chart(right, "How far a small step in tx moves it", "tx", "cells per unit of tx")
    figure.legend(*left.get_legend_handles_labels(), fontsize=9, frameon=False, loc="outside lower center", ncols=3)
    return figure


def centres(
    points: Mapping[str, Tensor], size: int, picture: Picture | None = None, cell: tuple[int, int] | None = None
) -> Figure:
    """Predicted centres as dots, a panel for each name: {"sigmoid": (K, 2) or, as paths with their ends, (S, K, 2)}.

    picture: drawn below; cell: column and row of one to colour. What lies beyond the margin is counted below.
    """
    figure, panels = new_figure(4.3 * len(points), 4.6, columns=len(points))
    for axes, (name, xy) in zip(panels, points.items(), strict=True):
        _picture_axes(axes, size, picture)
        if cell is not None:
            axes.add_patch(Rectangle(cell, 1, 1, facecolor=PALETTE[4], alpha=0.6, edgecolor=INK))
        xy = np.asarray(xy)
        for k in range(xy.shape[1] if xy.ndim == 3 else 0):
            axes.plot(*xy[:, k].T, color=PALETTE[k % 7], linewidth=1, alpha=0.85)
            axes.plot(*xy[0, k], "o", color="white", markeredgecolor=PALETTE[k % 7], markersize=5)
            axes.plot(*xy[-1, k], "o", color=PALETTE[k % 7], markeredgecolor="white", markersize=8)
        if xy.ndim == 2:
            axes.plot(*xy.T, "o", color=COLOURS.get(name, PALETTE[0]), markersize=4, alpha=0.7, markeredgewidth=0)
        beyond = ((xy < -MARGIN) | (xy > size + MARGIN)).any(-1).sum()
        _picture_chart(axes, name, f"{beyond} more are outside this figure" if beyond else None)
    return figure


def early_training(
    curves: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], seen: Sequence[float], names: Mapping[str, str]
) -> Figure:
    """The first part of training, a panel for each measure: {"IoU": {"sigmoid": [one list a seed], "offset": ...}}.

    seen: pictures at the points of every list. Thin lines are seeds, thick ones their mean. names: legend texts.
    """
    figure, panels = new_figure(3.2 * len(curves), 3.3, columns=len(curves))
    for axes, (title, series) in zip(panels, curves.items(), strict=True):
        for i, (name, seeds) in enumerate(series.items()):
            paint, style = COLOURS.get(name, PALETTE[i]), dash(0) if i == 0 else "--"
            for values in seeds:
                axes.plot(seen, values, color=paint, linewidth=0.7, alpha=0.45)
            mean = np.array(seeds, dtype=float).mean(axis=0)
            axes.plot(seen, mean, color=paint, linewidth=2.4, linestyle=style, label=names[name])
        chart(axes, title, "pictures")
        axes.set_ylim(0, None)
    figure.legend(
        *panels[0].get_legend_handles_labels(), fontsize=10, frameon=False, loc="outside lower center", ncols=2
    )
    return figure


def _picture_axes(axes: Axes, size: int, picture: Picture | None = None) -> None:
    """A grid of size x size cells, the picture's border thick, and some room around it; y grows downwards."""
    if picture is not None:
        axes.imshow(np.asarray(to_image(picture)), extent=(0, size, size, 0), alpha=0.55)
    for i in range(size + 1):
        axes.plot([i, i], [0, size], color=FAINT, linewidth=0.8, zorder=1)
        axes.plot([0, size], [i, i], color=FAINT, linewidth=0.8, zorder=1)
    axes.add_patch(Rectangle((0, 0), size, size, fill=False, edgecolor=INK, linewidth=2))
    axes.set(xlim=(-MARGIN, size + MARGIN), ylim=(size + MARGIN, -MARGIN), aspect="equal")


def _picture_chart(axes: Axes, title: str, below: str | None) -> None:
    """Title and a line below, without the lines of a chart."""
    chart(axes, title, below)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set(xticks=[], yticks=[])


def _box(axes: Axes, middle: Sequence[float], size: Sequence[float], **style) -> None:
    left, top = middle[0] - size[0] / 2, middle[1] - size[1] / 2
    axes.add_patch(Rectangle((left, top), *size, fill=False, **style))
