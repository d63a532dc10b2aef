"""Data sets that the command line names."""

import argparse
from pathlib import Path

from torch.utils.data import Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.coco import CocoDetection
from yolocourse.datasets.loading import Cached
from yolocourse.datasets.voc import VocDetection
from yolocourse.labels import LabelSpace

CACHE_BYTES = 2 * 2**30  # of pictures kept in memory, decoded


def open_data(args: argparse.Namespace, split: str, labels: LabelSpace | None = None) -> Dataset:
    """The data set that the command line names: Toy Town, VOC-style folders, or COCO JSON."""
    if args.data == "toytown":
        dataset = toytown.scenes(args.scenes if split == "train" else args.test_scenes, args.data_seed, split=split)
    elif args.folder is None:
        raise ValueError(
            f"{args.data} needs the folder of the data set, such as: yolocourse {args.command} {args.data} DIR"
        )
    elif args.data == "voc":
        years = args.years.split(",") if args.years else None
        dataset = VocDetection(args.folder, split, labels, years)
    else:
        dataset = CocoDetection(*coco_paths(args.folder, args.annotations, split), labels)
    if len(dataset) == 0:
        raise ValueError(f"{args.folder or args.data}: the split {split!r} has no pictures")
    return dataset


def coco_paths(folder: str, annotations: str | None, split: str) -> tuple[Path, Path]:
    """Pictures and JSON of a COCO split: given, or in COCO's own layout, DIR/train2017 and DIR/annotations."""
    if annotations:
        return Path(folder), Path(annotations)
    return Path(folder) / split, Path(folder) / "annotations" / f"instances_{split}.json"


def default_split(args: argparse.Namespace, training: bool) -> str:
    names = {"toytown": ("train", "test"), "voc": ("trainval", "test"), "coco": ("train2017", "val2017")}
    return args.split or names[args.data][0 if training else 1]


def cached(dataset: Dataset, size: int) -> Dataset:
    """The data set in memory, its pictures no larger than training needs, where they fit; else as it is."""
    side = int(size * 1.4)
    if len(dataset) * side * side * 3 > CACHE_BYTES:
        return dataset
    print(f"reading {len(dataset)} pictures into memory ...", flush=True)
    return Cached(dataset, max_side=side)
