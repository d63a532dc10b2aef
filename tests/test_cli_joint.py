"""YOLO9000 from the command line: Toy Town, and tiny stand-ins in the real formats."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.cli import main, make_parser
from yolocourse.commands.data import cached
from yolocourse.commands.joint import open_joint
from yolocourse.datasets import toytown
from yolocourse.datasets.loading import Cached
from yolocourse.wordtree import WordTree, read_tree, write_tree

NODES = ["n00000001", "n00000002", "n00000003", "n00000004", "n00000005"]
NAMES = ["animal", "dog", "cat", "terrier", "hound"]
PARENTS = [-1, 0, 0, 1, 1]
TINY = ["--network", "yolo9000", "--size", "64", "--batch-size", "4", "--set", "width=0.05", "--device", "cpu"]
TINY += ["--set", "precision=float32", "--set", "anchors=2", "--set", "last_images=0", "--set", "sizes=()"]
TINY += ["--set", "test_size=64", "--workers", "0", "--images", "16"]


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def stand_in(tmp_path):
    """COCO's JSON with two of its classes, ImageNet's folders by id, a tree with the classes of both."""
    write_tree(tmp_path / "both.tree", WordTree(NAMES, PARENTS, NODES))
    (tmp_path / "both.names").write_text("".join(f"{name}\n" for name in NAMES))
    (tmp_path / "both.coco.map").write_text("2\n1\n")  # cat, dog
    (tmp_path / "coco.ids").write_text("n00000003 cat\nn00000002 dog\n")
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 80, "height": 60} for i in range(4)]
    boxes = [  # the last picture has none
        {"id": i, "image_id": i, "category_id": 17 + i % 2, "bbox": [5, 6, 30 + 9 * i, 40], "iscrowd": 0}
        for i in range(3)
    ]
    categories = [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}]
    coco = {"images": images, "annotations": boxes, "categories": categories}
    (tmp_path / "coco" / "annotations").mkdir(parents=True)
    (tmp_path / "coco" / "annotations" / "instances_train2017.json").write_text(json.dumps(coco))
    for i in range(4):
        picture(tmp_path / "coco" / "train2017" / f"{i}.jpg", i)
    for i, id in enumerate(["n00000004", "n00000005", "n00000003"] * 3):
        picture(tmp_path / "imagenet" / "train" / id / f"{id}_{i}.JPEG", 10 + i)
    return tmp_path


def arguments(folder, *more):
    return ["train", "yolo9000", str(folder / "coco"), "--pictures", str(folder / "imagenet" / "train"),
            "--tree", str(folder / "both.tree"), "--map", str(folder / "both.coco.map"), *more]  # fmt: skip


def opened(folder, *more):
    return open_joint(make_parser().parse_args(arguments(folder, *more)), "train2017", 4.0)


def test_coco_and_imagenet_in_one_tree(stand_in):
    dataset = opened(stand_in)
    assert dataset.labels.names == NAMES and list(dataset.labels.ids) == NODES
    assert (len(dataset.boxed), len(dataset.class_only), dataset.boxed_rounds, dataset.class_rounds) == (4, 9, 1, 2)
    assert [dataset[i][1]["labels"].tolist() for i in range(4)] == [[2], [1], [2], []]
    assert [dataset.class_only.label(i) for i in (0, 3, 6)] == [2, 3, 4]
    assert opened(stand_in, "--map", str(stand_in / "coco.ids"))[1][1]["labels"].tolist() == [1]
    kept = cached(dataset, 64, lambda line: None)
    assert isinstance(kept.boxed, Cached) and isinstance(kept.class_only, Cached) and len(kept) == len(dataset)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[:2] + a[3:], "yolo9000 needs the folder of COCO"),
        (lambda a: [*a, "--pictures", ""], "yolo9000 needs --pictures"),
        (lambda a: [*a, "--tree", ""], "yolo9000 needs --tree"),
        (lambda a: [*a, "--tree", "nowhere.tree"], "nowhere.tree: no such word tree"),
        (lambda a: [*a, "--map", a[-1].replace("both.coco.map", "three.ids")], "3 ids, but the data set has 2 classes"),
        (
            lambda a: [*a, "--recipe", "coco"],
            "recipe 'coco' does not fit yolo9000; those that do: yolo9000-toy",
        ),
    ],
)
def test_what_is_missing_or_does_not_fit(change, message, stand_in, capsys):
    (stand_in / "three.ids").write_text("n00000003\nn00000002\nn00000001\n")
    assert main(change(arguments(stand_in))) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_is_no_node_is_refused(stand_in, capsys):
    picture(stand_in / "imagenet" / "train" / "n00000009" / "x.JPEG", 1)
    assert main(arguments(stand_in)) == 2
    assert "the tree of 5 nodes has no n00000009" in capsys.readouterr().err


def write_boxes(root: Path, pictures: str, annotations: str, ending: str):
    """Pictures with boxes whose classes are WordNet ids."""
    for i, id in enumerate(["n00000002", "n00000004", "n00000005"]):
        picture(root / pictures / f"v{i}{ending}", 30 + i)
        box = "<bndbox><xmin>5</xmin><xmax>40</xmax><ymin>5</ymin><ymax>50</ymax></bndbox>"
        (root / annotations).mkdir(parents=True, exist_ok=True)
        (root / annotations / f"v{i}.xml").write_text(
            "<annotation><size><width>80</width><height>60</height><depth>3</depth></size>"
            f"<object><name>{id}</name>{box}</object></annotation>"
        )


@pytest.fixture
def detection_challenge(tmp_path):
    """The same pictures as ImageNet's detection challenge lays them out, and as VOC does."""
    write_boxes(tmp_path / "det", "Data/DET/val", "Annotations/DET/val", ".JPEG")
    write_boxes(tmp_path / "voc", "JPEGImages", "Annotations", ".jpg")
    for file in (tmp_path / "det/ImageSets/DET/val.txt", tmp_path / "voc/ImageSets/Main/val.txt"):
        file.parent.mkdir(parents=True)
        file.write_text("v0 1\nv1 2\nv2 3\n" if "DET" in file.parts else "v0\nv1\nv2\n")
    return tmp_path


def test_yolo9000_on_stand_ins_from_training_to_evaluation(stand_in, detection_challenge, capsys):
    out = stand_in / "run"
    assert main(arguments(stand_in, *TINY, "--out", str(out))) == 0
    said = capsys.readouterr().out
    assert "recipe yolo9000: yolo9000, anchors" in said and "assumed_iou=0.3" in said and "picture_class" in said
    (stand_in / "det.ids").write_text("n00000002\nn00000004\nn00000005\n")
    known = ["--classes", str(stand_in / "det.ids"), "--map", str(stand_in / "coco.ids"), "--device", "cpu"]
    known += ["--model", str(out / "model.safetensors"), "--json", str(stand_in / "found.json")]
    for folder in ("voc", "det"):
        assert main(["evaluate", "yolo9000", str(detection_challenge / folder), *known]) == 0
    said = capsys.readouterr().out
    assert "boxes in training: AP50" in said and "over 1 classes" in said
    assert re.search(r"no box in training: AP50 0\.\d+ over 2 classes", said) and "terrier" in said
    found = json.loads((stand_in / "found.json").read_text())
    assert set(found["no box in training"]["AP50_per_class"]) == {"terrier", "hound"}
    assert main(["evaluate", "yolo9000", "--model", str(out / "model.safetensors"), "--device", "cpu"]) == 2
    assert "needs the folder of pictures with boxes" in capsys.readouterr().err


def test_toy_town_from_training_to_evaluation(tmp_path, capsys):
    train = ["train", "yolo9000-toytown", "--scenes", "8", *TINY, "--out", str(tmp_path), "--set", "anchors=3"]
    assert main(train) == 0
    assert "8 pictures, 46 classes" not in capsys.readouterr().out, "things come besides"
    model = ["--model", str(tmp_path / "model.safetensors"), "--device", "cpu"]
    assert main(["evaluate", "yolo9000-toytown", "--test-scenes", "4", *model, "--json", str(tmp_path / "a.json")]) == 0
    said = capsys.readouterr().out
    assert "never boxed: AP50" in said and "coarse: AP50" in said
    assert set(json.loads((tmp_path / "a.json").read_text())) == {"boxed", "never boxed", "coarse"}


def test_a_detector_without_a_tree_is_refused(capsys):
    assert main(["evaluate", "yolo9000-toytown", "--device", "cpu"]) == 2
    assert "knows 12 classes without a tree" in capsys.readouterr().err


def test_the_shipped_lists_are_in_darknets_tree():
    shared = Path(__file__).resolve().parents[2] / "shared" / "darknet" / "data"
    if not shared.is_dir():
        pytest.skip("needs Darknet's 9k.tree in ../shared")
    from yolocourse.commands.joint import COCO_IDS, IMAGENET_DETECTION_IDS, places

    tree = read_tree(shared / "9k.tree")
    coco, det = places(COCO_IDS, tree, 80), places(IMAGENET_DETECTION_IDS, tree, 200)
    assert coco == places(shared / "coco9k.map", tree, 80) and det == places(shared / "inet9k.map", tree, 200)
    # The paper counts 44 classes that COCO has, too (section 4); by the nodes of Darknet's own maps they are these.
    assert len(set(coco) & set(det)) == 38
    below = [node for node in det if node not in coco and set(tree.path(node)) & set(coco)]
    assert len(below) == 18
    assert torch.tensor(toytown.tree().parents).max() < 46
