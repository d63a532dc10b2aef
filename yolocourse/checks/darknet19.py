"""Checks of the exercises in notebook 09: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer; it knows the usual ones and says which it sees.
"""

from collections.abc import Callable

from yolocourse.checks.answers import call_all, verdict

PAIRS = ((256, 128), (512, 128), (96, 64))  # wide and narrow channels
LAYERS = ((128, 256, 56), (32, 64, 112), (512, 500, 7))  # channels in, channels out, side of the map
# operations, bytes, operations a second, bytes a second: now the one takes longer, now the other
DEVICES = ((4e9, 1e8, 1e10, 1e9), (1e9, 4e9, 1e10, 5e9), (6e12, 2e11, 1e13, 5e11))


def check_bottleneck(function: Callable[[int, int], float]) -> None:
    """Exercise 1: function(wide, narrow) -> weights of the pair 1x1, 3x3 as a share of those of one wide 3x3."""
    name = "Exercise 1"
    answers, trouble = call_all(name, function, PAIRS, "How many weights has a 1x1 convolution from wide to narrow?")
    if trouble:
        return print(trouble)
    mistakes = {
        "The 1x1 convolution has weights, too.": lambda w, n: n / w,
        "That is the 1x1 convolution alone. The 3x3 one behind it brings the channels back.": lambda w, n: n / (9 * w),
        "That is the wide 3x3 as a multiple of the pair; the other way round was asked for.": (
            lambda w, n: 9 * w / (10 * n)
        ),
        "A 3x3 kernel has nine places, not three.": lambda w, n: 4 * n / (3 * w),
        "The 3x3 convolution of the pair goes from narrow to wide, not from narrow to narrow.": (
            lambda w, n: (w * n + 9 * n * n) / (9 * w * w)
        ),
        "The 3x3 convolution of the pair takes the narrow channels in, not the wide ones.": (
            lambda w, n: (w * n + 9 * w * w) / (9 * w * w)
        ),
        "These are the pair's weights. Divide them by those of one 3x3 convolution from wide to wide.": (
            lambda w, n: 10 * w * n
        ),
        "That is the share that is saved; the one that is left was asked for.": lambda w, n: 1 - 10 * n / (9 * w),
        "That is in percent; a share lies between 0 and 1 or a little above.": lambda w, n: 1000 * n / (9 * w),
    }
    wanted = [10 * narrow / (9 * wide) for wide, narrow in PAIRS]
    verdict(name, answers, wanted, PAIRS, mistakes, describe=lambda case: f"{case[0]} wide and {case[1]} narrow")


def check_separable(function: Callable[[int, int, int], int]) -> None:
    """Exercise 2: function(channels_in, channels_out, side) -> operations of a depthwise 3x3 and the 1x1 behind it."""
    name = "Exercise 2"
    start = "Count the depthwise convolution first: what does one of its outputs look at?"
    answers, trouble = call_all(name, function, LAYERS, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "These are multiplications alone. A multiplication and an addition are two operations.": (
            lambda i, o, s: (9 * i + i * o) * s * s
        ),
        "That is an ordinary 3x3 convolution. In a depthwise one an output looks at one channel only.": (
            lambda i, o, s: 18 * i * o * s * s
        ),
        "The first part should be depthwise: each of its outputs looks at nine values, of one channel.": (
            lambda i, o, s: 2 * (9 * i * i + i * o) * s * s
        ),
        "The 1x1 convolution behind it is missing.": lambda i, o, s: 18 * i * s * s,
        "The depthwise convolution is missing.": lambda i, o, s: 2 * i * o * s * s,
        "The depthwise convolution comes first and has as many channels as the input, not as the output.": (
            lambda i, o, s: 2 * (9 * o + i * o) * s * s
        ),
        "A map has side x side places.": lambda i, o, s: 2 * (9 * i + i * o) * s,
        "These are the operations for one place of the map. How many places are there?": (
            lambda i, o, s: 2 * (9 * i + i * o)
        ),
        "These are the weights. Each of them is used at every place of the map.": lambda i, o, s: 9 * i + i * o,
        "A 3x3 kernel has nine places, not three.": lambda i, o, s: 2 * (3 * i + i * o) * s * s,
    }
    wanted = [2 * (9 * i + i * o) * s * s for i, o, s in LAYERS]

    def describe(case: tuple) -> str:
        return f"{case[0]} channels to {case[1]} on {case[2]} x {case[2]} places"

    verdict(name, answers, wanted, LAYERS, mistakes, describe=describe)


def check_least_time(function: Callable[[float, float, float, float], float]) -> None:
    """Exercise 3: function(operations, bytes, speed, bandwidth) -> seconds that a layer takes at the least."""
    name = "Exercise 3"
    start = "How long do the operations take by themselves, and how long the bytes?"
    answers, trouble = call_all(name, function, DEVICES, start)
    if trouble:
        return print(trouble)
    mistakes = {
        "One after the other is not the least: a processor computes while the next numbers are on their way.": (
            lambda n, b, s, w: n / s + b / w
        ),
        "The layer is not done before the slower of the two is.": lambda n, b, s, w: min(n / s, b / w),
        "Bytes have to be moved, too, and sometimes that takes longer.": lambda n, b, s, w: n / s,
        "Operations have to be computed, too, and sometimes that takes longer.": lambda n, b, s, w: b / w,
        "Seconds are operations divided by operations a second; that is the other way round.": (
            lambda n, b, s, w: max(s / n, w / b)
        ),
        "That is the mean of the two times. They overlap, and the longer one decides.": (
            lambda n, b, s, w: (n / s + b / w) / 2
        ),
    }
    wanted = [max(n / s, b / w) for n, b, s, w in DEVICES]

    def describe(case: tuple) -> str:
        return f"{case[0]:g} operations at {case[2]:g} a second and {case[1]:g} bytes at {case[3]:g} a second"

    verdict(name, answers, wanted, DEVICES, mistakes, describe=describe)
