"""What classes are: their names, what a network says of them, and what it should have said.

A `LabelSpace` turns the raw class scores of a network into probabilities, a loss and a prediction. Flat classes and a
word tree differ in this object and nowhere else, so detectors and losses take one and never ask which kind it is.

Shape letters: C scores that the network puts out, T classes that have a probability, M any number of rows.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class LabelSpace(ABC):
    """The classes of a data set and the arithmetic over them. Labels are indices 0 .. len - 1."""

    names: list[str]
    ids: tuple[str, ...] | None  # WordNet ids such as n02084071, where the classes have them

    def __len__(self) -> int:
        return len(self.names)

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Raw scores C that a network needs for one prediction."""

    @abstractmethod
    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Raw scores (..., C) -> log-probability of every class (..., T)."""

    @abstractmethod
    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of raw scores (M, C) against labels (M,) -> (M,), not reduced."""

    @abstractmethod
    def predict(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores (..., C) -> probability (...) and label (...) of the best class."""

    @abstractmethod
    def to_dict(self) -> dict:
        """What `labels_from_dict` needs to build this object again; only strings, numbers, lists and dicts."""

    def probabilities(self, scores: Tensor) -> Tensor:
        """Raw scores (..., C) -> probability of every class (..., T)."""
        return self.log_probabilities(scores).exp()

    def candidates(self, objectness: Tensor, scores: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
        """What boxes are worth reporting, and as what: objectness (B,), raw scores (B, C) -> box, label, score (K,).

        Every pair of box and class counts whose objectness times probability is above the threshold.
        """
        product = objectness[:, None] * self.probabilities(scores)  # (B, T)
        which, label = torch.nonzero(product > threshold, as_tuple=True)
        return which, label, product[which, label]

    def index(self, name: str) -> int:
        """The label of a class name. Raises ValueError for a name that is not there."""
        try:
            return self.names.index(name)
        except ValueError:
            known = ", ".join(self.names[:20]) + (" ..." if len(self) > 20 else "")
            raise ValueError(f"unknown class {name!r}; the {len(self)} known classes are: {known}") from None


class FlatLabels(LabelSpace):
    """Classes that exclude each other, without an order among them: one softmax over all of them.

    `names` must be distinct and not empty; `ids`, if given, are as many, and distinct. Raises ValueError otherwise.
    """

    def __init__(self, names: Sequence[str], ids: Sequence[str] | None = None):
        self.names = list(names)
        self.ids = None if ids is None else tuple(ids)
        if not self.names:
            raise ValueError("a label space needs at least one class name, found none")
        for kind, values in (("name", self.names), ("id", self.ids or ())):
            twice = sorted(value for value, count in Counter(values).items() if count > 1)
            if twice:
                raise ValueError(f"class {kind} given twice: {', '.join(map(repr, twice))}")
        if self.ids is not None and len(self.ids) != len(self.names):
            raise ValueError(f"{len(self.names)} class names but {len(self.ids)} ids; every name needs one id")

    def __repr__(self) -> str:
        return f"FlatLabels({self.names!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlatLabels) and (self.names, self.ids) == (other.names, other.ids)

    def __hash__(self) -> int:
        return hash((tuple(self.names), self.ids))

    @property
    def num_outputs(self) -> int:
        return len(self.names)

    def log_probabilities(self, scores: Tensor) -> Tensor:
        return torch.log_softmax(scores, dim=-1)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(scores, labels, reduction="none")

    def predict(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        probability, label = self.probabilities(scores).max(dim=-1)
        return probability, label

    def to_dict(self) -> dict:
        return {"kind": "flat", "names": self.names, "ids": None if self.ids is None else list(self.ids)}


class GuessedLabels(LabelSpace):
    """Names that a network does not know, guessed from those it does: "every dog is a terrier".

    known: what the network was trained for; names: what is asked; guesses: for each name the known class that is taken
    for it, -1 where none is. Such a guess costs nothing, so what finds terriers has to do better. For evaluation only:
    the probabilities need not add up to one. Raises ValueError for other than one guess a name, or an unknown class.
    """

    def __init__(self, known: LabelSpace, names: Sequence[str], guesses: Sequence[int]):
        self.known, self.names, self.ids, self.guesses = known, list(names), None, list(guesses)
        if len(self.names) != len(self.guesses) or not self.names:
            raise ValueError(f"{len(self.guesses)} guesses for {len(self.names)} names; one each is needed")
        for name, guess in zip(self.names, self.guesses, strict=True):
            if not -1 <= guess < len(known):
                raise ValueError(f"{name!r} is guessed from class {guess}, outside -1 to {len(known) - 1}")

    @property
    def num_outputs(self) -> int:
        return self.known.num_outputs

    def log_probabilities(self, scores: Tensor) -> Tensor:
        guesses = torch.tensor(self.guesses, device=scores.device)
        found = self.known.log_probabilities(scores).index_select(-1, guesses.clamp(min=0))
        return found.masked_fill(guesses < 0, -torch.inf)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return -self.log_probabilities(scores).gather(-1, labels[:, None])[:, 0]

    def predict(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        probability, label = self.probabilities(scores).max(dim=-1)
        return probability, label

    def to_dict(self) -> dict:
        return {"kind": "guessed", "known": self.known.to_dict(), "names": self.names, "guesses": self.guesses}


def labels_from_dict(description: dict) -> LabelSpace:
    """Builds the label space that `LabelSpace.to_dict` described. Raises ValueError for an unknown kind."""
    kind = description.get("kind")
    if kind not in KINDS:
        raise ValueError(f"unknown kind of label space: {kind!r}; known: {', '.join(map(repr, KINDS))}")
    return KINDS[kind](**{name: value for name, value in description.items() if name != "kind"})


def _guessed_from_dict(known: dict, names: list[str], guesses: list[int]) -> GuessedLabels:
    return GuessedLabels(labels_from_dict(known), names, guesses)


# wordtree.py and treeview.py add theirs.
KINDS: dict[str, Callable[..., LabelSpace]] = {"flat": FlatLabels, "guessed": _guessed_from_dict}
