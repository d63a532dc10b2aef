"""The first YOLO, as the baseline that the course starts from (YOLO, section 2.1).

Shape letters: N batch, H W grid rows and columns, P predictors of one cell (the paper's B), C classes.
"""

import torch
from torch import Tensor, nn

from yolocourse.models.darknet19 import Darknet19Trunk, scaled
from yolocourse.models.layers import ConvBlock

GRID, PREDICTORS, STRIDE = 7, 2, 32
FIRST_ROOTS = (0.35, 0.6)  # square roots of the sizes at the start: an eighth and a third of the picture
# Hundreds of hidden values of size 1 add up: one step of training would throw the linear outputs far off, and nothing
# pulls back a box that is responsible for no truth. So the hidden values begin smaller.
FIRST_SCALE = 0.1


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


def yolov1(num_outputs: int, width: float = 1.0, dropout: float = 0.5, batch_norm: bool = True) -> YOLOv1:
    """YOLO on YOLOv2's trunk, so that what is compared is the way of predicting boxes and not the trunk.

    num_outputs: classes C; width: multiplier of all channels, of the hidden layer's 1024 too; dropout: share of the
    hidden layer's values that training sets to 0; batch_norm: False builds all of it without, as the original was.

    The original (YOLO, figure 3) has a trunk of its own, after GoogLeNet, and takes pictures of 448 pixels down to 7x7
    in six halvings. After the trunk it has four convolutions, where we have YOLOv2's two, and then the two fully
    connected layers that are here as well, the hidden one of 4096 values. A quarter of them is what a thousand
    pictures can train: with 4096 the loss fell more slowly and the outputs were less steady.
    """
    if num_outputs < 1:
        raise ValueError(f"a detector needs at least one class, not {num_outputs}")
    trunk = Darknet19Trunk(width, batch_norm)
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
