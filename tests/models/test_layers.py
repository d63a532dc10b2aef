"""Building blocks: the passthrough in both orders against plain loops and Darknet's own numbers."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from yolocourse.models.layers import ConvBlock, Passthrough

GOLDEN = Path(os.environ.get("YOLOCOURSE_GOLDEN") or Path(__file__).parent.parent / "golden")


def plain_reorg(x):
    """Darknet's order, number by number: out[in_index] = x[out_index] in memory that is one long row."""
    K, H, W = x.shape
    memory, out = x.flatten().tolist(), [0.0] * (K * H * W)
    for k in range(K):
        for j in range(H):
            for i in range(W):
                offset = k // (K // 4)
                wide = i * 2 + offset % 2
                high = j * 2 + offset // 2
                out[i + W * (j + H * k)] = memory[wide + 2 * W * (high + 2 * H * (k % (K // 4)))]
    return torch.tensor(out).view(4 * K, H // 2, W // 2)


def plain_clean(x):
    """Channel k of the cell at (row, column) and place (dy, dx) in its 2x2 block becomes channel 4k + 2dy + dx."""
    K, H, W = x.shape
    out = torch.empty(4 * K, H // 2, W // 2)
    for k in range(K):
        for row in range(H // 2):
            for column in range(W // 2):
                for dy in (0, 1):
                    for dx in (0, 1):
                        out[4 * k + 2 * dy + dx, row, column] = x[k, 2 * row + dy, 2 * column + dx]
    return out


@pytest.mark.parametrize("shape", [(4, 2, 2), (8, 4, 6), (12, 6, 2)])
@pytest.mark.parametrize(("order", "plain"), [("darknet", plain_reorg), ("clean", plain_clean)])
def test_passthrough_equals_loops(order, plain, shape):
    count = shape[0] * shape[1] * shape[2]
    x = torch.arange(2.0 * count).view(2, *shape)  # every number is another one
    expected = torch.stack([plain(picture) for picture in x])
    assert torch.equal(Passthrough(order)(x), expected)
    memory_order = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(Passthrough(order)(memory_order), expected), "how numbers lie in memory must not matter"


def test_passthrough_equals_darknet():
    data = np.load(GOLDEN / "network" / "mini.npz")
    x = torch.from_numpy(data["layer_10"])[None]
    assert torch.equal(Passthrough("darknet")(x)[0], torch.from_numpy(data["layer_11"]))


def test_orders_differ_but_hold_the_same_numbers():
    x = torch.arange(96.0).view(1, 4, 4, 6)
    darknet, clean = Passthrough("darknet")(x), Passthrough("clean")(x)
    assert not torch.equal(darknet, clean)
    assert torch.equal(darknet.flatten().sort().values, x.flatten())
    assert torch.equal(clean.flatten().sort().values, x.flatten())


def test_clean_order_keeps_each_cell_together():
    """What the paper describes, and Darknet's order does not do: a cell sees its own 2x2 block and nothing else."""
    x = torch.zeros(1, 4, 4, 4)
    x[0, :, 2:, :2] = 1  # the block under row 1, column 0
    clean, darknet = Passthrough("clean")(x), Passthrough("darknet")(x)
    assert (clean[0, :, 1, 0] == 1).all() and clean.sum() == 16
    assert not (darknet[0, :, 1, 0] == 1).all()


@pytest.mark.parametrize(
    ("order", "shape", "message"),
    [
        ("darknet", (1, 4, 3, 4), "both must be even; found 3 x 4"),
        ("clean", (1, 4, 4, 5), "both must be even; found 4 x 5"),
        ("darknet", (1, 6, 4, 4), "channels that 4 divides; found 6"),
    ],
)
def test_shapes_that_cannot_be_halved_are_refused(order, shape, message):
    with pytest.raises(ValueError, match=message):
        Passthrough(order)(torch.zeros(shape))


def test_unknown_order_is_refused():
    with pytest.raises(ValueError, match="'darknet' or 'clean', not 'yolo'"):
        Passthrough("yolo")


def test_clean_order_takes_any_channels():
    assert Passthrough("clean")(torch.zeros(1, 3, 4, 4)).shape == (1, 12, 2, 2)


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 6), (1, 1, 6), (3, 2, 3), (7, 2, 3)])
def test_conv_block_shape(kernel, stride, side):
    assert ConvBlock(3, 5, kernel, stride)(torch.zeros(2, 3, 6, 6)).shape == (2, 5, side, side)


def test_conv_block_by_hand():
    """1x1, weight 2: then batch norm with mean 1, variance 4, scale 3, shift -1; then the leaky slope 0.1."""
    block = ConvBlock(1, 1, 1).eval()
    conv, norm, _ = block
    assert conv.bias is None
    conv.weight.data.fill_(2)
    norm.running_mean.fill_(1), norm.running_var.fill_(4)
    norm.weight.data.fill_(3), norm.bias.data.fill_(-1)
    x = torch.tensor([3.0, -1.0]).view(2, 1, 1, 1)  # 6 and -2 -> 2.5 and -1.5 -> 6.5 and -5.5
    torch.testing.assert_close(block(x).flatten(), torch.tensor([6.5, -0.55]), rtol=1e-4, atol=1e-4)


def test_conv_block_without_batch_norm_has_a_bias():
    block = ConvBlock(1, 1, 1, batch_norm=False)
    block[0].weight.data.fill_(1), block[0].bias.data.fill_(-3)
    assert len(block) == 2
    torch.testing.assert_close(block(torch.tensor([[[[5.0]]], [[[1.0]]]])).flatten(), torch.tensor([2.0, -0.2]))


def test_start_keeps_the_size_of_signals():
    torch.manual_seed(0)
    blocks = torch.nn.Sequential(*[ConvBlock(32, 32, batch_norm=False) for _ in range(6)])
    with torch.no_grad():
        out = blocks(torch.randn(4, 32, 12, 12))
    assert 0.3 < out.std().item() < 3
