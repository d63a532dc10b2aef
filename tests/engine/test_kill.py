"""Training that is killed (SIGKILL, as by a power cut) at random moments, again and again."""

import multiprocessing
import os
import random
import signal
import time

import pytest
import torch

from yolocourse.engine.state import StateFiles
from yolocourse.engine.train import MODEL, train
from yolocourse.weights.checkpoint import load_checkpoint


def run(out, make_model, scenes, settings):
    torch.set_num_threads(1)
    train(make_model(), scenes, scenes.labels, settings, out=out, resume="auto", save_seconds=0.0)


@pytest.mark.slow
def test_killed_twenty_times_it_always_goes_on_and_ends_as_unbroken(tmp_path, make_model, scenes, make_settings):
    settings = make_settings(images=1_600, average=0.9)
    run(tmp_path / "whole", make_model, scenes, settings)
    expected = load_checkpoint(tmp_path / "whole" / MODEL)
    out, chance, kills, steps = tmp_path / "killed", random.Random(0), 0, []
    fork = multiprocessing.get_context("fork")  # a fresh interpreter would spend all its time on imports
    while kills < 20:
        process = fork.Process(target=run, args=(out, make_model, scenes, settings))
        process.start()
        time.sleep(chance.uniform(0.02, 0.6))
        assert process.is_alive(), "done too early to be killed: give it more pictures"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
        steps.append(max((int(path.stem.split("-")[1]) for path in StateFiles(out).paths()), default=0))
    assert steps == sorted(steps) and steps[-1] > steps[0], "each start went on from the one before"
    run(out, make_model, scenes, settings)
    assert not list(out.glob(".*.tmp")), "half written files are gone"
    found = load_checkpoint(out / MODEL)
    assert found.metadata["seen"] == expected.metadata["seen"] == 1_600
    torch.testing.assert_close(found.model.state_dict(), expected.model.state_dict(), rtol=0, atol=0)
