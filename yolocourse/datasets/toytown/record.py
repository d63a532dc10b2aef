"""Numbers that pin the data set down: the same seed must give the same pixels and boxes on every platform."""

import hashlib
import json
from pathlib import Path

from PIL import Image

from yolocourse.datasets.toytown import slices
from yolocourse.datasets.toytown.dataset import scenes, things


def picture_hash(picture: Image.Image) -> str:
    """SHA-256 of the RGB pixels, row by row."""
    return hashlib.sha256(picture.tobytes()).hexdigest()


def target_hash(target: dict) -> str:
    """SHA-256 of boxes, labels and difficult flags as text."""
    rows = [target[key].tolist() for key in ("boxes", "labels", "fine", "difficult")]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def hashes(per_set: int = 3) -> dict[str, dict[str, str]]:
    """Hashes of the first scenes of the mix and of every slice, of one scene at another size, and of things."""
    found = {"pictures": {}, "targets": {}}
    for name in (None, *slices.SLICES, *slices.EXTRA_SLICES):
        data = scenes(per_set, slice=name, split="train" if name is None else "test")
        for k in range(per_set):
            picture, target = data[k]
            found["pictures"][f"{name or 'mix'}/{k}"] = picture_hash(picture)
            found["targets"][f"{name or 'mix'}/{k}"] = target_hash(target)
    picture, target = scenes(1, seed=5, size=160)[0]
    found["pictures"]["mix/seed 5/160"], found["targets"]["mix/seed 5/160"] = picture_hash(picture), target_hash(target)
    data = things(9 * per_set)
    for k in range(len(data)):
        found["pictures"][f"things/{k}"] = picture_hash(data[k][0])
    return found


def write_hashes(path: str | Path) -> Path:
    """Writes `hashes()` as JSON; to be run only when the drawings are meant to change."""
    path = Path(path)
    path.write_text(json.dumps(hashes(), indent=1) + "\n", encoding="utf-8")
    return path
