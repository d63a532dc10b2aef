"""What is done to a picture and its boxes before the network sees them, through torchvision.transforms.v2.

Darknet's augmentation for YOLO and YOLOv2 (YOLOv1 paper, section 2.2; YOLO9000, section 3, "Training for detection"):
each border of the picture moves in or out by up to 20 %, half of the pictures are mirrored, and hue, saturation and
exposure change in HSV.

Shape letters: N pictures, H W rows and columns, B boxes.
Every random number comes from torch's global generator, so that `Seeded` can make each picture repeat.
"""

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional
from torchvision.tv_tensors import BoundingBoxes, Image

from yolocourse.preprocess import Placement, Preprocess

MIN_SHARE = 0.25  # of a box's area that must stay in the picture
MIN_SIDE = 1.0  # pixels of a box's width and height
GREY = 0.5
STRIP = 2**18  # pixels: small enough for the cache, large enough for several threads


def train_transform(
    size: int | tuple[int, int],
    jitter: float = 0.2,
    hue: float = 0.1,
    saturation: float = 1.5,
    exposure: float = 1.5,
    flip: float = 0.5,
    rule: str = "stretch",
    min_share: float = MIN_SHARE,
    zoom_out: float = 1.0,
) -> v2.Compose:
    """(PIL image or uint8 (3, h, w), target) -> (uint8 Image (3, H, W), target), varied at random.

    size: side of the square in pixels, or (H, W); multiples of 32.
    jitter: each border moves in or out by up to this share of the picture's width or height.
    hue: shift by up to this share of the colour circle; saturation, exposure: factor between 1/x and x. With
        hue=0 and the other two 1 no colour step is built: the engine may do it on the device with `ColorJitter`.
    flip: probability of mirroring left and right. zoom_out: of pictures without boxes, see `ZoomOut`.
    Boxes that leave the picture are cut off, and dropped when less than `min_share` of their area is left or a side is
    under 1 pixel. (Darknet keeps every splinter over 0.001 of the picture; a quarter is our choice: nobody recognises
    a dog by its ear tip, and the loss would punish the network for it.)
    """
    steps = [as_image, *([ZoomOut(zoom_out)] if zoom_out != 1 else [])]
    steps += [JitterPlacement(size, jitter, rule, min_share), Mirror(flip)]
    if (hue, saturation, exposure) != (0, 1, 1):
        steps.append(ColorJitter(hue, saturation, exposure))
    return v2.Compose(steps)


def crop_transform(
    size: int,
    min_crop: int,
    max_crop: int,
    angle: float = 7.0,
    aspect: float = 0.75,
    flip: float = 0.5,
    hue: float = 0.0,
    saturation: float = 1.0,
    exposure: float = 1.0,
) -> v2.Compose:
    """(PIL image or uint8 (3, h, w), target) -> (uint8 Image (3, size, size), target), for classifiers.

    See `RandomCrop`. Colours as in `train_transform`; none by default, since the engine may change them on the device.
    """
    steps = [as_image, RandomCrop(size, min_crop, max_crop, angle, aspect), Mirror(flip)]
    if (hue, saturation, exposure) != (0, 1, 1):
        steps.append(ColorJitter(hue, saturation, exposure))
    return v2.Compose(steps)


def as_image(picture: PIL.Image.Image | Tensor, target: dict) -> tuple[Image, dict]:
    """(PIL image or uint8 (3, h, w), target) -> (Image, target). v2.ToImage, which first looks for pictures in both."""
    return functional.to_image(picture), target


class RandomCrop(v2.Transform):
    """A square of `size` pixels out of a picture that was resized, bent and turned at random.

    Darknet's augmentation for classification (image.c, random_augment_image; YOLO9000, section 3, "Training for
    classification"). The shorter side becomes between `min_crop` and `max_crop` pixels long, height and width change
    against each other by a factor between `aspect` and 1 / `aspect`, the picture is turned by up to `angle` degrees,
    and the square is cut out anywhere in it, or anywhere around it where the picture has become smaller. What lies
    outside becomes grey.
    Raises ValueError unless 0 < min_crop <= max_crop and 0 < aspect <= 1.
    """

    def __init__(self, size: int, min_crop: int, max_crop: int, angle: float = 7.0, aspect: float = 0.75):
        super().__init__()
        if not 0 < min_crop <= max_crop:
            raise ValueError(f"min_crop must be at least 1 pixel and at most max_crop, got {min_crop} and {max_crop}")
        if not 0 < aspect <= 1:
            raise ValueError(f"aspect is the lowest factor, above 0 and at most 1, got {aspect}")
        self.size, self.low, self.high, self.angle, self.aspect = size, min_crop, max_crop, angle, aspect

    def make_params(self, flat_inputs: list) -> dict:
        height, width = next(value for value in flat_inputs if isinstance(value, Tensor)).shape[-2:]
        factor = 1 + float(torch.rand(())) * (self.aspect - 1)
        aspect = factor if torch.rand(()) < 0.5 else 1 / factor
        shorter = self.low + float(torch.rand(())) * (self.high - self.low)
        scale = shorter / min(height, width * aspect)
        wide, high = max(1, round(width * aspect * scale)), max(1, round(height * scale))
        # The middle of the square, from the middle of the picture: half of what one has more than the other.
        shift = [(float(torch.rand(())) - 0.5) * abs(side - self.size) for side in (wide, high)]
        return {"inner": (high, wide), "shift": shift, "angle": (float(torch.rand(())) * 2 - 1) * self.angle}

    def transform(self, inpt: object, params: dict) -> object:
        if not isinstance(inpt, Image):
            return inpt
        grey, (high, wide) = round(GREY * 255), params["inner"]
        picture = functional.resize(inpt.as_subclass(Tensor), [high, wide], InterpolationMode.BILINEAR, antialias=True)
        left, top = (max(0, (self.size - side + 1) // 2) for side in (wide, high))
        canvas = functional.pad(picture, [left, top, left, top], fill=grey)
        canvas = functional.affine(
            canvas, params["angle"], [round(each) for each in params["shift"]], 1.0, [0.0, 0.0],
            InterpolationMode.BILINEAR, fill=grey,
        )  # fmt: skip
        return Image(functional.center_crop(canvas, [self.size, self.size]))


def eval_transform(size: int | tuple[int, int], rule: str = "stretch") -> v2.Compose:
    """(PIL image or uint8 (3, h, w), target) -> (uint8 Image (3, H, W), target), placed as `Preprocess` does.

    Every box stays, however small: evaluation must not forget any.
    """
    return v2.Compose([as_image, JitterPlacement(size, 0.0, rule, min_share=0.0, min_side=0.0)])


class JitterPlacement(v2.Transform):
    """Brings a picture to the network's size, its borders moved at random; what lies outside becomes grey.

    Darknet's way (data.c, load_data_detection of the time of the paper): left, right, top and bottom borders move
    independently by up to `jitter` of the side, so the picture is shifted, zoomed in or out, and bent. The borders are
    rounded to whole pixels, so that picture and boxes move by exactly the same amount. Boxes: see `keep_visible`.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        jitter: float,
        rule: str = "stretch",
        min_share: float = MIN_SHARE,
        min_side: float = MIN_SIDE,
    ):
        super().__init__()
        if not 0 <= jitter < 0.5:
            raise ValueError(f"jitter must be at least 0 and under 0.5 (both borders would meet), got {jitter}")
        if not 0 <= min_share <= 1:
            raise ValueError(f"min_share is a share of a box's area, 0 to 1, got {min_share}")
        # Darknet's half pixels are below what jitter does, and a picture lies at whole ones.
        self.preprocess = Preprocess(size, "letterbox" if rule == "darknet" else rule, GREY)
        self.jitter, self.min_share, self.min_side = jitter, min_share, min_side

    def forward(self, image: Image, target: dict) -> tuple[Image, dict]:
        image = image.as_subclass(Tensor)
        height, width = image.shape[-2:]
        left, top, right, bottom = region = self.draw(width, height)
        place = self.preprocess.place(right - left, bottom - top)
        if "boxes" in target:
            boxes = target["boxes"].as_subclass(Tensor)
            boxes = place.to_network(boxes - boxes.new_tensor([left, top] * 2))
            (x, y), (w, h) = place.offset, place.inner
            window = (x, y, x + w, y + h)
            target = keep_visible(target, boxes, window, self.preprocess.size, self.min_share, self.min_side)
        return Image(self._picture(image, region, place)), target

    def draw(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Random borders (left, top, right, bottom) of a picture in its own pixels, beyond it where it zooms out."""
        if not self.jitter:
            return 0, 0, width, height
        shares = ((torch.rand(4) * 2 - 1) * self.jitter).tolist()
        left, top, dx, dy = (round(share * side) for share, side in zip(shares, (width, height) * 2, strict=True))
        return left, top, max(width + dx, left + 1), max(height + dy, top + 1)

    def _picture(self, image: Tensor, region: tuple[int, int, int, int], place: Placement) -> Tensor:
        height, width = image.shape[1:]
        left, top, right, bottom = region
        image = image[:, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
        image = _pad(image, max(-left, 0), max(-top, 0), bottom - top, right - left)
        if image.shape[1:] != place.inner[::-1]:
            image = functional.resize(image, place.inner[::-1], InterpolationMode.BILINEAR, antialias=True)
        return _pad(image, *place.offset, *self.preprocess.size)  # (3, H, W)


class Mirror(v2.Transform):
    """Swaps left and right of a picture and its boxes with this probability.

    What v2.RandomHorizontalFlip does, in half its time, which is spent on finding out what it was given.
    """

    def __init__(self, probability: float = 0.5):
        super().__init__()
        if not 0 <= probability <= 1:
            raise ValueError(f"a probability is 0 to 1, got {probability}")
        self.probability = probability

    def forward(self, image: Image, target: dict) -> tuple[Image, dict]:
        if torch.rand(()).item() >= self.probability:
            return image, target
        image = image.as_subclass(Tensor)
        if "boxes" in target:
            x1, y1, x2, y2 = target["boxes"].as_subclass(Tensor).unbind(-1)
            height, width = image.shape[-2:]
            boxes = torch.stack([width - x2, y1, width - x1, y2], dim=-1)
            target = {**target, "boxes": BoundingBoxes(boxes, format="XYXY", canvas_size=(height, width))}
        return Image(image.flip(-1)), target


class ZoomOut(v2.Transform):
    """Lays a picture of one class, made smaller by up to `factor`, somewhere on grey of its old size.

    Pictures with a class only show their thing large, scenes show it small; joint training has to bridge that. Samples
    with boxes pass as they are. Raises ValueError for a factor under 1.
    """

    def __init__(self, factor: float):
        super().__init__()
        if not factor >= 1:
            raise ValueError(f"zoom_out is a factor of at least 1, got {factor}")
        self.factor = factor

    def forward(self, image: Image, target: dict) -> tuple[Image, dict]:
        if "boxes" in target:
            return image, target
        height, width = image.shape[-2:]
        share = 1 / self.factor + float(torch.rand(())) * (1 - 1 / self.factor)
        h, w = max(1, round(height * share)), max(1, round(width * share))
        y, x = int(torch.rand(()) * (height - h + 1)), int(torch.rand(()) * (width - w + 1))
        small = functional.resize(image.as_subclass(Tensor), [h, w], InterpolationMode.BILINEAR, antialias=True)
        return Image(_pad(small, x, y, height, width)), target


def _pad(image: Tensor, x: int, y: int, height: int, width: int) -> Tensor:
    """Lays a picture (3, h, w) at column x, row y of a grey canvas: (3, height, width). As it is where nothing is left.

    Channels lie innermost in the canvas, as in pictures that Pillow read: resizing 8-bit pictures is then four times
    as fast.
    """
    _, h, w = image.shape
    if (h, w) == (height, width):
        return image
    canvas = image.new_full((height, width, 3), round(GREY * 255)).permute(2, 0, 1)
    canvas[:, y : y + h, x : x + w] = image
    return canvas


def keep_visible(
    target: dict,
    boxes: Tensor,
    window: tuple[int, int, int, int],
    canvas_size: tuple[int, int],
    min_share: float = MIN_SHARE,
    min_side: float = MIN_SIDE,
) -> dict:
    """The target with `boxes` (B, 4) for its own, cut off at the window (xyxy) where the picture can be seen.

    Dropped: boxes that keep less than `min_share` of their area, or a side under `min_side` pixels. Every tensor of the
    target whose first dimension counts boxes (labels, difficult, further keys) is filtered alike.
    """
    # NumPy: for a dozen boxes its calls take a third of torch's, and this is done to every picture.
    before = boxes.numpy()  # (B, 4)
    seen = before.clip(np.array(window[:2] * 2, before.dtype), np.array(window[2:] * 2, before.dtype))
    old, new = before[:, 2:] - before[:, :2], seen[:, 2:] - seen[:, :2]  # width and height
    keep = (new.prod(axis=1) >= min_share * old.prod(axis=1)) & (new.min(axis=1) >= min_side)
    if not keep.all():
        kept = torch.from_numpy(keep.nonzero()[0])
        rows = {key: value for key, value in target.items() if isinstance(value, Tensor) and value.ndim}
        rows = {key: value[kept] for key, value in rows.items() if key != "boxes" and len(value) == len(keep)}
        target, seen = {**target, **rows}, seen[keep]
    return {**target, "boxes": BoundingBoxes(torch.from_numpy(seen), format="XYXY", canvas_size=canvas_size)}


class ColorJitter(v2.Transform):
    """Changes hue, saturation and exposure (V) in HSV, each picture its own way: (..., 3, H, W), also a whole batch.

    hue: shift by up to this share of the colour circle; saturation, exposure: factor between 1/x and x, up and down
    equally likely (Darknet's rand_scale). Values that leave the range are cut off.
    """

    def __init__(self, hue: float = 0.1, saturation: float = 1.5, exposure: float = 1.5):
        super().__init__()
        if not 0 <= hue <= 0.5:
            raise ValueError(f"hue is a share of the colour circle, 0 to 0.5, got {hue}")
        if saturation < 1 or exposure < 1:
            raise ValueError(f"saturation and exposure are factors of at least 1, got {saturation} and {exposure}")
        self.hue, self.saturation, self.exposure = hue, saturation, exposure

    def make_params(self, flat_inputs: list) -> dict:
        images = next(value for value in flat_inputs if isinstance(value, Tensor) and value.ndim >= 3)
        return dict(zip(("hue", "saturation", "exposure"), self.draw(images.shape[:-3]), strict=True))

    def draw(self, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
        """(3, *shape): random hue shifts, saturation and exposure factors for `shape` pictures, for `jitter_hsv`."""
        draws = torch.rand(5, *shape, generator=generator)
        hue = (draws[:1] * 2 - 1) * self.hue
        limits = torch.tensor([self.saturation, self.exposure]).view(2, *[1] * len(shape))
        factors = 1 + draws[1:3] * (limits - 1)
        return torch.cat([hue, torch.where(draws[3:] < 0.5, factors, 1 / factors)])

    def transform(self, inpt: object, params: dict) -> object:
        if isinstance(inpt, Image):
            return Image(jitter_hsv(inpt.as_subclass(Tensor), **params))
        return inpt


def jitter_hsv(
    images: Tensor, hue: Tensor, saturation: Tensor, exposure: Tensor, dtype: torch.dtype | None = None
) -> Tensor:
    """Pictures (..., 3, H, W), uint8 or float in [0, 1], with H shifted and S and V multiplied in HSV.

    hue (share of the circle), saturation and exposure (factors): (...), one number a picture. S and V are cut off at 1.
    dtype: None keeps the pictures' own. A float type makes network input of 8-bit pictures in the same pass: 0 to 1,
    not rounded, channels innermost in memory.
    """
    flat = images.reshape(-1, *images.shape[-3:])
    changes = [each.to(images.device).reshape(-1, 1, 1) for each in (hue, saturation, exposure)]
    order = torch.contiguous_format if dtype is None else torch.channels_last
    result = torch.empty(flat.shape, dtype=dtype or images.dtype, device=images.device, memory_format=order)
    # On processors a few pictures at a time, or a strip of a large one: little enough for the cache.
    (height, width), strip = images.shape[-2:], STRIP if images.device.type == "cpu" else images.numel()
    pictures, rows = max(1, strip // (height * width)), max(1, strip // width)
    for n in range(0, len(flat), pictures):
        for y in range(0, height, rows):
            part = np.s_[n : n + pictures, :, y : y + rows]
            result[part] = _hsv(flat[part], *(each[n : n + pictures] for each in changes), result.dtype)
    return result.view(images.shape)


def _hsv(images: Tensor, hue: Tensor, saturation: Tensor, exposure: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, 3, H, W) and changes (N, 1, 1) -> float32 (N, 3, H, W) in the range of `dtype`.

    On the circle of colours red is at 0, green at 2, blue at -2, their opposites 3 from them. A colour's distance from
    red is 1 + (G + B - R - lowest) / chroma, and it is on green's side where G > B. No torch.where, no
    torch.remainder: on processors they take ten times as long as a sum.
    """
    white, top = (255 if kind == torch.uint8 else 1 for kind in (images.dtype, dtype))
    rgb = images.float()  # in half precision 1e-6 is 0
    red, green, blue = rgb.unbind(1)  # (N, H, W) each, as all below
    value = torch.maximum(torch.maximum(red, green), blue)  # V
    lowest = torch.minimum(torch.minimum(red, green), blue)
    chroma = value - lowest  # S * V
    from_red = (green + blue).sub_(red).sub_(lowest).div_(chroma.clamp(min=1e-6)).add_(1)  # 0 to 3
    turned = torch.copysign(from_red, green - blue, out=from_red).add_(6 * hue)
    turned.sub_((turned / 6).round_(), alpha=6)  # -3 to 3 again
    brighter = (value * (exposure * (top / white))).clamp_(max=top)
    chroma = torch.minimum(chroma.mul_(saturation), value).mul_(brighter).div_(value.clamp_(min=1e-6))
    # Each channel is lowered by all of `chroma` from 2 to 3 away from its own place on the circle, not at all up to 1.
    lower = torch.empty_like(rgb) if rgb is images else rgb
    of_red, of_green, of_blue = lower.unbind(1)
    torch.abs(turned, out=of_red).sub_(1)
    torch.add(turned, 1, out=of_green).abs_().neg_().add_(2)
    torch.sub(turned, 1, out=of_blue).abs_().neg_().add_(2)
    lower.clamp_(0, 1)
    torch.addcmul(brighter[:, None], chroma[:, None], lower, value=-1, out=lower)
    return lower.round_() if dtype == torch.uint8 else lower
