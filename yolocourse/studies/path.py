"""The path from YOLO to YOLOv2, one step at a time: the paper's table 2, redone on Toy Town (YOLO9000, section 2).

    yolocourse path                      # eight steps, five seeds: data/results/path.csv, a few hours on two cores
    yolocourse path --table              # what the file says so far; --figure FILE draws it

Each step is the one before with one thing changed. Everything else is the same for all: the training scenes and their
order, the augmentation, the number of pictures that the classifier and the detector are trained on, the test scenes. A
seed decides on the first weights, the order and the augmentation. Interrupted, it goes on where it was.

Scenes are drawn at the largest size that a step uses, and made smaller for the others, so that a larger input shows
more and not merely larger pixels, as with photographs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from yolocourse import grid_yolov1
from yolocourse.anchors import HAND_PICKED
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import evaluate
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.tasks import Classification
from yolocourse.engine.train import MODEL, Trained
from yolocourse.losses import DetectionLoss
from yolocourse.losses_yolov1 import YOLOv1Loss
from yolocourse.models import CLASSIFIERS
from yolocourse.models.yolov1 import yolov1
from yolocourse.preprocess import Preprocess
from yolocourse.recipes import Recipe
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.bench import count_operations
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.weights.checkpoint import load_trunk, save_checkpoint

RESULTS = FOLDER / "path.csv"
WORK = FOLDER.parents[1] / "runs" / "path"  # classifiers and detectors of the runs, not kept in git
WIDTH = 0.25
# With and without batch norm, each the best of those tried: 20,000 pictures of 96 pixels, YOLO's trunk. Without it,
# 1e-3 learned nothing (top-1 0.06, 3e-4: 0.43; SGD at 1e-2: 0.24); with it, 1e-3 reached 0.95.
CLASSIFIER_RATES = {True: 1e-3, False: 3e-4}
MEASURES = ("AP50", "AP", "recall", "AP_small")


@dataclass(frozen=True)
class Step:
    """One network of table 2 and how it is trained. What a step leaves out is as in the step before."""

    name: str
    title: str
    paper: float  # mAP on VOC 2007, table 2
    batch_norm: bool = False
    dropout: float = 0.5
    high_resolution: bool = False  # the classifier's last pictures come at the detector's size
    head: str = "connected"  # fully connected, or "anchors"
    trunk: str = "yolov1"
    clusters: bool = False  # anchors from k-means and sigmoid for the centre; else by hand, and offsets
    passthrough: str | None = None
    multi_scale: bool = False
    larger: bool = False  # tested on a larger input, with the weights of the step before


def _steps() -> tuple[Step, ...]:
    steps = [Step("yolo", "YOLO", 63.4)]

    def then(name: str, title: str, paper: float, **change) -> None:
        steps.append(replace(steps[-1], name=name, title=title, paper=paper, **change))

    then("batch_norm", "+ batch norm, - dropout", 65.8, batch_norm=True, dropout=0.0)
    then("high_resolution", "+ high-resolution classifier", 69.5, high_resolution=True)
    then("anchors", "+ convolutional, anchors by hand", 69.2, head="anchors")
    then("darknet19", "+ Darknet-19", 69.6, trunk="darknet19")
    then("clusters", "+ dimension clusters, direct location", 74.4, clusters=True)
    then("passthrough", "+ passthrough", 75.4, passthrough="darknet")
    then("multi_scale", "+ multi-scale", 76.8, multi_scale=True)
    then("larger", "+ larger test size", 78.6, larger=True)
    return tuple(steps)


STEPS = _steps()


@dataclass(frozen=True)
class Budget:
    """How much of everything a run gets; the same for all steps."""

    scenes: int = 4_000  # with boxes, to train on
    detector_images: int = 8_000
    things: int = 5_000  # pictures of one thing each, for the classifier
    classifier_images: int = 24_000
    fine_tune_images: int = 4_000  # of them, the last ones, at the detector's size where the step says so
    small: int = 96  # sides in pixels: the classifier's,
    size: int = 224  # the detector's,
    sizes: tuple[int, ...] = (160, 192, 224, 256, 288)  # multi-scale training's; scenes are drawn at the largest,
    large: int = 288  # the last step's
    tests: int = 60  # scenes of each slice
    mix: int = 200  # scenes drawn like the training ones: the numbers of the table


class Material:
    """The pictures that all runs share, drawn when first asked for."""

    def __init__(self, budget: Budget):
        self.budget = budget

    @cached_property
    def scenes(self) -> Cached:
        return Cached(toytown.scenes(self.budget.scenes, size=max(self.budget.sizes)))

    @cached_property
    def small_things(self) -> Cached:
        return Cached(toytown.things(self.budget.things, size=self.budget.small))

    @cached_property
    def large_things(self) -> Cached:
        """The same things as the first of the small ones, drawn at the detector's size."""
        count = min(self.budget.things, self.budget.fine_tune_images)
        return Cached(toytown.things(count, size=self.budget.size))

    @cached_property
    def tests(self) -> dict[str, Cached]:
        """The test slices, and "mix": scenes as in training."""
        side = max(self.budget.sizes)
        slices = dict(toytown.test_slices(self.budget.tests, size=side))
        slices["mix"] = toytown.scenes(self.budget.mix, size=side, split="test")
        return {name: Cached(dataset) for name, dataset in slices.items()}


# --------------------------------------------------------------------------------------------------------- one run


def classifier_settings(step: Step, budget: Budget, seed: int, fine_tuning: bool) -> TrainSettings:
    """Small pictures in batches of 16; then the fine-tuning, with a tenth of the learning rate."""
    images = budget.fine_tune_images if fine_tuning else budget.classifier_images - budget.fine_tune_images
    rate = CLASSIFIER_RATES[step.batch_norm] / (10 if fine_tuning else 1)
    return TrainSettings(
        images=images, size=budget.size if fine_tuning and step.high_resolution else budget.small, batch_size=16,
        learning_rate=rate, warmup_images=max(1, images // 10), hue=0.03, saturation=1.3, exposure=1.3, seed=seed,
    )  # fmt: skip


def make_classifier(step: Step, seed: int, material: Material, work: Path) -> Path:
    """Trains the step's trunk to name single things, or takes the one that an earlier step has made; its checkpoint.

    All get the same number of pictures. With a high-resolution classifier the last of them are large; else they are
    small ones like the rest.
    """
    end = "high" if step.high_resolution else "low"
    path = work / f"classifier-{step.trunk}-{'norm' if step.batch_norm else 'plain'}-{end}-{seed}.safetensors"
    if path.exists():
        return path
    budget, labels = material.budget, toytown.labels("fine")
    first, last = (classifier_settings(step, budget, seed, fine_tuning) for fine_tuning in (False, True))
    torch.manual_seed(seed)
    builder = {"darknet19": "darknet19", "yolov1": "yolov1_classifier"}[step.trunk]
    model = CLASSIFIERS[builder](len(labels), WIDTH, step.batch_norm)
    task, large = Classification(labels), material.large_things if step.high_resolution else material.small_things
    train(model, material.small_things, labels, first, task=task, device=best_device())
    train(model, large, labels, last, task=task, device=best_device())
    work.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, model, labels=labels, preprocess=last.preprocess)
    return path


def recipe_of(step: Step, budget: Budget, seed: int) -> Recipe:
    """How the step's detector is trained; for one with anchors also how it is built."""
    recipe = toytown_recipe().with_values(
        images=budget.detector_images, size=budget.size, seed=seed, passthrough=step.passthrough, trunk=step.trunk,
        anchors=5 if step.clusters else HAND_PICKED, location="sigmoid" if step.clusters else "offset",
    )  # fmt: skip
    if step.multi_scale:
        recipe = recipe.with_values(size=max(budget.sizes), sizes=budget.sizes, test_size=budget.size)
    return recipe


def build(step: Step, recipe: Recipe, anchors: Sequence) -> nn.Module:
    """The step's network with new weights; seed torch before. anchors (A, 2) in cells, for steps that have them."""
    labels = toytown.labels("coarse")
    if step.head == "connected":
        return yolov1(len(labels), WIDTH, step.dropout, step.batch_norm, step.trunk)
    return recipe.build(labels, np.asarray(anchors))


def criterion_of(step: Step, model: nn.Module, recipe: Recipe) -> Callable:
    """The loss that belongs to the step's head."""
    labels = toytown.labels("coarse")
    if step.head == "connected":
        return YOLOv1Loss(len(labels))
    return DetectionLoss(model.anchors, labels, recipe.train.loss, model.stride, model.location)


def train_detector(step: Step, seed: int, material: Material, work: Path) -> tuple[nn.Module, Trained]:
    """Trains the step's detector from its classifier's trunk."""
    labels, recipe = toytown.labels("coarse"), recipe_of(step, material.budget, seed)
    trunk, anchors = make_classifier(step, seed, material, work), recipe.find_anchors(material.scenes.sizes())
    torch.manual_seed(seed)
    model = build(step, recipe, anchors).to(best_device())
    load_trunk(trunk, model)
    criterion = criterion_of(step, model, recipe)
    return model, train(model, material.scenes, labels, recipe.train, criterion=criterion, device=best_device())


def run_step(step: Step, seed: int, material: Material, work: Path) -> Iterator[Row]:
    """Trains and tests one step with one seed; a row for each test slice."""
    labels, budget = toytown.labels("coarse"), material.budget
    side = budget.large if step.larger else budget.size
    kept = work / f"detector-{seed}" / MODEL
    if step.larger and kept.exists():
        detector, seconds = Detector.load(kept, device=best_device(), frozen=False), 0.0
        model, detector.preprocess = detector.model, Preprocess(side)
    else:
        model, trained = train_detector(replace(step, larger=False), seed, material, work)
        seconds = trained.seconds
        decode = grid_yolov1.decode if step.head == "connected" else None
        detector = Detector(model, labels, Preprocess(side), decode=decode)
        if step.multi_scale:
            kept.parent.mkdir(parents=True, exist_ok=True)
            save_checkpoint(kept, model, labels=labels, preprocess=Preprocess(side))
    about = {"images": budget.detector_images, "size": side, "seconds": round(seconds, 1)}
    about["gigaflops"] = round(count_operations(model, side), 3)
    for name, dataset in material.tests.items():
        result = evaluate(detector, dataset)
        values = {"AP50": result.ap50, "recall": result.voc.mean_recall} | result.coco
        yield {"slice": name} | {measure: round(float(values[measure]), 4) for measure in MEASURES} | about


# ------------------------------------------------------------------------------------------------------- the study


def run(
    seeds: Iterable[int] = range(5), steps: Sequence[str] | None = None, out: Path = RESULTS, work: Path = WORK,
    budget: Budget | None = None, report: Callable[[str], None] = print,
) -> list[Row]:  # fmt: skip
    """All steps with seed 0, then all with seed 1, and so on, those left out that are in the file already.

    steps: names, None for all. Returns the rows of the file. Raises ValueError for an unknown step, or a file that was
    made with another budget: numbers of two budgets cannot be compared.
    """
    known = {step.name: step for step in STEPS}
    unknown = [name for name in steps or () if name not in known]
    if unknown:
        raise ValueError(f"unknown step {unknown[0]!r}; known: {', '.join(known)}")
    material = Material(budget or Budget())
    images = material.budget.detector_images
    if out.exists() and (others := {row["images"] for row in collect(out, [])} - {images}):
        raise ValueError(f"{out}: made with {others.pop()} pictures for the detector, not {images}; take another file")
    chosen = [step for step in STEPS if steps is None or step.name in steps]
    runs = [
        Run({"step": step.name, "seed": seed}, lambda step=step, seed=seed: run_step(step, seed, material, work))
        for seed in seeds
        for step in chosen
    ]
    return collect(out, runs, report)
