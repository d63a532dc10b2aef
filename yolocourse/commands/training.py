"""train and evaluate."""

import argparse
import ast
from pathlib import Path

import numpy as np
import torch

from yolocourse.commands.data import cached, default_split, open_data
from yolocourse.commands.using import chosen_precision, open_detector, write_json
from yolocourse.datasets import toytown
from yolocourse.detect import find_device
from yolocourse.engine.evaluate import Evaluation, evaluate, slices_table
from yolocourse.engine.log import ConsoleLog, duration
from yolocourse.engine.processes import Processes
from yolocourse.engine.state import StateFiles
from yolocourse.engine.train import MODEL, train
from yolocourse.recipes import RECIPES, Recipe
from yolocourse.weights.checkpoint import load_trunk
from yolocourse.weights.darknet import load_trunk_weights


def train_command(args: argparse.Namespace) -> None:
    recipe, device = resolve_recipe(args), find_device(args.device)
    dataset = open_data(args, default_split(args, training=True))
    anchors = recipe.find_anchors(dataset.sizes())
    settings, out = recipe.train, Path(args.out or f"runs/{args.data}")
    if StateFiles(out).paths() and not args.resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    tell = print if Processes.here().writes else lambda *lines, **how: None
    torch.manual_seed(settings.seed)
    model = recipe.build(dataset.labels, anchors)
    tell(f"{len(dataset)} pictures, {len(dataset.labels)} classes: {', '.join(dataset.labels.names)}")
    tell(f"recipe {recipe.name}: {recipe.network}, anchors (cells) {np.round(anchors, 2).tolist()}\n{settings}")
    if args.pretrained:
        from_darknet = Path(args.pretrained).suffix != ".safetensors"
        tell((load_trunk_weights if from_darknet else load_trunk)(args.pretrained, model))
    pictures = cached(dataset, settings.size)
    result = train(
        model, pictures, dataset.labels, settings, out=out,
        resume="auto" if args.resume == "auto" else bool(args.resume), on_step=ConsoleLog(args.log_seconds),
        device=device, metadata={"recipe": recipe.name, "network": recipe.network},
    )  # fmt: skip
    tell(f"{result.seen} pictures in {duration(result.seconds)} ({result.seen / max(result.seconds, 1e-9):.0f}/s)")
    if result.interrupted:
        tell(f"interrupted and saved; go on with the same command and --resume, or use {out / MODEL} as it is")
        return
    tell(f"saved {out / MODEL}; next: yolocourse evaluate {args.data} {args.folder or ''} --model {out / MODEL}")


def resolve_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe named on the command line, with its options and --set values laid over it."""
    recipe = RECIPES[args.recipe or args.data]()
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


def result_to_dict(result: Evaluation) -> dict:
    """The figures of an evaluation as JSON can hold them; null where there is none."""
    coco = {name: value for name, value in result.coco.items() if name != "per_class"}
    figures = {"AP50": result.ap50, "AP50_11point": result.eleven_point, "recall": result.voc.mean_recall} | coco
    classes = dict(zip(result.names, result.voc.ap.tolist(), strict=True))
    figures = {name: None if np.isnan(value) else round(float(value), 5) for name, value in figures.items()}
    figures["AP50_per_class"] = {name: None if np.isnan(v) else round(v, 5) for name, v in classes.items()}
    return figures | {"images": result.images, "images_per_second": round(result.images_per_second, 2)}
