"""The command line, run as a user would: a tiny VOC-style folder in, a detector and pictures out."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from yolocourse.cli import COMMANDS, main, make_parser
from yolocourse.commands.training import anchors_in_words, resolve_recipe, settings_in_words
from yolocourse.engine.state import StateFiles
from yolocourse.engine.train import LOG, MODEL
from yolocourse.models import build
from yolocourse.recipes import toytown as toytown_recipe
from yolocourse.studies.results import write as write_results
from yolocourse.weights.cfg import build_from_cfg, read_cfg
from yolocourse.weights.checkpoint import load_checkpoint
from yolocourse.weights.compare import activations
from yolocourse.weights.darknet import load_weights, save_weights
from yolocourse.weights.fetch import OFFICIAL, Official

XML = (
    "<annotation><filename>{name}.png</filename><size><width>{w}</width><height>{h}</height><depth>3</depth></size>"
    "{objects}</annotation>"
)
OBJECT = (
    "<object><name>{}</name><difficult>0</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
    "<ymax>{}</ymax></bndbox></object>"
)


def write_voc(root: Path, pictures: int = 8, boxes=None) -> Path:
    """Red and blue rectangles on grey, as a VOC folder with the splits trainval and test."""
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = [f"p{i}" for i in range(pictures)]
    for i, name in enumerate(names):
        image = Image.new("RGB", (96, 64), "grey")
        places = boxes or [("red", 5 + i, 6, 40 + i, 40), ("blue", 50, 20, 90, 60 - i)]
        for colour, *corners in places:
            if corners[2] > corners[0] and corners[3] > corners[1]:
                ImageDraw.Draw(image).rectangle([c - 1 for c in corners], fill=colour)
        image.save(root / "JPEGImages" / f"{name}.png")
        objects = "".join(OBJECT.format(*place) for place in places)
        (root / "Annotations" / f"{name}.xml").write_text(XML.format(name=name, w=96, h=64, objects=objects))
    (root / "ImageSets/Main/trainval.txt").write_text("\n".join(names[:-2]) + "\n")
    (root / "ImageSets/Main/test.txt").write_text("\n".join(names[-2:]) + "\n")
    return root


GOOD = [("red", 5, 5, 40, 40)]
GOOD += [("blue", 9, 9, 30, 20), ("red", 2, 3, 90, 60), ("blue", 4, 8, 20, 60), ("red", 3, 3, 9, 9)]
WITH_A_BAD_ONE = [*GOOD, ("blue", 20, 20, 20, 20)]
TRAIN = ["--recipe", "small", "--network", "tiny", "--size", "64", "--batch-size", "2", "--set", "width=0.05"]
TRAIN += ["--set", "precision=float32", "--set", "anchors=2", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_voc(tmp_path_factory.mktemp("voc"))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "mine"
    assert main(["train", "voc", str(folder), *TRAIN, "--images", "12", "--out", str(out)]) == 0
    return out


def error_of(capsys, *arguments, lines: int = 1) -> str:
    """The one line (or first of several) that a failing call prints; exit code 2, nothing else on stderr."""
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr().err.splitlines()
    assert code == 2 and len(printed) == lines, printed
    return printed[0]


def test_train_writes_a_run(run):
    states = [path.name for path in StateFiles(run).paths()]
    assert states and {path.name for path in run.iterdir()} == {*states, MODEL, LOG}
    assert len((run / LOG).read_text().splitlines()) == 1 + 12 // 2


def test_train_again_needs_resume_and_then_goes_on(run, folder, capsys):
    arguments = ["train", "voc", folder, *TRAIN, "--images", "12", "--out", run]
    assert "--resume" in error_of(capsys, *arguments)
    assert main([str(a) for a in (*arguments, "--resume")]) == 0
    assert "12 pictures" in capsys.readouterr().out


def test_resume_auto_begins_where_there_is_nothing_and_goes_on_where_there_is(folder, tmp_path, capsys):
    arguments = ["train", "voc", str(folder), *TRAIN, "--images", "4", "--out", str(tmp_path), "--resume", "auto"]
    assert main(arguments) == 0 and "4 pictures in" in capsys.readouterr().out
    before = (tmp_path / LOG).read_text()
    assert main(arguments) == 0 and (tmp_path / LOG).read_text() == before


def test_resume_with_other_settings_is_refused(run, folder, capsys):
    line = error_of(capsys, "train", "voc", folder, *TRAIN, "--images", "14", "--out", run, "--resume")
    assert "images was 12, now 14" in line


def test_evaluate_prints_a_table_and_writes_json(run, folder, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert main(["evaluate", "voc", str(folder), "--model", str(run / MODEL), "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^blue +2 +\d\.\d{3}", printed, re.M) and re.search(r"^mean +4 ", printed, re.M)
    figures = json.loads(file.read_text())["test"]
    assert figures["images"] == 2 and 0 <= figures["AP50"] <= 1 and set(figures["AP50_per_class"]) == {"blue", "red"}


def test_detect_writes_pictures_and_json(run, folder, tmp_path, capsys):
    pictures = sorted((folder / "JPEGImages").iterdir())[:2]
    arguments = ["detect", *map(str, pictures), "--model", str(run / MODEL), "--out", str(tmp_path), "--threshold", "0"]
    assert main(arguments) == 0
    rows = json.loads((tmp_path / "detections.json").read_text())
    assert [row["path"] for row in rows] == [str(path) for path in pictures]
    assert rows[0]["width"] == 96 and rows[0]["height"] == 64 and rows[0]["detections"]
    x1, y1, x2, y2 = rows[0]["detections"][0]["box"]
    assert 0 <= x1 < x2 <= 96 and 0 <= y1 < y2 <= 64
    for row in rows:
        assert Image.open(tmp_path / row["annotated"]).size[0] >= 96


def test_detect_keeps_pictures_of_the_same_name_apart(run, folder, tmp_path):
    one = folder / "JPEGImages" / "p0.png"
    other = tmp_path / "elsewhere" / "p0.png"
    other.parent.mkdir()
    Image.new("RGB", (50, 50)).save(other)
    out = tmp_path / "out"
    assert main(["detect", str(one), str(other), "--model", str(run / MODEL), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"p0.png", "p0-2.png", "detections.json"}


def test_pretrained_layers_are_taken_over(run, folder, tmp_path, capsys):
    out = tmp_path / "next"
    arguments = ["train", "voc", folder, *TRAIN, "--images", "2", "--out", out, "--pretrained", run / MODEL]
    assert main([str(a) for a in arguments]) == 0
    assert "tensors loaded" in capsys.readouterr().out


def test_anchors_in_cells_and_pixels(folder, capsys):
    assert main(["anchors", "voc", str(folder), "--k", "2", "--size", "96", "--curve"]) == 0
    printed = capsys.readouterr().out
    # red boxes are 36 x 35 of 96 x 64 pixels: stretched to 96, 36 x 52.5
    assert "36 x 52" in printed and "k = 2" in printed and "12 boxes" in printed


def test_doctor_finds_what_is_wrong_with_a_data_set(tmp_path, capsys):
    folder = write_voc(tmp_path / "bad", boxes=WITH_A_BAD_ONE)
    assert main(["doctor", str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "p0" in printed and "no area" in printed and "suggested anchors" in printed


def test_doctor_is_content_with_a_good_data_set(folder, capsys):
    assert main(["doctor", str(folder)]) == 0
    assert "0 problems" in capsys.readouterr().out


def test_a_degenerate_box_is_a_warning_that_names_the_file(tmp_path, capsys):
    folder = write_voc(tmp_path / "bad", boxes=WITH_A_BAD_ONE)
    arguments = ["train", "voc", folder, *TRAIN, "--images", "2", "--out", tmp_path / "run"]
    assert main([str(a) for a in arguments]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert any("p0.xml" in line and "no area" in line for line in warnings)


def test_unknown_option(capsys):
    assert "--lerning-rate" in error_of(capsys, "train", "toytown", "--lerning-rate", "1")


@pytest.mark.parametrize("text, message", [("size", "name=value"), ("sizze=4", "unknown setting 'sizze'")])
def test_wrong_settings(text, message, capsys):
    assert message in error_of(capsys, "train", "toytown", "--scenes", "2", "--set", text)


def test_size_that_is_no_multiple_of_32(capsys):
    line = error_of(capsys, "train", "toytown", "--scenes", "2", "--size", "230")
    assert "230" in line and "224" in line and "256" in line


def test_missing_folder(tmp_path, capsys):
    assert str(tmp_path / "nowhere") in error_of(capsys, "train", "voc", tmp_path / "nowhere", "--out", tmp_path / "r")
    assert "folder" in error_of(capsys, "train", "voc", "--out", tmp_path / "r")


def test_missing_model_and_picture(run, tmp_path, capsys):
    assert "nothing.safetensors" in error_of(capsys, "evaluate", "toytown", "--model", tmp_path / "nothing.safetensors")
    line = error_of(capsys, "detect", tmp_path / "none.jpg", "--model", run / MODEL, "--out", tmp_path)
    assert "none.jpg" in line


def test_corrupt_picture(run, folder, tmp_path, capsys):
    whole = (folder / "JPEGImages" / "p0.png").read_bytes()
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole[: len(whole) // 2])
    assert "broken.png" in error_of(capsys, "detect", broken, "--model", run / MODEL, "--out", tmp_path / "out")


def test_one_corrupt_picture_does_not_cost_the_others(run, folder, tmp_path, capsys):
    whole, broken = folder / "JPEGImages" / "p0.png", tmp_path / "broken.png"
    broken.write_bytes(whole.read_bytes()[:60])
    out = tmp_path / "out"
    line = error_of(capsys, "detect", broken, whole, tmp_path, "--model", run / MODEL, "--out", out, lines=2)
    assert "broken.png" in line
    assert [row["annotated"] for row in json.loads((out / "detections.json").read_text())] == ["p0.png"]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_picture_ends_a_training_that_reads_as_it_goes(tmp_path, monkeypatch, capsys, workers):
    monkeypatch.setattr("yolocourse.commands.data.CACHE_BYTES", 0)
    folder = write_voc(tmp_path / "bad")
    (folder / "JPEGImages" / "p3.png").write_bytes((folder / "JPEGImages" / "p3.png").read_bytes()[:60])
    line = error_of(capsys, "train", "voc", folder, *TRAIN, "--workers", workers, "--out", tmp_path / "r")
    assert "p3.png: cannot be read as a picture" in line and "Traceback" not in line


def test_a_device_that_is_not_there(run, folder, tmp_path, capsys):
    for device in ("cuda:99", "toaster"):
        commands = (["train", "toytown", "--out", tmp_path / "r"], ["evaluate", "voc", folder], ["detect", "x.png"])
        for command in commands:
            assert f"device '{device}' cannot be used" in error_of(capsys, *command, "--device", device)
    assert not (tmp_path / "r").exists()


def test_a_split_without_pictures(tmp_path, capsys):
    assert "toytown: the split 'train' has no pictures" in error_of(capsys, "train", "toytown", "--scenes", "0")
    folder = write_voc(tmp_path / "empty")
    (folder / "ImageSets/Main/none.txt").write_text("")
    line = error_of(capsys, "train", "voc", folder, "--split", "none", "--out", tmp_path / "r")
    assert "the split 'none' has no pictures" in line


def test_malformed_xml(tmp_path, capsys):
    folder = write_voc(tmp_path / "bad")
    (folder / "Annotations" / "p1.xml").write_text("<annotation><object></annotation>")
    assert "p1.xml" in error_of(capsys, "train", "voc", folder, "--out", tmp_path / "r")


def test_malformed_json(tmp_path, capsys):
    (tmp_path / "a.json").write_text('{"images": [}')
    line = error_of(capsys, "train", "coco", tmp_path, "--annotations", tmp_path / "a.json", "--out", tmp_path / "r")
    assert "a.json" in line and "line 1" in line


def test_classes_that_the_model_does_not_know(run, tmp_path, capsys):
    folder = write_voc(tmp_path / "other", boxes=[("green", 5, 5, 40, 40)])
    line = error_of(capsys, "evaluate", "voc", folder, "--model", run / MODEL)
    assert "green" in line and "blue, red" in line


def test_not_a_checkpoint(folder, tmp_path, capsys):
    torch.save({"a": 1}, tmp_path / "x.safetensors")
    assert "x.safetensors" in error_of(capsys, "evaluate", "voc", folder, "--model", tmp_path / "x.safetensors")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0 and "usage: yolocourse " + command in capsys.readouterr().out
    parser = next(a for a in make_parser()._actions if a.dest == "command").choices[command]
    assert all(action.help for action in parser._actions)


MINI = Path(__file__).parent / "golden" / "network" / "mini.cfg"


@pytest.fixture(scope="module")
def darknet(tmp_path_factory):
    """--cfg, --weights and --names of a small network with seeded weights, and a picture."""
    folder = tmp_path_factory.mktemp("darknet")
    torch.manual_seed(0)
    save_weights(folder / "mini.weights", build_from_cfg(read_cfg(MINI)))
    (folder / "mini.names").write_text("dog\ncat\nbus\n")
    Image.new("RGB", (120, 60), "grey").save(folder / "picture.png")
    return folder


def test_detect_with_darknets_files(darknet, tmp_path, capsys):
    files = ["--cfg", str(MINI), "--weights", str(darknet / "mini.weights")]
    picture = str(darknet / "picture.png")
    named = [*files, "--names", str(darknet / "mini.names"), "--threshold", "0.001", "--device", "cpu"]
    assert main(["detect", picture, *named, "--out", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / "detections.json").read_text())
    assert {found["name"] for found in row["detections"]} <= {"dog", "cat", "bus"} and row["detections"]
    capsys.readouterr()
    assert "come together" in error_of(capsys, "detect", picture, *files[:2])
    assert "no such .weights file" in error_of(capsys, "detect", picture, *files[:3], tmp_path / "no.weights")
    (tmp_path / "two.names").write_text("dog\ncat\n")
    message = error_of(capsys, "detect", picture, *files, "--names", tmp_path / "two.names")
    assert "two.names: 2 names, but the network has 3 classes" in message
    (tmp_path / "bad.cfg").write_text(MINI.read_text().replace("[reorg]", "[upsample]"))
    message = error_of(capsys, "detect", picture, "--cfg", tmp_path / "bad.cfg", *files[2:])
    assert re.search(r"bad.cfg:\d+: layer \[upsample\]", message)


def test_evaluate_with_darknets_files(darknet, folder, tmp_path, capsys):
    """Classes are matched by name, so the .names file has to have those of the data set."""
    (tmp_path / "m.names").write_text("blue\ngreen\nred\n")
    files = ["--cfg", str(MINI), "--weights", str(darknet / "mini.weights"), "--names", str(tmp_path / "m.names")]
    assert main(["evaluate", "voc", str(folder), *files, "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^red +2 ", printed, re.M) and re.search(r"^green +0 ", printed, re.M)
    assert "green" not in error_of(capsys, "evaluate", "voc", folder, *files[:4])


def test_convert_there_and_back(darknet, tmp_path, capsys):
    out = tmp_path / "mini.safetensors"
    names = ["--names", str(darknet / "mini.names")]
    assert main(["convert", str(MINI), str(darknet / "mini.weights"), *names, "--out", str(out)]) == 0
    assert main(["convert", str(out)]) == 0
    assert (tmp_path / "mini.cfg").read_text() == MINI.read_text()
    assert (tmp_path / "mini.weights").read_bytes() == (darknet / "mini.weights").read_bytes()
    assert (tmp_path / "mini.names").read_text() == "dog\ncat\nbus\n"
    assert main(["convert", str(out), "--layers", "5"]) == 0
    assert (darknet / "mini.weights").read_bytes().startswith((tmp_path / "mini.conv.5").read_bytes())
    capsys.readouterr()
    assert "expected NAME.cfg NAME.weights" in error_of(capsys, "convert", MINI)


def test_train_from_darknets_first_layers(darknet, folder, tmp_path, capsys):
    torch.manual_seed(1)
    model = build("tiny", num_outputs=2, anchors=[[1.0, 1.0], [2.0, 2.0]], width=0.05)
    save_weights(tmp_path / "tiny.conv.6", model, layers=6)
    run = ["train", "voc", str(folder), *TRAIN, "--images", "4", "--out", str(tmp_path / "run")]
    assert main([*run, "--pretrained", str(tmp_path / "tiny.conv.6")]) == 0
    assert "15 tensors loaded" in capsys.readouterr().out
    run[-1] = str(tmp_path / "other")
    assert "ends in the middle of layer" in error_of(capsys, *run, "--pretrained", darknet / "mini.weights")


def test_compare_names_the_first_layer_that_differs(darknet, tmp_path, capsys):
    model = build_from_cfg(read_cfg(MINI))
    load_weights(darknet / "mini.weights", model)
    images = torch.rand(1, 3, 64, 96)
    layers = {f"layer_{n:02}": o[0].numpy() for n, (_, o) in activations(model, images).items() if n >= 0}
    np.savez(tmp_path / "a.npz", input=images[0].numpy(), **layers)
    files = ["--cfg", str(MINI), "--weights", str(darknet / "mini.weights")]
    assert main(["compare", str(tmp_path / "a.npz"), *files]) == 0
    assert "13 layers agree" in capsys.readouterr().out
    layers["layer_04"] = layers["layer_04"] + 1
    np.savez(tmp_path / "a.npz", input=images[0].numpy(), **layers)
    assert main(["compare", str(tmp_path / "a.npz"), *files]) == 1
    assert "first difference: layer 4 (convolutional)" in capsys.readouterr().out


def test_fetch_offline(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(OFFICIAL, "yolov2-voc", Official("http://127.0.0.1:9/yolov2-voc.weights", 100))
    message = error_of(capsys, "fetch", "yolov2-voc", "--to", tmp_path)
    assert "cannot be reached" in message and f"put it at {tmp_path / 'yolov2-voc.weights'}" in message
    assert "invalid choice: 'yolov9'" in error_of(capsys, "fetch", "yolov9")


def test_bench_prints_and_writes_rows(tmp_path, capsys):
    arguments = ["bench", "--cfg", str(MINI), "--sizes", "64", "--batches", "1", "--rounds", "1", "--device", "cpu"]
    assert main([*arguments, "--precision", "auto"]) == 0
    assert re.search(r"yolocourse +(float32|bfloat16) +64 +1 \|", capsys.readouterr().out)
    assert main([*arguments, "--out", str(tmp_path / "b.csv")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"yolocourse +float32 +64 +1 \|", printed) and "wrote" in printed
    assert len((tmp_path / "b.csv").read_text().splitlines()) == 2


def test_export_writes_a_graph_that_runs(darknet, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    files = ["--cfg", str(MINI), "--weights", str(darknet / "mini.weights"), "--names", str(darknet / "mini.names")]
    assert main(["export", *files, "--suppress", "--out", str(tmp_path / "m.onnx")]) == 0
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    boxes, scores, _ = session.run(None, {"images": np.zeros((1, 3, 64, 96), np.float32)})
    assert boxes.shape == (1, 120, 4) and scores.shape == (1, 120, 3)


def test_path_prints_the_table_of_a_file(tmp_path, capsys):
    out = tmp_path / "path.csv"
    assert main(["path", "--table", "--out", str(out)]) == 2
    assert "no results yet" in capsys.readouterr().err
    numbers = {"AP50": 0.25, "AP": 0.1, "recall": 0.5, "AP_small": 0.05, "gigaflops": 0.7, "images": 10}
    write_results(out, [{"step": "yolo", "seed": seed, "slice": "mix"} | numbers for seed in (0, 1)])
    assert main(["path", "--table", "--out", str(out)]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert " ".join(line.split()) == "YOLO 63.4 0.250 ± 0.000 0.100 ± 0.000 0.500 ± 0.000 0.050 ± 0.000 0.70 2"


def test_path_draws_a_figure(tmp_path, capsys):
    out, figure = tmp_path / "path.csv", tmp_path / "path.png"
    rows = [{"step": step, "seed": 0, "slice": "mix", "gigaflops": 1.0} for step in ("yolo", "anchors")]
    write_results(out, [row | {"AP50": 0.25, "AP": 0.1, "recall": 0.5, "AP_small": 0.05} for row in rows])
    assert main(["path", "--table", "--out", str(out), "--figure", str(figure)]) == 0
    with Image.open(figure) as picture:
        assert picture.format == "PNG" and picture.width > 600
    assert str(figure) in capsys.readouterr().out


def test_path_with_another_budget_needs_another_file(tmp_path, capsys):
    out = tmp_path / "path.csv"
    write_results(out, [{"step": "yolo", "seed": 0, "slice": "mix", "images": 10}])
    assert main(["path", "--images", "20", "--out", str(out)]) == 2
    assert "made with 10 pictures" in capsys.readouterr().err


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Folders of red and blue pictures, in the splits train and val."""
    root = tmp_path_factory.mktemp("classes")
    for split in ("train", "val"):
        for name in ("n00000001", "n00000002"):
            (root / split / name).mkdir(parents=True)
            for i in range(4):
                colour = (200 + i, 0, 0) if name.endswith("1") else (0, 0, 200 + i)
                Image.new("RGB", (60, 50), colour).save(root / split / name / f"{i}.png")
    return root


CLASSIFY = ("--set", "width=0.05", "--size", "64", "--batch-size", "4", "--set", "crop=(64, 80)",
            "--set", "precision=float32", "--set", "warmup_images=0")  # fmt: skip


def test_a_classifier_is_trained_and_judged_and_gives_a_detector_its_trunk(classes, folder, tmp_path, capsys):
    out, ids, names = tmp_path / "c", tmp_path / "ids.txt", tmp_path / "names.txt"
    ids.write_text("n00000002\nn00000001\n")
    names.write_text("blue\nred\n")
    lists = ["--classes", str(ids), "--class-names", str(names)]
    assert main(["train", "imagefolder", str(classes), *CLASSIFY, *lists, "--images", "64", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "8 pictures, 2 classes: blue, red" in printed and "right" in printed
    saved = load_checkpoint(out / MODEL)
    assert saved.labels.ids == ("n00000002", "n00000001") and saved.metadata["recipe"]["name"] == "imagefolder"
    figures = tmp_path / "figures.json"
    model = ["--model", str(out / MODEL)]
    assert main(["evaluate", "imagefolder", str(classes), *model, "--json", str(figures)]) == 0
    assert "top-1" in capsys.readouterr().out
    assert json.loads(figures.read_text())["images"] == 8
    detector = ["train", "voc", str(folder), "--network", "yolov2", "--set", "width=0.05", "--size", "64", "--images",
                "2", "--batch-size", "2", "--set", "anchors=1", "--pretrained", str(out / MODEL)]  # fmt: skip
    assert main([*detector, "--out", str(tmp_path / "d")]) == 0
    assert "tensors loaded" in capsys.readouterr().out
    # Fine-tuning goes on with all layers; at a learning rate of nearly nothing it ends where it began.
    finer = ["train", "imagefolder", str(classes), *CLASSIFY, *lists, "--images", "4", "--pretrained", str(out / MODEL)]
    assert main([*finer, "--learning-rate", "1e-9", "--out", str(tmp_path / "f")]) == 0
    tuned = load_checkpoint(tmp_path / "f" / MODEL).model.classify.state_dict()
    torch.testing.assert_close(tuned, saved.model.classify.state_dict())


def test_toy_towns_things_need_no_folder(tmp_path, capsys):
    few = ["--scenes", "8", "--images", "8", "--batch-size", "4", "--set", "width=0.05", "--set", "sizes=(64,)"]
    assert main(["train", "things", *few, "--out", str(tmp_path / "t")]) == 0
    assert "27 classes" in capsys.readouterr().out
    model = ["--model", str(tmp_path / "t" / MODEL)]
    assert main(["evaluate", "things", "--test-scenes", "4", *model]) == 0
    assert "(4 pictures)" in capsys.readouterr().out


def test_recipes_and_data_must_fit(classes, folder, run, tmp_path, capsys):
    line = error_of(capsys, "train", "voc", folder, "--recipe", "imagenet", "--out", tmp_path)
    assert "recipe 'imagenet' does not fit voc" in line and "toytown" in line
    line = error_of(capsys, "train", "imagefolder", classes, "--recipe", "voc", "--out", tmp_path)
    assert "'voc' does not fit imagefolder" in line
    line = error_of(capsys, "evaluate", "imagefolder", classes, "--model", run / MODEL)
    assert "a detector" in line
    line = error_of(capsys, "train", "imagenet", "--out", tmp_path)
    assert "imagenet needs the folder" in line


def test_tensorboard_beside_the_console(folder, tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "run"
    arguments = ["train", "voc", str(folder), *TRAIN, "--images", "4", "--out", str(out), "--tensorboard"]
    assert main(arguments) == 0 and list((out / "tensorboard").glob("events*"))


def test_settings_are_printed_as_set_takes_them():
    settings = toytown_recipe().with_values(crop=(64, 80), images=123).train
    words = settings_in_words(settings).split()
    assert {"images=123", "crop=(64,80)", "object_scale=5.0", "anchor_warmup_images=800"} <= set(words)
    options = [option for word in words for option in ("--set", word)]
    again = resolve_recipe(make_parser().parse_args(["train", "toytown", *options]))
    assert again.train == settings
    assert anchors_in_words(torch.nn.Flatten()) == "no anchors"
    assert anchors_in_words(SimpleNamespace(anchors=torch.tensor([[1.234, 2.0]]))) == "anchors 1.23x2.00 cells"


def test_wordtree_build_merge_and_show(write_wordnet, tmp_path, capsys):
    folder = str(write_wordnet())
    (tmp_path / "fine.ids").write_text("n00000023 dog\nn00000024 cat\nn00000032\n")
    (tmp_path / "coarse.ids").write_text("n00000031 toy\nn00000021\n")
    fine, coarse = str(tmp_path / "fine.ids"), str(tmp_path / "coarse.ids")
    assert main(["wordtree", "build", fine, "--wordnet", folder]) == 0
    assert (tmp_path / "fine.tree").read_text() == "n00000021 -1\nn00000032 -1\nn00000023 0\nn00000024 0\n"
    assert (tmp_path / "fine.names").read_text() == "carnivore\nball\ndog\ncat\n"
    assert "4 nodes in 2 groups of siblings, 2 levels, 3 leaves" in capsys.readouterr().out
    out = str(tmp_path / "new" / "both.tree")
    assert main(["wordtree", "build", "--merge", f"a={coarse}", f"b={fine}", "--out", out, "--wordnet", folder]) == 0
    assert (tmp_path / "new" / "both.a.map").read_text() == "1\n0\n"
    assert (tmp_path / "new" / "both.b.map").read_text() == "2\n3\n4\n"
    capsys.readouterr()
    assert main(["wordtree", "show", out, "dog", "n00000031"]) == 0
    shown = capsys.readouterr().out
    assert "n00000023, node 2: carnivore > dog\n" in shown and "toy; below it ball" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build"], "give one list of ids, or --merge"),
        (["build", "a.ids", "--merge", "a=b"], "give one list of ids, or --merge"),
        (["build", "--merge", "a=b"], "--merge needs --out"),
        (["build", "--merge", "a", "--out", "x.tree"], "--merge a: expected NAME=FILE"),
        (["build", "a.ids", "--out", "x.txt"], "--out x.txt: expected a name that ends in .tree"),
        (["build", "nowhere.ids"], "nowhere.ids: no such list of class ids"),
        (["show", "nowhere.tree"], "nowhere.tree: no such word tree"),
        (["show", str(Path(__file__).parents[1] / "data/wordtree/toytown.tree"), "unicorn"], "unknown class 'unicorn'"),
    ],
)
def test_wordtree_refuses(arguments, message, capsys):
    assert main(["wordtree", *arguments]) == 2
    assert message in capsys.readouterr().err
