"""The checks of notebook 03: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import math

import pytest
import torch

from yolocourse.checks.high_resolution import NETWORKS, check_share, check_shift, check_window


def right_window(layers, first=1, shrink=1, early=False, only=None, flat=False):
    window, step = first, 1
    for kernel, stride in layers:
        if early:
            step *= stride
        if only is None or stride == only:
            window += (kernel - shrink) * step
        if not early and not flat:
            step *= stride
    return window


def raising(*anything):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_window, "Exercise 1: right."),
        (lambda layers: torch.tensor(right_window(layers)), "Exercise 1: right."),
        (lambda layers: None, "nothing returned yet"),
        (lambda layers: right_window(layers) if len(layers) > 1 else None, "sometimes nothing"),
        (lambda layers: right_window(layers, first=0), "begins at 1"),
        (lambda layers: right_window(layers, flat=True), "2 pixels apart"),
        (lambda layers: right_window(layers, shrink=0), "by 2 steps, not by 3"),
        (lambda layers: right_window(layers, early=True), "Use the step first"),
        (lambda layers: right_window(layers, only=1), "Poolings have a window"),
        (lambda layers: math.prod(stride for _, stride in layers), "step between neighbours"),
        (lambda layers: right_window(layers) ** 2, "its side"),
        (lambda layers: 7, "it should be 3"),
        (lambda layers: float("nan"), "it should be"),
        (lambda layers: "wide", "not str"),
        (lambda layers: [3, 3], "not list"),
        (lambda layers: layers[9], "IndexError"),
        (raising, "NameError"),
        (lambda: 3, "TypeError"),
    ],
)
def test_window(function, said, capsys):
    assert check_window(function) is None
    assert said in capsys.readouterr().out


def test_the_windows_are_what_a_gradient_finds():
    for (layers,) in NETWORKS:
        image = torch.zeros(1, 1, 64, 64, requires_grad=True)
        x = image
        for kernel, stride in layers:
            x = torch.nn.functional.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=stride)
        x[0, 0, x.shape[2] // 2, x.shape[3] // 2].backward()
        assert int((image.grad[0, 0] != 0).any(0).sum()) == right_window(layers)


def right_shift(values, mean, variance):
    return (values.mean() - mean) / variance**0.5


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_shift, "Exercise 2: right."),
        (lambda v, m, s: float(v.mean() - m) / math.sqrt(s + 1e-5), "Exercise 2: right."),
        (lambda v, m, s: ((v - m) / s**0.5).mean(), "Exercise 2: right."),
        (lambda v, m, s: None, "nothing returned yet"),
        (lambda v, m, s: v.mean() - m, "Divide it by the stored"),
        (lambda v, m, s: (v.mean() - m) / s, "The standard deviation is its root"),
        (lambda v, m, s: (v.mean() - m) / v.std(), "spread of the new values"),
        (lambda v, m, s: -right_shift(v, m, s), "turned round"),
        (lambda v, m, s: right_shift(v, m, s).abs(), "Keep the sign"),
        (lambda v, m, s: (v.mean() - m) * s**0.5, "Divide."),
        (lambda v, m, s: 0.0, "it should be 0.3"),
        (lambda v, m, s: (v - m) / s**0.5, "not Tensor"),
        (lambda v, m, s: "up", "not str"),
        (raising, "NameError"),
    ],
)
def test_shift(function, said, capsys):
    assert check_shift(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


def right_share(a, small, b, large):
    return b * large**2 / (a * small**2 + b * large**2)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (right_share, "Exercise 3: right."),
        (lambda *case: None, "nothing returned yet"),
        (lambda a, s, b, t: b / (a + b), "share of the epochs"),
        (lambda a, s, b, t: b * t / (a * s + b * t), "square of the side"),
        (lambda a, s, b, t: b * t**2 / (a * s**2), "Divide by both together"),
        (lambda *case: 1 - right_share(*case), "small size's share"),
        (lambda a, s, b, t: b * (t / s) ** 2, "counted in epochs at the small size"),
        (lambda *case: 100 * right_share(*case), "percentage"),
        (lambda *case: 0.5, "it should be 0.2"),
        (lambda *case: "a fifth", "not str"),
        (raising, "NameError"),
        (lambda a: a, "TypeError"),
    ],
)
def test_share(function, said, capsys):
    assert check_share(function) is None
    assert said in capsys.readouterr().out
