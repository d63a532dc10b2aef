"""What the size of the input changes: pictures at one scale beside what a filter sees of them, and curves over size."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from yolocourse.detect import Picture
from yolocourse.viz.canvas import to_image
from yolocourse.viz.style import FAINT, INK, PALETTE, chart, font, is_light, new_figure

MARKERS = "osD^vP"
MARGIN = 14  # pixels around each picture


def windows(
    pictures: Sequence[Picture], reach: int, titles: Sequence[str] | None = None, scale: int = 2
) -> Image.Image:
    """Pictures side by side, every one of their pixels drawn as large, with a square of `reach` pixels in the middle.

    The square is what one output of a layer sees. Where it is larger than the picture, it stands out over its border:
    the network sees zeros there. scale: screen pixels for a pixel. Raises ValueError unless each picture has a title.
    """
    images = [to_image(picture) for picture in pictures]
    if titles and len(titles) != len(images):
        raise ValueError(f"{len(titles)} titles for {len(images)} pictures; one for each is needed")
    sides = [(max(image.width, reach) * scale, max(image.height, reach) * scale) for image in images]
    head = 24 if titles else 0
    width = sum(side[0] for side in sides) + MARGIN * (len(images) + 1)
    height = max(side[1] for side in sides) + head + 2 * MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    draw, x = ImageDraw.Draw(sheet), MARGIN
    for i, (image, (wide, _)) in enumerate(zip(images, sides, strict=True)):
        middle = (x + wide // 2, MARGIN + head + (height - head - 2 * MARGIN) // 2)
        shown = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
        sheet.paste(shown, (middle[0] - shown.width // 2, middle[1] - shown.height // 2))
        if titles:
            draw.text((middle[0], MARGIN), titles[i], INK, font(14, bold=True), "ma")
        _frame(draw, middle, reach * scale // 2)
        x += wide + MARGIN
    return sheet


def _frame(draw: ImageDraw.ImageDraw, middle: tuple[int, int], half: int, paint: str = PALETTE[4]) -> None:
    """A square around a point, with an edge of the opposite brightness so that it shows on any ground."""
    corners = [middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half]
    draw.rectangle([corners[0] - 1, corners[1] - 1, corners[2] + 1, corners[3] + 1], None,
                   "black" if is_light(paint) else "white", 5)  # fmt: skip
    draw.rectangle(corners, None, paint, 3)


def curves(
    x: Sequence[float], series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, title: str | None = None,
    at: float | None = None, marks: Mapping[float, str] | None = None,
) -> Figure:  # fmt: skip
    """Several lines over the same values, such as top-1 over the size of the input, each with a marker of its own.

    at: a place on the x axis to be pointed out, with each line's value there. marks: words at faint upright lines.
    Raises ValueError for a line of another length, and for an `at` that is none of `x`.
    """
    for name, values in series.items():
        if len(values) != len(x):
            raise ValueError(f"{len(x)} places on the x axis but {len(values)} values for {name!r}")
    if at is not None and at not in x:
        raise ValueError(f"{at} is none of the places on the x axis: {list(x)}")
    figure, (axes,) = new_figure(7, 3.6)
    for place, word in (marks or {}).items():
        axes.axvline(place, color=FAINT, linewidth=1, linestyle="--")
        axes.annotate(word, (place, 1), (3, -3), ("data", "axes fraction"), "offset points", va="top", fontsize=9)
    for i, (name, values) in enumerate(series.items()):
        axes.plot(x, values, color=PALETTE[i], marker=MARKERS[i], linewidth=2, markersize=6, label=name)
        if at is not None:
            value = values[list(x).index(at)]
            axes.plot([at], [value], color=PALETTE[i], marker=MARKERS[i], markersize=13, markeredgecolor=INK)
    if at is not None:
        axes.axvline(at, color=INK, linewidth=1)
    axes.set_xticks(list(x))
    if min(min(values) for values in series.values()) >= 0:
        axes.set_ylim(bottom=0)
    chart(axes, title, xlabel, ylabel)
    figure.legend(fontsize=9, frameon=False, loc="outside lower center", ncols=2)
    return figure


def at_size(picture: Picture, reach: int, x: Sequence[int], series: Mapping[str, Sequence[float]], at: int,
            ylabel: str = "top-1") -> Image.Image:  # fmt: skip
    """The picture made as large as `at` pixels its window, and beside it `curves` with `at` marked.

    Every pixel is drawn once, so the picture grows with `at`; the place for it is always as large as for the largest.
    """
    place = max(*x, reach) + 2 * MARGIN
    shown = windows([to_image(picture).resize((at, at), Image.Resampling.BILINEAR)], reach, scale=1)
    canvas = FigureCanvasAgg(curves(x, series, "side of the input, pixels", ylabel, at=at))
    canvas.draw()
    chart = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    sheet = Image.new("RGB", (place + chart.width, max(place, chart.height)), "white")
    sheet.paste(shown, ((place - shown.width) // 2, (sheet.height - shown.height) // 2))
    sheet.paste(chart, (place, (sheet.height - chart.height) // 2))
    return sheet
