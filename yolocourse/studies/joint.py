"""Finding what never had a box: joint training against detection alone, on Toy Town (YOLO9000, section 4).

    python -m yolocourse.studies.joint --seeds 0 1 2 3 4      # data/results/joint.csv
    python -m yolocourse.studies.joint --table                # what the file says so far
    python -m yolocourse.studies.joint --models runs/joint    # keeps the detectors as well, or tests those kept there

Three detectors of the same build and lesson: "joint" gets scenes whose boxes carry coarse names, and pictures of single
things with fine names and no boxes; "detection" gets the scenes alone; "oracle" gets fine names for all boxes, and
scenes with the classes that the others never see in any. All are trained on the same number of scenes. A seed decides
on new layers, order and augmentation; pictures and tests are always the same. All begin with the shipped trunk, which
has learned to name single things, as the paper's trunk has learned ImageNet.

Fine classes come in three groups: "boxed" ones stand in training scenes under their coarse name, "never boxed" ones
stand in none, and "scarce" ones belong to a coarse class with hardly any boxes at all: the paper's clothes, which COCO
does not have. "coarse" are the detection classes themselves.

A detector that knows coarse names only can still guess: "commonest child" says of every dog what dogs in the test are
most often, "every child" says all breeds of every dog, each with the dog's score. Both are told more than they could
know: which child is the commonest, and that the boxes that they are scored on have a fine name.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from yolocourse.datasets import toytown
from yolocourse.datasets.mixing import Mixed, Relabelled
from yolocourse.datasets.toytown.joint import coarse_parents, fine_groups, fine_only, with_fine_boxes
from yolocourse.detect import Detector, best_device
from yolocourse.engine.groups import GroupedEvaluation, commonest, evaluate_groups
from yolocourse.labels import GuessedLabels, LabelSpace
from yolocourse.recipes import JointRecipe, yolo9000_toytown
from yolocourse.studies import joint_report
from yolocourse.studies.joint_material import SCARCE, Budget, Material, Together
from yolocourse.studies.results import FOLDER, Row, Run, collect, train
from yolocourse.studies.results import read as read_results
from yolocourse.studies.shipped import TRUNK
from yolocourse.treeview import TreeView, map_classes
from yolocourse.weights.checkpoint import load_checkpoint, load_trunk, save_checkpoint

RESULTS = FOLDER / "joint.csv"
ARMS = ("joint", "detection", "oracle")


# --------------------------------------------------------------------------------------------------------- one run


def recipe_of(arm: str, budget: Budget, seed: int) -> JointRecipe:
    """The shipped recipe at this study's length: joint training has things besides the scenes, in larger batches."""
    recipe = yolo9000_toytown().with_values(size=budget.size, seed=seed)
    share = 1.0 if arm == "joint" else 1 / (1 + recipe.ratio)  # of the pictures of joint training
    batch_size = round(recipe.train.batch_size * share)
    return recipe.with_values(images=round(budget.scene_images * (1 + recipe.ratio) * share), batch_size=batch_size)


def pictures_of(arm: str, material: Material, ratio: float) -> Dataset:
    """What a detector is trained on, in the words that it learns."""
    if arm == "joint":
        words = toytown.tree()
        return Mixed(Relabelled(material.scenes, words), Relabelled(material.things, words), ratio)
    if arm == "detection":
        return material.scenes
    return with_fine_boxes(Together([material.scenes, *material.more]))


def train_detector(arm: str, seed: int, material: Material) -> nn.Module:
    """Trains one of the three from the shipped trunk."""
    recipe = recipe_of(arm, material.budget, seed)
    pictures = pictures_of(arm, material, recipe.ratio)
    torch.manual_seed(seed + 1)  # 0 is the shipped trunk's own, see `shipped`
    model = recipe.build(pictures.labels, recipe.find_anchors(material.sizes()))
    load_trunk(TRUNK, model)
    model = model.to(best_device())
    task = recipe.task(model, pictures.labels)
    train(model, pictures, pictures.labels, recipe.train, task=task, transform=recipe.transform(), device=best_device())
    return model


def counts(dataset: Dataset) -> Tensor:
    """How many boxes each class of a data set has; difficult ones left out."""
    result = torch.zeros(len(dataset.labels), dtype=torch.long)
    for i in range(len(dataset)):
        target = dataset.target(i)
        result += torch.bincount(target["labels"][~target["difficult"]], minlength=len(result))
    return result


def answers(arm: str, tests: Dataset) -> dict[str, LabelSpace]:
    """In which ways a network's scores are turned into fine names."""
    if arm != "detection":
        words = toytown.tree()
        return {"own": TreeView(words, map_classes(words, toytown.labels("fine")), toytown.FINE)}
    coarse, parents = toytown.labels("coarse"), coarse_parents()
    guesses = {"commonest child": commonest(counts(fine_only(tests)), parents), "every child": parents}
    return {name: GuessedLabels(coarse, toytown.FINE, places) for name, places in guesses.items()}


def coarse_labels(arm: str) -> LabelSpace:
    """The network's scores as coarse names."""
    words, coarse = toytown.tree(), toytown.labels("coarse")
    return coarse if arm == "detection" else TreeView(words, map_classes(words, coarse), toytown.COARSE)


def run_arm(arm: str, seed: int, material: Material, models: Path | None = None) -> Iterator[Row]:
    """Trains and tests one detector; a row for each class and way to answer. models: see `run`."""
    kept = models / f"{arm}-{seed}.safetensors" if models else None
    if kept and kept.exists():
        model = load_checkpoint(kept).model.to(best_device())
    else:
        model = train_detector(arm, seed, material)
    if kept and not kept.exists():
        labels = toytown.labels("coarse") if arm == "detection" else toytown.tree()
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(kept, model, labels=labels, preprocess=recipe_of(arm, material.budget, seed).train.preprocess)
    yield from test_model(model, arm, material)


def test_model(model: nn.Module, arm: str, material: Material) -> Iterator[Row]:
    """AP at IoU 0.5 of every class, a row each: fine ones on all test scenes, coarse ones on those like the training's.

    Coarse classes with hardly any boxes are left out: nobody can find them.
    """
    everything, preprocess = Together(material.tests), recipe_of(arm, material.budget, 0).train.preprocess
    about = {"images": material.budget.scene_images}
    for answer, labels in answers(arm, everything).items():
        result = evaluate_groups(Detector(model, labels, preprocess), fine_only(everything), fine_groups(SCARCE))
        yield from (row | about for row in rows_of(result, answer))
    coarse = {"coarse": [c for c, name in enumerate(toytown.COARSE) if name not in SCARCE]}
    result = evaluate_groups(Detector(model, coarse_labels(arm), preprocess), material.tests[0], coarse)
    yield from (row | about for row in rows_of(result, "own"))


test_model.__test__ = False  # it is no test, though pytest would take it for one


def rows_of(result: GroupedEvaluation, answer: str) -> Iterator[Row]:
    for group, classes in result.groups.items():
        for c in classes:
            values = {"AP50": round(float(result.voc.ap[c]), 4), "truths": int(result.voc.num_truths[c])}
            yield {"answer": answer, "group": group, "class": result.names[c]} | values


# ------------------------------------------------------------------------------------------------------- the study


def run(
    seeds: Iterable[int] = range(5), arms: Sequence[str] = ARMS, out: Path = RESULTS, budget: Budget | None = None,
    report: Callable[[str], None] = print, models: Path | None = None,
) -> list[Row]:  # fmt: skip
    """All three with seed 0, then with seed 1, and so on, those left out that are in the file already.

    models: a folder in which each trained detector is kept, ARM-SEED.safetensors; one that is there is only tested.
    Returns the rows of the file. Raises ValueError for an unknown arm, or a file that was made with another budget.
    """
    unknown = [arm for arm in arms if arm not in ARMS]
    if unknown:
        raise ValueError(f"unknown arm {unknown[0]!r}; known: {', '.join(ARMS)}")
    material = Material(budget or Budget())
    images = material.budget.scene_images
    if out.exists() and (others := {row["images"] for row in read_results(out)} - {images}):
        raise ValueError(f"{out}: made with {others.pop()} scenes to a detector, not {images}; take another file")
    runs = [
        Run({"arm": arm, "seed": seed}, lambda arm=arm, seed=seed: run_arm(arm, seed, material, models))
        for seed in seeds
        for arm in arms
    ]
    return collect(out, runs, report)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), metavar="N")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="keep the detectors there, test those kept")
    parser.add_argument("--table", action="store_true", help="only print what the file says so far")
    args = parser.parse_args(arguments)
    rows = read_results(args.out) if args.table else run(args.seeds, args.arms, args.out, models=args.models)
    print(joint_report.table(rows))


if __name__ == "__main__":
    main()
