"""YOLO's loss: numbers worked out by hand, a reference in loops, and what it must survive."""

import pytest
import torch

from yolocourse.losses import LossTerms
from yolocourse.losses_yolov1 import YOLOv1Loss, YOLOv1LossSettings

C = 3


def silent(n=1):
    """Outputs of a network that predicts empty boxes in the corners of their cells, without confidence or class."""
    return torch.zeros(n, 7, 7, 10 + C)


def batch(*pictures):
    """Lists of (box, label), one list a picture -> boxes (N, B, 4) and labels (N, B), padded."""
    most = max(len(picture) for picture in pictures)
    boxes, labels = torch.zeros(len(pictures), most, 4), torch.full((len(pictures), most), -1)
    for n, picture in enumerate(pictures):
        for b, (box, label) in enumerate(picture):
            boxes[n, b], labels[n, b] = torch.tensor(box), label
    return boxes, labels


BOX = (116.0, 65.0, 172.0, 79.0)  # cell row 2, column 4; x, y = 0.5, 0.25; roots 0.5, 0.25


def test_by_hand():
    raw = silent()
    raw[0, 2, 4, 5:10] = torch.tensor([0.5, 0.25, 0.5, 0.5, 0.6])  # four times as high as the truth: IoU 1/4
    raw[0, 2, 4, 4] = 0.2  # the other predictor, an empty box
    raw[0, 2, 4, 10:] = torch.tensor([0.5, 0.0, -0.5])
    raw[0, 0, 0, 4] = 0.4
    terms = YOLOv1Loss(C)(raw, *batch([(BOX, 0)]))
    assert terms.xy.item() == 0
    assert terms.wh.item() == pytest.approx(5 * 0.25**2)
    assert terms.object.item() == pytest.approx((0.6 - 0.25) ** 2)
    assert terms.no_object.item() == pytest.approx(0.5 * (0.2**2 + 0.4**2))
    assert terms.classes.item() == pytest.approx(0.5**2 + 0 + 0.5**2)
    assert terms.total.item() == pytest.approx(0.3125 + 0.1225 + 0.1 + 0.5)
    assert terms.average_iou.item() == pytest.approx(0.25) and terms.recall.item() == 0 and terms.truths.item() == 1
    assert isinstance(terms, LossTerms)


def test_the_predictor_that_overlaps_most_is_responsible():
    raw = silent()
    raw[0, 2, 4, 0:5] = torch.tensor([0.5, 0.25, 0.5, 0.3, 0.0])
    raw[0, 2, 4, 5:10] = torch.tensor([0.5, 0.25, 0.9, 0.9, 0.0])
    raw.requires_grad_()
    YOLOv1Loss(C)(raw, *batch([(BOX, 1)])).total.backward()
    assert raw.grad[0, 2, 4, 3] > 0  # too high: to be made smaller
    assert not raw.grad[0, 2, 4, 5:9].any()  # the other box is nobody's business
    assert raw.grad[0, 2, 4, 4] < 0 and raw.grad[0, 2, 4, 9] == 0  # confidence rises to the IoU; the other stays at 0
    assert raw.grad[0, 2, 4, 11] < 0


def test_without_overlap_the_closer_predictor_is_responsible():
    raw = silent()
    raw[0, 2, 4, 0:4] = torch.tensor([0.9, 0.9, 0.01, 0.01])
    raw[0, 2, 4, 5:9] = torch.tensor([0.9, 0.25, 0.3, 0.01])
    raw[0, 2, 4, 5] = 6.0  # its right half is far away
    raw.requires_grad_()
    terms = YOLOv1Loss(C)(raw, *batch([(BOX, 0)]))
    assert terms.average_iou == 0
    terms.total.backward()
    assert raw.grad[0, 2, 4, 0:4].any() and not raw.grad[0, 2, 4, 5:9].any()


def test_a_cell_learns_its_first_truth_only():
    one, two = (BOX, 0), ((120.0, 60.0, 150.0, 90.0), 2)
    raw = torch.rand(1, 7, 7, 10 + C, generator=torch.Generator().manual_seed(1))
    loss = YOLOv1Loss(C)
    both, first, second = (loss(raw, *batch(list(truths))) for truths in ([one, two], [one], [two]))
    for name in ("xy", "wh", "object", "no_object", "classes"):
        torch.testing.assert_close(getattr(both, name), getattr(first, name))
    assert not torch.isclose(both.classes, second.classes)
    assert both.truths == 2  # it counts all the same: recall says what the grid cannot do


def test_padding_may_stand_anywhere():
    raw = torch.rand(2, 7, 7, 10 + C, generator=torch.Generator().manual_seed(2))
    boxes, labels = batch([(BOX, 1)], [((0.0, 0.0, 50.0, 50.0), 0), ((100.0, 20.0, 200.0, 90.0), 2)])
    padded = torch.cat([torch.zeros(2, 3, 4), boxes], dim=1), torch.cat([torch.full((2, 3), -1), labels], dim=1)
    torch.testing.assert_close(YOLOv1Loss(C)(raw, boxes, labels), YOLOv1Loss(C)(raw, *padded))


def reference(raw, boxes, labels, coord=5.0, no_object=0.5):
    """Equation 3 in loops and plain numbers, written down from the paper alone."""

    def corners(cx, cy, w, h):
        return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2

    def overlap(a, b):
        a, b = corners(*a), corners(*b)
        across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = max(across, 0) * max(down, 0)
        return shared / max((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared, 1e-30)

    total = 0.0
    for picture, its_boxes, its_labels in zip(raw.tolist(), boxes.tolist(), labels.tolist(), strict=True):
        owner = {}
        for (x1, y1, x2, y2), label in zip(its_boxes, its_labels, strict=True):
            truth = ((x1 + x2) / 448, (y1 + y2) / 448, (x2 - x1) / 224, (y2 - y1) / 224)  # shares of the picture
            cell = (min(int(truth[1] * 7), 6), min(int(truth[0] * 7), 6))
            if label >= 0:
                owner.setdefault(cell, (truth, label))
        for row in range(7):
            for column in range(7):
                values, best = picture[row][column], None
                predicted = [values[5 * j : 5 * j + 5] for j in range(2)]
                if (row, column) in owner:
                    truth, label = owner[row, column]
                    decoded = [((column + x) / 7, (row + y) / 7, w * w, h * h) for x, y, w, h, _ in predicted]
                    ious = [overlap(box, truth) for box in decoded]
                    far = [sum((a - b) ** 2 for a, b in zip(box, truth, strict=True)) for box in decoded]
                    best = ious.index(max(ious)) if max(ious) > 0 else far.index(min(far))
                    x, y, w, h, confidence = predicted[best]
                    total += coord * ((x - (truth[0] * 7 - column)) ** 2 + (y - (truth[1] * 7 - row)) ** 2)
                    total += coord * ((w - truth[2] ** 0.5) ** 2 + (h - truth[3] ** 0.5) ** 2)
                    total += (confidence - ious[best]) ** 2
                    total += sum((p - (c == label)) ** 2 for c, p in enumerate(values[10:]))
                total += sum(no_object * predicted[j][4] ** 2 for j in range(2) if j != best)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_reference_in_loops(seed):
    generator = torch.Generator().manual_seed(seed)
    raw = torch.rand(3, 7, 7, 10 + C, generator=generator)
    corner, size = torch.rand(3, 9, 2, generator=generator) * 150, torch.rand(3, 9, 2, generator=generator) * 70 + 4
    boxes = torch.cat([corner, corner + size], dim=-1)
    labels = torch.randint(-1, C, (3, 9), generator=generator)
    assert YOLOv1Loss(C)(raw, boxes, labels).total.item() == pytest.approx(reference(raw, boxes, labels), rel=1e-5)


def test_the_sum_over_pictures():
    raw = torch.rand(2, 7, 7, 10 + C, generator=torch.Generator().manual_seed(5))
    boxes, labels = batch([(BOX, 1)], [((0.0, 0.0, 50.0, 50.0), 0)])
    loss = YOLOv1Loss(C)
    alone = sum(loss(raw[n : n + 1], boxes[n : n + 1], labels[n : n + 1]).total for n in range(2))
    torch.testing.assert_close(loss(raw, boxes, labels).total, alone)


@pytest.mark.parametrize("count", [0, 1])
def test_no_truths(count):
    raw = torch.rand(2, 7, 7, 10 + C).requires_grad_()
    terms = YOLOv1Loss(C)(raw, torch.zeros(2, count, 4), torch.full((2, count), -1))
    assert terms.total.item() == pytest.approx(0.5 * raw[..., [4, 9]].square().sum().item())
    assert terms.truths == 0 and terms.average_iou == 0 and terms.recall == 0
    terms.total.backward()
    assert raw.grad.isfinite().all()


@pytest.mark.parametrize("value", [-1e4, -1.0, 0.0, 1e4])
@pytest.mark.parametrize("box", [(10.0, 10.0, 11.0, 11.0), (0.0, 0.0, 224.0, 224.0), (224.0, 224.0, 224.0, 224.0)])
def test_finite_for_any_input(value, box):
    raw = torch.full((1, 7, 7, 10 + C), value).requires_grad_()
    terms = YOLOv1Loss(C)(raw, *batch([(box, 0)]))
    terms.total.backward()
    assert all(term.isfinite() for term in terms) and raw.grad.isfinite().all()


def test_float32_for_a_network_in_half_precision():
    raw = torch.rand(1, 7, 7, 10 + C).bfloat16()
    terms = YOLOv1Loss(C)(raw, *batch([(BOX, 0)]))
    assert terms.total.dtype == torch.float32


def test_gradient_descent_on_the_raw_output_finds_the_box():
    raw = torch.rand(1, 7, 7, 10 + C, generator=torch.Generator().manual_seed(3)).requires_grad_()
    loss, truth = YOLOv1Loss(C), batch([(BOX, 2)])
    for _ in range(300):
        (gradient,) = torch.autograd.grad(loss(raw, *truth).total, raw)
        raw = (raw - 0.05 * gradient).detach().requires_grad_()
    terms = loss(raw, *truth)
    assert terms.total < 1e-3 and terms.average_iou > 0.97
    assert raw[0, 2, 4, 10:].argmax() == 2


def test_settings_weigh_the_terms():
    raw = torch.rand(1, 7, 7, 10 + C, generator=torch.Generator().manual_seed(4))
    plain, doubled = (
        YOLOv1Loss(C, YOLOv1LossSettings(*scales))(raw, *batch([(BOX, 0)]))
        for scales in ((1, 1, 1, 1), (2, 3, 4, 5))  # coord, no object, object, class
    )
    for name, factor in {"xy": 2, "wh": 2, "no_object": 3, "object": 4, "classes": 5}.items():
        torch.testing.assert_close(getattr(doubled, name), factor * getattr(plain, name))


@pytest.mark.parametrize(
    ("raw", "boxes", "labels"),
    [((1, 7, 7, 12), (1, 2, 4), (1, 2)), ((1, 7, 7, 13), (1, 3, 4), (1, 2)), ((2, 7, 7, 13), (1, 2, 4), (1, 2))],
)
def test_shapes_that_do_not_fit(raw, boxes, labels):
    with pytest.raises(ValueError, match=r"expected \(N, H, W, 13\)"):
        YOLOv1Loss(C)(torch.zeros(raw), torch.zeros(boxes), torch.zeros(labels, dtype=torch.long))
