"""A whole training run: data set in, trained network out; interrupted, resumed, logged."""

import signal
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from yolocourse.datasets.loading import Seeded
from yolocourse.datasets.transforms import train_transform
from yolocourse.engine.log import CsvLog
from yolocourse.engine.loop import StepReport, make_loader, train_epoch
from yolocourse.engine.processes import Processes
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.state import TrainState
from yolocourse.engine.tasks import Detection
from yolocourse.labels import LabelSpace
from yolocourse.losses import DetectionLoss
from yolocourse.weights.checkpoint import save_checkpoint

STATE, MODEL, LOG = "state.pt", "model.safetensors", "log.csv"


@dataclass(frozen=True)
class Trained:
    """How a run ended."""

    model: nn.Module  # in evaluation mode
    steps: int
    seen: int
    seconds: float
    interrupted: bool = False  # by Ctrl-C; the state is saved, where the run has a folder


def train(
    model: nn.Module,
    dataset: Dataset,
    labels: LabelSpace,
    settings: TrainSettings,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    criterion: Callable | None = None,
    task: Callable | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[TrainState], None] = lambda state: None,
    device: str | torch.device = "cpu",
    metadata: dict | None = None,
) -> Trained:
    """Trains `model` in place on detection samples (PIL picture or uint8 tensor, target).

    out: folder for state.pt (to resume from), model.safetensors (to use) and log.csv, written after each epoch; None
    keeps nothing. resume: goes on from out/state.pt, exactly as the unbroken run would have. criterion: None for
    YOLOv2's loss with settings.loss. task: None for detection with that criterion; `tasks.Classification` for
    class-only samples. on_step, on_epoch: called after each. metadata: goes into model.safetensors.
    Ctrl-C ends the run after the current step and saves; a second one stops at once.
    Raises ValueError for an empty data set or a state that does not fit, NotFiniteError when training blows up; the
    last state that was saved stays.
    """
    if len(dataset) == 0:
        raise ValueError("the training set has no pictures")
    processes, device = Processes.here(), torch.device(device)
    torch.manual_seed(settings.seed)
    model = model.to(device, memory_format=torch.channels_last)
    state = TrainState.start(model, settings)
    if resume:
        if out is None:
            raise ValueError("resume needs the folder of the run to go on with (out)")
        state.load(Path(out) / STATE, settings)
    pictures = Seeded(dataset, _transform(settings), settings.seed)
    loader = make_loader(pictures, settings, device, processes)
    task = task or Detection(criterion or _criterion(model, labels, settings))
    log = CsvLog(Path(out) / LOG, state.step) if out and processes.writes else None

    def step_done(report: StepReport) -> None:
        if log:
            log(report)
        on_step(report)
        stop.check()

    def save() -> None:
        if out and processes.writes:
            log.flush()
            state.save(Path(out) / STATE, settings)
            about = {"settings": settings, "seen": state.seen, "seconds": round(state.seconds, 1)} | (metadata or {})
            preprocess = settings.preprocess
            save_checkpoint(Path(out) / MODEL, state.trained, labels=labels, preprocess=preprocess, **about)

    with _interruptible() as stop:
        try:
            finished = state.seen >= settings.images
            while not finished:
                pictures.set_epoch(state.epoch)
                finished = train_epoch(state, task, loader, settings, step_done)
                save()
                on_epoch(state)
        except Interrupted:
            save()
        finally:
            if log:
                log.close()
    return Trained(state.trained.eval(), state.step, state.seen, state.seconds, stop.asked)


def _criterion(model: nn.Module, labels: LabelSpace, settings: TrainSettings) -> DetectionLoss:
    return DetectionLoss(model.anchors, labels, settings.loss, model.stride, getattr(model, "location", "sigmoid"))


def _transform(settings: TrainSettings) -> Callable:
    """Placement and mirroring in the loader; colours change later, on the device (see `loop.Prepare`)."""
    return train_transform(
        settings.size, settings.jitter, hue=0, saturation=1, exposure=1, flip=settings.flip, rule=settings.rule
    )


class Interrupted(Exception):
    """Raised between two steps after Ctrl-C, where the state is whole."""


class _Stop:
    asked = False

    def check(self) -> None:
        if self.asked:
            raise Interrupted


@contextmanager
def _interruptible():
    """While active, the first Ctrl-C only asks for a stop; the second one is an ordinary KeyboardInterrupt.

    Only the main thread can catch signals; elsewhere Ctrl-C stays what it was.
    """
    stop = _Stop()

    def ask(number, frame):
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    try:
        before = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread
        yield stop
        return
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
