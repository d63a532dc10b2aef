"""The joint loss: a slow reference in plain loops, Darknet's numbers through it, and input that tries to break it.

The reference works cell by cell as golden/README.md words it. With `misplaced` it also repeats a mistake of Darknet's
program for the processor: the softmax of a tree begins at the 5th *number* of a picture and not at its 5th *channel*,
so it overwrites positions and sizes, and leaves class scores as they are. Repeated like that it must give Darknet's
numbers in every channel, and does. Without the mistake it is what the loss is held against.
"""

import math
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from yolocourse.anchors import PRESETS
from yolocourse.boxes import cxcywh_to_xyxy
from yolocourse.grid import Predictions, split
from yolocourse.labels import FlatLabels
from yolocourse.losses import DetectionLoss, DetectionLossSettings
from yolocourse.losses_joint import JointLoss, JointLossSettings, JointLossTerms
from yolocourse.models import yolo9000
from yolocourse.wordtree import WordTree, read_tree

GOLDEN = Path(os.environ.get("YOLOCOURSE_GOLDEN") or Path(__file__).parent / "golden") / "region"
CASES = ("tree_detect", "tree_classify", "tree_classify_paper", "tree_mixed")
LATE = 20_000
NO_BOX = 100_000  # Darknet marks a picture without boxes by a centre beyond this


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, dtype=np.float64)))


def path_of(tree, node):
    path = []
    while node >= 0:
        path.append(node)
        node = tree.parents[node]
    return path


def siblings(tree, node):
    return [other for other in range(len(tree)) if tree.parents[other] == tree.parents[node]]


def groups(tree):
    """First node and size of every group of siblings."""
    starts = [node for node in range(len(tree)) if node == siblings(tree, node)[0]]
    return [(node, len(siblings(tree, node))) for node in starts]


def softmax(values):
    exponentials = np.exp(values - values.max())
    return exponentials / exponentials.sum()


def activate(x, tree, anchors, misplaced):
    """(N, A, 5+C, H, W) -> the same after logistic and softmax."""
    n_pictures, _, _, h, w = x.shape
    output = x.astype(np.float64)
    for channel in (0, 1, 4):
        output[:, :, channel] = sigmoid(x[:, :, channel])
    for n in range(n_pictures):
        if misplaced:
            numbers, result, cells = x[n].reshape(-1).astype(np.float64), output[n].reshape(-1), anchors * h * w
            for first, size in groups(tree):
                for cell in range(cells):
                    at = [5 + first + cell + k * cells for k in range(size)]
                    result[at] = softmax(numbers[at])
            continue
        for a in range(anchors):
            for first, size in groups(tree):
                for row in range(h):
                    for column in range(w):
                        part = output[n, a, 5 + first : 5 + first + size, row, column]
                        part[:] = softmax(part.copy())
    return output


def corner_iou(a, b):
    """IoU of two (cx, cy, w, h)."""
    sides = []
    for i in (0, 1):
        low = max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2)
        sides.append(max(0.0, min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - low))
    shared = sides[0] * sides[1]
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def class_delta(output, delta, tree, label, scale):
    """In one cell (5+C,), from the label's group up to the root's: target minus output."""
    for node in path_of(tree, label):
        for other in siblings(tree, node):
            delta[5 + other] = scale * ((other == node) - output[5 + other])


def reference(x, truths, anchors, tree, s, misplaced=False):
    """Darknet's output and delta, (N, A, 5+C, H, W) each, and per picture the place of the box chosen for its class.

    x (N, A, 5+C, H, W) raw; truths: a list a picture of (cx, cy, w, h, label) in cells, or of one label alone.
    """
    n_pictures, a_count, _, h, w = x.shape
    output = activate(x, tree, a_count, misplaced)
    delta, chosen = np.zeros_like(output), []
    for n in range(n_pictures):
        out, change = output[n], delta[n]
        places = [(a, row, column) for a in range(a_count) for row in range(h) for column in range(w)]
        if truths[n] and len(truths[n][0]) == 1:
            label, best, where = truths[n][0][0], 0.0, places[0]
            for a, row, column in places:
                if s.push_down:
                    change[a, 4, row, column] = s.no_object_scale * (0 - out[a, 4, row, column])
                product = out[a, 4, row, column] * math.prod(out[a, 5 + k, row, column] for k in path_of(tree, label))
                if product > best:
                    best, where = product, (a, row, column)
            a, row, column = where
            class_delta(out[a, :, row, column], change[a, :, row, column], tree, label, s.class_scale)
            change[a, 4, row, column] = 0
            if s.assumed_iou is not None and out[a, 4, row, column] < s.assumed_iou:
                change[a, 4, row, column] = s.object_scale * (s.assumed_iou - out[a, 4, row, column])
            chosen.append(places.index(where))
            continue
        chosen.append(None)
        predicted = {}
        for a, row, column in places:
            o = out[a, :, row, column]
            size = anchors[a] * np.exp(o[2:4])
            predicted[a, row, column] = (column + o[0], row + o[1], *size)
            if all(corner_iou(predicted[a, row, column], truth) <= s.ignore_iou for truth in truths[n]):
                change[a, 4, row, column] = s.no_object_scale * (0 - o[4])
        for *truth, label in truths[n]:
            row, column = min(int(truth[1]), h - 1), min(int(truth[0]), w - 1)
            fits = [corner_iou((0, 0, *truth[2:]), (0, 0, *anchors[a])) for a in range(a_count)]
            a = fits.index(max(fits))
            o, d = out[a, :, row, column], change[a, :, row, column]
            target = (truth[0] - column, truth[1] - row, *np.log(np.array(truth[2:]) / anchors[a]))
            d[:4] = s.coord_scale * (2 - truth[2] * truth[3] / (w * h)) * (np.array(target) - o[:4])
            d[4] = s.object_scale * (corner_iou(predicted[a, row, column], truth) - o[4])
            class_delta(o, d, tree, label, s.class_scale)
    return output, delta, chosen


class Golden:
    """One measured case: as the reference takes it, and as the package does."""

    def __init__(self, name):
        self.data = data = np.load(GOLDEN / f"{name}.npz")
        n, channels, h, w = data["x"].shape
        self.tree = read_tree(GOLDEN / "tiny.tree")
        self.anchors = data["anchors"].astype(np.float64)
        self.shape = (n, len(self.anchors), channels // len(self.anchors), h, w)
        self.x = data["x"].reshape(self.shape)
        self.truths = []
        for rows in data["truth"].tolist():
            rows = rows[: next(i for i, row in enumerate(rows) if row[0] == 0)]
            cells = [(cx * w, cy * h, tw * w, th * h, int(label)) for cx, cy, tw, th, label in rows]
            self.truths.append([(int(row[4]),) for row in rows] if rows[0][0] > NO_BOX else cells)
        self.settings = JointLossSettings(
            object_scale=float(data["object_scale"]), no_object_scale=float(data["noobject_scale"]),
            class_scale=float(data["class_scale"]), coord_scale=float(data["coord_scale"]),
            ignore_iou=float(data["thresh"]), assumed_iou=0.3 if name.endswith("paper") else None,
        )  # fmt: skip
        self.batch = batch_of(self.truths)

    def criterion(self, labels=None):
        return JointLoss(torch.from_numpy(self.data["anchors"]), labels or self.tree, self.settings)

    def measured(self, name):
        return self.data[name].reshape(self.shape)


def batch_of(truths):
    """Truths of the reference -> boxes, labels, has_boxes and label as the loss takes them."""
    most = max(len(rows) for rows in truths)
    boxes, labels = torch.zeros(len(truths), most, 4), torch.full((len(truths), most), -1)
    has_boxes, label = torch.ones(len(truths), dtype=torch.bool), torch.full((len(truths),), -1)
    for n, rows in enumerate(truths):
        if rows and len(rows[0]) == 1:
            has_boxes[n], label[n] = False, rows[0][0]
            continue
        for b, row in enumerate(rows):
            boxes[n, b], labels[n, b] = cxcywh_to_xyxy(torch.tensor(row[:4])) * 32, row[4]
    return boxes, labels, has_boxes, label


def largest_error(found, expected):
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    return ((found - expected).abs().max() / expected.abs().max()).item()


def delta_of(criterion, parts, batch, seen=LATE):
    """Gradient of the loss by what the head's output becomes, negated, as (N, A, 5+C, H, W)."""
    parts = Predictions(*[part.detach().clone().requires_grad_() for part in parts])
    criterion.terms(parts, *batch, seen).total.backward()
    gradients = (parts.xy.grad, parts.wh.grad, parts.objectness.grad[..., None], parts.scores.grad)
    return -torch.cat(gradients, dim=-1).permute(0, 1, 4, 2, 3)


@pytest.fixture(params=CASES)
def golden(request):
    return Golden(request.param)


# --- Darknet's numbers ---------------------------------------------------------------------------------------------


def test_reference_with_the_misplaced_softmax_is_darknet(golden):
    """Every channel: so the reference does what Darknet does, and the mistake is what it says above."""
    output, delta, _ = reference(golden.x, golden.truths, golden.anchors, golden.tree, golden.settings, misplaced=True)
    np.testing.assert_allclose(output, golden.measured("output"), atol=1e-6)
    assert largest_error(delta, golden.measured("delta").astype(np.float64)) < 1e-5
    assert (delta**2).sum() == pytest.approx(float(golden.data["cost"]), rel=1e-4)


def test_measured_class_scores_are_raw(golden):
    """Where a class is taught, Darknet's output has no softmax: its numbers cannot be those of a tree."""
    taught = golden.measured("delta")[:, :, 5:] != 0
    assert taught.any()
    assert np.array_equal(golden.measured("output")[:, :, 5:][taught], golden.x[:, :, 5:][taught])


def test_golden_apart_from_the_classes(golden):
    """Positions, sizes, objectness and which boxes are taught: the loss, given the measured activations."""
    output = torch.from_numpy(golden.measured("output")).permute(0, 1, 3, 4, 2)
    parts = Predictions(output[..., :2], output[..., 2:4], output[..., 4], output[..., 5:])
    criterion = golden.criterion()
    criterion.best_boxes = darknets_choice(golden)
    delta = delta_of(criterion, parts, golden.batch)
    expected = torch.from_numpy(golden.measured("delta"))
    assert largest_error(delta[:, :, :5], expected[:, :, :5]) < 1e-5
    # Node 0 has no siblings, so with a softmax there is nothing to teach.
    assert torch.equal(delta[:, :, 6:] != 0, expected[:, :, 6:] != 0), "the same nodes of the same boxes"


class RawTree(WordTree):
    """A tree without any softmax, as in Darknet's numbers: 1/2 (score - target)^2 over all groups of the path."""

    def loss(self, scores, labels):
        rows = []
        for row, label in zip(scores, labels.tolist(), strict=True):
            pairs = [(row[o], float(o == node)) for node in path_of(self, label) for o in siblings(self, node)]
            rows.append(sum((score - target) ** 2 for score, target in pairs) / 2)
        return torch.stack(rows) if rows else scores.sum(-1)


def darknets_choice(golden):
    """The box that Darknet takes for a class: the highest objectness * product of raw scores, if over 0, else 0."""

    def choose(predictions, label, pictures):
        chosen = reference(golden.x, golden.truths, golden.anchors, golden.tree, golden.settings, misplaced=True)[2]
        return torch.tensor([chosen[n] for n in pictures.tolist()], dtype=torch.long)

    return choose


def test_golden_delta_and_cost_without_a_softmax(golden):
    """The joint loss as it is, only with Darknet's activations: gradient and cost of every channel."""
    output = torch.from_numpy(golden.measured("output")).permute(0, 1, 3, 4, 2)
    parts = Predictions(output[..., :2], output[..., 2:4], output[..., 4], output[..., 5:])
    criterion = golden.criterion(RawTree(golden.tree.names, golden.tree.parents, golden.tree.ids))
    criterion.best_boxes = darknets_choice(golden)
    delta = delta_of(criterion, parts, golden.batch)
    assert largest_error(delta, torch.from_numpy(golden.measured("delta"))) < 1e-5
    assert delta.square().sum().item() == pytest.approx(float(golden.data["cost"]), rel=1e-4)


def test_delta_cost_and_gradient_with_the_softmax_in_its_place(golden):
    """The same inputs, the loss untouched, against the reference without Darknet's mistake."""
    output, expected, chosen = reference(golden.x, golden.truths, golden.anchors, golden.tree, golden.settings)
    raw, parts = torch.from_numpy(golden.data["x"]), split(torch.from_numpy(golden.data["x"]), len(golden.anchors))
    criterion = golden.criterion()
    delta = delta_of(criterion, parts, golden.batch)
    assert largest_error(delta.double(), expected) < 1e-5
    assert delta.double().square().sum().item() == pytest.approx((expected**2).sum(), rel=1e-4)
    pictures = [n for n, place in enumerate(chosen) if place is not None]
    found = criterion.best_boxes(parts, golden.batch[3], torch.tensor(pictures, dtype=torch.long))
    assert found.tolist() == [chosen[n] for n in pictures]

    raw.requires_grad_()
    criterion(raw, *golden.batch, LATE).total.backward()
    slope = np.ones_like(output)
    slope[:, :, [0, 1, 4]] = output[:, :, [0, 1, 4]] * (1 - output[:, :, [0, 1, 4]])
    assert largest_error(raw.grad.double().view(golden.shape), -expected * slope) < 1e-5


# --- the loss against the reference --------------------------------------------------------------------------------

# thing: animal (dog: terrier, hound; cat), vehicle; and a second root.
TREE = WordTree(["thing", "idea", "animal", "vehicle", "dog", "cat", "terrier", "hound"], [-1, -1, 0, 0, 2, 2, 4, 4])
ANCHORS = np.array([[1.0, 2.0], [3.0, 1.5], [0.6, 0.5]])
TRUTHS = [  # in cells of a 3 x 5 grid; a label alone: nobody drew a box
    [(1.3, 0.8, 1.1, 1.9, 4), (3.6, 2.2, 2.5, 1.2, 7)],
    [(6,)],
    [],  # nothing in the picture, and that is known
    [(1,)],
    [(2.5, 1.5, 0.5, 0.5, 2)],
    [(2,)],
]


def random_x(seed, n=6, h=3, w=5, c=8):
    return torch.randn(n, 3 * (5 + c), h, w, generator=torch.Generator().manual_seed(seed))


def against_reference(settings, tree=TREE, seed=0):
    raw, batch = random_x(seed), batch_of(TRUTHS)
    x = raw.view(6, 3, 13, 3, 5).numpy()
    _, expected, chosen = reference(x, TRUTHS, ANCHORS, tree, settings)
    criterion = JointLoss(torch.from_numpy(ANCHORS), tree, settings)
    delta = delta_of(criterion, split(raw, 3), batch)
    assert largest_error(delta.double(), expected) < 1e-5
    return delta, chosen


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"assumed_iou": None},
        {"assumed_iou": 0.9},
        {"push_down": False},
        {"push_down": False, "assumed_iou": None},
        {"object_scale": 2.0, "no_object_scale": 0.5, "coord_scale": 3.0, "class_scale": 0.7},
    ],
    ids=str,
)
def test_equals_plain_loops(changed):
    for seed in range(3):
        against_reference(JointLossSettings(**changed), seed=seed)


def test_flat_classes_are_a_tree_of_one_level():
    """No word tree is asked for: the same loss with eight classes of one group."""
    flat, tree = FlatLabels([f"class {i}" for i in range(8)]), WordTree([f"class {i}" for i in range(8)], [-1] * 8)
    raw, batch = random_x(4), batch_of(TRUTHS)
    torch.testing.assert_close(*[
        torch.stack(JointLoss(torch.from_numpy(ANCHORS), labels)(raw, *batch, LATE)) for labels in (flat, tree)
    ])  # fmt: skip
    against_reference(JointLossSettings(), tree, seed=4)


def test_one_picture_by_hand():
    """Two cells, one anchor, two classes; scores 0: every class has 1/2, so the box of the higher objectness counts.

    Objectness 1/2 and 1/5 (logit -log 4). The first one: log 2 for the class; 1/2 is over 0.3, so nothing more. The
    second: 1/2 * (1/5)^2.
    """
    raw = torch.zeros(1, 7, 1, 2)
    raw[0, 4] = torch.tensor([[0.0, -math.log(4)]])
    empty = torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.long), torch.tensor([False]), torch.tensor([1])
    criterion = JointLoss(torch.ones(1, 2), FlatLabels(["dog", "bus"]))
    terms = criterion(raw, *empty)
    assert terms.picture_class.item() == pytest.approx(math.log(2))
    assert terms.picture_object.item() == pytest.approx(0.02)
    assert terms.total.item() == pytest.approx(math.log(2) + 0.02)
    assert [terms.xy, terms.wh, terms.object, terms.no_object, terms.classes, terms.warmup, terms.truths] == [0.0] * 7
    # Objectness 1/10 and 1/5: now the second counts, and is pulled up to 0.3: 5 * 1/2 * 0.1^2, and 1/2 * 0.1^2.
    raw[0, 4, 0, 0] = -math.log(9)
    assert criterion(raw, *empty).picture_object.item() == pytest.approx(0.025 + 0.005)
    # Unless the first one is four times as sure of the class.
    raw[0, 6, 0, 0], raw[0, 6, 0, 1] = 3.0, -3.0
    assert criterion.best_boxes(split(raw, 1), torch.tensor([1]), torch.tensor([0])).tolist() == [0]


def test_what_is_below_the_label_stays_untouched():
    delta, chosen = against_reference(JointLossSettings())
    assert delta[5, :, 5 + 4 :].abs().max() == 0, "a picture of an animal says nothing about dogs and cats"
    anchor, place = divmod(chosen[5], 15)
    taught = delta[5, :, 5:].abs().amax(1) > 0
    assert taught.nonzero().tolist() == [[anchor, *divmod(place, 5)]], "one box"


# --- invariants and bad input --------------------------------------------------------------------------------------


def random_loss(raw, batch, settings=None, seen=LATE):
    return JointLoss(torch.from_numpy(ANCHORS), TREE, settings)(raw, *batch, seen)


def test_pictures_with_boxes_alone_are_the_detection_loss():
    truths = [rows for rows in TRUTHS if not rows or len(rows[0]) > 1]
    raw, batch = random_x(5, n=3), batch_of(truths)
    for seen in (0, LATE):
        joint = random_loss(raw, batch, seen=seen)
        alone = DetectionLoss(torch.from_numpy(ANCHORS), TREE, DetectionLossSettings())(raw, *batch[:2], seen)
        assert {name: getattr(joint, name) for name in alone._fields} == alone._asdict()
        assert joint.picture_class == joint.picture_object == 0


def test_no_boxes_and_unknown_boxes_are_not_the_same():
    raw, (boxes, labels, has_boxes, label) = random_x(6, n=1), batch_of([[(6,)]])
    unknown = random_loss(raw, (boxes, labels, has_boxes, label), seen=0)
    empty = random_loss(raw, (boxes, labels, ~has_boxes, label), seen=0)
    assert unknown.no_object == unknown.warmup == empty.picture_class == empty.picture_object == 0
    assert min(unknown.picture_class, empty.no_object, empty.warmup) > 0


def test_a_batch_is_the_sum_of_its_pictures_in_any_order():
    raw, batch = random_x(7), batch_of(TRUTHS)
    at, whole = JointLossTerms._fields.index("total"), random_loss(raw, batch, seen=0)
    singles = [random_loss(raw[n : n + 1], [part[n : n + 1] for part in batch], seen=0)[: at + 1] for n in range(6)]
    torch.testing.assert_close(torch.stack(whole[: at + 1]), torch.tensor(singles).sum(0))
    order = [3, 0, 5, 4, 1, 2]
    torch.testing.assert_close(torch.stack(random_loss(raw[order], [part[order] for part in batch], seen=0)),
                               torch.stack(whole))  # fmt: skip


def test_boxes_of_a_picture_whose_boxes_are_unknown_are_padding():
    raw, (boxes, labels, has_boxes, label) = random_x(8), batch_of(TRUTHS)
    more = boxes.clone(), labels.clone()
    more[0][1], more[1][1] = torch.tensor([10.0, 10, 60, 60]), 3
    assert random_loss(raw, (*more, has_boxes, label)) == random_loss(raw, (boxes, labels, has_boxes, label))


@pytest.mark.parametrize("value", [-1e4, 0.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_finite_for_any_output(value, dtype):
    raw = torch.full((6, 39, 3, 5), value, dtype=dtype, requires_grad=True)
    terms = random_loss(raw, batch_of(TRUTHS), seen=0)
    terms.total.backward()
    assert all(torch.isfinite(term) for term in terms) and torch.isfinite(raw.grad).all()
    assert terms.total.dtype == torch.float32


def test_bad_input_is_refused():
    raw, (boxes, labels, has_boxes, label) = random_x(9), batch_of(TRUTHS)
    with pytest.raises(ValueError, match=r"has_boxes \(5,\) and label \(6,\): expected one each for the 6 pictures"):
        random_loss(raw, (boxes, labels, has_boxes[:5], label))
    with pytest.raises(ValueError, match="39 channels; 3 anchors and 2 class scores need 21"):
        JointLoss(torch.from_numpy(ANCHORS), FlatLabels(["a", "b"]))(raw, boxes, labels, has_boxes, label)
    with pytest.raises(ValueError, match="assumed_iou must be between 0 and 1, or None, not 3"):
        JointLossSettings(assumed_iou=3)
    with pytest.raises(ValueError, match="ignore_iou must be between"):
        JointLossSettings(ignore_iou=-1)


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_costs_little_beside_yolo9000_itself():
    """17 x 17 cells, 3 anchors, 9,418 nodes, one picture of each kind. Measured on one core: 4 % of the network."""
    group, parents = 7, [-1]
    while len(parents) < 9418:  # a tree of the size and about the depth of Darknet's
        parents += [(len(parents) - 1) // group] * min(group, 9418 - len(parents))
    tree = WordTree([str(node) for node in range(9418)], parents)
    anchors = torch.tensor(PRESETS["yolo9000"])
    model = yolo9000(9418, anchors.tolist()).to(memory_format=torch.channels_last)
    images = torch.rand(2, 3, 544, 544).contiguous(memory_format=torch.channels_last)
    network = seconds(lambda: model(images).mean().backward(), 1)
    raw, criterion = model(images).detach().requires_grad_(), JointLoss(anchors, tree)
    boxes, labels = torch.tensor([[[50.0, 60, 200, 300], [300, 200, 500, 420]]] * 2), torch.tensor([[5177, 3768]] * 2)
    batch = boxes, labels, torch.tensor([True, False]), torch.tensor([-1, 9000])
    loss = seconds(lambda: torch.autograd.grad(criterion(raw, *batch, LATE).total, raw), 3)
    assert loss < 0.1 * network


def seconds(call, repeats):
    call()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)
