"""From a picture of any size and kind to the network's input, and boxes back to the picture.

Shape letters: H W rows and columns of the network's input, h w those of the original picture, B boxes.
Three rules: "stretch" fills the input and bends the proportions, as YOLOv2 was trained; "letterbox" keeps the
proportions and fills what is left with grey, as Darknet's detector does; "darknet" does that with Darknet's own
arithmetic, pixel for pixel, so that its weights give its boxes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import pil_to_tensor, resize

from yolocourse.models.yolov2 import check_size

RULES = ("stretch", "letterbox", "darknet")


def open_picture(path: str | Path, upright: bool = True) -> Image.Image:
    """Reads a picture file as 8-bit RGB.

    Cameras store a picture as it left the sensor, with an EXIF note how to turn it; `upright` turns it, as viewers do.
    Raises FileNotFoundError for a missing file, ValueError for one that is damaged or no picture; both name the file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such picture")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder, expected a picture file")
    try:
        with Image.open(path) as image:
            image.load()
            return to_rgb(ImageOps.exif_transpose(image) if upright else image)
    except UnidentifiedImageError:
        raise ValueError(f"{path}: not a picture in a format that Pillow reads") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # PNG decoding raises SyntaxError
        raise ValueError(f"{path}: cannot be read as a picture ({error}); probably damaged or cut off") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as 8-bit RGB.

    Transparent parts are laid on white, as on a page. 16-bit grey values are scaled down: Pillow's own conversion would
    cut everything above 255 off to white. Raises ValueError for floating-point pictures, whose range nobody states.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "F":
        raise ValueError("floating-point picture (mode F): scale it to 8 bits first, its range of values is not known")
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.int64).clip(0, 65535)
        return Image.fromarray((grey // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the network's input: picture pixel x is input pixel x * inner / original + offset.

    All three are (x or width, y or height) in pixels. Darknet maps boxes back with half pixels in the offset, although
    it puts the picture at whole ones; so does the rule "darknet".
    """

    original: tuple[int, int]  # size of the picture
    inner: tuple[int, int]  # size that it takes up in the input
    offset: tuple[float, float]  # its top left corner in the input

    def to_network(self, boxes: Tensor) -> Tensor:
        """xyxy boxes (..., 4) in pixels of the picture -> pixels of the network's input; nothing is clipped."""
        scale, offset = self._corners(boxes)
        return boxes * scale + offset

    def to_original(self, boxes: Tensor) -> Tensor:
        """xyxy boxes (..., 4) in pixels of the network's input -> pixels of the picture; nothing is clipped."""
        scale, offset = self._corners(boxes)
        return (boxes - offset) / scale

    def _corners(self, boxes: Tensor) -> tuple[Tensor, Tensor]:
        scale = [inner / original for inner, original in zip(self.inner, self.original, strict=True)]
        return boxes.new_tensor(scale * 2), boxes.new_tensor(self.offset * 2)


@dataclass(frozen=True)
class Preprocess:
    """How pictures become network input; travels inside the checkpoint, so that a detector cannot get it wrong.

    size: (H, W) of the input in pixels, multiples of 32; a single number means a square.
    rule: "stretch", "letterbox" or "darknet".
    fill: grey of the letterbox's bars, 0 to 1; Darknet's is 0.5.
    Raises ValueError for anything else.
    """

    size: int | tuple[int, int] = 416
    rule: str = "stretch"
    fill: float = 0.5

    def __post_init__(self):
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        if not isinstance(size, tuple) or len(size) != 2 or not all(isinstance(side, int) for side in size):
            raise ValueError(f"size must be one whole number of pixels or two, (height, width); got {self.size!r}")
        check_size(*size)
        object.__setattr__(self, "size", size)
        if self.rule not in RULES:
            raise ValueError(f"unknown rule {self.rule!r} for resizing; known: {', '.join(RULES)}")
        if not 0 <= self.fill <= 1:
            raise ValueError(f"fill must lie between 0 (black) and 1 (white), got {self.fill}")

    def place(self, width: int, height: int) -> Placement:
        """Where a picture of `width` x `height` pixels comes to lie. Raises ValueError for an empty picture."""
        if width < 1 or height < 1:
            raise ValueError(f"a picture of {width} x {height} pixels has nothing to look at")
        H, W = self.size
        if self.rule == "stretch":
            return Placement((width, height), (W, H), (0, 0))
        # Whole numbers cut off, as in Darknet's letterbox_image.
        wide = W * height < H * width
        inner = (W, max(1, height * W // width)) if wide else (max(1, width * H // height), H)
        if self.rule == "darknet":  # correct_region_boxes
            return Placement((width, height), inner, ((W - inner[0]) / 2, (H - inner[1]) / 2))
        return Placement((width, height), inner, ((W - inner[0]) // 2, (H - inner[1]) // 2))

    def __call__(self, image: Image.Image | Tensor) -> tuple[Tensor, Placement]:
        """A PIL image of any mode, or a uint8 tensor (3, h, w) -> float tensor (3, H, W) in [0, 1], and its placement.

        Bilinear with antialiasing: without it, small things vanish between the sampled pixels of a large photograph.
        "darknet" does without, and lays the outermost pixels of both pictures onto each other, as resize_image does.
        Raises ValueError for a tensor of another shape or type.
        """
        if isinstance(image, Image.Image):
            image = pil_to_tensor(to_rgb(image))
        if image.ndim != 3 or image.shape[0] != 3 or image.dtype != torch.uint8:
            shape, kind = tuple(image.shape), str(image.dtype).removeprefix("torch.")
            raise ValueError(f"expected a uint8 tensor of shape (3, height, width), got {kind} of shape {shape}")
        image = image.as_subclass(Tensor)
        placement = self.place(width=image.shape[2], height=image.shape[1])
        (width, height), (x, y) = placement.inner, (int(side) for side in placement.offset)
        if self.rule == "darknet":
            image = (image.float() / 255)[None]
            image = F.interpolate(image, (height, width), mode="bilinear", align_corners=True)[0]
        else:
            if image.shape[1:] != (height, width):
                image = resize(image, [height, width], InterpolationMode.BILINEAR, antialias=True)
            image = image.float() / 255
        if (height, width) == self.size:
            return image, placement  # (3, H, W)
        canvas = image.new_full((3, *self.size), self.fill)
        canvas[:, y : y + height, x : x + width] = image
        return canvas, placement  # (3, H, W)

    def to_dict(self) -> dict:
        """What `from_dict` needs to build this object again."""
        return {"size": list(self.size), "rule": self.rule, "fill": self.fill}

    @classmethod
    def from_dict(cls, description: dict) -> "Preprocess":
        return cls(tuple(description["size"]), description["rule"], description["fill"])
