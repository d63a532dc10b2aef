"""Toy Town for joint training: scenes with coarse boxes and pictures with fine classes, in the words of one tree.

Some fine classes never have a box (`NEVER_BOXED`), fine or coarse. The others have boxes named by their coarse class.
"""

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from yolocourse.datasets.mixing import Mixed, Relabelled
from yolocourse.datasets.toytown.classes import COARSE, FINE, NEVER_BOXED, coarse_of, labels, tree
from yolocourse.datasets.toytown.dataset import ToyTownScenes, scenes, things
from yolocourse.labels import LabelSpace
from yolocourse.treeview import map_classes


class FineScenes(Dataset):
    """Scenes whose boxes carry other labels than the coarse ones.

    scenes: `ToyTownScenes`, or such kept in memory. A box of a kind with a fine class gets fine_places[that class], one
    without gets coarse_places[its coarse class]; -1 leaves it out.
    """

    def __init__(self, scenes: Dataset, labels: LabelSpace, fine_places: Sequence[int], coarse_places: Sequence[int]):
        self.scenes, self.labels = scenes, labels
        self.fine_places, self.coarse_places = torch.tensor(fine_places), torch.tensor(coarse_places)

    def __len__(self) -> int:
        return len(self.scenes)

    def target(self, i: int) -> dict:
        return self._renamed(self.scenes.target(i))

    def sizes(self):
        return self.scenes.sizes()

    def __getitem__(self, i: int) -> tuple:
        image, target = self.scenes[i]
        return image, self._renamed(target)

    def _renamed(self, target: dict) -> dict:
        fine, coarse = target["fine"], target["labels"]
        places = torch.where(fine >= 0, self.fine_places[fine], self.coarse_places[coarse])
        keep = places >= 0
        target = {**target, "labels": places}
        return target | {name: target[name][keep] for name in ("boxes", "labels", "fine", "difficult")}


def with_fine_boxes(dataset: ToyTownScenes) -> FineScenes:
    """Scenes in the tree's words, as finely as they go: what an oracle trains on, who has all fine boxes."""
    words = tree()
    return FineScenes(dataset, words, map_classes(words, labels("fine")), map_classes(words, labels("coarse")))


def fine_only(dataset: ToyTownScenes) -> FineScenes:
    """Scenes to test on: the boxes of kinds that have a fine class, with its label, and no others."""
    return FineScenes(dataset, labels("fine"), range(len(FINE)), [-1] * len(COARSE))


def mixture(count: int, ratio: float = 1.0, seed: int = 0, split: str = "train") -> Mixed:
    """`count` scenes with coarse boxes, and `ratio` times as many things with fine classes, as nodes of `tree()`."""
    words, more = tree(), max(1, round(count * ratio))
    return Mixed(
        Relabelled(scenes(count, seed, split=split), words), Relabelled(things(more, seed, 224, split), words), ratio
    )


def coarse_parents() -> list[int]:
    """For each fine class the number of the coarse class above it; -1 for those that are coarse classes themselves."""
    return [-1 if name in COARSE else COARSE.index(coarse_of(name)) for name in FINE]


def fine_groups(scarce: Sequence[str] = ()) -> dict[str, list[int]]:
    """The fine classes that are below a coarse one, by what training shows of them.

    "boxed": boxes with the coarse name; "scarce": the coarse class is one of `scarce`, with hardly any boxes; "never
    boxed": no box at all. Raises ValueError for a scarce class that is none of the coarse ones.
    """
    unknown = [name for name in scarce if name not in COARSE]
    if unknown:
        raise ValueError(f"unknown coarse class {unknown[0]!r}; known: {', '.join(COARSE)}")
    groups: dict[str, list[int]] = {"boxed": [], "never boxed": [], "scarce": []}
    for number, (name, parent) in enumerate(zip(FINE, coarse_parents(), strict=True)):
        if parent >= 0:
            kind = "scarce" if COARSE[parent] in scarce else "never boxed" if name in NEVER_BOXED else "boxed"
            groups[kind].append(number)
    return {name: classes for name, classes in groups.items() if classes}
