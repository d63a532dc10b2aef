"""What stays after suppression, and the verdict on it: worked out by hand."""

import pytest
import torch
from PIL import Image

from yolocourse.viz.suppression import DOUBLE, RIGHT, WRONG, judge, suppression

# Truths: a bird (0) left, a bird right. Candidates: two on the left bird (IoU 0.6 with each other), one car there, one
# bird in the middle of nowhere.
TRUTH = {"boxes": torch.tensor([[10.0, 10, 30, 30], [60, 60, 80, 80]]), "labels": torch.tensor([0, 0])}
FOUND = {
    "boxes": torch.tensor([[10.0, 10, 30, 30], [10, 10, 30, 22], [10, 10, 30, 30], [40, 40, 50, 50]]),
    "scores": torch.tensor([0.9, 0.8, 0.7, 0.6]),
    "labels": torch.tensor([0, 0, 1, 0]),
}


def test_a_mild_threshold_leaves_the_double():
    verdict = judge(FOUND, TRUTH, 0.7)
    assert verdict.kinds.tolist() == [RIGHT, DOUBLE, WRONG, WRONG]
    assert verdict.missed.tolist() == [False, True]
    assert (verdict.right, verdict.doubles, verdict.wrong) == (1, 1, 2)


def test_a_strict_threshold_removes_it_but_not_the_other_class():
    verdict = judge(FOUND, TRUTH, 0.5)
    assert verdict.kinds.tolist() == [RIGHT, WRONG, WRONG]
    assert len(verdict.boxes) == 3


@pytest.mark.parametrize("keep", [slice(0, 0), slice(0, 4)])
def test_nothing_found_or_nothing_there(keep):
    found = {name: values[keep] for name, values in FOUND.items()}
    assert judge(found, TRUTH, 0.5).missed.sum() == (2 if keep.stop == 0 else 1)
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    verdict = judge(found, empty, 0.5)
    assert verdict.right == 0 and len(verdict.missed) == 0


def test_the_picture_changes_with_the_threshold_and_not_by_itself():
    picture = Image.new("RGB", (100, 100), "grey")
    mild, again, strict = (suppression(picture, FOUND, TRUTH, threshold) for threshold in (0.7, 0.7, 0.5))
    assert mild.size == (520, 550)
    assert mild.tobytes() == again.tobytes() != strict.tobytes()
