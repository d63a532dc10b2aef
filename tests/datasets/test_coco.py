"""COCO files, written here by hand."""

import json

import pytest
import torch
from PIL import Image

from yolocourse.datasets.annotations import BadBoxWarning
from yolocourse.datasets.coco import CocoDetection, read_coco


def document():
    return {
        "images": [
            {"id": 7, "file_name": "b.png", "width": 40, "height": 30},
            {"id": 3, "file_name": "sub/a.png", "width": 20, "height": 20},
        ],
        # Gaps, and not in order, as in COCO.
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [1.5, 2, 10, 20], "iscrowd": 0},
            {"id": 2, "image_id": 3, "category_id": 1, "bbox": [0, 0, 20, 20], "iscrowd": 1},
            {"id": 3, "image_id": 7, "category_id": 18, "bbox": [0, 0, 5.25, 6]},
        ],
    }


def write(root, content):
    for name, size in (("b.png", (40, 30)), ("sub/a.png", (20, 20))):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (0, 90, 200)).save(path)
    path = root / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root / "images", path


def test_reads_boxes_labels_crowds_and_pictures(tmp_path):
    data = CocoDetection(*write(tmp_path, document()))
    assert data.labels.names == ["person", "dog", "toothbrush"]
    image, target = data[0]
    assert image.size == (40, 30)
    assert target["boxes"].tolist() == [[1.5, 2, 11.5, 22], [0, 0, 5.25, 6]]
    assert target["boxes"].canvas_size == (30, 40)
    assert target["labels"].tolist() == [2, 1]
    assert target["difficult"].tolist() == [False, False]
    assert target["image_id"] == 7
    assert data[1][1]["difficult"].tolist() == [True]
    assert data.path(1) == tmp_path / "images" / "sub" / "a.png"
    torch.testing.assert_close(data.sizes()[0], torch.tensor([0.25, 2 / 3]))


def test_given_classes(tmp_path):
    places = write(tmp_path, document())
    assert CocoDetection(*places, labels=["dog", "toothbrush", "person"]).target(0)["labels"].tolist() == [1, 0]
    with pytest.raises(ValueError, match="instances.json: image 7: unknown class 'dog'; known: person, toothbrush"):
        CocoDetection(*places, labels=["person", "toothbrush"])


def test_bad_boxes(tmp_path):
    content = document()
    boxes = [[5, 5, 0, 4], [5, 5, -3, 4], [35, 5, 10, 10], [60, 5, 5, 5], [float("nan"), 0, 5, 5]]
    content["annotations"] = [
        {"id": i, "image_id": 7, "category_id": 1, "bbox": box} for i, box in enumerate(boxes, start=11)
    ]
    places = write(tmp_path, content)
    with pytest.warns(BadBoxWarning) as caught:
        data = CocoDetection(*places)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith(f"{places[1]}: image 7: person box 11 (5, 5, 0, 4) has no area")
    for words in (
        "box 12 (5, 5, -3, 4) has no",
        "box 13 (35, 5, 10, 10) reaches",
        "box 14 (60, 5, 5, 5) lies",
        "box 15 ",
    ):
        assert words in message
    assert data.target(0)["boxes"].tolist() == [[35, 5, 40, 15]]
    with pytest.raises(ValueError, match="box 11"):
        CocoDetection(*places, on_bad="raise")


def test_malformed_files(tmp_path):
    for content, message in [
        ('{"images": [],\n "categories": [}', "instances.json: malformed JSON: .* in line 2, column 17"),
        ("", "malformed JSON"),
        ("[]", "expected an object with images"),
        ('{"images": [], "annotations": []}', "no list 'categories'; found the keys annotations, images"),
        ('{"images": {}, "annotations": [], "categories": []}', "no list 'images'"),
        ("[" * 100_000, "not a JSON file"),
    ]:
        with pytest.raises(ValueError, match=message):
            CocoDetection(*write(tmp_path, content))
    images, path = write(tmp_path, document())
    with pytest.raises(FileNotFoundError, match="other.json: no such annotation file"):
        CocoDetection(images, tmp_path / "other.json")
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder of pictures"):
        CocoDetection(tmp_path / "nowhere", path)
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(ValueError, match="instances.json: not a JSON file"):
        CocoDetection(images, path)


BROKEN = [
    (("images", 0), {"file_name": "gone.png"}, "image 7: its picture .*gone.png is missing"),
    (("images", 1), {"id": 7}, "image 7: this id is given twice"),
    (("images", 0), {"width": "wide"}, "image 7: width and height should be whole numbers"),
    (("images", 0), {"height": None}, "image 7 lacks height"),
    (("categories", 1), {"id": 90}, "category 90: this id is given twice"),
    (("categories", 1), {"name": None}, "category 1 lacks name"),
    (("annotations", 2), {"id": 1}, "annotation 1: this id is given twice"),
    (("annotations", 2), {"bbox": None}, "annotation 3 lacks bbox"),
    (("annotations", 2), {"bbox": [1, 2, 3]}, r"annotation 3: bbox should be .* found \[1, 2, 3\]"),
    (("annotations", 2), {"bbox": [1, 2, 3, "4"]}, "annotation 3: bbox should be"),
    (("annotations", 2), {"image_id": 99}, "annotation 3: there is no image with id 99"),
    (("annotations", 2), {"image_id": [7]}, "annotation 3: ids should be numbers"),
    (("annotations", 2), {"category_id": 2}, "annotation 3: there is no category with id 2"),
    (("annotations", 2), {"id": None}, "annotation 'entry 3' lacks id"),
]


@pytest.mark.parametrize(("place", "change", "message"), BROKEN)
def test_broken_entries_are_named(tmp_path, place, change, message):
    content = document()
    entry = content[place[0]][place[1]]
    for key, value in change.items():
        if value is None:
            del entry[key]
        else:
            entry[key] = value
    with pytest.raises((ValueError, FileNotFoundError), match=f"instances.json: {message}"):
        CocoDetection(*write(tmp_path, content))


def test_goes_on_after_errors_when_asked(tmp_path):
    content = document()
    content["images"][0]["file_name"] = "gone.png"
    content["annotations"][1]["category_id"] = 5
    content["annotations"].append("no object")
    errors = []
    annotations, names = read_coco(*write(tmp_path, content), errors.append)
    assert [str(error).split(": ", 1)[1] for error in errors] == [
        f"image 7: its picture {tmp_path / 'images' / 'gone.png'} is missing",
        "annotation entry 4 is not an object",
        "annotation 2: there is no category with id 5",
    ]
    assert [annotation.image_id for annotation in annotations] == [3]
    assert names == ["person", "dog", "toothbrush"]
