"""The checks of notebook 12: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import math

import pytest
import torch

from yolocourse.checks.yolo9000 import BOXES, MEANS, PICTURES, check_choose, check_picture_loss, check_rest
from yolocourse.losses_joint import JointLoss
from yolocourse.wordtree import WordTree


def raising(*anything):
    return undefined_name  # noqa: F821


def best(value):
    def choose(objectness, paths):
        values = [value(o, path) for o, path in zip(objectness, paths, strict=True)]
        return values.index(max(values))

    return choose


def right_choice(objectness, paths):
    return best(lambda o, path: o * math.prod(path))(objectness, paths)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_choice, "Exercise 1: right."),
        (lambda o, p: torch.tensor(right_choice(o, p)), "Exercise 1: right."),
        (lambda o, p: None, "nothing returned yet"),
        (lambda o, p: 1 if len(o) == 3 else None, "sometimes nothing"),
        (best(lambda o, path: o), "highest objectness, whatever it holds"),
        (best(lambda o, path: math.prod(path)), "its objectness, is missing"),
        (best(lambda o, path: o * path[-1]), "Only the last probability"),
        (best(lambda o, path: o * path[0]), "Only the first probability"),
        (best(lambda o, path: o * sum(path)), "multiplied, not added"),
        (best(lambda o, path: o + math.prod(path)), "Objectness is a factor"),
        (best(lambda o, path: -o * math.prod(path)), "lowest product"),
        (lambda o, p: max(x * math.prod(y) for x, y in zip(o, p, strict=True)), "the number of its box"),
        (lambda o, p: right_choice(o, p) + 1, "counted from 0 here"),
        (lambda o, p: 7, "it gives 7; it should be"),
        (lambda o, p: [[1], [2]], "not list"),
        (lambda o, p: "first", "not str"),
        (lambda o: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_choose(function, said, capsys):
    assert check_choose(function) is None
    out = capsys.readouterr().out
    assert any(part in out for part in said.split("|")) and out.startswith("Exercise 1: ")


def test_no_two_ways_to_choose_agree_everywhere():
    """Else a wrong answer could pass, or be told the wrong reason."""
    ways = {
        "right": lambda o, path: o * math.prod(path),
        "objectness": lambda o, path: o,
        "class": lambda o, path: math.prod(path),
        "last": lambda o, path: o * path[-1],
        "first": lambda o, path: o * path[0],
        "sum": lambda o, path: o * sum(path),
        "added": lambda o, path: o + math.prod(path),
        "lowest": lambda o, path: -o * math.prod(path),
    }
    answers = {name: tuple(best(way)(*case) for case in BOXES) for name, way in ways.items()}
    assert len(set(answers.values())) == len(ways), answers


def loss(classes=None, pull=None, pulled=2.5, pushed=0.5, spare=True, power=2):
    classes = classes or (lambda path: -sum(math.log(p) for p in path))
    pull = pull or (lambda lacking: max(0, lacking) ** 2)

    def total(objectness, chosen, path, assumed):
        others = [o**power for i, o in enumerate(objectness) if i != chosen or not spare]
        return classes(path) + pulled * pull(assumed - objectness[chosen]) + pushed * sum(others)

    return total


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (loss(), "Exercise 2: right."),
        (lambda *case: torch.tensor(loss()(*case)), "Exercise 2: right."),
        (lambda o, c, p, a: None, "nothing returned yet"),
        (lambda o, c, p, a: 1.0 if c else None, "sometimes nothing"),
        (loss(pull=lambda lacking: lacking**2), "is left alone"),
        (loss(classes=lambda path: -math.log(path[-1])), "not at the last one alone"),
        (loss(classes=lambda path: -math.log(sum(path))), "multiplied before the logarithm"),
        (loss(classes=lambda path: 1 - math.prod(path)), "not one minus it"),
        (loss(classes=lambda path: math.log(math.prod(path))), "is negative"),
        (loss(spare=False), "among those that are pushed down"),
        (loss(pushed=0), "other boxes are missing"),
        (loss(pulled=0), "should reach `assumed`"),
        (loss(classes=lambda path: 0), "The class is missing"),
        (loss(pulled=5, pushed=1), "halves are missing"),
        (loss(pulled=0.5), "has weight 5"),
        (loss(pushed=2.5), "the others have 1"),
        (loss(power=1), "Square the objectness"),
        (loss(pull=lambda lacking: max(0, lacking)), "Square what the chosen box lacks"),
        (loss(pull=lambda lacking: min(0, lacking) ** 2), "pulls it up where it is below"),
        (lambda o, c, p, a: 7.0, "it gives 7; it should be"),
        (lambda o, c, p, a: list(o), "not list"),
        (lambda o, c, p, a: "low", "not str"),
        (lambda o: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_picture_loss(function, said, capsys):
    assert check_picture_loss(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


@pytest.mark.parametrize("case", PICTURES, ids=str)
def test_the_loss_that_is_asked_for_is_that_of_the_package(case):
    """Boxes of one cell each in a row of cells; the path's probabilities as scores of a tree of pairs."""
    objectness, chosen, path, assumed = case
    parents, node = [], -1
    for _ in path:  # a pair of siblings at every level, the first of them on the path
        parents += [node, node]
        node = len(parents) - 2
    tree = WordTree([str(i) for i in range(len(parents))], parents)
    scores = torch.zeros(len(objectness), len(tree))
    scores[:, ::2] = -9.0  # all boxes but the chosen one are sure that it is not the class
    scores[chosen, ::2] = torch.tensor(path).logit()
    raw = torch.zeros(1, 5 + len(tree), 1, len(objectness))
    raw[0, 4, 0], raw[0, 5:, 0] = torch.tensor(objectness).logit(), scores.T
    criterion = JointLoss(torch.tensor([[1.0, 1.0]]), tree)
    empty = torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.long), torch.tensor([False])
    terms = criterion(raw, *empty, torch.tensor([node]))
    if assumed == 0.3:
        assert float(terms.total) == pytest.approx(loss()(*case), rel=1e-4)
    assert float(terms.picture_class) == pytest.approx(-math.log(math.prod(path)), rel=1e-4)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda m, n, p, k: (m * n - p * k) / (n - k), "Exercise 3: right."),
        (lambda m, n, p, k: None, "nothing returned yet"),
        (lambda m, n, p, k: 1.0 if n > 100 else None, "sometimes nothing"),
        (lambda m, n, p, k: m - p, "difference of the means"),
        (lambda m, n, p, k: 2 * m - p, "they are not halves"),
        (lambda m, n, p, k: m * n - p * k, "Divide it by how many they are"),
        (lambda m, n, p, k: (m * n - p * k) / n, "not of all"),
        (lambda m, n, p, k: (m * n - p * k) / k, "not of the part"),
        (lambda m, n, p, k: (m * n + p * k) / (n - k), "not onto it"),
        (lambda m, n, p, k: 7.0, "it gives 7; it should be"),
        (lambda m, n, p, k: [m, n], "not list"),
        (lambda m, n, p, k: "high", "not str"),
        (lambda m: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_rest(function, said, capsys):
    assert check_rest(function) is None
    out = capsys.readouterr().out
    assert any(part in out for part in said.split("|")) and out.startswith("Exercise 3: ")


def test_the_papers_numbers_are_among_the_cases():
    assert (19.7, 200, 16.0, 156) in MEANS
