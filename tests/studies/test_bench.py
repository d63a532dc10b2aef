"""Timing of detectors: every step is measured, on both sides, and operations are counted right."""

import csv
import os
import statistics
import time

import pytest
import torch

from yolocourse.anchors import PRESETS
from yolocourse.detect import select
from yolocourse.grid import decode
from yolocourse.labels import FlatLabels
from yolocourse.models import tiny, yolov2
from yolocourse.models.freeze import freeze
from yolocourse.studies.bench import OpenCV, Timing, bench, count_operations, full_network, table, write_csv

ANCHORS = [[1.0, 2.0], [3.0, 1.5]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return tiny(3, ANCHORS, width=0.05).eval()


def test_a_row_for_each_size_and_batch(model, tmp_path):
    seen = []
    rows = bench(model, (64, 96), (1, 2), rounds=1, on_row=seen.append)
    assert rows == seen
    assert [(row.size, row.batch) for row in rows] == [(64, 1), (64, 2), (96, 1), (96, 2)]
    for row in rows:
        assert min(row.preprocess, row.network, row.decode) > 0
        assert row.total == row.preprocess + row.network + row.decode
        assert row.images_per_second == pytest.approx(1000 * row.batch / row.total)
        assert row.device.startswith("cpu, ")
    assert rows[2].operations == pytest.approx(rows[0].operations * 96**2 / 64**2)
    write_csv(tmp_path / "bench.csv", rows)
    with open(tmp_path / "bench.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["size"] for row in read] == ["64", "64", "96", "96"]
    assert set(Timing._fields) < set(read[0])
    assert len(table(rows).splitlines()) == 5


def test_operations_are_those_that_darknet_prints():
    with torch.device("meta"):
        model = yolov2(20, PRESETS["voc"])
        assert count_operations(model, 416) == pytest.approx(29.37, abs=0.05)


def test_rivals_run_in_the_same_rounds(model):
    pytest.importorskip("cv2", reason="needs opencv-python-headless, 4.x")
    rows = bench(model, (64,), (2,), rounds=1, against="opencv")
    assert [row.program for row in rows] == ["yolocourse", "opencv"]
    assert rows[1].network > 0


def test_the_rival_computes_the_same(model):
    pytest.importorskip("cv2", reason="needs opencv-python-headless, 4.x")
    images = torch.rand(1, 3, 64, 64)
    rows = torch.tensor(OpenCV(model, 64).run(images.numpy())).view(-1, 8)
    with torch.no_grad():
        raw = model(images)
    assert len(rows) == raw.shape[-1] ** 2 * 2
    # Cell by cell and anchor by anchor there; objectness in place 4.
    expected = raw.view(2, 8, 2, 2)[:, 4].sigmoid().permute(1, 2, 0).flatten()
    torch.testing.assert_close(rows[:, 4], expected, rtol=1e-4, atol=1e-4)


def test_unknown_rival(model):
    with pytest.raises(ValueError, match="unknown rival 'caffe'; known: opencv"):
        bench(model, (64,), (1,), against="caffe")


@pytest.fixture
def all_threads():
    torch.set_num_threads(os.cpu_count())
    yield
    torch.set_num_threads(1)


@pytest.mark.slow
def test_a_frozen_network_is_faster(all_threads):
    """One picture at 416, side by side. (`yolocourse bench --against opencv` compares with another program.)"""
    model = full_network().to(memory_format=torch.channels_last)
    frozen = freeze(model)
    images = torch.rand(1, 3, 416, 416).to(memory_format=torch.channels_last)
    seconds = {model: [], frozen: []}
    with torch.inference_mode():
        for _ in range(9):
            for network, times in seconds.items():
                began = time.perf_counter()
                network(images)
                times.append(time.perf_counter() - began)
    plain, quick = (statistics.median(times[2:]) for times in seconds.values())
    assert quick < 0.9 * plain


@pytest.mark.slow
def test_845_boxes_of_which_many_count(all_threads):
    """Decoding and suppression where several hundred boxes are above the threshold: still under 3 ms."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(1, 125, 13, 13, generator=generator) * 2
    anchors, labels = torch.tensor(PRESETS["voc"]), FlatLabels([f"class {i}" for i in range(20)])
    seconds, found = [], []
    for _ in range(30):
        began = time.perf_counter()
        (found,) = select(decode(raw, anchors), labels, threshold=0.25)
        seconds.append(time.perf_counter() - began)
    assert len(found["scores"]) > 100
    assert statistics.median(seconds) < 3e-3
