"""Evaluation with detectors whose score is known beforehand."""

import math

import numpy as np
import pytest
import torch

from yolocourse.detect import Detections, Detector
from yolocourse.engine.evaluate import LOWEST_SCORE, classify, evaluate, slices_table
from yolocourse.labels import FlatLabels
from yolocourse.preprocess import Preprocess


class Oracle:
    """Finds what `answer` makes of each picture's truth; knows pictures by their pixels."""

    batch_size = 4

    def __init__(self, scenes, answer):
        self.labels, self.answer, self.scenes, self.asked = scenes.labels, answer, scenes, []

    def __call__(self, pictures, threshold=None):
        self.asked.append((len(pictures), threshold))
        return [self.detect(picture) for picture in pictures]

    def detect(self, picture):
        target = next(target for image, target in self.scenes.items if torch.equal(image, picture))
        boxes, scores, labels = self.answer(target["boxes"].as_subclass(torch.Tensor), target["labels"])
        return Detections(boxes, scores, labels, [self.labels.names[i] for i in labels.tolist()], (48, 48))


def everything(boxes, labels):
    return boxes, torch.full((len(boxes),), 0.9), labels


def nothing(boxes, labels):
    return boxes[:0], torch.zeros(0), labels[:0]


def test_finding_everything_is_perfect(scenes):
    result = evaluate(Oracle(scenes, everything), scenes)
    assert result.ap50 == result.eleven_point == result.voc.mean_recall == 1
    assert result.coco["AP"] == pytest.approx(1) and result.coco["AP50"] == pytest.approx(1)
    assert result.images == 10 and result.images_per_second > 0
    assert result.names == ["block", "bar"]
    assert result.voc.num_truths.tolist() == [9, 4]  # picture 1 is empty, 3, 5, 7 and 9 have two


def test_finding_nothing_is_worth_nothing(scenes):
    result = evaluate(Oracle(scenes, nothing), scenes)
    assert result.ap50 == result.eleven_point == result.voc.mean_recall == result.coco["AP"] == 0


def test_half_shifted_boxes_count_for_less_in_coco(scenes):
    """Boxes moved by a fifth of their width: IoU 0.8 / 1.2 = 2/3, right at 0.50, 0.55, 0.60 and 0.65 of ten."""

    def moved(boxes, labels):
        shift = (boxes[:, 2] - boxes[:, 0]) / 5
        return boxes + shift[:, None] * torch.tensor([1.0, 0.0, 1.0, 0.0]), torch.full((len(boxes),), 0.9), labels

    result = evaluate(Oracle(scenes, moved), scenes)
    assert result.ap50 == 1
    assert result.coco["AP"] == pytest.approx(0.4, abs=1e-6)


def test_wrong_class_counts_as_missed(scenes):
    def renamed(boxes, labels):
        alone = len(boxes) == 1  # a second thing of the other class may lie in the same place
        return everything(boxes, 1 - labels) if alone else nothing(boxes, labels)

    assert evaluate(Oracle(scenes, renamed), scenes).ap50 == 0


def test_one_class_missed_halves_the_mean(scenes):
    def blocks(boxes, labels):
        return everything(boxes[labels == 0], labels[labels == 0])

    result = evaluate(Oracle(scenes, blocks), scenes)
    assert result.voc.ap.tolist() == [1, 0] and result.ap50 == 0.5


def test_asks_in_batches_for_the_whole_ranking(scenes):
    oracle, told = Oracle(scenes, everything), []
    evaluate(oracle, scenes, progress=lambda done, total: told.append((done, total)))
    assert oracle.asked == [(4, LOWEST_SCORE), (4, LOWEST_SCORE), (2, LOWEST_SCORE)]
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_table_has_a_line_a_class_and_the_means(scenes):
    class_, block, bar, mean, rest = evaluate(Oracle(scenes, everything), scenes).table().splitlines()
    assert class_.split() == ["class", "objects", "AP50", "recall", "COCO", "AP"]
    assert block.split() == ["block", "9", "1.000", "1.000", "1.000"]
    assert bar.split() == ["bar", "4", "1.000", "1.000", "1.000"]
    assert mean.split() == ["mean", "13", "1.000", "1.000", "1.000"]
    assert rest.startswith("AP50, 11 points 1.000; 10 pictures, ")


def test_class_without_objects_is_not_counted(make_scenes):
    scenes = make_scenes(1)  # one block, no bar
    result = evaluate(Oracle(scenes, everything), scenes)
    assert math.isnan(result.voc.ap[1]) and result.ap50 == 1
    assert result.table().splitlines()[2].split() == ["bar", "0", "-", "-", "-"]


def test_table_of_slices(scenes):
    results = {"all": evaluate(Oracle(scenes, everything), scenes), "none": evaluate(Oracle(scenes, nothing), scenes)}
    head, all_, none = slices_table(results).splitlines()
    assert head.split() == ["slice", "AP50", "recall", "AP", "AP_small"]
    assert all_.split() == ["all", "1.000", "1.000", "1.000", "1.000"]
    assert none.split()[:4] == ["none", "0.000", "0.000", "0.000"]


def test_other_classes_are_refused(scenes):
    oracle = Oracle(scenes, everything)
    oracle.labels = FlatLabels(["bar", "block"])
    with pytest.raises(ValueError, match=r"\['block', 'bar'\] are not the detector's \['bar', 'block'\]"):
        evaluate(oracle, scenes)


def test_empty_data_set_is_refused(make_scenes):
    with pytest.raises(ValueError, match="no pictures"):
        evaluate(Oracle(make_scenes(0), everything), make_scenes(0))


def test_real_detector_runs(scenes, make_model):
    result = evaluate(Detector(make_model(), scenes.labels, Preprocess(64)), scenes)
    assert 0 <= result.ap50 <= 1 and np.isfinite(result.images_per_second)


class Colours(torch.utils.data.Dataset):
    """Pictures of one colour; class 0 is red, 1 green, 2 blue."""

    labels = FlatLabels(["red", "green", "blue"])

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        image = torch.zeros(3, 40, 48, dtype=torch.uint8)
        image[self.names[i]] = 255
        return image, {"label": torch.tensor(self.names[i])}


class Brightest(torch.nn.Module):
    """Scores are the mean of each channel, in an order that may be wrong; one class more without any evidence."""

    def __init__(self, order=(0, 1, 2)):
        super().__init__()
        self.order, self.sizes, self.anything = list(order), [], torch.nn.Parameter(torch.zeros(1))

    def forward(self, images):
        assert not self.training
        self.sizes.append(tuple(images.shape))
        return images.mean(dim=(2, 3))[:, self.order] + torch.tensor([0.1, 0.2, 0.3])


def test_classify_by_hand():
    right, model = Colours([0, 1, 2, 2]), Brightest().train()
    result = classify(model, right, Preprocess(64), batch_size=3)
    assert (result.top1, result.top5, result.images) == (1.0, 1.0, 4)
    assert model.sizes == [(3, 3, 64, 64), (1, 3, 64, 64)] and model.training
    assert classify(Brightest((1, 0, 2)), right, Preprocess(64)).top1 == 0.5  # red and green swapped
    assert "top-1 0.500" in str(classify(Brightest((1, 0, 2)), right, Preprocess(64)))


def test_classify_refuses_what_has_no_class(scenes):
    with pytest.raises(ValueError, match="number 0 on has no class"):
        classify(Brightest(), scenes, Preprocess(64))
    with pytest.raises(ValueError, match="no pictures"):
        classify(Brightest(), Colours([]), Preprocess(64))
