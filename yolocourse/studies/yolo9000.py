"""What notebook 12 measures, with several seeds: a detector of coarse names learns fine names without boxes.

    python -m yolocourse.studies.yolo9000            # seeds 0 to 4: about 10 minutes on two cores

A short lesson, from different starts, on the same scenes and the same pictures of single things:

- "joint": the shipped detector, which keeps all that it says about boxes; only its class scores are new. The loss is
  the paper's in its own words: on a picture of a thing the boxes that are not chosen are left alone;
- "boxes only": the same detector goes on with the same scenes in as many steps, without the pictures of things;
- "pushed down": as "joint", but the other boxes are told that there is nothing, as in Darknet;
- "new head": as "joint", but the whole last layer is new, with three anchors as in the paper;
- "trunk": everything behind the trunk is new.

A seed decides on new layers, order and augmentation. A row for each way to answer: "own" or, where coarse names are all
that the network knows, "every child" and "commonest child" (see `studies.joint`). "chosen" columns say how often the
box that a picture of a thing is taught with overlaps the thing by 0.5: before the first step, after 400 pictures, and
at the end.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.transforms.v2.functional import pil_to_tensor, resize

from yolocourse import grid
from yolocourse.boxes import pairwise_iou
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.datasets.mixing import Mixed, Relabelled
from yolocourse.datasets.toytown.joint import coarse_parents, fine_groups, fine_only
from yolocourse.detect import Detector, best_device
from yolocourse.engine.groups import commonest, evaluate_groups
from yolocourse.labels import GuessedLabels, LabelSpace
from yolocourse.losses_joint import JointLoss
from yolocourse.models import YOLOv2, build
from yolocourse.preprocess import Preprocess
from yolocourse.recipes import JointRecipe, yolo9000_toytown
from yolocourse.studies.joint import counts
from yolocourse.studies.joint_material import Together
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.shipped import DETECTOR, TRUNK
from yolocourse.treeview import TreeView, map_classes
from yolocourse.weights.checkpoint import load_checkpoint, load_trunk
from yolocourse.wordtree import WordTree

RESULTS = FOLDER / "yolo9000.csv"
ARMS = ("joint", "boxes only", "pushed down", "new head", "trunk")
IMAGES, SCENES, THINGS = 4_000, 1_000, 1_080  # pictures of a joint lesson, half of them scenes; pictures drawn for it
TESTS = (240, 80)  # scenes like the training ones, and scenes with what never had a box: see joint_material.Budget
SHOWN, EARLY = 108, 400  # test pictures of single things; pictures into the lesson


# ----------------------------------------------------------------------------------------------------------- the start


def grown(model: YOLOv2, labels: LabelSpace) -> YOLOv2:
    """A copy of a detector with the class scores of other labels: new ones, while all that is said about boxes stays.

    Of the 5 + C channels of each anchor the first five, place, size and objectness, are copied; the C others begin as
    in a new network.
    """
    new = build(**(model.config | {"num_outputs": labels.num_outputs}))
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("head.")}
    new.load_state_dict(state, strict=False)
    anchors = len(model.anchors)
    with torch.no_grad():
        for name, value in new.head.named_parameters():
            old = model.head.get_parameter(name)
            value.unflatten(0, (anchors, -1))[:, :5] = old.unflatten(0, (anchors, -1))[:, :5]
    return new


def lesson(arm: str, seed: int, images: int = IMAGES) -> JointRecipe:
    """The shipped recipe, shorter, at a higher rate; "boxes only" has the scenes alone, in batches half as large."""
    recipe = yolo9000_toytown().with_values(images=images, seed=seed, learning_rate=2.5e-3)
    recipe = recipe.with_values(push_down=arm == "pushed down")
    if arm in ("new head", "trunk"):
        return recipe
    recipe = recipe.with_values(anchor_warmup_images=0)  # its boxes have left their anchors long ago
    if arm == "boxes only":
        recipe = recipe.with_values(images=images // 2, batch_size=recipe.train.batch_size // 2)
    return recipe


def beginner(arm: str, recipe: JointRecipe, labels: LabelSpace, sizes: Tensor) -> YOLOv2:
    """The network before the lesson; seed torch before."""
    if arm in ("new head", "trunk"):
        model = recipe.build(labels, recipe.find_anchors(sizes))
        load_trunk(DETECTOR if arm == "new head" else TRUNK, model)
        return model
    shipped = load_checkpoint(DETECTOR)
    return shipped.model if shipped.labels == labels else grown(shipped.model, labels)


# --------------------------------------------------------------------------------------------- which box is chosen?


class Shown(NamedTuple):
    """K test pictures of single things, half as large on grey, as training lays them (`transforms.ZoomOut`)."""

    images: Tensor  # (K, 3, H, W) uint8
    boxes: Tensor  # (K, 4) xyxy in pixels of `images`: what training never sees
    nodes: Tensor  # (K,) places of their classes in the tree


def shown_things(labels: WordTree, count: int = SHOWN, size: int = 224) -> Shown:
    """Test pictures of single things with their true boxes."""
    things = toytown.things(count, size=size, split="test", with_boxes=True)
    places = torch.tensor(map_classes(labels, things.labels))
    images = torch.full((count, 3, size, size), 128, dtype=torch.uint8)
    boxes, first, half = torch.zeros(count, 4), size // 4, size // 2
    for i in range(count):
        picture, target = things[i]
        images[i, :, first : first + half, first : first + half] = resize(pil_to_tensor(picture), [half, half])
        boxes[i] = target["box"] / 2 + first
    return Shown(images, boxes, places[[things.label(i) for i in range(count)]])


@torch.inference_mode()
def chosen_overlaps(model: nn.Module, labels: LabelSpace, shown: Shown, batch_size: int = 27) -> Tensor:
    """IoU (K,) of the true box with the box that the joint loss would choose for the class of each picture."""
    criterion, device = JointLoss(model.anchors, labels), next(model.parameters()).device
    was_training, overlaps = model.training, []
    model.eval()
    for k in range(0, len(shown.images), batch_size):
        part = Shown(*(each[k : k + batch_size].to(device) for each in shown))
        raw = model((part.images.float() / 255).contiguous(memory_format=torch.channels_last))
        place = criterion.best_boxes(
            grid.split(raw, len(model.anchors)), part.nodes, torch.arange(len(part.nodes), device=device)
        )
        boxes = grid.decode(raw, model.anchors).boxes[torch.arange(len(place), device=device), place]  # (K, 4)
        overlaps.append(pairwise_iou(boxes, part.boxes).cpu())
    model.train(was_training)
    return torch.cat(overlaps)


# ----------------------------------------------------------------------------------------------------------- the tests


def fine_answers(labels: LabelSpace, tests: Dataset) -> dict[str, LabelSpace]:
    """In which ways fine names are had from a network with these labels."""
    if isinstance(labels, WordTree):
        return {"own": TreeView(labels, map_classes(labels, toytown.labels("fine")), toytown.FINE)}
    parents = coarse_parents()
    guesses = {"every child": parents, "commonest child": commonest(counts(fine_only(tests)), parents)}
    return {name: GuessedLabels(labels, toytown.FINE, places) for name, places in guesses.items()}


def coarse_answer(labels: LabelSpace) -> LabelSpace:
    """A network's scores as coarse names."""
    coarse = toytown.labels("coarse")
    return TreeView(labels, map_classes(labels, coarse), toytown.COARSE) if isinstance(labels, WordTree) else coarse


def measure(
    model: nn.Module, labels: LabelSpace, tests: Sequence[Dataset], preprocess: Preprocess
) -> dict[str, dict[str, float]]:
    """For each way to answer: AP50 of fine classes boxed under a coarse name, of those never boxed, and of coarse ones.

    tests: scenes like the training ones, and scenes with what never had a box. Fine classes are tested on both, coarse
    ones on the first. The never boxed classes come one by one as well, under their names.
    """
    everything, groups = Together(tests), fine_groups()
    all_coarse = {"coarse": range(len(toytown.COARSE))}
    coarse = evaluate_groups(Detector(model, coarse_answer(labels), preprocess), tests[0], all_coarse).mean("coarse")
    result = {}
    for answer, space in fine_answers(labels, everything).items():
        found = evaluate_groups(Detector(model, space, preprocess), fine_only(everything), groups)
        values = {group: found.mean(group) for group in groups} | {"coarse": coarse}
        result[answer] = values | {name: float(found.voc.ap[found.names.index(name)]) for name in toytown.NEVER_BOXED}
    return result


# ----------------------------------------------------------------------------------------------------------- the study


def runs(
    seeds: Iterable[int], arms: Iterable[str] = ARMS, scenes: int = SCENES, things: int = THINGS,
    tests: Sequence[int] = TESTS, shown: int = SHOWN, images: int = IMAGES,
) -> Iterator[Run]:  # fmt: skip
    """One run for each seed and arm. The numbers: smaller ones for trials."""
    words, coarse = toytown.tree(), toytown.labels("coarse")
    pictures, single = Cached(toytown.scenes(scenes)), Cached(toytown.things(things, size=224))
    parts = zip((None, "unseen"), tests, strict=True)
    drawn = [Cached(toytown.scenes(count, slice=name, split="test")) for name, count in parts]
    examples = shown_things(words, shown)

    def one(arm: str, seed: int) -> Iterator[Row]:
        recipe, labels = lesson(arm, seed, images), coarse if arm == "boxes only" else words
        dataset = pictures if arm == "boxes only" else Mixed(*_renamed(pictures, single, words), recipe.ratio)
        torch.manual_seed(seed + 1)  # 0 is the shipped trunk's own, see `shipped`
        model, right = beginner(arm, recipe, labels, pictures.sizes()).to(best_device()), {}

        def look(when: str) -> None:
            if arm != "boxes only":
                overlaps = chosen_overlaps(model, words, examples)
                right[f"chosen {when}"] = round(float((overlaps >= 0.5).float().mean()), 4)

        look("first")
        task, device = recipe.task(model, labels), best_device()
        early = max(1, EARLY // recipe.train.batch_size)
        trained = train(
            model, dataset, labels, recipe.train, task=task, transform=recipe.transform(), device=device,
            on_step=lambda report: look("early") if report.step == early else None,
        )  # fmt: skip
        look("last")
        about = right | {"images": trained.seen}
        for answer, values in measure(model, labels, drawn, recipe.train.preprocess).items():
            yield {"answer": answer} | {name: round(value, 4) for name, value in values.items()} | about

    for seed in seeds:
        for arm in arms:
            yield Run({"arm": arm, "seed": seed}, lambda arm=arm, seed=seed: one(arm, seed))


def _renamed(scenes: Dataset, things: Dataset, words: WordTree) -> tuple[Relabelled, Relabelled]:
    return Relabelled(scenes, words), Relabelled(things, words)


def run(seeds: Iterable[int], out: Path = RESULTS, **trial) -> list[Row]:
    """Runs what `out` does not hold yet; `trial` as for `runs`."""
    return collect(out, runs(seeds, **trial))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    options = parser.parse_args()
    run(options.seeds, arms=options.arms)
