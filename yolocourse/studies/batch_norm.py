"""What notebook 02 measures, with several seeds: learning rates with and without batch norm, dropout, seconds a step.

    python -m yolocourse.studies.batch_norm --seeds 0 1 2      # about 10 minutes on two cores

A seed decides on the first weights and on the order of the pictures; pictures, scenes and tests are always the same.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from yolocourse import grid_yolov1
from yolocourse.datasets import toytown
from yolocourse.datasets.batch import collate
from yolocourse.datasets.loading import Cached, Seeded
from yolocourse.datasets.transforms import train_transform
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import classify, evaluate
from yolocourse.engine.log import History
from yolocourse.engine.loop import NotFiniteError
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification
from yolocourse.losses_yolov1 import YOLOv1Loss
from yolocourse.models import Darknet19
from yolocourse.models.yolov1 import YOLOv1, yolov1
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import TRUNK, WIDTH
from yolocourse.weights.checkpoint import load_trunk

RESULTS = FOLDER / "batch_norm.csv"
NAMES = {False: "without", True: "with"}

# ------------------------------------------------------------------------------------------------------ learning rates

RATES = (0.005, 0.02, 0.1)
THINGS, TEST_THINGS, NARROW = 1500, 540, 0.125  # pictures, and the classifier's width
CLASSIFIER = TrainSettings(
    images=6_000, batch_size=16, size=64, optimizer="sgd", warmup_images=500, jitter=0.1, precision="float32"
)


def at_rate(things: Dataset, tests: Dataset, batch_norm: bool, settings: TrainSettings) -> Iterator[Row]:
    """Trains the classifier; one row: the loss at the end, top-1 on new pictures, and whether it came to the end."""
    torch.manual_seed(settings.seed)
    model, history, finished = Darknet19(len(things.labels), NARROW, batch_norm), History(), 1
    task = Classification(things.labels)
    try:
        train(model, things, things.labels, settings, task=task, on_step=history, device=best_device())
    except NotFiniteError:
        finished = 0
    loss = history.smooth("total")[-1] if finished else math.nan
    right = classify(model.eval(), tests, settings.preprocess).top1 if finished else math.nan
    yield {"finished": finished, "loss": loss, "top1": right}


# -------------------------------------------------------------------------------------------------------------- dropout

KINDS = [(batch_norm, dropout) for batch_norm in (False, True) for dropout in (0.5, 0.0)]
SCENES, VERSIONS, TESTS, PROBES = 500, 2, 150, 200
IMAGES, BATCH, RATE, LOOKS = 5_000, 32, 1.4e-3, 10


class Lessons(NamedTuple):
    """What a fixed trunk makes of M pictures, and what is in them, with B boxes at most."""

    features: Tensor  # (M, K, 7, 7)
    boxes: Tensor  # (M, B, 4) xyxy in pixels, padded with 0
    labels: Tensor  # (M, B), -1 on padding and on what is too hard to see

    def pick(self, which: Tensor | slice) -> "Lessons":
        return Lessons(*(each[which] for each in self))


@torch.no_grad()
def look(trunk: nn.Module, scenes: Dataset, versions: int = 0) -> Lessons:
    """Lets the trunk look at all scenes once: as they are, or at `versions` of each, moved and mirrored at random."""
    jitter, flip = (0.2, 0.5) if versions else (0.0, 0.0)
    change = train_transform(224, jitter, hue=0, saturation=1, exposure=1, flip=flip)
    pictures, device, parts = Seeded(scenes, change), next(trunk.parameters()).device, []
    trunk.eval()
    for epoch in range(max(versions, 1)):
        pictures.set_epoch(epoch)
        for start in range(0, len(scenes), 50):
            batch = collate([pictures[i] for i in range(start, min(start + 50, len(scenes)))]).to(device)
            images = batch.inputs().contiguous(memory_format=torch.channels_last)
            labels = batch.labels.masked_fill(batch.difficult, -1)
            parts.append(Lessons(trunk(images)[1].contiguous(), batch.boxes, labels))
    most = max(part.labels.shape[1] for part in parts)
    rooms = [most - part.labels.shape[1] for part in parts]
    return Lessons(
        torch.cat([part.features for part in parts]),
        torch.cat([F.pad(part.boxes, (0, 0, 0, room)) for part, room in zip(parts, rooms, strict=True)]),
        torch.cat([F.pad(part.labels, (0, room), value=-1) for part, room in zip(parts, rooms, strict=True)]),
    )


def lesson_loss(network: YOLOv1, lessons: Lessons) -> Tensor:
    """YOLO's loss per picture, from features that the trunk has seen before."""
    raw = network.head(network.neck(lessons.features)).unflatten(1, (7, 7, -1))  # (M, 7, 7, 2*5 + C)
    return YOLOv1Loss(network.num_outputs)(raw, lessons.boxes, lessons.labels).total / len(lessons.features)


@torch.no_grad()
def probe(network: YOLOv1, lessons: Lessons) -> float:
    """The loss on some lessons, as the network is used: nothing dropped, running statistics."""
    network.eval()
    return lesson_loss(network, lessons.pick(slice(PROBES))).item()


def rate_at(share: float, rate: float = RATE) -> float:
    """Learning rate after a share of the training: it climbs for a twentieth, then falls to 0 along a cosine."""
    return rate * min(1, share / 0.05) * (1 + math.cos(math.pi * share)) / 2


def train_head(network: YOLOv1, lessons: Lessons, seed: int, images: int = IMAGES,
               on_look: Callable[[int], None] = lambda seen: None, looks: int = LOOKS) -> None:  # fmt: skip
    """Trains neck and head in place; `on_look` is called that often, with the pictures seen so far."""
    optimizer = torch.optim.AdamW([*network.neck.parameters(), *network.head.parameters()], weight_decay=5e-4)
    generator, steps = torch.Generator().manual_seed(seed), max(images // BATCH, looks)
    torch.manual_seed(seed)  # what is dropped
    for step in range(1, steps + 1):
        network.neck.train(), network.head.train()
        optimizer.param_groups[0]["lr"] = rate_at(step / steps)
        chosen = torch.randint(len(lessons.features), (BATCH,), generator=generator)
        loss = lesson_loss(network, lessons.pick(chosen.to(lessons.features.device)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step * looks // steps > (step - 1) * looks // steps:
            on_look(step * BATCH)


def new_head(trunk: nn.Module, classes: int, batch_norm: bool, dropout: float, seed: int) -> YOLOv1:
    """A YOLO with new neck and head on a trunk that is there already."""
    torch.manual_seed(seed)
    network = yolov1(classes, WIDTH, dropout, batch_norm)
    network.trunk = trunk
    return network.to(next(trunk.parameters()).device)


def with_dropout(trunk: nn.Module, lessons: Lessons, fresh: Lessons, tests: Dataset,
                 batch_norm: bool, dropout: float, seed: int, images: int = IMAGES) -> Iterator[Row]:  # fmt: skip
    """A row for each look at the losses, old scenes and new ones; the last one also has AP50 and recall."""
    network, looks = new_head(trunk, len(tests.labels), batch_norm, dropout, seed), []

    def on_look(seen: int) -> None:
        looks.append({"images": seen, "loss": probe(network, lessons), "test_loss": probe(network, fresh)})

    train_head(network, lessons, seed, images, on_look)
    detector = Detector(network, tests.labels, toytown_recipe().train.preprocess, decode=grid_yolov1.decode)
    result = evaluate(detector, tests)
    yield from looks[:-1]
    yield looks[-1] | {"AP50": result.ap50, "recall": result.voc.mean_recall}


# ---------------------------------------------------------------------------------------------------------------- speed

ROUNDS = 8


def seconds_a_step(networks: dict[object, YOLOv1], rounds: int = ROUNDS, batch: int = 8) -> dict[object, float]:
    """Median seconds of a training step of whole networks, measured in turns, so that a busy moment hits all alike."""
    device = next(next(iter(networks.values())).parameters()).device
    images = torch.rand(batch, 3, 224, 224, device=device).contiguous(memory_format=torch.channels_last)
    boxes, labels = torch.tensor([[[40.0, 60, 120, 150]]] * batch), torch.zeros(batch, 1, dtype=torch.long)
    boxes, labels = boxes.to(device), labels.to(device)
    optimizers = {name: torch.optim.AdamW(network.parameters(), lr=1e-5) for name, network in networks.items()}
    times: dict[object, list[float]] = {name: [] for name in networks}
    for _ in range(rounds + 1):
        for name, network in networks.items():
            began = time.perf_counter()
            loss = YOLOv1Loss(network.num_outputs)(network.train()(images), boxes, labels).total
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - began)
    return {name: median(each[1:]) for name, each in times.items()}  # the first round is for warming up


def speed(classes: int, seed: int, rounds: int = ROUNDS) -> Iterator[Row]:
    """A row for each kind of network: seconds of a step."""
    torch.manual_seed(seed)
    networks = {kind: yolov1(classes, WIDTH, kind[1], kind[0]).to(best_device()) for kind in KINDS}
    for (batch_norm, dropout), seconds in seconds_a_step(networks, rounds).items():
        yield {"batch_norm": NAMES[batch_norm], "dropout": dropout, "seconds": seconds}


# ------------------------------------------------------------------------------------------------------------- together


def runs(
    seeds: Iterable[int], scenes: int = SCENES, images: int = IMAGES, things: int = THINGS,
    classifier_images: int = CLASSIFIER.images, tests: int = TESTS, rounds: int = ROUNDS,
) -> Iterator[Run]:  # fmt: skip
    """All runs; the numbers are smaller in trials."""
    pictures, new_things = (
        Cached(toytown.things(count, size=CLASSIFIER.size, split=split))
        for count, split in ((things, "train"), (min(things, TEST_THINGS), "test"))
    )
    street, new_scenes = Cached(toytown.scenes(scenes)), Cached(toytown.scenes(tests, split="test"))
    pretrained = yolov1(len(street.labels), WIDTH)
    load_trunk(TRUNK, pretrained)
    trunk = pretrained.trunk.to(best_device())
    lessons, fresh = look(trunk, street, VERSIONS), look(trunk, new_scenes)
    for seed in seeds:
        for batch_norm in (False, True):
            for rate in RATES:
                settings = replace(CLASSIFIER, learning_rate=rate, seed=seed, images=classifier_images)
                key = {"experiment": "rates", "batch_norm": NAMES[batch_norm], "rate": rate, "seed": seed}
                yield Run(key, partial(at_rate, pictures, new_things, batch_norm, settings))
        for batch_norm, dropout in KINDS:
            key = {"experiment": "dropout", "batch_norm": NAMES[batch_norm], "dropout": dropout, "seed": seed}
            work = partial(with_dropout, trunk, lessons, fresh, new_scenes, batch_norm, dropout, seed, images)
            yield Run(key, work)
        yield Run({"experiment": "speed", "seed": seed}, partial(speed, len(street.labels), seed, rounds))


def run(seeds: Iterable[int], out: Path = RESULTS, **sizes: int) -> list[Row]:
    return collect(out, runs(seeds, **sizes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    run(parser.parse_args().seeds)
