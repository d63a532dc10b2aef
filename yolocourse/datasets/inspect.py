"""A look at a whole data set before training on it: what is there, and everything that is wrong, file by file.

The loaders stop at the first mistake; this goes on and lists them all. `yolocourse doctor DATASET` prints it.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from yolocourse import anchors
from yolocourse.datasets import coco, voc
from yolocourse.datasets.annotations import AnnotatedPictures, Annotation
from yolocourse.labels import FlatLabels
from yolocourse.preprocess import open_picture

EXIF_ORIENTATION = 0x0112
SMALL = 32  # pixels: one cell of the grid


@dataclass
class Split:
    """Counts of one split."""

    pictures: int = 0
    empty: int = 0  # pictures without a box
    difficult: int = 0
    boxes: Counter = field(default_factory=Counter)  # by class name


@dataclass
class Report:
    """What `inspect` found. `problems` are to be mended or known of; `notes` are only worth knowing."""

    place: str
    size: int  # side of the network's input, which small boxes and anchors refer to, in pixels
    splits: dict[str, Split] = field(default_factory=dict)
    picture_sizes: Counter = field(default_factory=Counter)  # by (width, height)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    small_share: float = float("nan")  # of the boxes: area under 32 x 32 pixels in the network's input
    anchors: np.ndarray | None = None  # (5, 2) in grid cells, or None where there are too few boxes
    average_iou: float = float("nan")

    def lines(self) -> list[str]:
        """The report as plain text."""
        names = sorted({name for split in self.splits.values() for name in split.boxes})
        lines = [f"{self.place}: {len(names)} classes: {', '.join(names)}", ""]
        width = max([len("of them difficult"), *map(len, names)])
        columns = [max(8, len(name)) for name in self.splits]
        rows = [("", list(self.splits)), ("pictures", [s.pictures for s in self.splits.values()])]
        rows.append(("without boxes", [s.empty for s in self.splits.values()]))
        rows.append(("boxes", [s.boxes.total() for s in self.splits.values()]))
        rows.append(("of them difficult", [s.difficult for s in self.splits.values()]))
        rows += [(name, [s.boxes[name] for s in self.splits.values()]) for name in names]
        for name, cells in rows:
            values = "  ".join(f"{cell:>{column}}" for cell, column in zip(cells, columns, strict=True))
            lines.append(f"{name:<{width}}  {values}".rstrip())
        common = ", ".join(f"{w} x {h} ({count})" for (w, h), count in self.picture_sizes.most_common(5))
        further = len(self.picture_sizes) - 5
        lines += ["", f"picture sizes: {common or 'none'}" + (f" and {further} more" if further > 0 else "")]
        if self.small_share == self.small_share:
            what = f"under {SMALL} x {SMALL} pixels at {self.size} x {self.size}"
            lines.append(f"small boxes ({what}): {self.small_share:.1%}")
        if self.anchors is not None:
            pairs = ", ".join(f"{w:.2f},{h:.2f}" for w, h in self.anchors)
            lines.append(f"suggested anchors at {self.size} (grid cells): {pairs} (average IoU {self.average_iou:.3f})")
        lines += [f"note: {note}" for note in self.notes]
        lines += ["", f"{len(self.problems)} problems" if len(self.problems) != 1 else "1 problem"]
        return lines + [f"  {problem}" for problem in self.problems]


def inspect(
    source: str | Path | AnnotatedPictures,
    labels: FlatLabels | Sequence[str] | None = None,
    images_dir: str | Path | None = None,
    decode: bool = True,
    size: int = 416,
) -> Report:
    """Looks at a data set: a VOC folder or VOCdevkit, a COCO JSON file, or a loaded VocDetection or CocoDetection.

    labels: the classes there should be; others are reported. None: all that are found are right.
    images_dir: the pictures of a COCO file; None looks in the usual places near it.
    decode: read every picture completely, about 5 ms each; False trusts the files to be whole.
    size: side of the network's input in pixels, for small boxes and anchors.
    Raises FileNotFoundError or ValueError only where there is nothing to look at.
    """
    report = Report(str(source), size)
    if isinstance(source, AnnotatedPictures):
        report.place = f"{type(source).__name__} with {len(source)} pictures"
        names, found = set(source.labels.names), {"all": list(source.annotations())}
        report.problems += [f"{each.source}: {problem}" for each in found["all"] for problem in each.problems]
    elif Path(source).is_file():
        found, names = _read_coco(Path(source), images_dir, report)
    else:
        found, names = _read_voc(Path(source), report), None
    names = names if labels is None else set(getattr(labels, "names", labels))
    _count(found, names, report)
    _shapes(found, report)
    if decode:
        _look_at_pictures(found, report)
    return report


def _read_voc(root: Path, report: Report) -> dict[str, list[Annotation]]:
    result: dict[str, list[Annotation]] = {}
    for folder in voc.voc_folders(root):
        prefix = "" if folder == root else folder.name + "/"
        files = {path.stem: path for path in sorted((folder / "Annotations").glob("*.xml"))}
        try:
            pictures = voc.find_pictures(folder)
        except FileNotFoundError as error:
            report.problems.append(str(error))
            continue
        parsed = {image_id: _try_annotation(path, pictures, report) for image_id, path in files.items()}
        lists = {}
        for name, path in voc.splits(folder).items():
            lists[name] = _list_ids(path, files, report)
        _shared_ids(folder, lists, report)
        listed = set().union(*lists.values())
        if not lists:
            report.notes.append(f"{folder}: no lists in ImageSets/Main, so there are no splits")
            lists = {"all": list(files)}
        elif set(files) - listed:
            report.notes.append(f"{folder}: {_some(set(files) - listed)} in no split")
        if set(pictures) - set(files):
            report.notes.append(f"{folder}: {_some(set(pictures) - set(files))} with a picture but no annotation")
        for name, ids in lists.items():
            result[prefix + name] = [parsed[image_id] for image_id in ids if parsed.get(image_id)]
    return result


def _try_annotation(path: Path, pictures: dict[str, Path], report: Report) -> Annotation | None:
    try:
        annotation = voc.read_annotation(path, pictures)
    except (ValueError, FileNotFoundError) as error:
        report.problems.append(str(error))
        return None
    report.problems += [f"{path}: {problem}" for problem in annotation.problems]
    return annotation


def _list_ids(path: Path, files: dict[str, Path], report: Report) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        report.problems.append(f"{path}: not a text file in UTF-8 ({error.reason})")
        return []
    counts = Counter(line.split()[0] for line in lines if line.strip())
    twice = {image_id for image_id, count in counts.items() if count > 1}
    if twice:
        report.problems.append(f"{path}: {_some(twice)} named more than once")
    missing = set(counts) - set(files)
    report.problems += [f"{path}: names {image_id}, which has no annotation" for image_id in sorted(missing)]
    return list(counts)


def _shared_ids(folder: Path, lists: dict[str, list[str]], report: Report) -> None:
    """Pictures that are trained on and tested with. Lists of other names may be parts of any: then only a note."""
    for a, b in combinations(lists, 2):
        shared = set(lists[a]) & set(lists[b])
        roles = {next((role for role in ("train", "val", "test") if role in name), "") for name in (a, b)}
        if not shared or len(roles) == 1 or a in b or b in a:  # trainval holds train and val by its name
            continue
        if "" not in roles:
            report.problems.append(f"{folder}: {_some(shared)} in both {a} and {b}")
        elif "train" in roles:
            report.notes.append(f"{folder}: {_some(shared)} in both {a} and {b}")


def _read_coco(path: Path, images_dir: str | Path | None, report: Report) -> tuple[dict, set[str]]:
    images_dir = Path(images_dir) if images_dir else _find_images(path)
    annotations, names = coco.read_coco(images_dir, path, lambda error: report.problems.append(str(error)))
    for annotation in annotations:
        report.problems += [f"{annotation.source}: {problem}" for problem in annotation.problems]
    return {path.stem: annotations}, set(names)


def _find_images(path: Path) -> Path:
    """Where the pictures of a COCO file usually are: beside it, or as annotations/instances_val2017.json to val2017."""
    split = path.stem.rpartition("_")[2]
    places = [path.parent, path.parent / "images", path.parent / split, path.parent.parent / split]
    places += [path.parent.parent / "images", path.parent.parent / "images" / split]
    entries = coco.load_json(path)["images"]
    first = str(entries[0].get("file_name")) if entries and isinstance(entries[0], dict) else ""
    for place in places:
        if first and (place / first).is_file():
            return place
    tried = ", ".join(str(place) for place in places)
    raise FileNotFoundError(f"{path}: its pictures (such as {first!r}) are in none of {tried}; name their folder")


def _count(found: dict[str, list[Annotation]], names: set[str] | None, report: Report) -> None:
    unknown: dict[str, list[str]] = {}
    for split, annotations in found.items():
        counts = report.splits[split] = Split(len(annotations))
        for annotation in annotations:
            counts.empty += not annotation.boxes
            counts.difficult += sum(annotation.difficult)
            counts.boxes.update(annotation.names)
            for name in set(annotation.names) - (names if names is not None else set(annotation.names)):
                unknown.setdefault(name, []).append(annotation.source)
    for name, sources in unknown.items():
        report.problems.append(f"unknown class {name!r} in {_some(set(sources))}")
    everything = set().union(*(split.boxes for split in report.splits.values()))
    for split, counts in report.splits.items():
        if counts.pictures and everything - set(counts.boxes):
            report.notes.append(f"{split} has no box of {', '.join(sorted(everything - set(counts.boxes)))}")
    if not everything:
        report.problems.append(f"{report.place}: no boxes at all")


def _unique(found: dict[str, list[Annotation]]) -> list[Annotation]:
    by_source = {each.source: each for annotations in found.values() for each in annotations}
    return list(by_source.values())


def _shapes(found: dict[str, list[Annotation]], report: Report) -> None:
    sizes = []
    for annotation in _unique(found):
        width, height = annotation.size
        report.picture_sizes[annotation.size] += 1
        sizes += [((x2 - x1) / width, (y2 - y1) / height) for x1, y1, x2, y2 in annotation.boxes]
    if not sizes:
        return
    sizes = np.array(sizes) * report.size  # pixels of the network's input, stretched
    report.small_share = float((sizes.prod(axis=1) < SMALL**2).mean())
    if len(np.unique(sizes, axis=0)) >= 5:
        clusters = anchors.dimension_clusters(anchors.from_pixels(sizes), 5)
        report.anchors, report.average_iou = clusters.anchors, clusters.average_iou


def _look_at_pictures(found: dict[str, list[Annotation]], report: Report) -> None:
    """Reads every picture; says which are broken, of another size than annotated, or the same under two names."""
    seen: dict[bytes, Path] = {}
    turned = []
    for annotation in _unique(found):
        path = annotation.picture
        try:
            stored, upright = open_picture(path, upright=False).size, open_picture(path).size if _turned(path) else None
        except (ValueError, FileNotFoundError) as error:
            report.problems.append(str(error))
            continue
        if upright:
            turned.append(path.name)
        if annotation.size not in (stored, upright):
            found_size, said = ("{} x {}".format(*size) for size in (stored, annotation.size))
            report.problems.append(f"{path}: is {found_size} pixels, but {annotation.source} says {said}")
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest in seen and seen[digest] != path:
            report.problems.append(f"{path}: the same file as {seen[digest]}")
        seen.setdefault(digest, path)
    if turned:
        report.notes.append(f"{_some(set(turned))} with an EXIF note to turn the picture; boxes count stored pixels")


def _turned(path: Path) -> bool:
    with Image.open(path) as image:
        return image.getexif().get(EXIF_ORIENTATION, 1) != 1


def _some(names: set[str], most: int = 5) -> str:
    """How many, and the first few by name."""
    shown = ", ".join(sorted(names)[:most]) + (" ..." if len(names) > most else "")
    return f"{len(names)} ({shown})"
