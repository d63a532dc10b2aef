"""The building blocks that the networks share.

Shape letters: N batch, K channels, H W rows and columns.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, leaky ReLU with slope 0.1: the unit of Darknet-19 (YOLO9000, sections 2 and 3).

    Padding keeps the size: (N, in_channels, H, W) -> (N, out_channels, H, W). With batch norm the convolution has no
    bias of its own, since batch norm adds one. `batch_norm=False` is the block that YOLO (v1) is made of.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, batch_norm: bool = True
    ):
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=not batch_norm)
        nn.init.kaiming_normal_(conv.weight, a=0.1, nonlinearity="leaky_relu")
        layers = [conv, nn.LeakyReLU(0.1, inplace=True)]
        if batch_norm:
            layers.insert(1, nn.BatchNorm2d(out_channels))
        super().__init__(*layers)


class SamePool(nn.Module):
    """Max pooling of 2x2 windows with stride 1 that keeps the size: (N, K, H, W) -> (N, K, H, W).

    Each window starts at its own cell; Darknet pads on the right and at the bottom only.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 2, stride=1)


class Passthrough(nn.Module):
    """Fine features on a coarse grid: (N, K, H, W) -> (N, 4K, H/2, W/2), each 2x2 block stacked into channels.

    The paper's passthrough layer (YOLO9000, section 2, "Fine-Grained Features"). There are two orders because Darknet's
    "reorg" layer reads its input as if it had K/4 channels of twice the height and width: the numbers that land in one
    cell then stem from other places and channels than the paper's words say. Networks learn with either, but weights
    trained by Darknet need "darknet"; "clean" is the order that the paper describes. Raises ValueError for an
    unknown order, an odd height or width, or, in Darknet's order, channels that 4 does not divide.
    """

    def __init__(self, order: str = "darknet"):
        super().__init__()
        if order not in ("darknet", "clean"):
            raise ValueError(f"passthrough order must be 'darknet' or 'clean', not {order!r}")
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        n, k, h, w = x.shape
        if h % 2 or w % 2:
            raise ValueError(f"passthrough halves height and width, so both must be even; found {h} x {w}")
        if self.order == "clean":
            return F.pixel_unshuffle(x, 2)  # (N, 4K, H/2, W/2)
        if k % 4:
            raise ValueError(f"Darknet's passthrough order needs channels that 4 divides; found {k}")
        # reorg: the same memory, taken for K/4 channels of 2H x 2W, then split into 2x2 blocks.
        x = x.reshape(n, k // 4, h, 2, w, 2).permute(0, 3, 5, 1, 2, 4)  # (N, 2, 2, K/4, H, W)
        return x.reshape(n, 4 * k, h // 2, w // 2)  # (N, 4K, H/2, W/2)

    def extra_repr(self) -> str:
        return f"order={self.order!r}"
