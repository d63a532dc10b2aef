"""Folders of pictures, a class each."""

from pathlib import Path

import pytest
from PIL import Image

from yolocourse.datasets.imagefolder import ImageFolder, read_class_list
from yolocourse.labels import FlatLabels

SHARED = Path(__file__).resolve().parents[3] / "shared" / "darknet" / "data"


def fill(folder, **classes):
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (20, 10 + i), name if not name.startswith("n0") else "red").save(
                folder / name / f"{i}.png"
            )
    return folder


def test_a_folder_is_a_class(tmp_path):
    data = ImageFolder(fill(tmp_path, red=2, blue=1))
    assert data.labels == FlatLabels(["blue", "red"]) and len(data) == 3
    assert [data.label(i) for i in range(3)] == [0, 1, 1]
    picture, target = data[0]
    assert picture.getpixel((0, 0)) == (0, 0, 255) and picture.size == (20, 10)
    assert target["label"].item() == 0 and target["image_id"] == str(data.path(0)) == str(tmp_path / "blue" / "0.png")


def test_other_files_and_deeper_folders(tmp_path):
    fill(tmp_path / "train", red=1)
    (tmp_path / "train" / "red" / "notes.txt").write_text("no picture")
    (tmp_path / "train" / ".cache").mkdir()
    fill(tmp_path / "train" / "red", blue=2)
    data = ImageFolder(tmp_path, "train")
    assert len(data) == 3 and data.labels.names == ["red"]


def test_wordnet_ids_become_ids(tmp_path):
    fill(tmp_path, n02084071=1, n01503061=1)
    assert ImageFolder(tmp_path).labels.ids == ("n01503061", "n02084071")
    labels = FlatLabels(["dog", "bird"], ["n02084071", "n01503061"])
    data = ImageFolder(tmp_path, labels=labels)
    assert data.labels is labels and [data.label(i) for i in range(2)] == [1, 0]


def test_classes_may_lack_pictures_but_not_the_other_way_round(tmp_path):
    fill(tmp_path, red=1, blue=1)
    assert len(ImageFolder(tmp_path, labels=["green", "red", "blue"]).labels) == 3
    with pytest.raises(ValueError, match="folder 'blue' is none of the 1 classes"):
        ImageFolder(tmp_path, labels=["red"])


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        ImageFolder(tmp_path / "missing")
    with pytest.raises(ValueError, match="has no folders"):
        ImageFolder(tmp_path)
    (tmp_path / "red").mkdir()
    with pytest.raises(ValueError, match="hold no pictures"):
        ImageFolder(tmp_path)
    (tmp_path / "red" / "a.jpg").write_bytes(b"not a jpeg")
    with pytest.raises(ValueError, match="a.jpg: not a picture"):
        ImageFolder(tmp_path)[0]


def test_class_lists(tmp_path):
    ids, names = tmp_path / "ids.txt", tmp_path / "names.txt"
    ids.write_text("n02012849\nn03126707\n\nn02084071\n")
    names.write_text("crane\ncrane\ndog\n")
    assert read_class_list(ids) == FlatLabels(["n02012849", "n03126707", "n02084071"], read_class_list(ids).ids)
    both = read_class_list(ids, names)
    assert both.names == ["crane (n02012849)", "crane (n03126707)", "dog"] and both.ids[2] == "n02084071"
    names.write_text("crane\n")
    with pytest.raises(ValueError, match="1 names for the 3 classes"):
        read_class_list(ids, names)
    ids.write_text("n1\nn2\nn1\n")
    with pytest.raises(ValueError, match="ids.txt:3: 'n1' is given twice, first on line 1"):
        read_class_list(ids)
    ids.write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        read_class_list(ids)
    with pytest.raises(FileNotFoundError, match="no such list"):
        read_class_list(tmp_path / "missing.txt")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/darknet")
def test_the_thousand_classes_of_imagenet():
    labels = read_class_list(SHARED / "imagenet.labels.list", SHARED / "imagenet.shortnames.list")
    assert len(labels) >= 1000 and all(each.startswith("n") for each in labels.ids)
