"""A training for torchrun, or alone: python distributed_run.py OUT [NAME=VALUE ...]; writes OUT/report.json at its end.

Environment: KILL_AT=STEP lets rank 1 die by SIGKILL at that step, once (a file in OUT remembers).
"""

import ast
import json
import os
import signal
import sys
from pathlib import Path

import torch

from tests.engine.conftest import TinyScenes
from yolocourse.detect import Detector
from yolocourse.engine.evaluate import evaluate
from yolocourse.engine.processes import Processes, leave
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.train import train
from yolocourse.models import yolov2


def main(out: Path, values: dict) -> None:
    torch.set_num_threads(1)
    settings = TrainSettings(
        **{
            "images": 800,
            "batch_size": 8,
            "size": 64,
            "warmup_images": 40,
            "precision": "float32",
            "optimizer": "adamw",
            "learning_rate": 1e-3,
        }
        | values
    )
    scenes, reports, here = TinyScenes(40), [], Processes.here()
    torch.manual_seed(0)
    # In float64: a network this small amplifies differences of rounding a millionfold from step to step.
    model = yolov2(2, [[0.5, 0.5], [0.8, 0.4]], 0.05).double()
    kill_at, killed = int(os.environ.get("KILL_AT", "0")), out / "killed"

    def check(batch_index: int) -> None:
        if here.rank == 1 and batch_index == kill_at and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    steps = [0]
    hook = model.register_forward_pre_hook(lambda *arguments: (steps.__setitem__(0, steps[0] + 1), check(steps[0]))[1])
    folder = out if here.writes else out / "elsewhere"  # as on another machine, which does not see rank 0's files
    result = train(
        model, scenes, scenes.labels, settings, out=folder, resume="auto", on_step=reports.append, save_seconds=0.0
    )
    hook.remove()
    if here.writes:
        found = evaluate(Detector(result.model.float(), scenes.labels, settings.preprocess), scenes)
        losses = {report.step: report.terms["total"] for report in reports}
        about = {"losses": losses, "AP50": found.ap50, "AP": found.coco["AP"], "seen": result.seen}
        (out / "report.json").write_text(json.dumps(about | {"interrupted": result.interrupted}))
    leave()


if __name__ == "__main__":
    pairs = (text.partition("=") for text in sys.argv[2:])
    main(Path(sys.argv[1]), {name: ast.literal_eval(value) for name, _, value in pairs})
