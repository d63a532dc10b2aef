"""Darknet-19: shapes, and the counts that table 6 of the paper and the official files give."""

import pytest
import torch
from torch import nn

from yolocourse.models.darknet19 import STAGES, Darknet19, Darknet19Trunk, scaled


def operations(model, height, width):
    """Operations of all convolutions on one picture, a multiplication and an addition counted as two."""
    total, hooks = 0, []

    def count(conv, inputs, output):
        nonlocal total
        per_value = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
        total += 2 * per_value * output.numel()

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(count))
    with torch.no_grad():
        model(torch.zeros(1, 3, height, width, device=next(model.parameters()).device))
    for hook in hooks:
        hook.remove()
    return total


def test_19_convolutions_and_5_poolings():
    with torch.device("meta"):
        modules = list(Darknet19(1000).modules())
    assert sum(isinstance(m, nn.Conv2d) for m in modules) == 19
    assert sum(isinstance(m, nn.MaxPool2d) for m in modules) == 5


def test_table_6():
    """Channels and kernel sizes, row by row; the last row is the classifier."""
    table = "32 64 128 64 128 256 128 256 512 256 512 256 512 1024 512 1024 512 1024 1000"
    kernels = "3 3 3 1 3 3 1 3 3 1 3 1 3 3 1 3 1 3 1"
    with torch.device("meta"):
        convs = [m for m in Darknet19(1000).modules() if isinstance(m, nn.Conv2d)]
    assert " ".join(str(conv.out_channels) for conv in convs) == table
    assert " ".join(str(conv.kernel_size[0]) for conv in convs) == kernels


def test_5_58_billion_operations():
    """Section 3: "Darknet-19 only requires 5.58 billion operations to process an image"."""
    with torch.device("meta"):
        model = Darknet19(1000)
    assert operations(model, 224, 224) / 1e9 == pytest.approx(5.58, abs=0.01)


def test_parameters_by_the_table():
    """Weights, batch norm's scale and shift, and the classifier's bias, summed from the table alone."""
    channels, expected = 3, 0
    for widths in STAGES:
        for position, wide in enumerate(widths):
            expected += channels * wide * (1 if position % 2 else 9) + 2 * wide
            channels = wide
    expected += channels * 1000 + 1000
    with torch.device("meta"):
        model = Darknet19(1000)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_shapes_of_features_and_scores():
    model = Darknet19(7, width=0.1).eval()
    fine, coarse = model.trunk(torch.zeros(2, 3, 96, 64))
    assert fine.shape == (2, model.trunk.fine_channels, 6, 4) == (2, 48, 6, 4)
    assert coarse.shape == (2, model.trunk.coarse_channels, 3, 2) == (2, 104, 3, 2)
    assert model(torch.zeros(2, 3, 96, 64)).shape == (2, 7)


def test_classifier_averages_over_places():
    model = Darknet19(5, width=0.05).eval()
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        coarse = model.trunk(x)[1]
        expected = sum(model.classify(coarse)[0, :, row, column] for row in range(2) for column in range(3)) / 6
        torch.testing.assert_close(model(x)[0], expected)


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(64, 1.0, 64), (64, 0.25, 16), (32, 0.25, 8), (64, 0.3, 16), (128, 0.3, 40), (1024, 0.3, 304), (32, 0.01, 8)],
)
def test_scaled_channels_by_hand(channels, width, expected):
    assert scaled(channels, width) == expected


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_bad_width_is_refused(width):
    with pytest.raises(ValueError, match="width multiplier must be above 0"):
        Darknet19Trunk(width)
