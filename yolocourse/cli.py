"""The command line: `yolocourse train | evaluate | detect | convert | ...`.

A table of commands and their options. What is wrong with the user's input ends in one line on stderr and exit code 2.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from yolocourse.commands import files, measuring, training, using, wordtree
from yolocourse.datasets.annotations import BadBoxWarning
from yolocourse.engine.loop import NotFiniteError
from yolocourse.engine.processes import leave
from yolocourse.recipes import CLASSIFIER_RECIPES, JOINT_RECIPES, NETWORKS, RECIPES
from yolocourse.studies import path as path_study
from yolocourse.studies.bench import ROUNDS, SIZES
from yolocourse.weights.fetch import OFFICIAL

ROOT = Path(__file__).resolve().parent.parent
PRECISIONS = ("float32", "bfloat16", "float16", "auto")
SHIPPED = ROOT / "data" / "checkpoints" / "toytown-nano.safetensors"


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", choices=("toytown", "voc", "coco", "things", "imagenet", "imagefolder",
                        *JOINT_RECIPES),
                        help="kind of data set; things (Toy Town's), imagenet and imagefolder have one class a picture "
                        "and no boxes, those of yolo9000 are mixed of both kinds")  # fmt: skip
    parser.add_argument("folder", nargs="?", help="voc: with Annotations and JPEGImages, or with VOC2007 ...; coco; "
                        "yolo9000: coco, to evaluate ImageNet's detection challenge (Annotations/DET ...) or as voc; "
                        "imagenet, imagefolder: with train and val, which hold a folder for each class")  # fmt: skip
    parser.add_argument("--classes", metavar="FILE", help="imagenet, imagefolder: list of the classes' folders in "
                        "the order wanted, a line each, such as WordNet ids (default: as found, sorted)")  # fmt: skip
    parser.add_argument("--class-names", metavar="FILE", help="with --classes: a list with a name for each")
    parser.add_argument("--annotations", help="coco: the JSON file; FOLDER then holds the pictures")
    parser.add_argument("--split", help="part of the data (default: to train, toytown train, voc trainval, coco "
                        "train2017; to evaluate, toytown's five slices, voc test, coco val2017)")  # fmt: skip
    parser.add_argument("--years", help="voc: years of a devkit, such as 2007,2012 (default: all)")
    parser.add_argument(
        "--scenes", type=int, default=1000, help="toytown, things: training pictures (default: %(default)s)"
    )
    parser.add_argument(
        "--test-scenes",
        type=int,
        default=100,
        help="toytown: scenes a test slice; things: test pictures (default: %(default)s)",
    )
    parser.add_argument("--data-seed", type=int, default=0, help="toytown: seed of the scenes (default: %(default)s)")


def add_tree(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--pictures", metavar="DIR", help="yolo9000: with a folder for each class, named by WordNet id, beside "
           "the folder of COCO")  # fmt: skip
    option("--tree", metavar="FILE", help="yolo9000: word tree with the classes of both, see yolocourse wordtree; "
           "names are read from a .names file beside it")  # fmt: skip
    option("--map", metavar="FILE", help="yolo9000: the nodes (.map) or WordNet ids (.ids) of COCO's classes, in "
           "their order (default: data/wordtree/coco.ids)")  # fmt: skip


def add_train(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    add_tree(parser)
    option = parser.add_argument
    option("--recipe", choices=sorted(RECIPES | CLASSIFIER_RECIPES | JOINT_RECIPES), help="settings to start "
           "from (default: the kind of data set's own; 'small' suits a few hundred pictures of yours)")  # fmt: skip
    option("--network", help=f"{', '.join(NETWORKS)} (default: the recipe's)")
    option("--out", help="folder of the run: state-STEP.pt, model.safetensors, log.csv (default: runs/DATA)")
    option("--resume", nargs="?", const="there", choices=("there", "auto"), metavar="auto", help="go on with the run "
           "in --out, exactly where it was saved; with the word auto, begin anew where there is none")  # fmt: skip
    option("--pretrained", metavar="FILE", help="start from another checkpoint's layers, all but the last (with it if "
           "classifiers have the same classes); or from Darknet's, such as darknet19_448.conv.23")  # fmt: skip
    option("--images", type=int, help="pictures to train on in all, repeats included (default: the recipe's)")
    option("--minutes", type=float, help="end after so many minutes at the latest (default: no limit)")
    option("--size", type=int, help="side of the network's input in pixels, a multiple of 32 (default: the recipe's)")
    option("--batch-size", type=int, help="pictures a step (default: the recipe's)")
    option("--learning-rate", type=float, help="highest learning rate (default: the recipe's)")
    option("--seed", type=int, help="seed of weights, order and augmentation (default: 0)")
    option("--workers", type=int, help="processes that load pictures, 0 for none (default: the recipe's)")
    option("--set", action="append", metavar="NAME=VALUE", help="any other setting of the recipe; may be repeated")
    option("--tensorboard", action="store_true", help="curves and example pictures in OUT/tensorboard as well")
    option(
        "--log-seconds", type=float, default=10.0, help="seconds between two lines of progress (default: %(default)s)"
    )
    add_device(parser)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--map", metavar="FILE", help="yolo9000: WordNet ids (.ids) of the classes that had boxes in "
                        "training (default: data/wordtree/coco.ids)")  # fmt: skip
    add_darknet(parser)
    add_speed(parser)
    add_model(parser)
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file as well")


def add_detect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="picture files")
    parser.add_argument(
        "--out", default="detections", help="folder for annotated pictures and JSON (default: %(default)s)"
    )
    parser.add_argument(
        "--threshold", type=float, default=0.25, help="lowest score shown, 0 to 1 (default: %(default)s)"
    )
    parser.add_argument("--nms", type=float, default=0.45, help="IoU above which the lower of two boxes of a class "
                        "goes, 0 to 1 (default: %(default)s)")  # fmt: skip
    add_darknet(parser)
    add_speed(parser)
    add_model(parser)


def add_darknet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cfg", help="Darknet's description of the network, instead of --model")
    parser.add_argument("--weights", help="Darknet's weights for --cfg")
    parser.add_argument("--names", help="class names for --cfg, one a line (default: class 0, class 1 ...)")


def add_speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--precision", choices=PRECISIONS, default="float32",
                        help="of the network's numbers; auto: bfloat16 where that is measured to be faster (default: "
                        "%(default)s)")  # fmt: skip
    parser.add_argument(
        "--compile", action="store_true", help="through torch.compile; try it on a GPU, on processors it is slower"
    )


def add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="NAME.cfg NAME.weights, or NAME.safetensors")
    parser.add_argument("--names", help="class names, one a line (default: class 0, class 1 ...)")
    parser.add_argument("--out", help="the checkpoint, or Darknet's files without ending (default: as the input)")
    parser.add_argument("--layers", type=int, metavar="N", help="to Darknet: only the layers before number N, as in "
                        "darknet19_448.conv.23")  # fmt: skip


def add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("activations", help=".npz with input (3, H, W) and layer_00, layer_01 ... or head")
    parser.add_argument("--cfg", required=True, help="Darknet's description of the network")
    parser.add_argument("--weights", required=True, help="Darknet's weights")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="share of a layer's largest value that may "
                        "differ (default: %(default)s)")  # fmt: skip


def add_export(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--format", choices=("onnx",), default="onnx", help="kind of file (default: %(default)s)")
    option("--out", default="model.onnx", help="the file to write (default: %(default)s)")
    option("--suppress", action="store_true", help="with non-maximum suppression inside, as the output 'selected'")
    option("--threshold", type=float, default=0.25, help="of it: lowest score, 0 to 1 (default: %(default)s)")
    option("--nms", type=float, default=0.45, help="of it: IoU above which the lower of two boxes of a class goes "
           "(default: %(default)s)")  # fmt: skip
    add_darknet(parser)
    add_checkpoint(parser)


def add_bench(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--cfg", help="network to time, with random weights (default: YOLOv2 for VOC at full width)")
    option("--sizes", type=int, nargs="+", default=SIZES, metavar="PIXELS", help="sides of the input (default: those "
           "of the paper, 288 to 608)")  # fmt: skip
    option("--batches", type=int, nargs="+", default=(1, 8), metavar="N", help="pictures at once (default: 1 8)")
    add_speed(parser)
    option("--against", choices=("opencv",), help="the same network in another program, in the same run")
    option("--rounds", type=int, default=ROUNDS, help="runs of which the median is shown (default: %(default)s)")
    option("--out", metavar="FILE", help="write the rows as CSV as well")
    add_device(parser)


def add_path(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    names = [step.name for step in path_study.STEPS]
    option("--seeds", type=int, default=5, metavar="N", help="runs of each step, with seeds 0 to N - 1 (default: "
           "%(default)s)")  # fmt: skip
    option("--steps", nargs="+", choices=names, metavar="STEP", help=f"only these: {', '.join(names)} (default: all)")
    option("--out", default=str(path_study.RESULTS), metavar="FILE", help="the CSV file of results; what is in it is "
           "not run again (default: data/results/path.csv)")  # fmt: skip
    option("--work", default=str(path_study.WORK), metavar="DIR", help="folder for classifiers and detectors (default: "
           "runs/path)")  # fmt: skip
    option("--images", type=int, metavar="N", help="pictures that a detector is trained on (default: "
           f"{path_study.Budget().detector_images}); another number needs another --out")  # fmt: skip
    option("--table", action="store_true", help="only print what the file says so far")
    option("--figure", metavar="FILE", help="draw the paper's steps beside ours, as PNG")
    option("--speed", action="store_true", help="only time a training step of each network, taking turns")


def add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=sorted(OFFICIAL), help="which weights: %(choices)s", metavar="NAME")
    parser.add_argument("--to", metavar="DIR", help="folder (default: $YOLOCOURSE_CACHE, else ~/.cache/yolocourse)")


def add_anchors(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--k", type=int, default=5, help="number of anchors (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, default=416, help="side of the network's input, pixels (default: %(default)s)"
    )
    parser.add_argument("--curve", action="store_true", help="also print the average IoU for 1 to k anchors")
    parser.add_argument("--seed", type=int, default=0, help="seed of the clusters' start (default: %(default)s)")


def add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", nargs="?", help="a data set to check: VOC-style folder, or COCO JSON file "
                        "(default: check this machine)")  # fmt: skip
    parser.add_argument("--images", help="coco: folder of the pictures (default: looked for near the JSON file)")
    parser.add_argument("--size", type=int, default=416, help="side in pixels that small boxes and the suggested "
                        "anchors refer to (default: %(default)s)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="machine: leave out the test of data loader processes")


def add_model(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    add_device(parser)


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=str(SHIPPED), help="checkpoint, a .safetensors file (default: the Toy Town "
                        "detector that comes with the course)")  # fmt: skip


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="cpu, cuda, mps ... (default: the fastest there is)")


COMMANDS: dict[str, tuple[Callable, Callable, str]] = {
    "train": (training.train_command, add_train, "train a detector on Toy Town, VOC-style folders or COCO JSON"),
    "evaluate": (training.evaluate_command, add_evaluate, "AP and recall of a trained detector, class by class"),
    "detect": (using.detect_command, add_detect, "find things in pictures"),
    "convert": (files.convert_command, add_convert, "Darknet's files to a checkpoint, or a checkpoint to them"),
    "compare": (files.compare_command, add_compare, "compare a Darknet network layer by layer with saved outputs"),
    "fetch": (files.fetch_command, add_fetch, "download official weights"),
    "export": (using.export_command, add_export, "write a detector as ONNX, decoding inside"),
    "bench": (measuring.bench_command, add_bench, "milliseconds and images a second on this device"),
    "path": (measuring.path_command, add_path, "the steps from YOLO to YOLOv2 on Toy Town, measured one by one"),
    "anchors": (measuring.anchors_command, add_anchors, "cluster a data set's box sizes into anchors"),
    "wordtree": (wordtree.wordtree_command, wordtree.add_wordtree, "build a word tree from WordNet, or look into one"),
    "doctor": (measuring.doctor_command, add_doctor, "check this machine, or a data set"),
}


def make_parser() -> Parser:
    parser = Parser(prog="yolocourse", description="YOLOv2, trained and used from the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for name, (run, add, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        add(command)
        command.set_defaults(run=run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, 1 where a doctor found something, 2 for input that cannot work."""
    args = make_parser().parse_args(arguments)
    warnings.showwarning = _one_line
    warnings.simplefilter("always", BadBoxWarning)
    warnings.simplefilter("ignore", DeprecationWarning)  # of libraries: nothing that the user of a command could mend
    try:
        return args.run(args) or 0
    except (ValueError, FileNotFoundError, NotFiniteError, OSError) as error:
        print(f"yolocourse {args.command}: error: {cause(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"yolocourse {args.command}: interrupted", file=sys.stderr)
        return 130
    finally:
        leave()


def cause(error: Exception) -> str:
    """What went wrong, in one line. A data loader's worker process wraps the error in its traceback: only its end."""
    text = str(error)
    if "Original Traceback" in text:
        text = text.rstrip().splitlines()[-1].partition(": ")[2]
    return " ".join(text.split())


def _one_line(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"warning: {message}", file=sys.stderr)
