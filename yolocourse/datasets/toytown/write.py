"""Toy Town as Pascal VOC folders, so that the VOC loader reads it like any other data set."""

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image

from yolocourse.datasets.toytown.classes import COARSE
from yolocourse.datasets.toytown.dataset import PLANE, ToyTownScenes, test_slices

JPEG_QUALITY = 95
_HEAD = """<annotation>
\t<folder>{folder}</folder>
\t<filename>{image_id}.jpg</filename>
\t<source><database>Toy Town</database></source>
\t<size><width>{width}</width><height>{height}</height><depth>3</depth></size>
\t<segmented>0</segmented>
"""
_OBJECT = """\t<object>
\t\t<name>{name}</name>
\t\t<pose>Unspecified</pose>
\t\t<truncated>{truncated}</truncated>
\t\t<difficult>{difficult}</difficult>
\t\t<bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>
\t</object>
"""


def annotation(target: dict, size: tuple[int, int], folder: str = "toytown") -> str:
    """The XML of one scene of `size` (width, height). VOC counts pixels from 1 and the last one is inside, so ours
    (x0, y0, x1, y1) becomes (x0 + 1, y0 + 1, x1, y1)."""
    width, height = size
    text = _HEAD.format(folder=escape(folder), image_id=target["image_id"], width=width, height=height)
    rows = zip(target["boxes"].int().tolist(), target["labels"].tolist(), target["difficult"].tolist(), strict=True)
    for (x0, y0, x1, y1), label, difficult in rows:
        text += _OBJECT.format(
            name=COARSE[label],
            truncated=int(x0 == 0 or y0 == 0 or x1 == width or y1 == height),
            difficult=int(difficult),
            xmin=x0 + 1,
            ymin=y0 + 1,
            xmax=x1,
            ymax=y1,
        )
    return text + "</annotation>\n"


def _write_scenes(root: Path, scenes: Iterable[tuple[Image.Image, dict]]) -> list[str]:
    ids = []
    for picture, target in scenes:
        ids.append(target["image_id"])
        picture.save(root / "JPEGImages" / f"{ids[-1]}.jpg", quality=JPEG_QUALITY, subsampling=0)
        text = annotation(target, picture.size, root.name)
        (root / "Annotations" / f"{ids[-1]}.xml").write_text(text, encoding="utf-8")
    return ids


def write(
    folder: str | Path, train: int = 1000, val: int = 200, per_slice: int = 100, seed: int = 0, size: int = PLANE
) -> Path:
    """Writes Annotations, JPEGImages and ImageSets/Main (the lists train, val, test and one per test slice).

    `test` is all slices together; slice `scale` has its own sizes, all other pictures are `size` pixels square. JPEG
    changes pixels a little, boxes are exact. Raises FileExistsError when the folder already holds annotations.
    """
    root = Path(folder)
    if any((root / "Annotations").glob("*.xml")):
        raise FileExistsError(f"{root} already holds annotations; choose an empty folder, or delete it first")
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / name).mkdir(parents=True, exist_ok=True)
    sets = {split: ToyTownScenes(n, seed, size=size, split=split) for split, n in (("train", train), ("val", val))}
    sets |= test_slices(per_slice, seed, size)
    lists = {name: _write_scenes(root, (scenes[i] for i in range(len(scenes)))) for name, scenes in sets.items()}
    lists["test"] = [image_id for name in lists if name not in ("train", "val") for image_id in lists[name]]
    for name, ids in lists.items():
        text = "".join(f"{image_id}\n" for image_id in ids)
        (root / "ImageSets/Main" / f"{name}.txt").write_text(text, encoding="utf-8")
    return root
