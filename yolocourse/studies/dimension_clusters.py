"""Notebook 05 over several seeds, data/results/dimension_clusters.csv: clusters against anchors picked by hand.

    python -m yolocourse.studies.dimension_clusters --seeds 0 1 2      # about 3 minutes a seed on two cores

Two experiments. "fit" is the paper's table 1 on Toy Town: the average IoU of sets of anchors, the seed choosing scenes
and starts. "training" gives two networks the same trunk, pictures and seed, and other anchors; there the scenes and the
clusters are always the same, and the seed decides on the new layers, the order of the pictures and their augmentation.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from yolocourse.anchors import PRESETS, average_iou, dimension_clusters
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import evaluate
from yolocourse.engine.log import History
from yolocourse.grid import Decoded, decode
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import TRUNK
from yolocourse.weights.checkpoint import load_trunk

RESULTS = FOLDER / "dimension_clusters.csv"
CELLS = 7  # of a picture's side: 224 pixels
SLICES = ("flock", "overlap", "aspect", "everyday")
# In cells, chosen without a look at the data: one square for each whole number of cells, and the nine of Faster R-CNN
# (section 3.3), three sizes, each twice the one before, in the proportions 1:2, 1:1 and 2:1.
SQUARES = tuple((side, side) for side in range(1, 6))
NINE = tuple((side * r**0.5, side / r**0.5) for side in (1, 2, 4) for r in (0.5, 1, 2))
# What is trained: anchors and pictures. The short runs are those of the notebook.
RUNS = (("clusters", 1_500), ("squares", 1_500), ("clusters", 4_000), ("squares", 4_000), ("VOC's", 4_000))


def anchors_of(name: str, sizes: Tensor) -> np.ndarray:
    """The anchors of a run (A, 2) in cells. sizes: of the training boxes, as shares of their pictures."""
    fixed = {"squares": SQUARES, "VOC's": PRESETS["voc"]}
    return np.array(fixed[name]) if name in fixed else toytown_recipe().find_anchors(sizes)


def squared_clusters(sizes: np.ndarray, k: int, seed: int = 0, restarts: int = 3) -> np.ndarray:
    """Ordinary k-means on box sizes (B, 2), with squared Euclidean distance ("Cluster SSE" of table 1): anchors (K, 2).

    Starts at boxes drawn by chance; of `restarts` starts the one with the least sum of squares is kept. A cluster that
    loses all its boxes stays where it was.
    """
    sizes = torch.as_tensor(np.asarray(sizes), dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    best, least = None, float("inf")
    for _ in range(restarts):
        anchors, before = sizes[torch.randperm(len(sizes), generator=generator)[:k]], None
        while before is None or not torch.equal(anchors, before):
            before, closest = anchors, torch.cdist(sizes, anchors).argmin(dim=1)
            counts = torch.bincount(closest, minlength=k)[:, None]
            sums = torch.zeros_like(anchors).index_add_(0, closest, sizes)
            anchors = torch.where(counts > 0, sums / counts.clamp(min=1), anchors)
        error = float(torch.cdist(sizes, anchors).amin(dim=1).square().sum())
        if error < least:
            best, least = anchors, error
    return best.numpy()


def fit(seed: int, scenes: int) -> Iterator[Row]:
    """Average IoU of each kind of anchors with the boxes of `scenes` training scenes, as in table 1 of the paper."""
    sizes = np.asarray(toytown.scenes(scenes, seed).sizes()) * CELLS
    sets = {
        "clusters, Euclidean": squared_clusters(sizes, 5, seed),
        "clusters, IoU": dimension_clusters(sizes, 5, seed).anchors,
        "by hand, squares": SQUARES,
        "by hand, nine": NINE,
        "clusters, IoU, nine": dimension_clusters(sizes, 9, seed).anchors,
    }
    for name, anchors in sets.items():
        yield {"anchors": name, "k": len(anchors), "average IoU": average_iou(sizes, anchors)}


def unstretched(anchors: np.ndarray) -> Callable[[Tensor], Decoded]:
    """Decoding that leaves every anchor as it is (tw = th = 0), to see what a network's stretching brings."""
    priors = torch.as_tensor(np.asarray(anchors), dtype=torch.float32)

    def decode_unstretched(raw: Tensor) -> Decoded:
        parts = raw.unflatten(1, (len(priors), -1)).clone()  # (N, A, 5+C, H, W)
        parts[:, :, 2:4] = 0
        return decode(parts.flatten(1, 2), priors.to(raw.device))

    return decode_unstretched


def training(anchors: np.ndarray, scenes: Dataset, tests: dict[str, Dataset], seed: int, images: int) -> Iterator[Row]:
    """A row for each test slice: how a network with these anchors does after `images` pictures.

    "recall in training": the share of things, over all of training, whose responsible box overlaps them by half.
    """
    recipe = toytown_recipe().with_values(images=images, seed=seed)
    torch.manual_seed(seed)
    model, history = recipe.build(scenes.labels, anchors), History()
    load_trunk(TRUNK, model)
    train(model, scenes, scenes.labels, recipe.train, on_step=history, device=best_device())
    learned = float(np.mean(history.values("recall")))
    detector, fixed = (
        Detector(model, scenes.labels, recipe.train.preprocess, decode=how, device=best_device())
        for how in (None, unstretched(anchors))
    )
    for slice, dataset in tests.items():
        found = evaluate(detector, dataset)
        row = {"slice": slice, "average IoU": average_iou(np.asarray(dataset.sizes()) * CELLS, anchors)}
        row |= {"AP50": found.ap50, "recall": found.voc.mean_recall, "AP75": found.coco["AP75"]}
        row |= {"AP": found.coco["AP"], "AP50 unstretched": evaluate(fixed, dataset).ap50}
        yield {"k": len(anchors)} | row | {"recall in training": learned}


def study(
    seeds: Iterable[int], out: Path = RESULTS, scenes: int = 1000, tests: int = 100, runs: Sequence = RUNS
) -> list[Row]:
    """Both experiments; what the file has already is not done again. scenes, tests, runs: fewer for trials."""
    drawn: list = []

    def training_rows(name: str, seed: int, images: int) -> Iterator[Row]:
        if not drawn:  # not before it is known that something is left to do
            slices = toytown.test_slices(tests, keep=True)
            drawn.extend([Cached(toytown.scenes(scenes)), {name: slices[name] for name in SLICES}])
        return training(anchors_of(name, drawn[0].sizes()), *drawn, seed, images)

    todo = []
    for seed in seeds:
        todo.append(Run({"experiment": "fit", "seed": seed}, lambda seed=seed: fit(seed, scenes)))
        for name, images in runs:
            key = {"experiment": "training", "anchors": name, "images": images, "seed": seed}
            todo.append(Run(key, partial(training_rows, name, seed, images)))
    return collect(out, todo)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    study(parser.parse_args().seeds)
