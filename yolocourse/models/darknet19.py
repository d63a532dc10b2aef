"""Darknet-19: the trunk of YOLOv2, and the classifier it is pretrained as (YOLO9000, section 3, table 6).

Shape letters: N batch, H W rows and columns of the picture, T classes. Channels are given for width 1.
"""

from torch import Tensor, nn

from yolocourse.models.layers import ConvBlock

# Table 6, one tuple a stage: channels of its convolutions, 3x3 where wide and 1x1 where it squeezes. A 2x2 max pooling
# stands between the stages.
STAGES = ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512), (1024, 512, 1024, 512, 1024))


def scaled(channels: int, width: float) -> int:
    """Channels at a width multiplier: the nearest multiple of 8, at least 8. Raises ValueError unless width > 0."""
    if not width > 0:
        raise ValueError(f"the width multiplier must be above 0, not {width}")
    return max(8, round(channels * width / 8) * 8)


class Darknet19Trunk(nn.Module):
    """The 18 convolutions before the classifier: images (N, 3, H, W) -> fine and coarse features.

    fine (N, 512, H/16, W/16) is the last map before the last pooling, coarse (N, 1024, H/32, W/32) the last of all.
    """

    def __init__(self, width: float = 1.0, batch_norm: bool = True):
        super().__init__()
        channels, stages = 3, []
        for number, widths in enumerate(STAGES):
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if number else []
            for position, wide in enumerate(widths):
                kernel = 1 if position % 2 else 3
                layers.append(ConvBlock(channels, scaled(wide, width), kernel, batch_norm=batch_norm))
                channels = scaled(wide, width)
            stages.append(nn.Sequential(*layers))
        self.to_fine = nn.Sequential(*stages[:-1])
        self.to_coarse = stages[-1]
        self.fine_channels, self.coarse_channels = scaled(STAGES[-2][-1], width), channels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.to_fine(images)  # (N, 512, H/16, W/16)
        return fine, self.to_coarse(fine)  # (N, 1024, H/32, W/32)


class Classifier(nn.Module):
    """Trunk, 1x1 convolution to the class scores, global average. (N, 3, H, W) -> scores (N, T).

    The average makes one number of a map of any size, so the same weights classify pictures of any size that the trunk
    takes. `config` says how it was built: what a checkpoint keeps.
    """

    def __init__(self, trunk: nn.Module, num_outputs: int, config: dict):
        super().__init__()
        self.trunk, self.config = trunk, config
        self.classify = nn.Conv2d(trunk.coarse_channels, num_outputs, 1)

    @property
    def num_outputs(self) -> int:
        """Class scores T."""
        return self.classify.out_channels

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.trunk(images)[1]).mean(dim=(2, 3))  # (N, T)


class Darknet19(Classifier):
    """The classifier of table 6, at any width; batch_norm=False builds it without, for comparison."""

    def __init__(self, num_outputs: int, width: float = 1.0, batch_norm: bool = True):
        config = {"builder": "darknet19", "num_outputs": num_outputs, "width": width}
        config |= {} if batch_norm else {"batch_norm": False}
        super().__init__(Darknet19Trunk(width, batch_norm), num_outputs, config)
