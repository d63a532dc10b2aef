"""The passthrough drawn with numbered pixels: where each number of a fine map goes, and what a coarse cell is given.

Shape letters: K channels, H W rows and columns of the fine map.
"""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from yolocourse.viz.style import FAINT, INK, PALETTE, is_light, new_figure

GAP = 0.9  # between two maps, in pixels of a map
PALE = "#F4F4F4"


def numbered(channels: int, height: int, width: int) -> Tensor:
    """Maps (K, H, W) whose pixels are numbered from 0 on, row by row and channel by channel."""
    return torch.arange(channels * height * width).view(channels, height, width)


def stacking(numbers: Tensor, stacked: Mapping[str, Tensor], inch: float = 0.27) -> Figure:
    """Fine maps on the left and, for each order, what it makes of them: one colour for each 2x2 block of places.

    numbers (K, H, W), each another one; stacked: title -> (4K, H/2, W/2) with the same numbers, four channels a row.
    inch: side of a pixel. Raises ValueError when a number of `stacked` is not in `numbers`.
    """
    K, H, W = numbers.shape
    place = {n: ((i % (H * W)) // W, i % W) for i, n in enumerate(numbers.flatten().tolist())}
    missing = [n for out in stacked.values() for n in out.flatten().tolist() if n not in place]
    if missing:
        raise ValueError(f"number {missing[0]} of the stacked maps is not in the fine ones")

    def paint(number: int) -> str:
        row, column = place[number]
        return PALETTE[(row // 2 * (W // 2) + column // 2) % len(PALETTE)]

    columns = min(K, 2)  # of the fine maps
    widths = [columns * (W + GAP) - GAP] + [4 * (W // 2) + 3 * GAP] * len(stacked)
    heights = [-(-K // columns) * (H + GAP)] + [len(out) // 4 * (H // 2 + GAP) for out in stacked.values()]
    wide, high = sum(widths) + 3 * len(stacked) + 1, max(heights) + 1.6
    figure, (axes,) = new_figure(wide * inch, high * inch)
    _bare(axes, wide, high)
    for k, channel in enumerate(numbers):
        left, top = 0.5 + k % columns * (W + GAP), 1.6 + k // columns * (H + GAP)
        _map(axes, channel, left, top, paint, f"{k}" if K > 1 else "")
    axes.text(0.5, 0.3, f"{K} x {H} x {W}", fontsize=10, color=INK, va="center", weight="bold")
    left = 0.5 + widths[0] + 3
    for (title, out), width in zip(stacked.items(), widths[1:], strict=True):
        _, h, w = out.shape
        axes.text(left, 0.3, f"{title}: {len(out)} x {h} x {w}", fontsize=10, color=INK, va="center", weight="bold")
        for k, channel in enumerate(out):
            _map(axes, channel, left + k % 4 * (w + GAP), 1.6 + k // 4 * (h + GAP), paint, f"{k}")
        left += width + 3
    return figure


def sources(numbers: Tensor, stacked: Mapping[str, Tensor], cell: tuple[int, int], inch: float = 0.3) -> Figure:
    """Which numbers of the fine maps a coarse cell is given, one row of maps for each order; framed: its own place.

    numbers (K, H, W), each another one; stacked: title -> (4K, H/2, W/2); cell: row and column on the coarse grid.
    Raises ValueError for a cell outside it.
    """
    K, H, W = numbers.shape
    row, column = cell
    if not (0 <= row < H // 2 and 0 <= column < W // 2):
        raise ValueError(f"cell {tuple(cell)} is outside the grid of {H // 2} rows and {W // 2} columns, from 0")
    wide, high = K * (W + GAP) + 0.6, len(stacked) * (H + 2.2)
    figure, (axes,) = new_figure(wide * inch, high * inch)
    _bare(axes, wide, high)
    own = set(numbers[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten().tolist())
    for line, (title, out) in enumerate(stacked.items()):
        given, top = set(out[:, row, column].tolist()), line * (H + 2.2) + 1.4
        text = f"{title}: {len(given & own)} of its {len(given)} numbers lie in the cell's own place"
        axes.text(0.5, top - 0.75, text, fontsize=11, color=INK, va="center")
        for k, channel in enumerate(numbers):
            left = 0.5 + k * (W + GAP)
            _map(axes, channel, left, top, lambda n, given=given: _kind(n, n in given, n in own))
            frame = (left + 2 * column, top + 2 * row)
            axes.add_patch(Rectangle(frame, 2, 2, fill=False, edgecolor=INK, linewidth=2.5, zorder=3))
    return figure


def _kind(number: int, given: bool, own: bool) -> str:
    """Blue: given to the cell, and from its place; vermilion: given, from elsewhere; pale: not given."""
    return PALE if not given else PALETTE[0] if own else PALETTE[1]


def _bare(axes: Axes, wide: float, high: float) -> None:
    axes.set(xlim=(0, wide), ylim=(high, -0.4), aspect="equal")
    axes.set_axis_off()


def _map(axes: Axes, numbers: Tensor, left: float, top: float, paint, name: str = "") -> None:
    """One channel (H, W) as coloured squares with numbers; its name to the left of its upper corner."""
    for i, line in enumerate(numbers.tolist()):
        for j, number in enumerate(line):
            colour = paint(number)
            axes.add_patch(Rectangle((left + j, top + i), 1, 1, facecolor=colour, edgecolor="white", linewidth=1))
            ink = "#767676" if colour == PALE else "black" if is_light(colour) else "white"
            axes.text(left + j + 0.5, top + i + 0.52, str(number), fontsize=8, color=ink, ha="center", va="center")
    height, width = numbers.shape
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=FAINT, linewidth=1))
    if name:
        axes.text(left - 0.12, top + 0.3, name, fontsize=6.5, color=INK, ha="right", va="center")
