"""What notebook 08 measures, again with several seeds: data/results/multi_scale.csv.

    python -m yolocourse.studies.multi_scale                    # seeds 0, 1, 2: 5 minutes on two idle cores
    python -m yolocourse.studies.multi_scale --images 4800      # a lesson three times as long, a quarter of an hour

Each network starts from the layers of the shipped detector, whose last layer is new. They differ in the sizes that
they see: one of them, or all. Every one is then tested at every size, on the same scenes drawn at that size. A seed
decides on the new layer, the order of the pictures, their augmentation, and the draw of sizes.
"""

import argparse
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from yolocourse.boxes import area, iou
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import evaluate
from yolocourse.engine.settings import TrainSettings
from yolocourse.labels import LabelSpace
from yolocourse.models import YOLOv2
from yolocourse.preprocess import Preprocess
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import DETECTOR
from yolocourse.weights.checkpoint import load_checkpoint, load_trunk

RESULTS = FOLDER / "multi_scale.csv"
SIZES = (160, 192, 224, 256, 288)  # half of the paper's, which go from 320 to 608
LESSONS = {160: (160,), 224: (224,), 288: (288,), "160 to 288": SIZES}  # network: sizes of its training
IMAGES, LONGER = 1_600, 4_800  # pictures of a lesson: the notebook's, and one for which it has no time
SCENES, TESTS = 800, 60


def training_scenes(count: int = SCENES) -> Cached:
    """Drawn at the largest training size, so that no size is blown up from a smaller one."""
    return Cached(toytown.scenes(count, size=max(SIZES)))


def test_scenes(count: int = TESTS) -> dict[int, Dataset]:
    """Slice `scale` by the size at which its pictures are drawn: the same `count` scenes each time."""
    scenes = toytown.scenes(count * len(toytown.SCALES), slice="scale", size=None, split="test", keep=True)
    return {size: Subset(scenes, range(k, len(scenes), len(toytown.SCALES))) for k, size in enumerate(toytown.SCALES)}


test_scenes.__test__ = False  # it is no test, though pytest would take it for one


def start(labels: LabelSpace, seed: int) -> YOLOv2:
    """The shipped detector's layers and anchors under a last layer that is new."""
    torch.manual_seed(seed)
    model = toytown_recipe().build(labels, load_checkpoint(DETECTOR).model.anchors.numpy())
    load_trunk(DETECTOR, model)
    return model


def settings(sizes: Iterable[int], seed: int, images: int = IMAGES) -> TrainSettings:
    """How a network is trained on these sizes. No jitter: it zooms, too, and only the change of size is at stake."""
    sizes = tuple(sizes)
    base = toytown_recipe().with_values(images=images, seed=seed, learning_rate=7e-4, jitter=0.0).train
    return replace(base, size=max(sizes), sizes=sizes if len(sizes) > 1 else ())


def measure(model: YOLOv2, labels: LabelSpace, tests: dict[int, Dataset]) -> Iterator[Row]:
    """A row for each test size: the network looks at pictures of that size as they are."""
    for size, scenes in tests.items():
        detector = Detector(model, labels, Preprocess(size))
        result, sides = evaluate(detector, scenes), found_sides(detector, scenes)
        yield {
            "size": size,
            "AP50": round(result.ap50, 4),
            "AP": round(float(result.coco["AP"]), 4),
            "recall": round(result.voc.mean_recall, 4),
            "side": round(sides.median().item(), 3) if len(sides) else math.nan,
        }


def found_sides(detector: Detector, scenes: Dataset, threshold: float = 0.1) -> Tensor:
    """How large boxes are drawn: side of the found box over side of the true one, for each thing that was found.

    The side of a box is the root of its area, so 1 is right, and 0.5 half as wide and half as high. A thing counts as
    found by the box of its class that overlaps it most, from an IoU of 0.3 on: less than AP asks for, since what is to
    be seen here are boxes of the wrong size.
    """
    ratios = [torch.zeros(0)]
    for i in range(len(scenes)):
        picture, target = scenes[i]
        found, true = detector(picture, threshold=threshold), target["boxes"].as_subclass(Tensor)
        if len(found) and len(true):
            overlap = iou(true, found.boxes) * (target["labels"][:, None] == found.labels[None])  # (B, K)
            best, which = overlap.max(1)
            ratio = (area(found.boxes)[which] / area(true)).sqrt()  # (B,)
            ratios.append(ratio[best > 0.3])
    return torch.cat(ratios)


def runs(scenes: Dataset, tests: dict[int, Dataset], seeds: Iterable[int], images: int) -> Iterator[Run]:
    """One run for each seed and network."""

    def rows(sizes: tuple[int, ...], seed: int) -> Iterator[Row]:
        model = start(scenes.labels, seed)
        train(model, scenes, scenes.labels, settings(sizes, seed, images), device=best_device())
        yield from measure(model, scenes.labels, tests)

    for seed in seeds:
        for name, sizes in LESSONS.items():
            key = {"network": name, "seed": seed, "images": images}
            yield Run(key, lambda sizes=sizes, seed=seed: rows(sizes, seed))


def main(
    seeds: Iterable[int], images: int = IMAGES, out: Path = RESULTS, scenes: int = SCENES, tests: int = TESTS
) -> list[Row]:
    """Runs what the file does not have yet. scenes, tests: how many of each are drawn."""
    return collect(out, runs(training_scenes(scenes), test_scenes(tests), seeds, images))


def lost(ap50: dict[tuple[object, int], float], network: object, size: int) -> float:
    """AP50 that a network lacks at a size, compared with the one trained at that size alone.

    ap50: (network, test size) -> AP50; the network of one size is named by that size. A small picture shows less to
    everyone, so what a network lost by being off its size is seen only beside one that is at home there.
    """
    return ap50[size, size] - ap50[network, size]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args()
    main(options.seeds, options.images)
