"""Notebook 02's experiments over several seeds, and the results that come with the course."""

import math

import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.models.yolov1 import yolov1
from yolocourse.studies import batch_norm as study
from yolocourse.studies.results import read, select


def test_a_small_run_writes_rows_of_all_experiments(tmp_path):
    out = tmp_path / "results.csv"
    sizes = {"scenes": 6, "images": 64, "things": 16, "classifier_images": 16, "tests": 4, "rounds": 1}
    rows = study.run([3], out, **sizes)
    rates = select(rows, experiment="rates")
    assert [(r["batch_norm"], r["rate"]) for r in rates] == [(n, r) for n in ("without", "with") for r in study.RATES]
    assert all(row["finished"] == 1 and 0 <= row["top1"] <= 1 for row in rates)
    for batch_norm, dropout in study.KINDS:
        looks = select(rows, experiment="dropout", batch_norm=study.NAMES[batch_norm], dropout=dropout)
        assert len(looks) == study.LOOKS and [row["images"] for row in looks] == sorted(row["images"] for row in looks)
        assert all(math.isfinite(row["loss"]) and math.isfinite(row["test_loss"]) for row in looks)
        assert 0 <= looks[-1]["AP50"] <= 1 and math.isnan(looks[0].get("AP50", math.nan))
    assert len(select(rows, experiment="speed")) == len(study.KINDS)
    assert read(out)[0]["seed"] == 3
    before = out.read_bytes()
    study.run([3], out, **sizes)
    assert out.read_bytes() == before, "what is there is not run again"


def test_a_run_that_blows_up_is_a_row_too():
    things = toytown.things(32, size=64)
    settings = study.replace(study.CLASSIFIER, images=64, learning_rate=1e12, warmup_images=0)
    (row,) = study.at_rate(study.Cached(things), things, False, settings)
    assert row["finished"] == 0 and math.isnan(row["loss"]) and math.isnan(row["top1"])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return yolov1(12, 0.05, dropout=0.5).eval()


def test_what_the_trunk_saw_gives_the_same_output_as_the_picture(network):
    scenes = toytown.scenes(3)
    lessons = study.look(network.trunk, scenes)
    assert lessons.features.shape[0] == 3 and lessons.boxes.shape[:2] == lessons.labels.shape
    images = torch.stack([torch.frombuffer(bytearray(scenes[i][0].tobytes()), dtype=torch.uint8) for i in range(3)])
    with torch.no_grad():
        raw = network(images.view(3, 224, 224, 3).permute(0, 3, 1, 2) / 255)
        loss = study.YOLOv1Loss(12)(raw, lessons.boxes, lessons.labels).total / 3
        torch.testing.assert_close(study.lesson_loss(network, lessons), loss, rtol=1e-4, atol=1e-4)
    assert (lessons.labels >= 0).sum() == sum((~scenes.target(i)["difficult"]).sum() for i in range(3))


def test_versions_differ_and_can_be_had_again(network):
    scenes = toytown.scenes(2)
    once, again = (study.look(network.trunk, scenes, versions=2) for _ in range(2))
    assert len(once.features) == 4
    torch.testing.assert_close(once.features, again.features)
    assert not torch.equal(once.features[:2], once.features[2:])


def test_training_leaves_the_trunk_alone(network):
    lessons = study.look(network.trunk, toytown.scenes(2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    study.train_head(network, lessons, 0, images=64, looks=2)
    after = network.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"neck", "head"}


def test_learning_rate_climbs_and_falls_to_zero():
    assert study.rate_at(0.025) == pytest.approx(study.RATE / 2, rel=0.01)
    assert study.rate_at(1) == pytest.approx(0) and study.rate_at(0.5) == pytest.approx(study.RATE / 2)


@pytest.fixture(scope="module")
def rows():
    return read(study.RESULTS)


SEEDS = range(3)


def ends(rows, batch_norm, dropout, column):
    """The last look of each seed's run."""
    kind = {"experiment": "dropout", "batch_norm": batch_norm, "dropout": dropout}
    return [select(rows, seed=seed, **kind)[-1][column] for seed in SEEDS]


def test_results_have_three_seeds_of_everything(rows):
    for seed in SEEDS:
        for name in ("without", "with"):
            for rate in study.RATES:
                assert len(select(rows, experiment="rates", batch_norm=name, rate=rate, seed=seed)) == 1
            for dropout in (0, 0.5):
                assert (
                    len(select(rows, experiment="dropout", batch_norm=name, dropout=dropout, seed=seed)) == study.LOOKS
                )
                assert len(select(rows, experiment="speed", batch_norm=name, dropout=dropout, seed=seed)) == 1
    assert len(rows) == 3 * (2 * len(study.RATES) + 4 * study.LOOKS + 4)


def test_results_say_what_the_notebook_says_about_rates(rows):
    def top1(name, rate):
        return [row["top1"] for row in select(rows, experiment="rates", batch_norm=name, rate=rate)]

    low, middle, high = study.RATES
    assert max(top1("without", low)) < 0.1 and max(top1("without", high)) < 0.1, "guessing"
    assert max(top1("without", middle)) > 0.1 > min(top1("without", middle)), "sets off late, or not at all"
    for rate in study.RATES:
        assert min(top1("with", rate)) > max(top1("without", rate)) + 0.1
    assert min(top1("with", middle)) > max(top1("with", high)), "large steps are no longer best"


def test_results_say_what_the_notebook_says_about_dropout(rows):
    new = {(name, p): ends(rows, name, p, "test_loss") for name in ("without", "with") for p in (0.5, 0)}
    old = {kind: ends(rows, *kind, "loss") for kind in new}
    assert max(new["with", 0]) < min(new["without", 0.5] + new["without", 0]) - 0.2, "batch norm helps with new scenes"
    for seed in SEEDS:
        gap = {kind: new[kind][seed] - old[kind][seed] for kind in new}
        assert max(gap, key=gap.get) == ("without", 0), "learned by heart"
        assert abs(new["with", 0][seed] - new["with", 0.5][seed]) < 0.2, "dropout is not missed"
        assert ends(rows, "with", 0, "AP50")[seed] > ends(rows, "without", 0.5, "AP50")[seed] + 0.01


def test_results_say_what_the_notebook_says_about_speed(rows):
    for seed in SEEDS:
        for name in ("without", "with"):
            seconds = [
                select(rows, experiment="speed", batch_norm=name, dropout=p, seed=seed)[0]["seconds"] for p in (0.5, 0)
            ]
            assert seconds[0] / seconds[1] < 1.25, "a step with dropout is not slower"
            end = ends(rows, name, 0.5, "loss")[seed]
            looks = select(rows, experiment="dropout", batch_norm=name, dropout=0, seed=seed)
            share = next(row["images"] for row in looks if row["loss"] <= end) / study.IMAGES
            assert 1.6 < 1 / share < 3.5, "but it takes two to three times as many"
