"""Charts: training, precision and recall, comparisons, anchors, overlap."""

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from yolocourse.metrics import VocResult
from yolocourse.viz.style import FAINT, INK, PALETTE, chart, colour, dash, new_figure

PARTS = {"xy": "centre", "wh": "size", "object": "object", "no_object": "no object", "classes": "class"}
FIT = {"average_iou": "average IoU", "recall": "recall at IoU 0.5"}


def loss_curve(history) -> Figure:
    """Training so far: the loss and its parts on the left, IoU and recall of the predictions on the right.

    history: an `engine.log.History`, or anything with its `reports`, `values(name)` and `smooth(name)`. Bold lines are
    the smoothed values. Terms that the loss does not have are left out.
    """
    figure, (left, right) = new_figure(9, 3.4, columns=2, width_ratios=(3, 2))
    terms = history.reports[0].terms if history.reports else {}
    steps = history.values("step")
    if "total" in terms:
        left.plot(steps, history.values("total"), color=FAINT, linewidth=0.8)
        left.plot(steps, history.smooth("total"), color=INK, linewidth=2.2, label="total")
        left.set_yscale("log")
    for i, name in enumerate(name for name in PARTS if name in terms):
        left.plot(steps, history.smooth(name), color=PALETTE[i], linewidth=1.4, label=PARTS[name])
    for i, name in enumerate(name for name in FIT if name in terms):
        right.plot(steps, history.smooth(name), color=PALETTE[i], linewidth=2, label=FIT[name])
    right.set_ylim(0, 1)
    chart(left, "Loss", "step")
    chart(right, "Fit to the training pictures", "step")
    for axes in (left, right):
        if axes.lines:
            axes.legend(fontsize=9, frameon=False, ncols=2)
    return figure


def precision_recall(result: VocResult, names: Sequence[str]) -> Figure:
    """Precision over recall, one line a class that has truths, best average precision first in the legend."""
    figure, (axes,) = new_figure(7.5, 4.2)
    shown = [i for i in range(len(names)) if not np.isnan(result.ap[i])]
    for i in sorted(shown, key=lambda i: -result.ap[i]):
        recall, precision, _ = result.curves[i]
        style = {"color": colour(i), "linestyle": dash(i), "linewidth": 1.8}
        axes.plot(recall, precision, label=f"{names[i]}  {result.ap[i]:.2f}", **style)
    chart(
        axes,
        f"mAP {result.mean:.3f}",
        "recall: share of the things found",
        "precision: share of the finds that is right",
    )
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03))
    if shown:
        axes.legend(title="class, AP", fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def bars(
    labels: Sequence[str],
    means: Sequence[float] | Mapping[str, Sequence[float]],
    errors: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    y: str = "AP50",
    title: str | None = None,
) -> Figure:
    """Bars with their values; side by side where `means` names several series ({"YOLO": [...], "YOLOv2": [...]}).

    labels: one for each group of bars. errors: half the length of the error bars, such as the standard deviation over
    seeds, in the form of `means`. Raises ValueError when the lengths differ.
    """
    series = means if isinstance(means, Mapping) else {"": means}
    spread = errors if isinstance(errors, Mapping) else {"": errors} if errors is not None else {}
    for name, values in [*series.items(), *spread.items()]:
        if len(values) != len(labels):
            raise ValueError(f"{len(labels)} labels but {len(values)} values {f'for {name!r}' if name else ''}".strip())
    figure, (axes,) = new_figure(max(4.5, 1.5 + 0.55 * len(labels) * (len(series) + 0.6)), 3.6)
    width = 0.8 / len(series)
    for i, (name, values) in enumerate(series.items()):
        x = np.arange(len(labels)) + (i - (len(series) - 1) / 2) * width
        error = spread.get(name)
        axes.bar(x, values, width * 0.94, yerr=error, color=PALETTE[i], label=name, ecolor=INK, capsize=3)
        tops = [max(value, 0) + each for value, each in zip(values, error or [0] * len(labels), strict=True)]
        for place, value, top in zip(x, values, tops, strict=True):
            above = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
            axes.annotate(f"{value:.2f}", (place, top), fontsize=9, color=INK, **above)
    chart(axes, title, y=y)
    axes.set_xticks(range(len(labels)), labels)
    axes.grid(axis="x", visible=False)
    axes.margins(y=0.14)
    if len(series) > 1:
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.09)}  # above, it may run into the title
        axes.legend(fontsize=9, frameon=False, ncols=len(series), **below)
    return figure


def line(x: Sequence[float], y: Sequence[float], xlabel: str, ylabel: str, title: str | None = None) -> Figure:
    """Points joined by a line, such as the average IoU over the number of anchors."""
    figure, (axes,) = new_figure(5.5, 3.4)
    axes.plot(x, y, color=PALETTE[0], marker="o", linewidth=2)
    if all(isinstance(each, Real) and float(each).is_integer() for each in x) and len(x) <= 20:
        axes.set_xticks(x)
    chart(axes, title, xlabel, ylabel)
    return figure


def anchors(
    anchors: Sequence[Sequence[float]],
    sizes: Sequence[Sequence[float]] | None = None,
    assignment: Sequence[int] | None = None,
    unit: str = "grid cells",
) -> Figure:
    """Prior boxes around one centre; with `sizes`, also where they lie among the boxes of a data set.

    anchors (A, 2) and sizes (B, 2) are width and height in one unit; assignment (B,): the anchor each box belongs to.
    """
    priors = np.asarray(anchors, dtype=float).reshape(-1, 2)
    figure, axes = new_figure(8.5 if sizes is not None else 4.2, 4, columns=2 if sizes is not None else 1)
    for i in np.argsort(-priors.prod(1)):  # the small ones on top
        box = (*-priors[i] / 2, *priors[i] / 2)
        axes[0].add_patch(_patch(box, facecolor=colour(i), alpha=0.12))
        axes[0].add_patch(_patch(box, fill=False, edgecolor=colour(i), linewidth=2))
    reach = priors.max() * 0.55
    axes[0].set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    chart(axes[0], f"{len(priors)} anchors around one centre", unit, unit)
    if sizes is not None:
        points = np.asarray(sizes, dtype=float).reshape(-1, 2)
        kinds = np.asarray(assignment) if assignment is not None else None
        paints = FAINT if kinds is None else [colour(kind) for kind in kinds]
        axes[1].scatter(
            points[:, 0], points[:, 1], s=np.clip(4000 / len(points), 4, 30), c=paints, alpha=0.5, linewidths=0
        )
        for i, (width, height) in enumerate(priors):
            axes[1].scatter([width], [height], s=110, marker="X", color=colour(i), edgecolors="white", linewidths=1.2)
        axes[1].set(xlim=(0, None), ylim=(0, None))
        chart(axes[1], f"{len(points)} boxes of the data set, anchors as crosses", f"width, {unit}", f"height, {unit}")
    return figure


def overlap(a: Sequence[float], b: Sequence[float], names: tuple[str, str] = ("truth", "prediction")) -> Figure:
    """Two boxes (xyxy, any one unit), what they share and what they cover together: IoU as a ratio of areas."""
    figure, (axes,) = new_figure(4.6, 3.8)
    both = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    shared = max(0.0, both[2] - both[0]) * max(0.0, both[3] - both[1])
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared
    if shared:
        axes.add_patch(_patch(both, facecolor=PALETTE[2], alpha=0.55, hatch="//", edgecolor="white"))
    for box, paint, name in ((a, PALETTE[0], names[0]), (b, PALETTE[1], names[1])):
        axes.add_patch(_patch(box, facecolor=paint, alpha=0.15))
        axes.add_patch(_patch(box, fill=False, edgecolor=paint, linewidth=2.5, label=name))
    ratio = shared / union if union > 0 else 0.0
    axes.set_title(f"IoU = {shared:g} / {union:g} = {ratio:.2f}", fontsize=13, color=INK)
    left, top, right, bottom = (pick(a[i], b[i]) for i, pick in enumerate((min, min, max, max)))
    margin = 0.06 * max(right - left, bottom - top) or 1
    axes.set(xlim=(left - margin, right + margin), ylim=(bottom + margin, top - margin), aspect="equal")
    axes.tick_params(labelsize=10)
    figure.legend(fontsize=10, frameon=False, loc="outside lower center", ncols=2)
    return figure


def _patch(box: Sequence[float], **style) -> Rectangle:
    return Rectangle((box[0], box[1]), box[2] - box[0], box[3] - box[1], **style)
