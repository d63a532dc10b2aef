"""What notebook 03 measures, with several seeds: classifiers at two sizes, and the detectors that begin with them.

    python -m yolocourse.studies.high_resolution --seeds 0 1 2        # about 4 minutes a seed on two cores

One classifier learns on small pictures. From there it goes on with a few thousand more, the same ones at one of several
sizes; the small size is the control, which gets the same lesson without the change of resolution. Each then gives its
trunk to a detector, and all detectors get the same budget; in some the trunk's weights stay as they are. A seed decides
on the new layers, the order of the pictures and their augmentation; pictures and tests are always the same. Rows go to
data/results/high_resolution.csv.
"""

import argparse
import copy
from collections.abc import Iterable, Iterator
from functools import cache

import torch
from torch import nn
from torch.utils.data import Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import classify, evaluate
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification
from yolocourse.models import Darknet19
from yolocourse.preprocess import Preprocess
from yolocourse.recipes import Recipe
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import WIDTH

RESULTS = FOLDER / "high_resolution.csv"
SMALL, LARGE, DETECTOR = 64, 128, 320  # sides of the network's input, pixels
# "start": the first lesson only; "statistics": with batch norm's statistics of LARGE; the others go on at that size
NETWORKS = ("start", "statistics", "then 64", "then 128", "then 224")
# Detectors: whose trunk, and what happens to it. "fixed": its weights stay as they are, only batch norm's statistics
# follow the new pictures; "learns": it is trained along, as usual
DETECTORS = (
    ("then 64", "fixed"), ("then 128", "fixed"), ("then 64", "learns"), ("then 128", "learns"), ("then 224", "fixed"),
)  # fmt: skip
TESTED_AT = (64, 96, 128, 160, 192, 224)
THINGS, THING_TESTS, SCENES, SCENE_TESTS = 4_000, 540, 800, 100  # pictures drawn; scene tests for each slice
SLICES = ("flock", "everyday", "aspect")
START_IMAGES, MORE_IMAGES, DETECTOR_IMAGES = 12_000, 4_000, 2_000  # pictures to train on, repeats included


def first_settings(images: int = START_IMAGES, seed: int = 0) -> TrainSettings:
    """From new weights, at the small size."""
    return TrainSettings(
        images=images, size=SMALL, batch_size=32, learning_rate=3e-3, warmup_images=max(1, images // 12),
        hue=0.03, saturation=1.3, exposure=1.3, seed=seed,
    )  # fmt: skip


def more_settings(size: int, images: int = MORE_IMAGES, seed: int = 0) -> TrainSettings:
    """Going on at `size`, with a third of the first learning rate."""
    return TrainSettings(
        images=images, size=size, batch_size=32, learning_rate=1e-3, warmup_images=max(1, images // 10),
        hue=0.03, saturation=1.3, exposure=1.3, seed=seed + 1,
    )  # fmt: skip


def detector_recipe(images: int = DETECTOR_IMAGES, seed: int = 0) -> Recipe:
    """The course's detector, on scenes of DETECTOR pixels."""
    return toytown_recipe().with_values(images=images, size=DETECTOR, seed=seed)


def renew_statistics(model: nn.Module, pictures: Dataset, size: int, count: int = 512) -> nn.Module:
    """A copy whose batch norms store the statistics of `count` pictures at `size`; no weight is changed."""
    model, preprocess, device = copy.deepcopy(model).train(), Preprocess(size), next(model.parameters()).device
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain average of all batches
    count = min(count, len(pictures))
    with torch.no_grad():
        for start in range(0, count, 32):
            batch = [preprocess(pictures[i][0])[0] for i in range(start, min(start + 32, count))]
            model(torch.stack(batch).to(device))
    return model.eval()


def runs(
    seeds: Iterable[int], things: int = THINGS, tests: int = THING_TESTS, scenes: int = SCENES,
    scene_tests: int = SCENE_TESTS, images: tuple[int, int, int] = (START_IMAGES, MORE_IMAGES, DETECTOR_IMAGES),
) -> Iterator[Run]:  # fmt: skip
    """Each network for each seed. Smaller numbers of pictures to draw and to train on are for trials."""
    small_things = Cached(toytown.things(things, size=LARGE))  # for SMALL they are made smaller
    test_things = Cached(toytown.things(tests, size=max(TESTED_AT), split="test"))
    town = Cached(toytown.scenes(scenes, size=DETECTOR))
    every_slice = toytown.test_slices(scene_tests, size=DETECTOR, keep=True)
    slices = {name: every_slice[name] for name in SLICES}
    labels, recipe = toytown.labels("fine"), detector_recipe(images[2])
    task, anchors, device = Classification(labels), recipe.find_anchors(town.sizes()), best_device()

    @cache
    def things_for(size: int) -> Cached:
        return small_things if size <= LARGE else Cached(toytown.things(things, size=size))

    def named(model: nn.Module) -> Iterator[Row]:
        for size in TESTED_AT:
            result = classify(model, test_things, Preprocess(size))
            top = {"top1": round(result.top1, 4), "top5": round(result.top5, 4)}
            yield {"size": size} | top

    @cache
    def classifier(network: str, seed: int) -> nn.Module:
        if network == "start":
            torch.manual_seed(seed)
            model, pictures, settings = Darknet19(len(labels), WIDTH), small_things, first_settings(images[0], seed)
        elif network == "statistics":
            return renew_statistics(classifier("start", seed), small_things, LARGE)
        else:
            size = int(network.removeprefix("then "))
            model, pictures = copy.deepcopy(classifier("start", seed)), things_for(size)
            settings = more_settings(size, images[1], seed)
        return train(model, pictures, labels, settings, task=task, device=device).model

    def detected(network: str, trunk: str, seed: int) -> Iterator[Row]:
        trained = classifier(network, seed)
        torch.manual_seed(seed)
        model = recipe.build(town.labels, anchors)
        model.trunk.load_state_dict(trained.trunk.state_dict())
        model.trunk.requires_grad_(trunk == "learns")
        seconds = train(model, town, town.labels, recipe.with_values(seed=seed).train, device=device).seconds
        detector = Detector(model, town.labels, recipe.train.preprocess)
        for slice, dataset in slices.items():
            result = evaluate(detector, dataset)
            found = {"AP50": round(result.ap50, 4), "recall": round(result.voc.mean_recall, 4)}
            yield {"size": DETECTOR, "slice": slice} | found | {"seconds": round(seconds, 1)}

    for seed in seeds:
        for network, trunk in DETECTORS:
            key = {"what": "detector", "network": network, "trunk": trunk, "seed": seed}
            yield Run(key, lambda network=network, trunk=trunk, seed=seed: detected(network, trunk, seed))
        for network in NETWORKS:
            key = {"what": "classifier", "network": network, "seed": seed}
            yield Run(key, lambda network=network, seed=seed: named(classifier(network, seed)))


def run(seeds: Iterable[int], out=RESULTS, **trial) -> list[Row]:
    """Runs what `out` does not hold yet; `trial` as for `runs`."""
    return collect(out, runs(seeds, **trial))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    run(parser.parse_args().seeds)
