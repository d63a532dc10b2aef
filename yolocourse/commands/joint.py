"""train and evaluate for YOLO9000: two data sets in the words of one tree."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from yolocourse.commands.data import coco_paths
from yolocourse.commands.using import chosen_precision, open_detector, write_json
from yolocourse.datasets import toytown
from yolocourse.datasets.coco import CocoDetection
from yolocourse.datasets.imagefolder import ImageFolder
from yolocourse.datasets.imagenet_detection import ImageNetDetection, is_imagenet_detection
from yolocourse.datasets.mixing import Mixed, Relabelled
from yolocourse.datasets.toytown.joint import fine_groups, fine_only, mixture
from yolocourse.datasets.voc import VocDetection
from yolocourse.detect import Detector
from yolocourse.engine.groups import GroupedEvaluation, evaluate_groups, with_and_without
from yolocourse.labels import FlatLabels, LabelSpace
from yolocourse.treeview import TreeView, map_classes, read_map
from yolocourse.weights.names import read_lines
from yolocourse.wordtree import WordTree, read_tree
from yolocourse.wordtree_build import read_ids

LISTS = Path(__file__).resolve().parents[2] / "data" / "wordtree"
COCO_IDS, IMAGENET_DETECTION_IDS = LISTS / "coco.ids", LISTS / "imagenet_det.ids"


def open_joint(args: argparse.Namespace, split: str, ratio: float) -> Mixed:
    """Toy Town's two label sets, or COCO with a folder for each class of ImageNet, as nodes of one tree.

    Raises ValueError where a part is not named, FileNotFoundError where it is not there.
    """
    if args.data == "yolo9000-toytown":
        return mixture(args.scenes, ratio, args.data_seed, split)
    for name, value in (("the folder of COCO", args.folder), ("--pictures", args.pictures), ("--tree", args.tree)):
        if not value:
            raise ValueError(f"yolo9000 needs {name}; such as: yolocourse train yolo9000 COCO --pictures IMAGENET/train"
                             " --tree both.tree")  # fmt: skip
    tree, names = read_tree(args.tree), Path(args.tree).with_suffix(".names")
    if names.is_file():
        tree = read_tree(args.tree, read_lines(names, len(tree)))
    boxed = CocoDetection(*coco_paths(args.folder, args.annotations, split))
    return Mixed(
        Relabelled(boxed, tree, places(args.map or COCO_IDS, tree, len(boxed.labels))),
        Relabelled(ImageFolder(args.pictures), tree),
        ratio,
    )


def places(path: str | Path, tree: WordTree, classes: int) -> list[int]:
    """The node of each class of a data set, from Darknet's .map or a list of WordNet ids (.ids).

    Raises ValueError unless the file has as many lines as there are classes.
    """
    if Path(path).suffix == ".map":
        return read_map(path, tree, classes)
    ids = read_ids(path)
    if len(ids) != classes:
        raise ValueError(f"{path}: {len(ids)} ids, but the data set has {classes} classes")
    return [tree.node(id) for id in ids]


def evaluate_joint(args: argparse.Namespace, device: torch.device) -> None:
    """AP of classes with boxes in training and of those without."""
    detector = open_detector(args, device=device, precision=chosen_precision(args, device), compile=args.compile)
    if not isinstance(detector.labels, WordTree):
        raise ValueError(f"{args.model}: knows {len(detector.labels)} classes without a tree; {args.data} needs one")
    found = (evaluate_toytown if args.data == "yolo9000-toytown" else evaluate_imagenet)(args, detector)
    for result in found:
        print(result.table(), flush=True)
    if args.json:
        write_json(args.json, {name: value for result in found for name, value in to_dict(result).items()})


def evaluate_toytown(args: argparse.Namespace, detector: Detector) -> list[GroupedEvaluation]:
    """Fine classes on test scenes that show what was never boxed, coarse ones on scenes as in training."""
    tests = {s: toytown.scenes(args.test_scenes, args.data_seed, s, split="test") for s in (None, "unseen")}
    fine = seen_as(detector, toytown.labels("fine"))
    coarse, everything = seen_as(detector, toytown.labels("coarse")), {"coarse": range(len(toytown.COARSE))}
    return [
        evaluate_groups(fine, fine_only(tests["unseen"]), fine_groups()),
        evaluate_groups(coarse, tests[None], everything),
    ]


def evaluate_imagenet(args: argparse.Namespace, detector: Detector) -> list[GroupedEvaluation]:
    """The protocol of section 4: ImageNet's folders, or VOC's, whose annotations name classes by WordNet id."""
    if args.folder is None:
        raise ValueError("yolo9000 needs the folder of pictures with boxes: yolocourse evaluate yolo9000 DIR")
    ids = read_ids(args.classes or IMAGENET_DETECTION_IDS)
    boxed = read_ids(args.map or COCO_IDS)
    labels, split = FlatLabels(ids, ids), args.split or "val"
    if is_imagenet_detection(args.folder):
        dataset = ImageNetDetection(args.folder, labels, split)
    else:
        dataset = VocDetection(args.folder, split, labels)
    result = evaluate_groups(
        seen_as(detector, dataset.labels), dataset, with_and_without(dataset.labels, FlatLabels(boxed, boxed))
    )
    words: WordTree = detector.labels
    return [replace(result, names=[words.names[words.node(id)] for id in ids])]


def seen_as(detector: Detector, labels: LabelSpace) -> Detector:
    """A detector with a word tree that names only the given classes, found by WordNet id."""
    view = TreeView(detector.labels, map_classes(detector.labels, labels), labels.names)
    other = Detector(detector.model, view, detector.preprocess)
    other.network = detector.network
    return other


def to_dict(result: GroupedEvaluation) -> dict:
    """Each group's mean AP50 and its classes' as JSON can hold them; null where there are no truths."""

    means = {group: result.mean(group) for group in result.groups}
    return {
        group: {
            "AP50": None if np.isnan(mean) else round(mean, 5),
            "AP50_per_class": {name: round(ap, 5) for name, ap in result.ranking(group)},
        }
        for group, mean in means.items()
    }
