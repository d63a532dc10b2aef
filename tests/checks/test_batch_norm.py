"""The checks of notebook 02: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import statistics

import numpy as np
import pytest
import torch

from yolocourse.checks.batch_norm import (
    check_as_a_line,
    check_centre_backward,
    check_dropout,
    check_running_variance,
)


def raising(*anything):
    return undefined_name  # noqa: F821


def said_by(check, function, capsys):
    assert check(function) is None
    return capsys.readouterr().out


def running_variance(running, values, momentum, share=lambda m: m, spread=statistics.variance):
    return (1 - share(momentum)) * running + share(momentum) * spread(values)


def no_mean(values):
    return sum(v**2 for v in values) / (len(values) - 1)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (running_variance, "Exercise 1: right."),
        (lambda r, v, m: (1 - m) * r + m * torch.tensor(v).var(), "Exercise 1: right."),
        (lambda r, v, m: None, "nothing returned yet"),
        (lambda r, v, m: None if r > 1 else 1.0, "sometimes nothing"),
        (lambda r, v, m: running_variance(r, v, m, lambda m: 1 - m), "swapped"),
        (lambda r, v, m: running_variance(r, v, m, spread=statistics.pvariance), "takes n - 1."),
        (lambda r, v, m: running_variance(r, v, m, lambda m: 1 - m, statistics.pvariance), "Both at once"),
        (lambda r, v, m: running_variance(r, v, m, spread=statistics.stdev), "Leave out the root"),
        (lambda r, v, m: running_variance(r, v, m, spread=no_mean), "Subtract the mean"),
        (lambda r, v, m: running_variance(r, v, m, spread=statistics.fmean), "running mean"),
        (lambda r, v, m: statistics.variance(v), "batch's variance alone"),
        (lambda r, v, m: r + m * statistics.variance(v), "counts in full"),
        (lambda r, v, m: 7.0, "a running variance of 1.0, the values [2.0, 4.0, 6.0, 8.0] and momentum 0.1"),
        (lambda r, v, m: "much", "not str"),
        (lambda r, v, m: [1.0, 2.0], "not list"),
        (raising, "NameError"),
        (lambda r: 1, "TypeError"),
    ],
)
def test_running_variance(function, said, capsys):
    out = said_by(check_running_variance, function, capsys)
    assert said in out and out.startswith("Exercise 1: ")


def mean(values):
    return sum(values) / len(values)


def by_autograd(dy):
    x = torch.arange(len(dy), dtype=torch.float64, requires_grad=True)
    (x - x.mean()).backward(torch.tensor(dy, dtype=torch.float64))
    return x.grad


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (by_autograd, "Exercise 2: right."),
        (lambda dy: [d - mean(dy) for d in dy], "Exercise 2: right."),
        (lambda dy: np.array(dy) - np.mean(dy), "Exercise 2: right."),
        (lambda dy: None, "nothing returned yet"),
        (lambda dy: dy, "for a constant"),
        (lambda dy: [d - sum(dy) for d in dy], "subtracts the sum"),
        (lambda dy: [d * (1 - 1 / len(dy)) for d in dy], "the others' gradients"),
        (lambda dy: [d + mean(dy) for d in dy], "The sign"),
        (lambda dy: [-mean(dy) for _ in dy], "a way of its own"),
        (lambda dy: [mean(dy)] * len(dy), "without dy"),
        (lambda dy: [d - mean(dy) for d in dy][1:], "gives 3 numbers, not 4"),
        (lambda dy: [0.5 for _ in dy], "For [1, 0, 0, 0] it gives [0.5, 0.5, 0.5, 0.5]"),
        (lambda dy: [float("nan")] * len(dy), "it should be"),
        (lambda dy: 3.0, "not float"),
        (lambda dy: ["a", "b"], "4 numbers for the first case, not list"),
        (raising, "NameError"),
    ],
)
def test_centre_backward(function, said, capsys):
    out = said_by(check_centre_backward, function, capsys)
    assert said in out and out.startswith("Exercise 2: ")


def line(g, b, mean, v, e, scale=lambda g, v, e: g / (v + e) ** 0.5, shift=lambda a, b, mean: b - a * mean):
    a = scale(g, v, e)
    return a, shift(a, b, mean)


def with_(**other):
    return lambda *case: line(*case, **other)


def by_torch(g, b, mean, v, e):
    args = [torch.tensor([value], dtype=torch.float64) for value in (mean, v, g, b)]
    x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    y = torch.nn.functional.batch_norm(x, *args, training=False, eps=e)
    return y[1] - y[0], y[0]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (line, "Exercise 3: right."),
        (by_torch, "Exercise 3: right."),
        (lambda *case: None, "nothing returned yet"),
        (with_(scale=lambda g, v, e: g / (v + e)), "the root of var + eps"),
        (with_(scale=lambda g, v, e: g / (v**0.5 + e)), "stands under the root here"),
        (with_(scale=lambda g, v, e: g / v**0.5), "eps is missing"),
        (with_(scale=lambda g, v, e: (v + e) ** -0.5), "gamma is missing"),
        (with_(scale=lambda g, v, e: g * (v + e) ** 0.5), "Divide by it"),
        (with_(shift=lambda a, b, mean: b), "subtracting the mean shifts"),
        (with_(shift=lambda a, b, mean: b - mean), "multiplied by a"),
        (with_(shift=lambda a, b, mean: b + a * mean), "sign of the shift"),
        (with_(shift=lambda a, b, mean: -a * mean), "beta is missing"),
        (with_(shift=lambda a, b, mean: a * (b - mean)), "not scaled"),
        (lambda *case: line(*case)[::-1], "wrong way round"),
        (lambda *case: (1.0, 2.0), "For 2, 1, 3, 4, 0 it gives [1, 2]; it should be [1, -2]"),
        (lambda *case: line(*case)[0], "2 numbers for the first case, not float"),
        (lambda *case: (None, None), "not tuple"),
        (raising, "NameError"),
    ],
)
def test_as_a_line(function, said, capsys):
    out = said_by(check_as_a_line, function, capsys)
    assert said in out and out.startswith("Exercise 3: ")


def dropout(x, u, p, factor=lambda p: 1 / (1 - p)):
    return [value * factor(p) * (draw >= p) for value, draw in zip(x, u, strict=True)]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (dropout, "Exercise 4: right."),
        (lambda x, u, p: torch.tensor(x) * (torch.tensor(u) >= p) / (1 - p), "Exercise 4: right."),
        (lambda x, u, p: None, "nothing returned yet"),
        (lambda x, u, p: dropout(x, u, p, lambda p: 1), "stay as they were"),
        (lambda x, u, p: dropout(x, u, p, lambda p: 1 - p), "made smaller"),
        (lambda x, u, p: dropout(x, u, p, lambda p: 1 / p), "not by p"),
        (lambda x, u, p: dropout(x, u, p, lambda p: 1 + p), "too much or too little"),
        (lambda x, u, p: [v * (d < p) / (1 - p) for v, d in zip(x, u, strict=True)], "other way round"),
        (lambda x, u, p: x, "Nothing was dropped"),
        (lambda x, u, p: [v for v in dropout(x, u, p) if v], "still have their place"),
        (lambda x, u, p: [0.0 for _ in x], "it should be [0, 4, 6, 0]"),
        (lambda x, u, p: 0.0, "4 numbers for the first case, not float"),
        (raising, "NameError"),
    ],
)
def test_dropout(function, said, capsys):
    out = said_by(check_dropout, function, capsys)
    assert said in out and out.startswith("Exercise 4: ")
