"""A training state on disk: back as it was, or a clear refusal."""

import pytest
import torch
from torch import nn

from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.state import TrainState


def one_step(state):
    """Moves weights, batch norm, optimiser, running average and counters."""
    generator = torch.Generator().manual_seed(state.step)
    state.optimizer.zero_grad()
    state.model.train()(torch.rand(2, 3, 64, 64, generator=generator)).square().sum().backward()
    state.optimizer.step()
    if state.average is not None:
        state.average.update_parameters(state.model)
    state.step, state.seen, state.epoch, state.batches = state.step + 1, state.seen + 2, 3, 4
    state.seconds += 1.5


def everything(state):
    return {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict()["state"],
        "average": None if state.average is None else state.average.state_dict(),
        "counters": [state.step, state.seen, state.epoch, state.batches, state.seconds],
    }


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_comes_back_as_it_was(tmp_path, make_model, make_settings, optimizer, average):
    settings = make_settings(optimizer=optimizer, average=average)
    state = TrainState.start(make_model(), settings)
    one_step(state)
    one_step(state)
    state.save(tmp_path / "state.pt", settings)
    again = TrainState.start(make_model(), settings)
    again.load(tmp_path / "state.pt", settings)
    torch.testing.assert_close(everything(again), everything(state), rtol=0, atol=0)
    one_step(state)
    one_step(again)
    torch.testing.assert_close(everything(again), everything(state), rtol=0, atol=0)


def test_running_average_is_what_is_used(make_model, make_settings):
    state = TrainState.start(make_model(), make_settings(average=0.5))
    one_step(state)
    one_step(state)
    assert state.trained is state.average.module and state.trained is not state.model
    assert not torch.equal(state.trained.head.weight, state.model.head.weight)
    plain = TrainState.start(make_model(), make_settings())
    assert plain.trained is plain.model


@pytest.fixture
def saved(tmp_path, make_model, make_settings):
    path = tmp_path / "state.pt"
    TrainState.start(make_model(), make_settings()).save(path, make_settings())
    return path


def test_missing_file(tmp_path, make_model, make_settings):
    with pytest.raises(FileNotFoundError, match="no training state to resume from"):
        TrainState.start(make_model(), make_settings()).load(tmp_path / "state.pt", make_settings())


@pytest.mark.parametrize("kind", ["cut off", "scribbled on", "empty", "text"])
def test_damaged_file(saved, make_model, make_settings, kind):
    content = bytearray(saved.read_bytes())
    if kind == "scribbled on":
        content[:200] = bytes(200)
    saved.write_bytes({"cut off": content[: len(content) // 2], "empty": b"", "text": b"hello"}.get(kind, content))
    with pytest.raises(ValueError, match="state.pt: damaged, or not a training state"):
        TrainState.start(make_model(), make_settings()).load(saved, make_settings())


@pytest.mark.parametrize("content", [[1, 2], {"model": {}}, {"format": "yolocourse-training-1"}])
def test_foreign_file(tmp_path, make_model, make_settings, content):
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="not a training state of this version"):
        TrainState.start(make_model(), make_settings()).load(tmp_path / "state.pt", make_settings())


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("code from a file was run",))


def test_file_runs_no_code(tmp_path, make_model, make_settings):
    torch.save({"format": Evil()}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="damaged, or not a training state"):
        TrainState.start(make_model(), make_settings()).load(tmp_path / "state.pt", make_settings())


def test_other_settings_are_named(saved, make_model, make_settings):
    other = make_settings(learning_rate=0.5, seed=3)
    with pytest.raises(ValueError, match="learning_rate was 0.002, now 0.5; seed was 0, now 3"):
        TrainState.start(make_model(), other).load(saved, other)


def test_workers_and_time_may_change(saved, make_model, make_settings):
    other = make_settings(workers=2, max_seconds=100.0)
    TrainState.start(make_model(), other).load(saved, other)


def test_other_network_is_refused(saved, make_model, make_settings):
    with pytest.raises(ValueError, match="belongs to another network"):
        TrainState.start(make_model(width=0.05), make_settings()).load(saved, make_settings())


def test_failed_save_leaves_the_old_file(saved, make_model, make_settings, monkeypatch):
    before = saved.read_bytes()

    def full(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        TrainState.start(make_model(), make_settings()).save(saved, make_settings())
    assert saved.read_bytes() == before


def test_a_measured_precision_is_kept_when_the_run_is_resumed(tmp_path, monkeypatch):
    settings = TrainSettings(precision="auto")
    monkeypatch.setattr("yolocourse.engine.state.fastest_precision", lambda device: torch.bfloat16)
    TrainState.start(nn.Conv2d(3, 8, 1), settings).save(tmp_path / "state.pt", settings)
    monkeypatch.setattr("yolocourse.engine.state.fastest_precision", lambda device: torch.float32)
    state = TrainState.start(nn.Conv2d(3, 8, 1), settings)
    assert state.precision == "float32"
    state.load(tmp_path / "state.pt", settings)
    assert state.precision == "bfloat16"
