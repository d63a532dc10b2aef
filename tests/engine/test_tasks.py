"""How a batch becomes loss terms: detection with boxes, classification with one label a picture."""

import math

import pytest
import torch

from yolocourse.datasets.batch import collate
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification, Detection, Joint
from yolocourse.engine.train import train
from yolocourse.labels import FlatLabels
from yolocourse.models import Darknet19

PICTURE = torch.zeros(3, 32, 32, dtype=torch.uint8)
CLASSES = FlatLabels(["red", "blue"])


def thing(label):
    return PICTURE, {"label": torch.tensor(label), "image_id": f"thing {label}"}


def scene(difficult):
    boxes, labels = torch.tensor([[1.0, 2, 9, 8], [3, 3, 20, 20]]), torch.tensor([1, 0])
    return PICTURE, {"boxes": boxes, "labels": labels, "difficult": torch.tensor(difficult), "image_id": "scene"}


def test_cross_entropy_and_top1_by_hand():
    batch = collate([thing(0), thing(1)])
    # log(1 + e^-2) and log(1 + e^1): the first is right, the second wrong
    terms = Classification(CLASSES)(torch.tensor([[2.0, 0.0], [1.0, 0.0]]), batch, seen=0)
    expected = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))
    assert terms.total.item() == pytest.approx(expected, rel=1e-6) and terms.top1.item() == 0.5


def test_each_task_refuses_the_other_kind_of_picture():
    with pytest.raises(ValueError, match="'thing 1' has no box labels"):
        Detection(None).check(collate([scene([False, False]), thing(1)]))
    with pytest.raises(ValueError, match="'scene' has no class label"):
        Classification(CLASSES).check(collate([thing(1), scene([False, False])]))
    Detection(None).check(collate([scene([False, True])]))
    Classification(CLASSES).check(collate([thing(1)]))


def test_difficult_boxes_are_not_taught():
    given = {}

    def criterion(raw, boxes, labels, seen):
        given.update(labels=labels, seen=seen)

    Detection(criterion)(None, collate([scene([True, False])]), 7)
    assert given["labels"].tolist() == [[-1, 0]] and given["seen"] == 7


class Colours(torch.utils.data.Dataset):
    """Red and blue pictures, in turn."""

    labels = CLASSES

    def __len__(self):
        return 16

    def __getitem__(self, i):
        picture = torch.zeros(3, 40, 40, dtype=torch.uint8)
        picture[2 * (i % 2)] = 200
        return picture, {"label": torch.tensor(i % 2)}


def test_a_classifier_learns_through_the_same_loop():
    torch.manual_seed(0)
    settings = TrainSettings(
        images=1200, batch_size=8, size=32, learning_rate=1e-2, warmup_images=8, hue=0.0, precision="float32"
    )
    model, reports = Darknet19(2, width=0.05), []
    train(model, Colours(), CLASSES, settings, task=Classification(CLASSES), on_step=reports.append)
    assert reports[0].terms["total"] > 0.3 and reports[-1].terms["total"] < 0.05
    assert reports[-1].terms["top1"] == 1.0


def test_joint_training_takes_both_kinds_and_hands_on_which_is_which():
    given = {}

    def criterion(raw, boxes, labels, has_boxes, label, seen):
        given.update(boxes=boxes, labels=labels, has_boxes=has_boxes, label=label, seen=seen)

    batch = collate([scene([True, False]), thing(1)])
    Joint(None).check(batch)
    Joint(criterion)(None, batch, 7)
    assert given["labels"].tolist() == [[-1, 0], [-1, -1]] and given["seen"] == 7
    assert given["has_boxes"].tolist() == [True, False] and given["label"].tolist() == [-1, 1]
    assert given["boxes"] is batch.boxes
    batch.label[1] = -1
    with pytest.raises(ValueError, match="'thing 1' has neither boxes nor a class"):
        Joint(None).check(batch)
