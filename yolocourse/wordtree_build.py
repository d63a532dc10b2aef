"""A WordTree from WordNet and a list of synsets (YOLO9000, section 4, "Hierarchical classification").

The paper's rule: synsets with a single way up to the root come first, with all of that way. The others follow, and each
takes the way that adds the fewest nodes to the tree. The paper leaves open in which order they follow, what happens
when two ways add the same number, and which nodes are left out at last: the shortest account of WordTree1k and of the
9,418 nodes is that

- those that add no node go first, then those that add one, and so on;
- of two ways that add the same number, the one first in the alphabet is taken (the order of Python's nltk);
- the root is "physical entity" and no node itself; what is below it are the roots of the tree;
- a node with one child, which is no class, is left out: a softmax over one answers nothing. See FOLDS.

With this ImageNet's 1,000 synsets give the paper's 1,369 nodes; data/results/wordtree.csv has the rest.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from yolocourse.wordnet import PHYSICAL_ENTITY, WordNet
from yolocourse.wordtree import WordTree

FOLDS = {
    "none": "every synset on a way stays",
    "nodes": "a synset with one child, which is no class, is left out",
    "darknet": "besides, a class whose one child is a leaf gets it beside itself, as in Darknet's 9k.tree",
}
Parents = dict[str, str | None]  # synset -> the one above it, None for a root


def build_tree(wordnet: WordNet, ids: Collection[str], fold: str = "nodes", root: str = PHYSICAL_ENTITY) -> WordTree:
    """The word tree of some synsets. The order of `ids` does not matter. fold: one of FOLDS; root: see WordNet.paths.

    Raises ValueError for no ids, an id twice, one that is no noun of `wordnet`, and an unknown way to fold.
    """
    ids = list(ids)
    if fold not in FOLDS:
        raise ValueError(f"unknown fold {fold!r}; known: {', '.join(FOLDS)}")
    if not ids:
        raise ValueError("a word tree needs at least one class id, found none")
    if len(set(ids)) < len(ids):
        raise ValueError(f"id given twice: {next(id for id in ids if ids.count(id) > 1)}")
    parents = grow({id: wordnet.paths(id, root) for id in sorted(ids)})
    if fold != "none":
        parents = leave_out(parents, ids)
    if fold == "darknet":
        parents = move_up(parents, ids)
    return arrange(parents, wordnet)


def merge_classes(
    wordnet: WordNet, datasets: Mapping[str, Sequence[str]], fold: str = "nodes", root: str = PHYSICAL_ENTITY
) -> tuple[WordTree, dict[str, list[int]]]:
    """One tree for the classes of several data sets: name -> ids of its classes, in the data set's own order.

    Returns the tree, and name -> the node of each class. What two data sets share is one node. Raises as `build_tree`.
    """
    for name, ids in datasets.items():
        if len(set(ids)) < len(ids):
            raise ValueError(f"{name}: id given twice: {next(id for id in ids if list(ids).count(id) > 1)}")
    tree = build_tree(wordnet, {id for ids in datasets.values() for id in ids}, fold, root)
    return tree, {name: [tree.node(id) for id in ids] for name, ids in datasets.items()}


def grow(ways: Mapping[str, Sequence[Sequence[str]]]) -> Parents:
    """The paper's rule. ways: synset -> its ways up, from the top down to itself; of equals the first one is taken."""
    parents: Parents = {}

    def growth(way: Sequence[str]) -> int:
        """How many nodes a way adds: those from its lower end up to the first that the tree has."""
        return next((count for count, node in enumerate(reversed(way)) if node in parents), len(way))

    def add(way: Sequence[str]) -> None:
        above = len(way) - growth(way)
        for i in range(above, len(way)):
            parents[way[i]] = way[i - 1] if i else None

    for candidates in ways.values():
        if len(candidates) == 1:
            add(candidates[0])
    left = [candidates for candidates in ways.values() if len(candidates) > 1]
    allowed = 0
    while left:
        waiting = []
        for candidates in left:
            best = min(candidates, key=growth)
            if growth(best) <= allowed:
                add(best)
            else:
                waiting.append(candidates)
        allowed += len(waiting) == len(left)  # a tree that has grown may have brought others nearer
        left = waiting
    return parents


def leave_out(parents: Parents, classes: Collection[str]) -> Parents:
    """Without the nodes that have one child and are no class: the child takes their place."""
    classes, parents = set(classes), dict(parents)
    children = _children(parents)
    for node in list(parents):
        if len(children[node]) == 1 and node not in classes:
            (child,) = children.pop(node)
            above = parents.pop(node)
            parents[child] = above
            children[above].remove(node)
            children[above].add(child)
    (first, *others) = children[None]
    if not others and first not in classes:  # one root over all the rest
        del parents[first]
        parents |= dict.fromkeys(children[first])
    return parents


def move_up(parents: Parents, classes: Collection[str]) -> Parents:
    """Where a class has one child, which is a leaf, the child comes to stand beside it; from the bottom up."""
    classes, parents = set(classes), dict(parents)
    children = _children(parents)
    for node in reversed(_breadth_first(parents)):
        if node in classes and len(children[node]) == 1:
            (child,) = children[node]
            if not children[child]:
                above = parents[node]
                parents[child] = above
                children[node].clear()
                children[above].add(child)
    return parents


def arrange(parents: Parents, wordnet: WordNet) -> WordTree:
    """The tree in Darknet's order: level by level, siblings side by side, sorted by id."""
    order = _breadth_first(parents)
    place = {id: node for node, id in enumerate(order)}
    above = [place.get(parents[id], -1) for id in order]
    return WordTree([wordnet.name(id) for id in order], above, order)


def read_ids(path: str | Path) -> list[str]:
    """WordNet ids, one at the start of each line; the rest of the line may be a name.

    Raises FileNotFoundError, or ValueError with file and line for a line without one, and for an id twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list of class ids")
    seen: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").rstrip().split("\n"), 1):
        id = (line.split() or [""])[0]
        if not re.fullmatch(r"n\d{8}", id):
            raise ValueError(f"{path}:{number}: expected a WordNet id such as n02084071; found {line.strip()[:60]!r}")
        if id in seen:
            raise ValueError(f"{path}:{number}: {id} stands on line {seen[id]} already")
        seen[id] = number
    return list(seen)


def _children(parents: Parents) -> dict[str | None, set[str]]:
    children: dict[str | None, set[str]] = {node: set() for node in (None, *parents)}
    for node, above in parents.items():
        children[above].add(node)
    return children


def _breadth_first(parents: Parents) -> list[str]:
    children = _children(parents)
    order = sorted(children[None])
    for node in order:  # grows while it is walked
        order.extend(sorted(children[node]))
    return order
