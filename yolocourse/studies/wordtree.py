"""How near `yolocourse wordtree build` comes to the paper's trees, and what a tree costs: data/results/wordtree.csv.

    python -m yolocourse.studies.wordtree trees DARKNET       # half a minute; needs WordNet 3.0
    python -m yolocourse.studies.wordtree speed DARKNET       # half a minute; on a machine that does nothing else

DARKNET: a folder with Darknet's data files 9k.tree and imagenet.labels.list.

"trees". The paper gives 1,369 nodes for ImageNet's 1,000 classes; Darknet's 9k.tree is the tree of YOLO9000 itself,
but which of its 1,845 inner nodes are classes is not recorded. So it is rebuilt twice, from its leaves, and from those
of its nodes that are in Darknet's list of ImageNet's 21,842 synsets, and compared node by node: `same` is the number of
its 9,418 nodes that have the same parent here. Each step of the rule is left out or changed in turn. `ever`: nodes that
have the same parent under some order of the list, and ties for the first or the last in the alphabet.

"speed". Scores of YOLO9000's grid at 544 pixels, 17 x 17 x 3, for 9,418 classes, flat and as a tree. "forward":
log-probabilities of all nodes; "loss": loss and gradient; "both": one after the other.
"""

import argparse
import ctypes
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from yolocourse.labels import FlatLabels, LabelSpace
from yolocourse.studies.results import FOLDER, Row, Run, collect
from yolocourse.wordnet import WordNet, read_wordnet
from yolocourse.wordtree import WordTree, read_tree
from yolocourse.wordtree_build import Parents, build_tree, grow, leave_out, move_up, read_ids

RESULTS = FOLDER / "wordtree.csv"
IMAGENET = FOLDER.parent / "wordtree" / "imagenet1k.ids"
PAPER_NODES = 1369  # YOLO9000, section 4
GRID = 17 * 17 * 3
SHUFFLES = 20


def parents_of(tree: WordTree) -> Parents:
    return {id: None if above < 0 else tree.ids[above] for id, above in zip(tree.ids, tree.parents, strict=True)}


def compare(tree: Parents, reference: Parents, wordnet: WordNet) -> Row:
    """How many nodes of `reference` have the same parent in `tree`, and why the others have not.

    absent: no such node in `tree`. by_hand: the parent in `reference` is no hypernym in WordNet at all. absent_parent:
    the parent in `reference` is no node of `tree`. other_way: several ways lead up, and another one is taken. fold: one
    way only, so the two differ in which nodes were left out or moved.
    """
    why = dict.fromkeys(("same", "absent", "by_hand", "absent_parent", "other_way", "fold"), 0)
    for node, above in reference.items():
        ways = wordnet.paths(node)
        if tree.get(node, "absent") == above:
            why["same"] += 1
        elif node not in tree:
            why["absent"] += 1
        elif above is not None and not any(above in way for way in ways):
            why["by_hand"] += 1
        elif above is not None and above not in tree:
            why["absent_parent"] += 1
        else:
            why["other_way" if len(ways) > 1 else "fold"] += 1
    leaves = reference.keys() - set(reference.values())
    same_leaves = sum(tree.get(leaf, "absent") == reference[leaf] for leaf in leaves)
    extra = sum(node not in reference for node in tree)
    return {"nodes": len(tree)} | why | {
        "share": why["same"] / len(reference), "leaves_share": same_leaves / len(leaves), "extra": extra
    }  # fmt: skip


def wordnets_order(wordnet: WordNet, ids: list[str]) -> dict[str, list[tuple[str, ...]]]:
    """The ways up as data.noun lists the hypernyms, in place of the alphabet."""

    def key(way: tuple[str, ...]) -> list[int]:
        upward = way[::-1]
        return [wordnet.hypernyms[low].index(high) for low, high in zip(upward, upward[1:], strict=False)]

    return {id: sorted(wordnet.paths(id), key=key) for id in sorted(ids)}


def shuffled(wordnet: WordNet, ids: list[str], seed: int, last: bool = False) -> Parents:
    """The tree from ids in another order; only nodes are left out. last: ties go to the last in the alphabet."""
    ids = sorted(ids)
    random.Random(seed).shuffle(ids)
    return leave_out(grow({id: wordnet.paths(id)[:: -1 if last else 1] for id in ids}), ids)


def cut(tree: Parents, ids: list[str]) -> Parents:
    """A tree's nodes on the paths of some of them, needless ones left out."""
    kept: Parents = {}
    for node in ids:
        while node is not None and node not in kept:
            kept[node] = tree[node]
            node = tree[node]
    return leave_out(kept, ids)


def imagenet_runs(wordnet: WordNet, darknet: Path) -> Iterator[Run]:
    """WordTree1k, and what its size hangs on."""
    ids = read_ids(IMAGENET)

    def row(variant: str, sizes: Callable[[], list[int]]) -> Run:
        def measure() -> Iterator[Row]:
            found = sizes()
            yield {"nodes": statistics.fmean(found), "low": min(found), "high": max(found)}

        return Run({"what": "imagenet1k", "variant": variant}, measure)

    def built(fold: str) -> list[int]:
        return [len(build_tree(wordnet, ids, fold))]

    yield row("build", lambda: built("nodes"))
    yield row("nothing left out", lambda: built("none"))
    yield row("ties in WordNet's order", lambda: [len(leave_out(grow(wordnets_order(wordnet, ids)), ids))])
    yield row("other orders of the list", lambda: [len(shuffled(wordnet, ids, seed)) for seed in range(SHUFFLES)])
    yield row("9k.tree cut down to them", lambda: [len(cut(parents_of(read_tree(darknet / "9k.tree")), ids))])


def yolo9000_runs(wordnet: WordNet, darknet: Path) -> Iterator[Run]:
    """9k.tree rebuilt from its leaves, then with the inner nodes that can be classes."""
    reference = read_tree(darknet / "9k.tree")
    parents, leaves = parents_of(reference), [reference.ids[leaf] for leaf in reference.leaves]
    imagenet = set((darknet / "imagenet.labels.list").read_text(encoding="utf-8").split())
    classes = [id for id in reference.ids if id in imagenet]

    def built(ids: list[str], fold: str) -> Parents:
        return parents_of(build_tree(wordnet, ids, fold))

    def move_first() -> Parents:
        return leave_out(move_up(grow({id: wordnet.paths(id) for id in sorted(leaves)}), leaves), leaves)

    def run(what: str, ids: list[str], variant: str, tree: Callable[[], Parents]) -> Run:
        key = {"what": what, "variant": variant}
        return Run(key, lambda: [{"classes": len(ids)} | compare(tree(), parents, wordnet)])

    yield run("9k leaves", leaves, "ties in WordNet's order, fold nodes",
              lambda: leave_out(grow(wordnets_order(wordnet, leaves)), leaves))  # fmt: skip
    yield run("9k leaves", leaves, "fold none", lambda: built(leaves, "none"))
    yield run("9k leaves", leaves, "fold nodes", lambda: built(leaves, "nodes"))
    yield run("9k leaves", leaves, "fold darknet", lambda: built(leaves, "darknet"))
    yield run("9k leaves", leaves, "fold darknet, classes moved before nodes are left out", move_first)
    yield run("9k classes", classes, "ties in WordNet's order, fold darknet",
              lambda: move_up(leave_out(grow(wordnets_order(wordnet, classes)), classes), classes))  # fmt: skip
    yield run("9k classes", classes, "fold darknet", lambda: built(classes, "darknet"))

    def orders() -> Iterator[Row]:
        ever, counts = set(), []
        for seed in range(SHUFFLES):
            for last in (False, True):
                tree = move_up(shuffled(wordnet, classes, seed, last), classes)
                same = {node for node in parents if tree.get(node, "absent") == parents[node]}
                ever |= same
                if not last:
                    counts.append(len(same))
        mean = statistics.fmean(counts)
        share = mean / len(parents)
        yield {"classes": len(classes), "same": mean, "low": min(counts), "high": max(counts), "share": share,
               "ever": len(ever)}  # fmt: skip

    yield Run({"what": "9k classes", "variant": "fold darknet, other orders of the list"}, orders)


def tasks(labels: LabelSpace, target: Tensor) -> dict[str, Callable[[Tensor], None]]:
    """What is timed, as functions of raw scores (M, T)."""

    def forward(scores: Tensor) -> None:
        labels.log_probabilities(scores)

    def loss(scores: Tensor) -> None:
        labels.loss(scores.detach().requires_grad_(), target).sum().backward()

    def both(scores: Tensor) -> None:
        forward(scores)
        loss(scores)

    return {"forward": forward, "loss": loss, "both": both}


def speed_runs(darknet: Path, rounds: int = 15, rows: int = GRID) -> Iterator[Run]:
    """Milliseconds and megabytes, flat and tree in turn. Layout "head": as networks put scores out, cells last."""
    tree = read_tree(darknet / "9k.tree")
    flat = FlatLabels(list(tree.ids))
    scores = torch.randn(rows, len(tree), generator=torch.Generator().manual_seed(0))
    target = torch.arange(rows) * 97 % len(tree)
    flat_tasks, tree_tasks = tasks(flat, target), tasks(tree, target)

    def measure(task: str, x: Tensor) -> Iterator[Row]:
        row: Row = {}
        pairs = {"flat": flat_tasks[task], "tree": tree_tasks[task]}
        times = {name: [] for name in pairs}
        for _ in range(rounds):
            for name, run in pairs.items():
                began = time.perf_counter()
                run(x)
                times[name].append(1e3 * (time.perf_counter() - began))
        for name, run in pairs.items():
            row |= {f"{name}_ms": statistics.median(times[name]), f"{name}_mb": peak_megabytes(lambda run=run: run(x))}
        yield row | {"times": row["tree_ms"] / row["flat_ms"], "memory": row["tree_mb"] / max(row["flat_mb"], 1e-3)}

    for layout, x in {"head": scores.t().contiguous().t(), "rows": scores}.items():
        for task in flat_tasks:
            key = {"what": "speed", "variant": f"{task}, {layout}"}
            yield Run(key, lambda task=task, x=x: measure(task, x))


def peak_megabytes(run: Callable[[], None]) -> float:
    """The memory that a function takes at its highest, beyond what was in use before; NaN where Linux does not tell."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to the system, so that taking it again shows
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from what is in use now
        before = _status("VmRSS")
        run()
        return (_status("VmHWM") - before) / 1024
    except (OSError, AttributeError):
        return math.nan


def _status(field: str) -> int:
    """A line of /proc/self/status, in kilobytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def run(command: str, darknet: Path, out: Path = RESULTS) -> list[Row]:
    """Does what `out` does not hold yet. Raises FileNotFoundError without WordNet or Darknet's files."""
    if command == "speed":
        return collect(out, speed_runs(darknet))
    wordnet = read_wordnet()
    return collect(out, [*imagenet_runs(wordnet, darknet), *yolo9000_runs(wordnet, darknet)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("trees", "speed"))
    parser.add_argument("darknet", type=Path, help="folder with Darknet's 9k.tree and imagenet.labels.list")
    options = parser.parse_args()
    run(options.command, options.darknet)
