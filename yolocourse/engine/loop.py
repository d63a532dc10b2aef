"""The training loop."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.utils.data import DataLoader

from yolocourse.datasets.batch import Batch, MultiScale, resize
from yolocourse.datasets.transforms import ColorJitter, jitter_hsv
from yolocourse.engine.loader import batches, grouped, seeded
from yolocourse.engine.processes import Processes
from yolocourse.engine.schedule import learning_rate
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.state import TrainState

ALONE = Processes()


class NotFiniteError(RuntimeError):
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class StepReport:
    """What the loop says after each step."""

    step: int  # batches done, this one included
    seen: int  # pictures done
    epoch: int
    learning_rate: float
    size: int  # side of the network's input, pixels
    terms: dict[str, float]  # the loss terms per picture, and the statistics of losses.LossTerms
    images_per_second: float  # of all processes
    waited: float  # share of the time spent waiting for pictures
    progress: float  # share of the training that is over, 0 to 1
    seconds: float  # since the start of training
    phase: str = ""  # "warm-up", "last, at the largest size", or nothing of note


class Prepare:
    """Batch of the loader -> network input and truths, on the device: size and colours of this step."""

    def __init__(self, settings: TrainSettings, device: torch.device, processes: Processes = ALONE):
        self.settings, self.device, self.processes = settings, device, processes
        colours = settings.hue, settings.saturation, settings.exposure
        self.jitter = None if colours == (0, 1, 1) else ColorJitter(*colours)
        self.sizes = MultiScale(settings.sizes, settings.sizes_every, settings.seed) if settings.sizes else None

    def __call__(self, batch: Batch, step: int, first: int = 0, seen: int = 0) -> Batch:
        """first: how many pictures of the step this process has prepared before; seen: in the steps before."""
        batch = batch.to(self.device)
        if self.sizes is not None:
            batch = resize(batch, self.size(step, seen))
        if self.jitter is None:
            return batch
        count, rank = self.processes.count, self.processes.rank
        # Drawn for the whole batch, so that a picture's colours do not depend on which process it is in.
        pictures = max(self.settings.batch_size, len(batch) * count)
        changes = self.jitter.draw((pictures,), seeded(self.settings.seed, step))  # (3, pictures)
        mine = changes[:, rank::count][:, first : first + len(batch)]
        return replace(batch, images=jitter_hsv(batch.images, *mine, dtype=torch.float32))

    def size(self, step: int, seen: int) -> int:
        """Side of the network's input at this step, pixels: the largest one at the end, where the settings say so."""
        if seen >= self.settings.images - self.settings.last_images:
            return max(self.settings.sizes)
        return self.sizes.size(step)


class Totals:
    """Loss terms and statistics of the portions of a batch, added up; over all processes when asked."""

    def __init__(self):
        self.names, self.total_at, self.values = (), 0, None

    def add(self, terms: tuple, count: int) -> None:
        """Terms up to `total` are sums; those behind it are means over the truths, or over pictures without such."""
        self.names, self.total_at = terms._fields, terms._fields.index("total")
        stacked = torch.stack([value.detach().float() for value in terms])
        weight = terms.truths.float() if "truths" in terms._fields else stacked.new_tensor(float(count))
        parts, statistics = stacked[: self.total_at + 1], stacked[self.total_at + 1 :]
        row = torch.cat([parts, statistics * weight, torch.stack([weight, weight.new_tensor(float(count))])])
        self.values = row if self.values is None else self.values + row

    def result(self, processes: Processes, *more: float) -> tuple[dict[str, float], int, list[float]]:
        """Terms per picture, pictures, and sums over the processes of `more`: one exchange, one copy off the device."""
        row = torch.cat([self.values, self.values.new_tensor(more)])
        numbers = processes.sum(row).tolist()
        weight, count = numbers[len(self.names) : len(self.names) + 2]
        terms = {}
        for i, name in enumerate(self.names):
            terms[name] = numbers[i] / (count if i <= self.total_at else max(weight, 1e-9))
        if "truths" in terms:
            terms["truths"] = weight
        return terms, round(count), numbers[len(self.names) + 2 :]


def train_epoch(
    state: TrainState,
    task: Callable,
    loader: DataLoader,
    settings: TrainSettings,
    on_step: Callable[[StepReport], None] = lambda report: None,
    processes: Processes = ALONE,
    network: nn.Module | None = None,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Trains until the epoch or the training is over; True when the training is.

    task: what a batch means for the network's output, see `engine.tasks`. network: the model as it is run, where that
    is not the model itself (compiled, or averaging its gradients over the processes).
    Raises NotFiniteError, naming step, terms and pictures, before a bad step reaches the weights; and Interrupted
    between two steps once any process is asked to stop.
    """
    model, optimizer, network = state.model.train(), state.optimizer, network or state.model
    device = next(model.parameters()).device
    prepare = Prepare(settings, device, processes)
    loader.sampler.epoch, loader.sampler.skip = state.epoch, state.batches * settings.batch_size
    # The time of a step is shared between the processes before its update, so each update counts with the next step.
    clock, updating = time.perf_counter(), 0.0
    for portions in grouped(batches(loader), settings.accumulate):
        waited = time.perf_counter() - clock
        rate, phase = learning_rate(settings, state.seen, progress(state, settings)), phase_of(settings, state.seen)
        for group in optimizer.param_groups:
            group["lr"] = rate
        totals, size = backward(state, task, portions, prepare, network, processes)
        spent = time.perf_counter() - clock + updating
        values, count, (took, stops) = totals.result(processes, spent, float(asked_to_stop()))
        if not math.isfinite(values["total"]):
            ids = [image_id for portion in portions for image_id in portion.image_ids]
            raise NotFiniteError(f"loss at step {state.step + 1} is not finite: {values}; pictures {ids}")
        began = time.perf_counter()
        update(state, settings)
        updating = time.perf_counter() - began
        took /= processes.count
        state.step, state.seen, state.batches = state.step + 1, state.seen + count, state.batches + 1
        state.seconds += took
        done, so_far = progress(state, settings), (state.step, state.seen, state.epoch)
        on_step(StepReport(*so_far, rate, size, values, count / took, waited / took, done, state.seconds, phase))
        if done >= 1:
            return True
        if stops or (processes.count == 1 and asked_to_stop()):
            raise Interrupted
        clock = time.perf_counter()
    state.epoch, state.batches = state.epoch + 1, 0
    return False


class Interrupted(Exception):
    """Raised between two steps after a request to stop, where the state is whole."""


def backward(
    state: TrainState, task: Callable, portions: list[Batch], prepare: Prepare, network: nn.Module, processes: Processes
) -> tuple[Totals, int]:
    """Loss and gradients of one step, portion by portion; what the terms were, and the side of the pictures."""
    state.optimizer.zero_grad(set_to_none=True)
    device, precision = prepare.device, getattr(torch, state.precision)
    kind = next(state.model.parameters()).dtype  # float32, but for tests of what rounding does
    count, totals, done = sum(map(len, portions)), Totals(), 0
    for number, portion in enumerate(portions):
        task.check(portion)
        batch = prepare(portion, state.step, done, state.seen)
        done += len(batch)
        last = number == len(portions) - 1
        # Gradients travel between the processes once, with the last portion.
        with nullcontext() if last or processes.count == 1 else network.no_sync():
            images = batch.inputs(kind)
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                raw = network(images)
            terms = task(raw, batch, state.seen)
            totals.add(terms, len(batch))
            state.scaler.scale(terms.total / count).backward()  # the mean over the processes is taken on the way
    return totals, images.shape[-1]


def update(state: TrainState, settings: TrainSettings) -> None:
    """One step of the optimiser, and of the running average. float16: left out where a gradient is infinite."""
    if settings.clip_gradient:
        state.scaler.unscale_(state.optimizer)
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip_gradient)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    if state.average is not None:
        state.average.update_parameters(state.model)


def phase_of(settings: TrainSettings, seen: int) -> str:
    """A word on where the training stands after `seen` pictures, for people."""
    if seen < settings.warmup_images:
        return "warm-up"
    return "last, at the largest size" if seen >= settings.images - settings.last_images and settings.sizes else ""


def progress(state: TrainState, settings: TrainSettings) -> float:
    """Share of the training that is over: of its pictures, or of its seconds if that is more."""
    share = state.seen / settings.images
    if settings.max_seconds is not None:
        share = max(share, state.seconds / settings.max_seconds)
    return min(share, 1.0)
