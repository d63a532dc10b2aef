"""What notebook 04 measures, with several seeds: YOLO's head against convolution and anchors, results/anchor_boxes.csv.

    python -m yolocourse.studies.anchor_boxes --seeds 0 1 2        # about 3 minutes a seed on two cores

The paper takes two steps at once: convolution instead of fully connected layers, and anchors instead of coordinates.
Here they come one at a time, all on the same trained trunk and with the same budget:

- "connected": YOLO's head, 98 boxes, one list of classes for each cell;
- "convolutional": the same 98 boxes with the same meaning and the same loss, but predicted by convolution;
- "one list": five anchors picked by hand, 245 boxes, still one list of classes for each cell;
- "anchors": the same with a list of classes for each box.

The centre of a box goes through a sigmoid in both networks with anchors (notebook 06 is about the other formula), and
there is no passthrough (notebook 07). In the table, "recall" is the mean over the classes and "found" the share of all
things; "misnamed" counts good boxes with a wrong name, see `share_misnamed`. A seed decides on new layers, order and
augmentation; scenes and tests are always the same.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from yolocourse import grid_yolov1
from yolocourse.anchors import HAND_PICKED
from yolocourse.boxes import iou
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import detect_all
from yolocourse.labels import LabelSpace
from yolocourse.losses_yolov1 import YOLOv1Loss
from yolocourse.metrics import VocResult, voc_ap
from yolocourse.models.layers import ConvBlock
from yolocourse.models.yolov1 import FIRST_ROOTS, PREDICTORS, YOLOv1, yolov1
from yolocourse.recipes import Recipe
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import TRUNK, WIDTH
from yolocourse.weights.checkpoint import load_trunk

RESULTS = FOLDER / "anchor_boxes.csv"
NETWORKS = ("connected", "convolutional", "one list", "anchors")
SLICES = ("flock", "overlap", "everyday")
SCENES, TESTS = 1000, 60  # training scenes; test scenes of a slice
IMAGES = 2_400  # training pictures, repeats included


class CellOutputs(nn.Module):
    """What a 1x1 convolution puts out, in the order of YOLO's last layer: (N, K, H, W) -> (N, H*W*K)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)  # (N, H, W, K) -> (N, H*W*K)


def convolutional_yolo(num_outputs: int) -> YOLOv1:
    """YOLO whose two fully connected layers are a 3x3 and a 1x1 convolution: the same weights for each cell."""
    model = yolov1(num_outputs, WIDTH, dropout=0)
    channels = model.trunk.coarse_channels
    last = nn.Conv2d(channels, PREDICTORS * 5 + num_outputs, 1)
    nn.init.normal_(last.weight, std=0.01)
    start = [value for root in FIRST_ROOTS for value in (0.5, 0.5, root, root, 0.0)] + [1 / num_outputs] * num_outputs
    with torch.no_grad():
        last.bias.copy_(torch.tensor(start))  # as YOLO's last layer starts, see `models.yolov1`
    model.head = nn.Sequential(ConvBlock(channels, channels), last, CellOutputs())
    return model


class OneList(nn.Module):
    """A head of YOLOv2 whose boxes share one list of classes in each cell: the mean of the lists of its anchors."""

    def __init__(self, head: nn.Conv2d, anchors: int):
        super().__init__()
        self.conv, self.anchors, self.out_channels = head, anchors, head.out_channels

    def forward(self, x: Tensor) -> Tensor:
        raw = self.conv(x).unflatten(1, (self.anchors, -1))  # (N, A, 5+C, H, W)
        classes = raw[:, :, 5:]
        shared = classes.mean(dim=1, keepdim=True).expand_as(classes)
        return torch.cat([raw[:, :, :5], shared], dim=2).flatten(1, 2)  # (N, A*(5+C), H, W)


def recipe_for(seed: int, images: int = IMAGES) -> Recipe:
    """How all networks of this study are trained; anchors by hand, no passthrough."""
    return toytown_recipe().with_values(images=images, seed=seed, anchors=HAND_PICKED, passthrough=None)


def build(network: str, recipe: Recipe, labels: LabelSpace) -> nn.Module:
    """One of NETWORKS with new weights; seed torch before. Raises ValueError for another name."""
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; known: {', '.join(NETWORKS)}")
    if network == "connected":
        return yolov1(len(labels), WIDTH, dropout=0)
    if network == "convolutional":
        return convolutional_yolo(len(labels))
    model = recipe.build(labels, HAND_PICKED)
    if network == "one list":
        model.head = OneList(model.head, len(HAND_PICKED))
    return model


def way_of(network: str, labels: LabelSpace) -> tuple[Callable | None, Callable | None]:
    """The loss and the decoding of one of NETWORKS; None for those of YOLOv2, which are the package's defaults."""
    if network in ("connected", "convolutional"):
        return YOLOv1Loss(len(labels)), grid_yolov1.decode
    return None, None


def share_found(result: VocResult) -> float:
    """Share of all things that were found, 0 to 1, whatever their class.

    The usual recall is a mean over classes. Where a slice has hundreds of birds and one bicycle, that one bicycle
    counts as much as all the birds.
    """
    return float(np.nansum(result.recall * result.num_truths) / result.num_truths.sum())


def share_misnamed(predictions: Sequence[dict], targets: Sequence[dict]) -> float:
    """Share of the best boxes that lie on a thing (IoU of at least 0.5), but only on one of another class; 0 to 1.

    predictions, targets: as for `metrics.voc_ap`. The best boxes: as many as there are things in all pictures together.
    """
    scores, wrong = [], []
    for prediction, target in zip(predictions, targets, strict=True):
        fits = iou(prediction["boxes"], target["boxes"].as_subclass(Tensor)) >= 0.5  # (K, B)
        named = prediction["labels"][:, None] == target["labels"]
        wrong.append(fits.any(dim=1) & ~(fits & named).any(dim=1))
        scores.append(prediction["scores"])
    best = torch.cat(scores).argsort(descending=True)[: sum(len(target["boxes"]) for target in targets)]
    return float(torch.cat(wrong)[best].float().mean())


def runs(seeds: Iterable[int], scenes: int = SCENES, tests: int = TESTS, images: int = IMAGES) -> Iterator[Run]:
    """Each network for each seed. Smaller numbers of scenes, tests and training pictures are for trials."""
    pictures = Cached(toytown.scenes(scenes))
    slices: dict[str, Dataset] = {name: toytown.test_slices(tests, keep=True)[name] for name in SLICES}
    labels = pictures.labels

    def one(network: str, seed: int) -> Iterator[Row]:
        recipe = recipe_for(seed, images)
        torch.manual_seed(seed)
        model = build(network, recipe, labels)
        load_trunk(TRUNK, model)
        loss, decode = way_of(network, labels)
        trained = train(model, pictures, labels, recipe.train, criterion=loss, device=best_device())
        detector = Detector(model, labels, recipe.train.preprocess, decode=decode)
        for name, dataset in slices.items():
            found, targets, _ = detect_all(detector, dataset)
            predictions = [{"boxes": f.boxes, "scores": f.scores, "labels": f.labels} for f in found]
            result = voc_ap(predictions, targets, len(labels))
            yield {
                "slice": name,
                "AP50": round(result.mean, 4),
                "recall": round(result.mean_recall, 4),
                "found": round(share_found(result), 4),
                "misnamed": round(share_misnamed(predictions, targets), 4),
                "images": trained.seen,
                "seconds": round(trained.seconds, 1),
            }

    for seed in seeds:
        for network in NETWORKS:
            yield Run({"network": network, "seed": seed}, lambda network=network, seed=seed: one(network, seed))


def run(seeds: Iterable[int], out: Path = RESULTS, **trial) -> list[Row]:
    """Runs what `out` does not hold yet; `trial` as for `runs`."""
    return collect(out, runs(seeds, **trial))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    run(parser.parse_args().seeds)
