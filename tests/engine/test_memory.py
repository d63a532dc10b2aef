"""Memory between two training steps on a processor."""

import ctypes
import statistics
import sys

import pytest

from tests.engine.conftest import TinyScenes
from yolocourse.engine import memory
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.train import train
from yolocourse.models import yolov2


@pytest.mark.skipif(not memory.keep_freed_memory(), reason="not Linux, or another C library than glibc")
def test_a_step_gets_its_memory_from_the_step_before():
    """A step of this network takes 10,000 to 30,000 new pages where they were given back, and next to none else."""
    resource = pytest.importorskip("resource")
    scenes, faults = TinyScenes(16), []
    settings = TrainSettings(images=96, batch_size=8, size=224, precision="float32")
    train(yolov2(2, [[0.5, 0.5], [0.8, 0.4]], 0.25), scenes, scenes.labels, settings,
          on_step=lambda report: faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt))  # fmt: skip
    assert statistics.median(b - a for a, b in zip(faults[2:], faults[3:], strict=False)) < 1_000


def test_elsewhere_nothing_is_done(monkeypatch):
    class Other:
        pass

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Other())
    assert memory.keep_freed_memory() is False
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("asked for a C library"))
    assert memory.keep_freed_memory() is False
