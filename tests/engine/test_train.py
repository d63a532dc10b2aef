"""Whole runs: resumed equals unbroken, Ctrl-C saves, a failure leaves the last good state."""

import csv
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from yolocourse.engine.loop import NotFiniteError
from yolocourse.engine.state import StateFiles
from yolocourse.engine.train import BEST, LOG, MODEL, train
from yolocourse.losses import DetectionLoss
from yolocourse.models import listed
from yolocourse.preprocess import Preprocess
from yolocourse.weights.checkpoint import load_checkpoint

# 10 pictures in batches of 4 are 2 steps an epoch: 3 epochs in all.
STEPS = 6


def run(make_model, scenes, settings, **arguments):
    reports = []
    outer = arguments.pop("on_step", lambda report: None)

    def on_step(report):
        reports.append(report)
        outer(report)

    result = train(make_model(), scenes, scenes.labels, settings, on_step=on_step, **arguments)
    return result, reports


def press_ctrl_c_at(step):
    return lambda report: os.kill(os.getpid(), signal.SIGINT) if report.step == step else None


def essence(reports):
    return [(r.step, r.seen, r.epoch, r.learning_rate, r.size, r.terms) for r in reports]


def rows(path):
    timing = ("seconds", "images_per_second", "waited")
    with open(path, newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k not in timing} for row in csv.DictReader(file)]


@pytest.mark.parametrize("stop_at", [3, 4], ids=["in mid-epoch", "at the end of an epoch"])
@pytest.mark.parametrize(
    "changed",
    [{}, {"average": 0.9}, {"optimizer": "sgd", "learning_rate": 0.01}, {"sizes": (32, 64, 96), "sizes_every": 1}],
    ids=["adamw", "average", "sgd", "multi-scale"],
)
def test_resumed_equals_unbroken(tmp_path, make_model, scenes, make_settings, changed, stop_at):
    settings = make_settings(**changed)
    whole, expected = run(make_model, scenes, settings, out=tmp_path / "whole")
    assert len(expected) == STEPS and not whole.interrupted
    part, first = run(make_model, scenes, settings, out=tmp_path / "parts", on_step=press_ctrl_c_at(stop_at))
    assert part.interrupted and part.steps == len(first) == stop_at
    torch.rand(5)  # what happens in between must not matter
    rest, second = run(make_model, scenes, settings, out=tmp_path / "parts", resume=True)
    assert (rest.steps, rest.seen) == (whole.steps, whole.seen) == (STEPS, 24)
    assert essence(first + second) == essence(expected)
    assert len({r.terms["total"] for r in expected}) == STEPS, "equal only because nothing changes?"
    torch.testing.assert_close(rest.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
    assert rows(tmp_path / "parts" / LOG) == rows(tmp_path / "whole" / LOG)
    assert [row["step"] for row in rows(tmp_path / "whole" / LOG)] == [str(i + 1) for i in range(STEPS)]
    kept = load_checkpoint(tmp_path / "parts" / MODEL).model
    torch.testing.assert_close(kept.state_dict(), rest.model.state_dict(), rtol=0, atol=0)


def test_resumed_from_the_state_of_an_epoch(tmp_path, make_model, scenes, make_settings):
    """As after a power cut: the steps since the last save are lost, in the log too, and done again alike."""
    _, expected = run(make_model, scenes, make_settings(), out=tmp_path / "whole")

    class PowerCut(Exception):
        pass

    def cut(report):
        if report.step == 4:
            raise PowerCut

    with pytest.raises(PowerCut):
        run(make_model, scenes, make_settings(), out=tmp_path / "cut", on_step=cut)
    assert len(rows(tmp_path / "cut" / LOG)) == 4
    _, second = run(make_model, scenes, make_settings(), out=tmp_path / "cut", resume=True)
    assert essence(second) == essence(expected[2:])
    assert rows(tmp_path / "cut" / LOG) == rows(tmp_path / "whole" / LOG)


def test_two_runs_are_equal_and_another_seed_is_not(make_model, scenes, make_settings):
    reports = [run(make_model, scenes, make_settings(images=8, seed=seed))[1] for seed in (0, 0, 1)]
    assert essence(reports[0]) == essence(reports[1])
    assert reports[0][0].terms != reports[2][0].terms


def test_worker_processes_change_nothing(make_model, scenes, make_settings):
    alone, helped = (run(make_model, scenes, make_settings(images=16, workers=n))[1] for n in (0, 1))
    assert essence(alone) == essence(helped)


WITH_WORKERS = """
import multiprocessing, sys
from dataclasses import replace
import torch
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.engine.train import train
from yolocourse.recipes import toytown as recipe

multiprocessing.set_start_method(sys.argv[1])
recipe = recipe().with_values(width=0.05, size=96, batch_size=4, images=24)
scenes, losses = Cached(toytown.scenes(12)), []
for workers in (0, 2):  # two epochs, so that the workers live on from one to the next
    torch.manual_seed(0)
    model = recipe.build(scenes.labels, [[1.0, 1.0]])
    settings, reports = replace(recipe.train, workers=workers), []
    train(model, scenes, scenes.labels, settings, on_step=reports.append)
    losses.append([report.terms["total"] for report in reports])
assert len(losses[0]) == 6 and losses[0] == losses[1], losses
"""


@pytest.mark.slow
@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_workers_that_are_started_afresh_change_nothing(start):
    """As on Windows and macOS ("spawn"), and on Linux from Python 3.14 on: the data set travels to them as a pickle."""
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {start}")
    command = [sys.executable, "-c", WITH_WORKERS, start]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240)  # a deadlock would last longer
    assert result.returncode == 0, result.stderr


def test_finished_run_does_nothing_more(tmp_path, make_model, scenes, make_settings):
    first, _ = run(make_model, scenes, make_settings(), out=tmp_path)
    again, reports = run(make_model, scenes, make_settings(), out=tmp_path, resume=True)
    assert reports == [] and again.steps == STEPS
    torch.testing.assert_close(again.model.state_dict(), first.model.state_dict(), rtol=0, atol=0)
    assert len(rows(tmp_path / LOG)) == STEPS


def test_ctrl_c_saves_what_can_be_used(tmp_path, make_model, scenes, make_settings):
    before = signal.getsignal(signal.SIGINT)
    result, _ = run(make_model, scenes, make_settings(), out=tmp_path, on_step=press_ctrl_c_at(1))
    assert signal.getsignal(signal.SIGINT) is before
    assert result.interrupted and not result.model.training
    checkpoint = load_checkpoint(tmp_path / MODEL)
    assert checkpoint.labels == scenes.labels and checkpoint.preprocess == Preprocess(64, "stretch")
    assert checkpoint.metadata["seen"] == 4
    assert [path.name for path in StateFiles(tmp_path).paths()] == ["state-000000001.pt"]


def test_sigterm_saves_too(tmp_path, make_model, scenes, make_settings):
    before = signal.getsignal(signal.SIGTERM)
    terminate = lambda report: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
    result, reports = run(make_model, scenes, make_settings(), out=tmp_path, on_step=terminate)
    assert result.interrupted and len(reports) == 1 and signal.getsignal(signal.SIGTERM) is before
    _, rest = run(make_model, scenes, make_settings(), out=tmp_path, resume="auto")
    assert [report.step for report in rest] == [2, 3, 4, 5, 6]


def test_auto_begins_anew_where_there_is_nothing(tmp_path, make_model, scenes, make_settings):
    _, reports = run(make_model, scenes, make_settings(), out=tmp_path, resume="auto")
    assert len(reports) == STEPS
    _, reports = run(make_model, scenes, make_settings(), out=tmp_path, resume="auto")
    assert reports == []


def test_saves_within_an_epoch(tmp_path, make_model, scenes, make_settings):
    seen = []

    def look(report):
        seen.append([path.name for path in StateFiles(tmp_path).paths()])

    run(make_model, scenes, make_settings(), out=tmp_path, on_step=look, save_seconds=0.0)
    assert seen[1] == ["state-000000001.pt"] and seen[3][0] == "state-000000003.pt"
    assert [path.name for path in StateFiles(tmp_path).paths()] == ["state-000000006.pt", "state-000000005.pt"]


def test_a_damaged_newest_state_falls_back_to_the_one_before(tmp_path, make_model, scenes, make_settings):
    _, expected = run(make_model, scenes, make_settings(), out=tmp_path / "whole")
    run(make_model, scenes, make_settings(), out=tmp_path / "cut", on_step=press_ctrl_c_at(5))
    newest, older = StateFiles(tmp_path / "cut").paths()
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=f"{newest.name}: damaged.*going on from the one before"):
        _, rest = run(make_model, scenes, make_settings(), out=tmp_path / "cut", resume=True)
    assert older.name == "state-000000004.pt" and essence(rest) == essence(expected[4:])
    assert rows(tmp_path / "cut" / LOG) == rows(tmp_path / "whole" / LOG)
    for path in StateFiles(tmp_path / "cut").paths():
        path.write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="damaged"):
        run(make_model, scenes, make_settings(), out=tmp_path / "cut", resume="auto")


def test_full_disk_leaves_the_state_before(tmp_path, make_model, scenes, make_settings, monkeypatch):
    before = {}

    def fill(report):
        if report.step == 3:
            before.update({path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != LOG})
            monkeypatch.setattr("os.fsync", full)

    def full(number):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run(make_model, scenes, make_settings(), out=tmp_path, on_step=fill)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != LOG}
    assert after == before and "state-000000002.pt" in before, "no trace of the file that did not fit, either"


def test_the_best_network_is_kept(tmp_path, make_model, scenes, make_settings):
    scores, networks = iter([0.2, 0.5, 0.4]), []

    def score(model):
        assert not model.training
        networks.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(scores)

    run(make_model, scenes, make_settings(), out=tmp_path, score=score)
    best = load_checkpoint(tmp_path / BEST)
    torch.testing.assert_close(best.model.state_dict(), networks[1], rtol=0, atol=0)
    assert best.metadata["score"] == 0.5 and best.metadata["seen"] == 16


def test_dropout_goes_on_as_it_would_have(tmp_path, make_model, scenes, make_settings):
    """What draws random numbers as it goes."""

    def with_dropout():
        model = make_model()
        model.merge.append(torch.nn.Dropout(0.5))
        return model

    _, expected = run(with_dropout, scenes, make_settings(), out=tmp_path / "whole")
    _, first = run(with_dropout, scenes, make_settings(), out=tmp_path / "parts", on_step=press_ctrl_c_at(3))
    torch.rand(5)
    _, second = run(with_dropout, scenes, make_settings(), out=tmp_path / "parts", resume=True)
    assert essence(first + second) == essence(expected)


def test_second_ctrl_c_stops_at_once(make_model, scenes, make_settings):
    def twice(report):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(make_model, scenes, make_settings(), on_step=twice)
    assert signal.getsignal(signal.SIGINT) is before


def test_trains_outside_the_main_thread(make_model, scenes, make_settings):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(make_model, scenes, make_settings(images=8))))
    thread.start()
    thread.join()
    assert found[0][0].steps == 2


def test_loss_that_blows_up_leaves_the_last_state(tmp_path, make_model, scenes, make_settings):
    good = DetectionLoss(make_model().anchors, scenes.labels)

    def criterion(raw, boxes, labels, seen):
        return good(raw * float("nan") if seen >= 12 else raw, boxes, labels, seen)

    kept, names = [], ("state-000000002.pt", MODEL)

    def remember(state):
        kept.append({name: (tmp_path / name).read_bytes() for name in names})

    with pytest.raises(NotFiniteError, match=r"step 4 is not finite: \{'xy': nan.*pictures \['scene \d"):
        run(make_model, scenes, make_settings(), out=tmp_path, criterion=criterion, on_epoch=remember)
    assert len(kept) == 1
    assert {name: (tmp_path / name).read_bytes() for name in names} == kept[0]
    _, reports = run(make_model, scenes, make_settings(), out=tmp_path, resume=True)
    assert reports[0].step == 3, "and training goes on from there"


def test_called_after_each_epoch(make_model, scenes, make_settings):
    epochs = []
    run(make_model, scenes, make_settings(images=20), on_epoch=lambda state: epochs.append((state.epoch, state.seen)))
    assert epochs == [(1, 8), (2, 16), (2, 20)]  # the training may end within an epoch


def test_learns(make_model, make_scenes, make_settings):
    """Not how well, only that the loss goes down by a lot on four pictures seen again and again."""
    settings = make_settings(images=160, learning_rate=5e-3, jitter=0.0, flip=0.0)
    _, reports = run(lambda: make_model(width=0.05), make_scenes(4), settings)
    first, last = (sum(r.terms["total"] for r in part) / 5 for part in (reports[:5], reports[-5:]))
    assert last < 0.5 * first


def test_metadata_travels_with_the_model(tmp_path, make_model, scenes, make_settings):
    run(make_model, scenes, make_settings(images=8), out=tmp_path, metadata={"commit": "abc"})
    metadata = load_checkpoint(tmp_path / MODEL).metadata
    assert metadata["commit"] == "abc" and metadata["settings"]["images"] == 8


def test_keeps_nothing_without_a_folder(tmp_path, make_model, scenes, make_settings, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(make_model, scenes, make_settings(images=8))
    assert list(tmp_path.iterdir()) == []


def test_empty_data_set_is_refused(make_model, make_scenes, make_settings):
    with pytest.raises(ValueError, match="no pictures"):
        run(make_model, make_scenes(0), make_settings())


def test_resume_needs_a_folder_and_a_state(tmp_path, make_model, scenes, make_settings):
    with pytest.raises(ValueError, match="resume needs the folder"):
        run(make_model, scenes, make_settings(), resume=True)
    with pytest.raises(FileNotFoundError, match="no training state to resume from"):
        run(make_model, scenes, make_settings(), out=tmp_path, resume=True)


def test_resume_with_other_settings_keeps_the_run_as_it_is(tmp_path, make_model, scenes, make_settings):
    run(make_model, scenes, make_settings(images=8), out=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"state-000000002.pt", MODEL, LOG}
    with pytest.raises(ValueError, match="images was 8, now 16"):
        run(make_model, scenes, make_settings(images=16), out=tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_loss_knows_the_cells_of_the_network(monkeypatch, scenes, make_settings):
    """A network with cells of 16 pixels is trained with cells of 16 pixels."""
    seen = []

    class Watched(DetectionLoss):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            seen.append(self.stride)

    monkeypatch.setattr("yolocourse.engine.train.DetectionLoss", Watched)
    model = listed(len(scenes.labels), [[1.0, 1.0]], [(8, 3), "pool", (8, 3), "pool", (8, 3), "pool", (8, 3), "pool"])
    train(model, scenes, scenes.labels, make_settings(images=4))
    assert seen == [16]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_500_steps_from_random_weights_stay_finite(make_model, make_scenes, make_settings, precision):
    """At a high rate, with warm-up; the loop raises NotFiniteError for a loss that is not."""
    scenes = make_scenes(40)
    settings = make_settings(images=2_000, warmup_images=400, precision=precision, learning_rate=5e-3, sizes=(64, 96))
    result, reports = run(lambda: make_model(width=0.05), scenes, settings)
    assert len(reports) == 500 and all(torch.isfinite(p).all() for p in result.model.parameters())
    first, last = (sum(r.terms["total"] for r in part) for part in (reports[:50], reports[-50:]))
    assert last < first
