"""Checks of the exercises in notebook 08: each calls the student's function and prints one sentence on what it saw."""

from collections.abc import Callable, Mapping, Sequence

from yolocourse.anchors import STRIDE
from yolocourse.checks.answers import call_all, verdict

Curve = Mapping[int, tuple[float, float]]  # side in pixels -> (AP50, pictures a second)

DRAWS = (288, 160, 224, 192, 256)
STEPS = tuple((step, 3, DRAWS) for step in range(15)) + ((0, 2, DRAWS), (1, 2, DRAWS), (9, 2, DRAWS))


def check_size_of_step(function: Callable[[int, int, Sequence[int]], int]) -> None:
    """Exercise 1: function(step, every, draws) -> side of the network's input at a step."""
    name = "Exercise 1"
    answers, trouble = call_all(name, function, STEPS, "How many times was a size drawn before this step?")
    if trouble:
        return print(trouble)
    mistakes = {
        "It looks like a new size at every step. A size stays for `every` steps.": lambda s, e, d: d[s % len(d)],
        "Steps are counted from 0 here: 0, 1, 2 with every = 3 are the first size.": lambda s, e, d: d[
            max(s - 1, 0) // e
        ],
        "The first change comes a step late: with every = 3, step 3 has the second size.": lambda s, e, d: d[
            min(s // (e + 1), len(d) - 1)
        ],
        "% says how far into its turn a step is. Which turn it is comes from //.": lambda s, e, d: d[s % e],
        "It never changes. Which turn is it? Divide.": lambda s, e, d: d[0],
        "That is the number of the draw. Look it up in `draws`.": lambda s, e, d: s // e,
    }
    wanted = [draws[step // every] for step, every, draws in STEPS]
    verdict(name, answers, wanted, STEPS, mistakes, describe=lambda c: f"step {c[0]} with every = {c[1]}")


LAYERS = ((160, 256, 85), (224, 1024, 85), (416, 1024, 125), (608, 512, 125))


def check_dense_weights(function: Callable[[int, int, int], int]) -> None:
    """Exercise 2: function(size, channels, outputs) -> weights of a fully connected layer over the whole grid."""
    name = "Exercise 2"
    answers, trouble = call_all(name, function, LAYERS, "How many numbers go in, how many come out?")
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the convolution: one cell's numbers in, one cell's out. Here every cell is joined to every cell.": (
            lambda size, channels, outputs: channels * outputs
        ),
        "The number of cells, (size / 32) squared, counts twice: all cells go in, and all come out.": (
            lambda size, channels, outputs: _cells(size) * channels * outputs
        ),
        "Those are pixels. The last grid has one cell for 32 x 32 of them.": (
            lambda size, channels, outputs: size**4 * channels * outputs
        ),
        "That adds what goes in to what comes out. Each number that goes in has a weight for each that comes out.": (
            lambda size, channels, outputs: _cells(size) * (channels + outputs)
        ),
        "Biases are counted, too: one for each number that comes out. Weights only.": (
            lambda size, channels, outputs: _dense(size, channels, outputs) + _cells(size) * outputs
        ),
    }
    wanted = [_dense(*layer) for layer in LAYERS]
    verdict(
        name, answers, wanted, LAYERS, mistakes, describe=lambda case: "size {}, {} channels, {} outputs".format(*case)
    )


# AP50 rises with the size and falls again; the fastest is not the best, and the largest that is fast enough neither.
CURVES: tuple[tuple[Curve, float], ...] = tuple(
    ({160: (0.70, 200.0), 224: (0.91, 110.0), 288: (0.95, 64.0), 352: (0.93, 40.0), 416: (0.84, 30.0)}, least)
    for least in (30, 40, 64, 100, 110, 150, 200)
)


def check_choose_size(function: Callable[[Curve, float], int]) -> None:
    """Exercise 3: function(curve, least) -> the size with the highest AP50 among those that are fast enough."""
    name = "Exercise 3"
    answers, trouble = call_all(name, function, CURVES, "Which sizes are fast enough? Begin with those.")
    if trouble:
        return print(trouble)
    mistakes = {
        "It takes the most accurate size of all, however slow. Leave out what is too slow first.": (
            lambda curve, least: max(curve, key=lambda s: curve[s][0])
        ),
        "It takes the largest size that is fast enough. The largest is not always the most accurate.": (
            lambda curve, least: max(s for s in curve if curve[s][1] >= least)
        ),
        "It takes the fastest. Fast enough will do; of those, the most accurate is wanted.": (
            lambda curve, least: max(curve, key=lambda s: curve[s][1])
        ),
        "A size with exactly the speed asked for is fast enough: >=, not >.": _strictly,
        "That is the AP50. The size is asked for: the key, not the value.": (
            lambda curve, least: curve[_best(curve, least)][0]
        ),
    }
    wanted = [_best(*case) for case in CURVES]
    verdict(name, answers, wanted, CURVES, mistakes, describe=lambda case: f"at least {case[1]} pictures a second")


def _cells(size: int) -> int:
    return (size // STRIDE) ** 2


def _dense(size: int, channels: int, outputs: int) -> int:
    return _cells(size) * channels * _cells(size) * outputs


def _best(curve: Curve, least: float) -> int:
    return max((size for size in curve if curve[size][1] >= least), key=lambda size: curve[size][0])


def _strictly(curve: Curve, least: float) -> int:
    return max((size for size in curve if curve[size][1] > least), key=lambda size: curve[size][0], default=160)
