"""Checks of the exercises in notebook 07: each calls the student's function and prints one sentence on what it saw.

A check never raises for a wrong answer; it knows the usual ones and says which it sees.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from yolocourse.checks.answers import call_all, verdict

# fine and coarse channels, and what a 1x1 convolution leaves of the fine ones: the paper, Darknet, nano, any other
NETWORKS = ((512, 1024, None), (512, 1024, 64), (128, 256, 16), (96, 200, None))


def check_inputs(function: Callable[[int, int, int | None], int]) -> None:
    """Exercise 1: function(fine, coarse, squeezed) -> channels that go into the convolution after the passthrough."""
    answers, trouble = call_all("Exercise 1", function, NETWORKS, "How many channels does the passthrough put out?")
    if trouble:
        return print(trouble)
    mistakes = {
        "A block of 2 x 2 places holds four numbers, not two: height and width are both halved.": (
            lambda fine, coarse, squeezed: 2 * (squeezed or fine) + coarse
        ),
        "It leaves out what the passthrough does to the channels: there are four times as many afterwards.": (
            lambda fine, coarse, squeezed: (squeezed or fine) + coarse
        ),
        "Where there is a 1x1 convolution, the passthrough gets what that leaves and not all fine channels.": (
            lambda fine, coarse, squeezed: 4 * fine + coarse
        ),
        "The coarse features go in as well.": lambda fine, coarse, squeezed: 4 * (squeezed or fine),
        "Only the fine features are stacked. The coarse ones keep their places and their channels.": (
            lambda fine, coarse, squeezed: 4 * ((squeezed or fine) + coarse)
        ),
    }
    wanted = [4 * (squeezed or fine) + coarse for fine, coarse, squeezed in NETWORKS]

    def describe(case: tuple) -> str:
        return f"{case[0]} fine and {case[1]} coarse channels, squeezed to {case[2]},"

    verdict("Exercise 1", answers, wanted, NETWORKS, mistakes, describe=describe)


def check_stack(function: Callable[[Tensor, int], Tensor]) -> None:
    """Exercise 2: function(x, block) -> (N, K*block*block, H/block, W/block), the order of pixel_unshuffle."""
    name, cases = "Exercise 2", [(_numbers(2, 4, 6, 12), 2), (_numbers(1, 9, 6, 12), 3)]
    answers, trouble = call_all(name, function, cases, "Begin with reshape: split H and W into two axes each.")
    if trouble:
        return print(trouble)
    for (x, block), answer in zip(cases, answers, strict=True):
        wanted = F.pixel_unshuffle(x, block)
        if not isinstance(answer, Tensor):
            return print(f"{name}: it should return a tensor, not {type(answer).__name__}.")
        if answer.shape != wanted.shape:
            where = f"For {tuple(x.shape)} and block {block}"
            return print(f"{name}: not yet. {where} the shape is {tuple(answer.shape)}, not {tuple(wanted.shape)}.")
    mistakes = {
        "reshape alone moves nothing: it cuts the memory elsewhere, and the numbers of a block are not together. "
        "Put the axes in another order in between (permute).": _reshaped,
        "Every place is right, but the channels are in another order: all channels of the first place come first. "
        "Channel k should become channels k * block * block onwards.": _places_first,
        "Inside a block it goes down the columns first. It should go along the rows.": _columns_first,
        "That puts the picture's columns where its rows should be: check which axis of the reshape is which.": _turned,
        "That is Darknet's order. Here each cell should hold its own block.": _darknet,
    }
    values = [answer.double() for answer in answers]
    if _equal(values, cases, F.pixel_unshuffle):
        return print(f"{name}: right.")
    for sentence, wrong in mistakes.items():
        if _equal(values, cases, wrong):
            return print(f"{name}: not yet. {sentence}")
    print(f"{name}: the shape is right, the order is not. Try it on a numbered map, as in section 3.")


def check_darknet_row(function: Callable[[int], int]) -> None:
    """Exercise 3: function(y) -> coarse row that fine row y lands in, in Darknet's order; 4 divides the height."""
    cases = [(y,) for y in range(16)]
    answers, trouble = call_all("Exercise 3", function, cases, "Read the first four rows off the figure.")
    if trouble:
        return print(trouble)
    mistakes = {
        "That is the clean order, where two neighbouring rows share a cell.": lambda y: y // 2,
        "It fits the first four rows only. What comes after every four?": lambda y: y % 2,
        "All four rows of a group land in one coarse row that way; odd and even ones should part.": (
            lambda y: 2 * (y // 4)
        ),
        "Four fine rows make two coarse ones: every group of four must move on by 2.": lambda y: y // 4 + y % 2,
        "Almost: odd and even rows are the wrong way round.": lambda y: 2 * (y // 4) + 1 - y % 2,
    }
    verdict("Exercise 3", answers, [2 * (y // 4) + y % 2 for (y,) in cases], cases, mistakes,
            describe=lambda case: f"row {case[0]}")  # fmt: skip


def _numbers(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


def _equal(answers: list[Tensor], cases: list[tuple], function: Callable) -> bool:
    """Whether every answer is what `function` gives."""
    return all(torch.equal(answer, function(*case).double()) for answer, case in zip(answers, cases, strict=True))


def _split(x: Tensor, block: int) -> Tensor:
    """(N, K, H, W) -> (N, K, H/block, block, W/block, block)."""
    n, k, h, w = x.shape
    return x.reshape(n, k, h // block, block, w // block, block)


def _stacked(x: Tensor, like: Tensor, block: int) -> Tensor:
    n, k, h, w = like.shape
    return x.reshape(n, k * block * block, h // block, w // block)


def _reshaped(x: Tensor, block: int) -> Tensor:
    return _stacked(x, x, block)


def _places_first(x: Tensor, block: int) -> Tensor:
    return _stacked(_split(x, block).permute(0, 3, 5, 1, 2, 4), x, block)


def _columns_first(x: Tensor, block: int) -> Tensor:
    return _stacked(_split(x, block).permute(0, 1, 5, 3, 2, 4), x, block)


def _turned(x: Tensor, block: int) -> Tensor:
    return _stacked(_split(x, block).permute(0, 1, 3, 5, 4, 2), x, block)


def _darknet(x: Tensor, block: int) -> Tensor:
    """reorg for any block: the memory read as K/block² channels, block times as high and wide."""
    n, k, h, w = x.shape
    x = x.reshape(n, k // block**2, h, block, w, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, k * block * block, h // block, w // block)
