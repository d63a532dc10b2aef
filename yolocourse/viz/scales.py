"""One network at many input sizes: what it sees, how good it is, how fast it is.

Shape letters: B boxes of one picture.
"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from yolocourse.anchors import STRIDE
from yolocourse.detect import Picture
from yolocourse.preprocess import Preprocess
from yolocourse.viz.canvas import Boxes, Canvas, rows, to_image
from yolocourse.viz.pictures import GAP, annotate
from yolocourse.viz.style import FAINT, INK, PALETTE, chart, colour, font, is_light, new_figure

MARKERS = "osD^vPX"
Point = tuple[float, float, str]  # pictures a second, accuracy, a word to stand beside it


def ladder(picture: Picture, boxes: Boxes | None, sizes: Sequence[int], enlarge: float = 1.0) -> Image.Image:
    """One picture at several input sizes, all to one scale, under cells of 32 pixels: cells stay, things grow.

    boxes: in pixels of `picture`; sizes: sides of the network's input. enlarge: screen pixels for one of the input.
    """
    tiles = []
    for size in sizes:
        canvas = Canvas(picture, round(size * enlarge))
        canvas.grid(size // STRIDE, size // STRIDE)
        for row in rows(boxes):
            canvas.box(row.box, colour(row.label))
        tiles.append(canvas.image)
    sheet = Image.new("RGB", (sum(t.width + GAP for t in tiles) + GAP, max(t.height for t in tiles) + 44), "white")
    draw, x = ImageDraw.Draw(sheet), GAP
    for size, image in zip(sizes, tiles, strict=True):
        sheet.paste(image, (x, 0))
        lines = f"{size} x {size} pixels\n{size // STRIDE} x {size // STRIDE} cells"
        draw.multiline_text((x, image.height + 4), lines, INK, font(13))
        x += image.width + GAP
    return sheet


def seen(picture: Picture, found: Boxes | None, size: int, caption: str = "", side: int = 448) -> Image.Image:
    """What a network with an input of `size` pixels is given, enlarged to `side`, and the boxes that it found there.

    found: in pixels of `picture`; caption: one or more lines below.
    """
    image = to_image(picture)
    given = to_image(Preprocess(size)(image)[0])
    # The detail that is left: one look at the input's own pixels, at the size and proportions of the whole picture.
    drawn = annotate(given.resize(image.size, Image.Resampling.NEAREST), found, side=side)
    sheet = Image.new("RGB", (drawn.width, drawn.height + 10 + 20 * len(caption.splitlines())), "white")
    sheet.paste(drawn)
    ImageDraw.Draw(sheet).multiline_text((6, drawn.height + 5), caption, INK, font(15))
    return sheet


def over_sizes(
    sizes: Sequence[int],
    series: Mapping[str, Sequence[float] | Sequence[tuple[float, float]]],
    trained: Sequence[int] = (),
    y: str = "AP50",
    title: str | None = None,
) -> Figure:
    """A line for each network over the size that it is tested at; a grey band from the least to the largest `trained`.

    series: a number for each size, or a pair (lowest, highest) over several runs, drawn as a band around its middle.
    Raises ValueError when a series has not one entry for each size.
    """
    for name, values in series.items():
        if len(values) != len(sizes):
            raise ValueError(f"{len(sizes)} sizes but {len(values)} values for {name!r}")
    figure, (axes,) = new_figure(6.6, 3.8)
    if trained:
        axes.axvspan(min(trained), max(trained), color=FAINT, alpha=0.25, linewidth=0, label="sizes of multi-scale training")
    for i, (name, values) in enumerate(series.items()):
        pairs = [value if isinstance(value, tuple) else (value, value) for value in values]
        low, high = zip(*pairs, strict=True)
        middle = [(a + b) / 2 for a, b in pairs]
        axes.plot(sizes, middle, color=PALETTE[i], marker=MARKERS[i], linewidth=2, label=name)
        axes.fill_between(sizes, low, high, color=PALETTE[i], alpha=0.25, linewidth=0)
    axes.set_xticks(sizes)
    chart(axes, title, "side of the input when tested, pixels", y)
    axes.legend(fontsize=9, frameon=False)
    return figure


def speed_accuracy(
    series: Mapping[str, Sequence[Point]],
    y: str = "mAP",
    title: str | None = None,
    real_time: float | None = None,
) -> Figure:
    """The plane of speed (to the right) and accuracy (up): up and to the right is better.

    A series of several points is one network at several sizes, joined by a line. Each point has its word beside it.
    real_time: pictures a second at which a dotted line stands.
    """
    figure, (axes,) = new_figure(7.2, 4.2)
    for i, (name, points) in enumerate(series.items()):
        x, height, words = zip(*points, strict=True)
        line = "-" if len(points) > 1 else "none"
        style = {"linestyle": line, "color": PALETTE[i % 7], "marker": MARKERS[i % 7]}
        axes.plot(x, height, markersize=7, linewidth=2, label=name, **style)
        for place in zip(words, zip(x, height, strict=True), strict=True):
            axes.annotate(*place, (5, 5), textcoords="offset points", fontsize=9, color=INK)
    if real_time:
        axes.axvline(real_time, color=INK, linestyle=":", linewidth=1)
        at = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "ha": "right"}
        axes.annotate("real time", (real_time, 0), (-4, 5), fontsize=9, color=INK, **at)
    axes.margins(0.12)
    chart(axes, title, "pictures a second", y)
    axes.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def schedule(sizes: Sequence[int]) -> Figure:
    """Which size the network had at each step of a training run."""
    figure, (axes,) = new_figure(7.5, 2.6)
    axes.step(range(len(sizes)), sizes, where="post", color=PALETTE[0], linewidth=2)
    axes.set_yticks(sorted(set(sizes)))
    chart(axes, None, "step", "side of the input, pixels")
    return figure


def shares(groups: Mapping[str, Sequence[float]], parts: Sequence[str], x: str) -> Figure:
    """A bar a group, cut into parts that add up to 1, such as the things that each anchor answers for at each size.

    Raises ValueError when a group has not one share for each part.
    """
    figure, (axes,) = new_figure(8, 1.1 + 0.5 * len(groups))
    for row, (name, values) in enumerate(groups.items()):
        if len(values) != len(parts):
            raise ValueError(f"{len(parts)} parts but {len(values)} shares for {name!r}")
        left = 0.0
        for i, value in enumerate(values):
            axes.barh(row, value, left=left, color=colour(i), edgecolor="white", label=None if row else parts[i])
            if value >= 0.04:
                paint = "black" if is_light(colour(i)) else "white"
                axes.text(left + value / 2, row, f"{value:.2f}", color=paint, fontsize=9, ha="center", va="center")
            left += value
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    chart(axes, None, x)
    axes.grid(visible=False)
    figure.legend(fontsize=9, frameon=False, loc="outside upper center", ncols=len(parts))
    return figure
