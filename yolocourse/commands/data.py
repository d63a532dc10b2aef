"""Data sets that the command line names."""

import argparse
from collections.abc import Callable
from pathlib import Path

from torch.utils.data import Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.coco import CocoDetection
from yolocourse.datasets.imagefolder import ImageFolder, read_class_list
from yolocourse.datasets.loading import Cached
from yolocourse.datasets.mixing import Mixed
from yolocourse.datasets.voc import VocDetection
from yolocourse.labels import LabelSpace

CACHE_BYTES = 2 * 2**30  # of pictures kept in memory, decoded


def open_data(args: argparse.Namespace, split: str, labels: LabelSpace | None = None) -> Dataset:
    """The data set that the command line names: Toy Town, VOC-style folders, COCO JSON, or a folder for each class."""
    count = args.scenes if split == "train" else args.test_scenes
    if args.data == "toytown":
        dataset = toytown.scenes(count, args.data_seed, split=split)
    elif args.data == "things":
        dataset = toytown.things(count, args.data_seed, size=224, split=split)
    elif args.folder is None:
        raise ValueError(
            f"{args.data} needs the folder of the data set, such as: yolocourse {args.command} {args.data} DIR"
        )
    elif args.data == "voc":
        years = args.years.split(",") if args.years else None
        dataset = VocDetection(args.folder, split, labels, years)
    elif args.data == "coco":
        dataset = CocoDetection(*coco_paths(args.folder, args.annotations, split), labels)
    else:
        if labels is None and args.classes:
            labels = read_class_list(args.classes, args.class_names)
        dataset = ImageFolder(args.folder, split or None, labels)
    if len(dataset) == 0:
        raise ValueError(f"{args.folder or args.data}: the split {split!r} has no pictures")
    return dataset


def coco_paths(folder: str, annotations: str | None, split: str) -> tuple[Path, Path]:
    """Pictures and JSON of a COCO split: given, or in COCO's own layout, DIR/train2017 and DIR/annotations."""
    if annotations:
        return Path(folder), Path(annotations)
    return Path(folder) / split, Path(folder) / "annotations" / f"instances_{split}.json"


def default_split(args: argparse.Namespace, training: bool) -> str:
    """The split that the command line names, or the usual one; "" where a folder of classes has no splits."""
    names = {"toytown": ("train", "test"), "voc": ("trainval", "test"), "coco": ("train2017", "val2017")}
    names |= {"yolo9000-toytown": ("train", "test"), "yolo9000": ("train2017", "val")}
    names |= {"things": ("train", "test"), "imagenet": ("train", "val"), "imagefolder": ("train", "val")}
    split = args.split or names[args.data][0 if training else 1]
    if args.data == "imagefolder" and args.split is None and args.folder and not (Path(args.folder) / split).is_dir():
        return ""
    return split


def cached(dataset: Dataset, size: int, tell: Callable[[str], None] = print) -> Dataset:
    """The data set in memory, its pictures no larger than training needs, where they fit; else as it is."""
    if isinstance(dataset, Mixed):
        return dataset.changed(lambda part: cached(part, size, tell))
    side = int(size * 1.4)
    if len(dataset) * side * side * 3 > CACHE_BYTES:
        return dataset
    tell(f"reading {len(dataset)} pictures into memory ...")
    return Cached(dataset, max_side=side)
