"""Kinds of errors by hand, against `voc_ap`, and against a slow form written from the YOLO paper's words."""

import numpy as np
import pytest
import torch

from yolocourse.error_analysis import (
    BACKGROUND,
    CORRECT,
    KINDS,
    LEFT_OUT,
    LOCALISATION,
    OTHER,
    SIMILAR,
    analyse_errors,
)  # fmt: skip
from yolocourse.metrics import voc_ap

DOG, CAT, CAR = 0, 1, 2
A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)
NOWHERE = (80, 80, 90, 90)


def truth(rows, labels, difficult=None):
    sample = {"boxes": torch.tensor(rows, dtype=torch.float32).reshape(-1, 4), "labels": torch.tensor(labels).long()}
    return sample | ({} if difficult is None else {"difficult": torch.tensor(difficult)})


def detected(*rows):
    """Rows of box, label, score."""
    boxes, labels, scores = zip(*rows, strict=True) if rows else ([], [], [])
    return truth(boxes, labels) | {"scores": torch.tensor(scores, dtype=torch.float32)}


def kinds(prediction, target, similar=()):
    return analyse_errors([prediction], [target], 3, similar).kinds[0].tolist()


def test_each_kind_by_hand():
    target = truth([A, B, C, (60, 0, 70, 10), (0, 60, 10, 70)], [DOG, DOG, CAT, CAR, DOG])
    shifted = (25, 0, 35, 10)  # shares 5 of 15 columns with B: IoU 1/3
    found = detected((A, DOG, 0.9), (shifted, DOG, 0.8), (C, DOG, 0.7), (NOWHERE, CAR, 0.6), (A, CAT, 0.5))
    assert kinds(found, target, [[DOG, CAT]]) == [CORRECT, LOCALISATION, SIMILAR, BACKGROUND, SIMILAR]
    assert kinds(found, target) == [CORRECT, LOCALISATION, OTHER, BACKGROUND, OTHER]
    result = analyse_errors([found], [target], 3, [[DOG, CAT]])
    assert result.counts.tolist() == [[1, 1, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]]
    assert result.num_truths.tolist() == [3, 1, 1] and result.missed.tolist() == [2, 1, 1]
    assert result.missed_truths[0].tolist() == [False, True, True, True, True]
    assert result.shares[0].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0, 0])
    # Each class counts alike, however many things it has.
    assert result.mean_shares.tolist() == pytest.approx([1 / 9, 1 / 9, 1 / 9 + 1 / 3, 0, 1 / 3])


@pytest.mark.parametrize(
    ("shift", "kind"),
    [(0, CORRECT), (3, CORRECT), (4, LOCALISATION), (8, LOCALISATION), (9, BACKGROUND)],
)
def test_borders_of_overlap(shift, kind):
    """IoU of two squares of side 10 that are shifted by s: (10 - s) / (10 + s); 7/13, 6/14, 2/18, 1/19."""
    assert kinds(detected(((shift, 0, 10 + shift, 10), DOG, 0.9)), truth([A], [DOG])) == [kind]


def test_an_iou_of_exactly_one_half_is_correct():
    assert kinds(detected(((0, 0, 10, 5), DOG, 0.9)), truth([A], [DOG])) == [CORRECT]
    assert kinds(detected(((0, 0, 10, 1), DOG, 0.9)), truth([A], [DOG])) == [LOCALISATION]  # exactly a tenth


def test_finding_a_thing_again_is_a_localisation_error():
    assert kinds(detected((A, DOG, 0.6), (A, DOG, 0.9)), truth([A, B], [DOG, DOG])) == [LOCALISATION, CORRECT]


def test_only_as_many_of_a_class_as_it_has_truths():
    found = [detected((NOWHERE, DOG, 0.3), (A, DOG, 0.2)), detected((A, DOG, 0.9), (B, DOG, 0.1))]
    result = analyse_errors(found, [truth([A], [DOG]), truth([A], [DOG])], 3)
    assert [k.tolist() for k in result.kinds] == [[BACKGROUND, LEFT_OUT], [CORRECT, LEFT_OUT]]
    assert result.missed.tolist() == [1, 0, 0]


def test_a_class_without_truths_has_no_detections_counted():
    result = analyse_errors([detected((A, CAR, 0.9))], [truth([A], [DOG])], 3)
    assert result.counts.sum() == 0 and np.isnan(result.shares).all() and np.isnan(result.mean_shares).all()


def test_difficult_truths_are_neither_found_nor_missed():
    target = truth([A, B], [DOG, DOG], [True, False])
    found = detected((A, DOG, 0.9), (B, DOG, 0.5))
    assert kinds(found, target) == [LEFT_OUT, CORRECT]
    result = analyse_errors([found], [target], 3)
    assert result.num_truths.tolist() == [1, 0, 0] and result.missed.tolist() == [0, 0, 0]
    assert kinds(detected((A, CAT, 0.9)), truth([A, C], [DOG, CAT], [True, False])) == [OTHER]


def test_empty_pictures():
    result = analyse_errors([detected(), detected((A, DOG, 0.9))], [truth([A], [DOG]), truth([], [])], 3)
    assert [k.tolist() for k in result.kinds] == [[], [BACKGROUND]] and result.missed.tolist() == [1, 0, 0]
    assert analyse_errors([], [], 3).num_truths.tolist() == [0, 0, 0]


def test_bad_input_is_refused():
    one, two = [detected((A, DOG, 0.9))], [truth([A], [DOG])] * 2
    with pytest.raises(ValueError, match="1 predictions for 2 pictures"):
        analyse_errors(one, two, 3)
    with pytest.raises(ValueError, match=r"prediction 0 has labels \[0\], outside"):
        analyse_errors(one, two[:1], 0)
    with pytest.raises(ValueError, match="similar has label 3, outside 0 .. 2"):
        analyse_errors(one, two[:1], 3, [[0, 3]])
    with pytest.raises(ValueError, match="label 1 is in two groups"):
        analyse_errors(one, two[:1], 3, [[0, 1], [1, 2]])


def crowd(seed, classes=3):
    """Random truths of six pictures, and detections near some of them."""
    rng = np.random.default_rng(seed)
    targets, predictions = [], []
    for _ in range(6):
        corners = rng.uniform(0, 60, (5, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(10, 30, (5, 2))], axis=1)
        labels = rng.integers(0, classes, 5)
        targets.append(truth(boxes.tolist(), labels.tolist(), (rng.random(5) < 0.15).tolist()))
        moved = np.repeat(boxes, 2, axis=0) + rng.normal(0, 4, (10, 4))
        renamed = np.where(rng.random(10) < 0.3, rng.integers(0, classes, 10), np.repeat(labels, 2))
        predictions.append(detected(*zip(moved.tolist(), renamed.tolist(), rng.random(10).tolist(), strict=True)))
    return predictions, targets


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def slow(predictions, targets, label, similar):
    """One class, from the paper's words: how many of its best detections are of each kind."""
    count = sum(int(((t["labels"] == label) & ~t["difficult"]).sum()) for t in targets)
    rows = [(s, i, b) for i, p in enumerate(predictions)
            for s, b, c in zip(p["scores"].tolist(), p["boxes"].tolist(), p["labels"].tolist(), strict=True)
            if c == label]  # fmt: skip
    taken, result = set(), [0] * len(KINDS)
    for _, image, box in sorted(rows, key=lambda row: -row[0]):
        if sum(result) == count:
            break
        target = targets[image]
        ious = [overlap(box, other) for other in target["boxes"].tolist()]
        own = [(o, -j) for j, o in enumerate(ious) if target["labels"][j] == label]
        others = [(o, -j) for j, o in enumerate(ious) if target["labels"][j] != label]
        best, best_other = max(own, default=(0, 0)), max(others, default=(0, 0))
        if best[0] >= 0.5 and target["difficult"][-best[1]]:
            continue
        if best[0] >= 0.5 and (image, best[1]) not in taken:
            kind = CORRECT
            taken.add((image, best[1]))
        elif best[0] >= 0.1:
            kind = LOCALISATION
        elif best_other[0] >= 0.1:
            pair = {label, int(target["labels"][-best_other[1]])}
            kind = SIMILAR if any(pair <= set(group) for group in similar) else OTHER
        else:
            kind = BACKGROUND
        result[kind] += 1
    return result


@pytest.mark.parametrize("seed", range(8))
def test_against_the_slow_form(seed):
    predictions, targets = crowd(seed)
    result = analyse_errors(predictions, targets, 3, [[DOG, CAT]])
    expected = [slow(predictions, targets, label, [{DOG, CAT}]) for label in range(3)]
    assert result.counts.tolist() == expected
    assert (result.counts[:, CORRECT] + result.missed == result.num_truths).all()


@pytest.mark.parametrize("seed", range(4))
def test_correct_ones_are_those_of_voc_ap(seed):
    """Among the best N of a class, as many are right as its precision-recall curve says after N detections."""
    predictions, targets = crowd(seed)
    for target in targets:
        target["difficult"][:] = False
    result, voc = analyse_errors(predictions, targets, 3), voc_ap(predictions, targets, 3)
    for label in range(3):
        recall, n = voc.curves[label][0], result.num_truths[label]
        assert result.counts[label, CORRECT] == round(recall[min(n, len(recall)) - 1] * n)


def test_order_of_the_pictures_does_not_matter():
    predictions, targets = crowd(1)
    assert (
        analyse_errors(predictions[::-1], targets[::-1], 3).counts == analyse_errors(predictions, targets, 3).counts
    ).all()
