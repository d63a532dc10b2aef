"""Notebook 03's experiment: a tiny run, its parts, and what the results that come with the course say."""

import pytest
import torch
from torch import nn

from yolocourse.datasets import toytown
from yolocourse.models import Darknet19
from yolocourse.studies import high_resolution as study
from yolocourse.studies.results import read, select


def test_a_tiny_run_has_a_row_for_each_network_size_and_slice(tmp_path):
    out = tmp_path / "results.csv"
    tiny = {"things": 40, "tests": 6, "scenes": 16, "scene_tests": 1, "images": (32, 32, 8)}
    rows = study.run([3], out, **tiny)
    for network in study.NETWORKS:
        named = select(rows, network=network, what="classifier", seed=3)
        assert [row["size"] for row in named] == list(study.TESTED_AT)
        assert all(0 <= row["top1"] <= row["top5"] <= 1 for row in named)
    for network, trunk in study.DETECTORS:
        found = select(rows, network=network, what="detector", trunk=trunk, seed=3)
        assert [row["slice"] for row in found] == list(study.SLICES)
        assert all(0 <= row["AP50"] <= 1 and row["seconds"] > 0 for row in found)
    said = []
    study.collect(out, study.runs([3], **tiny), said.append)
    assert said == []  # nothing is run again


def test_the_two_lessons_differ_in_size_alone():
    small, large = study.more_settings(study.SMALL, seed=4), study.more_settings(study.LARGE, seed=4)
    assert (small.size, large.size) == (64, 128)
    assert {k: v for k, v in vars(small).items() if k != "size"} == {
        k: v for k, v in vars(large).items() if k != "size"
    }


def test_renewed_statistics_are_those_of_the_pictures_and_no_weight_changes():
    torch.manual_seed(0)
    model = Darknet19(5, 0.25).eval()
    pictures = toytown.things(32, size=64)
    renewed = study.renew_statistics(model, pictures, 96, count=32)
    assert not renewed.training and model.trunk.to_fine[0][0][1].num_batches_tracked == 0
    torch.testing.assert_close(dict(renewed.named_parameters()), dict(model.named_parameters()))
    batch = torch.stack([study.Preprocess(96)(picture)[0] for picture, _ in pictures])
    first = renewed.trunk.to_fine[0][0]
    assert isinstance(first[1], nn.BatchNorm2d)
    expected = first[0](batch).mean(dim=(0, 2, 3))
    torch.testing.assert_close(first[1].running_mean, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


def mean_ap(rows, network, trunk):
    """AP50 as the mean over the slices, by seed."""
    found = select(rows, what="detector", network=network, trunk=trunk)
    seeds = sorted({row["seed"] for row in found})
    return [sum(row["AP50"] for row in select(found, seed=seed)) / len(study.SLICES) for seed in seeds]


def top1(rows, network, size):
    return [row["top1"] for row in select(rows, what="classifier", network=network, size=size)]


def test_the_results_have_five_seeds_of_everything(rows):
    for network in study.NETWORKS:
        assert all(len(top1(rows, network, size)) == 5 for size in study.TESTED_AT)
    assert all(len(mean_ap(rows, network, trunk)) == 5 for network, trunk in study.DETECTORS)


def test_the_size_of_the_last_lesson_decides_and_not_its_length(rows):
    assert min(top1(rows, "then 128", 128)) > 0.5 + max(top1(rows, "then 64", 128))
    assert min(top1(rows, "then 64", 64)) > 0.2 + max(top1(rows, "then 128", 64))
    assert max(top1(rows, "statistics", 128)) < min(top1(rows, "start", 64)) - 0.3, "statistics are not the cause"


def test_a_fixed_trunk_gains_with_every_seed_and_one_that_learns_does_not(rows):
    fixed, learns = (
        [b - a for a, b in zip(mean_ap(rows, "then 64", trunk), mean_ap(rows, "then 128", trunk), strict=True)]
        for trunk in ("fixed", "learns")
    )
    assert min(fixed) > 0.02
    assert min(learns) < 0 < max(learns)
    for network in ("then 64", "then 128"):
        pairs = zip(mean_ap(rows, network, "fixed"), mean_ap(rows, network, "learns"), strict=True)
        assert all(a < b for a, b in pairs)
