"""Recipes: the reference's values, and changing them by name."""

import numpy as np
import pytest
import torch

from yolocourse.labels import FlatLabels
from yolocourse.recipes import NETWORKS, RECIPES, Recipe, coco, small, toytown, voc


def test_voc_has_the_values_of_the_reference():
    train = voc().train
    assert train.images == 80_200 * 64 and train.batch_size == 64
    assert train.optimizer == "sgd" and train.learning_rate == 1e-3
    assert train.momentum == 0.9 and train.weight_decay == 5e-4
    assert train.warmup_images == 64_000 and train.warmup_power == 4
    assert train.schedule == "steps" and train.steps == (40_000 * 64, 60_000 * 64) and train.step_factor == 0.1
    assert train.sizes == (320, 352, 384, 416, 448, 480, 512, 544, 576, 608) and train.sizes_every == 10
    assert train.use_size == 416
    assert train.loss.warmup_images == 12_800 and train.loss.object_scale == 5
    assert voc().anchors[0] == (1.3221, 1.73145) and len(voc().anchors) == 5


def test_coco_trains_longer_with_its_own_anchors():
    assert coco().train.images == 500_200 * 64
    assert coco().train.steps == (400_000 * 64, 450_000 * 64)
    assert coco().anchors[-1] == (9.77052, 9.16828)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_network(name):
    recipe = RECIPES[name]()
    assert recipe.name == name
    recipe = recipe.with_values(network="yolov2", width=0.05)
    sizes = np.random.default_rng(0).uniform(0.05, 0.9, (50, 2))
    anchors = recipe.find_anchors(sizes)
    model = recipe.build(FlatLabels(["a", "b"]), anchors).eval()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, len(anchors) * 7, 2, 2)
    np.testing.assert_allclose(model.anchors.numpy(), anchors, rtol=1e-6)


def test_anchors_are_clustered_in_cells_of_the_input():
    # All boxes half as wide and a quarter as high as the picture: at 416 that is 6.5 x 3.25 cells.
    sizes = np.tile([[0.5, 0.25]], (10, 1))
    np.testing.assert_allclose(small().with_values(anchors=1).find_anchors(sizes), [[6.5, 3.25]], rtol=1e-6)


def test_values_are_laid_over_recipe_training_and_loss():
    recipe = toytown().with_values(network="tiny", images=5, ignore_iou=0.5)
    assert (recipe.network, recipe.train.images, recipe.train.loss.ignore_iou) == ("tiny", 5, 0.5)
    assert recipe.train.size == toytown().train.size


def test_unknown_setting_and_network_are_errors():
    with pytest.raises(ValueError, match="unknown setting 'lerning_rate'.*learning_rate"):
        toytown().with_values(lerning_rate=1)
    with pytest.raises(ValueError, match="unknown network 'huge'; known: yolov2, tiny, nano"):
        toytown().with_values(network="huge")


def test_recipes_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        toytown().network = "tiny"
    assert isinstance(toytown(), Recipe)


def test_every_network_on_offer_can_be_built():
    labels = FlatLabels(["dog", "bus"])
    for name in NETWORKS:
        with torch.device("meta"):
            assert toytown().with_values(network=name).build(labels, [[1.0, 1.0]]).num_outputs == 2
    with pytest.raises(ValueError, match="unknown network 'listed'"):
        toytown().with_values(network="listed")
