"""VOC folders: the loader reads back what was written."""

import xml.etree.ElementTree as ElementTree

import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.datasets.toytown.__main__ import main
from yolocourse.datasets.toytown.write import annotation
from yolocourse.datasets.voc import VocDetection


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return toytown.write(tmp_path_factory.mktemp("voc") / "toytown", train=4, val=2, per_slice=5, seed=6)


def test_layout(folder):
    lists = {path.stem: path.read_text().split() for path in (folder / "ImageSets/Main").glob("*.txt")}
    assert lists.keys() == {"train", "val", "test", *toytown.SLICES}
    assert {name: len(ids) for name, ids in lists.items()} == {
        "train": 4,
        "val": 2,
        "test": 25,
        **dict.fromkeys(toytown.SLICES, 5),
    }
    every = lists["train"] + lists["val"] + lists["test"]
    assert len(set(every)) == len(every) == len(list((folder / "JPEGImages").glob("*.jpg")))


@pytest.mark.parametrize("name", ["train", "flock", "scale"])
def test_voc_loader_reads_the_same_targets(folder, name):
    drawn = toytown.scenes(4, seed=6) if name == "train" else toytown.test_slices(5, seed=6)[name]
    read = VocDetection(folder, name, labels=toytown.labels("coarse"))
    assert len(read) == len(drawn)
    for i in range(len(drawn)):
        (picture, target), (original, expected) = read[i], drawn[i]
        assert picture.size == original.size
        for key in ("boxes", "labels", "difficult"):
            assert torch.equal(target[key], expected[key]), key
        assert target["image_id"] == expected["image_id"]


def test_annotation_by_hand():
    target = {
        "image_id": "a_1",
        "boxes": torch.tensor([[0.0, 3.0, 10.0, 20.0], [5.0, 6.0, 7.0, 8.0]]),
        "labels": torch.tensor([1, 11]),
        "difficult": torch.tensor([False, True]),
    }
    root = ElementTree.fromstring(annotation(target, (100, 50)))
    assert root.findtext("filename") == "a_1.jpg" and root.findtext("size/height") == "50"
    dog, balloon = root.findall("object")
    assert [dog.findtext(key) for key in ("name", "truncated", "difficult")] == ["dog", "1", "0"]
    assert [e.text for e in dog.find("bndbox")] == ["1", "4", "10", "20"]
    assert [balloon.findtext(key) for key in ("name", "truncated", "difficult")] == ["balloon", "0", "1"]
    assert [e.text for e in balloon.find("bndbox")] == ["6", "7", "7", "8"]


def test_a_full_folder_is_refused(folder, capsys):
    with pytest.raises(FileExistsError, match="already holds annotations"):
        toytown.write(folder, 1, 1, 1)
    assert main(["write", str(folder)]) == 2
    assert "already holds annotations" in capsys.readouterr().err
