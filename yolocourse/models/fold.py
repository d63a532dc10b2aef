"""A network made ready for use: batch norm disappears into the convolutions before it."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from yolocourse.models.layers import ConvBlock


def folded(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same with fewer steps; the model itself stays as it is.

    Batch norm with fixed statistics is y = a * x + b for each channel, and so can be part of the convolution before
    it: weight * a, bias * a + b. The copy is for use only: with other weights it must be made again.
    """
    model = copy.deepcopy(model).eval()
    for block in model.modules():
        if isinstance(block, ConvBlock) and isinstance(block[1], nn.BatchNorm2d):
            block[0] = fuse_conv_bn_eval(block[0], block[1])
            del block[1]
    return model.requires_grad_(False)
