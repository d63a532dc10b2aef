"""What a run says: lines, rows and curves, for steps made up by hand."""

import builtins
import csv
import math
import sys
from dataclasses import replace

import pytest
from PIL import Image

from yolocourse.engine.log import ConsoleLog, CsvLog, History, TensorBoardLog, describe, duration, memory
from yolocourse.engine.loop import StepReport

TERMS = {"xy": 0.5, "wh": 0.25, "object": 1.0, "no_object": 2.0, "classes": 3.0, "warmup": 0.0, "total": 6.75}
STATISTICS = {"average_iou": 0.5, "recall": 0.25, "truths": 12}


def report(step=10, total=6.75, truths=12, seconds=30.0, progress=0.25):
    terms = TERMS | STATISTICS | {"total": total, "truths": truths}
    return StepReport(step, step * 16, 2, 1.5e-3, 224, terms, 120.4, 0.07, progress, seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (61, "1:01"), (3599.7, "1:00:00"), (7384, "2:03:04")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_line_of_a_step(monkeypatch):
    monkeypatch.setattr("yolocourse.engine.log.memory", lambda: 0.51)
    assert describe(report()) == (
        " 25% epoch 3 step 10 | rate 1.5e-03 size 224 | loss 6.75 (xy 0.5 wh 0.25 object 1 no_object 2 classes 3)"
        " IoU 0.50 recall 0.25 | 120 images/s, waited 7%, 0.5 GB, 1:30 left"
    )
    assert "rate 1.5e-03 warm-up size" in describe(replace(report(), phase="warm-up"))


def test_memory_is_some_of_the_machines():
    assert 0.05 < memory() < 1000


def test_line_without_objects_claims_no_overlap():
    line = describe(report(truths=0))
    assert "no objects in this batch" in line and "IoU" not in line and "recall" not in line


def test_console_speaks_now_and_then_and_at_the_end():
    lines = []
    log = ConsoleLog(every=10, write=lines.append)
    for step, (seconds, progress) in enumerate([(1, 0.1), (5, 0.2), (10.9, 0.3), (11, 0.4), (12, 0.5), (13, 1.0)], 1):
        log(report(step, seconds=seconds, progress=progress))
    assert [line.split("step ")[1].split(" ")[0] for line in lines] == ["1", "4", "6"]


def test_console_gives_speed_and_waiting_since_the_line_before():
    """Three steps of 16 pictures and 1, 2 and 5 seconds, of which 0, 1 and 3 were waited: 48 in 8, half of it."""
    lines = []
    log = ConsoleLog(every=5, write=lines.append)
    for step, seconds, waited in [(1, 10.0, 0.9), (2, 11.0, 0.0), (3, 13.0, 0.5), (4, 18.0, 0.6), (5, 24.0, 0.25)]:
        log(replace(report(step, seconds=seconds), waited=waited))
    assert [line.split(" | ")[-1].split("%")[0] for line in lines] == [
        "120 images/s, waited 90", "6 images/s, waited 50", "3 images/s, waited 25"]  # fmt: skip


def test_history_values_and_running_average():
    history = History()
    for step, total in enumerate([4.0, math.nan, 2.0], 1):
        history(report(step, total))
    assert history.values("step") == [1, 2, 3]
    assert history.values("recall") == [0.25] * 3
    # Weights 0.5 and 1 (the step without a number left out): (0.5 * 4 + 1 * 2) / 1.5.
    assert history.smooth("total", decay=0.5) == pytest.approx([4, 4, 8 / 3])


def test_running_average_of_nothing_yet_is_nan():
    history = History()
    history(report(1, math.nan))
    assert math.isnan(history.smooth("total")[0])


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_rows(tmp_path):
    log = CsvLog(tmp_path / "new" / "log.csv")
    log(report(1))
    log(report(2, total=1 / 3))
    log.close()
    first, second = read(tmp_path / "new" / "log.csv")
    assert (first["step"], first["seen"], first["epoch"], first["size"]) == ("1", "16", "2", "224")
    assert (first["xy"], first["recall"], first["learning_rate"]) == ("0.5", "0.25", "0.0015")
    assert second["total"] == "0.333333"


def test_csv_can_be_read_while_the_run_goes_on(tmp_path):
    log = CsvLog(tmp_path / "log.csv")
    log(report(1))
    log.flush()
    assert len(read(tmp_path / "log.csv")) == 1
    log.close()


@pytest.mark.parametrize(("upto", "kept"), [(0, []), (2, ["1", "2"]), (9, ["1", "2", "3"])])
def test_resumed_csv_drops_what_is_done_again(tmp_path, upto, kept):
    log = CsvLog(tmp_path / "log.csv")
    for step in (1, 2, 3):
        log(report(step))
    log.close()
    before = read(tmp_path / "log.csv")
    log = CsvLog(tmp_path / "log.csv", upto)
    log(report(upto + 1))
    log.close()
    after = read(tmp_path / "log.csv")
    assert [row["step"] for row in after] == [*kept, str(upto + 1)]
    assert after[:-1] == before[: len(kept)]


def events(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder))
    found.Reload()
    return found


def test_tensorboard_gets_curves_and_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    log = TensorBoardLog(tmp_path)
    for step in (1, 2, 3):
        log(report(step, total=float(step)))
    log.picture("scenes", Image.new("RGB", (8, 6), "red"), 3)
    log.close()
    found = events(tmp_path)
    assert [(e.step, e.value) for e in found.Scalars("loss/total")] == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert {"loss/xy", "fit/recall", "run/learning_rate", "run/size"} <= set(found.Tags()["scalars"])
    assert (found.Images("scenes")[0].width, found.Images("scenes")[0].height) == (8, 6)


def test_tensorboard_of_a_resumed_run(tmp_path):
    pytest.importorskip("tensorboard")
    log = TensorBoardLog(tmp_path)
    for step in (1, 2, 3):
        log(report(step, total=1.0))
    log.close()
    log = TensorBoardLog(tmp_path, upto=1)
    log(report(2, total=5.0))
    log.close()
    assert [(e.step, e.value) for e in events(tmp_path).Scalars("loss/total")] == [(1, 1.0), (2, 5.0)]


def test_tensorboard_missing(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith(("tensorboard", "torch.utils.tensorboard")):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"pip install 'yolocourse\[logging\]'"):
        TensorBoardLog(tmp_path)
