"""ImageNet's detection challenge (ILSVRC): 200 classes with boxes, on which the paper tests YOLO9000 (section 4).

Unpacked it is a folder with these in it; annotations are written as VOC's, but name classes by WordNet id:

    Annotations/DET/val/ILSVRC2012_val_00000001.xml
    Data/DET/val/ILSVRC2012_val_00000001.JPEG
    ImageSets/DET/val.txt                               a line for each picture: its id, and a number
"""

from collections.abc import Sequence
from pathlib import Path

from yolocourse.datasets.annotations import AnnotatedPictures
from yolocourse.datasets.voc import read_annotation, read_ids
from yolocourse.labels import FlatLabels

PART = "DET"


class ImageNetDetection(AnnotatedPictures):
    """The pictures of a list in ImageSets/DET, such as "val".

    labels: the classes by WordNet id, in the order wanted (or a FlatLabels whose names are ids). Boxes are counted from
    0. Items, warnings and errors as in `AnnotatedPictures`; raises FileNotFoundError for a missing folder, list,
    annotation or picture, and ValueError for malformed XML.
    """

    def __init__(self, root: str | Path, labels: FlatLabels | Sequence[str], split: str = "val", on_bad: str = "warn"):
        root = Path(root)
        if not is_imagenet_detection(root):
            raise FileNotFoundError(f"{root / 'Annotations' / PART}: no such folder")
        chosen = root / "ImageSets" / PART / f"{split}.txt"
        if not chosen.is_file():
            known = ", ".join(sorted(path.stem for path in chosen.parent.glob("*.txt"))) or "none"
            raise FileNotFoundError(f"{chosen}: no such list; there are: {known}")
        annotations = []
        for line, name in read_ids(chosen).items():
            file = root / "Annotations" / PART / split / f"{name}.xml"
            if not file.is_file():
                raise FileNotFoundError(f"{file}: no such annotation, but {chosen} names it in line {line}")
            picture = root / "Data" / PART / split / f"{name}.JPEG"
            if not picture.is_file():
                raise FileNotFoundError(f"{picture}: no such picture, but {chosen} names it in line {line}")
            annotations.append(read_annotation(file, {file.stem: picture}, first=0))
        super().__init__(annotations, labels if isinstance(labels, FlatLabels) else FlatLabels(labels), on_bad)


def is_imagenet_detection(root: str | Path) -> bool:
    """Whether a folder is laid out as ImageNet's detection challenge."""
    return (Path(root) / "Annotations" / PART).is_dir()
