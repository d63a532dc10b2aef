"""Checks of the exercises in notebook 10: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer; it knows the usual ones and says which it sees.
"""

import math
from collections.abc import Callable, Sequence

from yolocourse.checks.answers import call_all, verdict

# what the network says (place in the cell, log sizes), what it should say, and the truth's share of the picture
BOXES = (
    ((0.5, 0.25, 0.0, 0.5), (0.75, 0.5, 0.25, -0.5), 0.25),
    ((0.9, 0.1, -1.0, 0.2), (0.4, 0.3, 0.1, 0.4), 0.02),
    ((0.3, 0.3, 0.7, 0.7), (0.3, 0.6, 0.2, 0.9), 0.6),
)
# objectness of all boxes, highest IoU with a thing, who is responsible, and the IoU from which on a box is left alone
PICTURES = (
    ((0.9, 0.5, 0.2, 0.1), (0.7, 0.65, 0.3, 0.0), (True, False, False, False), 0.6),
    ((0.4, 0.8, 0.6, 0.3), (0.2, 0.55, 0.9, 0.1), (True, False, False, False), 0.6),
    ((0.7, 0.2, 0.5), (0.45, 0.35, 0.8), (False, False, True), 0.4),
)
# IoU with the nearest thing of the own class, whether that is taken, highest IoU with a thing of another class
FOUND = (
    (0.7, False, 0.2), (0.5, False, 0.0), (0.8, True, 0.0), (0.3, False, 0.0), (0.3, False, 0.9), (0.1, False, 0.0),
    (0.05, False, 0.6), (0.0, False, 0.1), (0.05, False, 0.05), (0.0, False, 0.0), (0.02, True, 0.3),
)  # fmt: skip
KINDS = ("correct", "localisation", "confusion", "background")


def check_box_loss(function: Callable[[Sequence[float], Sequence[float], float], float]) -> None:
    """Exercise 1: function(said, wanted, share) -> the loss of one box's centre and size."""
    start = "Begin with the four differences, squared."
    answers, trouble = call_all("Exercise 1", function, BOXES, start)
    if trouble:
        return print(trouble)

    def squares(said: Sequence[float], wanted: Sequence[float]) -> list[float]:
        return [(a - b) ** 2 for a, b in zip(said, wanted, strict=True)]

    mistakes = {
        "The half is missing, so each number would be pulled twice as hard as in Darknet.": (
            lambda said, wanted, share: (2 - share) * sum(squares(said, wanted))
        ),
        "A small box should weigh more than a large one: 2 - share is missing.": (
            lambda said, wanted, share: sum(squares(said, wanted)) / 2
        ),
        "That weighs large boxes more. The weight is 2 - share.": (
            lambda said, wanted, share: share * sum(squares(said, wanted)) / 2
        ),
        "The weight is 2 - share, not 1 - share: a box as large as the picture still counts once.": (
            lambda said, wanted, share: (1 - share) * sum(squares(said, wanted)) / 2
        ),
        "Only the centre is in it; width and height are missing.": (
            lambda said, wanted, share: (2 - share) * sum(squares(said, wanted)[:2]) / 2
        ),
        "Only the size is in it; the centre is missing.": (
            lambda said, wanted, share: (2 - share) * sum(squares(said, wanted)[2:]) / 2
        ),
        "5 was the weight of boxes in the first YOLO. Here boxes have 1, and the 5 belongs to objectness.": (
            lambda said, wanted, share: 5 * (2 - share) * sum(squares(said, wanted)) / 2
        ),
        "Add the four up; you took their mean.": (
            lambda said, wanted, share: (2 - share) * sum(squares(said, wanted)) / 8
        ),
        "The squares are added up as they are, without a root over the sum.": (
            lambda said, wanted, share: (2 - share) * math.sqrt(sum(squares(said, wanted))) / 2
        ),
        "Those are differences without squares.": (
            lambda said, wanted, share: (2 - share) * sum(abs(a - b) for a, b in zip(said, wanted, strict=True)) / 2
        ),
    }
    wanted = [(2 - share) * sum(squares(said, wanted)) / 2 for said, wanted, share in BOXES]

    def describe(case: tuple) -> str:
        return f"said {case[0]}, wanted {case[1]}, share {case[2]}"

    verdict("Exercise 1", answers, wanted, BOXES, mistakes, describe=describe)


def check_no_object(function: Callable[..., float]) -> None:
    """Exercise 2: function(objectness, overlap, responsible, ignore) -> the loss of all that hold nothing."""
    answers, trouble = call_all("Exercise 2", function, PICTURES, "Loop over the three lists with zip.")
    if trouble:
        return print(trouble)

    def loss(keep: Callable[[float, bool, float], bool], weight: float = 0.5, power: int = 2) -> Callable:
        def total(objectness: Sequence, overlap: Sequence, responsible: Sequence, ignore: float) -> float:
            rows = zip(objectness, overlap, responsible, strict=True)
            return weight * sum(o**power for o, iou, answers in rows if keep(iou, answers, ignore))

        return total

    def told(iou: float, answers: bool, ignore: float) -> bool:
        return not answers and iou <= ignore

    right = loss(told)
    mistakes = {
        "The half is missing.": loss(told, 1.0),
        "The responsible box is in it, too. That one has a term of its own.": (
            loss(lambda iou, answers, ignore: iou <= ignore)
        ),
        "Boxes that overlap a thing by more than `ignore` should be left alone.": (
            loss(lambda iou, answers, ignore: not answers)
        ),
        "Neither rule is in it: the responsible box and those that overlap a thing well are not told.": (
            loss(lambda iou, answers, ignore: True)
        ),
        "That is the wrong way round: those with a high overlap are left alone, and the others told.": (
            loss(lambda iou, answers, ignore: not answers and iou > ignore)
        ),
        "Those are the responsible boxes. Here it is about all the others.": (
            loss(lambda iou, answers, ignore: answers)
        ),
        "Weight 5 belongs to the responsible boxes. Here it is 1.": loss(told, 2.5),
        "Square each objectness.": loss(told, 0.5, 1),
        "Quarter, not half: in the first YOLO empty boxes had a weight of 1/2, here they have 1.": loss(told, 0.25),
    }
    wanted = [right(*case) for case in PICTURES]

    def describe(case: tuple) -> str:
        return f"objectness {case[0]}, overlap {case[1]}, responsible {case[2]}"

    verdict("Exercise 2", answers, wanted, PICTURES, mistakes, describe=describe)


def check_kind(function: Callable[[float, bool, float], str]) -> None:
    """Exercise 3: function(own, taken, other) -> the kind of a detection, one of KINDS."""
    name = "Exercise 3"
    answers, trouble = call_all(name, function, FOUND, "Ask first whether it is correct, then go on with elif.")
    if trouble:
        return print(trouble)
    for answer in answers:
        if answer not in KINDS:
            return print(f"{name}: it should return one of {', '.join(KINDS)}; not {answer!r}.")
    wanted = [_kind(*case) for case in FOUND]
    if answers == wanted:
        return print(f"{name}: right.")
    mistakes = {
        "A thing that is taken was found before; finding it again counts as a localisation error.": (
            lambda own, taken, other: _kind(own, False, other)
        ),
        "A second box at one thing is a localisation error, not background.": (
            lambda own, taken, other: "background" if taken and own >= 0.5 else _kind(own, taken, other)
        ),
        "A box that hardly touches a thing of its class (under 0.1) is no localisation error.": (
            lambda own, taken, other: "localisation" if 0 < own < 0.1 else _kind(own, taken, other)
        ),
        "The own class comes first: a box that touches a thing of its class is not confused, whatever else is near.": (
            lambda own, taken, other: "confusion" if own < 0.5 and other >= 0.1 else _kind(own, taken, other)
        ),
        "Confusion begins at an IoU of 0.1 with a thing of another class, not at 0.5.": (
            lambda own, taken, other: (
                "background" if own < 0.1 and other < 0.5 else _kind(own, taken, other)
            )
        ),
        "An IoU of exactly 0.5 is enough to be correct.": (
            lambda own, taken, other: "localisation" if own == 0.5 else _kind(own, taken, other)
        ),
        "An IoU of exactly 0.1 is not background any more.": (
            lambda own, taken, other: (
                "background" if max(own, other) == 0.1 else _kind(own, taken, other)
            )
        ),
        "Where nothing of another class is near, a box under 0.1 is background; you call it confusion.": (
            lambda own, taken, other: "confusion" if own < 0.1 else _kind(own, taken, other)
        ),
    }  # fmt: skip
    for sentence, wrong in mistakes.items():
        if answers == [wrong(*case) for case in FOUND]:
            return print(f"{name}: not yet. {sentence}")
    k = next(i for i, answer in enumerate(answers) if answer != wanted[i])
    own, taken, other = FOUND[k]
    print(f"{name}: not yet. own {own}, taken {taken}, other {other} is {wanted[k]}, not {answers[k]}.")


def _kind(own: float, taken: bool, other: float) -> str:
    if own >= 0.5 and not taken:
        return "correct"
    if own >= 0.1:
        return "localisation"
    return "confusion" if other >= 0.1 else "background"
