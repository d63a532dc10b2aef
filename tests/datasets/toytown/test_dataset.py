"""Scenes and things as data sets: determinism, independence of order, slices that keep their promise, speed."""

import json
import time
from pathlib import Path

import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.datasets.toytown.record import hashes, picture_hash, target_hash
from yolocourse.datasets.toytown.slices import CELL, FLOCK_SIDE, FLOCK_SIZE

RECORDED = Path(__file__).parent / "hashes.json"


@pytest.fixture(scope="module")
def slices():
    """Twelve scenes of every slice: targets only."""
    return {name: [data.target(i) for i in range(12)] for name, data in toytown.test_slices(12).items()}


def test_recorded_hashes():
    """Made by `python -m yolocourse.datasets.toytown hashes`."""
    recorded, found = json.loads(RECORDED.read_text()), hashes()
    for kind in ("targets", "pictures"):
        wrong = [key for key in recorded[kind] if found[kind].get(key) != recorded[kind][key]]
        assert found[kind].keys() == recorded[kind].keys() and not wrong, f"{kind} changed: {wrong}"


def test_items_do_not_depend_on_order_or_count():
    forwards, lone = toytown.scenes(5, seed=3), toytown.scenes(100, seed=3)
    pictures = [forwards[i][0] for i in range(5)]
    assert picture_hash(lone[4][0]) == picture_hash(pictures[4]) == picture_hash(lone[4][0])
    assert target_hash(lone.target(2)) == target_hash(forwards[2][1])
    assert len({picture_hash(picture) for picture in pictures}) == 5


def test_seeds_splits_and_slices_differ():
    kinds = [toytown.scenes(1, seed=s, split=p) for s, p in ((0, "train"), (1, "train"), (0, "val"), (0, "test"))]
    kinds += [toytown.scenes(1, slice="everyday"), toytown.scenes(1, slice="everyday", split="test")]
    assert len({picture_hash(data[0][0]) for data in kinds}) == len(kinds)


def test_sample_layout():
    picture, target = toytown.scenes(1, size=160)[0]
    assert picture.mode == "RGB" and picture.size == (160, 160)
    assert set(target) == {"boxes", "labels", "fine", "difficult", "image_id"}
    boxes = target["boxes"]
    assert boxes.format.value == "XYXY" and boxes.canvas_size == (160, 160) and boxes.dtype == torch.float32
    assert torch.equal(boxes, boxes.round()) and boxes.min() >= 0 and boxes.max() <= 160
    assert len(boxes) == len(target["labels"]) == len(target["fine"]) == len(target["difficult"]) > 0
    assert target["labels"].dtype == torch.long and target["difficult"].dtype == torch.bool


def test_fine_labels_lie_below_the_coarse_ones():
    data, seen = toytown.scenes(40, seed=2), set()
    for i in range(40):
        target = data.target(i)
        for coarse, fine in zip(target["labels"].tolist(), target["fine"].tolist(), strict=True):
            if fine >= 0:
                assert toytown.coarse_of(toytown.FINE[fine]) == toytown.COARSE[coarse]
                seen.add(toytown.FINE[fine])
    assert len(seen) >= 15 and not seen & set(toytown.NEVER_BOXED)


def test_keep_and_target_agree_with_drawing():
    kept, fresh = toytown.scenes(2, keep=True), toytown.scenes(2)
    first = kept[1]
    again = kept[1]
    assert picture_hash(first[0]) == picture_hash(again[0]) == picture_hash(fresh[1][0])
    assert target_hash(again[1]) == target_hash(fresh.target(1))


def test_sizes_are_those_of_the_boxes():
    data = toytown.scenes(3, seed=4, size=None)  # one scene at 160, 224 and 288 pixels
    boxes = torch.cat([data[i][1]["boxes"] / side for i, side in enumerate((160, 224, 288))])
    torch.testing.assert_close(data.sizes(), boxes[:, 2:] - boxes[:, :2])
    assert data.sizes().max() <= 1
    assert toytown.scenes(0).sizes().shape == (0, 2)


def centres(target):
    boxes = target["boxes"].as_subclass(torch.Tensor)[~target["difficult"]]
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def test_flock_has_many_small_ones_close_together(slices):
    shared = 0
    for target in slices["flock"]:
        small = (target["boxes"][:, 2:] - target["boxes"][:, :2]).amax(1) <= FLOCK_SIDE
        counts = torch.bincount(target["labels"][small])
        assert counts.max() >= FLOCK_SIZE
        cells = (centres(target) // CELL).int().tolist()
        shared += len(cells) - len({tuple(cell) for cell in cells})
    assert shared / len(slices["flock"]) >= 3  # one class a cell cannot find these


def test_overlap_has_centres_that_share_a_cell(slices):
    for target in slices["overlap"]:
        cells = [tuple(cell) for cell in (centres(target) // CELL).int().tolist()]
        assert len(set(cells)) < len(cells)


def test_aspect_has_long_or_tall_things(slices):
    for target in slices["aspect"]:
        side = target["boxes"][:, 2:] - target["boxes"][:, :2]
        ratio = side[:, 0] / side[:, 1]
        assert ((ratio >= 2) | (ratio <= 0.5)).any()


def test_scale_shows_each_scene_at_every_size():
    data = toytown.test_slices(10)["scale"]
    assert [data[i][0].width for i in range(10)] == [*toytown.SCALES, *toytown.SCALES]
    relative = [data.target(i)["boxes"].as_subclass(torch.Tensor) / data.image_size(i) for i in range(5)]
    for boxes in relative[1:]:
        torch.testing.assert_close(boxes, relative[1], atol=0.015, rtol=0)
    assert toytown.scenes(1, slice="scale", split="test", size=288)[0][0].size == (288, 288)


def test_everyday_has_two_to_eight_things(slices):
    counts = [len(target["labels"]) for target in slices["everyday"]]
    assert min(counts) >= 1 and max(counts) <= 8 and sum(counts) / len(counts) > 3


def test_unseen_shows_what_training_never_does():
    data = toytown.scenes(6, slice="unseen", split="test")
    never = {toytown.FINE.index(name) for name in toytown.NEVER_BOXED}
    assert all(never & set(data.target(i)["fine"].tolist()) for i in range(6))


def test_things_are_balanced_and_fine():
    data = toytown.things(54, seed=1)
    labels = [data.label(i) for i in range(54)]
    assert all(labels.count(k) == 2 for k in range(27)) and labels[:27] != labels[27:]
    picture, target = data[5]
    assert picture.size == (112, 112) and target.keys() == {"label"} and target["label"].shape == ()
    assert target["label"] == labels[5] == data.target(5)["label"]


def test_boxes_of_things_are_for_those_who_ask():
    data = toytown.things(27, with_boxes=True)
    for i in range(27):
        _, target = data[i]
        assert toytown.COARSE[target["coarse"]] == toytown.coarse_of(toytown.FINE[target["label"]])
        side = target["box"][2:] - target["box"][:2]
        assert side.max() >= 45, "the thing should fill most of the picture"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: toytown.scenes(1, slice="crowd"), "unknown slice 'crowd'.*flock"),
        (lambda: toytown.scenes(1, split="training"), "unknown split 'training'.*train, val, test"),
        (lambda: toytown.scenes(-1), "negative.*-1"),
        (lambda: toytown.scenes(1, size=20), "size 20.*64 ... 1024"),
        (lambda: toytown.things(1, size=9999), "size 9999"),
        (lambda: toytown.things(1, split="x"), "unknown split"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_index_outside():
    data = toytown.scenes(2)
    with pytest.raises(IndexError, match="scene 2 of 2"):
        data[2]
    assert target_hash(data[-1][1]) == target_hash(data[1][1])


@pytest.mark.slow
def test_speed():
    """At least 100 scenes a second at 224 pixels on one core: processor time, the best of three."""
    best = 0.0
    for seed in range(3):
        data = toytown.scenes(60, seed=seed)
        start = time.process_time()
        for i in range(60):
            data[i]
        best = max(best, 60 / (time.process_time() - start))
    assert best >= 100, f"{best:.0f} scenes/s"
