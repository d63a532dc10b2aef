"""WordTree: classes that are a hierarchy, as a label space (YOLO9000, section 4, "Hierarchical classification").

A network puts out one score for every node. Siblings exclude each other, so each group of siblings has a softmax of its
own: the probability of a node *given its parent*. Multiplied along the path from the root they are the probability of
the node itself. So a terrier is at most as probable as a dog, and a network that is not sure of the breed says "dog".

Shape letters: T nodes, G groups of siblings, M any number of rows.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from yolocourse.labels import KINDS, LabelSpace

THRESHOLD = 0.5  # YOLO9000 walks down while the probability stays above "some threshold"; Darknet's default is 0.5


class WordTree(LabelSpace):
    """A label space over the nodes of a tree.

    names: T words, which may repeat (a crane is a bird and a machine); parents: T numbers, the place of each node's
    parent, -1 for a root. Parents come before their children, and siblings stand side by side, as in Darknet's files.
    ids: T distinct WordNet ids. threshold: probability down to which `predict` walks.
    Raises ValueError, with the number of the node counted from 1, for anything else.
    """

    def __init__(
        self,
        names: Sequence[str],
        parents: Sequence[int],
        ids: Sequence[str] | None = None,
        threshold: float = THRESHOLD,
    ):
        self.names, self.parents = list(names), [int(parent) for parent in parents]
        self.ids, self.threshold = None if ids is None else tuple(ids), threshold
        _check(self.names, self.parents, self.ids)
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold is a probability, at least 0 and under 1; not {threshold}")
        first, group, depth = {}, [], []  # first child -> number of the group
        for parent in self.parents:
            group.append(first.setdefault(parent, len(first)))
            depth.append(0 if parent < 0 else depth[parent] + 1)
        self._groups = len(first)
        parent, depth = torch.tensor(self.parents), torch.tensor(depth)
        self._tensors = {
            "parent": parent,
            "group": torch.tensor(group),  # (T,) of the softmax that a node is in
            "children": torch.tensor([first.get(node, -1) for node in range(len(self))]),  # (T,) group below, or -1
        }
        self._levels = [torch.nonzero(depth == level).flatten() for level in range(1, int(depth.max()) + 1)]

    def __repr__(self) -> str:
        return f"WordTree of {len(self)} nodes in {self._groups} groups, {len(self._levels) + 1} levels"

    def __eq__(self, other: object) -> bool:
        mine = (self.names, self.parents, self.ids, self.threshold)
        return isinstance(other, WordTree) and mine == (other.names, other.parents, other.ids, other.threshold)

    def __hash__(self) -> int:
        return hash((tuple(self.names), tuple(self.parents), self.ids))

    @property
    def num_outputs(self) -> int:
        return len(self.names)

    def conditional_log_probabilities(self, scores: Tensor) -> Tensor:
        """Raw scores (..., T) -> log-probability of every node given its parent (..., T); float32 at least."""
        scores = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
        index = self._on(scores.device)["group"].expand(scores.shape)  # (..., T)
        shape = (*scores.shape[:-1], self._groups)
        highest = scores.new_full(shape, -torch.inf).scatter_reduce(-1, index, scores.detach(), "amax")  # (..., G)
        shifted = scores - highest.gather(-1, index)  # (..., T)
        total = scores.new_zeros(shape).scatter_add(-1, index, shifted.exp())  # (..., G)
        return shifted - total.log().gather(-1, index)

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Raw scores (..., T) -> log-probability of every node (..., T): the sum along its path."""
        result = self.conditional_log_probabilities(scores)
        parent = self._on(scores.device)["parent"]
        for level in self._levels:  # a dozen, however many nodes there are
            level = level.to(scores.device)
            above = result.index_select(-1, parent[level])
            result = result.index_add(-1, level, above)
        return result

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of (M, T) with labels (M,) -> (M,): one term for each level from the label up to its root.

        Nothing below the label enters: a picture labelled "dog" says nothing about breeds.
        """
        return -self.log_probabilities(scores).gather(-1, labels[:, None])[:, 0]

    def predict(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores (..., T) -> probability (...) and label (...) of the deepest node that is sure enough.

        From the root down, always to the most probable child, as long as its probability is above the threshold. The
        root's best child is taken in any case.
        """
        conditional = self.conditional_log_probabilities(scores)
        index = self._on(scores.device)["group"].expand(scores.shape)
        shape = (*scores.shape[:-1], self._groups)
        highest = conditional.new_full(shape, -torch.inf).scatter_reduce(-1, index, conditional, "amax")  # (..., G)
        nodes = torch.arange(len(self), device=scores.device).expand(scores.shape)
        best = conditional == highest.gather(-1, index)
        first = torch.full(shape, len(self), device=scores.device, dtype=torch.long)
        first = first.scatter_reduce(-1, index, torch.where(best, nodes, len(self)), "amin")  # (..., G) best of each
        first = first.clamp(max=len(self) - 1)  # scores that are not numbers have no best
        label, probability = first[..., 0], highest[..., 0].exp()
        children = self._on(scores.device)["children"]
        walking = torch.ones_like(label, dtype=torch.bool)
        for _ in self._levels:
            group = children[label]  # (...)
            walking = walking & (group >= 0)
            below = group.clamp(min=0)[..., None]
            deeper = probability * highest.gather(-1, below)[..., 0].exp()
            walking = walking & (deeper > self.threshold)
            label = torch.where(walking, first.gather(-1, below)[..., 0], label)
            probability = torch.where(walking, deeper, probability)
        return probability, label

    def candidates(self, objectness: Tensor, scores: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
        """One name for each box, the deepest sure one, scored by the objectness alone, as Darknet does it."""
        _, label = self.predict(scores)
        which = torch.nonzero(objectness > threshold).flatten()
        return which, label[which], objectness[which]

    def to_dict(self) -> dict:
        ids = None if self.ids is None else list(self.ids)
        return {"kind": "tree", "names": self.names, "ids": ids, "parents": self.parents, "threshold": self.threshold}

    def _on(self, device: torch.device) -> dict[str, Tensor]:
        if self._tensors["group"].device != device:
            self._tensors = {name: tensor.to(device) for name, tensor in self._tensors.items()}
        return self._tensors


KINDS["tree"] = WordTree


def read_tree(path: str | Path, names: Sequence[str] | None = None) -> WordTree:
    """Reads Darknet's .tree: a line "id parent" for each node. names: words to show instead of the ids.

    Raises FileNotFoundError, or ValueError with file and line for a malformed tree.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such word tree (.tree)")
    ids, parents = [], []
    try:
        lines = path.read_text(encoding="utf-8").rstrip().split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file, so no word tree") from None
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if len(parts) != 2 or not parts[1].lstrip("-").isascii() or not parts[1].lstrip("-").isdigit():
            raise ValueError(f"{path}:{number}: expected an id and the number of its parent; found {line[:60]!r}")
        ids.append(parts[0])
        parents.append(int(parts[1]))
    if names is not None and len(names) != len(ids):
        raise ValueError(f"{path}: {len(ids)} nodes, but {len(names)} names")
    try:
        return WordTree(ids if names is None else names, parents, ids)
    except TreeError as error:
        raise ValueError(f"{path}:{error.node}: {error}") from None


def write_tree(path: str | Path, tree: WordTree) -> None:
    """Writes Darknet's .tree; nodes without an id go by their name, blanks as underscores."""
    ids = tree.ids or [name.replace(" ", "_") for name in tree.names]
    lines = [f"{node} {parent}\n" for node, parent in zip(ids, tree.parents, strict=True)]
    Path(path).write_text("".join(lines), encoding="utf-8", newline="\n")


class TreeError(ValueError):
    """A malformed tree; `node` is the number of the node where it shows, counted from 1: its line in a .tree file."""

    def __init__(self, node: int, message: str):
        super().__init__(message)
        self.node = node


def _check(names: list[str], parents: list[int], ids: tuple[str, ...] | None) -> None:
    if not names:
        raise TreeError(1, "a word tree needs at least one node, found none")
    if len(parents) != len(names) or (ids is not None and len(ids) != len(names)):
        raise TreeError(1, f"{len(names)} names, {len(parents)} parents, {len(ids or names)} ids; they must be as many")
    seen: dict[str, int] = {}
    for node, name in enumerate(ids or [], 1):
        if name in seen:
            raise TreeError(node, f"id {name!r} is that of node {seen[name]} already")
        seen[name] = node
    done, before = set(), None
    for node, parent in enumerate(parents):
        if not -1 <= parent < node:
            what = "its own parent" if parent == node else f"a child of {parent}, which does not come before it"
            raise TreeError(node + 1, f"node {node} is {what}; parents come first, and roots have -1")
        if parent != before and parent in done:
            raise TreeError(node + 1, f"children of node {parent} stand in two places; siblings must be side by side")
        done.add(parent)
        before = parent
