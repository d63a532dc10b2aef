"""What notebook 07 measures, with several seeds: nano with and without the passthrough, data/results/passthrough.csv.

    python -m yolocourse.studies.passthrough --seeds 0 1 2        # about 4 minutes a seed on two cores

Four networks that differ in what goes into the last 3x3 convolution beside the coarse features:

- "without": nothing;
- "pooled": the fine features, four times as many of them, but pooled to the coarse grid first. As many inputs as with
  the passthrough and the same way to them, so that only the fine places are missing;
- "clean", "darknet": the passthrough in its two orders.

From two starts. "classifier": a trunk that has learned to name single things; all layers behind it are new, as in the
paper. "detector": trunk and neck of the shipped detector; only what follows them is new. It stands for training that
has gone on for long, and leaves out the network without fine features: the shipped neck has learned beside a
passthrough and relies on it. A seed decides on new layers, order and augmentation; scenes and tests stay the same.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import evaluate
from yolocourse.labels import LabelSpace
from yolocourse.models import YOLOv2
from yolocourse.models.layers import ConvBlock
from yolocourse.preprocess import Preprocess
from yolocourse.recipes import Recipe
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import DETECTOR, TRUNK
from yolocourse.weights.checkpoint import load_checkpoint, load_trunk

RESULTS = FOLDER / "passthrough.csv"
NETWORKS = ("without", "pooled", "clean", "darknet")
STARTS = {"classifier": {"images": 2_400}, "detector": {"images": 2_000, "learning_rate": 7e-4}}
STARTED = {"classifier": NETWORKS, "detector": NETWORKS[1:]}  # the networks that a start is measured with
SLICES = ("flock", "everyday")
SCENES, TESTS = 1000, 100  # training scenes; test scenes of a slice
METRICS = ("AP50", "recall", "AP", "AP75", "AP_small", "AP_medium")


def build(network: str, recipe: Recipe, labels: LabelSpace, anchors: np.ndarray) -> YOLOv2:
    """One of NETWORKS with new weights; seed torch before. Raises ValueError for another name."""
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; known: {', '.join(NETWORKS)}")
    order = {"without": None, "pooled": "clean"}.get(network, network)
    model = recipe.with_values(passthrough=order).build(labels, anchors)
    if network == "pooled":
        model.squeeze = pool(model.squeeze)
    return model


def pool(squeeze: nn.Sequential) -> nn.Sequential:
    """In place of a 1x1 convolution and the passthrough: one with four times the channels, and 2x2 max pooling."""
    conv = squeeze[0][0]
    return nn.Sequential(ConvBlock(conv.in_channels, 4 * conv.out_channels, 1), nn.MaxPool2d(2))


def begin(model: YOLOv2, start: str) -> None:
    """Fills the layers that a start brings along: the trunk, and for "detector" the neck too; all others stay new."""
    if start == "classifier":
        load_trunk(TRUNK, model)
        return
    shipped = load_checkpoint(DETECTOR).model
    model.trunk.load_state_dict(shipped.trunk.state_dict())
    model.neck.load_state_dict(shipped.neck.state_dict())


def measure(model: YOLOv2, labels: LabelSpace, preprocess: Preprocess, tests: dict[str, Dataset]) -> Iterator[Row]:
    """A row for each test slice."""
    detector = Detector(model, labels, preprocess)
    for name, dataset in tests.items():
        result = evaluate(detector, dataset)
        values = result.coco | {"AP50": result.ap50, "recall": result.voc.mean_recall}
        yield {"slice": name} | {metric: round(values[metric], 4) for metric in METRICS}


def runs(seeds: Iterable[int], scenes: int = SCENES, tests: int = TESTS, images: int | None = None) -> Iterator[Run]:
    """The networks of each start for each seed. scenes, tests, images: smaller numbers for trials."""
    pictures = Cached(toytown.scenes(scenes))
    all_slices = toytown.test_slices(tests, keep=True)
    slices = {name: all_slices[name] for name in SLICES}
    anchors = toytown_recipe().find_anchors(pictures.sizes())

    def one(start: str, network: str, seed: int) -> Iterator[Row]:
        values = STARTS[start] | ({} if images is None else {"images": images})
        recipe = toytown_recipe().with_values(seed=seed, **values)
        torch.manual_seed(seed)
        model = build(network, recipe, pictures.labels, anchors)
        begin(model, start)
        trained = train(model, pictures, pictures.labels, recipe.train, device=best_device())
        for row in measure(model, pictures.labels, recipe.train.preprocess, slices):
            yield row | {"images": trained.seen, "seconds": round(trained.seconds, 1)}

    for seed in seeds:
        for start in STARTS:
            for network in STARTED[start]:
                key = {"start": start, "network": network, "seed": seed}
                yield Run(key, lambda key=key: one(**key))


def run(seeds: Iterable[int], out: Path = RESULTS, **trial: int) -> list[Row]:
    """Runs what `out` does not hold yet; `trial` as for `runs`."""
    return collect(out, runs(seeds, **trial))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    run(parser.parse_args().seeds)
