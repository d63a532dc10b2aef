"""detect and export: what a trained detector is for."""

import argparse
import json
import sys
from pathlib import Path

import torch

from yolocourse.detect import Detector, find_device
from yolocourse.engine.precision import fastest_precision
from yolocourse.preprocess import open_picture
from yolocourse.viz import annotate
from yolocourse.weights.onnx import export_onnx


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


def print_now(line: str) -> None:
    """For long runs whose output goes into a file."""
    print(line, flush=True)
