"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from yolocourse.datasets.batch import Batch, MultiScale, collate, resize
from yolocourse.datasets.transforms import ColorJitter, jitter_hsv
from yolocourse.engine.processes import Processes
from yolocourse.engine.schedule import learning_rate
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.state import TrainState


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
    images_per_second: float
    waited: float  # share of the time spent waiting for pictures
    progress: float  # share of the training that is over, 0 to 1
    seconds: float  # since the start of training


def seeded(*numbers: int) -> torch.Generator:
    """A generator that depends on all the numbers. (torch's keeps the lowest 32 bits of a seed and drops the rest.)"""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint32)[0]))


class EpochSampler(Sampler[int]):
    """Every picture once, in an order that depends on seed and epoch alone; `skip` pictures of it are already done."""

    def __init__(self, count: int, seed: int, processes: Processes):
        self.count, self.seed, self.processes = count, seed, processes
        self.epoch = self.skip = 0

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(self.count, generator=seeded(self.seed, self.epoch)).tolist()
        return iter(order[self.processes.rank :: self.processes.count][self.skip :])

    def __len__(self) -> int:
        return max(len(range(self.processes.rank, self.count, self.processes.count)) - self.skip, 0)


def make_loader(dataset: Dataset, settings: TrainSettings, device: torch.device, processes: Processes) -> DataLoader:
    """Batches of a data set of uint8 samples. A last batch that is not full is left out: batch norm would suffer."""
    return DataLoader(
        dataset,
        settings.batch_size,
        sampler=EpochSampler(len(dataset), settings.seed, processes),
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
        pin_memory=device.type == "cuda",
        drop_last=len(dataset) >= settings.batch_size,
        collate_fn=collate,
    )


class Prepare:
    """Batch of the loader -> network input and truths, on the device: size of this step, colours, value range."""

    def __init__(self, settings: TrainSettings, device: torch.device):
        self.settings, self.device = settings, device
        self.jitter = ColorJitter(settings.hue, settings.saturation, settings.exposure)
        self.sizes = MultiScale(settings.sizes, settings.sizes_every, settings.seed) if settings.sizes else None

    def __call__(self, batch: Batch, step: int) -> Batch:
        batch = batch.to(self.device)
        changes = self.jitter.draw((len(batch),), seeded(self.settings.seed, step))
        batch.images = jitter_hsv(batch.images, *changes)
        return batch if self.sizes is None else resize(batch, self.sizes.size(step))


def train_epoch(
    state: TrainState,
    task: Callable,
    loader: DataLoader,
    settings: TrainSettings,
    on_step: Callable[[StepReport], None] = lambda report: None,
) -> bool:
    """Trains until the epoch or the training is over; True when the training is.

    task: what a batch means for the network's output, see `engine.tasks`.
    Raises NotFiniteError, naming step, terms and pictures, before a bad step reaches the weights.
    """
    model, optimizer = state.model.train(), state.optimizer
    device = next(model.parameters()).device
    precision = getattr(torch, state.precision)
    prepare = Prepare(settings, device)
    loader.sampler.epoch, loader.sampler.skip = state.epoch, state.batches * settings.batch_size
    clock = time.perf_counter()
    for batch in loader:
        waited = time.perf_counter() - clock
        task.check(batch)
        batch = prepare(batch, state.step)
        rate = learning_rate(settings, state.seen, progress(state, settings))
        for group in optimizer.param_groups:
            group["lr"] = rate
        images = batch.inputs().contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            raw = model(images)
        terms = task(raw, batch, state.seen)
        values = per_picture(terms, len(batch))
        if not math.isfinite(values["total"]):
            raise NotFiniteError(f"loss at step {state.step + 1} is not finite: {values}; pictures {batch.image_ids}")
        optimizer.zero_grad(set_to_none=True)
        (terms.total / len(batch)).backward()
        if settings.clip_gradient:
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_gradient)
        optimizer.step()
        if state.average is not None:
            state.average.update_parameters(model)
        took = time.perf_counter() - clock
        state.step, state.seen, state.batches = state.step + 1, state.seen + len(batch), state.batches + 1
        state.seconds += took
        done = progress(state, settings)
        speed, side = len(batch) / took, images.shape[-1]
        on_step(
            StepReport(
                state.step, state.seen, state.epoch, rate, side, values, speed, waited / took, done, state.seconds
            )
        )
        if done >= 1:
            return True
        clock = time.perf_counter()
    state.epoch, state.batches = state.epoch + 1, 0
    return False


def progress(state: TrainState, settings: TrainSettings) -> float:
    """Share of the training that is over: of its pictures, or of its seconds if that is more."""
    share = state.seen / settings.images
    if settings.max_seconds is not None:
        share = max(share, state.seconds / settings.max_seconds)
    return min(share, 1.0)


def per_picture(terms, count: int) -> dict[str, float]:
    """Loss terms divided by the number of pictures; statistics (after `total`) as they are. One copy off the device."""
    names, total_at = terms._fields, terms._fields.index("total")
    values = torch.stack([value.detach().float() for value in terms]).tolist()
    return {
        name: value / count if i <= total_at else value
        for i, (name, value) in enumerate(zip(names, values, strict=True))
    }
