"""YOLOv2: trunk, passthrough, head (YOLO9000, section 2; yolov2.cfg, yolov2-tiny.cfg).

Shape letters: N batch, A anchors, C class scores, H W rows and columns of the picture. Channels are given for width 1.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from yolocourse.anchors import STRIDE, check_cells
from yolocourse.grid import find_location
from yolocourse.models.darknet19 import Darknet19Trunk, scaled
from yolocourse.models.layers import ConvBlock, Passthrough, SamePool
from yolocourse.models.yolov1 import make_trunk


class YOLOv2(nn.Module):
    """images (N, 3, H, W), values 0 to 1 -> raw head output (N, A*(5+C), H/32, W/32), see `grid.split`.

    The parts come finished from the builders below. `config` says which builder and how: what a checkpoint keeps.
    `squeeze` takes the trunk's fine features to the passthrough (None: a network without one); `merge` runs on both
    put together. `stride` is 32 in all networks of the paper; `location` names the formula of the centres. Raises
    ValueError for pictures whose height or width is not a multiple of the stride.
    """

    def __init__(
        self,
        trunk: nn.Module,
        neck: nn.Module,
        merge: nn.Module,
        head: nn.Conv2d,
        anchors: Tensor,
        config: dict,
        squeeze: nn.Module | None = None,
    ):
        super().__init__()
        self.trunk, self.neck, self.squeeze, self.merge, self.head = trunk, neck, squeeze, merge, head
        self.register_buffer("anchors", anchors)  # (A, 2) width, height in cells
        self.config = config
        self.stride = math.prod(_stride(module) for module in trunk.modules())  # pixels to a cell
        self.location = config.get("location", "sigmoid")  # see grid.LOCATIONS
        find_location(self.location)  # raises for an unknown one

    @property
    def num_outputs(self) -> int:
        """Class scores C of one anchor."""
        return self.head.out_channels // len(self.anchors) - 5

    def forward(self, images: Tensor) -> Tensor:
        check_size(*images.shape[-2:], self.stride)
        fine, coarse = self.trunk(images)  # (N, 512, H/16, W/16), (N, 1024, H/32, W/32)
        x = self.neck(coarse)  # (N, 1024, H/32, W/32)
        if self.squeeze is not None:
            x = torch.cat([self.squeeze(fine), x], dim=1)  # (N, 256 + 1024, H/32, W/32), the order of Darknet's route
        return self.head(self.merge(x))  # (N, A*(5+C), H/32, W/32)


def _stride(module: nn.Module) -> int:
    if isinstance(module, nn.MaxPool2d):
        return module.stride
    return module.stride[0] if isinstance(module, nn.Conv2d) else 1


def check_size(height: int, width: int, stride: int = STRIDE) -> None:
    """Raises ValueError unless both are multiples of the stride, and names the nearest ones that are."""
    for name, value in (("height", height), ("width", width)):
        if value < stride or value % stride:
            lower = max(stride, value // stride * stride)
            raise ValueError(
                f"picture {name} {value} is not a multiple of {stride}; the nearest are {lower} and {lower + stride}"
            )


def make_head(in_channels: int, num_outputs: int, anchors: Tensor) -> nn.Conv2d:
    """The last 1x1 convolution: (N, in_channels, H, W) -> (N, A*(5+C), H, W).

    At the start every box is its anchor, and its objectness is sigma(-4), about 2 %: most boxes hold nothing. A start
    at 50 % would spend the first steps on unlearning that (RetinaNet, section 3.3, starts at 1 %; Darknet at 50 %).
    """
    if num_outputs < 1:
        raise ValueError(f"a detector needs at least one class score, not {num_outputs}")
    head = nn.Conv2d(in_channels, len(anchors) * (5 + num_outputs), 1)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)
    with torch.no_grad():
        head.bias.view(len(anchors), -1)[:, 4] = -4.0  # (A*(5+C),) -> (A, 5+C); place 4 is objectness, see grid.split
    return head


def yolov2(
    num_outputs: int,
    anchors: Sequence[Sequence[float]],
    width: float = 1.0,
    passthrough: str | None = "darknet",
    squeeze: bool = True,
    trunk: str = "darknet19",
    location: str = "sigmoid",
) -> YOLOv2:
    """The network of the paper: Darknet-19, two 3x3 convolutions, passthrough, one more, 1x1 head (yolov2.cfg).

    num_outputs: class scores C; anchors (A, 2) in cells; width: multiplier of all channels, 1 is the paper's;
    passthrough: "darknet" or "clean" order (see `Passthrough`), or None for a network without one;
    squeeze: a 1x1 convolution brings the fine features to 64 channels first, so that 4 * 64 + 1024 = 1280 go into the
    next one. The paper does without, 4 * 512 + 1024 = 3072, and so did the first published weights ("YOLO 2.0").
    trunk: "yolov1" for YOLO's own; location: "offset" for that of region proposal networks (see `grid`). Both are
    what the paper started from (its table 2), and Darknet's files know neither.
    Raises ValueError for a name that is unknown.
    """
    sizes = check_cells(anchors).tolist()  # (A, 2)
    anchors = torch.tensor(sizes)
    body = make_trunk(trunk, width)
    wide, narrow = body.coarse_channels, scaled(64, width) if squeeze else body.fine_channels
    neck = nn.Sequential(ConvBlock(wide, wide), ConvBlock(wide, wide))
    config = {"builder": "yolov2", "num_outputs": num_outputs, "anchors": sizes}
    config |= {"width": width, "passthrough": passthrough} | ({} if squeeze else {"squeeze": False})
    config |= {} if trunk == "darknet19" else {"trunk": trunk}
    config |= {} if location == "sigmoid" else {"location": location}
    if passthrough is None:
        merge = ConvBlock(wide, wide)
        return YOLOv2(body, neck, merge, make_head(wide, num_outputs, anchors), anchors, config)
    to_fine = nn.Sequential(*([ConvBlock(body.fine_channels, narrow, 1)] if squeeze else []), Passthrough(passthrough))
    merge = ConvBlock(wide + 4 * narrow, wide)
    return YOLOv2(body, neck, merge, make_head(wide, num_outputs, anchors), anchors, config, to_fine)


def yolo9000(num_outputs: int, anchors: Sequence[Sequence[float]], width: float = 1.0) -> YOLOv2:
    """Darknet-19 and a 1x1 head, nothing between: 19 convolutions (YOLO9000, section 4; yolo9000.cfg)."""
    sizes = check_cells(anchors).tolist()  # (A, 2)
    anchors = torch.tensor(sizes)
    trunk = Darknet19Trunk(width)
    head = make_head(trunk.coarse_channels, num_outputs, anchors)
    config = {"builder": "yolo9000", "num_outputs": num_outputs, "anchors": sizes, "width": width}
    return YOLOv2(trunk, nn.Identity(), nn.Identity(), head, anchors, config)


def nano(
    num_outputs: int, anchors: Sequence[Sequence[float]], passthrough: str | None = "darknet", **options
) -> YOLOv2:
    """YOLOv2, unless told otherwise at a quarter of the width: the network that the notebooks train.

    More options: those of `yolov2`.
    """
    return yolov2(num_outputs, anchors, passthrough=passthrough, **{"width": 0.25, **options})


class TinyTrunk(nn.Module):
    """The trunk of yolov2-tiny: one convolution a stage, last pooling with stride 1. Same outputs as Darknet19Trunk."""

    def __init__(self, width: float = 1.0):
        super().__init__()
        channels = [3] + [scaled(c, width) for c in (16, 32, 64, 128, 256, 512, 1024)]
        self.to_fine = nn.Sequential(
            *[
                nn.Sequential(*([nn.MaxPool2d(2)] if i else []), ConvBlock(channels[i], channels[i + 1]))
                for i in range(5)
            ]
        )
        self.to_coarse = nn.Sequential(nn.MaxPool2d(2), ConvBlock(channels[5], channels[6]))
        self.last = nn.Sequential(SamePool(), ConvBlock(channels[6], channels[7]))
        self.fine_channels, self.coarse_channels = channels[5], channels[7]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.to_fine(images)  # (N, 256, H/16, W/16)
        coarse = self.to_coarse(fine)  # (N, 512, H/32, W/32)
        return fine, self.last(coarse)  # (N, 1024, H/32, W/32)


def tiny(num_outputs: int, anchors: Sequence[Sequence[float]], width: float = 1.0, last: int = 1024) -> YOLOv2:
    """yolov2-tiny-voc.cfg: 9 convolutions, no passthrough. last: channels before the head, 512 in yolov2-tiny.cfg."""
    sizes = check_cells(anchors).tolist()  # (A, 2)
    anchors = torch.tensor(sizes)
    trunk = TinyTrunk(width)
    merge = ConvBlock(trunk.coarse_channels, scaled(last, width))
    head = make_head(scaled(last, width), num_outputs, anchors)
    config = {"builder": "tiny", "num_outputs": num_outputs, "anchors": sizes, "width": width}
    return YOLOv2(trunk, nn.Identity(), merge, head, anchors, config | ({} if last == 1024 else {"last": last}))


class ListedTrunk(nn.Module):
    """A trunk of any convolutions and poolings, for networks that are no preset; outputs as of Darknet19Trunk.

    layers: (channels, kernel size) for a `ConvBlock`, or the word "pool" (2x2, halves) or "same" (2x2, stride 1).
    fine: how many of them lead to the fine features; None: there are none, and both outputs are the coarse ones.
    """

    def __init__(self, layers: Sequence[tuple[int, int] | str], fine: int | None = None):
        super().__init__()
        channels, modules, widths = 3, [], []
        for layer in layers:
            if isinstance(layer, str):
                modules.append({"pool": nn.MaxPool2d(2), "same": SamePool()}[layer])
            else:
                modules.append(ConvBlock(channels, *layer))
                channels = layer[0]
            widths.append(channels)
        self.to_fine = nn.Sequential(*modules[: fine or len(modules)])
        self.to_coarse = nn.Sequential(*modules[fine or len(modules) :])
        self.fine_channels, self.coarse_channels = widths[(fine or len(modules)) - 1], channels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.to_fine(images)
        return fine, self.to_coarse(fine)


def listed(
    num_outputs: int,
    anchors: Sequence[Sequence[float]],
    trunk: Sequence[tuple[int, int] | str],
    fine: int | None = None,
    squeeze: Sequence[tuple[int, int]] = (),
    merge: Sequence[tuple[int, int]] = (),
    passthrough: str = "darknet",
) -> YOLOv2:
    """Any network of YOLOv2's build, layer by layer: what a Darknet .cfg may hold that is none of the presets.

    trunk, fine: see `ListedTrunk`; squeeze: convolutions (channels, kernel size) between the fine features and the
    passthrough; merge: those after the two are put together. Without `fine` there is no passthrough.
    """
    sizes = check_cells(anchors).tolist()  # (A, 2)
    anchors = torch.tensor(sizes)
    body = ListedTrunk([layer if isinstance(layer, str) else tuple(layer) for layer in trunk], fine)
    to_fine, channels = None, body.coarse_channels
    if fine is not None:
        blocks, narrow = _convolutions(body.fine_channels, squeeze)
        to_fine, channels = nn.Sequential(*blocks, Passthrough(passthrough)), channels + 4 * narrow
    blocks, channels = _convolutions(channels, merge)
    head = make_head(channels, num_outputs, anchors)
    config = {"builder": "listed", "num_outputs": num_outputs, "anchors": sizes, "trunk": _plain(trunk), "fine": fine}
    config |= {"squeeze": _plain(squeeze), "merge": _plain(merge), "passthrough": passthrough}
    return YOLOv2(body, nn.Identity(), nn.Sequential(*blocks), head, anchors, config, to_fine)


def _convolutions(channels: int, layers: Sequence[tuple[int, int]]) -> tuple[list[ConvBlock], int]:
    """The blocks one after the other, and the channels that the last one puts out."""
    blocks = []
    for filters, kernel_size in layers:
        blocks.append(ConvBlock(channels, filters, kernel_size))
        channels = filters
    return blocks, channels


def _plain(layers: Sequence) -> list:
    return [layer if isinstance(layer, str) else list(layer) for layer in layers]
