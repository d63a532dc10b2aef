"""The checks of notebook 09: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import pytest
import torch
from torch import nn

from yolocourse.checks import darknet19 as checks
from yolocourse.studies.bench import count_operations


def raising(*anything):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda w, n: 10 * n / (9 * w), "Exercise 1: right."),
        (lambda w, n: torch.tensor(10 * n / (9 * w)), "Exercise 1: right."),
        (lambda w, n: None, "nothing returned yet"),
        (lambda w, n: None if w == 96 else 10 * n / (9 * w), "sometimes nothing"),
        (lambda w, n: n / w, "1x1 convolution has weights, too"),
        (lambda w, n: n / (9 * w), "1x1 convolution alone"),
        (lambda w, n: 9 * w / (10 * n), "the other way round"),
        (lambda w, n: (w * n + 3 * n * w) / (3 * w * w), "nine places, not three"),
        (lambda w, n: (w * n + 9 * n * n) / (9 * w * w), "not from narrow to narrow"),
        (lambda w, n: (w * n + 9 * w * w) / (9 * w * w), "takes the narrow channels in"),
        (lambda w, n: 10 * w * n, "Divide them"),
        (lambda w, n: 1 - 10 * n / (9 * w), "the share that is saved"),
        (lambda w, n: 100 * 10 * n / (9 * w), "in percent"),
        (lambda w, n: 0.5, "For 256 wide and 128 narrow it gives 0.5; it should be 0.556."),
        (lambda w, n: (w, n), "not tuple"),
        (lambda w, n: "half", "not str"),
        (lambda w: 1, "TypeError"),
        (raising, "NameError"),
    ],
)
def test_bottleneck(function, said, capsys):
    assert checks.check_bottleneck(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ") and len(out.splitlines()) == 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda i, o, s: 2 * (9 * i + i * o) * s * s, "Exercise 2: right."),
        (lambda i, o, s: 2.0 * i * (9 + o) * s**2, "Exercise 2: right."),
        (lambda i, o, s: None, "nothing returned yet"),
        (lambda i, o, s: (9 * i + i * o) * s * s, "multiplications alone"),
        (lambda i, o, s: 2 * 9 * i * o * s * s, "an ordinary 3x3"),
        (lambda i, o, s: 2 * (9 * i * i + i * o) * s * s, "should be depthwise"),
        (lambda i, o, s: 2 * 9 * i * s * s, "1x1 convolution behind it is missing"),
        (lambda i, o, s: 2 * i * o * s * s, "depthwise convolution is missing"),
        (lambda i, o, s: 2 * (9 * o + i * o) * s * s, "as many channels as the input"),
        (lambda i, o, s: 2 * (9 * i + i * o) * s, "side x side"),
        (lambda i, o, s: 2 * (9 * i + i * o), "for one place"),
        (lambda i, o, s: 9 * i + i * o, "These are the weights"),
        (lambda i, o, s: 2 * (3 * i + i * o) * s * s, "nine places, not three"),
        (lambda i, o, s: 1, "For 128 channels to 256 on 56 x 56 places it gives 1;"),
        (lambda i, o, s: [i], "not list"),
        (raising, "NameError"),
    ],
)
def test_separable(function, said, capsys):
    assert checks.check_separable(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ") and len(out.splitlines()) == 1


def test_what_exercise_2_wants_is_what_the_counter_counts():
    for channels, out, side in checks.LAYERS:
        layers = nn.Sequential(
            nn.Conv2d(3, channels, 1),
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels),
            nn.Conv2d(channels, out, 1),
        )
        counted = (count_operations(layers, side) - count_operations(layers[:1], side)) * 1e9
        assert counted == pytest.approx(2 * (9 * channels + channels * out) * side * side)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda n, b, s, w: max(n / s, b / w), "Exercise 3: right."),
        (lambda n, b, s, w: None, "nothing returned yet"),
        (lambda n, b, s, w: n / s + b / w, "One after the other"),
        (lambda n, b, s, w: min(n / s, b / w), "the slower of the two"),
        (lambda n, b, s, w: n / s, "Bytes have to be moved"),
        (lambda n, b, s, w: b / w, "Operations have to be computed"),
        (lambda n, b, s, w: max(s / n, w / b), "the other way round"),
        (lambda n, b, s, w: (n / s + b / w) / 2, "the mean of the two"),
        (lambda n, b, s, w: 0, "For 4e+09 operations at 1e+10 a second and 1e+08 bytes at 1e+09 a second it gives 0;"),
        (lambda n, b, s, w: n / 0, "ZeroDivisionError"),
        (lambda n, b, s, w: {}, "not dict"),
        (raising, "NameError"),
    ],
)
def test_least_time(function, said, capsys):
    assert checks.check_least_time(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ") and len(out.splitlines()) == 1


def test_operations_decide_in_some_cases_and_bytes_in_others():
    assert {n / s < b / w for n, b, s, w in checks.DEVICES} == {True, False}
