"""Pictures of one class each, in a folder a class: ImageNet's layout, and that of most collections of one's own.

ROOT/n02084071/anything.jpg        folders named by WordNet id, as ImageNet has them,
ROOT/train/dog/anything.png        or by any other word; splits are folders around them
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import Dataset

from yolocourse.labels import FlatLabels
from yolocourse.preprocess import open_picture

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
WORDNET_ID = re.compile(r"n\d{8}")


class ImageFolder(Dataset):
    """Class-only samples: `(PIL picture, {"label": (), "image_id": path})`.

    root: holds a folder for each class, or the split's folder does (`split` None: root itself).
    labels: names or WordNet ids in the order wanted, or a FlatLabels, whose ids (else names) are the folders' names;
        None for the folders found, sorted. Classes without a folder stay without pictures; a folder that is no class
        is a ValueError, since its pictures would be lost without a word.
    """

    def __init__(self, root: str | Path, split: str | None = None, labels: FlatLabels | Sequence[str] | None = None):
        folder = Path(root) / split if split else Path(root)
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder of pictures")
        found = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        if not found:
            raise ValueError(f"{folder}: has no folders; pictures of each class belong in a folder of their own")
        self.labels = as_labels(found if labels is None else labels)
        number = {name: i for i, name in enumerate(self.labels.ids or self.labels.names)}
        foreign = [name for name in found if name not in number]
        if foreign:
            raise ValueError(f"{folder}: folder {foreign[0]!r} is none of the {len(number)} classes")
        self.samples: list[tuple[Path, int]] = []
        for name in found:
            pictures = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in ENDINGS)
            self.samples += [(path, number[name]) for path in pictures]
        if not self.samples:
            raise ValueError(f"{folder}: the folders hold no pictures ({', '.join(ENDINGS)})")

    def __len__(self) -> int:
        return len(self.samples)

    def label(self, i: int) -> int:
        """The class of picture i, without reading it."""
        return self.samples[i][1]

    def path(self, i: int) -> Path:
        return self.samples[i][0]

    def __getitem__(self, i: int) -> tuple[Image.Image, dict]:
        """Raises ValueError naming the file where it cannot be read."""
        path, label = self.samples[i]
        return open_picture(path), {"label": torch.tensor(label), "image_id": str(path)}


def as_labels(names: FlatLabels | Sequence[str]) -> FlatLabels:
    """A label space of folder names; those that are WordNet ids throughout are ids as well as names."""
    if isinstance(names, FlatLabels):
        return names
    ids = list(names) if all(WORDNET_ID.fullmatch(name) for name in names) else None
    return FlatLabels(names, ids)


def read_class_list(path: str | Path, names: str | Path | None = None) -> FlatLabels:
    """Classes from a list with one WordNet id (or word) a line, as Darknet's imagenet.labels.list; `names`: a second
    list with a name for each.

    Names that occur twice (ImageNet has two cranes) get their id behind them. Raises FileNotFoundError, or ValueError
    for lists of different lengths, an empty one, or an entry given twice, with its line.
    """
    ids = _lines(path)
    seen: dict[str, int] = {}
    for number, text in enumerate(ids, 1):
        if text in seen:
            raise ValueError(f"{path}:{number}: {text!r} is given twice, first on line {seen[text]}")
        seen[text] = number
    if names is None:
        return as_labels(ids)
    words = _lines(names)
    if len(words) != len(ids):
        raise ValueError(f"{names}: {len(words)} names for the {len(ids)} classes of {path}")
    double = {word for word, count in Counter(words).items() if count > 1}
    return FlatLabels([f"{w} ({i})" if w in double else w for w, i in zip(words, ids, strict=True)], ids)


def _lines(path: str | Path) -> list[str]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list of classes")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise ValueError(f"{path}: the list of classes is empty")
    return lines
