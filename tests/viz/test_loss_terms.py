"""The loss on a picture: which cell is how dark, which box is framed, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.viz.loss_terms import LEFT_ALONE, NOTHING, RESPONSIBLE, cell_amounts, roles
from yolocourse.viz.style import PALETTE, rgb

PICTURE = Image.new("RGB", (224, 224), "white")


def redness(image, row, column, cells=7):
    """How much more red than blue the middle of a cell's upper edge is."""
    side = image.width / cells
    red, _, blue = image.getpixel((round((column + 0.5) * side), round((row + 0.12) * side)))
    return red - blue


def test_cells_are_the_darker_the_more_comes_from_them():
    amounts = torch.zeros(7, 7)
    amounts[1, 2], amounts[5, 5] = 2.0, 1.0
    image = cell_amounts(PICTURE, amounts, side=448)
    assert image.size == (448, 448)
    assert redness(image, 1, 2) > redness(image, 5, 5) > redness(image, 3, 3) == 0


def test_anchors_are_added_up():
    amounts = torch.rand(5, 7, 7)
    assert cell_amounts(PICTURE, amounts).tobytes() == cell_amounts(PICTURE, amounts.sum(0)).tobytes()


def test_nothing_at_all_is_drawn_as_nothing():
    image = cell_amounts(PICTURE, torch.zeros(7, 7))
    assert redness(image, 0, 0) == redness(image, 6, 6) == 0


def test_boxes_and_caption():
    box = torch.tensor([[30.0, 30, 100, 100]])
    plain, boxed = (cell_amounts(PICTURE, torch.ones(2, 2), boxes) for boxes in (None, box))
    assert plain.tobytes() != boxed.tobytes()
    assert (np.asarray(boxed) == rgb(PALETTE[0])).all(-1).any()
    assert cell_amounts(PICTURE, torch.ones(2, 2), None, box, "centre: 0.20").height == plain.height + 26


@pytest.mark.parametrize("amounts", [torch.zeros(7), torch.zeros(1, 5, 7, 7), torch.tensor([[-1.0]])])
def test_other_amounts_are_refused(amounts):
    with pytest.raises(ValueError, match="must be \\(H, W\\) or \\(A, H, W\\) and not negative"):
        cell_amounts(PICTURE, amounts)


def test_roles_frame_all_but_those_told_nothing():
    kinds = torch.full((5, 7, 7), NOTHING)
    boxes = torch.tensor([50.0, 60, 120, 150]).expand(5, 7, 7, 4)
    painted = {}
    for kind in (NOTHING, LEFT_ALONE, RESPONSIBLE):
        kinds[2, 3, 4] = kind
        pixels = np.asarray(roles(PICTURE, kinds, boxes))
        painted[kind] = [(pixels == rgb(PALETTE[i])).all(-1).sum() for i in (4, 0)]
    assert painted[NOTHING] == [0, 0]
    assert painted[LEFT_ALONE][0] > 300 and painted[LEFT_ALONE][1] == 0
    assert painted[RESPONSIBLE][1] > 300 and painted[RESPONSIBLE][0] == 0


def test_roles_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"kinds \(5, 7, 7\) need boxes \(5, 7, 7, 4\), not \(245, 4\)"):
        roles(PICTURE, torch.zeros(5, 7, 7), torch.zeros(245, 4))
