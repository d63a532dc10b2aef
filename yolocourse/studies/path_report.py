"""What the study of the path says: sums over the seeds of data/results/path.csv, table, figure, seconds of a step."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from yolocourse import viz
from yolocourse.anchors import HAND_PICKED
from yolocourse.detect import best_device
from yolocourse.engine.precision import fastest_precision
from yolocourse.engine.schedule import make_optimizer
from yolocourse.studies.bench import now
from yolocourse.studies.path import MEASURES, STEPS, Budget, Step, build, criterion_of, recipe_of
from yolocourse.studies.results import Row, Summary, select, summary


def summaries(rows: Sequence[Row], measure: str = "AP50", slice: str = "mix") -> dict[str, Summary]:
    """Mean and spread over the seeds for each step that has rows, in the order of the path."""
    found = {step.name: select(rows, step=step.name, slice=slice) for step in STEPS}
    return {name: summary(chosen, measure) for name, chosen in found.items() if chosen}


def gains(rows: Sequence[Row], measure: str = "AP50", slice: str = "mix") -> dict[str, Summary]:
    """What each step adds to the one before it, seed by seed: paired, so that what a seed does to both cancels."""
    result = {}
    for before, step in zip(STEPS, STEPS[1:], strict=False):
        old = {row["seed"]: row[measure] for row in select(rows, step=before.name, slice=slice)}
        new = {row["seed"]: row[measure] for row in select(rows, step=step.name, slice=slice)}
        pairs = [{measure: new[seed] - old[seed]} for seed in sorted(old.keys() & new.keys())]
        if pairs:
            result[step.name] = summary(pairs, measure)
    return result


def table(rows: Sequence[Row]) -> str:
    """A line a step: the paper's mAP, our measures with their standard deviations, operations."""
    head = f"{'step':40} {'paper':>6} {'AP50':>15} {'COCO AP':>15} {'recall':>15} {'AP small':>15} {'GFLOP':>6} seeds"
    lines, found = [head], {measure: summaries(rows, measure) for measure in MEASURES}
    for step in STEPS:
        if step.name not in found["AP50"]:
            continue
        cost = select(rows, step=step.name)[0]["gigaflops"]
        values = "".join(f"{found[measure][step.name]!s:>16}" for measure in MEASURES)
        lines.append(f"{step.title:40} {step.paper:6.1f}{values} {cost:6.2f} {found['AP50'][step.name].count:5}")
    return "\n".join(lines)


def figure(rows: Sequence[Row], measure: str = "AP50", slice: str = "mix") -> Figure:
    """The paper's table 2 beside ours: means over the seeds, error bars of one standard deviation."""
    found = summaries(rows, measure, slice)
    steps = [step for step in STEPS if step.name in found]
    return viz.steps(
        [step.title for step in steps], [step.paper for step in steps], [found[step.name].mean for step in steps],
        [found[step.name].sd for step in steps],
        ("the paper: mAP on VOC 2007, %", f"measured: {measure} on Toy Town, {slice}"),
    )  # fmt: skip


def step_seconds(budget: Budget | None = None, rounds: int = 5, batch_size: int = 8) -> dict[str, float]:
    """Seconds of one training step (forward, loss, backward, update) for the network of each step of the path.

    The networks take turns, so that what else the machine does hits all; the median of the rounds, on pictures of noise
    with one box each. Multi-scale counts with the mean over its sizes.
    """
    budget, steps = budget or Budget(), [step for step in STEPS if not step.larger]
    runners = {step.name: list(_training_steps(step, budget, batch_size)) for step in steps}
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds + 1):
        for name, runner in runners.items():
            began = now()
            for one in runner:
                one()
            times[name].append((now() - began) / len(runner))
    return {name: float(np.median(values[1:])) for name, values in times.items()}


def _training_steps(step: Step, budget: Budget, batch_size: int) -> Iterator[Callable[[], None]]:
    """A function that trains on one batch, for each size that the step trains at."""
    recipe, device = recipe_of(step, budget, 0), best_device()
    model = build(step, recipe, HAND_PICKED).train().to(device, memory_format=torch.channels_last)
    criterion, optimizer = criterion_of(step, model, recipe), make_optimizer(model, recipe.train)
    precision = fastest_precision(device)
    boxes, kinds = torch.tensor([[[40.0, 40.0, 120.0, 90.0]]] * batch_size), torch.zeros(batch_size, 1).long()
    for side in budget.sizes if step.multi_scale else (budget.size,):
        images = torch.rand(batch_size, 3, side, side).to(device, memory_format=torch.channels_last)

        def one(images: Tensor = images) -> None:
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                raw = model(images)
            optimizer.zero_grad(set_to_none=True)
            (criterion(raw, boxes.to(device), kinds.to(device), 0).total / batch_size).backward()
            optimizer.step()

        yield one
