"""What notebook 09 measures, with several seeds: small classifiers of several designs, the same lesson for each.

    python -m yolocourse.studies.darknet19 --seeds 0 1 2        # about 5 minutes a seed on one core

There are two lessons, a short one and one three times as long. All networks are a quarter as wide as their originals,
have batch norm, and end as Darknet-19 does, in a 1x1 convolution and a global average: only the convolutions before
that differ. Rows go to data/results/darknet19.csv. A seed decides on the weights to begin with, the order of the
pictures and their augmentation; pictures and tests are always the same.
"""

import argparse
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import best_device
from yolocourse.engine.evaluate import classify
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification
from yolocourse.engine.train import train
from yolocourse.models import Classifier
from yolocourse.models.darknet19 import STAGES, scaled
from yolocourse.models.layers import ConvBlock
from yolocourse.models.yolov1 import STAGES as YOLO_STAGES
from yolocourse.studies.bench import count_operations
from yolocourse.studies.results import FOLDER, Row, Run, collect
from yolocourse.studies.shipped import WIDTH

RESULTS = FOLDER / "darknet19.csv"
SIZE, THINGS, TESTS = 64, 4_000, 540  # side of the pictures, pixels; pictures drawn to train on; drawn to test with
LESSONS = (8_000, 24_000)  # pictures to train on, repeats included; the notebook's own is the last

Stages = Sequence[Sequence[tuple[int, int]]]  # for each stage its convolutions: channels at width 1, and kernel
DARKNET: Stages = [[(wide, 1 if i % 2 else 3) for i, wide in enumerate(stage)] for stage in STAGES]
NETWORKS: dict[str, Stages] = {
    "Darknet-19": DARKNET,
    # its 1x1 convolutions left out: the wide 3x3 ones follow one another
    "without 1x1": [[each for each in stage if each[1] == 3] for stage in DARKNET],
    # its 1x1 convolutions made 3x3, with the same channels
    "all 3x3": [[(wide, 3) for wide, _ in stage] for stage in DARKNET],
    "YOLO's trunk": YOLO_STAGES,
    # VGG-16 up to its last convolution (Simonyan and Zisserman, table 1, column D)
    "VGG-16": [[(64, 3)] * 2, [(128, 3)] * 2, [(256, 3)] * 3, [(512, 3)] * 3, [(512, 3)] * 3],
}


def reach(stages: Stages) -> list[int]:
    """Side, in pixels, of the square of the picture that one value at the end of each stage sees.

    A kernel of k adds k - 1 steps to it, and a step is as many pixels as the map is coarse. Stages as in `Trunk`.
    """
    seen, step, ends = 1, 1, []
    for number, stage in enumerate(stages):
        if number:  # the pooling before the stage
            seen, step = seen + step, 2 * step
        for _, kernel in stage:
            seen, step = seen + (kernel - 1) * step, step * (2 if kernel == 7 else 1)
        ends.append(seen)
    return ends


class Trunk(nn.Module):
    """Convolutions in stages with a 2x2 max pooling between them: images (N, 3, H, W) -> (None, features).

    The pair is that of `Darknet19Trunk`, whose place it takes; there are no finer features. A 7x7 kernel, which only
    begins a network, has stride 2. Raises ValueError without stages.
    """

    def __init__(self, stages: Stages, width: float = 1.0):
        super().__init__()
        if not stages:
            raise ValueError("a trunk needs at least one stage of convolutions")
        channels, layers = 3, []
        for number, stage in enumerate(stages):
            layers += [nn.MaxPool2d(2)] if number else []
            for wide, kernel in stage:
                layers.append(ConvBlock(channels, scaled(wide, width), kernel, stride=2 if kernel == 7 else 1))
                channels = scaled(wide, width)
        self.layers, self.coarse_channels = nn.Sequential(*layers), channels

    def forward(self, images: Tensor) -> tuple[None, Tensor]:
        return None, self.layers(images)


def build(network: str, num_outputs: int, width: float = WIDTH) -> Classifier:
    """One of NETWORKS with new weights; seed torch before. Raises ValueError for another name."""
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; known: {', '.join(NETWORKS)}")
    config = {"builder": network, "num_outputs": num_outputs, "width": width}
    return Classifier(Trunk(NETWORKS[network], width), num_outputs, config)


def settings(images: int = LESSONS[-1], seed: int = 0) -> TrainSettings:
    """The lesson: small pictures, from new weights."""
    return TrainSettings(
        images=images, size=SIZE, batch_size=32, learning_rate=3e-3, warmup_images=max(1, images // 10),
        hue=0.03, saturation=1.3, exposure=1.3, seed=seed,
    )  # fmt: skip


def runs(
    seeds: Iterable[int], networks: Sequence[str] = tuple(NETWORKS), things: int = THINGS, tests: int = TESTS,
    lessons: Sequence[int] = LESSONS,
) -> Iterator[Run]:  # fmt: skip
    """Each network and lesson for each seed. Smaller numbers of pictures to draw and to train on are for trials."""
    pictures = Cached(toytown.things(things, size=SIZE))
    held_out = Cached(toytown.things(tests, size=SIZE, split="test"))

    def one(network: str, images: int, seed: int) -> Iterator[Row]:
        torch.manual_seed(seed)
        model, lesson, labels = build(network, len(pictures.labels)), settings(images, seed), pictures.labels
        trained = train(model, pictures, labels, lesson, task=Classification(labels), device=best_device())
        if trained.interrupted:  # half a lesson is no result
            raise KeyboardInterrupt
        result = classify(trained.model, held_out, lesson.preprocess)
        yield {
            "operations": round(count_operations(model, SIZE), 5),
            "weights": sum(p.numel() for p in model.parameters()),
            "top1": round(result.top1, 4),
            "top5": round(result.top5, 4),
            "seconds": round(trained.seconds, 1),
        }

    for seed, images, network in itertools.product(seeds, lessons, networks):
        key = {"network": network, "images": images, "seed": seed}
        yield Run(key, lambda key=key: one(**key))


def run(seeds: Iterable[int], out: Path = RESULTS, **trial) -> list[Row]:
    """Runs what `out` does not hold yet; `trial` as for `runs`."""
    return collect(out, runs(seeds, **trial))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    run(parser.parse_args().seeds)
