"""A look at whole data sets that are wrong in every way at once: it must go on and name everything."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yolocourse.datasets.coco import CocoDetection
from yolocourse.datasets.inspect import inspect
from yolocourse.datasets.voc import VocDetection

BCCD = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "bccd"


def thing(name, *box):
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>"


def write(root, image_id, *things, size=(40, 30), xml=None, colour=None):
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    colour = colour or tuple(image_id.encode()[:3].ljust(3, b"x"))  # no two pictures alike
    Image.new("RGB", size, colour).save(root / "JPEGImages" / f"{image_id}.png")
    said = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    text = f"<annotation>{said}{''.join(things)}</annotation>" if xml is None else xml
    (root / "Annotations" / f"{image_id}.xml").write_text(text)


def write_list(root, split, *ids):
    (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(ids))


def good(root):
    write(root, "a", thing("dog", 1, 1, 40, 30), thing("cat", 5, 5, 6, 6))
    write(root, "b", thing("dog", 1, 1, 20, 30))
    write(root, "c", size=(60, 20))
    write_list(root, "train", "a")
    write_list(root, "val", "b")
    write_list(root, "trainval", "a", "b")
    write_list(root, "test", "c")


def test_a_good_folder(tmp_path):
    good(tmp_path)
    report = inspect(tmp_path)
    assert report.problems == []
    assert list(report.splits) == ["test", "train", "trainval", "val"]
    assert report.splits["trainval"].boxes == {"dog": 2, "cat": 1}
    assert (report.splits["trainval"].pictures, report.splits["test"].empty) == (2, 1)
    assert report.picture_sizes == {(40, 30): 2, (60, 20): 1}
    # At 416: 416 x 416, 208 x 416, and the cat's 2 x 2 of 40 x 30 is 20.8 x 27.7.
    assert report.small_share == pytest.approx(1 / 3)
    assert inspect(tmp_path, size=608).small_share == 0  # 30.4 x 40.5 there
    assert report.anchors is None  # three boxes make no five clusters
    assert "val has no box of cat" in report.notes
    text = "\n".join(report.lines())
    assert "2 classes: cat, dog" in text
    assert "0 problems" in text
    assert "40 x 30 (2), 60 x 20 (1)" in text
    rows = {line.split("  ")[0]: line.split()[-4:] for line in text.splitlines()}
    assert rows["pictures"] == ["1", "1", "2", "1"]
    assert rows["dog"] == ["0", "1", "2", "1"]


def test_everything_wrong_is_listed(tmp_path):
    good(tmp_path)
    write(tmp_path, "flat", thing("dog", 9, 9, 9, 12))
    write(tmp_path, "over", thing("dog", 30, 1, 50, 30))
    write(tmp_path, "away", thing("dog", 50, 1, 60, 30))
    write(tmp_path, "typo", thing("dgo", 1, 1, 9, 9))
    write(tmp_path, "xml", xml="<annotation>\n<object>")
    write(tmp_path, "gone", thing("dog", 1, 1, 9, 9))
    (tmp_path / "JPEGImages" / "gone.png").unlink()
    write(tmp_path, "cut", thing("dog", 1, 1, 9, 9), size=(200, 200))
    picture = tmp_path / "JPEGImages" / "cut.png"
    picture.write_bytes(picture.read_bytes()[:-40])
    write(tmp_path, "size", thing("dog", 1, 1, 9, 9))
    Image.new("RGB", (41, 30)).save(tmp_path / "JPEGImages" / "size.png")
    write(tmp_path, "copy", thing("dog", 1, 1, 9, 9), colour=tuple(b"axx"))
    write_list(
        tmp_path, "train", "a", "a", "flat", "over", "away", "typo", "xml", "gone", "cut", "size", "copy", "nope"
    )
    write_list(tmp_path, "test", "c", "a")
    report = inspect(tmp_path, labels=["dog", "cat"])
    expected = [
        "flat.xml: dog box 1 (9, 9, 9, 12) has no area",
        "over.xml: dog box 1 (30, 1, 50, 30) reaches outside the picture of 40 x 30",
        "away.xml: dog box 1 (50, 1, 60, 30) lies outside",
        "unknown class 'dgo' in 1 (",
        "xml.xml: malformed XML: no element found: line 2",
        "gone.xml: its picture",
        "cut.png: cannot be read",
        "size.png: is 41 x 30 pixels, but",
        "copy.png: the same file as",
        "train.txt: 1 (a) named more than once",
        "train.txt: names nope, which has no annotation",
        "1 (a) in both test and trainval",
    ]
    for words in expected:
        matches = [problem for problem in report.problems if words in problem]
        assert len(matches) == 1, (words, report.problems)
    assert f"{tmp_path}: 1 (a) in both test and train" in report.problems
    assert len(report.problems) == len(expected) + 1
    assert report.lines()[-len(report.problems) - 1] == "13 problems"
    # Without reading the pictures, what only they could tell is missing.
    assert len(inspect(tmp_path, labels=["dog", "cat"], decode=False).problems) == 10


def test_notes_are_no_problems(tmp_path):
    good(tmp_path)
    write(tmp_path, "spare", thing("dog", 1, 1, 9, 9))
    Image.new("RGB", (9, 9)).save(tmp_path / "JPEGImages" / "alone.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "JPEGImages" / "b.png", exif=exif)
    report = inspect(tmp_path)
    assert report.problems == []
    text = "\n".join(report.notes)
    assert "1 (spare) in no split" in text
    assert "1 (alone) with a picture but no annotation" in text
    assert "1 (b.png) with an EXIF note" in text


def test_lists_that_are_parts_of_others(tmp_path):
    good(tmp_path)
    write_list(tmp_path, "crowded", "c")  # a part of test
    write_list(tmp_path, "debug", "a")  # a part of train
    write_list(tmp_path, "test_night", "c")
    report = inspect(tmp_path)
    assert report.problems == []
    assert [note for note in report.notes if "in both" in note] == [
        f"{tmp_path}: 1 (a) in both debug and train",
        f"{tmp_path}: 1 (a) in both debug and trainval",
    ]
    write_list(tmp_path, "val", "b", "c")
    problems = inspect(tmp_path).problems
    assert problems == [f"{tmp_path}: 1 (c) in both {name} and val" for name in ("test", "test_night")]


def test_folder_without_lists(tmp_path):
    write(tmp_path, "a", thing("dog", 1, 1, 9, 9))
    report = inspect(tmp_path)
    assert list(report.splits) == ["all"]
    assert "no lists in ImageSets/Main" in report.notes[0]
    assert report.problems == []


def test_a_devkit_of_several_years(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        good(tmp_path / year)
    report = inspect(tmp_path)
    assert list(report.splits)[:2] == ["VOC2007/test", "VOC2007/train"]
    assert len(report.splits) == 8
    assert len([problem for problem in report.problems if "the same file as" in problem]) == 3


def test_nothing_to_look_at(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        inspect(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="neither Annotations"):
        inspect(tmp_path)
    write(tmp_path, "a")
    report = inspect(tmp_path)
    assert report.problems == [f"{tmp_path}: no boxes at all"]
    assert np.isnan(report.small_share)
    assert "small boxes" not in "\n".join(report.lines())


def coco(root, pictures):
    pictures.mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(pictures / "a.png")
    document = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 2, "file_name": "gone.png", "width": 40, "height": 30},
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
        ],
        "categories": [{"id": 5, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 5, "bbox": [0, 0, 10, 10]},
            {"id": 2, "image_id": 1, "category_id": 5, "bbox": [0, 0, 10, 0]},
            {"id": 3, "image_id": 1, "category_id": 6, "bbox": [0, 0, 10, 10]},
        ],
    }
    path = root / "annotations" / "instances_val2017.json"
    path.parent.mkdir()
    path.write_text(json.dumps(document))
    return path


def test_coco_file(tmp_path):
    path = coco(tmp_path, tmp_path / "val2017")
    report = inspect(path)
    assert report.splits["instances_val2017"].boxes == {"dog": 1}
    for words in (
        "image 1: this id is given twice",
        "gone.png is missing",
        "no category with id 6",
        "box 2 (0, 0, 10, 0)",
    ):
        assert len([problem for problem in report.problems if words in problem]) == 1, words
    assert len(report.problems) == 4
    assert inspect(path, images_dir=tmp_path / "val2017").problems == report.problems
    unknown = inspect(path, labels=["cat"]).problems
    assert any("unknown class 'dog'" in problem for problem in unknown)


def test_coco_pictures_elsewhere(tmp_path):
    path = coco(tmp_path, tmp_path / "somewhere")
    with pytest.raises(FileNotFoundError, match="its pictures .such as 'a.png'. are in none of"):
        inspect(path)
    assert len(inspect(path, images_dir=tmp_path / "somewhere").problems) == 4


def test_loaded_data_sets(tmp_path):
    good(tmp_path / "voc")
    write(tmp_path / "voc", "a", thing("dog", 1, 1, 40, 30), thing("cat", 5, 5, 5, 5))
    with pytest.warns(UserWarning, match="has no area"):
        data = VocDetection(tmp_path / "voc", "trainval")
    report = inspect(data)
    assert report.splits["all"].boxes == {"dog": 2}
    assert report.place == "VocDetection with 2 pictures"
    assert len(report.problems) == 1
    assert "a.xml: cat box 2 (5, 5, 5, 5) has no area" in report.problems[0]
    path = coco(tmp_path, tmp_path / "val2017")
    with pytest.raises(ValueError, match="given twice"):
        CocoDetection(tmp_path / "val2017", path)


def test_suggested_anchors(tmp_path):
    sizes = [(20, 20), (40, 20), (20, 40), (80, 80), (160, 120)] * 2
    for i, (width, height) in enumerate(sizes):
        write(tmp_path, f"{i}", thing("dog", 1, 1, width + i // 5, height), size=(208, 208))
    report = inspect(tmp_path)
    assert report.average_iou > 0.97
    # 208 pixels become 416, of which 32 are a cell: 20 pixels are 1.25 cells; the two widths differ by 1 pixel.
    assert sorted(report.anchors.round(2).tolist()) == [
        [1.28, 1.25],
        [1.28, 2.5],
        [2.53, 1.25],
        [5.03, 5.0],
        [10.03, 7.5],
    ]
    assert "suggested anchors at 416 (grid cells): 1.28,1.25, " in "\n".join(report.lines())


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"the photographs of {BCCD.name} are not beside the project")
def test_real_photographs_name_the_two_bad_boxes():
    report = inspect(BCCD, decode=False)
    assert len(report.problems) == 2
    assert "BloodImage_00338.xml: RBC box 13 (504, 337, 504, 337) has no area" in report.problems[0]
    assert "BloodImage_00343.xml: RBC box 4 (181, 329, 181, 329) has no area" in report.problems[1]
    assert report.splits["train"].boxes.total() + report.splits["val"].boxes.total() == 3941
    assert report.picture_sizes == {(640, 480): 364}
