"""WordTree: classes that are a hierarchy, as a label space (YOLO9000, section 4, "Hierarchical classification").

A network puts out one score for every node. Siblings exclude each other, so each group of siblings has a softmax of its
own: the probability of a node *given its parent*. Multiplied along the path from the root they are the probability of
the node itself. So a terrier is at most as probable as a dog, and a network that is not sure of the breed says "dog".

Siblings stand side by side, so a group is a segment of the scores. All groups are done at once, by operations on
segments; a loop runs over the levels of the tree only, a dozen or two however many nodes there are.

Shape letters: T nodes, G groups of siblings, D levels, M any number of rows, P nodes on paths, R siblings of those.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from yolocourse.labels import KINDS, LabelSpace

THRESHOLD = 0.5  # YOLO9000 walks down while the probability stays above "some threshold"; Darknet's default is 0.5
PART = 128  # rows done at once on a processor, where only results are wanted: what lies between them fits its cache


class WordTree(LabelSpace):
    """A label space over the nodes of a tree.

    names: T words, which may repeat (a crane is a bird and a machine); parents: T numbers, the place of each node's
    parent, -1 for a root. Parents come before their children, and siblings stand side by side, as in Darknet's files.
    ids: T distinct WordNet ids. threshold: probability down to which `predict` walks. darknet: walk as Darknet does,
    see there. Raises ValueError, with the number of the node counted from 1, for anything else.
    """

    def __init__(
        self,
        names: Sequence[str],
        parents: Sequence[int],
        ids: Sequence[str] | None = None,
        threshold: float = THRESHOLD,
        darknet: bool = False,
    ):
        self.names, self.parents = list(names), [int(parent) for parent in parents]
        self.ids, self.threshold, self.darknet = None if ids is None else tuple(ids), threshold, darknet
        _check(self.names, self.parents, self.ids)
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold is a probability, at least 0 and under 1; not {threshold}")
        self._by_id = {id: node for node, id in enumerate(self.ids or ())}
        self._children: dict[int, list[int]] = {}  # parent, or -1 -> its children, in order
        self._paths: list[list[int]] = []  # from the root down to the node itself
        for node, parent in enumerate(self.parents):
            self._children.setdefault(parent, []).append(node)
            self._paths.append([*(self._paths[parent] if parent >= 0 else []), node])
        self._tensors = self._make_tensors()

    def _make_tensors(self) -> dict[str, Tensor]:
        """What the arithmetic looks up. Groups are numbered as they come up, and also "in order": level by level."""
        number = {parent: group for group, parent in enumerate(self._children)}  # parent -> group below it
        depth = [0 if parent < 0 else len(self._paths[parent]) for parent in number]
        order = sorted(range(len(number)), key=depth.__getitem__)
        place = {group: i for i, group in enumerate(order)}
        parents = list(number)
        above = [number[self.parents[parents[group]]] for group in order[1:]]  # the group that a group hangs from
        self._level_sizes = [depth.count(level) for level in range(max(depth) + 1)]
        begins = [sum(self._level_sizes[:level]) for level in range(len(self._level_sizes))]
        levels = max(map(len, self._paths))
        return {
            "group": torch.tensor([number[parent] for parent in self.parents]),  # (T,) the softmax a node is in
            "below": torch.tensor([number.get(node, -1) for node in range(len(self))]),  # (T,) group below, or -1
            "start": torch.tensor([children[0] for children in self._children.values()]),  # (G,) first node
            "size": torch.tensor([len(children) for children in self._children.values()]),  # (G,) number of nodes
            "path": torch.tensor([path + [-1] * (levels - len(path)) for path in self._paths]),  # (T, D)
            "parent": torch.tensor([parents[group] for group in order[1:]], dtype=torch.long),  # (G-1,) in order
            "above": torch.tensor(above, dtype=torch.long),  # (G-1,) in order: number of the group above
            "above_place": torch.tensor(
                [place[group] - begins[depth[group]] for group in above], dtype=torch.long
            ),  # (G-1,) in order: its place among the groups of its level
            "place": torch.tensor([place[group] for group in range(len(number))]),  # (G,) place in order
        }

    def __repr__(self) -> str:
        return f"WordTree of {len(self)} nodes in {len(self._children)} groups, {self.levels} levels"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WordTree) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((tuple(self.names), tuple(self.parents), self.ids))

    @property
    def num_outputs(self) -> int:
        return len(self.names)

    @property
    def num_groups(self) -> int:
        return len(self._children)

    @property
    def levels(self) -> int:
        """How many nodes the longest path has."""
        return self._tensors["path"].shape[1]

    @property
    def leaves(self) -> list[int]:
        """The nodes that have nothing below them."""
        return [node for node in range(len(self)) if node not in self._children]

    def path(self, node: int) -> list[int]:
        """The nodes from the root down to `node`, both included."""
        return list(self._paths[node])

    def children(self, node: int | None) -> list[int]:
        """The nodes right below one; of None: the roots."""
        return list(self._children.get(-1 if node is None else node, []))

    def subtree(self, node: int) -> list[int]:
        """`node` and all that is below it, parents first."""
        return [other for other in range(node, len(self)) if node in self._paths[other]]

    def node(self, id: str) -> int:
        """The node with a WordNet id such as n02084071. Raises ValueError where there is none, or no ids at all."""
        if id not in self._by_id:
            raise ValueError(f"{self!r} has no id {id!r}" + ("" if self.ids else "; it has names only"))
        return self._by_id[id]

    def conditional_log_probabilities(self, scores: Tensor) -> Tensor:
        """Raw scores (..., T) -> log-probability of every node given its parent (..., T); float32 at least."""

        def find(x: Tensor) -> Tensor:  # (T, M) -> (T, M)
            shifted, total = self._relative(x)
            return total.neg().index_select(0, self._on(x.device)["group"]).add_(shifted)

        return _row_by_row(find, scores)

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Raw scores (..., T) -> log-probability of every node (..., T): the sum along its path; float32 at least."""
        return _row_by_row(self._sums_along_paths, scores)

    def _sums_along_paths(self, x: Tensor) -> Tensor:
        """Scores (T, M) -> log-probabilities (T, M)."""
        on = self._on(x.device)
        shifted, total = self._relative(x)  # (T, M), (G, M)
        # The sum along a path is the node's own term and the sum of its parent, which all its siblings share.
        given = shifted.index_select(0, on["parent"]) - total.index_select(0, on["above"])  # (G-1, M)
        sums, begin = [x.new_zeros(1, x.shape[1])], 0  # the roots' group has nothing above it
        for size in self._level_sizes[1:]:
            which = slice(begin, begin + size)
            sums.append(given[which] + sums[-1].index_select(0, on["above_place"][which]))
            begin += size
        shift = torch.cat(sums).index_select(0, on["place"]) - total  # (G, M)
        return shift.index_select(0, on["group"]).add_(shifted)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of (M, T) with labels (M,) -> (M,): one term for each level from the label up to its root.

        Nothing below the label enters: a picture labelled "dog" says nothing about breeds. Only the scores of the
        siblings along the path are touched, a hundred or so of YOLO9000's 9,418; float32 at least.
        """
        on = self._on(scores.device)
        path = on["path"].index_select(0, labels)  # (M, D)
        row, level = torch.nonzero(path >= 0, as_tuple=True)  # (P,)
        node = path[row, level]  # (P,)
        group = on["group"][node]  # (P,)
        size, start = on["size"][group], on["start"][group]  # (P,)
        end = size.cumsum(0)  # (P,)
        term = torch.arange(len(node), device=scores.device).repeat_interleave(size)  # (R,) which of the P
        sibling = torch.arange(len(term), device=scores.device) + (start - end + size)[term]  # (R,) node
        values = _at_least_float(scores[row[term], sibling])  # (R,)
        highest = values.new_empty(len(node)).scatter_reduce_(0, term, values.detach(), "amax", include_self=False)
        shifted = values - highest[term]  # (R,) at most 0
        total = torch.zeros_like(highest).index_add(0, term, shifted.exp()).log()  # (P,)
        terms = total - shifted.index_select(0, end - size + node - start)  # (P,)
        return values.new_zeros(len(labels)).index_add(0, row, terms)  # (M,)

    def predict(self, scores: Tensor, threshold: float | None = None) -> tuple[Tensor, Tensor]:
        """Raw scores (..., T) -> probability (...) and label (...) of the deepest node that is sure enough.

        From the root down, always to the most probable child, as long as its probability is above the threshold (the
        tree's own unless given). The root's best child is taken in any case. That is the paper's rule. Darknet
        (hierarchy_top_prediction) multiplies numbers that were multiplied along the path already, so an ancestor
        counts once for every level below it, and the walk ends sooner: with `darknet` that product is compared.
        """
        threshold = self.threshold if threshold is None else threshold
        parts = [self._walk(_nodes_first(part), threshold) for part in _split(scores)]
        probability, label = (torch.cat(each) for each in zip(*parts, strict=True))
        return probability.view(scores.shape[:-1]), label.view(scores.shape[:-1])

    def _walk(self, x: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
        """`predict` for scores (T, M): probability and label (M,)."""
        on = self._on(x.device)
        shifted, total = self._relative(x)  # (T, M), (G, M)
        conditional, best = total.neg().exp(), self._best(shifted)  # (G, M) of each group's best child
        label, probability = best[0], conditional[0]  # (M,)
        compared, walking = probability, torch.ones_like(label, dtype=torch.bool)
        for _ in range(self.levels - 1):
            group = on["below"][label]  # (M,)
            below = group.clamp(min=0)[None]
            deeper = probability * conditional.gather(0, below)[0]
            compared = compared * deeper if self.darknet else deeper
            walking = walking & (group >= 0) & (compared > threshold)
            label = torch.where(walking, best.gather(0, below)[0], label)
            probability = torch.where(walking, deeper, probability)
        return probability, label

    def candidates(self, objectness: Tensor, scores: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
        """One name for each box, the deepest sure one, scored by the objectness alone, as Darknet does it."""
        _, label = self.predict(scores)
        which = torch.nonzero(objectness > threshold).flatten()
        return which, label[which], objectness[which]

    def to_dict(self) -> dict:
        ids = None if self.ids is None else list(self.ids)
        walk = {"threshold": self.threshold, "darknet": self.darknet}
        return {"kind": "tree", "names": self.names, "ids": ids, "parents": self.parents} | walk

    def _relative(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (T, M) -> less the highest of their group (T, M), and log of the group's sum of exp of that (G, M)."""
        group = self._on(x.device)["group"]
        highest = x.new_empty(self.num_groups, x.shape[1])  # (G, M)
        highest.scatter_reduce_(0, group[:, None].expand(x.shape), x.detach(), "amax", include_self=False)
        shifted = highest.neg_().index_select(0, group).add_(x)  # (T, M) at most 0
        return shifted, torch.zeros_like(highest).index_add(0, group, shifted.exp()).log()

    def _best(self, shifted: Tensor) -> Tensor:
        """The first node (G, M) of each group whose relative score (T, M) is 0."""
        group = self._on(shifted.device)["group"]
        nodes = torch.arange(len(self), device=shifted.device)[:, None]
        nodes = torch.where(shifted == 0, nodes, len(self))  # (T, M)
        best = nodes.new_empty(self.num_groups, shifted.shape[1])
        best.scatter_reduce_(0, group[:, None].expand(shifted.shape), nodes, "amin", include_self=False)
        return best.clamp(max=len(self) - 1)  # scores that are not numbers have no best

    def _on(self, device: torch.device) -> dict[str, Tensor]:
        if self._tensors["group"].device != device:
            self._tensors = {name: tensor.to(device) for name, tensor in self._tensors.items()}
        return self._tensors


def _at_least_float(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _nodes_first(rows: Tensor) -> Tensor:
    """(M, T) -> (T, M): what was one number becomes a row, so that the sums over siblings are sums of rows."""
    return _at_least_float(rows.t()).contiguous()


def _split(scores: Tensor) -> tuple[Tensor, ...]:
    """(..., T) -> parts of (M, T)."""
    rows = scores.reshape(-1, scores.shape[-1])
    return rows.split(PART if scores.device.type == "cpu" else max(len(rows), 1))


def _row_by_row(find: Callable[[Tensor], Tensor], scores: Tensor) -> Tensor:
    """Applies a function of scores (T, M) to (..., T); in parts, unless a gradient has to go through."""
    if scores.requires_grad and torch.is_grad_enabled():
        return find(_nodes_first(scores.reshape(-1, scores.shape[-1]))).t().reshape(scores.shape)
    result = torch.empty(scores.shape, dtype=_at_least_float(scores[:0]).dtype, device=scores.device)
    for part, place in zip(_split(scores), _split(result), strict=True):
        place.copy_(find(_nodes_first(part)).t())
    return result


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
