"""The pictures of the study of joint training, drawn once for all runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached

SCARCE = ("boat",)


@dataclass(frozen=True)
class Budget:
    """How much of everything a run gets; the same for all three."""

    scene_images: int = 16_000  # scenes that a detector is trained on, repeats included; joint gets things besides
    scenes: int = 3_000  # drawn to train on, those with boats among them, of which only `scarce_scenes` stay
    scarce_scenes: int = 10
    unseen_scenes: int = 600  # more for the oracle, with the classes that are never boxed
    things: int = 3_000
    size: int = 224  # sides in pixels
    tests: int = 750  # scenes like the training ones
    # ... and with the classes that are never boxed: three to one makes these about as common as the other children of
    # dog, car and tree, so that the commonest child is no better a guess than any other.
    unseen_tests: int = 250


class Part(Dataset):
    """Some items of a data set with boxes."""

    def __init__(self, dataset: Dataset, items: Sequence[int]):
        self.dataset, self.items, self.labels = dataset, list(items), dataset.labels

    def __len__(self) -> int:
        return len(self.items)

    def target(self, i: int) -> dict:
        return self.dataset.target(self.items[i])

    def __getitem__(self, i: int) -> tuple:
        return self.dataset[self.items[i]]


class Together(ConcatDataset):
    """Several data sets with boxes and the same labels, one after the other."""

    def __init__(self, datasets: Sequence[Dataset]):
        super().__init__(datasets)
        self.labels = datasets[0].labels

    def target(self, i: int) -> dict:
        for dataset in self.datasets:
            if i < len(dataset):
                return dataset.target(i)
            i -= len(dataset)
        raise IndexError("beyond the last picture")


class Material:
    """The pictures that all runs share, drawn when first asked for."""

    def __init__(self, budget: Budget):
        self.budget = budget

    @cached_property
    def drawn(self) -> tuple[Dataset, list[int], list[int]]:
        """Training scenes, and the numbers of those without and with a scarce class."""
        scenes = toytown.scenes(self.budget.scenes, size=self.budget.size)
        scarce, without, having = {scenes.labels.index(name) for name in SCARCE}, [], []
        for i in range(len(scenes)):
            (having if scarce & set(scenes.target(i)["labels"].tolist()) else without).append(i)
        return scenes, without, having

    @cached_property
    def scenes(self) -> Cached:
        """Training scenes with coarse names; of those with a scarce class only the first few."""
        drawn, without, having = self.drawn
        return Cached(Part(drawn, sorted(without + having[: self.budget.scarce_scenes])))

    @cached_property
    def more(self) -> list[Cached]:
        """For the oracle: the scenes left out, and some with the classes that the others see in none."""
        drawn, _, having = self.drawn
        unseen = toytown.scenes(self.budget.unseen_scenes, slice="unseen", size=self.budget.size)
        return [Cached(Part(drawn, having[self.budget.scarce_scenes :])), Cached(unseen)]

    @cached_property
    def things(self) -> Cached:
        return Cached(toytown.things(self.budget.things, size=self.budget.size))

    @cached_property
    def tests(self) -> tuple[Cached, Cached]:
        """Test scenes like the training ones, and those that show what is never boxed."""
        parts = ((None, self.budget.tests), ("unseen", self.budget.unseen_tests))
        return tuple(
            Cached(toytown.scenes(count, slice=name, size=self.budget.size, split="test")) for name, count in parts
        )

    def sizes(self) -> Tensor:
        """Width and height of the training boxes as shares of the picture, the same for all three detectors."""
        boxes = torch.cat([self.scenes.target(i)["boxes"].as_subclass(Tensor) for i in range(len(self.scenes))])
        return (boxes[:, 2:] - boxes[:, :2]) / self.budget.size
