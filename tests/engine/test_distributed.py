"""Several processes over gloo: the same training as one process, and one that dies is started again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from yolocourse.engine.processes import Processes
from yolocourse.engine.syncnorm import synchronized
from yolocourse.models.layers import ConvBlock

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "tests.engine.distributed_run"
STEPS = 100
# In float64 the gradients of two processes differ from those of one by about 1e-12. Training does not let this grow
# far: the losses, reported in float32, agree to its last digit. Batch norm in float32 breaks this within 20 steps.
SAME = 1e-6


def launch(out, *values, processes=2, restarts=0, **environment):
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", SCRIPT, str(out), *values]
    if processes > 1:
        run = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, "-m", *run, "--max-restarts", str(restarts), "-m", SCRIPT, str(out), *values]
    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-12000:]
    return json.loads((out / "report.json").read_text())


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return launch(tmp_path_factory.mktemp("alone"), processes=1)


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path, alone):
    """With augmentation, the same global batch: the same losses, and the same results at the end."""
    together = launch(tmp_path / "two", "sync_batch_norm=True")
    assert list(together["losses"]) == list(alone["losses"]) == [str(step) for step in range(1, STEPS + 1)]
    for step, loss in alone["losses"].items():
        assert together["losses"][step] == pytest.approx(loss, rel=SAME), step
    assert together["seen"] == alone["seen"] == 8 * STEPS
    assert alone["AP50"] > 0, "else any two failures would be equal"
    assert together["AP50"] == pytest.approx(alone["AP50"], rel=SAME)
    assert together["AP"] == pytest.approx(alone["AP"], rel=SAME)


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_the_run_ends_as_unbroken(tmp_path, alone):
    """Rank 1 dies by SIGKILL in the middle of the second epoch; torchrun starts all again, from rank 0's last state."""
    out = tmp_path / "killed"
    broken = launch(out, "sync_batch_norm=True", restarts=1, KILL_AT="8")
    assert (out / "killed").exists()
    first = min(map(int, broken["losses"]))
    assert 1 < first <= 8, "it went on, and did not begin anew"
    assert max(map(int, broken["losses"])) == STEPS
    for step, loss in broken["losses"].items():
        assert alone["losses"][step] == pytest.approx(loss, rel=SAME), step
    assert broken["AP50"] == pytest.approx(alone["AP50"], rel=SAME)
    assert not (out / "elsewhere").exists(), "only rank 0 writes"


def test_alone_there_is_nothing_to_join(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    here = Processes.here()
    assert here == Processes(0, 1) and here.writes and here.device("cpu") == torch.device("cpu")
    values, model = torch.ones(2), torch.nn.Linear(1, 1)
    assert here.sum(values) is values and here.wrap(model) is model
    assert here.from_first(b"state") == b"state" and here.from_first(None) is None
    here.wait()


def test_an_environment_that_is_not_torchruns(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="RANK is None.*torchrun"):
        Processes.here()


def test_shares_must_be_equal():
    assert Processes(0, 2).share(64, 4) == 8
    with pytest.raises(ValueError, match="batch of 10 pictures cannot be shared out equally among 4 processes in 1"):
        Processes(0, 4).share(10)


def test_each_process_takes_its_own_card():
    assert Processes(3, 8, 3).device("cuda") == torch.device("cuda", 3)
    assert Processes(3, 8, 3).device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_synchronized_keeps_weights_and_statistics(dtype):
    torch.manual_seed(0)
    block, images = ConvBlock(3, 4).to(dtype), torch.rand(2, 3, 8, 8, dtype=dtype)
    block.train()(images)
    expected = block.eval()(images)
    changed = synchronized(torch.nn.Sequential(block))
    assert type(changed[0][1]).__name__ == "SyncBatchNorm"
    assert {value.dtype for value in changed.parameters()} == {dtype} and not changed[0][1].training
    torch.testing.assert_close(changed.eval()(images), expected)
    assert changed.state_dict().keys() == {f"0.{name}" for name in block.state_dict()}
