"""What this machine makes of the full network: `make gpu-check`, at most 20 minutes on a graphics card.

    python -m yolocourse.studies.gpu_check                # the whole: data/results/gpu.csv
    python -m yolocourse.studies.gpu_check --small        # nano, some seconds: does it run at all?

Three questions. How fast is training, beside the bare network's forward and backward pass on pictures that are already
there, and beside what the card can do at most? How fast is a detector at the paper's five sizes? And what does
YOLOv2 at full width learn on Toy Town when it has the time?
"""

import argparse
import itertools
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.data import Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.detect import Detector, best_device
from yolocourse.engine.evaluate import evaluate
from yolocourse.engine.log import ConsoleLog, History
from yolocourse.engine.precision import fastest_precision
from yolocourse.models import YOLOv2
from yolocourse.recipes import Recipe
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.bench import bench, count_operations, full_network, now
from yolocourse.studies.results import FOLDER, Row, Run, collect, train

RESULTS = FOLDER / "gpu.csv"
PAPER = {288: 91, 352: 81, 416: 67, 480: 59, 544: 40}  # pictures a second on a Titan X (YOLO9000, table 3)


@dataclass(frozen=True)
class Plan:
    """How much of everything; `SMALL` is for a look whether all runs."""

    width: float = 1.0
    size: int = 416
    batch_size: int = 64
    epochs: int = 2  # of each round of training, the first one not counted
    rounds: int = 3
    scenes: int = 2_000
    convergence_images: int = 150_000
    convergence_seconds: float = 600.0
    tests: int = 100
    sizes: tuple[int, ...] = tuple(PAPER)
    workers: int = 8


SMALL = Plan(0.25, 224, 8, 3, 2, 48, 160, 20.0, 4, (224,), 0)


def recipe_for(plan: Plan, **values) -> Recipe:
    """YOLOv2 at the plan's width and size, trained as Toy Town's recipe says."""
    recipe = toytown_recipe().with_values(network="yolov2", width=plan.width, size=plan.size)
    return recipe.with_values(batch_size=plan.batch_size, workers=plan.workers, **values)


def training_speed(recipe: Recipe, scenes: Dataset, epochs: int, rounds: int) -> dict[str, float]:
    """Pictures a second in training as the engine does it, and of the bare passes, taking turns; medians of the rounds.

    "bare" is forward and backward of the same network on one batch of noise that lies on the device already: no
    pictures, no loss, no update. "share" is the first by the second, "waited" the share of the time in which the engine
    waited for pictures. Whole epochs are counted, all but the first, because pictures may be loaded several batches at
    a time.
    """
    device = best_device()
    anchors = recipe.find_anchors(scenes.sizes())
    model = recipe.build(scenes.labels, anchors).to(device, memory_format=torch.channels_last)
    first = len(scenes) // recipe.train.batch_size  # steps of an epoch
    settings = replace(recipe.train, images=epochs * first * recipe.train.batch_size)
    ours, bare, waited = [], [], []
    for _ in range(rounds):
        history, ends = History(), []
        train(model, scenes, scenes.labels, settings, device=device,
              on_step=lambda report, history=history, ends=ends: (history(report), ends.append(now())))  # fmt: skip
        steps, seconds = len(ends) - first, ends[-1] - ends[first - 1]
        ours.append(settings.batch_size * steps / seconds)
        pairs = list(itertools.pairwise(history.reports[first - 1 :]))
        waited.append(
            sum(b.waited * (b.seconds - a.seconds) for a, b in pairs) / (pairs[-1][1].seconds - pairs[0][0].seconds)
        )
        bare.append(bare_speed(model, recipe, steps))
    values = {"ours": statistics.median(ours), "bare": statistics.median(bare), "waited": statistics.median(waited)}
    return values | {"share": statistics.median(a / b for a, b in zip(ours, bare, strict=True))}


def bare_speed(model: YOLOv2, recipe: Recipe, steps: int) -> float:
    """Pictures a second of forward and backward on noise."""
    device, precision = next(model.parameters()).device, fastest_precision(best_device())
    side, count = recipe.train.size, recipe.train.batch_size
    images = torch.rand(count, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
    model.train()
    for step in range(steps):
        if step == steps // 4:
            began = now()
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            raw = model(images)
        model.zero_grad(set_to_none=True)
        raw.float().mean().backward()
    return count * (steps - steps // 4) / (now() - began)


def peak(device: torch.device, precision: torch.dtype, side: int = 8192, repeats: int = 20) -> float:
    """Billions of operations a second of a large product of matrices: what the device can do at most, measured."""
    side = side if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=precision) for _ in range(2))
    for step in range(repeats + 3):
        if step == 3:
            began = now()
        a @ b
    return 2 * side**3 * repeats / (now() - began) / 1e9


def rows_of_training(plan: Plan, scenes: Dataset) -> Iterator[Row]:
    recipe, device = recipe_for(plan), best_device()
    precision = fastest_precision(device)
    speed = training_speed(recipe, scenes, plan.epochs, plan.rounds)
    model = recipe.build(scenes.labels, recipe.find_anchors(scenes.sizes()))
    operations, most = count_operations(model, plan.size), peak(device, precision)
    done = 3 * operations * speed["ours"]  # the backward pass does about twice the work of the forward pass
    yield {"size": plan.size, "batch": plan.batch_size, "precision": str(precision).removeprefix("torch."),
           "images_per_second": speed["ours"], "bare": speed["bare"], "share_of_bare": speed["share"],
           "waited": speed["waited"], "gigaflops": operations, "share_of_peak": done / most}  # fmt: skip


def rows_of_speed(plan: Plan) -> Iterator[Row]:
    model = full_network() if plan.width == 1 else recipe_for(plan).build(toytown.labels("coarse"), [[1.0, 1.0]])
    kind = str(fastest_precision(best_device())).removeprefix("torch.")
    for precision in sorted({"float32", kind}):
        for row in bench(model.eval(), plan.sizes, (1,), precision, best_device()):
            whole, network = 1000 / row.total, 1000 / row.network
            yield {"size": row.size, "batch": 1, "precision": precision, "images_per_second": whole,
                   "network_only": network, "paper": PAPER.get(row.size, float("nan"))}  # fmt: skip


def rows_of_convergence(plan: Plan, scenes: Dataset) -> Iterator[Row]:
    recipe = recipe_for(plan, images=plan.convergence_images, max_seconds=plan.convergence_seconds)
    torch.manual_seed(recipe.train.seed)
    model = recipe.build(scenes.labels, recipe.find_anchors(scenes.sizes()))
    result = train(model, scenes, scenes.labels, recipe.train, on_step=ConsoleLog(30), device=best_device())
    detector = Detector(model, scenes.labels, recipe.train.preprocess)
    for name, dataset in toytown.test_slices(plan.tests, size=plan.size).items():
        found = evaluate(detector, dataset)
        yield {"slice": name, "size": plan.size, "AP50": found.ap50, "AP": found.coco["AP"],
               "recall": found.voc.mean_recall, "images": result.seen, "seconds": result.seconds}  # fmt: skip


def run(plan: Plan, out: Path = RESULTS) -> list[Row]:
    """All three; what the file holds already is not measured again."""
    scenes = Cached(toytown.scenes(plan.scenes, size=plan.size))
    runs = [
        Run({"measured": "training"}, lambda: rows_of_training(plan, scenes)),
        Run({"measured": "detection"}, lambda: rows_of_speed(plan)),
        Run({"measured": "convergence"}, lambda: rows_of_convergence(plan, scenes)),
    ]
    return collect(out, runs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="nano, some seconds")
    parser.add_argument("--out", type=Path, help="CSV file (default: data/results/gpu.csv; with --small runs/gpu.csv)")
    options = parser.parse_args()
    small = FOLDER.parents[1] / "runs" / "gpu.csv"
    run(SMALL if options.small else Plan(), options.out or (small if options.small else RESULTS))
