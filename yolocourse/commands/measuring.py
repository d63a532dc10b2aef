"""bench, path, anchors and doctor: numbers about machines, methods and data."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from yolocourse import doctor
from yolocourse.anchors import average_iou, dimension_clusters, iou_curve, to_pixels
from yolocourse.commands.data import default_split, open_data
from yolocourse.commands.using import chosen_precision, print_now
from yolocourse.datasets.inspect import inspect
from yolocourse.detect import find_device
from yolocourse.models import YOLOv2
from yolocourse.studies import path as path_study
from yolocourse.studies import path_report
from yolocourse.studies.bench import bench, device_name, full_network, table, write_csv
from yolocourse.studies.results import read as read_results
from yolocourse.viz.jupyter import encode
from yolocourse.weights.cfg import build_from_cfg, read_cfg
from yolocourse.weights.checkpoint import write_atomically


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


def path_command(args: argparse.Namespace) -> None:
    out = Path(args.out)
    if args.speed:
        seconds = path_report.step_seconds()
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
    print(path_report.table(rows))
    if args.figure:
        write_atomically(Path(args.figure), encode(path_report.figure(rows))[1])
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
