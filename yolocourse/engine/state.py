"""Where a training run stands: saved as a whole, so that a resumed run goes on as if nothing had happened.

Nothing in a run draws random numbers from a state that changes as it goes: pictures, their order and sizes depend on
the seed, the epoch and the step alone. So the network, optimiser, average, number format and counters are all of it.
"""

import io
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from yolocourse.engine.precision import fastest_precision
from yolocourse.engine.schedule import make_optimizer
from yolocourse.engine.settings import TrainSettings
from yolocourse.weights.checkpoint import write_atomically

FORMAT = "yolocourse-training-1"
# What may differ between a run and its continuation without changing what is trained.
FREE_TO_CHANGE = ("workers", "max_seconds")


@dataclass
class TrainState:
    """A network in training. `step` batches and `seen` pictures are done, `batches` of them in epoch `epoch`."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    precision: str  # "float32" or "bfloat16": measured once, at the start of the run, and kept when it is resumed
    step: int = 0
    seen: int = 0
    epoch: int = 0
    batches: int = 0
    seconds: float = 0.0  # spent in training, over all parts of the run

    @classmethod
    def start(cls, model: nn.Module, settings: TrainSettings) -> "TrainState":
        average = None
        if settings.average:
            average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average), use_buffers=True)
        device = next(model.parameters()).device
        precision = str(fastest_precision(device)) if settings.precision == "auto" else settings.precision
        return cls(model, make_optimizer(model, settings), average, precision.removeprefix("torch."))

    @property
    def trained(self) -> nn.Module:
        """The network to use: the running average where there is one."""
        return self.model if self.average is None else self.average.module

    def save(self, path: str | Path, settings: TrainSettings) -> None:
        """Writes the state in one piece: a crash or a full disk leaves the file that was there before."""
        content = {
            "format": FORMAT,
            "settings": _comparable(settings),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "kept": {name: getattr(self, name) for name in KEPT},
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(path, buffer.getvalue())

    def load(self, path: str | Path, settings: TrainSettings) -> None:
        """Takes up a saved state. Raises FileNotFoundError, or ValueError for a damaged file, another network, or
        settings other than those that the run was started with."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no training state to resume from")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # what damaged bytes lead to depends on the bytes
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path}: damaged, or not a training state ({cause})") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path}: not a training state of this version ({FORMAT})")
        here, there = _comparable(settings), content["settings"]
        different = [f"{k} was {there.get(k)}, now {here.get(k)}" for k in here if here.get(k) != there.get(k)]
        if different:
            raise ValueError(f"{path}: the run was started with other settings: {'; '.join(different)}")
        if (content["average"] is None) != (self.average is None):
            raise ValueError(f"{path}: the running average of weights is in only one of file and settings")
        try:
            self.model.load_state_dict(content["model"])
            self.optimizer.load_state_dict(content["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(content["average"])
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path}: belongs to another network: {' '.join(str(error).split())[:300]}") from None
        for name in KEPT:
            setattr(self, name, content["kept"][name])


KEPT = ("precision", "step", "seen", "epoch", "batches", "seconds")


def _comparable(settings: TrainSettings) -> dict:
    """Settings as plain values, without those that a continuation may change."""
    values = asdict(settings)
    for name in FREE_TO_CHANGE:
        del values[name]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
