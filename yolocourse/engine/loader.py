"""Which pictures come when: an epoch's order, cut into batches, shared out among processes."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from yolocourse.datasets.batch import Batch, collate
from yolocourse.datasets.loading import Seeded
from yolocourse.engine.processes import Processes
from yolocourse.engine.settings import TrainSettings

AT_ONCE = 64  # pictures that a process without helpers loads in a row


def seeded(*numbers: int) -> torch.Generator:
    """A generator that depends on all the numbers. (torch's keeps the lowest 32 bits of a seed and drops the rest.)"""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint32)[0]))


class EpochSampler(Sampler[int]):
    """An epoch's pictures in an order that depends on seed and epoch alone; `skip` pictures of it are already done.

    Every picture once, unless the data set has a mind of its own: `order(batch_size, generator)` says which pictures
    make up the batches, `epoch_length(batch_size)` how many they are. See `datasets.mixing.Mixed`.
    Of several processes each takes every count-th picture, so that a batch holds the same pictures however many there
    are. So that all take the same number of steps, what does not fill the last batch is left out.
    """

    def __init__(self, dataset: Dataset, seed: int, processes: Processes, batch_size: int = 1):
        self.dataset, self.seed, self.processes, self.batch_size = dataset, seed, processes, batch_size
        self.epoch = self.skip = 0
        count = epoch_length(dataset, batch_size)
        self.whole = count if count < batch_size else count // batch_size * batch_size

    def __iter__(self) -> Iterator[int]:
        generator = seeded(self.seed, self.epoch)
        if hasattr(self.dataset, "order"):
            order = self.dataset.order(self.batch_size, generator)
        else:
            order = torch.randperm(len(self.dataset), generator=generator).tolist()
        return iter(order[self.skip : self.whole][self.processes.rank :: self.processes.count])

    def __len__(self) -> int:
        return len(range(self.processes.rank, max(self.whole - self.skip, 0), self.processes.count))


def epoch_length(dataset: Dataset, batch_size: int) -> int:
    """How many pictures of a data set an epoch shows: all, unless it says otherwise."""
    return dataset.epoch_length(batch_size) if hasattr(dataset, "epoch_length") else len(dataset)


def make_loader(dataset: Dataset, settings: TrainSettings, device: torch.device, processes: Processes) -> DataLoader:
    """Portions of batches of a data set of uint8 samples. A last batch that is not full is left out: batch norm would
    suffer. Raises ValueError where a batch cannot be shared out equally, or several processes have less than one batch.
    """
    portion = processes.share(settings.batch_size, settings.accumulate)
    pictures = dataset.dataset if isinstance(dataset, Seeded) else dataset
    count = epoch_length(pictures, settings.batch_size)
    if count == 0:
        raise ValueError(f"not one batch of {settings.batch_size} pictures can be made of this data set")
    if processes.count > 1 and count < settings.batch_size:
        raise ValueError(f"{count} pictures are less than one batch of {settings.batch_size}; use one process")
    return DataLoader(
        dataset,
        portion,
        sampler=EpochSampler(pictures, settings.seed, processes, settings.batch_size),
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
        pin_memory=device.type == "cuda",
        collate_fn=collate,
        generator=torch.Generator(),  # else each epoch would draw from the global one, a resumed epoch once more
    )


def batches(loader: DataLoader) -> Iterator[Batch]:
    """The batches of `make_loader`; where no worker processes load them, several are loaded before the first is used.

    Loading and training push each other's code and data out of the processor's cache, so each change between them
    costs time: with batches of 8 scenes of 224 pixels, half of all time spent on loading.
    """
    count = max(1, AT_ONCE // loader.batch_size) if loader.num_workers == 0 else 1
    return chain.from_iterable(grouped(loader, count))


def grouped(items: Iterable, count: int) -> Iterator[list]:
    """Lists of `count` items, the last one shorter if need be."""
    items = iter(items)
    while group := list(islice(items, count)):
        yield group
