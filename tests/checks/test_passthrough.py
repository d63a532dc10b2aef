"""The checks of notebook 07: the right answer, the stub, each usual mistake by its name, and answers of any kind."""

import pytest
import torch
import torch.nn.functional as F

from yolocourse.checks.passthrough import check_darknet_row, check_inputs, check_stack
from yolocourse.models.layers import Passthrough


def raising(*anything):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda f, c, s: 4 * (s or f) + c, "Exercise 1: right."),
        (lambda f, c, s: torch.tensor(4 * (s or f) + c), "Exercise 1: right."),
        (lambda f, c, s: None, "nothing returned yet"),
        (lambda f, c, s: None if s is None else 4 * s + c, "sometimes nothing"),
        (lambda f, c, s: 2 * (s or f) + c, "four numbers, not two"),
        (lambda f, c, s: (s or f) + c, "four times as many"),
        (lambda f, c, s: 4 * f + c, "not all fine channels"),
        (lambda f, c, s: 4 * (s or f), "coarse features go in as well"),
        (lambda f, c, s: 4 * ((s or f) + c), "Only the fine features"),
        (lambda f, c, s: 7, "For 512 fine and 1024 coarse channels, squeezed to None, it gives 7; it should be"),
        (lambda f, c, s: 4 * s + c, "TypeError"),
        (lambda f, c, s: (f, c), "not tuple"),
        (lambda f, c, s: "many", "not str"),
        (raising, "NameError"),
        (lambda f: 1, "TypeError"),
    ],
)
def test_inputs(function, said, capsys):
    assert check_inputs(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 1: ")


def split(x, b):
    n, k, h, w = x.shape
    return x.reshape(n, k, h // b, b, w // b, b)


def joined(x, b, axes):
    n, k, h, w = x.shape
    return split(x, b).permute(axes).reshape(n, k * b * b, h // b, w // b)


def darknet(x, b):
    n, k, h, w = x.shape
    x = x.reshape(n, k // b**2, h, b, w, b).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, k * b * b, h // b, w // b)


def test_the_darknet_of_this_test_is_darknets():
    x = torch.arange(192.0).view(1, 8, 4, 6)
    assert torch.equal(darknet(x, 2), Passthrough("darknet")(x))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x, b: joined(x, b, (0, 1, 3, 5, 2, 4)), "Exercise 2: right."),
        (F.pixel_unshuffle, "Exercise 2: right."),
        (lambda x, b: F.pixel_unshuffle(x, b).long(), "Exercise 2: right."),
        (lambda x, b: None, "nothing returned yet"),
        (lambda x, b: x.reshape(x.shape[0], -1, x.shape[2] // b, x.shape[3] // b), "reshape alone moves nothing"),
        (lambda x, b: joined(x, b, (0, 3, 5, 1, 2, 4)), "all channels of the first place come first"),
        (lambda x, b: joined(x, b, (0, 1, 5, 3, 2, 4)), "go along the rows"),
        (lambda x, b: joined(x, b, (0, 1, 3, 5, 4, 2)), "columns where its rows should be"),
        (darknet, "Darknet's order"),
        (lambda x, b: Passthrough("darknet")(x), "ValueError: Darknet's passthrough order needs channels"),
        (lambda x, b: F.pixel_unshuffle(x, 2), "For (1, 9, 6, 12) and block 3 the shape"),
        (lambda x, b: x, "For (2, 4, 6, 12) and block 2 the shape is (2, 4, 6, 12), not (2, 16, 3, 6)."),
        (lambda x, b: F.pixel_unshuffle(x, b).flip(1), "the order is not"),
        (lambda x, b: F.pixel_unshuffle(x, b).tolist(), "not list"),
        (lambda x, b: x.view(1, 2, 3), "RuntimeError"),
        (raising, "NameError"),
    ],
)
def test_stack(function, said, capsys):
    assert check_stack(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 2: ")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda y: 2 * (y // 4) + y % 2, "Exercise 3: right."),
        (lambda y: None, "nothing returned yet"),
        (lambda y: y // 2, "clean order"),
        (lambda y: y % 2, "first four rows only"),
        (lambda y: 2 * (y // 4), "odd and even ones should part"),
        (lambda y: y // 4 + y % 2, "move on by 2"),
        (lambda y: 2 * (y // 4) + 1 - y % 2, "wrong way round"),
        (lambda y: y, "For row 2 it gives 2; it should be 0."),
        (lambda y: [y], "not list"),
        (lambda y: "row", "not str"),
        (raising, "NameError"),
    ],
)
def test_darknet_row(function, said, capsys):
    assert check_darknet_row(function) is None
    out = capsys.readouterr().out
    assert said in out and out.startswith("Exercise 3: ")


def test_the_rule_of_exercise_3_is_darknets():
    rows = torch.arange(16.0).view(1, 1, 16, 1).expand(1, 4, 16, 8).contiguous()
    landed = Passthrough("darknet")(rows)[0]  # (16, 8, 4), each number the fine row that it comes from
    for coarse in range(8):
        assert {2 * (int(y) // 4) + int(y) % 2 for y in landed[:, coarse].unique()} == {coarse}
