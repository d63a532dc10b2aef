"""Boxes: formats and overlaps, against numbers worked out by hand and a plain reference."""

import math

import pytest
import torch

from yolocourse.boxes import (
    area,
    clip,
    cxcywh_to_xyxy,
    iou,
    is_degenerate,
    pairwise_iou,
    shape_iou,
    xyxy_to_cxcywh,
)


def plain_iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def random_boxes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    corner, size = torch.rand(2, count, 2, generator=generator, dtype=torch.float64) * 50
    return torch.cat([corner, corner + size + 0.1], dim=1)


def test_formats_by_hand():
    corners = torch.tensor([10.0, 20.0, 40.0, 80.0])
    centre = torch.tensor([25.0, 50.0, 30.0, 60.0])
    assert torch.equal(xyxy_to_cxcywh(corners), centre)
    assert torch.equal(cxcywh_to_xyxy(centre), corners)


def test_formats_take_leading_dimensions():
    boxes = random_boxes(6, 0).view(2, 3, 4)
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)


def test_area_by_hand():
    boxes = torch.tensor([[1.0, 2.0, 4.0, 7.0], [5.0, 5.0, 5.0, 9.0], [4.0, 4.0, 2.0, 8.0], [4.0, 4.0, 2.0, 2.0]])
    assert area(boxes).tolist() == [15.0, 0.0, 0.0, 0.0]  # the last two are inside out


@pytest.mark.parametrize(
    ("b", "expected"),
    [
        ([0, 0, 10, 10], 1.0),
        ([5, 0, 15, 10], 50 / 150),
        ([5, 5, 15, 15], 25 / 175),
        ([2, 2, 4, 4], 4 / 100),  # inside
        ([10, 0, 20, 10], 0.0),  # a common side only: x2 is exclusive
        ([30, 30, 40, 40], 0.0),
        ([3, 3, 3, 3], 0.0),  # empty
        ([8, 8, 2, 2], 0.0),  # inside out
    ],
)
def test_iou_by_hand(b, expected):
    a, b = torch.tensor([0.0, 0.0, 10.0, 10.0]), torch.tensor(b, dtype=torch.float32)
    assert pairwise_iou(a, b).item() == pytest.approx(expected)
    assert pairwise_iou(b, a).item() == pytest.approx(expected)


def test_two_empty_boxes_have_iou_zero():
    point = torch.tensor([3.0, 3.0, 3.0, 3.0])
    assert pairwise_iou(point, point).item() == 0


def test_iou_equals_loops():
    a, b = random_boxes(5, 1).view(1, 5, 4), random_boxes(14, 2).view(2, 7, 4)
    result = iou(a, b)  # (2, 5, 7): leading dimensions broadcast
    assert result.shape == (2, 5, 7)
    for n in range(2):
        for i in range(5):
            for j in range(7):
                assert result[n, i, j].item() == pytest.approx(plain_iou(a[0, i].tolist(), b[n, j].tolist()))


def test_iou_without_boxes_is_empty():
    assert iou(torch.zeros(0, 4), torch.zeros(3, 4)).shape == (0, 3)


def test_iou_does_not_depend_on_place_and_unit():
    a, b = random_boxes(4, 3), random_boxes(5, 4)
    torch.testing.assert_close(iou(a * 7 + 3, b * 7 + 3), iou(a, b))


def test_shape_iou_by_hand():
    a = torch.tensor([[2.0, 3.0], [4.0, 1.0]])
    b = torch.tensor([[2.0, 3.0], [4.0, 1.0], [1.0, 1.0]])
    expected = [[1.0, 2 / 8, 1 / 6], [2 / 8, 1.0, 1 / 4]]  # shared 2 x 1 = 2, union 6 + 4 - 2
    torch.testing.assert_close(shape_iou(a, b), torch.tensor(expected))


def test_shape_iou_is_the_iou_of_centred_boxes():
    sizes = [random_boxes(n, n)[:, 2:] for n in (4, 6)]
    centred = [torch.cat([-size / 2, size / 2], dim=1) for size in sizes]
    torch.testing.assert_close(shape_iou(*sizes), iou(*centred))


def test_shape_iou_of_nothing_is_zero():
    assert shape_iou(torch.zeros(1, 2), torch.zeros(1, 2)).item() == 0


def test_clip_by_hand():
    boxes = torch.tensor([[-5.0, -5.0, 5.0, 5.0], [90.0, 40.0, 130.0, 70.0], [110.0, 10.0, 120.0, 20.0]])
    expected = torch.tensor([[0.0, 0.0, 5.0, 5.0], [90.0, 40.0, 100.0, 50.0], [100.0, 10.0, 100.0, 20.0]])
    assert torch.equal(clip(boxes, width=100, height=50), expected)


def test_degenerate_boxes():
    boxes = [
        ([0, 0, 1, 1], False),
        ([0, 0, 1e-3, 1e-3], False),
        ([5, 0, 5, 9], True),
        ([0, 5, 9, 5], True),
        ([6, 0, 5, 9], True),
        ([0, 0, math.nan, 9], True),
        ([0, 0, math.inf, 9], True),
        ([-math.inf, 0, 1, 9], True),
    ]
    mask = is_degenerate(torch.tensor([box for box, _ in boxes], dtype=torch.float32))
    assert mask.tolist() == [bad for _, bad in boxes]
