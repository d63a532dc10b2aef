"""Batches: padding, mixed kinds, resizing, and the schedule of sizes."""

import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.tv_tensors import BoundingBoxes, Image

from yolocourse.datasets.batch import MultiScale, collate, resize


def sample(rows, image_id="x", size=(64, 32), value=0):
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    target = {
        "boxes": BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "labels": torch.arange(len(rows)),
        "difficult": torch.arange(len(rows)) % 2 == 1,
        "image_id": image_id,
    }
    return Image(torch.full((3, *size), value, dtype=torch.uint8)), target


def class_only(label, size=(64, 32)):
    return Image(torch.zeros(3, *size, dtype=torch.uint8)), {"label": torch.tensor(label)}


def test_padding():
    batch = collate([sample([[1, 2, 3, 4], [5, 6, 7, 8]], "a"), sample([], "b"), sample([[9, 9, 10, 12]], "c")])
    assert batch.images.shape == (3, 3, 64, 32)
    assert batch.images.dtype == torch.uint8
    assert type(batch.images) is torch.Tensor
    assert type(batch.boxes) is torch.Tensor
    assert batch.boxes.tolist() == [
        [[1, 2, 3, 4], [5, 6, 7, 8]],
        [[0, 0, 0, 0], [0, 0, 0, 0]],
        [[9, 9, 10, 12], [0, 0, 0, 0]],
    ]
    assert batch.labels.tolist() == [[0, 1], [-1, -1], [0, -1]]
    assert batch.difficult.tolist() == [[False, True], [False, False], [False, False]]
    assert batch.has_boxes.tolist() == [True, True, True]
    assert batch.label.tolist() == [-1, -1, -1]
    assert batch.image_ids == ["a", "b", "c"]
    assert len(batch) == 3


def test_no_boxes_is_not_unknown_boxes():
    batch = collate([class_only(4), sample([], "empty"), sample([[0, 0, 5, 5]], "full")])
    assert batch.has_boxes.tolist() == [False, True, True]
    assert batch.label.tolist() == [4, -1, -1]
    assert batch.labels.tolist() == [[-1], [-1], [0]]
    assert batch.image_ids == [None, "empty", "full"]
    for only in ([class_only(1)], [sample([])]):
        batch = collate(only)
        assert (batch.boxes.shape, batch.labels.shape) == ((1, 0, 4), (1, 0))


def test_bad_samples():
    with pytest.raises(ValueError, match="at least one sample"):
        collate([])
    with pytest.raises(ValueError, match=r"\(3, 64, 32\) and \(3, 64, 64\).*'late'"):
        collate([sample([]), sample([], "late", size=(64, 64))])
    image, target = sample([], "float")
    with pytest.raises(ValueError, match="float32.*'float'"):
        collate([(image.float(), target)])
    with pytest.raises(ValueError, match=r"'bare' has neither boxes nor a label; its target has \['image_id'\]"):
        collate([(image, {"image_id": "bare"})])


def test_types_of_a_batch_are_always_the_same():
    image, _ = sample([])
    boxes = torch.tensor([[1, 2, 3, 4]], dtype=torch.float64)
    batch = collate([(image, {"boxes": boxes, "labels": torch.tensor([7], dtype=torch.int32)}), sample([[1, 2, 3, 4]])])
    assert (batch.boxes.dtype, batch.labels.dtype, batch.difficult.dtype) == (torch.float32, torch.long, torch.bool)
    assert (batch.labels.tolist(), batch.difficult.tolist()) == ([[7], [0]], [[False], [False]])


def test_inputs_are_between_0_and_1():
    batch = collate([sample([], value=0), sample([], value=51), sample([], value=255)])
    inputs = batch.inputs()
    assert inputs.amax(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0.2, 1])
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    assert batch.inputs(torch.bfloat16).dtype == torch.bfloat16


def test_inputs_of_pictures_that_are_floats_already_stay():
    batch = collate([sample([], value=51)])
    batch.images = batch.images / 255
    assert torch.equal(batch.inputs(), torch.full((1, 3, 64, 32), 0.2))


def test_moves_every_tensor():
    batch = collate([sample([[1, 2, 3, 4]]), class_only(2)]).to("meta")
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 6
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_pinned_by_the_loader():
    if not torch.cuda.is_available():
        pytest.skip("pinning memory needs a GPU")
    batch = next(iter(DataLoader([sample([[1, 2, 3, 4]])], batch_size=1, collate_fn=collate, pin_memory=True)))
    assert batch.images.is_pinned()
    assert batch.boxes.is_pinned()


def test_resize_moves_boxes_with_the_picture():
    image, target = sample([[8, 16, 24, 48]], size=(64, 32))
    image[:, 16:48, 8:24] = 255  # the box, in white
    batch = resize(collate([(image, target)]), (128, 96))
    assert batch.images.shape == (1, 3, 128, 96)
    assert batch.images.dtype == torch.uint8
    assert batch.boxes.tolist() == [[[24, 32, 72, 96]]]
    white = batch.images[0, 0] > 127
    assert white[32:96, 24:72].all()
    assert white.sum() == 64 * 48
    assert resize(batch, (128, 96)) is batch
    assert resize(batch, 64).boxes.tolist() == [[[16, 16, 48, 48]]]


def test_resize_keeps_padding_and_empty_pictures():
    batch = resize(collate([sample([[1, 2, 3, 4]]), sample([]), class_only(3)]), 96)
    assert batch.boxes[1:].abs().sum() == 0
    assert batch.labels.tolist() == [[0], [-1], [-1]]
    assert batch.has_boxes.tolist() == [True, True, False]
    assert resize(collate([sample([])]), 96).boxes.shape == (1, 0, 4)


def test_sizes_change_every_so_many_steps():
    schedule = MultiScale((160, 192, 224), every=10, seed=1)
    sizes = [schedule.size(step) for step in range(600)]
    assert set(sizes) == {160, 192, 224}
    for start in range(0, 600, 10):
        assert len(set(sizes[start : start + 10])) == 1
    counts = [sizes.count(size) / 600 for size in schedule.sizes]
    assert min(counts) > 0.2
    # The same at any time and in any order, as a resumed run needs; another seed gives another schedule.
    assert [MultiScale((160, 192, 224), 10, 1).size(step) for step in reversed(range(600))] == sizes[::-1]
    assert [MultiScale((160, 192, 224), 10, 2).size(step) for step in range(600)] != sizes


def test_bad_schedules():
    with pytest.raises(ValueError, match="320 and 352"):
        MultiScale((320, 333))
    with pytest.raises(ValueError, match="at least one size"):
        MultiScale(())
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        MultiScale((320,), every=0)
