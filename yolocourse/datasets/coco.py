"""COCO's annotation files: one JSON with images, categories and annotations.

A COCO box is (x, y, width, height) with the corner counted from 0; here it becomes (x, y, x + width, y + height).
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from yolocourse.datasets.annotations import AnnotatedPictures, Annotation
from yolocourse.labels import FlatLabels


class CocoDetection(AnnotatedPictures):
    """Pictures of a folder with the boxes of a COCO JSON file; `image_id` of a target is COCO's number.

    labels: class names (or a FlatLabels) in the order wanted; None for the file's categories in the order of their ids.
        COCO's ids have gaps (80 classes, ids up to 90); labels here are 0 .. C-1 without any.
    on_bad: "warn" or "raise", for boxes without area and outside their picture.
    A crowd (iscrowd = 1: one box about many things) becomes a difficult truth: `metrics.coco_ap` hands it to
    pycocotools as a crowd again, `metrics.voc_ap` counts detections on it neither way.
    Items, warnings and errors as in `AnnotatedPictures`; for the file itself see `read_coco`.
    """

    def __init__(
        self,
        images_dir: str | Path,
        annotations_json: str | Path,
        labels: FlatLabels | Sequence[str] | None = None,
        on_bad: str = "warn",
    ):
        annotations, names = read_coco(images_dir, annotations_json)
        if labels is None:
            labels = names
        super().__init__(annotations, labels if isinstance(labels, FlatLabels) else FlatLabels(labels), on_bad)


def _stop(error: Exception) -> None:
    raise error


def read_coco(
    images_dir: str | Path, path: str | Path, on_error: Callable[[Exception], None] = _stop
) -> tuple[list[Annotation], list[str]]:
    """Reads a COCO file: annotations in the order of its images, and class names in the order of their ids.

    Raises FileNotFoundError for a missing file or folder, ValueError for one that is not COCO's JSON (with line and
    column of a slip). What is wrong with single entries (missing keys, ids given twice or unknown, missing pictures)
    goes to `on_error` as an exception, which is raised unless told otherwise; the entry is then left out.
    """
    images_dir, path = Path(images_dir), Path(path)
    if not images_dir.is_dir():
        raise FileNotFoundError(f"{images_dir}: no such folder of pictures")
    document = load_json(path)
    categories = _by_id(document["categories"], "category", ("id", "name"), path, on_error)
    images = _by_id(document["images"], "image", ("id", "file_name", "width", "height"), path, on_error)
    found: dict[object, Annotation] = {}
    for image_id, entry in images.items():
        picture = images_dir / str(entry["file_name"])
        place = f"{path}: image {image_id!r}"
        size = (entry["width"], entry["height"])
        if not all(isinstance(side, int) and side > 0 for side in size):
            on_error(ValueError(f"{place}: width and height should be whole numbers over 0, found {size}"))
        elif not picture.is_file():
            on_error(FileNotFoundError(f"{place}: its picture {picture} is missing"))
        else:
            found[image_id] = Annotation(image_id, place, picture, size)
    boxes = _by_id(document["annotations"], "annotation", ("id", "image_id", "category_id", "bbox"), path, on_error)
    for number, entry in boxes.items():
        place = f"{path}: annotation {number!r}"
        if entry["image_id"] not in images:
            on_error(ValueError(f"{place}: there is no image with id {entry['image_id']!r}"))
        elif entry["category_id"] not in categories:
            on_error(ValueError(f"{place}: there is no category with id {entry['category_id']!r}"))
        elif not _is_box(entry["bbox"]):
            on_error(ValueError(f"{place}: bbox should be [x, y, width, height], found {entry['bbox']!r}"))
        elif entry["image_id"] in found:
            _add(found[entry["image_id"]], number, str(categories[entry["category_id"]]["name"]), entry)
    names = [str(categories[number]["name"]) for number in sorted(categories, key=_order)]
    return list(found.values()), names


def load_json(path: Path) -> dict:
    """The content of a COCO file. Raises ValueError naming file and place if it is not one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such annotation file") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{path}: malformed JSON: {error.msg} in {place}; is the file complete?") from None
    except (UnicodeDecodeError, IsADirectoryError, RecursionError) as error:
        raise ValueError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: expected an object with images, annotations and categories, found a list or value")
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            raise ValueError(f"{path}: no list {key!r}; found the keys {', '.join(sorted(document)) or 'none'}")
    return document


def _by_id(entries: list, kind: str, keys: Sequence[str], path: Path, on_error: Callable) -> dict:
    """Entries by their id; those that lack a key, or whose id was there before, go to `on_error`."""
    result = {}
    for position, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            on_error(ValueError(f"{path}: {kind} entry {position} is not an object"))
            continue
        missing = [key for key in keys if key not in entry]
        place = f"{path}: {kind} {entry.get('id', f'entry {position}')!r}"
        if missing:
            on_error(ValueError(f"{place} lacks {', '.join(missing)}"))
        elif any(isinstance(entry.get(key), (list, dict)) for key in ("id", "image_id", "category_id")):
            on_error(ValueError(f"{place}: ids should be numbers"))
        elif entry["id"] in result:
            on_error(ValueError(f"{place}: this id is given twice"))
        else:
            result[entry["id"]] = entry
    return result


def _add(annotation: Annotation, number: object, name: str, entry: dict) -> None:
    x, y, width, height = entry["bbox"]
    written = f"{number} ({x:g}, {y:g}, {width:g}, {height:g})"
    crowd = bool(entry.get("iscrowd", 0))
    annotation.add(name, (x, y, x + width, y + height), crowd, written, not (width > 0 and height > 0))


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(number, (int, float)) for number in value)


def _order(number: object) -> tuple:
    return (isinstance(number, str), number)  # numbers first; some tools write ids as text
