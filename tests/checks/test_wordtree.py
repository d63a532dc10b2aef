"""The checks of notebook 11: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import pytest
import torch

from yolocourse.checks import wordtree as checks
from yolocourse.wordtree import WordTree
from yolocourse.wordtree_build import grow


def raising(*anything):
    return undefined_name  # noqa: F821


def up(node, given, parents):
    values = [given[node]]
    while parents[node] >= 0:
        node = parents[node]
        values.append(given[node])
    return values


def product(values):
    result = 1.0
    for value in values:
        result *= value
    return result


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda n, g, p: product(up(n, g, p)), "Exercise 1: right."),
        (lambda n, g, p: torch.tensor(product(up(n, g, p))), "Exercise 1: right."),
        (lambda n, g, p: None, "nothing returned yet"),
        (lambda n, g, p: g[n] if p[n] < 0 else None, "sometimes nothing"),
        (lambda n, g, p: g[n], "given the parent"),
        (lambda n, g, p: g[n] * (g[p[n]] if p[n] >= 0 else 1), "Only the parent is in it"),
        (lambda n, g, p: product(up(n, g, p)[1:]), "node itself is missing"),
        (lambda n, g, p: product(up(n, g, p)[:-1]), "root is missing"),
        (lambda n, g, p: sum(up(n, g, p)), "not added"),
        (lambda n, g, p: min(up(n, g, p)), "smallest one"),
        (lambda n, g, p: product(v**i for i, v in enumerate(up(n, g, p), 1)), "several times"),
        (lambda n, g, p: 0.5, "For node 0, given = (1.0, 0.9,"),
        (lambda n, g, p: up(n, g, p), "not list"),
        (lambda n, g, p: "sure", "not str"),
        (lambda n, g: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_probability(function, said, capsys):
    assert checks.check_probability(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ") and len(out.splitlines()) == 1


@pytest.mark.parametrize(("given", "parents"), checks.TREES)
def test_what_exercise_1_wants_is_what_the_package_computes(given, parents):
    tree = WordTree([str(n) for n in range(len(given))], parents)
    found = tree.probabilities(torch.tensor(given).log())
    torch.testing.assert_close(found, torch.tensor([product(up(n, given, parents)) for n in range(len(given))]))


def walk(children, p, threshold, above=lambda value, t: value > t, on=True):
    node = max(children[None], key=lambda n: p[n])
    while node in children:
        best = max(children[node], key=lambda n: p[n])
        if on and not above(p[best], threshold):
            break
        node = best
    return node


def too_far(children, p, threshold):
    node = walk(children, p, threshold)
    return max(children[node], key=lambda n: p[n]) if node in children else node


def first_one(children, p, threshold):
    node = max(children[None], key=lambda n: p[n])
    while node in children:
        sure = [n for n in children[node] if p[n] > threshold]
        if not sure:
            break
        node = sure[0]
    return node


def darknet(children, p, threshold):
    node = max(children[None], key=lambda n: p[n])
    so_far = p[node]
    while node in children:
        best = max(children[node], key=lambda n: p[n])
        if so_far * p[best] <= threshold:
            break
        node, so_far = best, so_far * p[best]
    return node


def shy(children, p, threshold):
    node = max(children[None], key=lambda n: p[n])
    return walk(children, p, threshold) if p[node] > threshold else -1


def deepest(children, p, threshold):
    sure = [n for n in range(len(p)) if p[n] > threshold]
    return sure[-1] if sure else -1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (walk, "Exercise 2: right."),
        (lambda *case: torch.tensor(walk(*case)), "Exercise 2: right."),
        (lambda *case: None, "nothing returned yet"),
        (lambda c, p, t: walk(c, p, t, on=False), "to a leaf in any case"),
        (too_far, "first node that is too unsure"),
        (lambda c, p, t: walk(c, p, t, above=lambda value, limit: value >= limit), "equal to the threshold"),
        (first_one, "first child above"),
        (darknet, "Multiplied again"),
        (
            lambda c, p, t: max((n for n in range(len(p)) if n not in c), key=lambda n: p[n]),
            "most probable leaf of all",
        ),
        (lambda c, p, t: max(c[None], key=lambda n: p[n]), "That is the best root"),
        (shy, "said all the same"),
        (deepest, "deepest node above"),
        (lambda *case: 99, "it gives 99; it should be"),
        (lambda *case: "dog", "not str"),
        (lambda *case: [1], "not list"),
        (lambda *case: {}, "not dict"),
        (lambda children: 0, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_answer(function, said, capsys):
    assert checks.check_answer(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ") and len(out.splitlines()) == 1


@pytest.mark.parametrize(("children", "p", "threshold"), checks.WALKS)
def test_what_exercise_2_wants_is_what_the_package_says(children, p, threshold):
    """The score of a node is the logarithm of its share of its parent."""
    above = {child: node for node, below in children.items() for child in below}
    parents = [-1 if above[n] is None else above[n] for n in range(len(p))]
    scores = torch.tensor(p, dtype=torch.double).log()
    said = WordTree([str(n) for n in range(len(p))], parents).predict(scores, threshold)[1]
    if all(abs(value - threshold) > 1e-9 for value in p):  # where equal, rounding decides
        assert int(said) == walk(children, p, threshold)


@pytest.mark.parametrize(("children", "p", "threshold"), checks.WALKS)
def test_the_trees_of_exercise_2_are_trees(children, p, threshold):
    for node, below in children.items():
        whole = 1 if node is None else p[node]
        assert sum(p[child] for child in below) == pytest.approx(whole)


def added(nodes, way):
    return len(set(way) - nodes)


def choose(nodes, ways, key, best=min):
    return best(range(len(ways)), key=lambda i: key(nodes, ways[i]))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda nodes, ways: choose(nodes, ways, added), "Exercise 3: right."),
        (lambda nodes, ways: None, "nothing returned yet"),
        (lambda nodes, ways: choose(nodes, ways, lambda n, way: len(way)), "shortest way"),
        (lambda nodes, ways: choose(nodes, ways, lambda n, way: len(way), max), "longest way"),
        (lambda nodes, ways: choose(nodes, ways, added, max), "adds the most"),
        (lambda nodes, ways: choose(nodes, ways, lambda n, way: len(set(way) & n), max), "the tree has already"),
        (lambda nodes, ways: 0, "always the first"),
        (lambda nodes, ways: min(added(nodes, way) for way in ways), "number of nodes added"),
        (lambda nodes, ways: 1 + choose(nodes, ways, added), "counted from 0"),
        (lambda nodes, ways: 7, "For a tree that has animal, canine, carnivore"),
        (lambda nodes, ways: ways[0], "not tuple"),
        (raising, "NameError"),
    ],
)
def test_best_way(function, said, capsys):
    assert checks.check_best_way(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ") and len(out.splitlines()) == 1


def test_what_exercise_3_wants_is_the_way_that_grow_takes():
    for nodes, ways in checks.GROWTH:
        have = {node: [(node,)] for node in nodes}
        tree = grow(have | {ways[0][0]: [tuple(reversed(way)) for way in ways]})
        right = min(range(len(ways)), key=lambda i: added(nodes, ways[i]))
        new = tree.keys() - nodes
        assert new == set(ways[right]) - nodes
