"""A network made ready for use: batch norm disappears into the convolutions, weights lie as processors like them."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from yolocourse.models.layers import ConvBlock

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def folded(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same without batch norm; the model itself stays as it is.

    Batch norm with fixed statistics is y = a * x + b for each channel, and so can be part of the convolution before
    it: weight * a, bias * a + b. The copy is for use only: when the model learns on, it must be made again.
    """
    model = copy.deepcopy(model).eval()
    for block in model.modules():
        if isinstance(block, ConvBlock) and isinstance(block[1], nn.BatchNorm2d):
            block[0] = fuse_conv_bn_eval(block[0], block[1])
            del block[1]
    return model.requires_grad_(False)


def freeze(
    model: nn.Module, precision: str = "float32", compile: bool = False, size: tuple[int, int] = (416, 416)
) -> nn.Module:
    """A `folded` copy that is as fast as this machine makes it.

    precision: of weights and activations, "float32", "bfloat16" or "float16". bfloat16 is fast only where the processor
    has it in hardware. compile: through torch.compile instead, which takes many seconds for each new size of picture;
    measured on two processor cores it was slower (YOLOv2 at 416: 105 ms against 62).
    size: (H, W) of the pictures to come, pixels; others work as well, if not as fast. Raises ValueError for another
    precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; not {precision!r}")
    model = folded(model)
    anchors = getattr(model, "anchors", None)
    model = model.to(dtype=PRECISIONS[precision], memory_format=torch.channels_last)
    if anchors is not None:
        model.anchors = anchors  # boxes are decoded in float32
    if compile:
        model.compile(dynamic=False)
    elif Packed.possible(model):
        pack(model, size)
    return model


class Packed(nn.Module):
    """Convolution and leaky ReLU in one step of oneDNN, with the weight in the order in which oneDNN reads it.

    An ordinary convolution brings its weight into that order at every call: 200 MB for YOLOv2, a quarter of the time.
    These are the operators that torch.compile puts in on a processor; where they are missing, nothing is packed.
    """

    def __init__(self, block: ConvBlock, shape: Sequence[int]):
        """shape: of an input (N, K, H, W) as it will come; at others the order is right too, if not the fastest."""
        super().__init__()
        conv = block[0]
        self.shape = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self.slope = block[1].negative_slope
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight, *self.shape, list(shape))
        self.bias = conv.bias.detach()

    @staticmethod
    def possible(model: nn.Module) -> bool:
        """Whether this torch has the operators, and for the network's device and precision."""
        names = ("_reorder_convolution_weight", "_convolution_pointwise", "_is_mkldnn_bf16_supported")
        if not torch.backends.mkldnn.is_available() or not all(hasattr(torch.ops.mkldnn, name) for name in names):
            return False
        kinds = {torch.float32} | ({torch.bfloat16} if torch.ops.mkldnn._is_mkldnn_bf16_supported() else set())
        return all(each.device.type == "cpu" and each.dtype in kinds for each in model.parameters())

    def forward(self, x: Tensor) -> Tensor:
        leaky = ("leaky_relu", [self.slope], "")
        return torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.bias, *self.shape, *leaky)


def pack(model: nn.Module, size: tuple[int, int]) -> None:
    """Replaces the convolution blocks of a folded network by packed ones, laid out for one picture of (H, W) pixels."""
    shapes, hooks = {}, []
    for block in (module for module in model.modules() if isinstance(module, ConvBlock) and len(module) == 2):
        hooks.append(block.register_forward_hook(lambda block, inputs, output: shapes.update({block: inputs[0].shape})))
    example = torch.zeros(1, 3, *size, dtype=next(model.parameters()).dtype)
    with torch.inference_mode():
        model(example.contiguous(memory_format=torch.channels_last))
    for hook in hooks:
        hook.remove()
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if child in shapes:
                setattr(module, name, Packed(child, shapes[child]))
