"""Pictures with boxes and pictures with a class only, in one data set and in every batch (YOLO9000, section 4).

What a class is called differs from data set to data set; `Relabelled` says both in the classes of one word tree.
`Mixed` puts them together in a fixed ratio. The paper has nine thousand classes of ImageNet and 80 of COCO, and shows
COCO's pictures several times, until ImageNet's are only four times as many.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from yolocourse.labels import LabelSpace
from yolocourse.treeview import map_classes


class Relabelled(Dataset):
    """A data set with the classes of another label space: label i becomes `places[i]`.

    labels: the new classes, such as a `WordTree`. places: one for each old class, such as the nodes that `read_map`
    gives; None: found by WordNet id. Everything else is the data set's own: pictures, boxes, sizes, path(i).
    Raises ValueError for another number of places than classes, one outside the new ones, and as `map_classes` does.
    """

    def __init__(self, dataset: Dataset, labels: LabelSpace, places: Sequence[int] | None = None):
        places = map_classes(labels, dataset.labels) if places is None else list(places)
        if len(places) != len(dataset.labels):
            raise ValueError(f"{len(places)} places for the {len(dataset.labels)} classes of the data set")
        outside = [(i, place) for i, place in enumerate(places) if not 0 <= place < len(labels)]
        if outside:
            i, place = outside[0]
            raise ValueError(f"class {dataset.labels.names[i]!r} is sent to {place}, outside 0 to {len(labels) - 1}")
        self.dataset, self.labels, self.places = dataset, labels, torch.tensor(places)

    def __getattr__(self, name: str):
        # sizes(), path(i) ... of the data set inside; not for names that unpickling asks for.
        if name.startswith("__") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def target(self, i: int) -> dict:
        """The target of item i without reading the picture."""
        return self._renamed(self.dataset.target(i))

    def label(self, i: int) -> int:
        """The class of a class-only picture i, without reading it."""
        return int(self.places[self.dataset.label(i)])

    def __getitem__(self, i: int) -> tuple:
        image, target = self.dataset[i]
        return image, self._renamed(target)

    def _renamed(self, target: dict) -> dict:
        return {**target, **{name: self.places[target[name]] for name in ("labels", "label") if name in target}}


class Mixed(Dataset):
    """Pictures with boxes, and to each of them on average `ratio` pictures with a class only.

    Both data sets need the same `labels`. An epoch shows the one that lasts longer once and the other one several times
    over. Items are numbered accordingly: all pictures with boxes, `boxed_rounds` times, then all those with a class
    only, `class_rounds` times; so a transform that depends on the number varies each repetition in another way. `order`
    says which of them make up an epoch's batches.
    Raises ValueError for different label spaces, an empty data set, and a ratio that is not above 0.
    """

    def __init__(self, boxed: Dataset, class_only: Dataset, ratio: float = 4.0):
        if not ratio > 0:
            raise ValueError(f"ratio is pictures with a class only to one with boxes, above 0; not {ratio}")
        if boxed.labels != class_only.labels:
            spaces = f"{boxed.labels!r} and {class_only.labels!r}"
            raise ValueError(f"both data sets need the same classes, see Relabelled; found {spaces}")
        for dataset, kind in ((boxed, "boxes"), (class_only, "a class only")):
            if len(dataset) == 0:
                raise ValueError(f"the data set of pictures with {kind} has none")
        self.boxed, self.class_only, self.ratio, self.labels = boxed, class_only, ratio, boxed.labels
        wanted = len(class_only) / (ratio * len(boxed))  # how often the pictures with boxes would have to come
        self.boxed_rounds, self.class_rounds = max(1, round_up(wanted)), max(1, round_up(1 / wanted))

    def __len__(self) -> int:
        return len(self.boxed) * self.boxed_rounds + len(self.class_only) * self.class_rounds

    def __getitem__(self, i: int) -> tuple:
        i = range(len(self))[i]
        first = len(self.boxed) * self.boxed_rounds
        if i < first:
            return self.boxed[i % len(self.boxed)]
        return self.class_only[(i - first) % len(self.class_only)]

    def sizes(self) -> Tensor:
        """Width and height (B, 2) of all boxes as shares of their pictures'."""
        return self.boxed.sizes()

    def changed(self, change: Callable[[Dataset], Dataset]) -> "Mixed":
        """The same mixture of two data sets that `change` was done to."""
        return Mixed(change(self.boxed), change(self.class_only), self.ratio)

    def epoch_length(self, batch_size: int) -> int:
        """How many pictures an epoch has: whole batches, until one of the two kinds runs out."""
        return self._batches(batch_size) * batch_size

    def order(self, batch_size: int, generator: torch.Generator) -> list[int]:
        """The numbers of an epoch's pictures, batch after batch.

        Every batch has its share of both kinds, whole pictures as close to the ratio as they go, in any order. No
        picture comes a third time before all have come twice.
        """
        boxed = self._shuffled(len(self.boxed), self.boxed_rounds, 0, generator)
        class_only = self._shuffled(len(self.class_only), self.class_rounds, len(boxed), generator)
        result = []
        for batch in range(self._batches(batch_size)):
            first, last = (self._boxed_before(batch + more, batch_size) for more in (0, 1))
            rest = slice(batch * batch_size - first, (batch + 1) * batch_size - last)
            numbers = boxed[first:last] + class_only[rest]
            result += [numbers[i] for i in torch.randperm(batch_size, generator=generator).tolist()]
        return result

    def _batches(self, batch_size: int) -> int:
        boxed, class_only = len(self.boxed) * self.boxed_rounds, len(self.class_only) * self.class_rounds
        count = (boxed + class_only) // batch_size
        while count and (
            self._boxed_before(count, batch_size) > boxed
            or count * batch_size - self._boxed_before(count, batch_size) > class_only
        ):
            count -= 1
        return count

    def _boxed_before(self, batch: int, batch_size: int) -> int:
        """Pictures with boxes in the batches before this one."""
        return int(batch * batch_size / (1 + self.ratio) + 1e-9)

    @staticmethod
    def _shuffled(count: int, rounds: int, first: int, generator: torch.Generator) -> list[int]:
        """Numbers from `first` on, `rounds` times `count` of them; each round in an order of its own."""
        orders = [torch.randperm(count, generator=generator) + first + i * count for i in range(rounds)]
        return torch.cat(orders).tolist()


def round_up(value: float) -> int:
    """The next whole number, where a rounding error does not count as a part of one."""
    return -int(-(value - 1e-9) // 1)
