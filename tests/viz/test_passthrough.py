"""The passthrough drawn: which pixel is coloured how, and what is refused."""

import pytest
import torch
from matplotlib.colors import to_hex

from yolocourse.models.layers import Passthrough
from yolocourse.viz.passthrough import PALE, numbered, sources, stacking
from yolocourse.viz.style import PALETTE


def stacked(numbers, *orders):
    return {order: Passthrough(order)(numbers[None].float())[0].long() for order in orders}


def squares(figure):
    """Text, colour and height on the page of every pixel with a number, as drawn."""
    axes = figure.axes[0]
    fills = [p for p in axes.patches if p.get_fill() and p.get_width() == p.get_height() == 1]
    texts = [t for t in axes.texts if t.get_ha() == "center"]
    assert len(fills) == len(texts)
    return [(t.get_text(), to_hex(p.get_facecolor()).upper(), p.get_y()) for p, t in zip(fills, texts, strict=True)]


def test_numbers_run_through_rows_and_channels():
    assert numbered(2, 1, 3).tolist() == [[[0, 1, 2]], [[3, 4, 5]]]


def test_every_number_is_drawn_once_for_each_order_in_the_colour_of_its_block():
    numbers = numbered(4, 4, 4)
    drawn = squares(stacking(numbers, stacked(numbers, "clean", "darknet")))
    assert len(drawn) == 3 * 64
    colours = {}
    for text, colour, _ in drawn:
        colours.setdefault(text, set()).add(colour)
    assert all(len(each) == 1 for each in colours.values()), "a number keeps its colour"
    for number, block in ((0, 0), (5, 0), (2, 1), (7, 1), (8, 2), (15, 3), (16, 0), (63, 3)):
        assert colours[str(number)] == {PALETTE[block]}


def test_titles_say_the_shapes():
    numbers = numbered(1, 4, 4)
    texts = [t.get_text() for t in stacking(numbers, stacked(numbers, "clean")).axes[0].texts]
    assert "1 x 4 x 4" in texts and "clean: 4 x 2 x 2" in texts


def test_numbers_that_come_from_nowhere_are_refused():
    with pytest.raises(ValueError, match="number 99"):
        stacking(numbered(1, 2, 2), {"wrong": torch.tensor([[[0]], [[1]], [[2]], [[99]]])})


def test_sources_by_hand():
    """Height 6: the top row of Darknet's grid is given the first, third and last row of every even channel."""
    numbers = numbered(4, 6, 6)
    figure = sources(numbers, stacked(numbers, "clean", "darknet"), (0, 1))
    drawn = squares(figure)
    given = [int(text) for text, colour, _ in drawn[:144] if colour != PALE]
    assert given == [2, 3, 8, 9, 38, 39, 44, 45, 74, 75, 80, 81, 110, 111, 116, 117]
    own = [int(text) for text, colour, _ in drawn[144:] if colour == PALETTE[0]]
    other = [int(text) for text, colour, _ in drawn[144:] if colour == PALETTE[1]]
    assert own == [2, 3, 44, 45, 74, 75, 116, 117]
    assert other == [14, 15, 32, 33, 86, 87, 104, 105]
    titles = [t.get_text() for t in figure.axes[0].texts if "own place" in t.get_text()]
    assert titles == [
        "clean: 16 of its 16 numbers lie in the cell's own place",
        "darknet: 8 of its 16 numbers lie in the cell's own place",
    ]


@pytest.mark.parametrize("cell", [(3, 0), (0, 3), (-1, 0)])
def test_cells_outside_are_refused(cell):
    numbers = numbered(4, 6, 6)
    with pytest.raises(ValueError, match="outside the grid of 3 rows and 3 columns"):
        sources(numbers, stacked(numbers, "clean"), cell)
