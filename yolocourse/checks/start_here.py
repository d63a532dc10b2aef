"""Checks of the exercises in notebook 00: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer; it knows the usual ones and says which it sees.
"""

from collections.abc import Callable

import torch

from yolocourse.checks.answers import call_all, verdict
from yolocourse.detect import Detections

SIZES = (32, 224, 416, 608)


def check_number_of_boxes(function: Callable[[int], int]) -> None:
    """Exercise 1: function(size) -> boxes that the network predicts for a picture of size x size pixels."""
    cases = [(size,) for size in SIZES]
    answers, trouble = call_all("Exercise 1", function, cases, "To begin, how many cells fit side by side?")
    if trouble:
        return print(trouble)
    mistakes = {
        "That counts the cells. Each of them predicts five boxes.": lambda size: (size // 32) ** 2,
        "That is one row of cells. There are as many rows as columns.": lambda size: size // 32 * 5,
        "That counts two boxes a cell, as the first YOLO had. Here there are five.": lambda size: (size // 32) ** 2 * 2,
        "That counts pixels. A cell is 32 x 32 of them.": lambda size: size * size * 5,
    }
    verdict("Exercise 1", answers, [(size // 32) ** 2 * 5 for size in SIZES], cases, mistakes)


def _detections(*pairs: tuple[str, float]) -> Detections:
    names, scores = [name for name, _ in pairs], torch.tensor([score for _, score in pairs])
    boxes = torch.tensor([[10.0, 10.0, 40.0, 30.0]]).repeat(len(pairs), 1)
    return Detections(boxes, scores, torch.zeros(len(pairs), dtype=torch.long), names, (224, 224))


def check_count_sure(function: Callable[[list[Detections], str, float], int]) -> None:
    """Exercise 2: function(found, name, threshold) -> detections of that name with at least that score."""
    first = _detections(("dog", 0.9), ("dog", 0.5), ("cat", 0.8), ("dog", 0.2))
    found = [first, _detections(), _detections(("dog", 0.7), ("bus", 0.95), ("dog", 0.8))]
    cases = [(found, "dog", 0.5), (found, "cat", 0.1), (found, "dog", 0.75), (found, "owl", 0.0)]
    start = "To begin, loop over the pictures first, then over each one's detections."
    answers, trouble = call_all("Exercise 2", function, cases, start)
    if trouble:
        return print(trouble)

    def count(pictures, name, least, strict=False):
        pairs = [pair for one in pictures for pair in zip(one.names, one.scores, strict=True)]
        return sum(name in (n, "") and bool(s > least if strict else s >= least) for n, s in pairs)

    mistakes = {
        "A score equal to the threshold counts too: at least means >=.": lambda f, n, t: count(f, n, t, True),
        "It counts every name. Compare the name as well.": lambda f, n, t: count(f, "", t),
        "It counts all detections of the name. Compare the score as well.": lambda f, n, t: count(f, n, 0.0),
        "It looks at the first picture only.": lambda f, n, t: count(f[:1], n, t),
        "It looks at the last picture only: is return inside the loop?": lambda f, n, t: count(f[-1:], n, t),
    }
    wanted = [count(*case) for case in cases]
    verdict("Exercise 2", answers, wanted, cases, mistakes, describe=lambda case: f"{case[1]!r} from {case[2]} on")
