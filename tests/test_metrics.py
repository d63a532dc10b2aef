"""Average precision against hand-worked curves, a plain reference written from the kit's rules, and pycocotools."""

import numpy as np
import pytest
import torch

from yolocourse.metrics import average_precision, coco_ap, top_k, voc_ap


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def truth(rows, labels=None, difficult=None):
    count = len(rows)
    return {
        "boxes": boxes(*rows),
        "labels": torch.tensor(labels if labels is not None else [0] * count, dtype=torch.long),
        "difficult": torch.tensor(difficult if difficult is not None else [False] * count, dtype=torch.bool),
    }


def detected(rows, scores, labels=None):
    labels = torch.tensor(labels if labels is not None else [0] * len(rows), dtype=torch.long)
    return {"boxes": boxes(*rows), "scores": torch.tensor(scores, dtype=torch.float32), "labels": labels}


A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)
NOWHERE = (80, 80, 90, 90)


def test_area_by_hand():
    # Right, wrong, right, of 4 truths: recall 1/4, 1/4, 1/2; precision 1, 1/2, 2/3, made falling: 1, 2/3, 2/3.
    assert average_precision([0.25, 0.25, 0.5], [1, 0.5, 2 / 3]) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)


def test_eleven_points_by_hand():
    # Recall 0, .1, .2: precision 1; .3, .4, .5: 2/3; .6 and on: none.
    assert average_precision([0.25, 0.25, 0.5], [1, 0.5, 2 / 3], "11point") == pytest.approx((3 + 3 * 2 / 3) / 11)


def test_eleven_points_count_a_recall_of_exactly_a_tenth():
    for tenths in range(1, 11):
        assert average_precision([tenths / 10], [1.0], "11point") == pytest.approx((tenths + 1) / 11), tenths


def test_empty_curve_and_unknown_method():
    assert average_precision([], []) == 0
    assert average_precision([], [], "11point") == 0
    with pytest.raises(ValueError, match="'auc'.*area, 11point"):
        average_precision([1.0], [1.0], "auc")


def test_second_detection_of_one_thing_is_wrong():
    result = voc_ap([detected([A, A, B], [0.9, 0.8, 0.7])], [truth([A, B])], 1)
    recall, precision, scores = result.curves[0]
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision == pytest.approx([1, 1 / 2, 2 / 3])
    assert scores == pytest.approx([0.9, 0.8, 0.7])
    assert result.ap[0] == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert (result.recall[0], result.num_truths[0]) == (1, 2)


def test_detection_belongs_to_the_truth_it_overlaps_most_even_if_taken():
    # Both overlap A most; the second would reach 0.5 with the free truth as well (IoU 7/13), and the kit does not care.
    free = (6, 0, 16, 10)
    near = (3, 0, 13, 10)
    iou_free = 7 / 13
    assert iou_free > 0.5
    target = truth([(1, 0, 11, 10), free])  # IoU of `near` with the first: 8/12
    result = voc_ap([detected([(1, 0, 11, 10), near], [0.9, 0.8])], [target], 1)
    assert result.recall[0] == 0.5
    assert result.curves[0][1].tolist() == [1, 0.5]


def test_difficult_truths_count_neither_way():
    target = truth([A, B], difficult=[True, False])
    found_both = voc_ap([detected([A, B], [0.9, 0.8])], [target], 1)
    assert found_both.num_truths[0] == 1
    assert found_both.ap[0] == 1  # not 0.5: the detection on A is not wrong
    assert found_both.recall[0] == 1  # not 2
    twice = voc_ap([detected([A, A, B], [0.9, 0.85, 0.8])], [target], 1)
    assert twice.ap[0] == 1  # any number of detections on a difficult one
    missed = voc_ap([detected([B], [0.8])], [target], 1)
    assert missed.ap[0] == 1
    wrong = voc_ap([detected([NOWHERE, B], [0.9, 0.8])], [target], 1)
    assert wrong.ap[0] == pytest.approx(0.5)


def test_class_with_only_difficult_truths_is_absent():
    result = voc_ap([detected([A, B], [0.9, 0.8], [0, 1])], [truth([A, B], [0, 1], [True, False])], 2)
    assert np.isnan(result.ap[0])
    assert result.mean == 1


def test_absent_classes_are_not_in_the_mean():
    # Class 2 has no truth: its detection is wrong, but there is no AP to lower.
    result = voc_ap([detected([A, NOWHERE], [0.9, 0.9], [0, 2])], [truth([A, B], [0, 1])], 3)
    assert result.ap[:2].tolist() == [1, 0]
    assert np.isnan(result.ap[2])
    assert result.mean == 0.5
    assert result.mean_recall == 0.5
    assert len(result.curves[2][0]) == 0


def test_nothing_detected_and_nothing_there():
    nothing = detected([], [])
    result = voc_ap([nothing], [truth([A])], 1)
    assert (result.ap[0], result.mean, result.recall[0]) == (0, 0, 0)
    result = voc_ap([detected([A], [0.9])], [truth([])], 1)
    assert np.isnan(result.mean)
    assert np.isnan(voc_ap([], [], 1).mean)
    assert coco_ap([nothing], [truth([A])], 1)["AP"] == 0
    assert np.isnan(coco_ap([detected([A], [0.9])], [truth([])], 1)["AP"])


def test_equal_scores_are_taken_in_order():
    target = [truth([A])]
    first_right = voc_ap([detected([A, NOWHERE], [0.5, 0.5])], target, 1)
    first_wrong = voc_ap([detected([NOWHERE, A], [0.5, 0.5])], target, 1)
    assert (first_right.ap[0], first_wrong.ap[0]) == (1, 0.5)


def test_threshold_is_included():
    # A 10 x 10 truth and its left half: IoU exactly 1/2, and the kit says ovmax >= minoverlap.
    half = [detected([(0, 0, 5, 10)], [0.9])]
    assert voc_ap(half, [truth([A])], 1).ap[0] == 1
    assert voc_ap(half, [truth([A])], 1, iou_threshold=0.5000001).ap[0] == 0
    # In thirds, that single precision cannot hold: 2/3 all the same.
    two_thirds = [detected([(0, 0, 2 / 3 * 9, 9)], [0.9])]
    assert voc_ap(two_thirds, [truth([(0, 0, 9, 9)])], 1, iou_threshold=2 / 3).ap[0] == 1


def test_overlap_counts_pixels_as_the_kit_does():
    # The kit's files: corners from 1, the last pixel included, so width is xmax - xmin + 1.
    a, b = (11, 21, 50, 60), (31, 21, 70, 60)
    wide = min(a[2], b[2]) - max(a[0], b[0]) + 1
    high = min(a[3], b[3]) - max(a[1], b[1]) + 1
    areas = sum((x2 - x1 + 1) * (y2 - y1 + 1) for x1, y1, x2, y2 in (a, b))
    kit = wide * high / (areas - wide * high)
    ours = [[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in (a, b)]
    assert kit == pytest.approx(20 * 40 / (2 * 1600 - 800))
    just_under, just_over = kit - 1e-9, kit + 1e-9
    found, there = [detected([ours[0]], [0.9])], [truth([ours[1]])]
    assert voc_ap(found, there, 1, iou_threshold=just_under).ap[0] == 1
    assert voc_ap(found, there, 1, iou_threshold=just_over).ap[0] == 0


def kit_reference(predictions, targets, label, threshold, method):
    """VOCevaldet.m, one detection at a time, in inclusive pixels, without any of the package's functions."""
    detections = []
    for image, prediction in enumerate(predictions):
        for box, score, kind in zip(
            prediction["boxes"].tolist(), prediction["scores"].tolist(), prediction["labels"].tolist(), strict=True
        ):
            if kind == label:
                detections.append((score, image, [box[0] + 1, box[1] + 1, box[2], box[3]]))
    detections.sort(key=lambda detection: -detection[0])
    things = []
    for target in targets:
        rows = zip(target["boxes"].tolist(), target["labels"].tolist(), target["difficult"].tolist(), strict=True)
        things.append([[[x1 + 1, y1 + 1, x2, y2], hard, False] for (x1, y1, x2, y2), k, hard in rows if k == label])
    expected = sum(not hard for image in things for _, hard, _ in image)
    if not expected:
        return None
    right, wrong, recall, precision = 0, 0, [], []
    for _, image, box in detections:
        best, at = -1.0, None
        for thing in things[image]:
            other = thing[0]
            width = min(box[2], other[2]) - max(box[0], other[0]) + 1
            height = min(box[3], other[3]) - max(box[1], other[1]) + 1
            if width > 0 and height > 0:
                union = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
                union += (other[2] - other[0] + 1) * (other[3] - other[1] + 1) - width * height
                if width * height / union > best:
                    best, at = width * height / union, thing
        if at is not None and best >= threshold:
            if not at[1]:
                right, wrong = (right, wrong + 1) if at[2] else (right + 1, wrong)
                at[2] = True
        else:
            wrong += 1
        recall.append(right / expected)
        precision.append(right / (right + wrong) if right + wrong else 0.0)
    if method == "11point":
        tenths = [t / 10 for t in range(11)]
        return sum(max([p for r, p in zip(recall, precision, strict=True) if r >= t] or [0]) for t in tenths) / 11
    total, previous = 0.0, 0.0
    for i, r in enumerate(recall):
        total += (r - previous) * max(precision[i:])
        previous = r
    return total


def random_set(seed, images=12, classes=3, difficult=0.2):
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=generator)

    predictions, targets = [], []
    for _ in range(images):
        count = int(uniform(1) * 6)
        corner = (uniform(count, 2) * 40).round()
        there = torch.cat([corner, corner + 4 + (uniform(count, 2) * 20).round()], dim=1)
        kinds = torch.randint(classes, (count,), generator=generator)
        targets.append({"boxes": there, "labels": kinds, "difficult": uniform(count) < difficult})
        again = there.repeat(2, 1) + ((uniform(2 * count, 4) - 0.5) * 7).round()
        again[:, 2:] = torch.maximum(again[:, 2:], again[:, :2] + 1)
        noise = (uniform(3, 2) * 40).round()
        found = torch.cat([again, torch.cat([noise, noise + 8], dim=1)])
        labels = torch.cat([kinds, kinds, torch.randint(classes, (3,), generator=generator)])
        swap = uniform(len(labels)) < 0.15
        labels[swap] = (labels[swap] + 1) % classes
        # Rounded, so that ties in score are common.
        predictions.append({"boxes": found, "scores": (uniform(len(labels)) * 20).round() / 20, "labels": labels})
    return predictions, targets


@pytest.mark.parametrize("method", ["area", "11point"])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_equals_the_plain_reference(method, threshold):
    means = []
    for seed in range(8):
        predictions, targets = random_set(seed)
        result = voc_ap(predictions, targets, 3, threshold, method)
        expected = [kit_reference(predictions, targets, label, threshold, method) for label in range(3)]
        assert result.ap == pytest.approx(expected, abs=1e-12)
        assert result.mean == pytest.approx(np.mean(expected))
        means.append(result.mean)
    assert 0.02 < np.mean(means) < 0.98  # the sets are neither trivial nor hopeless


def test_coco_ap50_is_close_to_the_area():
    """Two differences are left: COCO reads the falling curve at 101 recalls instead of integrating it, and offers a
    detection the best truth that is still free instead of the best of all. The first moves a class by at most about
    half of 1/100 plus a step of the curve, the second only where truths overlap: here they stand apart."""
    generator = torch.Generator().manual_seed(5)
    predictions, targets = [], []
    for _ in range(60):
        cells = torch.randperm(9, generator=generator)[:5]
        corner = torch.stack([cells % 3, cells // 3], dim=1) * 100.0
        there = torch.cat([corner, corner + 60], dim=1)
        kinds = torch.randint(2, (5,), generator=generator)
        targets.append({"boxes": there, "labels": kinds, "difficult": torch.zeros(5, dtype=torch.bool)})
        moved = there.repeat(2, 1) + torch.randn(10, 4, generator=generator) * 9
        scores = torch.rand(10, generator=generator)
        predictions.append({"boxes": moved, "scores": scores, "labels": kinds.repeat(2)})
    ours, theirs = voc_ap(predictions, targets, 2).mean, coco_ap(predictions, targets, 2)
    assert 0.3 < ours < 0.9
    assert theirs["AP50"] == pytest.approx(ours, abs=0.01)
    assert theirs["AP"] < theirs["AP50"]
    assert theirs["AP75"] == pytest.approx(voc_ap(predictions, targets, 2, 0.75).mean, abs=0.01)
    assert theirs["AP"] == pytest.approx(theirs["per_class"].mean())
    thresholds = [0.5 + 0.05 * i for i in range(10)]
    assert theirs["AP"] == pytest.approx(
        np.mean([voc_ap(predictions, targets, 2, t).mean for t in thresholds]), abs=0.01
    )


def test_coco_by_hand(capsys):
    # One of two found with IoU 0.8, enough at 7 of the 10 thresholds: precision 1 at 51 of the 101 recalls, 0 to 0.50.
    result = coco_ap([detected([(0, 0, 40, 50)], [0.9])], [truth([(0, 0, 50, 50), (100, 0, 150, 50)])], 2)
    assert result["AP50"] == pytest.approx(51 / 101)
    assert result["AP"] == pytest.approx(0.7 * 51 / 101)
    assert result["AP_medium"] == pytest.approx(result["AP"])
    assert np.isnan(result["AP_small"])
    assert result["AR100"] == pytest.approx(0.7 * 0.5)
    assert result["per_class"][0] == pytest.approx(result["AP"])
    assert np.isnan(result["per_class"][1])
    assert capsys.readouterr().out == ""


def test_coco_leaves_difficult_truths_out():
    target = [truth([A, B], difficult=[True, False])]
    assert coco_ap([detected([A, A, B], [0.9, 0.85, 0.8])], target, 1)["AP"] == pytest.approx(1)
    assert coco_ap([detected([NOWHERE, B], [0.9, 0.8])], target, 1)["AP"] == pytest.approx(0.5)


def test_order_of_pictures_and_scale_do_not_matter():
    predictions, targets = random_set(3)
    generator = torch.Generator().manual_seed(0)
    for i, prediction in enumerate(predictions):  # no ties: with ties the order decides
        count = len(prediction["scores"])
        prediction["scores"] = torch.linspace(0.05, 0.9, count)[torch.randperm(count, generator=generator)] + i * 1e-4
    before = voc_ap(predictions, targets, 3).ap
    backwards = voc_ap(predictions[::-1], targets[::-1], 3).ap
    assert backwards == pytest.approx(before, abs=1e-12)
    stretch = torch.tensor([4.0, 0.5, 4.0, 0.5])
    larger = [[{**s, "boxes": s["boxes"] * stretch} for s in samples] for samples in (predictions, targets)]
    assert voc_ap(*larger, 3).ap == pytest.approx(before, abs=1e-12)


def test_targets_without_difficult():
    target = truth([A])
    del target["difficult"]
    assert voc_ap([detected([A], [0.9])], [target], 1).ap[0] == 1
    assert coco_ap([detected([A], [0.9])], [target], 1)["AP"] == pytest.approx(1)


@pytest.mark.parametrize("measure", [voc_ap, coco_ap])
def test_bad_input(measure):
    with pytest.raises(ValueError, match="2 predictions for 1 pictures"):
        measure([detected([], []), detected([], [])], [truth([A])], 1)
    with pytest.raises(ValueError, match=r"target 0 has labels \[3\], outside 0 .. 1"):
        measure([detected([], [])], [truth([A], [3])], 2)
    with pytest.raises(ValueError, match=r"prediction 0 has labels \[-1\]"):
        measure([detected([A], [0.9], [-1])], [truth([A])], 2)
    broken = {**detected([A], [0.9]), "scores": torch.tensor([0.9, 0.8])}
    with pytest.raises(ValueError, match="prediction 0: boxes, labels and scores"):
        measure([broken], [truth([A])], 1)
    with pytest.raises(ValueError, match="'auc'"):
        voc_ap([], [], 1, method="auc")


def test_top_k():
    scores = torch.tensor([[0.1, 0.5, 0.4], [0.7, 0.2, 0.1], [0.2, 0.3, 0.5], [0.5, 0.4, 0.1]])
    labels = torch.tensor([2, 0, 0, 2])
    assert [top_k(scores, labels, k) for k in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert np.isnan(top_k(torch.empty(0, 3), torch.empty(0, dtype=torch.long)))
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"the 3 classes, got {k}"):
            top_k(scores, labels, k)
