"""What notebooks 00 and 01 measure, again with several seeds: data/results/first_notebooks.csv.

    python -m yolocourse.studies.first_notebooks        # both, seeds 0, 1, 2: about 15 minutes on two cores

A seed decides on the new layers, the order of the pictures and their augmentation; scenes and tests are always the
same. Lengths are in pictures and not in seconds, so that the results do not depend on the machine's speed.
"""

import argparse
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch.utils.data import Dataset

from yolocourse import grid_yolov1
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import evaluate
from yolocourse.losses_yolov1 import YOLOv1Loss
from yolocourse.models.yolov1 import yolov1
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import train
from yolocourse.studies.shipped import DETECTOR, TRUNK, WIDTH
from yolocourse.weights.checkpoint import load_trunk, write_atomically

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results" / "first_notebooks.csv"
COLUMNS = ("notebook", "network", "seed", "images", "slice", "AP50", "recall")
SLICES = ("flock", "overlap", "aspect", "everyday")
Tests = dict[str, Dataset]


def start_here(scenes: Dataset, tests: Tests, seed: int, images: int) -> Iterator[dict]:
    """Notebook 00: a new last layer on the shipped detector's others, before training, and after `images` pictures.

    For comparison the same number of pictures from random weights, with the recipe's own learning rate.
    """
    everyday, anchors = {"everyday": tests["everyday"]}, toytown_recipe().find_anchors(scenes.sizes())
    for name, rate in (("YOLOv2", {"learning_rate": 7e-4}), ("YOLOv2 from random weights", {})):
        recipe = toytown_recipe().with_values(images=images, seed=seed, **rate)
        torch.manual_seed(seed)
        model = recipe.build(scenes.labels, anchors)
        detector = Detector(model, scenes.labels, recipe.train.preprocess, device=best_device())
        if name == "YOLOv2":
            load_trunk(DETECTOR, model)
            yield from measure("00", name, detector, everyday, seed, 0)
        train(model, scenes, scenes.labels, recipe.train, device=best_device())
        yield from measure("00", name, detector, everyday, seed, images)


def yolo_and_its_limits(scenes: Dataset, tests: Tests, seed: int, images: int) -> Iterator[dict]:
    """Notebook 01: YOLO and YOLOv2 on the same pretrained trunk, with the same budget."""
    recipe = toytown_recipe().with_values(images=images, seed=seed)
    anchors = toytown_recipe().find_anchors(scenes.sizes())
    torch.manual_seed(seed)
    classes = len(scenes.labels)
    networks = {"YOLO": yolov1(classes, WIDTH, dropout=0), "YOLOv2": recipe.build(scenes.labels, anchors)}
    for name, model in networks.items():
        load_trunk(TRUNK, model)
        loss, decode = (YOLOv1Loss(classes), grid_yolov1.decode) if name == "YOLO" else (None, None)
        train(model, scenes, scenes.labels, recipe.train, criterion=loss, device=best_device())
        detector = Detector(model, scenes.labels, recipe.train.preprocess, decode=decode)
        yield from measure("01", name, detector, tests, seed, images)


def measure(notebook: str, network: str, detector: Detector, tests: Tests, seed: int, images: int) -> Iterator[dict]:
    """A row for each test slice."""
    for name, dataset in tests.items():
        result = evaluate(detector, dataset)
        values = (notebook, network, seed, images, name, round(result.ap50, 4), round(result.voc.mean_recall, 4))
        yield dict(zip(COLUMNS, values, strict=True))


EXPERIMENTS = {"00": (start_here, 100, 5_000), "01": (yolo_and_its_limits, 60, 4_000)}  # scenes a slice, pictures


def run(
    seeds: Iterable[int], notebooks: Iterable[str], out: Path = RESULTS, scenes: int = 1000,
    tests: int | None = None, images: int | None = None,
) -> None:  # fmt: skip
    """Runs the experiments and writes their rows as they come; rows of other notebooks in the file stay.

    tests, images: scenes of a slice and training pictures, for trials; None for those of the notebooks.
    """
    kept = [row for row in read(out) if row["notebook"] not in notebooks] if out.exists() else []
    pictures = Cached(toytown.scenes(scenes))
    for notebook in notebooks:
        experiment, count, length = EXPERIMENTS[notebook]
        slices = toytown.test_slices(tests or count, keep=True)
        slices = {name: slices[name] for name in SLICES}
        for seed in seeds:
            for row in experiment(pictures, slices, seed, images or length):
                kept.append(row)
                print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
                write(out, kept)


def read(path: Path = RESULTS) -> list[dict]:
    """The rows of a results file, AP50 and recall as numbers."""
    with open(path, newline="", encoding="utf-8") as file:
        return [row | {name: float(row[name]) for name in ("AP50", "recall")} for row in csv.DictReader(file)]


def write(path: Path, rows: list[dict]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["notebook"]))
    write_atomically(path, text.getvalue().encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notebooks", nargs="+", choices=tuple(EXPERIMENTS), default=tuple(EXPERIMENTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    options = parser.parse_args()
    run(options.seeds, options.notebooks)
