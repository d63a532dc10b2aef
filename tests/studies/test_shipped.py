"""The checkpoints that come with the course do what data/README.md says, and its commands made them."""

import dataclasses

import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.detect import Detector
from yolocourse.engine.evaluate import classify, evaluate
from yolocourse.recipes import toytown as recipe
from yolocourse.studies import shipped
from yolocourse.weights.checkpoint import load_checkpoint, load_trunk


def test_trunk_names_single_things():
    checkpoint = load_checkpoint(shipped.TRUNK)
    things = toytown.things(81, size=shipped.TRUNK_SETTINGS.size, split="test")
    assert checkpoint.labels == things.labels
    accuracy = classify(checkpoint.model, things, checkpoint.preprocess).top1
    assert accuracy > 0.9 and abs(accuracy - checkpoint.metadata["top1"]) < 0.1


def test_trunk_was_made_with_the_settings_that_stand_in_the_command():
    saved = load_checkpoint(shipped.TRUNK).metadata["settings"]
    expected = dataclasses.asdict(shipped.TRUNK_SETTINGS)
    for name in ("images", "batch_size", "learning_rate", "seed", "size"):
        assert saved[name] == expected[name], name


def test_trunk_fits_into_the_detector_of_the_notebooks():
    labels = toytown.labels("coarse")
    model = recipe().build(labels, [[1.0, 1.0]] * 5)
    report = load_trunk(shipped.TRUNK, model)
    assert all(name.startswith("trunk.") for name in report.loaded)
    assert {name for name in model.state_dict() if name.startswith("trunk.")} == set(report.loaded)


@pytest.mark.slow
def test_detector_finds_things_in_scenes_it_never_saw():
    detector = Detector.load(shipped.DETECTOR, device="cpu")
    result = evaluate(detector, toytown.scenes(60, seed=5, split="test"))
    assert result.ap50 > 0.5 and abs(result.ap50 - load_checkpoint(shipped.DETECTOR).metadata["AP50"]) < 0.12


@pytest.mark.parametrize("name", shipped.SAMPLES)
def test_samples_are_there_and_something_is_found_in_each(name):
    found = Detector.load(shipped.DETECTOR, device="cpu")(shipped.FOLDER.parent / "sample" / f"{name}.png")
    assert len(found) >= 2


def test_a_small_run_of_the_command(tmp_path):
    settings = dataclasses.replace(
        shipped.TRUNK_SETTINGS, images=8, batch_size=4, size=64, sizes=(), precision="float32"
    )
    out = tmp_path / "trunk.safetensors"
    accuracy = shipped.make_trunk(out, settings, pictures=8, tests=27)
    checkpoint = load_checkpoint(out)
    assert 0 <= accuracy <= 1 and checkpoint.model.num_outputs == 27
    assert torch.isfinite(checkpoint.model(torch.zeros(1, 3, 64, 64))).all()
