"""Timing of detectors: every step is measured, on both sides, and operations are counted right."""

import csv

import pytest
import torch

from yolocourse.anchors import PRESETS
from yolocourse.models import tiny, yolov2
from yolocourse.studies.bench import OpenCV, Timing, bench, count_operations, table, write_csv

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
