"""Word trees drawn: the nodes with what is known of each, and the walk down from the root to an answer.

Shape letters: N pictures, T nodes.
"""

from collections.abc import Collection, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from yolocourse.detect import Picture
from yolocourse.viz.canvas import to_image
from yolocourse.viz.style import FAINT, INK, PALETTE, new_figure
from yolocourse.wordtree import WordTree

ROW = 0.205  # inches for a leaf
SAID, ANSWER = PALETTE[5], PALETTE[4]


def dendrogram(
    tree: WordTree, values: Sequence[float] | Tensor | None = None, marked: Collection[int] = (),
    ways: Sequence[tuple[int, int]] = (), width: float = 8.5, title: str | None = None,
) -> Figure:  # fmt: skip
    """A tree from left to right, its root or roots on the left; siblings under one another.

    values (T,), 0 to 1: shown as the darkness of each node's dot, and as a number from 0.01 on. marked: nodes whose
    names and lines up are drawn boldly. ways: pairs (node, other node above it) that are no branches of the tree, as
    dashed lines. Raises ValueError for another number of values than nodes.
    """
    if values is not None and len(values) != len(tree):
        raise ValueError(f"{len(values)} values for the {len(tree)} nodes of the tree")
    place = _places(tree)
    rows = len(tree.leaves)
    figure, (axes,) = new_figure(width, 0.3 + ROW * rows + (0.25 if title else 0))
    for node, parent in enumerate(tree.parents):
        if parent >= 0:
            bold = node in marked and parent in marked
            style = {
                "color": PALETTE[1] if bold else FAINT,
                "linewidth": 2.2 if bold else 1,
                "zorder": 2 if bold else 1,
            }
            (x0, y0), (x1, y1) = place[parent], place[node]
            axes.plot([x0, x0 + 0.12, x0 + 0.12, x1], [y0, y0, y1, y1], **style)
    for low, high in ways:
        (x0, y0), (x1, y1) = place[high], place[low]
        axes.plot([x0, x1], [y0, y1], color=PALETTE[0], linewidth=1.4, linestyle="--", zorder=1)
    shades = matplotlib.colormaps["Blues"]
    for node, (x, y) in enumerate(place):
        value = 0.0 if values is None else float(values[node])
        paint = "white" if values is None else shades(0.05 + 0.95 * min(max(value, 0.0), 1.0))
        axes.scatter([x], [y], s=34, color=[paint], edgecolors=PALETTE[1] if node in marked else INK, zorder=3)
        number = f"  {value:.2f}" if values is not None and value >= 0.01 else ""
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        weight = "bold" if node in marked else "normal"
        axes.annotate(tree.names[node] + number, (x, y), xytext=(6, 0), textcoords="offset points", va="center",
                      fontsize=8.5, color=INK, weight=weight, bbox=box, zorder=4)  # fmt: skip
    axes.set(xlim=(-0.1, tree.levels + 0.1), ylim=(rows - 0.4, -0.6))
    axes.axis("off")
    if title:
        axes.set_title(title, fontsize=12, color=INK)
    return figure


def _places(tree: WordTree) -> list[tuple[float, float]]:
    """Level and height of every node: leaves on whole numbers from the top, others in the middle of their children."""
    place: list[tuple[float, float]] = [(0.0, 0.0)] * len(tree)
    height = 0.0

    def put(node: int, level: int) -> float:
        nonlocal height
        children = [put(child, level + 1) for child in tree.children(node)]
        if children:
            y = (children[0] + children[-1]) / 2
        else:
            y, height = height, height + 1
        place[node] = (float(level), y)
        return y

    for root in tree.children(None):
        put(root, 0)
    return place


def best_path(tree: WordTree, probabilities: Tensor) -> list[int]:
    """From the root down, always to the most probable child, to a leaf. probabilities (T,), along whole paths."""
    path, below = [], tree.children(None)
    while below:
        path.append(max(below, key=lambda node: float(probabilities[node])))
        below = tree.children(path[-1])
    return path


def descents(
    pictures: Sequence[Picture], tree: WordTree, probabilities: Tensor, threshold: float | None = None,
    titles: Sequence[str] | None = None, truth: Sequence[int] | None = None, wide: float = 2.7,
) -> Figure:  # fmt: skip
    """Pictures side by side, under each the walk down the tree: a bar for the best node of each level.

    probabilities (N, T), along whole paths. threshold: a dashed line; bars beyond it are said (blue), the last of them
    is the answer (orange, bold), the others are not reached (grey); the root's best child is said in any case. truth:
    N nodes; a node on the way to it has a tick behind its number. wide: inches for a picture. Raises ValueError unless
    there is a row for each picture.
    """
    if len(pictures) != len(probabilities) or not len(pictures):
        raise ValueError(f"{len(pictures)} pictures and {len(probabilities)} rows of probabilities; one row for each")
    deepest = max(len(best_path(tree, row)) for row in probabilities)
    tall = 1.5 + 0.27 * deepest
    figure, axes = new_figure(wide * len(pictures), tall, rows=2, columns=len(pictures),
                              height_ratios=(1.25, 0.27 * deepest))  # fmt: skip
    for i, picture in enumerate(pictures):
        axes[i].imshow(np.asarray(to_image(picture)), interpolation="nearest")
        axes[i].axis("off")
        if titles:
            axes[i].set_title(titles[i], fontsize=10.5, color=INK)
        right = set(tree.path(int(truth[i]))) if truth is not None else set()
        _bars(axes[len(pictures) + i], tree, probabilities[i], threshold, right, deepest)
    return figure


def _bars(axes: Axes, tree: WordTree, row: Tensor, threshold: float | None, right: set[int], deepest: int) -> None:
    path = best_path(tree, row)
    values = [float(row[node]) for node in path]
    said = 1 + next(
        (i for i, value in enumerate(values[1:]) if threshold is not None and value <= threshold), len(path) - 1
    )
    for i, (node, value) in enumerate(zip(path, values, strict=True)):
        answer = threshold is not None and i == said - 1
        axes.barh(i, value, 0.82, color=ANSWER if answer else SAID if i < said else "#DDDDDD")
        tick = " ✓" if node in right else ""
        text = f"{tree.names[node]}  {value:.2f}{tick}"
        axes.text(0.02, i, text, va="center", fontsize=9, color=INK, weight="bold" if answer else "normal")
    if threshold is not None:
        axes.axvline(threshold, color=INK, linewidth=1.2, linestyle="--")
    axes.set(xlim=(0, 1.02), ylim=(deepest - 0.5, -0.5), xticks=[0, 0.5, 1], yticks=[])
    axes.tick_params(labelsize=8.5, colors=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
