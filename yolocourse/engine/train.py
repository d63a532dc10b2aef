"""A whole training run: data set in, trained network out; interrupted, resumed, logged."""

import math
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from yolocourse.datasets.loading import Seeded
from yolocourse.datasets.transforms import crop_transform, train_transform
from yolocourse.engine.loader import make_loader
from yolocourse.engine.log import CsvLog
from yolocourse.engine.loop import Interrupted, StepReport, train_epoch
from yolocourse.engine.memory import keep_freed_memory
from yolocourse.engine.processes import Processes
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.state import StateFiles, TrainState
from yolocourse.engine.state import resume as resume_from
from yolocourse.engine.syncnorm import synchronized
from yolocourse.engine.tasks import Detection
from yolocourse.labels import LabelSpace
from yolocourse.losses import DetectionLoss
from yolocourse.weights.checkpoint import save_checkpoint

MODEL, BEST, LOG = "model.safetensors", "best.safetensors", "log.csv"
SAVE_SECONDS = 600.0  # between two states within an epoch


@dataclass(frozen=True)
class Trained:
    """How a run ended."""

    model: nn.Module  # in evaluation mode
    steps: int
    seen: int
    seconds: float
    interrupted: bool = False  # by Ctrl-C or SIGTERM; the state is saved, where the run has a folder


def train(
    model: nn.Module,
    dataset: Dataset,
    labels: LabelSpace,
    settings: TrainSettings,
    *,
    out: str | Path | None = None,
    resume: bool | str = False,
    criterion: Callable | None = None,
    task: Callable | None = None,
    transform: Callable | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_epoch: Callable[[TrainState], None] = lambda state: None,
    score: Callable[[nn.Module], float] | None = None,
    save_seconds: float = SAVE_SECONDS,
    device: str | torch.device = "cpu",
    metadata: dict | None = None,
) -> Trained:
    """Trains `model` in place on detection samples (PIL picture or uint8 tensor, target).

    out: folder for the newest states (state-STEP.pt, to resume from), model.safetensors (to use) and log.csv, written
        after each epoch and, within a long one, every `save_seconds`; None keeps nothing.
    resume: goes on from the newest state in `out`, exactly as the unbroken run would have; "auto" does so where there
        is one, and begins anew elsewhere.
    criterion: None for YOLOv2's loss with settings.loss. task: None for detection with that criterion;
        `tasks.Classification` for class-only samples. transform: (image, target) -> uint8 sample of the network's
        size; None for `train_transform` with the settings.
    on_step, on_epoch: called after each. score: of the network after each epoch, the higher the better; the best one
        so far is kept as best.safetensors. metadata: goes into model.safetensors.

    Started by torchrun, each process trains on its share of every batch; rank 0 alone writes, and `on_step`, `on_epoch`
    and `score` are called there only.
    Ctrl-C or SIGTERM ends the run after the current step and saves; a second Ctrl-C stops at once.
    Raises ValueError for an empty data set or a state that does not fit, NotFiniteError when training blows up; the
    last state that was saved stays.
    """
    if len(dataset) == 0:
        raise ValueError("the training set has no pictures")
    processes = Processes.here()
    device = processes.device(device)
    if device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(settings.seed)
    model = model.to(device, memory_format=torch.channels_last)
    if settings.sync_batch_norm and processes.count > 1:
        model = synchronized(model)
    state, files = TrainState.start(model, settings), StateFiles(out) if out else None
    if resume:
        if files is None:
            raise ValueError("resume needs the folder of the run to go on with (out)")
        resume_from(files, state, settings, processes, must=resume != "auto")
    pictures = Seeded(dataset, transform or _transform(settings), settings.seed)
    loader = make_loader(pictures, settings, device, processes)
    task = task or Detection(criterion or _criterion(model, labels, settings))
    network = processes.wrap(_compiled(model, settings))
    writes = processes.writes and out is not None
    if writes:
        files.tidy()
    log, best, saved_at = CsvLog(Path(out) / LOG, state.step) if writes else None, -math.inf, time.monotonic()

    def save() -> None:
        nonlocal saved_at
        saved_at = time.monotonic()
        if writes:
            log.flush()
            files.save(state, settings)
            export(MODEL)

    def export(name: str, **more) -> None:
        about = {"settings": settings, "seen": state.seen, "seconds": round(state.seconds, 1)} | (metadata or {}) | more
        save_checkpoint(Path(out) / name, state.trained, labels=labels, preprocess=settings.preprocess, **about)

    def step_done(report: StepReport) -> None:
        if log:
            log(report)
        if processes.writes:
            on_step(report)
        if time.monotonic() - saved_at > save_seconds:
            save()

    def epoch_done() -> None:
        nonlocal best
        save()
        if not processes.writes:
            return
        on_epoch(state)
        if score is not None and (value := score(state.trained.eval())) > best:
            best = value
            if writes:
                export(BEST, score=round(value, 4))

    with _interruptible() as stop:
        try:
            finished = state.seen >= settings.images
            while not finished:
                pictures.set_epoch(state.epoch)
                finished = train_epoch(state, task, loader, settings, step_done, processes, network, lambda: stop.asked)
                epoch_done()
        except Interrupted:
            save()
        finally:
            if log:
                log.close()
    return Trained(state.trained.eval(), state.step, state.seen, state.seconds, stop.asked)


def _compiled(model: nn.Module, settings: TrainSettings) -> nn.Module:
    """The network through torch.compile, where wanted: once for each size of multi-scale training, then remembered."""
    if not settings.compile:
        return model
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 2 * len(settings.sizes) + 8)
    return torch.compile(model, dynamic=False)


def _criterion(model: nn.Module, labels: LabelSpace, settings: TrainSettings) -> DetectionLoss:
    return DetectionLoss(model.anchors, labels, settings.loss, model.stride, getattr(model, "location", "sigmoid"))


def _transform(settings: TrainSettings) -> Callable:
    """Placement and mirroring in the loader; colours change later, on the device (see `loop.Prepare`)."""
    if settings.crop:
        return crop_transform(settings.size, *settings.crop, settings.angle, settings.aspect, settings.flip)
    return train_transform(
        settings.size, settings.jitter, hue=0, saturation=1, exposure=1, flip=settings.flip, rule=settings.rule
    )


class _Stop:
    asked = False


@contextmanager
def _interruptible():
    """While active, a first Ctrl-C, and SIGTERM, only ask for a stop; a second Ctrl-C is an ordinary KeyboardInterrupt.

    Only the main thread can catch signals; elsewhere they stay what they were.
    """
    stop = _Stop()

    def ask(number, frame):
        if stop.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.asked = True

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not the main thread
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
