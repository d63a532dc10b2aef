"""The study of the path from YOLO to YOLOv2: what changes from step to step, runs, resuming, and its sums."""

from dataclasses import fields, replace

import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.models import YOLOv2
from yolocourse.models.yolov1 import YOLOv1Trunk
from yolocourse.studies import path as study
from yolocourse.studies import path_report as report
from yolocourse.studies.results import read, select
from yolocourse.weights.checkpoint import load_checkpoint

TINY = study.Budget(
    scenes=12, detector_images=8, things=40, classifier_images=96, fine_tune_images=32, tests=2, mix=3, sizes=(64, 96),
    small=64, size=64, large=96,
)  # fmt: skip


def by_name(name):
    return next(step for step in study.STEPS if step.name == name)


def test_steps_are_those_of_table_2():
    assert [step.paper for step in study.STEPS] == [63.4, 65.8, 69.5, 69.2, 69.6, 74.4, 75.4, 76.8, 78.6]
    assert len({step.name for step in study.STEPS}) == len(study.STEPS) == 9


def test_each_step_is_one_change_away_from_the_one_before():
    changes = []
    for before, step in zip(study.STEPS, study.STEPS[1:], strict=False):
        names = [field.name for field in fields(step) if field.name not in ("name", "title", "paper")]
        changes.append([name for name in names if getattr(before, name) != getattr(step, name)])
    assert changes == [
        ["batch_norm", "dropout"], ["high_resolution"], ["head"], ["trunk"], ["clusters"], ["passthrough"],
        ["multi_scale"], ["larger"],
    ]  # fmt: skip


def test_recipes_differ_in_the_step_alone():
    recipes = {step.name: study.recipe_of(step, study.Budget(), seed=3) for step in study.STEPS}
    for recipe in recipes.values():
        train = recipe.train
        assert (train.batch_size, train.learning_rate, train.seed) == (8, 1.4e-3, 3)
        assert train.images == study.Budget().detector_images
        assert train.use_size == 224 and train.loss == recipes["yolo"].train.loss
    assert recipes["clusters"].passthrough is None and recipes["passthrough"].passthrough == "darknet"
    assert recipes["darknet19"].location == "offset" and recipes["clusters"].location == "sigmoid"
    assert recipes["passthrough"].train.sizes == () and len(recipes["multi_scale"].train.sizes) == 5


def test_networks_are_what_the_steps_say():
    def network(name):
        step = by_name(name)
        return study.build(step, study.recipe_of(step, study.Budget(), 0), study.HAND_PICKED)

    def norms(model):
        return sum(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules())

    yolo, with_norm = network("yolo"), network("batch_norm")
    assert isinstance(yolo.trunk, YOLOv1Trunk) and norms(yolo) == 0 and norms(with_norm) == 23
    rates = [[m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)] for model in (yolo, with_norm)]
    assert rates == [[0.5], [0.0]]
    anchors, last = network("anchors"), network("multi_scale")
    assert isinstance(anchors, YOLOv2) and isinstance(anchors.trunk, YOLOv1Trunk)
    assert anchors.location == "offset" and anchors.squeeze is None
    assert not isinstance(last.trunk, YOLOv1Trunk) and last.location == "sigmoid" and last.squeeze is not None


def test_every_classifier_gets_the_same_number_of_pictures():
    budget = study.Budget()
    for step in study.STEPS:
        first, last = (study.classifier_settings(step, budget, 0, fine_tuning) for fine_tuning in (False, True))
        assert first.images + last.images == budget.classifier_images and first.size == 96
        assert last.learning_rate == first.learning_rate / 10
        assert last.size == (224 if step.high_resolution else 96)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("path")
    material, names = study.Material(TINY), ["clusters", "passthrough"]  # one trunk for both
    for name in names:
        rows = list(study.run_step(by_name(name), 1, material, folder))
        assert [row["slice"] for row in rows] == ["flock", "overlap", "aspect", "scale", "everyday", "mix"]
        assert all(row["images"] == 8 and row["size"] == 64 and row["gigaflops"] > 0 for row in rows)
        assert all(0 <= row[measure] <= 1 for row in rows for measure in ("AP50", "AP", "recall"))
    return folder, material


def test_steps_with_the_same_trunk_share_its_classifier(done):
    folder, material = done
    made = sorted(folder.glob("classifier-*"))
    assert [path.name for path in made] == ["classifier-darknet19-norm-high-1.safetensors"]
    before = made[0].read_bytes()
    assert study.make_classifier(by_name("multi_scale"), 1, material, folder) == made[0]
    assert made[0].read_bytes() == before
    assert load_checkpoint(made[0]).preprocess.size == (64, 64)


def test_a_run_is_the_same_when_repeated(done):
    folder, material = done
    first, second = (study.train_detector(by_name("clusters"), 1, material, folder)[0] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_a_larger_test_uses_the_weights_of_the_step_before(done, monkeypatch):
    folder, material = done
    list(study.run_step(by_name("multi_scale"), 1, material, folder))
    monkeypatch.setattr(study, "train", lambda *args, **options: pytest.fail("trained again"))
    rows = list(study.run_step(by_name("larger"), 1, material, folder))
    assert all(row["size"] == 96 and row["images"] == 8 for row in rows)


def fake(step, seed, material, work):
    """Instead of training: AP50 counts the steps, and the seed adds a hundredth."""
    value = [each.name for each in study.STEPS].index(step.name) / 10 + seed / 100
    for name in ("mix", "flock"):
        numbers = dict.fromkeys(study.MEASURES, value if name == "mix" else 0.9)
        yield {"slice": name, "images": material.budget.detector_images, "gigaflops": 1.5} | numbers


def test_study_resumes_and_sums_up(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "run_step", fake)
    out, lines = tmp_path / "path.csv", []
    study.run(range(2), ["yolo", "batch_norm"], out, tmp_path, TINY, lines.append)
    assert len(lines) == 8
    rows = study.run(range(3), ["yolo", "batch_norm", "anchors"], out, tmp_path, TINY, lines.append)
    assert len(lines) == 18 and rows == read(out)
    assert [row["seed"] for row in select(rows, step="anchors", slice="mix")] == [0, 1, 2]
    found = report.summaries(rows)
    assert list(found) == ["yolo", "batch_norm", "anchors"]
    assert (found["batch_norm"].mean, found["batch_norm"].sd) == pytest.approx((0.11, 0.01))
    gains = report.gains(rows)
    assert list(gains) == ["batch_norm"], "a gain needs both steps"
    assert (gains["batch_norm"].mean, gains["batch_norm"].sd) == pytest.approx((0.1, 0))
    head, first, *_ = report.table(rows).splitlines()
    assert first.split()[:4] == ["YOLO", "63.4", "0.010", "±"] and first.split()[-1] == "3"


def test_another_budget_or_step_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "run_step", fake)
    out = tmp_path / "path.csv"
    study.run([0], ["yolo"], out, tmp_path, TINY, lambda line: None)
    with pytest.raises(ValueError, match="made with 8 pictures for the detector, not 9"):
        study.run([0], ["yolo"], out, tmp_path, replace(TINY, detector_images=9), lambda line: None)
    with pytest.raises(ValueError, match="unknown step 'vgg'; known: yolo, batch_norm"):
        study.run([0], ["vgg"], out, tmp_path, TINY, lambda line: None)


def test_step_seconds_has_every_network():
    seconds = report.step_seconds(replace(TINY, size=224, sizes=(64, 96)), rounds=1, batch_size=2)
    assert list(seconds) == [step.name for step in study.STEPS if not step.larger]
    assert all(value > 0 for value in seconds.values())


def test_the_results_have_five_seeds_of_all_steps_and_say_what_the_notebook_says():
    rows = read(study.RESULTS)
    for step in study.STEPS:
        for name in (*toytown.SLICES, "mix"):
            assert sorted(row["seed"] for row in select(rows, step=step.name, slice=name)) == list(range(5))
    gain, mean = report.gains(rows), {name: found.mean for name, found in report.summaries(rows).items()}
    assert gain["anchors"].low > 0.15 and gain["passthrough"].low > 0.15, "the two jumps"
    assert 1.5 < mean["batch_norm"] / mean["yolo"] < 3
    for name in ("high_resolution", "darknet19"):
        assert abs(gain[name].mean) < gain[name].sd, f"{name}: within the spread of the seeds"
    assert gain["multi_scale"].high < 0 and gain["larger"].high < 0
    for name, kind in (("anchors", "flock"), ("anchors", "overlap"), ("larger", "scale")):
        assert report.gains(rows, "recall", kind)[name].low > 0
    assert report.gains(rows, "AP50", "aspect")["clusters"].low > 0
    assert report.gains(rows, "AP", "flock")["passthrough"].low > 0


def test_results_say_what_notebook_10_says():
    """Its section on the path: which steps go up in every seed, which go down, which either way."""
    rows = read(study.RESULTS)
    found = report.gains(rows)
    up = {name for name, gain in found.items() if gain.low > 0}
    down = {name for name, gain in found.items() if gain.high < 0}
    assert up == {"batch_norm", "anchors", "passthrough"} and down == {"multi_scale", "larger"}
    assert min(gain.count for gain in found.values()) >= 5
    assert min(found[name].low for name in ("anchors", "passthrough")) > max(
        gain.high for name, gain in found.items() if name not in ("anchors", "passthrough")
    )
    assert report.gains(rows, "AP_small")["larger"].low > 0 and report.gains(rows, "recall")["larger"].mean > 0
