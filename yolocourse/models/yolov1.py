"""The first YOLO, as the baseline that the course starts from (YOLO, section 2.1): its trunk, and its head.

Shape letters: N batch, H W grid rows and columns, P predictors of one cell (the paper's B), C classes.
"""

import torch
from torch import Tensor, nn

from yolocourse.models.darknet19 import Classifier, Darknet19Trunk, scaled
from yolocourse.models.layers import ConvBlock

GRID, PREDICTORS, STRIDE = 7, 2, 32
FIRST_ROOTS = (0.35, 0.6)  # square roots of the sizes at the start: an eighth and a third of the picture
# Hundreds of hidden values of size 1 add up: one step of training would throw the linear outputs far off, and nothing
# pulls back a box that is responsible for no truth. So the hidden values begin smaller.
FIRST_SCALE = 0.1


# YOLO, figure 3, up to the last of the twenty convolutions that are pretrained: channels and kernel, a stage a line.
# The very first has stride 2, and a 2x2 max pooling stands between the stages.
STAGES = (
    ((64, 7),),
    ((192, 3),),
    ((128, 1), (256, 3), (256, 1), (512, 3)),
    ((256, 1), (512, 3)) * 4 + ((512, 1), (1024, 3)),
    ((512, 1), (1024, 3)) * 2,
)


class YOLOv1Trunk(nn.Module):
    """The twenty convolutions of YOLO that are pretrained on ImageNet, after GoogLeNet. Outputs as of Darknet19Trunk.

    Images (N, 3, H, W) -> fine (N, 1024, H/16, W/16) and coarse (N, 1024, H/32, W/32), channels for width 1. The
    original has no batch norm.
    """

    def __init__(self, width: float = 1.0, batch_norm: bool = True):
        super().__init__()
        channels, stages, self.fine_channels = 3, [], scaled(STAGES[-2][-1][0], width)
        for number, blocks in enumerate(STAGES):
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if number else []
            for wide, kernel in blocks:
                stride = 1 if number else 2
                layers.append(ConvBlock(channels, scaled(wide, width), kernel, stride, batch_norm))
                channels = scaled(wide, width)
            stages.append(nn.Sequential(*layers))
        self.to_fine, self.to_coarse, self.coarse_channels = nn.Sequential(*stages[:-1]), stages[-1], channels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.to_fine(images)  # (N, 1024, H/16, W/16)
        return fine, self.to_coarse(fine)  # (N, 1024, H/32, W/32)


TRUNKS = {"darknet19": Darknet19Trunk, "yolov1": YOLOv1Trunk}


def make_trunk(name: str, width: float = 1.0, batch_norm: bool = True) -> Darknet19Trunk | YOLOv1Trunk:
    """The trunk of that name. Raises ValueError for an unknown one."""
    if name not in TRUNKS:
        raise ValueError(f"unknown trunk {name!r}; known: {', '.join(TRUNKS)}")
    return TRUNKS[name](width, batch_norm)


def yolov1_classifier(num_outputs: int, width: float = 1.0, batch_norm: bool = True) -> Classifier:
    """YOLO's trunk as a classifier, as it is pretrained (YOLO, section 2.2); its end is that of `Darknet19`."""
    config = {"builder": "yolov1_classifier", "num_outputs": num_outputs, "width": width, "batch_norm": batch_norm}
    return Classifier(YOLOv1Trunk(width, batch_norm), num_outputs, config)


class YOLOv1(nn.Module):
    """images (N, 3, 224, 224), values 0 to 1 -> raw (N, 7, 7, 2*5 + C), see `grid_yolov1.split`.

    The last layers are fully connected: each of the 7*7*2 = 98 boxes looks at the whole picture, through weights of its
    own. That fixes the size of the picture: raises ValueError for another one.
    """

    def __init__(self, trunk: nn.Module, neck: nn.Module, head: nn.Module, num_outputs: int):
        super().__init__()
        self.trunk, self.neck, self.head, self.num_outputs = trunk, neck, head, num_outputs

    def forward(self, images: Tensor) -> Tensor:
        side = GRID * STRIDE
        if images.shape[-2:] != (side, side):
            h, w = images.shape[-2:]
            raise ValueError(f"YOLO's fully connected layers fix the picture at {side} x {side} pixels; got {w} x {h}")
        x = self.neck(self.trunk(images)[1])  # (N, 1024, 7, 7)
        return self.head(x).unflatten(1, (GRID, GRID, -1))  # (N, 7, 7, 2*5 + C)


def yolov1(
    num_outputs: int, width: float = 1.0, dropout: float = 0.5, batch_norm: bool = True, trunk: str = "darknet19"
) -> YOLOv1:
    """YOLO on YOLOv2's trunk, so that what is compared is the way of predicting boxes and not the trunk.

    num_outputs: classes C; width: multiplier of all channels, of the hidden layer's 1024 too; dropout: share of the
    hidden layer's values that training sets to 0; batch_norm: False builds all of it without, as the original was;
    trunk: "yolov1" takes YOLO's own. Raises ValueError for another trunk, or no class.

    The original (YOLO, figure 3) takes pictures of 448 pixels down to 7x7 in six halvings. After the trunk it has four
    convolutions, where we have YOLOv2's two, and then the two fully connected layers that are here as well, the hidden
    one of 4096 values. A quarter of them is what a thousand pictures can train: with 4096 the loss fell more slowly and
    the outputs were less steady.
    """
    if num_outputs < 1:
        raise ValueError(f"a detector needs at least one class, not {num_outputs}")
    trunk = make_trunk(trunk, width, batch_norm)
    channels, hidden = trunk.coarse_channels, scaled(1024, width)
    neck = nn.Sequential(*[ConvBlock(channels, channels, batch_norm=batch_norm) for _ in range(2)])
    first = nn.Linear(channels * GRID * GRID, hidden)
    nn.init.kaiming_normal_(first.weight, a=0.1, nonlinearity="leaky_relu")
    last = nn.Linear(hidden, GRID * GRID * (PREDICTORS * 5 + num_outputs))
    nn.init.normal_(last.weight, std=0.01)
    # Boxes begin in the middle of their cells, one small and one large, with no confidence, and no class preferred.
    start = [value for root in FIRST_ROOTS for value in (0.5, 0.5, root, root, 0.0)] + [1 / num_outputs] * num_outputs
    with torch.no_grad():
        last.bias.copy_(torch.tensor(start).repeat(GRID * GRID))
    norm = nn.BatchNorm1d(hidden) if batch_norm else nn.Identity()
    if batch_norm:
        nn.init.constant_(norm.weight, FIRST_SCALE)
    head = nn.Sequential(nn.Flatten(), first, norm, nn.LeakyReLU(0.1), nn.Dropout(dropout), last)
    return YOLOv1(trunk, neck, head, num_outputs)
