"""train and evaluate."""

import argparse
import ast
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from textwrap import fill

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from yolocourse.commands.data import cached, default_split, open_data
from yolocourse.commands.joint import evaluate_joint, open_joint
from yolocourse.commands.using import chosen_precision, open_detector, print_now, write_json
from yolocourse.datasets import toytown
from yolocourse.detect import Detector, find_device
from yolocourse.engine.evaluate import Evaluation, classify, evaluate, slices_table
from yolocourse.engine.log import ConsoleLog, TensorBoardLog, duration
from yolocourse.engine.loop import StepReport
from yolocourse.engine.processes import Processes
from yolocourse.engine.settings import TrainSettings
from yolocourse.engine.state import StateFiles, TrainState
from yolocourse.engine.train import MODEL, train
from yolocourse.models import Classifier
from yolocourse.recipes import CLASSIFIER_RECIPES, JOINT_RECIPES, RECIPES, ClassifierRecipe, JointRecipe, Recipe
from yolocourse.viz import gallery
from yolocourse.weights.checkpoint import load_checkpoint, load_trunk
from yolocourse.weights.darknet import load_trunk_weights


def train_command(args: argparse.Namespace) -> None:
    recipe, device = resolve_recipe(args), find_device(args.device)
    split = default_split(args, training=True)
    dataset = open_joint(args, split, recipe.ratio) if isinstance(recipe, JointRecipe) else open_data(args, split)
    labels, settings, out = dataset.labels, recipe.train, Path(args.out or f"runs/{args.data}")
    if StateFiles(out).paths() and not args.resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    tell = print_now if Processes.here().writes else lambda line: None
    model, task = make_model(recipe, dataset)
    shown = ", ".join(labels.names[:20]) + (" ..." if len(labels) > 20 else "")
    tell(f"{len(dataset)} pictures, {len(labels)} classes: {shown}")
    tell(f"recipe {recipe.name}: {recipe.network}, {anchors_in_words(model)}\n{settings_in_words(settings)}")
    if args.pretrained:
        if Path(args.pretrained).suffix == ".safetensors":
            tell(str(load_trunk(args.pretrained, model, labels)))
        else:
            tell(str(load_trunk_weights(args.pretrained, model)))
    pictures = cached(dataset, max(settings.size, *(settings.crop or (0,))), tell)
    with watching(args, out, dataset, recipe) as (on_step, on_epoch):
        result = train(
            model, pictures, labels, settings, out=out, resume="auto" if args.resume == "auto" else bool(args.resume),
            task=task, transform=recipe.transform(), on_step=on_step, on_epoch=on_epoch, device=device,
            metadata={"recipe": recipe},
        )  # fmt: skip
    tell(f"{result.seen} pictures in {duration(result.seconds)} ({result.seen / max(result.seconds, 1e-9):.0f}/s)")
    if result.interrupted:
        tell(f"interrupted and saved; go on with the same command and --resume, or use {out / MODEL} as it is")
        return
    evaluate = " ".join(["yolocourse evaluate", args.data, *([args.folder] if args.folder else [])])
    tell(f"saved {out / MODEL}; next: {evaluate} --model {out / MODEL}")


def anchors_in_words(model: nn.Module) -> str:
    """ "anchors 0.57x0.68 1.87x2.06 cells", or that there are none."""
    if not hasattr(model, "anchors"):
        return "no anchors"
    return f"anchors {' '.join(f'{w:.2f}x{h:.2f}' for w, h in model.anchors.tolist())} cells"


def settings_in_words(settings: TrainSettings) -> str:
    """All settings as name=value, in the form that --set takes them, several in a line."""
    values = vars(settings) | vars(settings.loss)
    words = [f"{name}={value}".replace(" ", "") for name, value in values.items() if name != "loss"]
    return fill(" ".join(words), 120, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


@contextmanager
def watching(args: argparse.Namespace, out: Path, dataset: Dataset, recipe: Recipe | ClassifierRecipe):
    """What is called after each step and each epoch: lines on the console, and TensorBoard where it is wanted.

    TensorBoard also gets a sheet of training pictures with what a detector finds in them by then.
    """
    console = ConsoleLog(args.log_seconds, print_now)
    if not args.tensorboard or not Processes.here().writes:
        yield console, lambda state: None
        return
    states = StateFiles(out).paths() if args.resume else []
    board = TensorBoardLog(out / "tensorboard", int(states[0].stem.split("-")[1]) if states else 0)

    def on_step(report: StepReport) -> None:
        console(report)
        board(report)

    def on_epoch(state: TrainState) -> None:
        if isinstance(recipe, Recipe):
            shown = [dataset[i][0] for i in range(min(6, len(dataset)))]
            found = Detector(state.trained, dataset.labels, recipe.train.preprocess, threshold=0.3)(shown)
            board.picture("found", gallery(shown, found=found, columns=3), state.step)

    try:
        yield on_step, on_epoch
    finally:
        board.close()


def make_model(recipe: Recipe | ClassifierRecipe, dataset: Dataset) -> tuple[nn.Module, Callable]:
    """The recipe's network with new weights for the data set's classes, and what it learns."""
    torch.manual_seed(recipe.train.seed)
    if isinstance(recipe, ClassifierRecipe):
        model = recipe.build(dataset.labels)
    else:
        model = recipe.build(dataset.labels, recipe.find_anchors(dataset.sizes()))
    return model, recipe.task(model, dataset.labels)


def resolve_recipe(args: argparse.Namespace) -> Recipe | ClassifierRecipe:
    """The recipe named on the command line, with its options and --set values laid over it.

    Raises ValueError for a detector's recipe on pictures without boxes, or the other way round.
    """
    groups, name = (RECIPES, CLASSIFIER_RECIPES, JOINT_RECIPES), args.recipe or args.data
    known = next(group for group in groups if args.data in group)
    if name not in known:
        raise ValueError(f"recipe {name!r} does not fit {args.data}; those that do: {', '.join(known)}")
    recipe = known[name]()
    options = {"network": args.network, "size": args.size, "batch_size": args.batch_size, "images": args.images}
    options |= {"seed": args.seed, "workers": args.workers, "learning_rate": args.learning_rate}
    options["max_seconds"] = None if args.minutes is None else args.minutes * 60
    values = {name: value for name, value in options.items() if value is not None}
    for text in args.set or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set takes name=value, such as weight_decay=1e-4; found {text!r}")
        try:
            values[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            values[name] = value  # a word such as sgd
    try:
        return recipe.with_values(**values)
    except TypeError as error:
        raise ValueError(f"a setting has a value of the wrong kind: {error}") from None


def evaluate_command(args: argparse.Namespace) -> None:
    device = find_device(args.device)
    if args.data in CLASSIFIER_RECIPES:
        return evaluate_classifier(args, device)
    if args.data in JOINT_RECIPES:
        return evaluate_joint(args, device)
    detector = open_detector(args, device=device, precision=chosen_precision(args, device), compile=args.compile)
    labels = detector.labels
    if args.data == "toytown" and args.split is None:
        tests = toytown.test_slices(args.test_scenes, args.data_seed)
    else:
        split = default_split(args, training=False)
        tests = {split: open_data(args, split, labels)}
    results = {}
    for name, dataset in tests.items():
        print(f"{name}: {len(dataset)} pictures", flush=True)
        results[name] = evaluate(detector, dataset)
        print(results[name].table() + "\n")
    if len(results) > 1:
        print(slices_table(results))
    if args.json:
        write_json(args.json, {name: result_to_dict(result) for name, result in results.items()})


def evaluate_classifier(args: argparse.Namespace, device: torch.device) -> None:
    """Top-1 and top-5 of a classifier's checkpoint."""
    checkpoint = load_checkpoint(args.model)
    if not isinstance(checkpoint.model, Classifier):
        raise ValueError(f"{args.model}: a detector; {args.data} has pictures without boxes, for classifiers")
    dataset = open_data(args, default_split(args, training=False), checkpoint.labels)
    result = classify(checkpoint.model.to(device), dataset, checkpoint.preprocess)
    print(f"{result}, {result.images_per_second:.1f}/s")
    if args.json:
        write_json(args.json, asdict(result))


def result_to_dict(result: Evaluation) -> dict:
    """The figures of an evaluation as JSON can hold them; null where there is none."""
    coco = {name: value for name, value in result.coco.items() if name != "per_class"}
    figures = {"AP50": result.ap50, "AP50_11point": result.eleven_point, "recall": result.voc.mean_recall} | coco
    classes = dict(zip(result.names, result.voc.ap.tolist(), strict=True))
    figures = {name: None if np.isnan(value) else round(float(value), 5) for name, value in figures.items()}
    figures["AP50_per_class"] = {name: None if np.isnan(v) else round(v, 5) for name, v in classes.items()}
    return figures | {"images": result.images, "images_per_second": round(result.images_per_second, 2)}
