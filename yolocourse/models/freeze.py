"""A network made ready for use: batch norm disappears into the convolutions, weights lie as processors like them."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from yolocourse.models.layers import ConvBlock

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def freeze(model: nn.Module, precision: str = "float32", compile: bool = False) -> nn.Module:
    """A copy in evaluation mode that computes the same with fewer steps; the model itself stays as it is.

    Batch norm with fixed statistics is y = a * x + b for each channel, and so can be part of the convolution before
    it: weight * a, bias * a + b. The copy is for use only: when the model learns on, it must be made again.
    precision: of weights and activations, "float32", "bfloat16" or "float16". bfloat16 is fast only where the processor
    has it in hardware. compile: through torch.compile, which takes half a minute for each new size of picture.
    Raises ValueError for another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; not {precision!r}")
    model = copy.deepcopy(model).eval()
    for block in model.modules():
        if isinstance(block, ConvBlock) and len(block) > 1 and isinstance(block[1], nn.BatchNorm2d):
            block[0] = fuse_conv_bn_eval(block[0], block[1])
            del block[1]
    anchors = getattr(model, "anchors", None)
    model = model.requires_grad_(False).to(dtype=PRECISIONS[precision], memory_format=torch.channels_last)
    if anchors is not None:
        model.anchors = anchors  # boxes are decoded in float32
    if compile:
        model.compile(dynamic=False)
    return model
