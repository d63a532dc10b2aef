"""What is drawn on pictures, with Pillow: boxes, dashes, cells and name tags. Sharp at any size, and quick.

Shape letters: B boxes of one picture, H W grid rows and columns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from yolocourse.detect import Detections, Picture, read_picture
from yolocourse.preprocess import to_rgb
from yolocourse.viz.style import colour, font, is_light, rgb

SMALL = 400  # pixels: pictures whose longer side is below are enlarged by a whole number, so that tags can be read
# What a Detector returns, a dictionary as data sets and `postprocess` have it, or boxes alone (B, 4).
Boxes = Detections | Mapping[str, Tensor] | Tensor


class Row(NamedTuple):
    """One box to draw: xyxy in pixels of the picture, label and tag (which may be empty)."""

    box: tuple[float, ...]
    label: int
    text: str


def to_image(picture: Picture) -> Image.Image:
    """Any picture that a detector takes, as 8-bit RGB."""
    picture = read_picture(picture)
    if isinstance(picture, Tensor):
        return Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()))
    return to_rgb(picture)


def rows(found: Boxes | None, names: Sequence[str] | None = None) -> list[Row]:
    """Boxes, ready to be drawn, in the order given.

    found: Detections; {"boxes" (B, 4), "labels" (B,), and perhaps "scores" (B,)}; boxes (B, 4); or None for none.
    names: label -> class name, for dictionaries; without it their labels are written as numbers.
    Raises ValueError when boxes, labels and scores are not equally many.
    """
    if found is None:
        return []
    if isinstance(found, Detections):
        boxes, labels, texts, scores = found.boxes, found.labels.tolist(), found.names, found.scores.tolist()
    else:
        found = found if isinstance(found, Mapping) else {"boxes": found}
        boxes = torch.as_tensor(found["boxes"])
        labels = torch.as_tensor(found["labels"]).tolist() if "labels" in found else [0] * len(boxes)
        texts = [names[label] if names else str(label) for label in labels] if "labels" in found else [""] * len(boxes)
        scores = torch.as_tensor(found["scores"]).tolist() if "scores" in found else [None] * len(boxes)
    if not len(boxes) == len(labels) == len(scores):
        raise ValueError(f"{len(boxes)} boxes, {len(labels)} labels, {len(scores)} scores; every box needs one of each")
    texts = [
        text if score is None else f"{text} {score:.2f}".strip() for text, score in zip(texts, scores, strict=True)
    ]
    return [Row(tuple(box), label, text) for box, label, text in zip(boxes.tolist(), labels, texts, strict=True)]


class Canvas:
    """A copy of a picture to draw on, at the size in which it will be seen; boxes are in pixels of the picture.

    side: pixels of the longer side; by default small pictures are enlarged by a whole number, others keep their size.
    """

    def __init__(self, picture: Picture, side: int | None = None):
        image = to_image(picture)
        self.original = image.size
        longest = max(image.size)
        self.scale = side / longest if side else math.ceil(SMALL / longest)
        self.size = tuple(max(1, round(length * self.scale)) for length in image.size)
        self.image = image.resize(self.size, Image.Resampling.LANCZOS) if self.size != image.size else image.copy()
        self.draw = ImageDraw.Draw(self.image, "RGBA")  # RGBA: what is drawn half transparent mixes with the picture
        self.line = max(2, max(self.size) // 220)

    def box(self, box: Sequence[float], paint: str, width: int | None = None) -> None:
        """A coloured frame with a thin edge of black or white around it, so that it shows on any ground."""
        width = width or self.line
        self.draw.rectangle(self._corners(box, 1), outline="black" if is_light(paint) else "white", width=width + 2)
        self.draw.rectangle(self._corners(box), outline=paint, width=width)

    def dashes(self, box: Sequence[float]) -> None:
        """A frame of black and white dashes: the truth."""
        x1, y1, x2, y2 = self._corners(box)
        self.draw.rectangle([x1, y1, x2, y2], outline="black", width=self.line)
        step, inner = 4 * self.line, self.line - 1
        for x in range(x1, x2 + 1, 2 * step):
            end = min(x + step, x2)
            self.draw.rectangle([x, y1, end, min(y1 + inner, y2)], "white")
            self.draw.rectangle([x, max(y2 - inner, y1), end, y2], "white")
        for y in range(y1, y2 + 1, 2 * step):
            end = min(y + step, y2)
            self.draw.rectangle([x1, y, min(x1 + inner, x2), end], "white")
            self.draw.rectangle([max(x2 - inner, x1), y, x2, end], "white")

    def dot(self, box: Sequence[float], paint: str) -> None:
        """The centre of a box."""
        x1, y1, x2, y2 = (side * self.scale for side in box)
        self.draw.circle(((x1 + x2) / 2, (y1 + y2) / 2), 2 * self.line + 1, paint, "white", max(1, self.line // 2))

    def grid(self, H: int, W: int) -> None:
        """Lines between the cells: white beside black, seen on any picture."""
        width, height = self.size
        lines = [[round(width * j / W), 0, round(width * j / W), height] for j in range(1, W)]
        lines += [[0, round(height * i / H), width, round(height * i / H)] for i in range(1, H)]
        for x1, y1, x2, y2 in lines:
            self.draw.line([x1 + 1, y1 + 1, x2 + 1, y2 + 1], (0, 0, 0, 90))
            self.draw.line([x1, y1, x2, y2], (255, 255, 255, 190))

    def cell(self, H: int, W: int, row: int, column: int, paint: str) -> None:
        """Colours a cell of the grid, half transparent."""
        width, height = self.size[0] / W, self.size[1] / H
        corners = [round(column * width), round(row * height), round((column + 1) * width), round((row + 1) * height)]
        self.draw.rectangle(corners, (*rgb(paint), 110))

    def tags(self, found: Sequence[Row]) -> None:
        """Name tags at the boxes, the first ones first; one that would hide another tag or another box is left out."""
        face = font(max(11, max(self.size) // 34))
        corners = [self._corners(row.box, 1) for row in found]
        taken: list[tuple[int, ...]] = []
        for i, row in enumerate(found):
            width, height = math.ceil(face.getlength(row.text)) + 6, round(face.size * 1.35)
            others = corners[:i] + corners[i + 1 :]
            places = self._places(corners[i], width, height) if row.text else []
            tag = next((place for place in places if self._is_free(place, taken, others)), None)
            if tag:
                taken.append(tag)
                paint = colour(row.label)
                self.draw.rectangle([tag[0], tag[1], tag[2] - 1, tag[3] - 1], paint)
                middle = (tag[0] + 3, tag[1] + height / 2)
                self.draw.text(middle, row.text, "black" if is_light(paint) else "white", face, "lm")

    def _places(self, box: Sequence[int], width: int, height: int) -> list[tuple[int, ...]]:
        """Where a tag may stand: above, below, and inside a box that is large enough."""
        x1, y1, x2, y2 = box
        left, right = max(0, min(x1, self.size[0] - width)), max(0, min(x2 - width + 1, self.size[0] - width))
        tops = [y1 - height, y2 + 1]
        if y2 - y1 > 3 * height:
            tops = [y1 - height, y1, y2 + 1, y2 - height]
        return [(x, top, x + width, top + height) for top in tops for x in (left, right)]

    def _is_free(self, tag: tuple[int, ...], taken: list[tuple[int, ...]], others: list[list[int]]) -> bool:
        """Whether a tag lies in the picture, touches no other tag and covers less than a quarter of any other box."""
        inside = tag[1] >= 0 and tag[2] <= self.size[0] and tag[3] <= self.size[1]
        if not inside or any(_shared(tag, other) for other in taken):
            return False
        return all(_shared(tag, b) <= 0.25 * (b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in others)

    def _corners(self, box: Sequence[float], grow: int = 0) -> list[int]:
        """Pixels of a box as Pillow wants them: the last one counts as part of it, and none is inside out."""
        x1, y1, x2, y2 = (round(side * self.scale) for side in box)
        return [x1 - grow, y1 - grow, max(x1, x2 - 1) + grow, max(y1, y2 - 1) + grow]


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    """Pixels that two rectangles share."""
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
