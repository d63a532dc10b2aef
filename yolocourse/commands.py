"""What the commands of `yolocourse` do, each a plain function of its arguments."""

import argparse
import ast
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from yolocourse import doctor
from yolocourse.anchors import average_iou, dimension_clusters, iou_curve, to_pixels
from yolocourse.datasets import toytown
from yolocourse.datasets.coco import CocoDetection
from yolocourse.datasets.inspect import inspect
from yolocourse.datasets.loading import Cached
from yolocourse.datasets.voc import VocDetection
from yolocourse.detect import Detector, find_device
from yolocourse.engine.evaluate import Evaluation, evaluate, slices_table
from yolocourse.engine.log import ConsoleLog, duration
from yolocourse.engine.precision import fastest_precision
from yolocourse.engine.processes import Processes
from yolocourse.engine.state import StateFiles
from yolocourse.engine.train import MODEL, train
from yolocourse.labels import LabelSpace
from yolocourse.models import YOLOv2
from yolocourse.preprocess import open_picture
from yolocourse.recipes import RECIPES, Recipe
from yolocourse.studies import path as path_study
from yolocourse.studies.bench import bench, device_name, full_network, table, write_csv
from yolocourse.studies.results import read as read_results
from yolocourse.viz import annotate
from yolocourse.viz.jupyter import encode
from yolocourse.weights.cfg import build_from_cfg, read_cfg
from yolocourse.weights.checkpoint import load_trunk, write_atomically
from yolocourse.weights.compare import compare, read_activations
from yolocourse.weights.convert import to_checkpoint, to_darknet
from yolocourse.weights.darknet import load_trunk_weights, load_weights
from yolocourse.weights.fetch import fetch
from yolocourse.weights.onnx import export_onnx

CACHE_BYTES = 2 * 2**30  # of pictures kept in memory, decoded


def open_data(args: argparse.Namespace, split: str, labels: LabelSpace | None = None) -> Dataset:
    """The data set that the command line names: Toy Town, VOC-style folders, or COCO JSON."""
    if args.data == "toytown":
        dataset = toytown.scenes(args.scenes if split == "train" else args.test_scenes, args.data_seed, split=split)
    elif args.folder is None:
        raise ValueError(
            f"{args.data} needs the folder of the data set, such as: yolocourse {args.command} {args.data} DIR"
        )
    elif args.data == "voc":
        years = args.years.split(",") if args.years else None
        dataset = VocDetection(args.folder, split, labels, years)
    else:
        dataset = CocoDetection(*coco_paths(args.folder, args.annotations, split), labels)
    if len(dataset) == 0:
        raise ValueError(f"{args.folder or args.data}: the split {split!r} has no pictures")
    return dataset


def coco_paths(folder: str, annotations: str | None, split: str) -> tuple[Path, Path]:
    """Pictures and JSON of a COCO split: given, or in COCO's own layout, DIR/train2017 and DIR/annotations."""
    if annotations:
        return Path(folder), Path(annotations)
    return Path(folder) / split, Path(folder) / "annotations" / f"instances_{split}.json"


def default_split(args: argparse.Namespace, training: bool) -> str:
    names = {"toytown": ("train", "test"), "voc": ("trainval", "test"), "coco": ("train2017", "val2017")}
    return args.split or names[args.data][0 if training else 1]


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


def cached(dataset: Dataset, size: int) -> Dataset:
    """The data set in memory, its pictures no larger than training needs, where they fit; else as it is."""
    side = int(size * 1.4)
    if len(dataset) * side * side * 3 > CACHE_BYTES:
        return dataset
    print(f"reading {len(dataset)} pictures into memory ...", flush=True)
    return Cached(dataset, max_side=side)


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


def detect_command(args: argparse.Namespace) -> int:
    """Goes on past pictures that cannot be read, so that one of them does not cost the others; 2 if there was one."""
    device = find_device(args.device)
    detector = open_detector(
        args, device=device, precision=chosen_precision(args, device), compile=args.compile, threshold=args.threshold,
        nms_threshold=args.nms,
    )  # fmt: skip
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    rows, taken, unreadable = [], set(), 0
    for path in args.images:
        try:
            found = detector(path)
        except (ValueError, FileNotFoundError) as error:
            print(f"yolocourse detect: error: {error}", file=sys.stderr)
            unreadable += 1
            continue
        name = unused(Path(path).stem, taken)
        picture = annotate(open_picture(path), found)
        picture.save(out / f"{name}.png")
        rows.append(found.to_dict() | {"annotated": f"{name}.png"})
        print(
            f"{path}: {', '.join(f'{n} {s:.2f}' for n, s in zip(found.names, found.scores, strict=True)) or 'nothing'}"
        )
    write_json(out / "detections.json", rows)
    print(f"wrote {len(rows)} annotated pictures and detections.json to {out}")
    return 2 if unreadable else 0


def open_detector(args: argparse.Namespace, **settings) -> Detector:
    """The detector that the command line names: a checkpoint, or Darknet's files."""
    if not (args.cfg or args.weights or args.names):
        return Detector.load(args.model, **settings)
    if not (args.cfg and args.weights):
        raise ValueError("Darknet's files come together: --cfg FILE --weights FILE, and --names FILE for class names")
    return Detector.from_darknet(args.cfg, args.weights, args.names, **settings)


def chosen_precision(args: argparse.Namespace, device: torch.device) -> str:
    """The precision that the command line names; "auto" is whichever was just measured to be faster."""
    return str(fastest_precision(device)).removeprefix("torch.") if args.precision == "auto" else args.precision


def export_command(args: argparse.Namespace) -> None:
    detector = open_detector(args, device="cpu", frozen=False)
    export_onnx(args.out, detector.model, detector.labels, detector.preprocess, args.suppress, args.threshold, args.nms)
    print(f"wrote {args.out}: {Path(args.out).stat().st_size / 1e6:.1f} MB")


def unused(stem: str, taken: set[str]) -> str:
    """A file name that no other picture of this call has: two folders may both hold 1.jpg."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def write_json(path: str | Path, content: object) -> None:
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def convert_command(args: argparse.Namespace) -> None:
    """Which way is told by the endings: .cfg and .weights become .safetensors, and .safetensors those two."""
    kinds = {Path(file).suffix: file for file in args.files}
    if set(kinds) == {".safetensors"} and len(args.files) == 1:
        (checkpoint,) = args.files
        paths = to_darknet(checkpoint, args.out or Path(checkpoint).with_suffix(""), args.layers)
        print(f"wrote {', '.join(map(str, paths))}")
    elif set(kinds) == {".cfg", ".weights"} and len(args.files) == 2:
        out = Path(args.out or Path(kinds[".weights"]).with_suffix(".safetensors"))
        out = out if out.suffix == ".safetensors" else out.with_name(out.name + ".safetensors")
        found = to_checkpoint(kinds[".cfg"], kinds[".weights"], args.names, out)
        config = found.model.config
        print(f"wrote {out}: {config['builder']}, {config['num_outputs']} classes, input {found.preprocess.size}")
    else:
        raise ValueError("expected NAME.cfg NAME.weights, or one NAME.safetensors; found " + " ".join(args.files))


def compare_command(args: argparse.Namespace) -> int:
    model = build_from_cfg(read_cfg(args.cfg))
    load_weights(args.weights, model)
    images, expected = read_activations(args.activations)
    rows = compare(model, images, expected)
    print("layer  kind             largest value  largest difference  relative")
    for row in rows:
        mark = "" if row.relative <= args.tolerance else "  differs"
        number = str(row.number) if row.number >= 0 else "last"
        print(f"{number:>5}  {row.layer.kind:15} {row.largest:14.5g} {row.difference:19.3g} {row.relative:9.1e}{mark}")
    wrong = [row for row in rows if not row.relative <= args.tolerance]
    if wrong:
        first = f"layer {wrong[0].number}" if wrong[0].number >= 0 else "the last layer"
        print(f"first difference: {first} ({wrong[0].layer.kind}), {wrong[0].relative:.1e} of its largest value")
        return 1
    print(f"{len(rows)} layers agree within {args.tolerance:g} of their largest value")
    return 0


def fetch_command(args: argparse.Namespace) -> None:
    shown = -1

    def progress(done: int, size: int) -> None:
        nonlocal shown
        if done * 10 // size > shown:
            shown = done * 10 // size
            print(f"{done / 1e6:.0f} of {size / 1e6:.0f} MB", flush=True)

    print(fetch(args.name, Path(args.to) if args.to else None, progress))


def bench_command(args: argparse.Namespace) -> None:
    model = build_from_cfg(read_cfg(args.cfg)) if args.cfg else full_network()
    if not isinstance(model, YOLOv2):
        raise ValueError(f"{args.cfg}: a classifier; bench times detectors")
    device = find_device(args.device)
    print(f"{device_name(device)}; medians of {args.rounds} runs, milliseconds for a batch\n{table([])}", flush=True)
    rows = bench(
        model, args.sizes, args.batches, chosen_precision(args, device), device, args.compile, args.against,
        args.rounds,
        on_row=lambda row: print(table([row]).splitlines()[-1], flush=True),
    )  # fmt: skip
    if args.out:
        write_csv(Path(args.out), rows)
        print(f"wrote {args.out}")


def print_now(line: str) -> None:
    """For long runs whose output goes into a file."""
    print(line, flush=True)


def path_command(args: argparse.Namespace) -> None:
    out = Path(args.out)
    if args.speed:
        seconds = path_study.step_seconds()
        first = seconds[path_study.STEPS[0].name]
        print(f"{device_name(find_device())}: a training step of 8 pictures, and as a share of the first network's")
        print("\n".join(f"{name:16} {value:7.3f} s {value / first:6.2f}" for name, value in seconds.items()))
        return
    if args.table:
        if not out.is_file():
            raise FileNotFoundError(f"{out}: no results yet; yolocourse path makes them")
        rows = read_results(out)
    else:
        budget = replace(path_study.Budget(), **({"detector_images": args.images} if args.images else {}))
        rows = path_study.run(range(args.seeds), args.steps, out, Path(args.work), budget, print_now)
    print(path_study.table(rows))
    if args.figure:
        write_atomically(Path(args.figure), encode(path_study.figure(rows))[1])
        print(f"wrote {args.figure}")


def anchors_command(args: argparse.Namespace) -> None:
    dataset = open_data(args, default_split(args, training=True))
    cells = np.asarray(dataset.sizes()) * args.size / 32
    print(f"{len(cells)} boxes, pictures stretched to {args.size} x {args.size}")
    if args.curve:
        curve = iou_curve(cells, range(1, args.k + 1), args.seed)
        print("\n".join(f"k = {k}: average IoU {value:.3f}" for k, value in enumerate(curve, 1)))
    anchors = dimension_clusters(cells, args.k, args.seed).anchors
    pairs = ", ".join(f"{w:.2f},{h:.2f}" for w, h in anchors)
    pixels = ", ".join(f"{w:.0f} x {h:.0f}" for w, h in to_pixels(anchors))
    print(f"anchors (grid cells): {pairs}\nanchors (pixels):     {pixels}")
    print(f"average IoU {average_iou(cells, anchors):.3f}")


def doctor_command(args: argparse.Namespace) -> int:
    if args.dataset is None:
        return doctor.run(workers=not args.quick)
    report = inspect(args.dataset, images_dir=args.images, size=args.size)
    print("\n".join(report.lines()))
    return 1 if report.problems else 0
