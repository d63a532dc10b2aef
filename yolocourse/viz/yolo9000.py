"""Joint training in figures: which box stands for a picture without boxes, what it is told, and what comes of it.

Shape letters: B boxes of one picture, T nodes of a tree.
"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from yolocourse.detect import Picture
from yolocourse.viz.canvas import Boxes, Canvas, Row, rows
from yolocourse.viz.style import INK, PALETTE, chart, colour, new_figure
from yolocourse.wordtree import WordTree

CHOSEN, OTHER = 0, 4  # places in the palette


def candidates(
    picture: Picture, boxes: Tensor, products: Tensor, truth: Boxes | None = None, most: int = 6, side: int = 380
) -> Image.Image:
    """The boxes with the highest products of objectness and class probability, the chosen one in blue.

    boxes (B, 4) xyxy in pixels of the picture, products (B,), written at their boxes; most: how many are drawn, the
    others are not. truth: in dashes. side: pixels of the picture's longer side. Raises ValueError when boxes and
    products are not as many, or there are none.
    """
    if len(boxes) != len(products) or not len(boxes):
        raise ValueError(
            f"{len(boxes)} boxes and {len(products)} products; each box needs one, and there must be a box"
        )
    canvas, order = Canvas(picture, side), products.argsort(descending=True, stable=True)[:most].tolist()
    canvas.draw.rectangle([0, 0, *canvas.size], (255, 255, 255, 110))
    for row in rows(truth):
        canvas.dashes(row.box)
    drawn = [
        Row(tuple(boxes[b].tolist()), OTHER if place else CHOSEN, f"{float(products[b]):.2g}")
        for place, b in enumerate(order)
    ]
    for row in reversed(drawn):
        canvas.box(row.box, colour(row.label), None if row.label == CHOSEN else max(1, canvas.line // 2))
    canvas.tags(drawn)
    return canvas.image


def path_bars(tree: WordTree, node: int, values: Tensor, y: str, title: str | None = None) -> Figure:
    """A value for every sibling along the path to a node, a panel a level; bars of the path in blue, others in orange.

    values (T,), such as conditional probabilities or slopes. Levels with one node alone are left out, since nothing is
    decided there. Raises ValueError for another number of values than nodes.
    """
    if values.shape != (len(tree),):
        raise ValueError(f"{tuple(values.shape)} values; the tree has {len(tree)} nodes")
    path = tree.path(node)
    levels = [tree.children(above) for above in (None, *path[:-1])]
    levels = [level for level in levels if len(level) > 1]
    widths = [len(level) + 0.6 for level in levels]
    figure, panels = new_figure(8.6, 3.1, 1, max(1, len(levels)), sharey=True, width_ratios=widths or None)
    for i, (axes, level) in enumerate(zip(panels, levels, strict=False)):
        shown = values[level].tolist()
        paints = [PALETTE[CHOSEN] if each in path else PALETTE[OTHER] for each in level]
        axes.bar(range(len(level)), shown, color=paints, width=0.75)
        chart(axes, None, None, None if i else y)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xticks(range(len(level)), [tree.names[each] for each in level], rotation=40, ha="right")
        axes.tick_params(labelsize=9)
        axes.grid(axis="x", visible=False)
        low, high = min([*values.tolist(), 0.0]), max([*values.tolist(), 0.0])
        axes.set_ylim(low * 1.18, high * 1.18 or 1)
        for place, value in enumerate(shown):
            above = {"xytext": (0, 3 if value >= 0 else -3), "textcoords": "offset points", "ha": "center"}
            axes.annotate(f"{value:.2f}", (place, value), fontsize=8, va="bottom" if value >= 0 else "top", **above)
    if title:
        figure.suptitle(title, fontsize=12, color=INK)
    return figure


def ranking(groups: Mapping[str, Sequence[tuple[str, float]]], x: str, title: str | None = None) -> Figure:
    """Classes from the best to the worst, each bar in the colour of its group: the paper's table 7 as a figure.

    groups: {"never boxed": [("jeep", 0.8), ...], ...}. Raises ValueError when there is no class.
    """
    bars = sorted(
        ((name, value, i) for i, group in enumerate(groups.values()) for name, value in group), key=lambda bar: -bar[1]
    )
    if not bars:
        raise ValueError("a ranking needs at least one class")
    figure, (axes,) = new_figure(7.2, 1.0 + 0.24 * len(bars))
    for i, group in enumerate(groups):
        mine = [place for place, bar in enumerate(bars) if bar[2] == i]
        axes.barh(mine, [bars[place][1] for place in mine], color=PALETTE[i], height=0.78, label=group)
    for place, (_, value, _) in enumerate(bars):
        axes.annotate(f"{value:.2f}" if max(bar[1] for bar in bars) <= 1 else f"{value:.1f}", (value, place),
                      xytext=(3, 0), textcoords="offset points", va="center", fontsize=8, color=INK)  # fmt: skip
    axes.set_yticks(range(len(bars)), [bar[0] for bar in bars])
    axes.invert_yaxis()
    chart(axes, title, x)
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.1)
    if len(groups) > 1:
        axes.legend(fontsize=9, frameon=False, loc="lower right")
    return figure


def climbing(
    tree: WordTree, picture: Picture, boxes: Tensor, labels: Tensor, scores: Tensor, side: int = 380
) -> Image.Image:
    """Boxes with the names that a walk down the tree ended at: leaves in blue, names above them in vermilion.

    boxes (B, 4) xyxy in pixels of the picture, labels (B,) nodes, scores (B,) the probabilities of those names.
    """
    canvas, leaves = Canvas(picture, side), set(tree.leaves)
    named = zip(boxes.tolist(), labels.tolist(), scores.tolist(), strict=True)
    drawn = [Row(tuple(box), int(node not in leaves), f"{tree.names[node]} {score:.2f}") for box, node, score in named]
    for row in reversed(drawn):
        canvas.box(row.box, colour(row.label))
    canvas.tags(drawn)
    return canvas.image
