"""python -m yolocourse.datasets.toytown sheets|write|hashes|tree: contact sheets, VOC folders, hashes, hierarchy."""

import argparse
import sys
from pathlib import Path

from yolocourse.datasets.toytown.classes import tree
from yolocourse.datasets.toytown.record import write_hashes
from yolocourse.datasets.toytown.sheets import write_sheets
from yolocourse.datasets.toytown.write import write
from yolocourse.weights.names import write_names
from yolocourse.wordtree import write_tree


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, or 2 with one line about what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m yolocourse.datasets.toytown", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sheets = commands.add_parser("sheets", help="contact sheets of all classes and slices (PNG)")
    sheets.add_argument("folder", type=Path, nargs="?", default=Path("data/toytown"), help="default: %(default)s")
    hashes = commands.add_parser("hashes", help="SHA-256 of some pictures and boxes, for the tests (JSON)")
    hashes.add_argument("file", type=Path, nargs="?", default=Path("tests/datasets/toytown/hashes.json"))
    word_tree = commands.add_parser("tree", help="the hierarchy in Darknet's files .tree and .names")
    word_tree.add_argument("file", type=Path, nargs="?", default=Path("data/wordtree/toytown.tree"))
    voc = commands.add_parser("write", help="the data set as Pascal VOC folders")
    voc.add_argument("folder", type=Path)
    voc.add_argument("--train", type=int, default=1000, metavar="N", help="training scenes (default: %(default)s)")
    voc.add_argument("--val", type=int, default=200, metavar="N", help="validation scenes (default: %(default)s)")
    voc.add_argument(
        "--per-slice", type=int, default=100, metavar="N", help="test scenes a slice (default: %(default)s)"
    )
    voc.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    voc.add_argument("--size", type=int, default=224, metavar="PX", help="side of the pictures (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if options.command == "sheets":
            print(*write_sheets(options.folder), sep="\n")
        elif options.command == "hashes":
            print(write_hashes(options.file))
        elif options.command == "tree":
            write_tree(options.file, tree())
            write_names(options.file.with_suffix(".names"), tree())
            print(options.file)
        else:
            print(write(options.folder, options.train, options.val, options.per_slice, options.seed, options.size))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
