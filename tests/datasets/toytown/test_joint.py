"""Toy Town's two label sets in one tree, and which fine classes have boxes in training."""

import pytest
import torch

from yolocourse.datasets import toytown
from yolocourse.datasets.toytown.joint import coarse_parents, fine_groups, fine_only, mixture, with_fine_boxes

TREE = toytown.tree()


def test_mixture_is_in_the_trees_words():
    dataset = mixture(6, ratio=2.0)
    assert dataset.labels == TREE and len(dataset.boxed) == 6 and len(dataset.class_only) == 12
    plain, (_, target) = toytown.scenes(6), dataset[0]
    assert [TREE.names[n] for n in target["labels"]] == [toytown.COARSE[k] for k in plain.target(0)["labels"]]
    image, target = dataset[len(dataset) - 1]
    assert set(target) == {"label"} and TREE.names[target["label"]] in toytown.FINE and image.size == (224, 224)
    assert dataset.sizes().shape == plain.sizes().shape


def test_training_scenes_never_show_what_is_never_boxed():
    kinds = {record.name for i in range(60) for record in mixture(60).boxed.records(i)}
    assert not kinds & set(toytown.NEVER_BOXED)


def test_fine_boxes_as_far_as_there_are_any():
    plain = toytown.scenes(8)
    fine = with_fine_boxes(plain)
    for i in range(8):
        before, after = plain.target(i), fine.target(i)
        assert len(before["labels"]) == len(after["labels"])
        for coarse, kind, node in zip(before["labels"], before["fine"], after["labels"], strict=True):
            assert TREE.names[node] == (toytown.FINE[kind] if kind >= 0 else toytown.COARSE[coarse])
    assert torch.equal(fine[3][1]["labels"], fine.target(3)["labels"])
    assert torch.equal(fine.sizes(), plain.sizes())


def test_test_scenes_keep_only_boxes_with_a_fine_class():
    plain = toytown.scenes(20, split="test")
    tested, kept = fine_only(plain), 0
    for i in range(20):
        before, after = plain.target(i), tested.target(i)
        keep = before["fine"] >= 0
        assert torch.equal(after["labels"], before["fine"][keep]) and torch.equal(after["boxes"], before["boxes"][keep])
        assert len(after["difficult"]) == len(after["boxes"])
        kept += keep.float().mean().item()
    assert 2 < kept < 19, "some of both"


def test_groups_of_fine_classes():
    parents = dict(zip(toytown.FINE, coarse_parents(), strict=True))
    assert toytown.COARSE[parents["terrier"]] == "dog" and parents["person"] == parents["balloon"] == -1
    groups = fine_groups(["boat"])
    names = {group: {toytown.FINE[c] for c in classes} for group, classes in groups.items()}
    assert names["never boxed"] == set(toytown.NEVER_BOXED)
    assert names["scarce"] == {"canoe", "speedboat", "tugboat"}
    assert names["boxed"] | names["scarce"] | names["never boxed"] == set(toytown.FINE) - {
        "person", "street lamp", "balloon",
    }  # fmt: skip
    assert "scarce" not in fine_groups() and sum(map(len, fine_groups().values())) == 24
    with pytest.raises(ValueError, match="unknown coarse class 'ship'"):
        fine_groups(["ship"])
