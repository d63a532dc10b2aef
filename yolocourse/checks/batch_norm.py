"""Checks of the exercises in notebook 02: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer. It compares with the right answer and with the usual wrong ones, so that it can
say which mistake it looks like.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from yolocourse.checks.answers import call_all, verdict

Numbers = Sequence[float]

# running variance, values of the batch, momentum; the share 0.1 is torch's, the others tell old and new apart
RUNNING = (
    (1.0, [2.0, 4.0, 6.0, 8.0], 0.1),
    (9.0, [-1.0, 1.0], 0.25),
    (0.5, [3.0, 3.5, 5.0, 1.0, -2.0], 0.01),
)


def check_running_variance(function: Callable[[float, Numbers, float], float]) -> None:
    """Exercise 1: function(running, values, momentum) -> the new running variance."""
    answers, trouble = call_all("Exercise 1", function, RUNNING, "First the variance of `values`.")
    if trouble:
        return print(trouble)
    mistakes = {
        "Old and new are swapped: torch's momentum is the share of the NEW value.": lambda r, v, m: _mix(v, r, m),
        "The sum of squares is divided by n here; the running variance takes n - 1.": lambda r, v, m: _mix(r, v, m, 0),
        "Both at once: momentum is the share of the new value, and the variance takes n - 1.": lambda r, v, m: _mix(
            v, r, m, 0
        ),
        "That keeps the standard deviation. Leave out the root.": lambda r, v, m: (1 - m) * r + m * _variance(v) ** 0.5,
        "Subtract the mean before you square.": lambda r, v, m: (
            (1 - m) * r + m * sum(value**2 for value in v) / (len(v) - 1)
        ),
        "That is the running mean. Here it is the variance.": lambda r, v, m: (1 - m) * r + m * sum(v) / len(v),
        "That is the batch's variance alone. Most of the old running value stays.": lambda r, v, m: _variance(v),
        "The old value counts in full. Give it only its share, 1 - momentum.": lambda r, v, m: r + m * _variance(v),
    }
    verdict("Exercise 1", answers, [_mix(r, v, m) for r, v, m in RUNNING], RUNNING, mistakes, describe=_running)


# gradients with respect to the outputs; none of them sums to 0, or the mean would not show
GRADIENTS = (([1.0, 0.0, 0.0, 0.0],), ([0.5, -2.0, 3.0],), ([1.0, 1.0, 4.0, 2.0, -1.0],))


def check_centre_backward(function: Callable[[Numbers], Numbers]) -> None:
    """Exercise 2: function(dy) -> dx of a layer that subtracts the batch's mean."""
    start = "What does a change of one x do to all the y?"
    answers, trouble = call_all("Exercise 2", function, GRADIENTS, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "That takes the mean for a constant. But each x moves the mean, and so every y.": lambda dy: dy,
        "That subtracts the sum. One x moves the mean by 1/n only.": lambda dy: [each - sum(dy) for each in dy],
        "Each y depends on all x, not only on its own: the others' gradients come in too.": lambda dy: [
            each * (1 - 1 / len(dy)) for each in dy
        ],
        "The sign: y falls when the mean rises.": lambda dy: [each + sum(dy) / len(dy) for each in dy],
        "That is only what comes back through the mean. Each x also has a way of its own.": lambda dy: [
            -sum(dy) / len(dy) for _ in dy
        ],
        "That is the mean of dy, without dy.": lambda dy: [sum(dy) / len(dy) for _ in dy],
    }
    _list_verdict("Exercise 2", answers, [_centred(*case) for case in GRADIENTS], GRADIENTS, mistakes)


# gamma, beta, mean, var, eps; eps is large in one of them, so that its place shows
LINES = ((2.0, 1.0, 3.0, 4.0, 0.0), (0.5, -1.0, -2.0, 9.0, 7.0), (-1.5, 0.25, 4.0, 0.25, 1e-5))


def check_as_a_line(function: Callable[[float, float, float, float, float], Numbers]) -> None:
    """Exercise 3: function(gamma, beta, mean, var, eps) -> (a, b) with batch norm in evaluation mode y = a x + b."""
    answers, trouble = call_all("Exercise 3", function, LINES, "Write down y for x = 0: that is b.")
    if trouble:
        return print(trouble)

    def scaled(a: Callable, b: Callable = lambda a, beta, mean: beta - a * mean) -> Callable:
        return lambda g, beta, mean, v, e: (a(g, v, e), b(a(g, v, e), beta, mean))

    def right(g, v, e):
        return g / math.sqrt(v + e)

    mistakes = {
        "Divide by the standard deviation, the root of var + eps.": scaled(lambda g, v, e: g / (v + e)),
        "eps stands under the root here, together with var.": scaled(lambda g, v, e: g / (math.sqrt(v) + e)),
        "eps is missing: it stands under the root, added to var.": scaled(lambda g, v, e: g / math.sqrt(v)),
        "gamma is missing in a.": scaled(lambda g, v, e: 1 / math.sqrt(v + e)),
        "That multiplies by the standard deviation. Divide by it.": scaled(lambda g, v, e: g * math.sqrt(v + e)),
        "a is right. For b: subtracting the mean shifts the line, too.": scaled(right, lambda a, beta, mean: beta),
        "a is right. For b: the mean is multiplied by a before it shifts the line.": scaled(
            right, lambda a, beta, mean: beta - mean
        ),
        "a is right. For b: the sign of the shift is wrong.": scaled(right, lambda a, beta, mean: beta + a * mean),
        "a is right. For b: beta is missing.": scaled(right, lambda a, beta, mean: -a * mean),
        "a is right. For b: beta is added last, it is not scaled.": scaled(
            right, lambda a, beta, mean: a * (beta - mean)
        ),
        "The two are there, but the wrong way round: return (a, b).": lambda *case: _line(*case)[::-1],
    }
    _list_verdict("Exercise 3", answers, [_line(*case) for case in LINES], LINES, mistakes)


# values, random numbers from 0 to 1, share to drop
DROPS = (
    ([1.0, 2.0, 3.0, 4.0], [0.1, 0.9, 0.6, 0.3], 0.5),
    ([2.0, -4.0, 6.0], [0.1, 0.3, 0.9], 0.2),
    ([5.0, 1.0, -3.0], [0.8, 0.7, 0.95], 0.75),
)


def check_dropout(function: Callable[[Numbers, Numbers, float], Numbers]) -> None:
    """Exercise 4: function(values, draws, p) -> what dropout makes of the values in training."""
    answers, trouble = call_all("Exercise 4", function, DROPS, "A value stays where its draw is at least p.")
    if trouble:
        return print(trouble)
    mistakes = {
        "The right ones go, but the others stay as they were. Their sum must stay the same on average.": lambda p: 1,
        "They are made smaller. With fewer values left, the rest must grow.": lambda p: 1 - p,
        "A share of 1 - p is left, so divide by that, not by p.": lambda p: 1 / p,
        "They grow, but too much or too little: divide by 1 - p.": lambda p: 1 + p,
    }
    wrong = {sentence: (lambda x, u, p, by=by: _dropped(x, u, p, by(p))) for sentence, by in mistakes.items()}
    wrong["It is the other way round: a value goes where its draw is BELOW p."] = lambda x, u, p: [
        0.0 if draw >= p else value / (1 - p) for value, draw in zip(x, u, strict=True)
    ]
    wrong["Nothing was dropped."] = lambda x, u, p: x
    wrong["Those that go should be 0, and still have their place in the list."] = lambda x, u, p: [
        value / (1 - p) for value, draw in zip(x, u, strict=True) if draw >= p
    ]
    right = [_dropped(x, u, p, 1 / (1 - p)) for x, u, p in DROPS]
    _list_verdict("Exercise 4", answers, right, DROPS, wrong)


def _variance(values: Numbers, less: int = 1) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - less)


def _mix(old: float | Numbers, new: float | Numbers, momentum: float, less: int = 1) -> float:
    """(1 - momentum) of the old and momentum of the new; a list stands for its variance."""
    old, new = (_variance(each, less) if isinstance(each, list) else each for each in (old, new))
    return (1 - momentum) * old + momentum * new


def _running(case: tuple) -> str:
    return f"a running variance of {case[0]}, the values {case[1]} and momentum {case[2]}"


def _centred(dy: Numbers) -> list[float]:
    return [each - sum(dy) / len(dy) for each in dy]


def _line(gamma: float, beta: float, mean: float, var: float, eps: float) -> tuple[float, float]:
    a = gamma / math.sqrt(var + eps)
    return a, beta - a * mean


def _dropped(values: Numbers, draws: Numbers, p: float, factor: float) -> list[float]:
    return [factor * value if draw >= p else 0.0 for value, draw in zip(values, draws, strict=True)]


def _list_verdict(
    name: str, answers: Sequence, wanted: Sequence[Numbers], cases: Sequence[tuple], mistakes: dict[str, Callable]
) -> None:
    """Like `answers.verdict`, for functions that return several numbers."""
    try:
        values = [np.array([float(number) for number in answer]) for answer in answers]
    except (TypeError, ValueError, RuntimeError):
        kind = type(answers[0]).__name__
        return print(f"{name}: it should return {len(wanted[0])} numbers for the first case, not {kind}.")

    def same(others: Sequence[Numbers]) -> bool:
        pairs = zip(values, others, strict=True)
        return all(len(one) == len(two) and np.allclose(one, two, atol=1e-4) for one, two in pairs)

    if same(wanted):
        return print(f"{name}: right.")
    for sentence, wrong in mistakes.items():
        if same([wrong(*case) for case in cases]):
            return print(f"{name}: not yet. {sentence}")
    for case, value, right in zip(cases, values, wanted, strict=True):
        if len(value) != len(right):
            return print(f"{name}: not yet. For {_words(case)} it gives {len(value)} numbers, not {len(right)}.")
        if not np.allclose(value, right, atol=1e-4):
            is_, should = _words(value), _words(list(right))
            return print(f"{name}: not yet. For {_words(case)} it gives {is_}; it should be {should}.")


def _words(values: Sequence) -> str:
    texts = (_words(value) if isinstance(value, list) else f"{value:.3g}" for value in values)
    return "[" + ", ".join(texts) + "]" if isinstance(values, (list, np.ndarray)) else ", ".join(texts)
