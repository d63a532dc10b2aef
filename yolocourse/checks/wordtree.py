"""Checks of the exercises in notebook 11: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer; it knows the usual ones and says which it sees.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod

from yolocourse.checks.answers import call_all, verdict

# Probabilities given the parent, and parents; siblings add up to 1. The second tree has two roots.
TREES = (
    ((1.0, 0.9, 0.1, 0.7, 0.3, 0.5, 0.5), (-1, 0, 0, 1, 1, 3, 3)),
    ((0.6, 0.4, 0.25, 0.75, 0.8, 0.2, 0.3, 0.7), (-1, -1, 0, 0, 3, 3, 4, 4)),
    ((1.0, 1.0, 0.2, 0.8), (-1, 0, 1, 1)),
)
# Children of every node (None: the roots), probabilities along whole paths, thresholds. In the first, the best leaf is
# not below the best inner node, the answer is not always a leaf, and a probability is equal to a threshold.
SMALL = {None: (0, 1), 0: (2, 3), 1: (4, 5), 3: (6, 7)}
SMALL_P = (0.55, 0.45, 0.20, 0.35, 0.43, 0.02, 0.15, 0.20)
DEEP = {None: (0,), 0: (1, 2), 1: (3, 4, 5), 4: (6, 7)}
DEEP_P = (1.0, 0.9, 0.1, 0.1, 0.75, 0.05, 0.7, 0.05)
SHY = {None: (0, 1, 2), 1: (3, 4)}
SHY_P = (0.3, 0.4, 0.3, 0.35, 0.05)
WALKS = (
    (SMALL, SMALL_P, 0.5), (SMALL, SMALL_P, 0.3), (SMALL, SMALL_P, 0.35), (SMALL, SMALL_P, 0.1),
    (DEEP, DEEP_P, 0.6), (DEEP, DEEP_P, 0.7), (DEEP, DEEP_P, 0.8), (DEEP, DEEP_P, 0.95), (SHY, SHY_P, 0.5),
)  # fmt: skip
# Nodes that the tree has, and the ways up, from the synset itself to the top.
GROWTH = (
    ({"animal", "carnivore", "canine"}, (("dog", "pet", "animal"), ("dog", "canine", "carnivore", "animal"))),
    ({"animal"}, (("dog", "pet", "animal"), ("dog", "canine", "carnivore", "animal"))),
    ({"whole", "vehicle", "wheels"}, (("car", "box", "whole"), ("car", "motor", "wheels", "vehicle", "whole"),
                                      ("car", "wheels", "vehicle", "whole"))),
    ({"plant", "food"}, (("fig", "tree", "wood", "plant"), ("fig", "fruit", "food"))),
    ({"top", "a", "b", "c", "d"}, (("x", "e", "top"), ("x", "d", "c", "b", "a", "top"))),
)  # fmt: skip


def check_probability(function: Callable[[int, Sequence[float], Sequence[int]], float]) -> None:
    """Exercise 1: function(node, given, parents) -> probability of the node along its whole path."""
    name = "Exercise 1"
    cases = [(node, *tree) for tree in TREES for node in range(len(tree[0]))]
    start = "A root's is as given. What of a node whose parent is a root?"
    answers, trouble = call_all(name, function, cases, start)
    if trouble:
        return print(trouble)

    def values(node: int, given: Sequence[float], parents: Sequence[int]) -> list[float]:
        return [given[each] for each in _path(node, parents)]  # from the node up

    mistakes = {
        "That is the probability given the parent. What is the parent's own?": lambda *case: values(*case)[0],
        "Only the parent is in it. Go on up to the root.": lambda *case: prod(values(*case)[:2]),
        "The node itself is missing; that is its parent's probability.": lambda *case: prod(values(*case)[1:]),
        "The root is missing. There may be more than one, so it counts.": lambda *case: prod(values(*case)[:-1]),
        "Probabilities along a path are multiplied, not added.": lambda *case: sum(values(*case)),
        "That is the smallest one on the path. They are multiplied: every level makes it less certain.": (
            lambda *case: min(values(*case))
        ),
        "The upper levels are in it several times, as in Darknet's walk. Each counts once.": _twice,
    }
    wanted = [prod(values(*case)) for case in cases]
    verdict(name, answers, wanted, cases, mistakes,
            describe=lambda case: f"node {case[0]}, given = {case[1]} and parents = {case[2]}")  # fmt: skip


def check_answer(function: Callable[[Mapping, Sequence[float], float], int]) -> None:
    """Exercise 2: function(children, probability, threshold) -> the node that is said."""
    name = "Exercise 2"
    answers, trouble = call_all(name, function, WALKS, "Which of the roots, children[None], is the most probable?")
    if trouble:
        return print(trouble)
    mistakes = {
        "This goes to a leaf in any case. Where does the threshold end the walk?": _walker(stops=False),
        "This is the first node that is too unsure. Its parent was still sure enough.": _walker(beyond=True),
        "It goes on at a probability equal to the threshold; only one above it will do.": _walker(equal=True),
        "It takes the first child above the threshold. The most probable one is wanted.": _walker(first=True),
        "The probabilities are along whole paths already. Multiplied again they fall too fast.": _walker(again=True),
        "It takes the most probable leaf of all. Walk down: the best root, then its best child.": _best_leaf,
        "It takes the deepest node above the threshold. Where nothing is, the best root is said.": _deepest,
        "That is the best root. Go on to its children while they are sure enough.": _walker(levels=1),
        "Where even the best root is below the threshold, it is said all the same.": _walker(shy=True),
    }
    wanted = [_walker()(*case) for case in WALKS]
    verdict(name, answers, wanted, WALKS, mistakes,
            describe=lambda case: f"children {case[0]}, probability {case[1]} and threshold {case[2]}")  # fmt: skip


def check_best_way(function: Callable[[set, Sequence[Sequence[str]]], int]) -> None:
    """Exercise 3: function(nodes, ways) -> number of the way that adds the fewest nodes to the tree."""
    name = "Exercise 3"
    answers, trouble = call_all(name, function, GROWTH, "How many nodes of the first way does the tree not have?")
    if trouble:
        return print(trouble)

    def pick(key: Callable, most: bool = False) -> Callable:
        def choose(nodes: set, ways: Sequence[Sequence[str]]) -> int:
            return (max if most else min)(range(len(ways)), key=lambda i: key(nodes, ways[i]))

        return choose

    mistakes = {
        "That is the shortest way. What counts is how many of its nodes are new to the tree.": (
            pick(lambda nodes, way: len(way))
        ),
        "That is the longest way. What counts is how few of its nodes are new to the tree.": (
            pick(lambda nodes, way: len(way), most=True)
        ),
        "That is the way that adds the most.": pick(_added, most=True),
        "That counts nodes which the tree has already; a long way may have many of them, and many new ones too.": (
            pick(lambda nodes, way: len(way) - _added(nodes, way), most=True)
        ),
        "That is always the first way.": lambda nodes, ways: 0,
        "That is the number of nodes added; the number of the way is wanted, counted from 0.": (
            lambda nodes, ways: min(_added(nodes, way) for way in ways)
        ),
        "Ways are counted from 0.": lambda nodes, ways: pick(_added)(nodes, ways) + 1,
    }
    wanted = [pick(_added)(*case) for case in GROWTH]
    verdict(name, answers, wanted, GROWTH, mistakes,
            describe=lambda case: f"a tree that has {', '.join(sorted(case[0]))}, and the ways {case[1]}")  # fmt: skip


def _path(node: int, parents: Sequence[int]) -> list[int]:
    """From the node up to its root."""
    return [node] + (_path(parents[node], parents) if parents[node] >= 0 else [])


def _twice(node: int, given: Sequence[float], parents: Sequence[int]) -> float:
    path = _path(node, parents)
    return prod(prod(given[each] for each in _path(above, parents)) for above in path)


def _added(nodes: set, way: Sequence[str]) -> int:
    return sum(each not in nodes for each in way)


def _walker(stops: bool = True, beyond: bool = False, equal: bool = False, first: bool = False, again: bool = False,
            levels: int = 99, shy: bool = False) -> Callable:  # fmt: skip
    """The right walk, or one with a mistake in it."""

    def walk(children: Mapping, probability: Sequence[float], threshold: float) -> int:
        node = max(children[None], key=lambda each: probability[each])
        so_far, level = probability[node], 1
        if shy and not so_far > threshold:
            return -1
        while node in children and level < levels:
            best = max(children[node], key=lambda each: probability[each])
            if first:
                best = next((each for each in children[node] if probability[each] > threshold), best)
            value = so_far * probability[best] if again else probability[best]
            if stops and not (value >= threshold if equal else value > threshold):
                return best if beyond else node
            node, so_far, level = best, value, level + 1
        return node

    return walk


def _best_leaf(children: Mapping, probability: Sequence[float], threshold: float) -> int:
    return max((n for n in range(len(probability)) if n not in children), key=lambda n: probability[n])


def _deepest(children: Mapping, probability: Sequence[float], threshold: float) -> int:
    depth = {node: 0 for node in children[None]}
    for node in range(len(probability)):
        depth |= {child: depth[node] + 1 for child in children.get(node, ())}
    sure = [node for node in range(len(probability)) if probability[node] > threshold]
    return max(sure, key=lambda node: (depth[node], probability[node])) if sure else -1
