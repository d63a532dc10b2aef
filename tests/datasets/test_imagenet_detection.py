"""Folders of ImageNet's detection challenge."""

import pytest
from PIL import Image

from yolocourse.datasets.annotations import BadBoxWarning
from yolocourse.datasets.imagenet_detection import ImageNetDetection, is_imagenet_detection

DOG, CAT = "n02084071", "n02121808"


def write(root, name, *things, split="val"):
    """An annotation with (id, xmin, ymin, xmax, ymax) things, its picture of 40 x 30 pixels, and a line in the list."""
    annotations, pictures, lists = (root / part / "DET" for part in ("Annotations", "Data", "ImageSets"))
    for folder in (annotations / split, pictures / split, lists):
        folder.mkdir(parents=True, exist_ok=True)
    corners = ("xmin", "xmax", "ymin", "ymax")  # in this order in the challenge's files
    objects = ""
    for id, x1, y1, x2, y2 in things:
        box = "".join(f"<{c}>{v}</{c}>" for c, v in zip(corners, (x1, x2, y1, y2), strict=True))
        objects += f"<object><name>{id}</name><bndbox>{box}</bndbox></object>"
    size = "<size><width>40</width><height>30</height></size>"
    (annotations / split / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    Image.new("RGB", (40, 30)).save(pictures / split / f"{name}.JPEG")
    with (lists / f"{split}.txt").open("a") as file:
        file.write(f"{name} 1\n")


def test_boxes_are_counted_from_0_and_classes_are_ids(tmp_path):
    write(tmp_path, "ILSVRC2012_val_00000001", (CAT, 0, 0, 40, 30), (DOG, 3, 4, 20, 15))
    write(tmp_path, "ILSVRC2012_val_00000002")
    data = ImageNetDetection(tmp_path, [DOG, CAT])
    assert is_imagenet_detection(tmp_path) and len(data) == 2
    target = data.target(0)
    assert target["labels"].tolist() == [1, 0] and target["boxes"].tolist() == [[0, 0, 40, 30], [3, 4, 20, 15]]
    assert target["difficult"].tolist() == [False, False] and target["image_id"] == "ILSVRC2012_val_00000001"
    assert data[0][0].size == (40, 30) and data.target(1)["boxes"].shape == (0, 4)


def test_a_box_without_area_is_left_out(tmp_path):
    write(tmp_path, "a", (DOG, 3, 4, 3, 15), (DOG, 3, 4, 20, 15))
    with pytest.warns(BadBoxWarning, match="no area"):
        assert len(ImageNetDetection(tmp_path, [DOG]).target(0)["boxes"]) == 1


def test_what_is_missing_is_named(tmp_path):
    assert not is_imagenet_detection(tmp_path)
    with pytest.raises(FileNotFoundError, match="Annotations.DET: no such folder"):
        ImageNetDetection(tmp_path, [DOG])
    write(tmp_path, "a", (DOG, 3, 4, 20, 15))
    write(tmp_path, "b", (CAT, 3, 4, 20, 15))
    with pytest.raises(FileNotFoundError, match="test.txt: no such list; there are: val"):
        ImageNetDetection(tmp_path, [DOG, CAT], "test")
    with pytest.raises(ValueError, match=f"b.xml.*{CAT}"):
        ImageNetDetection(tmp_path, [DOG])
    (tmp_path / "Data/DET/val/b.JPEG").unlink()
    with pytest.raises(FileNotFoundError, match="b.JPEG: no such picture, but .*val.txt names it in line 2"):
        ImageNetDetection(tmp_path, [DOG, CAT])
    (tmp_path / "Annotations/DET/val/a.xml").unlink()
    with pytest.raises(FileNotFoundError, match="a.xml: no such annotation, but .*val.txt names it in line 1"):
        ImageNetDetection(tmp_path, [DOG, CAT])
