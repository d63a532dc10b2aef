"""Recipes: the reference's values, and changing them by name."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from yolocourse.engine.settings import TrainSettings
from yolocourse.labels import FlatLabels
from yolocourse.losses import DetectionLossSettings
from yolocourse.recipes import (
    CLASSIFIER_RECIPES,
    JOINT_RECIPES,
    NETWORKS,
    RECIPES,
    Recipe,
    coco,
    imagenet,
    imagenet448,
    small,
    toytown,
    voc,
    voc_modern,
    yolo9000,
    yolo9000_toytown,
)


def test_voc_has_the_values_of_the_reference():
    train = voc().train
    assert train.images == 80_200 * 64 and train.batch_size == 64
    assert train.optimizer == "sgd" and train.learning_rate == 1e-3
    assert train.momentum == 0.9 and train.weight_decay == 5e-4
    assert train.warmup_images == 64_000 and train.warmup_power == 4
    assert train.schedule == "steps" and train.steps == (40_000 * 64, 60_000 * 64) and train.step_factor == 0.1
    assert train.sizes == (320, 352, 384, 416, 448, 480, 512, 544, 576, 608) and train.sizes_every == 10
    assert train.use_size == 416
    assert train.loss.anchor_warmup_images == 12_800 and train.loss.object_scale == 5
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


def test_imagenet_as_in_the_paper_and_in_darknet():
    first, second = imagenet().train, imagenet448().train
    assert (first.images, first.size, first.learning_rate, first.power) == (160 * 1_281_167, 224, 0.1, 4)
    assert (second.images, second.size, second.learning_rate) == (10 * 1_281_167, 448, 1e-3)
    for settings in (first, second):
        assert (settings.optimizer, settings.momentum, settings.weight_decay) == ("sgd", 0.9, 5e-4)
        assert (settings.batch_size, settings.schedule, settings.hue) == (128, "polynomial", 0.1)
        assert settings.saturation == settings.exposure == pytest.approx(4 / 3)
    assert first.crop == (128, 448) and second.crop == (448, 512)
    assert first.warmup_images == 128_000 and second.warmup_images == 0


@pytest.mark.parametrize("name", CLASSIFIER_RECIPES)
def test_every_classifier_recipe_builds_its_network(name):
    recipe = CLASSIFIER_RECIPES[name]()
    assert recipe.name == name
    model = recipe.with_values(width=0.05).build(FlatLabels(["a", "b", "c"])).eval()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    with pytest.raises(ValueError, match="unknown classifier 'nano'; known: darknet19, yolov1_classifier"):
        recipe.with_values(network="nano")


def test_voc_ends_at_the_largest_size_and_the_modern_one_is_kept_apart():
    assert voc().train.last_images == 12_800 and max(voc().train.sizes) == 608
    modern = voc_modern().train
    assert (modern.optimizer, modern.average, modern.images) == ("adamw", 0.9998, voc().train.images)
    assert voc().train.optimizer == "sgd" and voc().train.average == 0


def test_a_name_means_one_setting_whether_of_the_training_or_of_the_loss():
    training, loss = ({field.name for field in fields(kind)} for kind in (TrainSettings, DetectionLossSettings))
    assert not training & loss
    recipe = toytown().with_values(warmup_images=7, anchor_warmup_images=9)
    assert (recipe.train.warmup_images, recipe.train.loss.anchor_warmup_images) == (7, 9)


def test_yolo9000_has_the_values_of_paper_and_reference():
    recipe = yolo9000()
    train = recipe.train
    assert recipe.ratio == 4 and recipe.network == "yolo9000" and len(recipe.anchors) == 3
    assert recipe.anchors[0] == (0.77871, 1.14074)
    assert train.use_size == 544 and train.sizes == coco().train.sizes and train.batch_size == 64
    assert (train.images, train.steps) == (coco().train.images, coco().train.steps)
    assert train.saturation == train.exposure == pytest.approx(4 / 3) and coco().train.saturation == 1.5
    assert train.loss.assumed_iou == 0.3 and train.loss.object_scale == 5
    with torch.device("meta"):
        model = recipe.build(FlatLabels([str(i) for i in range(9418)]), recipe.find_anchors(None))
        assert model(torch.zeros(1, 3, 544, 544)).shape == (1, 28269, 17, 17), "as in yolo9000.cfg"


@pytest.mark.parametrize("name", JOINT_RECIPES)
def test_joint_recipes_are_whole(name):
    recipe = JOINT_RECIPES[name]().with_values(network="yolo9000", assumed_iou=None, ratio=2.0, width=0.05)
    assert recipe.name == name and recipe.train.loss.assumed_iou is None and recipe.ratio == 2.0
    labels = FlatLabels(["a", "b"])
    model = recipe.build(labels, recipe.find_anchors(np.random.default_rng(0).uniform(0.05, 0.9, (50, 2))))
    task = recipe.task(model, labels)
    assert task.criterion.settings is recipe.train.loss and len(model.anchors) == 3
    image, target = recipe.transform()(torch.zeros(3, 50, 70, dtype=torch.uint8), {"label": torch.tensor(1)})
    assert image.shape == (3, recipe.train.size, recipe.train.size) and target["label"] == 1


def test_toy_towns_joint_recipe_makes_things_smaller_and_scenes_not():
    recipe = yolo9000_toytown()
    white = torch.full((3, 64, 64), 255, dtype=torch.uint8)
    torch.manual_seed(0)
    shares = [(recipe.transform()(white, {"label": torch.tensor(0)})[0] == 255).float().mean() for _ in range(40)]
    assert min(shares) < 0.15 and max(shares) > 0.5
    with pytest.raises(ValueError, match="unknown setting 'assumed_iou'"):
        toytown().with_values(assumed_iou=0.3)
