"""The detection loss: Darknet's numbers, a slow reference in plain loops, and input that tries to break it."""

import math
import os
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolocourse.boxes import cxcywh_to_xyxy
from yolocourse.grid import Predictions, split
from yolocourse.labels import FlatLabels
from yolocourse.losses import DetectionLoss, DetectionLossSettings
from yolocourse.models import nano

GOLDEN = Path(os.environ.get("YOLOCOURSE_GOLDEN") or Path(__file__).parent / "golden")
CASES = sorted(path for path in (GOLDEN / "region").glob("*.npz") if not path.name.startswith("tree_"))
ANCHORS = torch.tensor([[1.0, 2.0], [3.0, 1.5], [0.6, 0.5]])
LATE = 20_000  # pictures: after the warm-up


def labels_of(count):
    return FlatLabels([f"class {i}" for i in range(count)])


# --- Darknet's numbers ---------------------------------------------------------------------------------------------


def test_golden_cases_are_there():
    assert CASES, f"no region/*.npz with flat classes in {GOLDEN}"


class Golden:
    """One measured case, in this package's terms."""

    def __init__(self, path):
        self.data = data = np.load(path)
        n, _, h, w = data["x"].shape
        self.x = torch.from_numpy(data["x"])
        truth = torch.from_numpy(data["truth"])
        ended = (truth[..., 0] == 0).int().cumsum(dim=1) > 0
        self.labels = truth[..., 4].long().masked_fill(ended, -1)
        self.boxes = cxcywh_to_xyxy(truth[..., :4] * torch.tensor([w, h, w, h]) * 32)
        self.num_anchors, self.seen = len(data["anchors"]), int(data["seen"])
        self.criterion = DetectionLoss(
            torch.from_numpy(data["anchors"]),
            labels_of(int(data["classes"])),
            DetectionLossSettings(
                object_scale=float(data["object_scale"]),
                no_object_scale=float(data["noobject_scale"]),
                class_scale=float(data["class_scale"]),
                coord_scale=float(data["coord_scale"]),
                ignore_iou=float(data["thresh"]),
                rescore=bool(data["rescore"]),
                match="prior" if data["bias_match"] else "prediction",
            ),
        )

    def per_anchor(self, array):
        """(N, A*(5+C), H, W) -> (N, A, H, W, 5+C)."""
        n, _, h, w = self.x.shape
        return torch.as_tensor(array).view(n, self.num_anchors, -1, h, w).permute(0, 1, 3, 4, 2)


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def golden(request):
    return Golden(request.param)


def largest_error(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def test_golden_activation(golden):
    expected = golden.per_anchor(golden.data["output"])
    found = split(golden.x, golden.num_anchors)
    torch.testing.assert_close(found.xy, expected[..., :2])
    torch.testing.assert_close(found.wh, expected[..., 2:4])
    torch.testing.assert_close(found.objectness, expected[..., 4])
    torch.testing.assert_close(golden.criterion.labels.probabilities(found.scores), expected[..., 5:])


def test_golden_gradient_of_the_raw_output(golden):
    x = golden.x.clone().requires_grad_()
    golden.criterion(x, golden.boxes, golden.labels, golden.seen).total.backward()
    slope = torch.ones_like(golden.per_anchor(golden.x))
    sigmoid = golden.per_anchor(golden.x)[..., [0, 1, 4]].sigmoid()
    slope[..., [0, 1, 4]] = sigmoid * (1 - sigmoid)
    expected = -golden.per_anchor(golden.data["delta"]) * slope
    assert largest_error(golden.per_anchor(x.grad), expected) < 1e-5


def test_golden_delta_and_cost(golden):
    parts = Predictions(*[part.clone().requires_grad_() for part in split(golden.x, golden.num_anchors)])
    golden.criterion.terms(parts, golden.boxes, golden.labels, golden.seen).total.backward()
    grads = [parts.xy.grad, parts.wh.grad, parts.objectness.grad[..., None], parts.scores.grad]
    delta = -torch.cat(grads, dim=-1)
    assert largest_error(delta, golden.per_anchor(golden.data["delta"])) < 1e-5
    assert delta.square().sum().item() == pytest.approx(float(golden.data["cost"]), rel=1e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 1e-3), (torch.bfloat16, 5e-3)])
def test_golden_gradient_under_autocast(golden, dtype, tolerance):
    """The head's output in 16 bits, as autocast gives it. The loss itself is in float32, so what is lost is rounding.

    Of a number float16 keeps 11 bits and bfloat16 8, that is, it is off by up to 0.0005 and 0.004 of itself. Measured
    in these cases, as a share of the largest gradient: at most 0.0007 and 0.0034.
    """
    x = golden.x.to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype):
        golden.criterion(x, golden.boxes, golden.labels, golden.seen).total.backward()
    slope = torch.ones_like(golden.per_anchor(golden.x))
    sigmoid = golden.per_anchor(golden.x)[..., [0, 1, 4]].sigmoid()
    slope[..., [0, 1, 4]] = sigmoid * (1 - sigmoid)
    expected = -golden.per_anchor(golden.data["delta"]) * slope
    assert largest_error(golden.per_anchor(x.grad.float()), expected) < tolerance


# --- a slow reference ----------------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def corner_iou(a, b):
    """IoU of two (cx, cy, w, h)."""
    sides = []
    for i in (0, 1):
        low = max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2)
        sides.append(max(0.0, min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - low))
    shared = sides[0] * sides[1]
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def best_anchor(truth, sizes):
    overlaps = [corner_iou((0, 0, *truth[2:]), (0, 0, *size)) for size in sizes]
    return overlaps.index(max(overlaps))


def plain_loss(raw, boxes, labels, anchors, settings, seen):
    """The loss as golden/README.md words it: picture by picture, cell by cell, truth by truth; Python numbers only."""
    names = ("xy", "wh", "object", "no_object", "classes", "warmup")
    sums = dict.fromkeys(names, 0.0)
    A, (N, channels, H, W) = len(anchors), raw.shape
    depth, overlaps = channels // A, []
    for n in range(N):
        truths = []
        for box, label in zip(boxes[n].tolist(), labels[n].tolist(), strict=True):
            if label >= 0:
                x1, y1, x2, y2 = (side / 32 for side in box)
                truths.append(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, label))
        predicted, value = {}, {}
        for a in range(A):
            for row in range(H):
                for column in range(W):
                    t = raw[n, a * depth : (a + 1) * depth, row, column].tolist()
                    value[a, row, column] = t
                    size = [anchors[a][i].item() * math.exp(t[2 + i]) for i in (0, 1)]
                    predicted[a, row, column] = (column + sigmoid(t[0]), row + sigmoid(t[1]), *size)
        owner = {}
        for truth in truths:
            row, column = min(int(truth[1]), H - 1), min(int(truth[0]), W - 1)
            sizes = anchors.tolist()
            if settings.match == "prediction":
                sizes = [predicted[a, row, column][2:] for a in range(A)]
            place = (best_anchor(truth[:4], sizes), row, column)
            overlaps.append(corner_iou(predicted[place], truth[:4]))
            owner[place] = truth  # a later one takes the place of an earlier one
        for place, t in value.items():
            a, row, column = place
            if place not in owner:
                if all(corner_iou(predicted[place], truth[:4]) <= settings.ignore_iou for truth in truths):
                    sums["no_object"] += settings.no_object_scale * sigmoid(t[4]) ** 2 / 2
                if seen < settings.anchor_warmup_images:
                    pull = (sigmoid(t[0]) - 0.5) ** 2 + (sigmoid(t[1]) - 0.5) ** 2 + t[2] ** 2 + t[3] ** 2
                    sums["warmup"] += settings.anchor_warmup_scale * pull / 2
                continue
            cx, cy, w, h, label = owner[place]
            weight = settings.coord_scale * (2 - w * h / (W * H) if settings.small_box_weight else 1)
            sums["xy"] += weight * ((sigmoid(t[0]) - (cx - column)) ** 2 + (sigmoid(t[1]) - (cy - row)) ** 2) / 2
            wanted = [math.log(side / anchor) for side, anchor in zip((w, h), anchors[a].tolist(), strict=True)]
            sums["wh"] += weight * ((t[2] - wanted[0]) ** 2 + (t[3] - wanted[1]) ** 2) / 2
            goal = corner_iou(predicted[place], (cx, cy, w, h)) if settings.rescore else 1
            sums["object"] += settings.object_scale * (sigmoid(t[4]) - goal) ** 2 / 2
            exponentials = [math.exp(score) for score in t[5:]]
            sums["classes"] += settings.class_scale * -math.log(exponentials[label] / sum(exponentials))
    count = max(len(overlaps), 1)
    statistics_ = {"average_iou": sum(overlaps) / count, "recall": sum(o > 0.5 for o in overlaps) / count}
    return sums | {"total": sum(sums.values()), "truths": len(overlaps)} | statistics_


def random_case(seed, N=3, B=6, C=4, H=3, W=5, anchors=ANCHORS, near=False):
    """Raw output and truths; row n has 2n truths. `near`: predictions lie on the truths, so that ignoring matters."""
    g = torch.Generator().manual_seed(seed)
    raw = torch.randn(N, len(anchors) * (5 + C), H, W, generator=g) * (0.3 if near else 1.0)
    centre = torch.rand(N, B, 2, generator=g) * torch.tensor([W * 32.0, H * 32.0])
    size = torch.rand(N, B, 2, generator=g) * 90 + 4
    if near:
        centre = (centre / 32).floor() * 32 + 16
        size = anchors[torch.randint(len(anchors), (N, B), generator=g)] * 32 * 1.1
    boxes = torch.cat([centre - size / 2, centre + size / 2], dim=-1)
    labels = torch.randint(C, (N, B), generator=g)
    for n in range(N):
        labels[n, 2 * n :] = -1
    return raw, boxes, labels


def check_against_plain_loss(case, settings=None, seen=LATE, anchors=ANCHORS):
    settings = settings or DetectionLossSettings()
    raw, boxes, labels = case
    criterion = DetectionLoss(anchors, labels_of(raw.shape[1] // len(anchors) - 5), settings)
    found = {name: value.item() for name, value in criterion(raw, boxes, labels, seen)._asdict().items()}
    expected = plain_loss(raw, boxes, labels, anchors, settings, seen)
    assert found == {name: pytest.approx(expected[name], rel=1e-4, abs=1e-5) for name in found}
    return expected


@pytest.mark.parametrize("seed", range(4))
def test_equals_plain_loops(seed):
    expected = check_against_plain_loss(random_case(seed))
    assert expected["truths"] == 6 and expected["warmup"] == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"rescore": False},
        {"match": "prediction"},
        {"match": "prediction", "rescore": False},
        {"small_box_weight": False},
        {"ignore_iou": 0.05},
        {"ignore_iou": 0.0},
        {"ignore_iou": 1.0},
        {"object_scale": 2.0, "no_object_scale": 0.5, "coord_scale": 3.0, "class_scale": 0.7},
    ],
    ids=str,
)
def test_switches_equal_plain_loops(changed):
    check_against_plain_loss(random_case(4), DetectionLossSettings(**changed))


def test_ignored_boxes_equal_plain_loops():
    alike = torch.tensor([[2.0, 2.0], [2.2, 1.9], [1.8, 2.1]])  # all three fit, one is responsible
    case = random_case(5, anchors=alike, near=True)
    ignored = check_against_plain_loss(case, anchors=alike)["no_object"]
    none_ignored = check_against_plain_loss(case, DetectionLossSettings(ignore_iou=1.0), anchors=alike)["no_object"]
    assert ignored < none_ignored - 0.5, "the case must ignore something"


def test_warm_up_equals_plain_loops_and_ends():
    case = random_case(6)
    settings = DetectionLossSettings(anchor_warmup_images=100, anchor_warmup_scale=0.05)
    assert check_against_plain_loss(case, settings, seen=99)["warmup"] > 0
    assert check_against_plain_loss(case, settings, seen=100)["warmup"] == 0


def test_collisions_equal_plain_loops():
    raw, boxes, labels = random_case(7, N=2, B=8, H=1, W=2)
    labels[:] = torch.arange(16).view(2, 8) % 4
    expected = check_against_plain_loss((raw, boxes, labels))
    places = 2 * 3 * 1 * 2
    assert expected["truths"] == 16 > places, "more truths than places: some must collide"


def test_one_anchor_one_class_one_cell_equal_plain_loops():
    anchors = torch.tensor([[1.2, 0.9]])
    check_against_plain_loss(random_case(8, C=1, H=1, W=1, anchors=anchors), anchors=anchors)


def test_no_truths_equal_plain_loops():
    raw, boxes, labels = random_case(9)
    expected = check_against_plain_loss((raw, boxes, labels.fill_(-1)))
    assert expected["xy"] == expected["object"] == expected["classes"] == 0 < expected["no_object"]
    check_against_plain_loss((raw, boxes[:, :0], labels[:, :0]), seen=0)


def test_total_by_hand():
    """One cell, one anchor as large as the truth, raw zeros: sigmoid(0) = 1/2 is the centre, so IoU is 1."""
    criterion = DetectionLoss(torch.tensor([[1.0, 1.0]]), labels_of(4))
    terms = criterion(torch.zeros(1, 9, 1, 1), torch.tensor([[[0.0, 0.0, 32.0, 32.0]]]), torch.tensor([[2]]), LATE)
    assert terms.total.item() == pytest.approx(5 * 0.5 * (0.5 - 1) ** 2 + math.log(4))
    assert terms.average_iou.item() == terms.recall.item() == 1


def test_gradient_equals_differences():
    """In float64 numbers the loss is smooth but for the target IoU, which counts as a constant (no gradient)."""
    raw, boxes, labels = random_case(10)
    settings = DetectionLossSettings(rescore=False)
    criterion = DetectionLoss(ANCHORS, labels_of(4), settings)
    raw.requires_grad_()
    criterion(raw, boxes, labels, LATE).total.backward()
    generator = torch.Generator().manual_seed(0)
    for at in torch.randint(raw.numel(), (8,), generator=generator).tolist() + [raw[0].numel() + 30]:
        totals = []
        for step in (1e-4, -1e-4):
            moved = raw.detach().double().clone()
            moved.view(-1)[at] += step
            totals.append(plain_loss(moved, boxes, labels, ANCHORS, settings, LATE)["total"])
        slope = (totals[0] - totals[1]) / 2e-4
        assert raw.grad.view(-1)[at].item() == pytest.approx(slope, rel=1e-3, abs=1e-4)


# --- invariants and bad input --------------------------------------------------------------------------------------


def test_padding_changes_nothing():
    raw, boxes, labels = random_case(11)
    criterion = DetectionLoss(ANCHORS, labels_of(4))
    junk = torch.full((3, 4, 4), 77.0)
    more = criterion(raw, torch.cat([junk, boxes], 1), torch.cat([labels.new_full((3, 4), -1), labels], 1), LATE)
    for a, b in zip(criterion(raw, boxes, labels, LATE), more, strict=True):
        torch.testing.assert_close(a, b)


def test_order_of_pictures_changes_nothing():
    raw, boxes, labels = random_case(12)
    criterion, order = DetectionLoss(ANCHORS, labels_of(4)), [2, 0, 1]
    for a, b in zip(
        criterion(raw, boxes, labels, LATE), criterion(raw[order], boxes[order], labels[order], LATE), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_a_batch_is_the_sum_of_its_pictures():
    raw, boxes, labels = random_case(13)
    criterion = DetectionLoss(ANCHORS, labels_of(4))
    single = [criterion(raw[n : n + 1], boxes[n : n + 1], labels[n : n + 1], 0).total for n in range(3)]
    torch.testing.assert_close(criterion(raw, boxes, labels, 0).total, sum(single))


def test_half_precision_is_computed_in_float32():
    raw, boxes, labels = random_case(14)
    criterion = DetectionLoss(ANCHORS, labels_of(4))
    for dtype in (torch.bfloat16, torch.float16):
        half = raw.to(dtype)
        terms = criterion(half, boxes, labels, LATE)
        assert terms.total.dtype == torch.float32
        torch.testing.assert_close(terms.total, criterion(half.float(), boxes, labels, LATE).total)


BOX = {
    "one pixel": (50.0, 20.0, 51.0, 21.0),
    "whole picture": (0.0, 0.0, 160.0, 96.0),
    "right border": (140.0, 30.0, 180.0, 40.0),  # centre at 160: exactly on the border
    "bottom border": (10.0, 86.0, 30.0, 106.0),
    "corner": (160.0, 96.0, 160.0, 96.0),  # no size, on both borders
    "no size": (30.0, 30.0, 30.0, 30.0),
    "hair": (30.0, 0.0, 30.0, 96.0),
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    boxes=st.lists(st.sampled_from(sorted(BOX)), max_size=8),
    scale=st.sampled_from([0.0, 1.0, 100.0, 1e4]),
    sign=st.sampled_from([-1, 1, 0]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    match=st.sampled_from(["prior", "prediction"]),
    seen=st.sampled_from([0, LATE]),
)
def test_finite_for_any_box_and_any_output(boxes, scale, sign, dtype, match, seen):
    raw = torch.randn(2, 27, 3, 5, generator=torch.Generator().manual_seed(len(boxes)))
    raw = ((raw.sign() if sign == 0 else torch.full_like(raw, sign)) * scale).to(dtype).requires_grad_()
    truth = torch.tensor([[BOX[name] for name in boxes]] * 2).view(2, len(boxes), 4)
    labels = torch.zeros(2, len(boxes), dtype=torch.long)
    criterion = DetectionLoss(ANCHORS, labels_of(4), DetectionLossSettings(match=match))
    terms = criterion(raw, truth, labels, seen)
    assert all(torch.isfinite(term) for term in terms), terms
    terms.total.backward()
    assert torch.isfinite(raw.grad).all()


def test_300_boxes_are_finite_and_counted():
    raw, boxes, _ = random_case(15, B=300)
    raw.requires_grad_()
    terms = DetectionLoss(ANCHORS, labels_of(4))(raw, boxes, torch.zeros(3, 300, dtype=torch.long), 0)
    terms.total.backward()
    assert terms.truths.item() == 900
    assert torch.isfinite(terms.total) and torch.isfinite(raw.grad).all()


@pytest.mark.parametrize(
    ("raw", "boxes", "labels", "message"),
    [
        ((2, 27, 3, 5), (2, 4, 4), (2, 3), "expected"),
        ((2, 27, 3, 5), (2, 4, 5), (2, 4), "expected"),
        ((2, 27, 3, 5), (3, 4, 4), (3, 4), "expected"),
        ((2, 30, 3, 5), (2, 4, 4), (2, 4), "30 channels; 3 anchors and 4 class scores need 27"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(raw, boxes, labels, message):
    with pytest.raises(ValueError, match=message):
        DetectionLoss(ANCHORS, labels_of(4))(torch.zeros(raw), torch.zeros(boxes), torch.zeros(labels).long(), 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"match": "size"}, "match must be"), ({"ignore_iou": 1.5}, "ignore_iou must be between 0 and 1, not 1.5")],
)
def test_bad_settings_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        DetectionLossSettings(**changed)


# --- time ----------------------------------------------------------------------------------------------------------


def seconds(call, repeats):
    call()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


@pytest.mark.slow
def test_loss_costs_little_beside_the_network_however_many_truths():
    anchors = torch.tensor([[1.3, 1.7], [3.2, 4.0], [5.1, 8.1], [9.5, 4.8], [11.2, 10.0]])
    model = nano(12, anchors.tolist()).to(memory_format=torch.channels_last)
    images = torch.rand(16, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    network = seconds(lambda: model(images).sum().backward(), 5)
    raw = model(images).detach().requires_grad_()
    criterion = DetectionLoss(anchors, labels_of(12))

    def loss_seconds(truths):
        g = torch.Generator().manual_seed(0)
        corner, size = torch.rand(2, 16, truths, 2, generator=g) * 110
        boxes, labels = torch.cat([corner, corner + size + 2], -1), torch.randint(12, (16, truths), generator=g)
        return seconds(lambda: criterion(raw, boxes, labels, LATE).total.backward(), 15)

    assert loss_seconds(20) < 0.1 * network
    assert loss_seconds(100) < 1.6 * loss_seconds(1) + 0.02 * network


def test_cells_of_another_stride():
    """The same picture at half the size under cells of 16 pixels: the same numbers."""
    raw = torch.randn(2, 3 * (5 + 4), 3, 5, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[[10.0, 20, 70, 90], [64, 0, 160, 96]], [[3, 3, 40, 30], [0, 0, 0, 0]]])
    labels = torch.tensor([[0, 3], [1, -1]])
    coarse = DetectionLoss(ANCHORS, labels_of(4))(raw, boxes, labels, LATE)
    fine = DetectionLoss(ANCHORS, labels_of(4), stride=16)(raw, boxes / 2, labels, LATE)
    torch.testing.assert_close(torch.stack(fine), torch.stack(coarse))
    assert not torch.equal(DetectionLoss(ANCHORS, labels_of(4))(raw, boxes / 2, labels, LATE).total, coarse.total)


def test_location_of_region_proposals_by_hand():
    """One thing in one cell: the terms of the centre compare tx, ty with (x - xa) / wa, and nothing else changes."""
    anchors = torch.tensor([[2.0, 1.0]])
    raw = torch.zeros(1, 6, 1, 1)
    raw[0, :2, 0, 0] = torch.tensor([0.3, -0.2])
    boxes, labels = torch.tensor([[[8.0, 0.0, 40.0, 32.0]]]), torch.tensor([[0]])  # centre (0.75, 0.5) of the one cell
    settings = DetectionLossSettings(small_box_weight=False, anchor_warmup_images=0)
    terms = DetectionLoss(anchors, labels_of(1), settings, location="offset")(raw, boxes, labels)
    # Targets: (0.75 - 0.5) / 2 = 0.125 and 0.
    assert terms.xy.item() == pytest.approx(((0.3 - 0.125) ** 2 + 0.2**2) / 2)
    # The box that is predicted: centre (0.5 + 0.3 * 2, 0.5 - 0.2), 2 x 1 cells; the truth 1 x 1 around (0.75, 0.5).
    # They share 1 wide (0.25 to 1.25 lies within 0.1 to 2.1) and 0.8 high: 0.8 / (2 + 1 - 0.8).
    assert terms.average_iou.item() == pytest.approx(0.8 / 2.2, abs=1e-5)
    usual = DetectionLoss(anchors, labels_of(1), settings)(raw, boxes, labels)
    assert usual.wh == terms.wh and usual.classes == terms.classes and usual.xy != terms.xy


def test_warm_up_of_region_proposals_pulls_to_the_anchor():
    raw = torch.zeros(1, 12, 2, 2)
    criterion = DetectionLoss(ANCHORS[:2], labels_of(1), location="offset")
    empty = torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.long)
    assert criterion(raw, *empty, seen=0).warmup.item() == 0
    raw[0, 0, 1, 1] = 3.0
    assert criterion(raw, *empty, seen=0).warmup.item() == pytest.approx(0.01 * 9 / 2)
    with pytest.raises(ValueError, match="location must be one of"):
        DetectionLoss(ANCHORS, labels_of(1), location="corner")
