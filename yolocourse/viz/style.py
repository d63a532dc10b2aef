"""Colours and type that all figures share: safe for colour-blind readers, legible when a figure is shrunk."""

from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import ImageFont

# Okabe and Ito's palette (Color Universal Design, 2008). Yellow comes late: it is the hardest to see on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
INK, FAINT = "#222222", "#BBBBBB"
DPI = 110  # dots per inch of figures: about as wide as JupyterLab's column at 8 inches


def colour(label: int) -> str:
    """The colour of a class, "#rrggbb", the same in every figure; after eight classes they repeat."""
    return PALETTE[label % len(PALETTE)]


def dash(label: int) -> str:
    """The line style of a class in a chart: tells classes apart whose colours repeat."""
    return ("-", "--", ":", "-.")[label // len(PALETTE) % 4]


def rgb(colour: str) -> tuple[int, int, int]:
    """ "#rrggbb" -> red, green, blue from 0 to 255."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def is_light(colour: str) -> bool:
    """Whether black reads better on this colour than white (relative luminance, WCAG 2)."""
    linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.18


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, so that letters look the same on every machine. Size in pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **grid) -> tuple[Figure, list[Axes]]:
    """A white figure of width x height inches and its axes, row by row; `grid` goes to Figure.subplots.

    Made without pyplot: nothing is registered anywhere, so figures need no closing and no backend.
    """
    figure = Figure((width, height), dpi=DPI, facecolor="white", layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **grid).flatten().tolist()


def chart(axes: Axes, title: str | None = None, x: str | None = None, y: str | None = None) -> None:
    """Dresses axes as a chart: labels, light grid, no box around it."""
    axes.set_title(title or "", fontsize=12, color=INK)
    axes.set_xlabel(x or "", fontsize=11, color=INK)
    axes.set_ylabel(y or "", fontsize=11, color=INK)
    axes.tick_params(labelsize=10, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
