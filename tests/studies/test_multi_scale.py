"""The experiment of notebook 08: its pieces, a tiny run, and that the results say what the notebook says."""

import math

import pytest
import torch
from torchvision.tv_tensors import BoundingBoxes

from yolocourse.detect import Detections
from yolocourse.studies import multi_scale as study
from yolocourse.studies.results import read, select


def test_networks_differ_in_nothing_but_sizes():
    fixed, multi = study.settings((160,), 1, 80), study.settings(study.SIZES, 1, 80)
    assert (fixed.size, fixed.sizes, multi.size, multi.sizes) == (160, (), 288, study.SIZES)
    assert multi.sizes_every == 10 and fixed.seed == multi.seed == 1
    names = {name for name in vars(fixed) if getattr(fixed, name) != getattr(multi, name)}
    assert names == {"size", "sizes"}


def test_the_same_scenes_at_each_size():
    tests = study.test_scenes(2)
    assert list(tests) == [160, 224, 288, 352, 416] and all(len(scenes) == 2 for scenes in tests.values())
    for size, scenes in tests.items():
        picture, target = scenes[1]
        assert picture.size == (size, size)
        assert target["labels"].tolist() == tests[160][1][1]["labels"].tolist()


def test_found_sides_by_hand():
    true = BoundingBoxes(torch.tensor([[0.0, 0, 40, 40], [60, 60, 100, 100]]), format="XYXY", canvas_size=(128, 128))
    scenes = [(None, {"boxes": true, "labels": torch.tensor([0, 1])})]
    boxes = torch.tensor([[0.0, 0, 32, 32], [0, 0, 10, 10], [60, 60, 100, 100]])
    labels = torch.tensor([0, 0, 0])  # the last one fits a thing of another class

    def detector(picture, threshold):
        return Detections(boxes, torch.ones(3), labels, ["a"] * 3, (128, 128))

    assert study.found_sides(detector, scenes).tolist() == pytest.approx([0.8])
    empty = Detections(boxes[:0], torch.zeros(0), labels[:0], [], (128, 128))
    assert len(study.found_sides(lambda picture, threshold: empty, scenes)) == 0


def test_lost_compares_with_the_one_at_home():
    ap50 = {(288, 288): 0.75, (160, 288): 0.25, ("160 to 288", 288): 0.5}
    assert study.lost(ap50, 160, 288) == 0.5 and study.lost(ap50, "160 to 288", 288) == 0.25


def test_a_tiny_run(tmp_path):
    out = tmp_path / "results.csv"
    rows = study.main([5], 16, out, scenes=16, tests=1)
    assert [row["network"] for row in rows[::5]] == [160, 224, 288, "160 to 288"]
    assert [row["size"] for row in rows[:5]] == [160, 224, 288, 352, 416]
    assert all(row["seed"] == 5 and row["images"] == 16 and 0 <= row["AP50"] <= 1 for row in rows)
    assert len(study.main([5], 16, out, scenes=16, tests=1)) == 20  # nothing is run twice


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def curves(rows, seed, images=study.IMAGES, column="AP50"):
    return {(row["network"], row["size"]): row[column] for row in select(rows, seed=seed, images=images)}


def test_results_have_three_seeds_of_all_networks(rows):
    short = select(rows, images=study.IMAGES)
    found = {(row["network"], row["seed"], row["size"]) for row in short}
    sizes = (160, 224, 288, 352, 416)
    assert found == {(name, seed, size) for name in study.LESSONS for seed in range(3) for size in sizes}
    assert len(short) == len(found) and not any(math.isnan(row["AP50"]) for row in rows)


@pytest.mark.parametrize("seed", range(3))
def test_multi_scale_loses_less_than_half_of_what_the_other_end_loses(rows, seed):
    ap50 = curves(rows, seed)
    for home, other in ((160, 288), (288, 160)):
        far, multi = study.lost(ap50, other, home), study.lost(ap50, "160 to 288", home)
        assert far > 0.1 and multi < 0.5 * far


@pytest.mark.parametrize("seed", range(3))
def test_but_one_size_in_the_middle_loses_little_too(rows, seed):
    ap50 = curves(rows, seed)
    assert abs(study.lost(ap50, 224, 160)) < 0.03 and 0.03 < study.lost(ap50, 224, 288) < 0.07
    middle, multi = (sum(study.lost(ap50, name, size) for size in (160, 288)) / 2 for name in (224, "160 to 288"))
    assert multi > middle
    assert ap50[224, 416] < ap50["160 to 288", 416] < ap50[288, 416]


@pytest.mark.parametrize("seed", range(3))
def test_boxes_come_in_the_size_of_the_training(rows, seed):
    sides = curves(rows, seed, column="side")
    assert 0.95 < sides[160, 160] < 1.02 and 0.95 < sides[288, 288] < 1.02
    assert sides[160, 288] < 0.8 and sides[288, 160] > 1.13
    assert sides[160, 288] < sides["160 to 288", 288] < 1
    assert 1 < sides["160 to 288", 160] < sides[288, 160]


@pytest.mark.parametrize("seed", range(3))
def test_a_small_picture_costs_everyone(rows, seed):
    ap50 = curves(rows, seed)
    assert ap50[160, 160] < ap50[288, 288] - 0.3
