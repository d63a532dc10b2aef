"""A network drawn: each map that it makes, as a block, and the way through them."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from yolocourse.viz.style import INK, PALETTE, new_figure

Shape = tuple[int, int, int]  # channels, rows, columns


def network_shapes(
    main: Sequence[tuple[str, Shape]], branch: Sequence[tuple[str, Shape]], leaves: int, joins: int
) -> Figure:
    """A network as blocks, left to right: as high as the map has rows, as wide as it has channels (both as roots).

    main: name and shape of each map on the way, branch: of those on the passthrough's way, drawn above; it leaves after
    main[leaves] and ends in main[joins]. Raises ValueError for places outside `main`, or an end before the start.
    """
    if not 0 <= leaves < joins < len(main):
        raise ValueError(f"the branch cannot leave after {leaves} and end in {joins} of {len(main)} maps")
    figure, (axes,) = new_figure(10, 3.4)
    low, gap = 0.0, 1.0
    largest = max(shape[1] for _, shape in main) ** 0.5
    places, x = [], 0.0
    for name, shape in main:
        places.append(_block(axes, name, shape, x, low, largest, PALETTE[0]))
        x = places[-1][1] + gap
    for (_, end, _), (start, _, _) in zip(places, places[1:], strict=False):
        _arrow(axes, (end, low), (start, low))
    high, x = 0.72 * largest, places[leaves][1] + 0.3
    span = (places[joins][0] - x) / max(1, len(branch))
    before = ((places[leaves][0] + places[leaves][1]) / 2, low + places[leaves][2] / 2)
    for k, (name, shape) in enumerate(branch):
        start, end, _ = _block(axes, name, shape, x + k * span, high, largest, PALETTE[2], above=True)
        _arrow(axes, before, (start, high))
        before = (end, high)
    _arrow(axes, before, ((places[joins][0] + places[joins][1]) / 2, low + places[joins][2] / 2))
    axes.set(xlim=(-0.3, places[-1][1] + 0.6), ylim=(-0.95 * largest, high + 0.6 * largest))
    axes.set_axis_off()
    return figure


def _block(
    axes: Axes, name: str, shape: Shape, x: float, y: float, largest: float, paint: str, above: bool = False
) -> tuple[float, float, float]:
    """Draws a map; returns its left and right end, and its height."""
    channels, height, width = shape
    wide, high = 0.25 + channels**0.5 / 22, height**0.5
    axes.add_patch(Rectangle((x, y - high / 2), wide, high, facecolor=paint, alpha=0.75, edgecolor=INK))
    text = f"{name}\n{channels} x {height} x {width}"
    side, edge = (1, "bottom") if above else (-1, "top")
    place = (x + wide / 2, y + side * (high / 2 + 0.05 * largest))
    axes.text(*place, text, fontsize=8.5, color=INK, ha="center", va=edge, linespacing=1.3)
    return x, x + wide, high


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=INK, linewidth=1.2))
