"""The files of results: written and read, runs resumed, numbers summed up."""

import math
import os
import re
import signal
from pathlib import Path

import pytest

from tests.engine.conftest import TinyScenes
from yolocourse.engine.settings import TrainSettings
from yolocourse.models import yolov2
from yolocourse.studies import results
from yolocourse.studies.results import Run, collect, read, select, summary, train, write

ROWS = [
    {"network": "YOLO", "seed": 0, "AP50": 0.25, "note": "a, b"},
    {"network": "YOLOv2", "seed": 1, "AP50": math.nan, "note": "c"},
]


def test_rows_come_back(tmp_path):
    path = tmp_path / "new" / "study.csv"
    write(path, ROWS)
    back = read(path)
    assert back[0] == ROWS[0] and math.isnan(back[1].pop("AP50"))
    assert back[1] == {"network": "YOLOv2", "seed": 1, "note": "c"}
    assert isinstance(back[0]["seed"], int) and isinstance(back[0]["AP50"], float)


def test_columns_that_come_later_are_empty_before(tmp_path):
    write(tmp_path / "a.csv", [{"a": 1}, {"a": 2, "b": 0.5}])
    first, second = read(tmp_path / "a.csv")
    assert math.isnan(first["b"]) and second == {"a": 2, "b": 0.5}


def test_a_study_goes_on_where_it_was_stopped(tmp_path):
    path, done = tmp_path / "study.csv", []

    def run(seed, fails=False):
        def rows():
            if fails:
                raise KeyboardInterrupt
            done.append(seed)
            yield from ({"slice": name, "AP50": seed / 10} for name in ("flock", "overlap"))

        return Run({"seed": seed}, rows)

    with pytest.raises(KeyboardInterrupt):
        collect(path, [run(0), run(1, fails=True)], report=lambda line: None)
    assert done == [0] and len(read(path)) == 2
    lines = []
    rows = collect(path, [run(0), run(1), run(2)], lines.append)
    assert done == [0, 1, 2] and [row["seed"] for row in rows] == [0, 0, 1, 1, 2, 2]
    assert lines[0] == "seed 1, slice flock, AP50 0.1" and len(lines) == 4
    assert all(row["commit"] and "threads" in row["machine"] or "GPU" in row["machine"] for row in rows)
    assert read(path) == rows


def test_two_processes_may_share_a_file(tmp_path):
    path = tmp_path / "study.csv"

    def rows():
        collect(path, [Run({"seed": 1}, lambda: [{"AP50": 0.5}])], lambda line: None)  # meanwhile, elsewhere
        yield {"AP50": 0.25}

    found = collect(path, [Run({"seed": 0}, rows)], lambda line: None)
    assert {row["seed"]: row["AP50"] for row in found} == {0: 0.25, 1: 0.5}


def test_select_takes_rows_with_all_the_values():
    assert select(ROWS, network="YOLO", seed=0) == ROWS[:1]
    assert select(ROWS, network="YOLO", seed=1) == [] == select(ROWS, nothing=1)


def test_summary_by_hand():
    rows = [{"x": value} for value in (1.0, 2.0, 6.0, math.nan)]
    result = summary(rows, "x")
    assert (result.mean, result.low, result.high, result.count) == (3.0, 1.0, 6.0, 3)
    assert result.sd == pytest.approx(math.sqrt(7))  # (4 + 1 + 9) / 2
    assert str(result) == "3.000 ± 2.646"
    assert summary(rows[:1], "x").sd == 0
    assert math.isnan(summary([{"x": math.nan}], "x").mean) and summary([], "x").count == 0


def test_a_run_that_was_interrupted_leaves_no_row(tmp_path):
    scenes, settings = TinyScenes(8), TrainSettings(images=64, batch_size=4, size=64, precision="float32")

    def stop(report):
        if report.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    def rows(on_step):
        model = yolov2(2, [[0.5, 0.5], [0.8, 0.4]], 0.05)
        yield {"seen": train(model, scenes, scenes.labels, settings, on_step=on_step).seen}

    out = tmp_path / "study.csv"
    runs = [Run({"seed": 0}, lambda: rows(lambda report: None)), Run({"seed": 1}, lambda: rows(stop))]
    with pytest.raises(KeyboardInterrupt):
        collect(out, runs, lambda line: None)
    assert [(row["seed"], row["seen"]) for row in read(out)] == [(0, 64)]


def test_every_study_trains_so():
    files = sorted(set(Path(results.__file__).parent.glob("*.py")) - {Path(results.__file__)})
    lines = [(path.name, line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    others = [name for name, line in lines if re.match(r"from yolocourse\.engine\.train import .*\btrain\b", line)]
    assert others == [], "they take their rows from networks that Ctrl-C has cut short"
