"""Anchors of one cell, which of them fits a thing, where centres fall, and curves side by side.

Shape letters: A anchors, B boxes, H W grid rows and columns.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from yolocourse.boxes import shape_iou
from yolocourse.detect import Picture
from yolocourse.viz.canvas import Boxes, Canvas, rows
from yolocourse.viz.style import FAINT, INK, PALETTE, chart, colour, new_figure

Anchors = Sequence[Sequence[float]] | Tensor


def anchors_of_cell(
    picture: Picture,
    cells: int,
    cell: tuple[int, int],
    anchors: Anchors,
    truth: Boxes | None = None,
    side: int | None = None,
) -> Image.Image:
    """One cell of the grid with its anchors around its centre, each in its own colour, and dashes around the truth.

    cells: rows and columns; cell: its row and column, from 0; anchors (A, 2) width and height in cells. truth, side: as
    for `viz.annotate`. Raises ValueError for a cell outside the grid.
    """
    row, column = cell
    if not (0 <= row < cells and 0 <= column < cells):
        raise ValueError(f"cell {tuple(cell)} is outside the grid of {cells} rows and columns, counted from 0")
    canvas = Canvas(picture, side)
    canvas.cell(cells, cells, row, column, PALETTE[4])
    canvas.grid(cells, cells)
    for each in rows(truth):
        canvas.dashes(each.box)
    width, height = (length / cells for length in canvas.original)
    cx, cy = (column + 0.5) * width, (row + 0.5) * height
    sizes = torch.as_tensor(anchors).tolist()
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i][0] * sizes[i][1]):  # small ones on top
        w, h = sizes[i][0] * width, sizes[i][1] * height
        canvas.box((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), colour(i))
    canvas.dot((cx, cy, cx, cy), INK)
    return canvas.image


def fitting(size: Sequence[float], anchors: Anchors) -> Figure:
    """A thing and all anchors around one centre, and how much each anchor's shape overlaps the thing's.

    size: width and height of the thing, and anchors (A, 2), in cells. The anchor that fits best is drawn bold.
    """
    priors = torch.as_tensor(anchors, dtype=torch.float32)
    fits = shape_iou(torch.tensor([list(size)], dtype=torch.float32), priors)[0].tolist()
    best = int(np.argmax(fits))
    figure, (left, right) = new_figure(8.5, 3.8, columns=2, width_ratios=(1, 1.1))
    left.add_patch(Rectangle((-size[0] / 2, -size[1] / 2), *size, facecolor="#DDDDDD", edgecolor=INK, linestyle="--",
                             linewidth=2))  # fmt: skip
    for i, (w, h) in enumerate(priors.tolist()):
        style = {"edgecolor": colour(i), "linewidth": 4 if i == best else 1.4, "zorder": 3 if i == best else 2}
        left.add_patch(Rectangle((-w / 2, -h / 2), w, h, fill=False, **style))
    reach = 0.55 * max(float(priors.max()), *size)
    left.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    chart(left, f"thing of {size[0]:.1f} x {size[1]:.1f} cells", "cells", "cells")
    names = [f"{w:.3g} x {h:.3g}" for w, h in priors.tolist()]
    right.barh(names, fits, color=[colour(i) for i in range(len(priors))], alpha=0.45)
    right.barh(names[best], fits[best], color=colour(best))
    for i, fit in enumerate(fits):
        right.text(fit + 0.01, i, f"{fit:.2f}", va="center", fontsize=10, color=INK,
                   fontweight="bold" if i == best else "normal")  # fmt: skip
    right.set_xlim(0, 1.1)
    chart(right, f"anchor {names[best]} answers", "IoU of the two shapes", "anchor, cells")
    right.invert_yaxis()
    right.grid(axis="y", visible=False)
    return figure


def centres(shares: Tensor, sides: Sequence[int], titles: Sequence[str] | None = None) -> Figure:
    """How many centres fall into each cell, for grids of several sizes side by side; a frame around the middle.

    shares (B, 2): x and y of each centre as a share of the picture, 0 to 1. sides: cells in a row and column; where
    that is even the middle is four cells, else one. titles: one for each grid.
    """
    figure, axes = new_figure(4.2 * len(sides), 4.2, columns=len(sides))
    for i, (each, side) in enumerate(zip(axes, sides, strict=True)):
        cell = (torch.as_tensor(shares) * side).long().clamp(0, side - 1)
        counts = torch.zeros(side, side, dtype=torch.long)
        counts.index_put_((cell[:, 1], cell[:, 0]), torch.ones(len(cell), dtype=torch.long), accumulate=True)
        each.imshow(counts.numpy(), cmap="Blues", vmin=0, vmax=1.4 * max(int(counts.max()), 1))
        for row, line in enumerate(counts.tolist()):
            for column, count in enumerate(line):
                if count:
                    each.text(column, row, str(count), ha="center", va="center", fontsize=10, color=INK)
        first, width = (side - 1) // 2, 2 - side % 2
        frame = Rectangle((first - 0.5, first - 0.5), width, width, fill=False, edgecolor=PALETTE[1], linewidth=3)
        each.add_patch(frame)
        chart(each, titles[i] if titles else f"{side} x {side} cells")
        each.set_xticks(np.arange(side + 1) - 0.5, [])
        each.set_yticks(np.arange(side + 1) - 0.5, [])
        each.grid(color=FAINT, linewidth=0.8)
        each.set_axisbelow(False)
    return figure


def curves(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    xlabel: str,
    ylabel: str,
    top: float = 1.0,
    log: bool = False,
) -> Figure:
    """Lines over axes of one kind side by side, {title: {name: (x, y)}}; a name has the same colour in all of them.

    y goes from 0 to `top`, or, where `log`, on a logarithmic axis from a thousandth of it. Raises ValueError when there
    is no panel.
    """
    if not panels:
        raise ValueError("there is nothing to draw: panels is empty")
    figure, axes = new_figure(1.5 + 4 * len(panels), 3.7, columns=len(panels), sharey=True)
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    for each, (title, series) in zip(axes, panels.items(), strict=True):
        for name, (x, y) in series.items():
            i = names.index(name)
            each.plot(x, y, color=colour(i), linestyle=("-", "--", ":", "-.")[i % 4], linewidth=2.2, label=name)
        chart(each, title, xlabel, ylabel if each is axes[0] else None)
        each.set_yscale("log" if log else "linear")
        each.set_ylim(top / 1000 if log else 0, 1.1 * top if log else 1.03 * top)
    handles = {h: n for each in axes for h, n in zip(*each.get_legend_handles_labels(), strict=True)}
    first = {name: handle for handle, name in reversed(handles.items())}
    figure.legend([first[n] for n in names], names, fontsize=10, frameon=False, loc="outside lower center", ncols=4)
    return figure
