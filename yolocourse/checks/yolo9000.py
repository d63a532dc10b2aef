"""Checks of the exercises in notebook 12: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer; it knows the usual ones and says which it sees.
"""

import math
from collections.abc import Callable, Sequence

from yolocourse.checks.answers import call_all, verdict

# objectness of a picture's boxes, and for each of them the conditional probabilities along the path of the class
BOXES = (
    ((0.3, 0.7, 0.4), ((0.7, 0.7), (0.8, 0.8), (0.8, 0.5))),
    ((0.7, 0.5, 0.05, 0.9), ((0.6, 0.9, 0.2), (0.6, 0.8, 0.6), (0.8, 0.8, 0.3), (0.1, 0.1, 0.7))),
    ((0.7, 0.9, 0.1), ((0.3, 0.6), (0.3, 0.2), (0.8, 0.9))),
    ((0.5, 0.9, 0.05, 0.6), ((0.1, 0.2, 0.8), (0.5, 0.7, 0.3), (0.6, 0.7, 0.5), (0.6, 0.9, 0.9))),
)
# objectness of a picture's boxes, the chosen one, conditional probabilities on its path, and the overlap assumed
PICTURES = (
    ((0.1, 0.2, 0.05), 1, (0.9, 0.5), 0.3),
    ((0.6, 0.4, 0.3), 0, (0.8, 0.25, 0.5), 0.3),
    ((0.02, 0.5, 0.1, 0.15), 3, (0.7,), 0.3),
    ((0.25, 0.35), 0, (0.6, 0.6), 0.5),
)
# mean AP of all classes and how many they are, mean AP of a part of them and how many those are
MEANS = ((19.7, 200, 16.0, 156), (40.0, 10, 30.0, 8), (25.0, 4, 50.0, 1))


def check_choose(function: Callable[[Sequence[float], Sequence[Sequence[float]]], int]) -> None:
    """Exercise 1: function(objectness, paths) -> the number of the box that stands for the picture."""
    answers, trouble = call_all("Exercise 1", function, BOXES, "Multiply, for each box, all that belongs to it.")
    if trouble:
        return print(trouble)

    def best(value: Callable[[float, Sequence[float]], float]) -> Callable:
        def choose(objectness: Sequence[float], paths: Sequence[Sequence[float]]) -> int:
            values = [value(o, path) for o, path in zip(objectness, paths, strict=True)]
            return values.index(max(values))

        return choose

    right = best(lambda o, path: o * math.prod(path))
    mistakes = {
        "That is the box with the highest objectness, whatever it holds. The class has a say, too.": (
            best(lambda o, path: o)
        ),
        "That is the box that is surest of the class. Whether it holds a thing at all, its objectness, is missing.": (
            best(lambda o, path: math.prod(path))
        ),
        "Only the last probability of each path is in it. P(class) is the product of all of them.": (
            best(lambda o, path: o * path[-1])
        ),
        "Only the first probability of each path is in it. P(class) is the product of all of them.": (
            best(lambda o, path: o * path[0])
        ),
        "The probabilities along a path are multiplied, not added.": best(lambda o, path: o * sum(path)),
        "Objectness is a factor, not one more summand.": best(lambda o, path: o + math.prod(path)),
        "That is the lowest product; the highest is wanted.": best(lambda o, path: -o * math.prod(path)),
        "That is the highest product itself. Return the number of its box, counted from 0.": (
            lambda objectness, paths: max(o * math.prod(path) for o, path in zip(objectness, paths, strict=True))
        ),
        "Boxes are counted from 0 here, not from 1.": lambda objectness, paths: right(objectness, paths) + 1,
    }
    wanted = [right(*case) for case in BOXES]

    def describe(case: tuple) -> str:
        return f"objectness {case[0]} and paths {case[1]}"

    verdict("Exercise 1", answers, wanted, BOXES, mistakes, describe=describe)


def check_picture_loss(function: Callable[..., float]) -> None:
    """Exercise 2: function(objectness, chosen, path, assumed) -> the loss of a picture with a class only."""
    start = "Begin with the class: the logarithm of the path's product."
    answers, trouble = call_all("Exercise 2", function, PICTURES, start)
    if trouble:
        return print(trouble)

    def loss(
        classes: Callable[[Sequence[float]], float] = lambda path: -math.log(math.prod(path)),
        pull: Callable[[float], float] = lambda lacking: max(0.0, lacking) ** 2,
        pulled: float = 2.5,
        pushed: float = 0.5,
        spare: bool = True,
        power: int = 2,
    ) -> Callable:
        def total(objectness: Sequence[float], chosen: int, path: Sequence[float], assumed: float) -> float:
            others = [o**power for i, o in enumerate(objectness) if i != chosen or not spare]
            return classes(path) + pulled * pull(assumed - objectness[chosen]) + pushed * sum(others)

        return total

    mistakes = {
        "A chosen box that is surer than `assumed` is left alone: at least 0.3, says the paper, not exactly.": (
            loss(pull=lambda lacking: lacking**2)
        ),
        "The class counts at every level of its path, not at the last one alone.": (
            loss(classes=lambda path: -math.log(path[-1]))
        ),
        "The path's probabilities are multiplied before the logarithm (or their logarithms added).": (
            loss(classes=lambda path: -math.log(sum(path)))
        ),
        "Cross-entropy is minus the logarithm of the probability, not one minus it.": (
            loss(classes=lambda path: 1 - math.prod(path))
        ),
        "The logarithm of a probability is negative; the loss is minus that.": (
            loss(classes=lambda path: math.log(math.prod(path)))
        ),
        "The chosen box is among those that are pushed down. It has a term of its own.": loss(spare=False),
        "The other boxes are missing: each is told that there is nothing.": loss(pushed=0.0),
        "The chosen box's objectness is missing: it should reach `assumed`.": loss(pulled=0.0),
        "The class is missing.": loss(classes=lambda path: 0.0),
        "The halves are missing.": loss(pulled=5.0, pushed=1.0),
        "The chosen box's objectness has weight 5, as in the detection loss.": loss(pulled=0.5),
        "5 is the weight of the chosen box alone; the others have 1.": loss(pushed=2.5),
        "Square the objectness of the other boxes.": loss(power=1),
        "Square what the chosen box lacks.": loss(pull=lambda lacking: max(0.0, lacking)),
        "That pushes the chosen box down to `assumed` where it is above; the paper pulls it up where it is below.": (
            loss(pull=lambda lacking: min(0.0, lacking) ** 2)
        ),
    }
    wanted = [loss()(*case) for case in PICTURES]

    def describe(case: tuple) -> str:
        return f"objectness {case[0]}, chosen {case[1]}, path {case[2]}, assumed {case[3]}"

    verdict("Exercise 2", answers, wanted, PICTURES, mistakes, describe=describe)


def check_rest(function: Callable[[float, int, float, int], float]) -> None:
    """Exercise 3: function(mean, count, part_mean, part_count) -> the mean of the classes outside the part."""
    answers, trouble = call_all("Exercise 3", function, MEANS, "A mean times a count is a sum.")
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the difference of the means. Weigh each with its number of classes.": lambda m, n, p, k: m - p,
        "That weighs both halves alike; but they are not halves.": lambda m, n, p, k: 2 * m - p,
        "That is the sum over the other classes. Divide it by how many they are.": lambda m, n, p, k: m * n - p * k,
        "Divide by the number of the other classes, not of all.": lambda m, n, p, k: (m * n - p * k) / n,
        "Divide by the number of the other classes, not of the part.": lambda m, n, p, k: (m * n - p * k) / k,
        "The part's sum has to go off the whole sum, not onto it.": lambda m, n, p, k: (m * n + p * k) / (n - k),
    }
    wanted = [(m * n - p * k) / (n - k) for m, n, p, k in MEANS]

    def describe(case: tuple) -> str:
        return f"a mean of {case[0]} over {case[1]} classes, and of {case[2]} over {case[3]} of them"

    verdict("Exercise 3", answers, wanted, MEANS, mistakes, tolerance=1e-2, describe=describe)
