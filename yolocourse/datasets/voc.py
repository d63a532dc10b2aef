"""Pascal VOC folders: Annotations/*.xml, ImageSets/Main/*.txt, JPEGImages/*.

VOC counts pixels from 1 and includes the last one, so the box (xmin, ymin, xmax, ymax) of a file is
(xmin - 1, ymin - 1, xmax, ymax) here.
"""

import math
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path

from yolocourse.datasets.annotations import AnnotatedPictures, Annotation, picture_size
from yolocourse.labels import FlatLabels

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")  # in this order where one id has several
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class VocDetection(AnnotatedPictures):
    """A Pascal VOC folder, or a VOCdevkit folder with VOC2007, VOC2012 and so on.

    root: the folder itself, or one that holds VOC<year> folders, or one that holds VOCdevkit.
    split: name of a list in ImageSets/Main, such as "train"; "all" for every annotation. A folder without ImageSets has
        no splits: all its annotations are taken, with a warning.
    labels: class names (or a FlatLabels) in the order wanted; None for the names found in all annotations of the
        folder, sorted, so that every split numbers its classes alike.
    years: which VOC<year> folders of a devkit, such as ("2007", "2012"); None for all that have the split.
    on_bad: "warn" or "raise", for boxes without area (xmax <= xmin in the file) and outside their picture.
    Items, warnings and errors as in `AnnotatedPictures`; malformed XML is a ValueError naming file, line and cause.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        labels: FlatLabels | Sequence[str] | None = None,
        years: Sequence[str | int] | None = None,
        on_bad: str = "warn",
    ):
        self.root, self.split = Path(root), split
        annotations = []
        folders = voc_folders(root, years)
        with_split = [folder for folder in folders if _split_list(folder, split).is_file()]
        # Of named years each must have the split; of those found, as VOC2012 has no test list, the ones that do.
        for folder in with_split if with_split and years is None else folders:
            pictures = find_pictures(folder)
            annotations += [read_annotation(path, pictures) for path in annotation_files(folder, split)]
        if labels is None:
            names = {name for annotation in annotations for name in annotation.names}
            seen = {annotation.source for annotation in annotations}
            labels = sorted(names | _other_names(folders, seen))
            if not labels:
                raise ValueError(f"{root}: no boxes in any annotation, so no classes; name them with labels=")
        super().__init__(annotations, labels if isinstance(labels, FlatLabels) else FlatLabels(labels), on_bad)


def voc_folders(root: str | Path, years: Sequence[str | int] | None = None) -> list[Path]:
    """The folders under `root` that hold Annotations: itself, or VOC<year> of a devkit.

    Raises FileNotFoundError where there is none, or a year is missing.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    if years is None and (root / "Annotations").is_dir():
        return [root]
    devkit = root / "VOCdevkit" if (root / "VOCdevkit").is_dir() else root
    if years is None:
        found = sorted(path for path in devkit.glob("VOC*") if (path / "Annotations").is_dir())
        if not found:
            raise FileNotFoundError(f"{root}: neither Annotations nor VOC<year>/Annotations in this folder")
        return found
    if isinstance(years, (str, int)):
        years = (years,)
    folders = [devkit / f"VOC{year}" for year in years]
    for folder in folders:
        if not (folder / "Annotations").is_dir():
            raise FileNotFoundError(f"{folder}: no such VOC folder (with Annotations in it)")
    return folders


def splits(folder: Path) -> dict[str, Path]:
    """The lists in ImageSets/Main by name, {} if there are none.

    VOC's lists per class (aeroplane_train.txt) are left out; their second column (1, 0 or -1) gives them away.
    """
    lists = {}
    for path in sorted((folder / "ImageSets" / "Main").glob("*.txt")):
        with path.open(errors="replace") as file:
            if len(file.readline().split()) < 2:
                lists[path.stem] = path
    return lists


def annotation_files(folder: Path, split: str) -> list[Path]:
    """Annotation files of a split, in the order of its list. Raises FileNotFoundError for what is not there."""
    path, known = _split_list(folder, split), splits(folder)
    if split == "all" or not (known or path.is_file()):
        if split != "all":
            warnings.warn(f"{folder}: no lists in ImageSets/Main, so {split!r} is every annotation", stacklevel=3)
        return sorted((folder / "Annotations").glob("*.xml"))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such split; there are: {', '.join([*known, 'all'])}")
    files = []
    for line, image_id in read_ids(path).items():
        file = folder / "Annotations" / f"{image_id}.xml"
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such annotation, but {path} names it in line {line}")
        files.append(file)
    return files


def _split_list(folder: Path, split: str) -> Path:
    return folder / "ImageSets" / "Main" / f"{split}.txt"


def read_ids(path: Path) -> dict[int, str]:
    """Line number -> image id of a split's list; blank lines and repetitions left out, a second column ignored."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    ids = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            ids.setdefault(line.split()[0], number)
    return {number: image_id for image_id, number in ids.items()}


def find_pictures(folder: Path) -> dict[str, Path]:
    """Image id -> picture file of a VOC folder. Raises FileNotFoundError if JPEGImages is missing."""
    if not (folder / "JPEGImages").is_dir():
        raise FileNotFoundError(f"{folder / 'JPEGImages'}: no such folder; pictures of a VOC folder belong there")
    found: dict[str, Path] = {}
    rank = {ending: place for place, ending in enumerate(PICTURE_ENDINGS)}
    for path in (folder / "JPEGImages").iterdir():
        ending = path.suffix.lower()
        if ending in rank and (path.stem not in found or rank[ending] < rank[found[path.stem].suffix.lower()]):
            found[path.stem] = path
    return found


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type, the place where a file could define entities that swell to gigabytes."""

    def doctype(self, name, pubid, system):
        raise ValueError("has a DOCTYPE; annotations have none, and it is refused for safety")


def parse_xml(path: Path) -> ElementTree.Element:
    """The root of an annotation file. Raises ValueError naming file, line and cause if it is not one."""
    try:
        root = ElementTree.fromstring(path.read_bytes(), ElementTree.XMLParser(target=_NoDoctype()))
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: malformed XML: {error}") from None
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such annotation") from None
    except (ValueError, LookupError) as error:  # the doctype; an encoding that does not exist
        raise ValueError(f"{path}: {error}") from None
    if root.tag != "annotation":
        raise ValueError(f"{path}: not a VOC annotation: its outermost element is <{root.tag}>, not <annotation>")
    return root


def read_annotation(path: Path, pictures: dict[str, Path], first: int = 1) -> Annotation:
    """Reads one annotation file; `pictures` as from `find_pictures`.

    first: the number of the first pixel, 1 as in VOC, where the box includes its last pixel, or 0, where it does not.
    Raises ValueError naming file and cause for malformed XML and missing or unreadable values, FileNotFoundError for a
    missing picture.
    """
    root = parse_xml(path)
    picture = pictures.get(path.stem)
    if picture is None:
        folder = path.parent.parent / "JPEGImages"
        raise FileNotFoundError(f"{path}: its picture {folder / path.stem} (.jpg, .png ...) is missing")
    annotation = Annotation(path.stem, str(path), picture, _size(root, path) or picture_size(picture))
    for number, thing in enumerate(root.findall("object"), start=1):
        name = (thing.findtext("name") or "").strip()
        if not name:
            raise ValueError(f"{path}: object {number} has no <name>")
        corners = [_number(thing, f"bndbox/{corner}", f"{path}: object {number} ({name})") for corner in CORNERS]
        xmin, ymin, xmax, ymax = corners
        difficult = (thing.findtext("difficult") or "0").strip() == "1"
        written = "({:g}, {:g}, {:g}, {:g})".format(*corners)
        empty = not (xmax > xmin and ymax > ymin)  # one pixel wide in VOC's counting: no size at all to most tools
        annotation.add(name, (xmin - first, ymin - first, xmax, ymax), difficult, f"{number} {written}", empty)
    return annotation


def _size(root: ElementTree.Element, path: Path) -> tuple[int, int] | None:
    """(width, height), or None where the file does not say, or says 0 as some tools do."""
    if root.find("size") is None:
        return None
    width, height = (_number(root, f"size/{side}", str(path)) for side in ("width", "height"))
    return (int(width), int(height)) if 1 <= width < math.inf and 1 <= height < math.inf else None


def _number(element: ElementTree.Element, name: str, place: str) -> float:
    text = element.findtext(name)
    try:
        return float(text)
    except TypeError:
        raise ValueError(f"{place}: <{name}> is missing") from None
    except ValueError:
        raise ValueError(f"{place}: <{name}> should be a number, found {text!r}") from None


def _other_names(folders: Iterable[Path], seen: set[str]) -> set[str]:
    """Class names in annotation files outside `seen`; damaged files there are none of this split's business."""
    names = set()
    files = [path for folder in folders for path in (folder / "Annotations").glob("*.xml")]
    for path in (path for path in files if str(path) not in seen):
        try:
            names |= {(name.text or "").strip() for name in parse_xml(path).iterfind("object/name")}
        except ValueError:
            continue
    return names - {""}
