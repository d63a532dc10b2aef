"""What notebook 06 measures, with five seeds: where boxes are early in training, by each location formula.

    python -m yolocourse.studies.direct_location --seeds 0 1 2 3 4      # about 20 minutes on two cores

The two networks of a pair begin with the same weights and see the same pictures; only the formula of the centre
differs. A seed decides on the new layers, the order of the pictures and their augmentation. Scenes and tests are always
the same.
"""

import argparse
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from yolocourse.boxes import cxcywh_to_xyxy, pairwise_iou
from yolocourse.datasets import toytown
from yolocourse.datasets.batch import Batch, collate
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import evaluate
from yolocourse.engine.loop import NotFiniteError, StepReport
from yolocourse.grid import assign, cell_of, decode_cells, split, to_cells
from yolocourse.labels import LabelSpace
from yolocourse.losses import DetectionLoss, LossTerms
from yolocourse.models import YOLOv2
from yolocourse.recipes import Recipe
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import TRUNK
from yolocourse.weights.checkpoint import load_trunk

RESULTS = FOLDER / "direct_location.csv"
LOCATIONS = ("sigmoid", "offset")
SIZE = 160  # side of the network's input, pixels: 5 x 5 cells, half the work of the recipe's 224
IMAGES = 2_000  # pictures of a run; the learning rate climbs during the first 800 and ends at zero
EVERY = 10  # steps of 8 pictures between two looks
AP_AFTER = (480, 960, 2_000, 4_000)  # pictures, where it is time for a look then; and at the end
LONGER = 8_000
PROBES, TESTS = 16, 60  # scenes that are looked at, and that AP50 is measured on
HIGH_RATE = 5e-3
SGD_RATE = 3e-3  # three times the paper's: the sigmoid then learns about as much in so short a run as with AdamW


class Condition(NamedTuple):
    """How a pair of runs begins, and how fast it learns."""

    ordinary: bool = True  # the head starts like every other layer, and nothing pulls boxes to their anchors
    rate: float = 1.4e-3  # the recipe's
    optimizer: str = "adamw"  # the recipe's; "sgd" is the paper's
    pretrained: bool = True  # the trunk that comes with the course; False: random weights
    centre: float = 1.0  # weight of the centre in the loss
    images: int = IMAGES
    every: int = EVERY
    locations: tuple[str, ...] = LOCATIONS


CONDITIONS = {
    "ordinary": Condition(),
    "ordinary, SGD": Condition(rate=SGD_RATE, optimizer="sgd"),
    "ordinary, high rate": Condition(rate=HIGH_RATE),
    "ordinary, random trunk": Condition(pretrained=False),
    "careful": Condition(ordinary=False),
    # Around the middle of a cell the sigmoid's slope is 1/4, so a step of gradient descent moves a centre 1/16 as far.
    "careful, centre x 16": Condition(ordinary=False, centre=16, locations=("sigmoid",)),
    "careful, longer": Condition(ordinary=False, images=LONGER, every=5 * EVERY),
}


class Look(NamedTuple):
    """Where a network's responsible boxes are on a batch; K truths with a responsible box."""

    centres: Tensor  # (K, 2) predicted, in cells
    iou: float  # mean overlap with the truths
    outside_cell: float  # share of centres outside the cell that is responsible
    outside_picture: float
    error: float  # mean distance to the true centres, in cells


@torch.no_grad()
def look(model: YOLOv2, batch: Batch) -> Look:
    """Looks at the responsible boxes of a batch; leaves the model in the mode in which it was."""
    device, training = model.anchors.device, model.training
    raw = model.eval()(batch.inputs().to(device)).cpu()  # (N, A*(5+C), H, W)
    model.train(training)
    anchors, (h, w) = model.anchors.cpu(), raw.shape[-2:]
    boxes = decode_cells(split(raw, len(anchors), model.location), anchors, model.location)  # (N, A, H, W, 4)
    truth = to_cells(batch.boxes, model.stride)  # (N, B, 4)
    found = assign(truth, batch.labels >= 0, anchors, h, w)
    mine = boxes.flatten(0, 3)[found.index][found.responsible]  # (K, 4)
    truth = truth.flatten(0, 1)[found.responsible]  # (K, 4)
    centres = mine[:, :2]
    row, column = cell_of(truth, h, w)
    within = centres - torch.stack([column, row], dim=1)
    return Look(
        centres,
        float(pairwise_iou(cxcywh_to_xyxy(mine), cxcywh_to_xyxy(truth)).mean()),
        _share((within < 0) | (within > 1)),
        _share((centres < 0) | (centres > centres.new_tensor([w, h]))),
        float((centres - truth[:, :2]).norm(dim=1).mean()),
    )


def _share(beyond: Tensor) -> float:
    """How many of the rows (K, 2) are beyond in one direction at least."""
    return float(beyond.any(dim=1).float().mean())


class Watch:
    """A callback for training: looks at the network before, and then every `every` steps, on the same pictures.

    rows: one for each look: pictures seen, loss since the last look, the numbers of `Look`, and `moved`, how far the
    centres went since then, in cells (a mean). centres: (K, 2) of each look.
    """

    def __init__(self, model: YOLOv2, batch: Batch, every: int = EVERY):
        self.model, self.batch, self.every = model, batch, every
        self.rows: list[Row] = []
        self.centres: list[Tensor] = []
        self.losses: list[float] = []
        self.note(0)

    def __call__(self, report: StepReport) -> None:
        self.losses.append(report.terms["total"])
        if report.step % self.every == 0:
            self.note(report.seen)

    def note(self, seen: int) -> None:
        found = look(self.model, self.batch)
        moved = float((found.centres - self.centres[-1]).norm(dim=1).mean()) if self.centres else math.nan
        loss = sum(self.losses) / len(self.losses) if self.losses else math.nan
        self.centres.append(found.centres)
        self.losses.clear()
        numbers = found._asdict() | {"moved": moved}
        del numbers["centres"]
        self.rows.append({"seen": seen, "loss": loss} | numbers)


def recipe_of(condition: Condition, location: str, seed: int) -> Recipe:
    """The course's recipe for Toy Town under a condition; without the pull to anchors where the start is ordinary."""
    recipe = toytown_recipe().with_values(location=location, size=SIZE, images=condition.images, seed=seed)
    recipe = recipe.with_values(learning_rate=condition.rate, optimizer=condition.optimizer)
    return recipe.with_values(anchor_warmup_images=0) if condition.ordinary else recipe


def start(condition: Condition, recipe: Recipe, scenes: Dataset) -> YOLOv2:
    """The network before training; the same weights for both locations."""
    anchors = recipe.find_anchors(scenes.sizes())
    torch.manual_seed(recipe.train.seed)
    model = recipe.build(scenes.labels, anchors)
    if condition.pretrained:
        load_trunk(TRUNK, model)
    if condition.ordinary:
        ordinary_head(model)
    return model


def ordinary_head(model: YOLOv2) -> None:
    """Draws the head's weights as those of the other layers are drawn: as large as keeps the size of what goes in.

    The package's own head starts with much smaller ones, so that every box begins on its anchor.
    """
    nn.init.kaiming_normal_(model.head.weight, nonlinearity="relu")


def rows_of(name: str, location: str, seed: int, scenes: Dataset, probe: Batch, tests: Dataset) -> Iterator[Row]:
    """One run: a row for each look, some of them with AP50 and recall. Ends early where the loss is not finite."""
    condition = CONDITIONS[name]
    recipe = recipe_of(condition, location, seed)
    model = start(condition, recipe, scenes).to(best_device())
    watch = Watch(model, probe, condition.every)
    detector = Detector(model, scenes.labels, recipe.train.preprocess)

    def step_done(report: StepReport) -> None:
        watch(report)
        looked = watch.rows[-1]["seen"] == report.seen
        if looked and (report.seen in AP_AFTER or report.progress >= 1):
            result = evaluate(detector, tests)
            watch.rows[-1] |= {"AP50": result.ap50, "recall": result.voc.mean_recall}

    try:
        loss = criterion_of(condition, model, recipe, scenes.labels)
        train(model, scenes, scenes.labels, recipe.train, criterion=loss, on_step=step_done, device=best_device())
    except NotFiniteError as error:
        print(f"{name}, {location}, seed {seed}: {error}")
    empty = {"AP50": math.nan, "recall": math.nan}
    yield from (empty | row for row in watch.rows)


def criterion_of(condition: Condition, model: YOLOv2, recipe: Recipe, labels: LabelSpace) -> Callable:
    """The detection loss, its centre term weighted as the condition says."""
    loss = DetectionLoss(model.anchors, labels, recipe.train.loss, model.stride, model.location)

    def weighted(*batch) -> LossTerms:
        terms = loss(*batch)
        more = (condition.centre - 1) * terms.xy
        return terms._replace(xy=terms.xy + more, total=terms.total + more)

    return weighted


def probe_batch(count: int = PROBES) -> Batch:
    """The scenes that are looked at during training; nothing is ever trained on them."""
    scenes = Cached(toytown.scenes(count, size=SIZE, split="val"))
    return collate([scenes[i] for i in range(count)])


def run(
    seeds: Iterable[int],
    names: Iterable[str] = tuple(CONDITIONS),
    out: Path = RESULTS,
    scenes: int = 1000,
    probes: int = PROBES,
    tests: int = TESTS,
) -> list[Row]:
    """Does what the file does not have yet; returns all rows. scenes, probes, tests: how many, for trials."""
    pictures, probe = Cached(toytown.scenes(scenes)), probe_batch(probes)
    everyday = toytown.test_slices(tests, keep=True)["everyday"]
    runs = [
        Run(
            {"condition": name, "location": location, "seed": seed},
            partial(rows_of, name, location, seed, pictures, probe, everyday),
        )
        for seed in seeds
        for name in names
        for location in CONDITIONS[name].locations
    ]
    return collect(out, runs)


def settled(rows: Iterable[Row], column: str = "outside_cell", limit: float = 0.25) -> float:
    """Pictures after which a run's column stays at or under a limit; infinite where its last row is still above."""
    since = 0.0
    for row in sorted(rows, key=lambda row: row["seen"]):
        if row[column] > limit:
            since = math.inf
        elif since == math.inf:
            since = row["seen"]
    return since


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2, 3, 4))
    parser.add_argument("--conditions", nargs="+", choices=tuple(CONDITIONS), default=tuple(CONDITIONS))
    options = parser.parse_args()
    run(options.seeds, options.conditions)
