"""What notebook 10 measures, with several seeds: YOLOv2 trained from a trunk under three sets of loss weights.

    python -m yolocourse.studies.yolov2            # seeds 0, 1, 2: about 10 minutes on two cores

The networks differ in the weights of the loss alone:

- "darknet": as in yolov2-voc.cfg, objectness 5 where there is a thing and 1 where there is none, boxes 1;
- "equal": all 1;
- "yolo": those of the first YOLO (equation 3 of its paper), boxes 5, objectness 1 and 1/2.

A seed decides on the new layers, the order of the pictures and their augmentation; scenes and tests stay the same. The
errors are those of `error_analysis`, means over the classes; "missed" is a share of all things.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import detect_all
from yolocourse.engine.train import train
from yolocourse.error_analysis import KINDS, ErrorAnalysis, analyse_errors
from yolocourse.labels import LabelSpace
from yolocourse.metrics import coco_ap, voc_ap
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect
from yolocourse.studies.shipped import TRUNK
from yolocourse.weights.checkpoint import load_trunk

RESULTS = FOLDER / "yolov2.csv"
WEIGHTS = {
    "darknet": {},
    "equal": {"object_scale": 1.0},
    "yolo": {"object_scale": 1.0, "no_object_scale": 0.5, "coord_scale": 5.0},
}
IMAGES = 4_000  # pictures of a lesson
SCENES, TESTS = 1_000, 100  # training scenes; test scenes, drawn like them
ANIMALS, VEHICLES = ("dog", "cat", "bird", "fish"), ("car", "bus", "boat", "bicycle")


def similar(labels: LabelSpace) -> list[list[int]]:
    """The groups of Toy Town's coarse classes that look like each other, for `analyse_errors`."""
    return [[labels.index(name) for name in names] for names in (ANIMALS, VEHICLES)]


def measure(detector: Detector, tests: Dataset) -> Row:
    """AP of both kinds, recall, and the shares of all errors."""
    found, targets, _ = detect_all(detector, tests)
    predictions = [{"boxes": f.boxes, "scores": f.scores, "labels": f.labels} for f in found]
    count = len(detector.labels)
    voc, coco = voc_ap(predictions, targets, count), coco_ap(predictions, targets, count)
    values = {"AP50": voc.mean, "recall": voc.mean_recall, "AP": coco["AP"], "AP75": coco["AP75"]}
    values |= error_shares(analyse_errors(predictions, targets, count, similar(detector.labels)))
    return {name: round(float(value), 4) for name, value in values.items()}


def error_shares(errors: ErrorAnalysis) -> dict[str, float]:
    """Each kind by name, mean over the classes, and "missed", a share of all things."""
    missed = {"missed": errors.missed.sum() / np.maximum(errors.num_truths.sum(), 1)}
    return dict(zip(KINDS, errors.mean_shares.tolist(), strict=True)) | missed


def runs(
    seeds: Iterable[int], scenes: int = SCENES, tests: int = TESTS, images: int = IMAGES,
    weights: Iterable[str] = WEIGHTS,
) -> Iterator[Run]:  # fmt: skip
    """One run for each seed and set of weights. scenes, tests, images: smaller numbers for trials."""
    pictures, mix = Cached(toytown.scenes(scenes)), toytown.scenes(tests, split="test", keep=True)
    anchors = toytown_recipe().find_anchors(pictures.sizes())

    def one(name: str, seed: int) -> Iterator[Row]:
        recipe = toytown_recipe().with_values(images=images, seed=seed, **WEIGHTS[name])
        torch.manual_seed(seed)
        model = recipe.build(pictures.labels, anchors)
        load_trunk(TRUNK, model)
        trained = train(model, pictures, pictures.labels, recipe.train, device=best_device())
        if trained.interrupted:
            raise KeyboardInterrupt  # a lesson that was cut short is no result
        detector = Detector(model, pictures.labels, recipe.train.preprocess)
        yield measure(detector, mix) | {"images": trained.seen, "seconds": round(trained.seconds, 1)}

    for seed in seeds:
        for name in weights:
            key = {"weights": name, "seed": seed}
            yield Run(key, lambda key=key: one(key["weights"], key["seed"]))


def run(seeds: Iterable[int], out: Path = RESULTS, **trial) -> list[Row]:
    """Runs what `out` does not hold yet; `trial` as for `runs`."""
    return collect(out, runs(seeds, **trial))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--weights", nargs="+", choices=tuple(WEIGHTS), default=tuple(WEIGHTS))
    options = parser.parse_args()
    run(options.seeds, weights=options.weights)
