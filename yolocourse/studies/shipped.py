"""Makes the checkpoints that come with the course, from their seeds.

    python -m yolocourse.studies.shipped trunk       # data/checkpoints/toytown-trunk.safetensors
    python -m yolocourse.studies.shipped detector    # data/checkpoints/toytown-nano.safetensors
    python -m yolocourse.studies.shipped pictures    # data/sample and data/images

The trunk is nano's, trained to name single things (fine classes, no boxes), as the paper trains Darknet-19 on
ImageNet before it trains a detector. It saves each notebook the minutes in which a new network learns to see at all.
The detector starts from it and is what `yolocourse detect` uses where no other is named.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from yolocourse import viz
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import classify, evaluate
from yolocourse.engine.log import ConsoleLog
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification
from yolocourse.models import Darknet19
from yolocourse.recipes import things as things_recipe
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import train
from yolocourse.weights.checkpoint import load_trunk, save_checkpoint

FOLDER = Path(__file__).resolve().parents[2] / "data" / "checkpoints"
TRUNK, DETECTOR = FOLDER / "toytown-trunk.safetensors", FOLDER / "toytown-nano.safetensors"
WIDTH = 0.25  # nano's
# Of its scenes and of its new layers; a number that nothing else uses. While a network is trained, its trunk adapts to
# the last layer that it began with. Who puts in a new one from the same seed puts back that very layer, and finds
# things before any training (measured: AP50 0.26 to 0.34, where other seeds give 0.00 to 0.03).
DETECTOR_SEED = 2017
SAMPLES = {"street": (0, 24), "harbour": (0, 1), "park": (0, 17)}  # file: seed and number of a test scene
FRONT = ((0, 5), (0, 9), (0, 10), (0, 16), (0, 18), (0, 30))

TRUNK_SETTINGS = things_recipe().train


def make_trunk(
    out: Path = TRUNK, settings: TrainSettings = TRUNK_SETTINGS, pictures: int = 10_000, tests: int = 1080
) -> float:
    """Trains the classifier and saves it; returns its top-1 on pictures that it never saw."""
    print(f"drawing {pictures} pictures ...", flush=True)
    things = Cached(toytown.things(pictures, size=settings.size))
    torch.manual_seed(settings.seed)
    model = Darknet19(len(things.labels), WIDTH)
    task = Classification(things.labels)
    train(model, things, things.labels, settings, task=task, on_step=ConsoleLog(20), device=best_device())
    result = classify(model, toytown.things(tests, size=settings.size, split="test"), settings.preprocess)
    about = {"settings": settings, "top1": round(result.top1, 4), "pictures": pictures}
    save_checkpoint(out, model, labels=things.labels, preprocess=settings.preprocess, half=True, **about)
    print(f"{result}, none of them seen in training; saved {out.name}")
    return result.top1


def make_detector(out: Path = DETECTOR, images: int = 200_000, scenes: int = 6_000) -> float:
    """Trains the detector from the trunk and saves it; returns its AP50 on scenes that it never saw."""
    recipe = toytown_recipe().with_values(images=images)
    print(f"drawing {scenes} scenes ...", flush=True)
    pictures = Cached(toytown.scenes(scenes, seed=DETECTOR_SEED))
    anchors = recipe.find_anchors(np.asarray(pictures.sizes()))
    torch.manual_seed(DETECTOR_SEED)
    model = recipe.build(pictures.labels, anchors)
    load_trunk(TRUNK, model)
    train(model, pictures, pictures.labels, recipe.train, on_step=ConsoleLog(20), device=best_device())
    result = evaluate(Detector(model, pictures.labels, recipe.train.preprocess), toytown.scenes(300, split="test"))
    about = {"recipe": recipe, "AP50": round(result.ap50, 4), "scenes": scenes}
    save_checkpoint(out, model, labels=pictures.labels, preprocess=recipe.train.preprocess, half=True, **about)
    print(f"{result.table()}\nsaved {out.name}")
    return result.ap50


def make_pictures() -> None:
    """Scenes to try the detector on, and the README's picture of what it finds in others."""
    sample, images = FOLDER.parent / "sample", FOLDER.parent / "images"
    for name, (seed, number) in SAMPLES.items():
        picture, _ = toytown.scenes(number + 1, seed, size=416, split="test")[number]
        picture.save(sample / f"{name}.png", optimize=True)
    scenes = [toytown.scenes(number + 1, seed, size=352, split="test")[number][0] for seed, number in FRONT]
    found = Detector.load(DETECTOR, threshold=0.4)(scenes)
    viz.gallery(scenes, found=found, columns=3, side=300).quantize(256).save(images / "detections.png", optimize=True)
    print(f"{len(SAMPLES)} samples; {sum(map(len, found))} detections in {len(scenes)} scenes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("trunk", "detector", "pictures"))
    {"trunk": make_trunk, "detector": make_detector, "pictures": make_pictures}[parser.parse_args().what]()
