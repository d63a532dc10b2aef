"""What every set of annotated photographs shares: one picture's annotation, bad boxes, and the data set over them.

Shape letters: B boxes of one picture.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.tv_tensors import BoundingBoxes

from yolocourse.labels import FlatLabels
from yolocourse.preprocess import open_picture

ON_BAD = ("warn", "raise")


class BadBoxWarning(UserWarning):
    """A box was left out, or cut off at the border of its picture; the message names the file and the box."""


@dataclass
class Annotation:
    """What a file says of one picture, with bad boxes already mended or left out.

    names[b], boxes[b] (xyxy, pixels) and difficult[b] belong together; `problems` tells what was wrong, box by box.
    """

    image_id: str | int
    source: str  # file, and place in it, for messages
    picture: Path
    size: tuple[int, int]  # width, height in pixels
    names: list[str] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    difficult: list[bool] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, box: Sequence[float], difficult: bool, as_written: str, degenerate: bool) -> None:
        """Adds one box, cut off at the borders; a degenerate one, or one wholly outside, only as a problem.

        `as_written` are the file's own numbers, so that a person finds the line; `degenerate` is the reader's verdict,
        because formats differ in what a box without area looks like.
        """
        place = f"{name} box {as_written}"
        if degenerate or not all(math.isfinite(value) for value in box):
            self.problems.append(f"{place} has no area; left out")
            return
        width, height = self.size
        x1, y1, x2, y2 = box
        cut = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
        if cut[2] <= cut[0] or cut[3] <= cut[1]:
            self.problems.append(f"{place} lies outside the picture of {width} x {height}; left out")
            return
        # A hundredth of a pixel is a rounded decimal in the file, not a mistake.
        if max(abs(a - b) for a, b in zip(box, cut, strict=True)) > 0.01:
            self.problems.append(f"{place} reaches outside the picture of {width} x {height}; cut off")
        self.names.append(name)
        self.boxes.append(cut)
        self.difficult.append(difficult)


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture from its header alone, as stored. Raises as `open_picture` does."""
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: cannot be read as a picture ({error})") from None


class AnnotatedPictures(Dataset):
    """Photographs with boxes: item i is (PIL image RGB, target).

    target = {"boxes": BoundingBoxes (B, 4) xyxy in pixels of the stored picture, "labels": long (B,),
    "difficult": bool (B,), "image_id": str or int}. A picture without boxes has B = 0.

    on_bad: what to do about boxes without area (left out) and boxes that reach outside their picture (cut off): "warn"
    (BadBoxWarning naming the file) or "raise" (ValueError).
    Raises ValueError for a class that `labels` does not have, FileNotFoundError for a missing picture; both name the
    file. Pictures themselves are read when asked for: ValueError then for a damaged one, or one of another size than
    its annotation says.
    """

    def __init__(self, annotations: Sequence[Annotation], labels: FlatLabels, on_bad: str = "warn"):
        if on_bad not in ON_BAD:
            raise ValueError(f"on_bad must be one of {', '.join(ON_BAD)}, got {on_bad!r}")
        self.labels = labels
        index = {name: label for label, name in enumerate(labels.names)}
        self._ids, self._paths, self._sources, self._image_sizes, self._problems = [], [], [], [], []
        all_boxes, all_labels, all_difficult, ends = [], [], [], [0]
        for annotation in annotations:
            _report(annotation, on_bad)
            for name in annotation.names:
                if name not in index:
                    known = ", ".join(labels.names[:20]) + (" ..." if len(labels) > 20 else "")
                    raise ValueError(f"{annotation.source}: unknown class {name!r}; known: {known}")
            all_boxes += annotation.boxes
            all_labels += [index[name] for name in annotation.names]
            all_difficult += annotation.difficult
            ends.append(len(all_boxes))
            self._ids.append(annotation.image_id)
            self._paths.append(annotation.picture)
            self._sources.append(annotation.source)
            self._image_sizes.append(annotation.size)
            self._problems.append(annotation.problems)
        # A few large tensors instead of many small ones: cheap to hand to worker processes.
        self._boxes = torch.tensor(all_boxes, dtype=torch.float32).reshape(-1, 4)
        self._labels = torch.tensor(all_labels, dtype=torch.long)
        self._difficult = torch.tensor(all_difficult, dtype=torch.bool)
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ids)

    def path(self, i: int) -> Path:
        """The picture's file."""
        return self._paths[i]

    def image_size(self, i: int) -> tuple[int, int]:
        """(width, height) of the picture in pixels, as annotated."""
        return self._image_sizes[i]

    def target(self, i: int) -> dict:
        """The target of item i without reading the picture."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"item {i} of a data set of {len(self)}")
        i %= len(self)
        width, height = self._image_sizes[i]
        part = slice(self._ends[i], self._ends[i + 1])
        return {
            "boxes": BoundingBoxes(self._boxes[part].clone(), format="XYXY", canvas_size=(height, width)),
            "labels": self._labels[part].clone(),
            "difficult": self._difficult[part].clone(),
            "image_id": self._ids[i],
        }

    def sizes(self) -> Tensor:
        """(width, height) of every box of the set as a fraction of its picture's: (all boxes, 2), values in (0, 1].

        Times the grid's columns and rows these are box sizes in grid cells, what dimension clusters start from.
        """
        counts = torch.tensor(self._ends).diff()
        image_sizes = torch.tensor(self._image_sizes, dtype=torch.float32).reshape(-1, 2)
        return (self._boxes[:, 2:] - self._boxes[:, :2]) / image_sizes.repeat_interleave(counts, dim=0)

    def annotations(self) -> Iterator[Annotation]:
        """What was read of every picture, with what was wrong in it."""
        for i in range(len(self)):
            target = self.target(i)
            names = [self.labels.names[label] for label in target["labels"]]
            boxes = [tuple(box) for box in target["boxes"].tolist()]
            place = self._ids[i], self._sources[i], self._paths[i], self._image_sizes[i]
            yield Annotation(*place, names, boxes, target["difficult"].tolist(), self._problems[i])

    def __getitem__(self, i: int) -> tuple[Image.Image, dict]:
        target = self.target(i)
        return self._picture(i), target

    def _picture(self, i: int) -> Image.Image:
        # Annotations count stored pixels, whatever the EXIF note says - unless their size fits only the turned picture.
        path, size = self._paths[i], self._image_sizes[i]
        image = open_picture(path, upright=False)
        if image.size == size:
            return image
        turned = open_picture(path)
        if turned.size == size:
            return turned
        found, said = ("{} x {}".format(*s) for s in (image.size, size))
        raise ValueError(f"{path}: is {found} pixels, but {self._sources[i]} says {said}; boxes would be misplaced")


def _report(annotation: Annotation, on_bad: str) -> None:
    if not annotation.problems:
        return
    message = f"{annotation.source}: " + "; ".join(annotation.problems)
    if on_bad == "raise":
        raise ValueError(message)
    warnings.warn(message, BadBoxWarning, stacklevel=4)
