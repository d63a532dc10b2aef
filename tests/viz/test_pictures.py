"""Annotated pictures, galleries, grids."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.viz.pictures import annotate, cell_boxes, gallery, grid, resizing, tile
from yolocourse.viz.style import PALETTE, colour, rgb

GREY = (128, 128, 128)


def grey(width=400, height=400):
    return Image.new("RGB", (width, height), GREY)


def pixels(image, paint):
    return (np.asarray(image) == paint).all(-1)


def test_annotate_draws_found_and_truth():
    found = {"boxes": torch.tensor([[50.0, 100, 150, 200]]), "labels": torch.tensor([1]), "scores": torch.tensor([0.9])}
    truth = {"boxes": torch.tensor([[250.0, 100, 350, 200]]), "labels": torch.tensor([1])}
    image = annotate(grey(), found, truth, ["dog", "bus"])
    assert pixels(image, rgb(colour(1)))[:, :200].any() and not pixels(image, rgb(colour(1)))[:, 200:].any()
    dashes = pixels(image, (0, 0, 0))[100:200, 250:350]
    assert dashes[0].any() and dashes[:, 0].any() and not dashes[20:80, 20:80].any()
    assert np.array_equal(np.asarray(annotate(grey())), np.asarray(grey()))


def test_the_best_detection_lies_on_top():
    boxes = torch.tensor([[50.0, 50, 150, 150], [50, 50, 150, 150]])
    image = annotate(grey(), {"boxes": boxes, "labels": torch.tensor([2, 0]), "scores": torch.tensor([0.9, 0.5])})
    assert image.getpixel((50, 100)) == rgb(colour(2))


def test_gallery_layout():
    pictures = [Image.new("RGB", (200, 100), (10 * i, 0, 0)) for i in range(5)]
    sheet = gallery(pictures, columns=3, side=100)
    assert sheet.size == (3 * 110 + 10, 2 * 60 + 10)
    for i in range(5):
        x, y = 10 + i % 3 * 110, 10 + i // 3 * 60
        assert sheet.getpixel((x, y)) == sheet.getpixel((x + 99, y + 49)) == (10 * i, 0, 0)
        assert sheet.getpixel((x + 100, y)) == (255, 255, 255)
    assert sheet.getpixel((240, 80)) == (255, 255, 255)  # no sixth picture


def test_gallery_texts_take_room():
    pictures = [grey(100, 100)] * 4
    plain = gallery(pictures, columns=2, side=100)
    texts = gallery(pictures, columns=2, side=100, titles=list("abcd"), headings=["one", "two"])
    assert plain.size == (230, 230)
    assert texts.size == (230, 230 + 2 * (20 + 26))
    assert (np.asarray(texts)[10:56] < 128).any()  # letters
    long = gallery(pictures, columns=2, side=100, titles=["a title far too long for a small picture"] * 4)
    assert (np.asarray(long)[:28, 110:120] == 255).all()  # cut off before the next picture


def test_gallery_passes_boxes_on():
    boxes = [torch.tensor([[10.0, 10, 60, 60]]), None]
    sheet = gallery([grey(100, 100)] * 2, found=boxes, side=100)
    painted = pixels(sheet, rgb(colour(0)))
    assert painted[:, :110].any() and not painted[:, 110:].any()


def test_gallery_of_nothing_and_of_unequal_lists():
    with pytest.raises(ValueError, match="0 pictures"):
        gallery([])
    with pytest.raises(ValueError, match=r"2 pictures .*'titles': 1"):
        gallery([grey(), grey()], titles=["one"])


def test_tile_keeps_sizes():
    sheet = tile([Image.new("RGB", (30, 40), "red"), Image.new("RGB", (20, 10), "blue")])
    assert sheet.size == (2 * 40 + 10, 40 + 20)
    assert pixels(sheet, (255, 0, 0)).sum() == 1200 and pixels(sheet, (0, 0, 255)).sum() == 200


@pytest.mark.parametrize(
    "box, cell",
    [
        ((0, 0, 20, 20), (0, 0)),
        ((190, 90, 230, 130), (1, 2)),  # centre (210, 110): row 1, column 2 of cells of 100 pixels
        ((390, 390, 410, 410), (3, 3)),  # centre on the far corner: the last cell
    ],
)
def test_grid_colours_the_responsible_cell(box, cell):
    plain, marked = grid(grey(), 4), grid(grey(), 4, torch.tensor([box]).float())
    middles = [(i, j) for i in range(4) for j in range(4)]
    different = [
        (i, j)
        for i, j in middles
        if plain.getpixel((100 * j + 75, 100 * i + 75)) != marked.getpixel((100 * j + 75, 100 * i + 75))
    ]
    assert different == [cell]


def test_grid_of_unequal_sides():
    image = grid(grey(400, 200), (2, 4))
    light = np.asarray(image)[..., 0] > 180
    assert np.flatnonzero(light.mean(0) > 0.9).tolist() == [100, 200, 300]
    assert np.flatnonzero(light.mean(1) > 0.9).tolist() == [100]


def test_cell_boxes_are_thicker_where_surer():
    boxes = torch.tensor([[20.0, 20, 180, 380], [220, 20, 380, 380]])
    image = cell_boxes(grey(), 4, (1, 1), boxes, [0.2, 1.0])
    thin = pixels(image, rgb(PALETTE[0]))[250, :200].sum()
    thick = pixels(image, rgb(PALETTE[1]))[250, 200:].sum()
    assert 0 < thin < thick / 2
    assert image.getpixel((150, 190)) != GREY  # the cell is coloured
    with pytest.raises(ValueError, match=r"cell \(4, 0\) is outside the grid of 4 rows and 4 columns"):
        cell_boxes(grey(), 4, (4, 0), boxes, [0.2, 1.0])
    with pytest.raises(ValueError, match="argument"):
        cell_boxes(grey(), 4, (0, 0), boxes, [0.2])


def test_resizing_takes_boxes_along():
    sheet = resizing(grey(200, 100), 64, torch.tensor([[0.0, 0.0, 100.0, 100.0]]), side=128)
    painted = pixels(sheet, rgb(colour(0)))
    tops, lefts = 30, [10, 148, 286]  # under the titles; 128 + 10 apart

    def height(left):
        ys = np.flatnonzero(painted[:, left : left + 128].any(1))
        return ys.min() - tops, ys.max() + 1 - tops

    assert height(lefts[0]) == (0, 64)  # 200 x 100 drawn at 128 x 64
    assert height(lefts[1]) == (0, 128)  # stretched to the full square
    assert height(lefts[2]) == (32, 96)  # letterboxed: between the bars
