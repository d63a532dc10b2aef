"""Checks of the exercises in notebook 03: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer. It compares with the right answer and with the usual wrong ones, so that it can
say which mistake it looks like.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from yolocourse.checks.answers import call_all, verdict

Layers = Sequence[tuple[int, int]]

# (kernel, stride) of each layer: one convolution, pooling between two, two poolings in a row, Darknet-19's beginning
NETWORKS: tuple[tuple[Layers], ...] = (
    ([(3, 1)],),
    ([(3, 1), (2, 2), (3, 1)],),
    ([(5, 1), (2, 2), (2, 2), (3, 1)],),
    ([(3, 1), (2, 2), (3, 1), (2, 2), (3, 1), (1, 1), (3, 1)],),
)


def check_window(function: Callable[[Layers], int]) -> None:
    """Exercise 1: function(layers) -> side of the window that one output sees, in pixels of the picture."""
    answers, trouble = call_all("Exercise 1", function, NETWORKS, "Begin with a window of 1 pixel and a step of 1.")
    if trouble:
        return print(trouble)
    mistakes = {
        "Without layers an output sees 1 pixel, so the window begins at 1, not at 0.": lambda n: _window(n, first=0),
        "After a pooling, neighbours lie 2 pixels apart: a kernel then reaches (kernel - 1) * step further.": _flat,
        "A kernel of 3 makes the window wider by 2 steps, not by 3: one of its values was there before.": _whole_kernel,
        "Use the step first, then multiply it: a layer's own stride counts for the layers after it.": _step_too_early,
        "Poolings have a window too: their kernel of 2 counts like any other.": _no_pooling,
        "That is the step between neighbours. The window grows by (kernel - 1) * step at each layer.": _step,
        "That is the window's area; its side was asked for.": lambda n: _window(n) ** 2,
    }
    verdict("Exercise 1", answers, [_window(n) for (n,) in NETWORKS], NETWORKS, mistakes)


def _values(shift: float, spread: float) -> Tensor:
    """One channel (2, 4, 4) of this mean and this standard deviation, the same each time."""
    values = torch.linspace(-1, 1, 32, dtype=torch.float64)
    return (shift + spread * values / values.std(correction=0)).reshape(2, 4, 4).float()


# values, running mean, running variance: shifted up, down, spread out, not shifted
CHANNELS = (
    (_values(1.0, 1.0), 0.4, 4.0),
    (_values(-2.0, 0.5), 0.5, 0.25),
    (_values(0.3, 3.0), -0.6, 2.25),
    (_values(0.7, 1.5), 0.7, 9.0),
)


def check_shift(function: Callable[[Tensor, float, float], float]) -> None:
    """Exercise 2: function(values, running_mean, running_var) -> how far the mean has moved, in stored deviations."""
    answers, trouble = call_all("Exercise 2", function, CHANNELS, "How far is values.mean() from running_mean?")
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the distance itself. Divide it by the stored standard deviation.": lambda v, m, s: v.mean() - m,
        "Batch norm stores a variance. The standard deviation is its root.": lambda v, m, s: (v.mean() - m) / s,
        "It divides by the spread of the new values. Batch norm at test time uses the stored one.": _by_new_spread,
        "The sign is turned round: a larger mean must give a positive shift.": lambda v, m, s: (m - v.mean()) / s**0.5,
        "Keep the sign: it says whether the mean went up or down.": lambda v, m, s: abs(v.mean() - m) / s**0.5,
        "It multiplies by the standard deviation. Divide.": lambda v, m, s: (v.mean() - m) * s**0.5,
    }
    verdict("Exercise 2", answers, [_shift(*case) for case in CHANNELS], CHANNELS, mistakes, 2e-3, _describe_channel)


# epochs at the small size, small side, epochs at the large size, large side; the first is the paper's
TRAININGS = ((160, 224, 10, 448), (30, 64, 10, 128), (12, 96, 4, 288), (90, 224, 5, 224))


def check_share(function: Callable[[float, int, float, int], float]) -> None:
    """Exercise 3: function(epochs_small, small, epochs_large, large) -> share of the operations done at the large size.

    A share from 0 to 1 of those of the whole training.
    """
    start = "How many times the operations of a small picture does a large one take?"
    answers, trouble = call_all("Exercise 3", function, TRAININGS, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the share of the epochs. A large picture takes more operations than a small one.": _of_epochs,
        "Twice the side is four times the pixels: the operations grow with the square of the side.": _by_side,
        "That compares the large size with the small one. Divide by both together.": _ratio,
        "That is the small size's share. The large one's is the rest.": lambda *case: 1 - _share(*case),
        "Those are operations, counted in epochs at the small size. Divide by those of the whole.": _in_epochs,
        "That is a percentage; give a share from 0 to 1.": lambda *case: 100 * _share(*case),
    }
    verdict("Exercise 3", answers, [_share(*case) for case in TRAININGS], TRAININGS, mistakes, 1e-3, _describe_training)


def _window(layers: Layers, first: int = 1) -> int:
    window, step = first, 1
    for kernel, stride in layers:
        window, step = window + (kernel - 1) * step, step * stride
    return window


def _flat(layers: Layers) -> int:
    return 1 + sum(kernel - 1 for kernel, _ in layers)


def _whole_kernel(layers: Layers) -> int:
    window, step = 1, 1
    for kernel, stride in layers:
        window, step = window + kernel * step, step * stride
    return window


def _step_too_early(layers: Layers) -> int:
    window, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        window += (kernel - 1) * step
    return window


def _no_pooling(layers: Layers) -> int:
    window, step = 1, 1
    for kernel, stride in layers:
        window, step = window + (kernel - 1) * step * (stride == 1), step * stride
    return window


def _step(layers: Layers) -> int:
    step = 1
    for _, stride in layers:
        step *= stride
    return step


def _shift(values: Tensor, mean: float, variance: float) -> float:
    return (float(values.mean()) - mean) / variance**0.5


def _by_new_spread(values: Tensor, mean: float, variance: float) -> float:
    return (float(values.mean()) - mean) / float(values.std())


def _describe_channel(case: tuple) -> str:
    values, mean, variance = case
    return f"values of mean {float(values.mean()):.1f}, running mean {mean} and running variance {variance}"


def _share(epochs_small: float, small: int, epochs_large: float, large: int) -> float:
    work_small, work_large = epochs_small * small**2, epochs_large * large**2
    return work_large / (work_small + work_large)


def _of_epochs(epochs_small: float, small: int, epochs_large: float, large: int) -> float:
    return epochs_large / (epochs_small + epochs_large)


def _by_side(epochs_small: float, small: int, epochs_large: float, large: int) -> float:
    return epochs_large * large / (epochs_small * small + epochs_large * large)


def _ratio(epochs_small: float, small: int, epochs_large: float, large: int) -> float:
    return epochs_large * large**2 / (epochs_small * small**2)


def _in_epochs(epochs_small: float, small: int, epochs_large: float, large: int) -> float:
    return epochs_large * large**2 / small**2


def _describe_training(case: tuple) -> str:
    return f"{case[0]} epochs at {case[1]} and {case[2]} at {case[3]}"
