"""Dimension clusters: box sizes as points, anchors as boxes, and how k-means moves them.

Every box is drawn from the origin: its corner is then the point (width, height) among the sizes of a data set.
Shape letters: B boxes, K anchors.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from yolocourse.boxes import cxcywh_to_xyxy, shape_iou, xyxy_to_cxcywh
from yolocourse.detect import Picture
from yolocourse.viz.pictures import annotate
from yolocourse.viz.style import FAINT, INK, PALETTE, chart, colour, dash, new_figure

Step = tuple[Tensor, Tensor]  # anchors (K, 2), and the number of the anchor that each box belongs to (B,)
MARKS = "ovsPXD"


def fitted(picture: Picture, truth: Tensor, anchors: Tensor, stride: int = 32, side: int | None = None) -> Image.Image:
    """Dashes around every thing, and on its centre the anchor that fits it best, with their IoU.

    truth (B, 4) xyxy in pixels of the picture; anchors (K, 2) in cells of `stride` pixels. An anchor has one colour in
    all figures of this file.
    """
    truth, anchors = torch.as_tensor(truth).as_subclass(Tensor), torch.as_tensor(anchors).to(torch.float32) * stride
    centre, size = xyxy_to_cxcywh(truth).split(2, dim=-1)
    overlap, closest = shape_iou(size, anchors).max(dim=1)
    boxes = cxcywh_to_xyxy(torch.cat([centre, anchors[closest]], dim=1))
    return annotate(picture, {"boxes": boxes, "labels": closest, "scores": overlap}, truth, [""] * len(anchors), side)


def frame(sizes: Tensor, runs: Mapping[str, Sequence[Step]], step: int) -> Figure:
    """One picture of an animation: the steps of one or more runs of k-means, side by side, at iteration `step`.

    sizes (B, 2) in cells; runs: title -> steps, as many as the run needed; one that has ended stays at its last step.
    Faint lines lead from where each anchor began. Raises ValueError for a negative step.
    """
    if step < 0:
        raise ValueError(f"iterations are counted from 0, not {step}")
    figure, axes = new_figure(4.4 * len(runs), 4.3, columns=len(runs), sharey=True)
    for each, (title, steps) in zip(axes, runs.items(), strict=True):
        at = min(step, len(steps) - 1)
        ended = ", ended" if step >= len(steps) - 1 else ""
        _scene(each, sizes, steps, at)
        chart(each, f"{title}: iteration {at}{ended}\naverage IoU {_average(sizes, steps[at][0]):.3f}", "width, cells")
    axes[0].set_ylabel("height, cells")
    return figure


def iterations(sizes: Tensor, steps: Sequence[Step], shown: Sequence[int]) -> Figure:
    """The same as small multiples: some iterations of one run, from left to right, at most four in a row."""
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = new_figure(2.4 * columns, 2.6 * rows, rows, columns, sharex=True, sharey=True)
    for each, at in zip(axes, shown, strict=False):
        _scene(each, sizes, steps, at)
        chart(each, f"iteration {at}, IoU {_average(sizes, steps[at][0]):.3f}")
        each.title.set_fontsize(10)
    for each in axes[len(shown) :]:
        each.set_visible(False)
    figure.supxlabel("width, cells", fontsize=11, color=INK)
    figure.supylabel("height, cells", fontsize=11, color=INK)
    return figure


def reach(boxes: Sequence[Sequence[float]], distance: float, level: float) -> Figure:
    """All sizes that are as close to some boxes as a limit allows: left by Euclidean distance, right by IoU.

    boxes (K, 2) in cells; distance: the limit on the left, in cells; level: the least IoU on the right.
    """
    boxes = torch.as_tensor(boxes, dtype=torch.float32)
    side = float(max(boxes.max() / level, boxes.max() + distance)) * 1.05  # a box 1 / level as wide is still near
    line = torch.linspace(0.02, side, 400)
    w, h = torch.meshgrid(line, line, indexing="xy")
    points = torch.stack([w, h], dim=-1).flatten(0, 1)  # (400 * 400, 2)
    figure, axes = new_figure(9, 4.4, columns=2, sharey=True)
    kinds = {
        f"Euclidean distance of at most {distance:g} cells": distance - torch.cdist(points, boxes),
        f"IoU of at least {level:g}": shape_iou(points, boxes) - level,
    }
    for each, (title, inside) in zip(axes, kinds.items(), strict=True):
        for i, (width, height) in enumerate(boxes.tolist()):
            near = inside[:, i].view(400, 400).numpy()
            each.contourf(line, line, near, levels=[0, 1e6], colors=[colour(i)], alpha=0.3)
            each.contour(line, line, near, levels=[0], colors=[colour(i)], linewidths=1.8)
            _corner_box(each, width, height, colour(i), i)
        chart(each, title, "width, cells")
        each.set(xlim=(0, side), ylim=(0, side), aspect="equal")
    axes[0].set_ylabel("height, cells")
    return figure


def curve(
    ks: Sequence[int],
    lines: Mapping[str, Sequence[float]],
    points: Mapping[str, tuple[int, float]] | None = None,
    chosen: int | None = None,
) -> Figure:
    """Average IoU over the number of anchors: a line for each way to cluster, a point for each set picked by hand.

    lines: name -> a value for each of `ks`; points: name -> number of anchors and average IoU; chosen: a k to mark.
    """
    figure, (axes,) = new_figure(7.5, 4)
    for i, (name, values) in enumerate(lines.items()):
        axes.plot(ks, values, color=colour(i), marker=MARKS[i % len(MARKS)], markersize=5, linewidth=2, label=name)
    for i, (name, (k, value)) in enumerate((points or {}).items(), start=len(lines)):
        axes.plot([k], [value], color=colour(i), marker=MARKS[i % len(MARKS)], markersize=9, linewidth=0, label=name)
    if chosen is not None:
        axes.axvline(chosen, color=FAINT, linestyle="--", zorder=0)
        axes.annotate(f"k = {chosen}", (chosen, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 0),
                      textcoords="offset points", fontsize=10, color=INK)  # fmt: skip
    axes.set_xticks(list(ks))
    chart(axes, None, "number of anchors, k", "average IoU")
    axes.legend(fontsize=9, frameon=False, loc="lower right")
    return figure


def progress(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], y: str) -> Figure:
    """Lines over the pictures of training: name -> pictures seen, and a value for each."""
    figure, (axes,) = new_figure(7.5, 3.4)
    for i, (name, (seen, values)) in enumerate(lines.items()):
        axes.plot(seen, values, color=colour(i), linestyle=dash(i * len(PALETTE)), linewidth=2, label=name)
    chart(axes, None, "training pictures", y)
    axes.set_ylim(0, None)
    axes.legend(fontsize=9, frameon=False, loc="lower right")
    return figure


def side_by_side(sets: Mapping[str, Sequence[Sequence[float]]], cells: float) -> Figure:
    """Sets of anchors around one centre each, on the same grid of `cells` x `cells`; smallest area first in colour."""
    columns = min(4, len(sets))
    rows = -(-len(sets) // columns)
    figure, axes = new_figure(2.7 * columns, 2.9 * rows, rows, columns)
    middle = cells / 2
    for each, (title, anchors) in zip(axes, sets.items(), strict=False):
        priors = np.asarray(anchors, dtype=float).reshape(-1, 2)
        priors = priors[priors.prod(1).argsort(kind="stable")]
        for i in reversed(range(len(priors))):
            width, height = priors[i]
            place = (middle - width / 2, middle - height / 2)
            each.add_patch(Rectangle(place, width, height, facecolor=colour(i), alpha=0.15))
            each.add_patch(Rectangle(place, width, height, fill=False, edgecolor=colour(i), linewidth=2))
        chart(each, title)
        each.title.set_fontsize(10)
        each.set(xlim=(0, cells), ylim=(0, cells), aspect="equal")
        each.set_xticks(np.arange(cells + 1), labels=[])
        each.set_yticks(np.arange(cells + 1), labels=[])
        each.tick_params(length=0)
        each.spines[["top", "right"]].set_visible(True)
    for each in axes[len(sets) :]:
        each.set_visible(False)
    return figure


def _average(sizes: Tensor, anchors: Tensor) -> float:
    return float(shape_iou(sizes, anchors).amax(dim=1).mean())


def _scene(axes: Axes, sizes: Tensor, steps: Sequence[Step], at: int) -> None:
    """The sizes in the colours of their anchors, the anchors as boxes, and how they came here."""
    anchors, closest = steps[at]
    dot = float(np.clip(8000 / len(sizes), 1.5, 20))
    paints = [colour(i) for i in closest.tolist()]
    axes.scatter(sizes[:, 0], sizes[:, 1], s=dot, c=paints, alpha=0.45, linewidths=0, rasterized=True)
    trail = torch.stack([each for each, _ in steps[: at + 1]])  # (at + 1, K, 2)
    for i, (width, height) in enumerate(anchors.tolist()):
        axes.plot(trail[:, i, 0], trail[:, i, 1], color=INK, linewidth=0.9, alpha=0.6)
        _corner_box(axes, width, height, colour(i), i)
    # The largest hundredth of the sizes would squeeze all others into a corner.
    high = sizes.quantile(0.995, dim=0).maximum(anchors.amax(dim=0)) * 1.06
    axes.set(xlim=(0, float(high[0])), ylim=(0, float(high[1])))


def _corner_box(axes: Axes, width: float, height: float, paint: str, number: int) -> None:
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=paint, linewidth=1.8))
    mark = MARKS[number % len(MARKS)]
    axes.scatter([width], [height], s=90, marker=mark, color=paint, edgecolors="white", linewidths=1.2, zorder=3)
