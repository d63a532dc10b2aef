"""Figures of joint training: what is drawn in which colour, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.viz.style import PALETTE, rgb
from yolocourse.viz.yolo9000 import CHOSEN, OTHER, candidates, climbing, path_bars, ranking
from yolocourse.wordtree import WordTree

PICTURE = Image.new("RGB", (224, 224), "white")
#                 0         1        2        3        4       5
TREE = WordTree(["thing", "animal", "plant", "dog", "cat", "poodle"], [-1, 0, 0, 1, 1, 3])


def painted(image, place):
    return int((np.asarray(image) == rgb(PALETTE[place])).all(-1).sum())


def test_the_box_with_the_highest_product_is_blue_and_the_next_ones_orange():
    boxes = torch.tensor([[10.0, 10, 60, 60], [100, 100, 200, 200], [120, 20, 180, 60]])
    image = candidates(PICTURE, boxes, torch.tensor([0.1, 0.4, 0.2]))
    assert image.size == (380, 380)
    scale = 380 / 224
    assert image.getpixel((round(100 * scale) + 1, round(150 * scale))) == rgb(PALETTE[CHOSEN])
    assert painted(image, OTHER) > 100


def test_only_the_best_candidates_are_drawn():
    boxes = torch.tensor([[10.0, 10, 60, 60], [100, 100, 200, 200]])
    image = candidates(PICTURE, boxes, torch.tensor([0.1, 0.4]), most=1)
    assert painted(image, OTHER) == 0 < painted(image, CHOSEN)
    assert image.tobytes() != candidates(PICTURE, boxes, torch.tensor([0.1, 0.4]), boxes[:1], most=1).tobytes()


@pytest.mark.parametrize(("boxes", "products"), [(2, 1), (0, 0)])
def test_boxes_without_products_are_refused(boxes, products):
    with pytest.raises(ValueError, match=f"{boxes} boxes and {products} products"):
        candidates(PICTURE, torch.zeros(boxes, 4), torch.zeros(products))


def test_a_panel_a_level_without_those_that_decide_nothing():
    figure = path_bars(TREE, 4, torch.tensor([0.0, -0.4, 0.4, 0.7, -0.7, 0.0]), "slope", "cat")
    names = [[label.get_text() for label in axes.get_xticklabels()] for axes in figure.axes]
    assert names == [["animal", "plant"], ["dog", "cat"]]
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    assert heights == [pytest.approx([-0.4, 0.4]), pytest.approx([0.7, -0.7])]
    colours = [[tuple(round(255 * c) for c in bar.get_facecolor()[:3]) for bar in axes.patches] for axes in figure.axes]
    blue, orange = rgb(PALETTE[CHOSEN]), rgb(PALETTE[OTHER])
    assert colours == [[blue, orange], [orange, blue]]


def test_values_for_another_tree_are_refused():
    with pytest.raises(ValueError, match=r"\(5,\) values; the tree has 6 nodes"):
        path_bars(TREE, 4, torch.zeros(5), "slope")


def test_ranking_is_sorted_and_coloured_by_group():
    figure = ranking({"animals": [("fox", 52.1), ("armadillo", 61.7)], "clothes": [("sunglasses", 0.0)]}, "AP")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["armadillo", "fox", "sunglasses"]
    assert {text.get_text() for text in axes.texts} == {"61.7", "52.1", "0.0"}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["animals", "clothes"]
    assert {text.get_text() for text in ranking({"all": [("jeep", 0.5)]}, "AP").axes[0].texts} == {"0.50"}
    with pytest.raises(ValueError, match="at least one class"):
        ranking({"animals": []}, "AP")


def test_leaves_and_names_above_them_have_other_colours():
    box, score = torch.tensor([[40.0, 60, 160, 180]]), torch.tensor([0.8])
    leaf, above = (climbing(TREE, PICTURE, box, torch.tensor([node]), score) for node in (5, 3))
    assert painted(leaf, 0) > 300 and painted(leaf, 1) == 0
    assert painted(above, 1) > 300 and painted(above, 0) == 0
    assert climbing(TREE, PICTURE, box[:0], torch.zeros(0, dtype=int), score[:0]).size == (380, 380)
