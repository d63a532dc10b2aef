"""A classifier drawn: guesses, maps and windows, by their pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.viz.classifier import BAR, GREY, feature_maps, guesses, heat, window
from yolocourse.viz.style import FAINT, PALETTE, rgb

NAMES = ["cat", "dog", "owl"]


def count(sheet, colour):
    return int((np.asarray(sheet) == (rgb(colour) if isinstance(colour, str) else colour)).all(-1).sum())


def test_bars_are_as_long_as_their_probability_and_the_right_one_is_blue():
    picture = Image.new("RGB", (40, 40), "#112233")
    wrong = guesses([picture], torch.tensor([[0.75, 0.25, 0.0]]), [2], NAMES, count=2)
    assert count(wrong, PALETTE[5]) == 0 and count(wrong, FAINT) > 0
    sure = guesses([picture], torch.tensor([[0.0, 1.0, 0.0]]), [1], NAMES, count=1)
    columns = np.nonzero((np.asarray(sure) == rgb(PALETTE[5])).all(-1))[1]
    assert columns.max() - columns.min() == BAR
    half = guesses([picture], torch.tensor([[0.5, 0.5, 0.0]]), [1], NAMES, count=2)
    assert count(half, PALETTE[5]) > 0 and count(half, FAINT) > 0
    assert count(half, "#112233") == 110 * 110


def test_fewer_classes_than_guesses():
    assert guesses([Image.new("RGB", (8, 8))], torch.tensor([[0.9, 0.1]]), torch.tensor([0]), NAMES, count=5).width > 0


def test_guesses_need_a_row_and_a_label_for_each_picture():
    with pytest.raises(ValueError, match="1 pictures, 2 rows of probabilities and 1 labels"):
        guesses([Image.new("RGB", (8, 8))], torch.zeros(2, 3), [0], NAMES)


def test_heat_runs_from_dark_to_bright_and_keeps_places():
    pixels = np.asarray(heat(torch.tensor([[0.0, 1.0], [2.0, 4.0]]), 8)).astype(int)
    assert pixels.shape == (8, 8, 3)
    brightness = [pixels[i, j].sum() for i, j in ((0, 0), (0, 7), (7, 0), (7, 7))]
    assert brightness == sorted(brightness) and len(set(brightness)) == 4
    assert (pixels[:4, :4] == pixels[0, 0]).all(), "enlarged without smoothing"
    flat = np.asarray(heat(torch.full((2, 2), 3.0), 4))
    assert (flat == flat[0, 0]).all() and np.isfinite(flat).all()


def test_feature_maps_choose_the_channels_that_differ_between_places():
    loud, spot, faint = torch.full((4, 4), 9.0), torch.zeros(4, 4), torch.full((4, 4), 0.5)
    spot[1, 2] = 0.1
    picture = Image.new("RGB", (16, 16), "#112233")
    one = feature_maps(picture, {"stage": torch.stack([loud, spot, faint])}, count=1, side=20)
    wanted, sheet = np.asarray(heat(spot, 20)), np.asarray(one)
    found = [
        (sheet[y : y + 20, x : x + 20] == wanted).all()
        for y in range(sheet.shape[0] - 19)
        for x in range(sheet.shape[1] - 19)
    ]
    assert sum(found) == 1
    assert count(one, "#112233") == 400
    two = feature_maps(picture, {"a": torch.rand(8, 4, 4), "b": torch.rand(2, 2, 2)}, count=3, side=20)
    assert count(two, "#112233") == 800, "the picture begins every row"


def test_windows_keep_their_place_and_are_grey_outside():
    picture = Image.new("RGB", (10, 10), "#000000")
    picture.putpixel((7, 2), (255, 0, 0))
    cut = np.asarray(window(picture, (7.5, 2.5), 3, side=3))
    assert cut[1, 1].tolist() == [255, 0, 0] and (cut.sum(-1) == 255).sum() == 1
    corner = window(picture, (0, 0), 4, side=4)
    assert count(corner, GREY) == 12
    assert window(picture, (5, 5), 20, side=10).size == (10, 10)
