"""A network as blocks: their sizes, their texts, and the places of the branch."""

import pytest
from matplotlib.patches import FancyArrowPatch, Rectangle

from yolocourse.viz.network import network_shapes

MAIN = [("picture", (3, 64, 64)), ("fine", (16, 4, 4)), ("coarse", (64, 1, 1)), ("joined", (80, 1, 1))]
BRANCH = [("squeeze", (4, 4, 4)), ("passthrough", (16, 1, 1))]


def drawn(figure):
    (axes,) = figure.axes
    blocks = [p for p in axes.patches if isinstance(p, Rectangle)]
    return blocks, [p for p in axes.patches if isinstance(p, FancyArrowPatch)], [t.get_text() for t in axes.texts]


def test_blocks_are_high_for_rows_and_wide_for_channels():
    blocks, arrows, texts = drawn(network_shapes(MAIN, BRANCH, 1, 3))
    assert [block.get_height() for block in blocks] == pytest.approx([8, 2, 1, 1, 2, 1])
    widths = [block.get_width() for block in blocks]
    assert widths[0] < widths[1] < widths[2] < widths[3] and widths[5] == widths[1]
    assert texts[0] == "picture\n3 x 64 x 64" and texts[-1] == "passthrough\n16 x 1 x 1"
    assert len(arrows) == 3 + 3


def test_blocks_do_not_overlap():
    blocks, _, _ = drawn(network_shapes(MAIN, BRANCH, 1, 3))
    main = blocks[:4]
    assert all(a.get_x() + a.get_width() < b.get_x() for a, b in zip(main, main[1:], strict=False))
    assert all(branch.get_y() > max(b.get_y() + b.get_height() for b in main[1:]) for branch in blocks[4:])


@pytest.mark.parametrize(("leaves", "joins"), [(3, 1), (1, 4), (-1, 2), (2, 2)])
def test_other_places_are_refused(leaves, joins):
    with pytest.raises(ValueError, match="the branch cannot leave"):
        network_shapes(MAIN, BRANCH, leaves, joins)
