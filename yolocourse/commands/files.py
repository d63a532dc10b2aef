"""convert, compare and fetch: Darknet's files."""

import argparse
from pathlib import Path

from yolocourse.weights.cfg import build_from_cfg, read_cfg
from yolocourse.weights.compare import compare, read_activations
from yolocourse.weights.convert import to_checkpoint, to_darknet
from yolocourse.weights.darknet import load_weights
from yolocourse.weights.fetch import fetch


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
