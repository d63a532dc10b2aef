"""VOC folders, written here by hand, and the real photographs where they are present."""

import pickle
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image

from yolocourse.datasets.annotations import BadBoxWarning
from yolocourse.datasets.voc import VocDetection, read_ids, splits
from yolocourse.labels import FlatLabels

BCCD = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "bccd"


def thing(name, box, difficult=None, extra=""):
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    hard = "" if difficult is None else f"<difficult>{difficult}</difficult>"
    return f"<object><name>{name}</name>{hard}<bndbox>{corners}</bndbox>{extra}</object>"


def write(root, image_id, *things, size=(40, 30), picture=".png", xml=None):
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    if picture:
        Image.new("RGB", size, (200, 30, 30)).save(root / "JPEGImages" / (image_id + picture))
    said = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    text = f"<annotation>{said}{''.join(things)}</annotation>" if xml is None else xml
    (root / "Annotations" / f"{image_id}.xml").write_text(text)


def write_list(root, split, *lines):
    (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(lines) + "\n")


def test_reads_boxes_labels_and_pictures(tmp_path):
    write(tmp_path, "a", thing("dog", (1, 1, 40, 30)), thing("cat", (11, 6, 20, 15), 1))
    write(tmp_path, "b")
    write_list(tmp_path, "train", "b", "", "a")
    data = VocDetection(tmp_path, "train")
    assert data.labels == FlatLabels(["cat", "dog"])
    assert len(data) == 2
    image, target = data[1]
    assert (image.mode, image.size) == ("RGB", (40, 30))
    # Counted from 1 with the last pixel included: the whole picture is 0, 0, 40, 30 here.
    assert target["boxes"].tolist() == [[0, 0, 40, 30], [10, 5, 20, 15]]
    assert target["boxes"].canvas_size == (30, 40)
    assert target["boxes"].dtype == torch.float32
    assert target["labels"].tolist() == [1, 0]
    assert target["difficult"].tolist() == [False, True]
    assert target["image_id"] == "a"
    assert data[0][1]["boxes"].shape == (0, 4)
    assert data.path(1) == tmp_path / "JPEGImages" / "a.png"
    assert data.image_size(0) == (40, 30)
    torch.testing.assert_close(data.sizes(), torch.tensor([[1, 1], [0.25, 1 / 3]]))
    assert data.target(-1)["image_id"] == "a"
    with pytest.raises(IndexError):
        data.target(2)


def test_targets_are_the_callers_own(tmp_path):
    write(tmp_path, "a", thing("dog", (1, 1, 40, 30)))
    data = VocDetection(tmp_path, "all")
    data.target(0)["boxes"].zero_()
    assert data.target(0)["boxes"].tolist() == [[0, 0, 40, 30]]
    assert pickle.loads(pickle.dumps(data)).target(0)["boxes"].tolist() == [[0, 0, 40, 30]]


def test_classes_are_numbered_alike_in_every_split(tmp_path):
    write(tmp_path, "a", thing("dog", (1, 1, 9, 9)))
    write(tmp_path, "b", thing("ant", (1, 1, 9, 9)))
    write_list(tmp_path, "train", "a")
    write_list(tmp_path, "test", "b")
    assert VocDetection(tmp_path, "train").labels == VocDetection(tmp_path, "test").labels


def test_parts_of_things_are_not_things(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></part>"
    write(tmp_path, "a", thing("person", (1, 1, 20, 20), extra=part))
    data = VocDetection(tmp_path, "all")
    assert data.labels.names == ["person"]
    assert len(data.target(0)["boxes"]) == 1


def test_bad_boxes_are_left_out_with_a_warning(tmp_path):
    good = thing("dog", (5, 5, 20, 20))
    write(tmp_path, "flat", good, thing("cat", (9, 7, 9, 12)))
    write(tmp_path, "turned", good, thing("cat", (9, 12, 12, 7)))
    write(tmp_path, "away", good, thing("cat", (50, 5, 60, 20)))
    write(tmp_path, "nan", good, thing("cat", ("nan", 5, 60, 20)))
    with pytest.warns(BadBoxWarning) as caught:
        data = VocDetection(tmp_path, "all")
    messages = sorted(str(warning.message) for warning in caught)
    assert len(messages) == 4
    for message, words in zip(messages, ("outside", "has no area", "has no area", "has no area"), strict=True):
        assert words in message
    assert str(tmp_path / "Annotations" / "flat.xml") in messages[1]
    assert "cat box 2 (9, 7, 9, 12)" in messages[1]
    assert [data.target(i)["boxes"].tolist() for i in range(4)] == [[[4, 4, 20, 20]]] * 4
    with pytest.raises(ValueError, match="away.xml: cat box 2 .50, 5, 60, 20. lies outside"):
        VocDetection(tmp_path, "all", on_bad="raise")


def test_boxes_over_the_border_are_cut_with_a_warning(tmp_path):
    write(tmp_path, "a", thing("dog", (-3, 0, 45, 20)))
    with pytest.warns(BadBoxWarning, match="a.xml: dog box 1 .-3, 0, 45, 20. reaches outside the picture of 40 x 30"):
        data = VocDetection(tmp_path, "all")
    assert data.target(0)["boxes"].tolist() == [[0, 0, 40, 20]]


def test_good_data_gives_no_warning(tmp_path):
    write(tmp_path, "a", thing("dog", (1, 1, 40, 30)), thing("dog", ("1.5", "2.25", "40.004", "30")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = VocDetection(tmp_path, "all")
    assert data.target(0)["boxes"][1].tolist() == [0.5, 1.25, 40, 30]


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<annotation><object>", "a.xml: malformed XML: .*line 1"),
        ("", "a.xml: malformed XML"),
        ("<html></html>", "a.xml: not a VOC annotation.*<html>"),
        (f"<annotation>{thing('dog', (1, 'two', 3, 4))}</annotation>", r"a.xml: object 1 \(dog\): .*ymin.*'two'"),
        (
            "<annotation><object><name>dog</name></object></annotation>",
            "a.xml: object 1 .dog.: <bndbox/xmin> is missing",
        ),
        (f"<annotation>{thing('', (1, 2, 3, 4))}</annotation>", "a.xml: object 1 has no <name>"),
        ("<annotation><size><width>wide</width></size></annotation>", "a.xml: <size/width> should be a number"),
        ('<!DOCTYPE x [<!ENTITY a "ha">]><annotation>&a;</annotation>', "a.xml: has a DOCTYPE"),
        ('<!DOCTYPE annotation SYSTEM "http://example.org/x.dtd"><annotation/>', "a.xml: has a DOCTYPE"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "a.xml: .*encoding"),
    ],
)
def test_broken_annotations_name_file_and_cause(tmp_path, xml, message):
    write(tmp_path, "a", xml=xml)
    with pytest.raises(ValueError, match=message):
        VocDetection(tmp_path, "all", labels=["dog"])


def test_a_missing_size_comes_from_the_picture(tmp_path):
    nothing = "<size><width>0</width><height>0</height></size>"
    for said in ("", nothing):
        write(tmp_path, "a", xml=f"<annotation>{said}{thing('dog', (1, 1, 40, 30))}</annotation>")
        assert VocDetection(tmp_path, "all").target(0)["boxes"].canvas_size == (30, 40)


def test_unknown_class_names_file_and_class(tmp_path):
    write(tmp_path, "a", thing("dgo", (1, 1, 9, 9)))
    with pytest.raises(ValueError, match="a.xml: unknown class 'dgo'; known: cat, dog"):
        VocDetection(tmp_path, "all", labels=["cat", "dog"])
    write(tmp_path, "a", thing("dog", (1, 1, 9, 9)))
    assert VocDetection(tmp_path, "all", labels=FlatLabels(["cat", "dog"])).target(0)["labels"].tolist() == [1]


def test_missing_things_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        VocDetection(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="neither Annotations nor VOC"):
        VocDetection(tmp_path)
    write(tmp_path, "a", thing("dog", (1, 1, 9, 9)))
    write_list(tmp_path, "train", "a", "b")
    with pytest.raises(FileNotFoundError, match="b.xml: no such annotation, but .*train.txt names it in line 2"):
        VocDetection(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="tset.txt: no such split; there are: train, all"):
        VocDetection(tmp_path, "tset")
    write(tmp_path, "b", thing("dog", (1, 1, 9, 9)), picture=None)
    with pytest.raises(FileNotFoundError, match="b.xml: its picture .*JPEGImages"):
        VocDetection(tmp_path, "train")
    write_list(tmp_path, "train", "a")
    with pytest.raises(ValueError, match="on_bad must be one of warn, raise, got 'ignore'"):
        VocDetection(tmp_path, "train", on_bad="ignore")
    (tmp_path / "JPEGImages" / "a.png").unlink()
    (tmp_path / "JPEGImages").rmdir()
    with pytest.raises(FileNotFoundError, match="JPEGImages: no such folder"):
        VocDetection(tmp_path, "train")


def test_no_boxes_anywhere_needs_class_names(tmp_path):
    write(tmp_path, "a")
    with pytest.raises(ValueError, match="no boxes in any annotation"):
        VocDetection(tmp_path, "all")
    assert len(VocDetection(tmp_path, "all", labels=["dog"]).target(0)["boxes"]) == 0


def test_broken_pictures_are_named(tmp_path):
    write(tmp_path, "a", thing("dog", (1, 1, 9, 9)), picture=".jpg", size=(200, 200))
    path = tmp_path / "JPEGImages" / "a.jpg"
    data = VocDetection(tmp_path, "all")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(ValueError, match="a.jpg: cannot be read"):
        data[0]
    path.write_text("no picture")
    with pytest.raises(ValueError, match="a.jpg: not a picture"):
        data[0]
    Image.new("RGB", (50, 60)).save(path)
    with pytest.raises(ValueError, match="a.jpg: is 50 x 60 pixels, but .*a.xml says 200 x 200"):
        data[0]


def test_boxes_count_stored_pixels_unless_only_the_turned_picture_fits(tmp_path):
    write(tmp_path, "a", thing("dog", (1, 1, 9, 9)))
    image = Image.new("RGB", (40, 30))
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn clockwise": upright it is 30 x 40
    image.save(tmp_path / "JPEGImages" / "a.png", exif=exif)
    assert VocDetection(tmp_path, "all")[0][0].getpixel((0, 0)) == (255, 255, 255)
    upright = "<annotation><size><width>30</width><height>40</height></size></annotation>"
    write(tmp_path, "b", xml=upright, picture=None)
    image.save(tmp_path / "JPEGImages" / "b.png", exif=exif)
    turned = VocDetection(tmp_path, "all", labels=["dog"])[1][0]
    assert turned.size == (30, 40)
    assert turned.getpixel((29, 0)) == (255, 255, 255)


def devkit(root):
    years = {year: root / f"VOC{year}" for year in (2007, 2012)}
    write(years[2007], "000001", thing("dog", (1, 1, 9, 9)))
    write(years[2007], "000002", thing("cat", (1, 1, 9, 9)))
    write(years[2012], "2008_000001", thing("bird", (1, 1, 9, 9)))
    write_list(years[2007], "trainval", "000001")
    write_list(years[2007], "test", "000002")
    write_list(years[2007], "dog_trainval", "000001  1")
    write_list(years[2012], "trainval", "2008_000001")
    return years


def test_several_years(tmp_path):
    years = devkit(tmp_path / "VOCdevkit")
    for root in (tmp_path, tmp_path / "VOCdevkit"):
        both = VocDetection(root, "trainval", years=("2007", "2012"))
        assert [both.target(i)["image_id"] for i in range(2)] == ["000001", "2008_000001"]
        assert both.labels.names == ["bird", "cat", "dog"]
        assert len(VocDetection(root, "trainval")) == 2
        assert len(VocDetection(root, "test")) == 1  # 2012 has no such list
        assert len(VocDetection(root, "trainval", years=[2012])) == 1
        assert len(VocDetection(root, "all", years="2007")) == 2
    with pytest.raises(FileNotFoundError, match="VOC2012.*test.txt: no such split"):
        VocDetection(tmp_path, "test", years=("2007", "2012"))
    with pytest.raises(FileNotFoundError, match="VOC2010: no such VOC folder"):
        VocDetection(tmp_path, "trainval", years=(2010,))
    assert list(splits(years[2007])) == ["test", "trainval"]  # without the list of one class
    assert len(VocDetection(years[2007], "dog_trainval")) == 1


def test_without_lists_every_annotation_with_a_warning(tmp_path):
    write(tmp_path, "b", thing("dog", (1, 1, 9, 9)))
    write(tmp_path, "a")
    with pytest.warns(UserWarning, match="no lists in ImageSets/Main, so 'train' is every annotation"):
        data = VocDetection(tmp_path, "train")
    assert [data.target(i)["image_id"] for i in range(2)] == ["a", "b"]


def test_lists_with_repetitions_and_other_encodings(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("b\n\n a \nb\nc 1\n")
    assert read_ids(path) == {1: "b", 3: "a", 5: "c"}
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="train.txt: not a text file"):
        read_ids(path)


def test_picture_endings(tmp_path):
    for number, ending in enumerate((".jpg", ".JPG", ".jpeg", ".png", ".bmp")):
        write(tmp_path, f"{number}", thing("dog", (1, 1, 9, 9)), picture=ending)
    Image.new("RGB", (40, 30)).save(tmp_path / "JPEGImages" / "0.png")  # .jpg goes first
    (tmp_path / "JPEGImages" / "0.txt").write_text("")
    data = VocDetection(tmp_path, "all")
    assert [data.path(i).suffix for i in range(5)] == [".jpg", ".JPG", ".jpeg", ".png", ".bmp"]
    assert all(data[i][0].size == (40, 30) for i in range(5))


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"the photographs of {BCCD.name} are not beside the project")
def test_real_photographs():
    with pytest.warns(BadBoxWarning) as caught:
        data = VocDetection(BCCD, "trainval")
    assert sorted(Path(str(warning.message).split(": ")[0]).stem for warning in caught) == [
        "BloodImage_00338",
        "BloodImage_00343",
    ]
    assert data.labels.names == ["Platelets", "RBC", "WBC"]
    assert len(data) == 292
    assert data.sizes().shape == (3941, 2)
    image, target = data[0]
    assert image.size == (640, 480)
    assert target["boxes"].canvas_size == (480, 640)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(VocDetection(BCCD, "test")) == 72
