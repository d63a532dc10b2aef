"""Where a training run stands: saved as a whole, so that a resumed run goes on as if nothing had happened.

Pictures, their order, their colours and the sizes of multi-scale training depend on the seed, the epoch and the step
alone, so there is nothing to save of them but the counters. What draws as it goes (dropout) uses torch's generators;
they are saved with the network, the optimiser, the average of weights and the scale of float16's gradients.
"""

import io
import re
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from yolocourse.engine.precision import fastest_precision
from yolocourse.engine.processes import Processes
from yolocourse.engine.schedule import make_optimizer
from yolocourse.engine.settings import TrainSettings
from yolocourse.weights.checkpoint import write_atomically

FORMAT = "yolocourse-training-2"
# What may differ between a run and its continuation without changing what is trained.
FREE_TO_CHANGE = ("workers", "max_seconds", "compile", "accumulate")
NAME = re.compile(r"state-(\d{9})\.pt")  # the step


class DamagedError(ValueError):
    """A file that is not, or no longer, a training state."""


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
    scaler: torch.amp.GradScaler = field(default_factory=lambda: torch.amp.GradScaler("cpu", enabled=False))

    @classmethod
    def start(cls, model: nn.Module, settings: TrainSettings) -> "TrainState":
        average = None
        if settings.average:
            average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average), use_buffers=True)
        device = next(model.parameters()).device
        precision = str(fastest_precision(device)) if settings.precision == "auto" else settings.precision
        precision = precision.removeprefix("torch.")
        # Small gradients are 0 in float16; the scaler multiplies the loss so that they are not, and divides afterwards.
        scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
        return cls(model, make_optimizer(model, settings), average, precision, scaler=scaler)

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
            "scaler": self.scaler.state_dict(),
            "random": _generators(),
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
        self.take(path.read_bytes(), settings, path)

    def take(self, data: bytes, settings: TrainSettings, path: str | Path) -> None:
        """As `load`, from the content of the file; `path` is for the messages."""
        try:
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:  # what damaged bytes lead to depends on the bytes
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise DamagedError(f"{path}: damaged, or not a training state ({cause})") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DamagedError(f"{path}: not a training state of this version ({FORMAT})")
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
        if self.precision == "float16" and not self.scaler.is_enabled():  # "auto" is measured, and may differ here
            self.scaler = torch.amp.GradScaler(self.scaler._device, enabled=True)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(content["scaler"])
        _set_generators(content["random"])


KEPT = ("precision", "step", "seen", "epoch", "batches", "seconds")


class StateFiles:
    """The training states of a run's folder, state-STEP.pt: the newest few are kept.

    One is not enough: a file that was whole when it was written may not be so when it is read (a failing disk, a crash
    of a file system that had promised too much).
    """

    def __init__(self, folder: str | Path, keep: int = 2):
        if keep < 1:
            raise ValueError(f"at least one state must be kept, not {keep}")
        self.folder, self.keep = Path(folder), keep

    def paths(self) -> list[Path]:
        """Newest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted((path for path in found if NAME.fullmatch(path.name)), reverse=True)

    def tidy(self) -> None:
        """Removes what a killed run left half written."""
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def save(self, state: TrainState, settings: TrainSettings) -> Path:
        """Writes one more, and removes the oldest beyond `keep` only then."""
        path = self.folder / f"state-{state.step:09d}.pt"
        state.save(path, settings)
        for old in self.paths()[self.keep :]:
            old.unlink()
        return path

    def load(self, state: TrainState, settings: TrainSettings) -> Path:
        """Takes up the newest state that is whole; a warning names each damaged one that is passed over. Returns it.

        Raises FileNotFoundError without any, DamagedError when all are damaged, ValueError for other settings or
        another network.
        """
        paths = self.paths()
        if not paths:
            raise FileNotFoundError(f"{self.folder}: no training state to resume from")
        for path in paths:
            try:
                state.load(path, settings)
            except DamagedError as error:
                if path == paths[-1]:
                    raise
                warnings.warn(f"{error}; going on from the one before", stacklevel=2)
            else:
                return path


def resume(files: StateFiles, state: TrainState, settings: TrainSettings, processes: Processes, must: bool) -> None:
    """Takes up the run's newest state, in all processes the one that rank 0 found: other machines need not have it.

    Without any state a run that need not go on (`must`) begins anew. Raises what `StateFiles.load` does.
    """
    data = None
    if processes.writes and (must or files.paths()):
        path = files.load(state, settings)
        data = path.read_bytes() if processes.count > 1 else None
    data = processes.from_first(data)
    if data is not None and not processes.writes:
        state.take(data, settings, files.folder)


def _generators() -> dict:
    """The states of torch's random generators, of the processor and of the cards."""
    cards = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cards}


def _set_generators(saved: dict) -> None:
    torch.set_rng_state(saved["cpu"])
    if len(saved["cuda"]) == (torch.cuda.device_count() if torch.cuda.is_available() else 0):
        torch.cuda.set_rng_state_all(saved["cuda"])


def _comparable(settings: TrainSettings) -> dict:
    """Settings as plain values, without those that a continuation may change."""
    values = asdict(settings)
    for name in FREE_TO_CHANGE:
        del values[name]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
