"""The detector: decoding and suppression by hand, every kind of input, and boxes in the original picture's pixels."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from yolocourse import grid
from yolocourse.boxes import iou
from yolocourse.detect import Detections, Detector, postprocess, read_picture, select
from yolocourse.grid import Decoded
from yolocourse.labels import FlatLabels
from yolocourse.models import build, yolov2
from yolocourse.preprocess import Preprocess
from yolocourse.weights.cfg import write_cfg
from yolocourse.weights.checkpoint import save_checkpoint
from yolocourse.weights.darknet import save_weights

LABELS = FlatLabels(["dog", "bus", "tree"])


def logit(p):
    return math.log(p / (1 - p))


def raw_with(*things, anchors=1, h=2, w=2, classes=3):
    """A raw output that sees nothing but `things`: (anchor, row, column, tx, ty, tw, th, objectness, class scores)."""
    raw = torch.zeros(1, anchors * (5 + classes), h, w)
    raw.view(1, anchors, 5 + classes, h, w)[:, :, 4] = -20
    for anchor, row, column, *box, objectness, scores in things:
        values = torch.tensor([*box, logit(objectness), *scores])
        raw.view(1, anchors, 5 + classes, h, w)[0, anchor, :, row, column] = values
    return raw


def test_one_box_by_hand():
    # Cell (row 1, column 0), centre in its middle: (0.5, 1.5) cells = (16, 48) px; anchor 1 x 2 cells = 32 x 64 px.
    raw = raw_with((0, 1, 0, 0, 0, 0, 0, 0.8, [math.log(8), math.log(1), math.log(1)]))  # dog 0.8, the others 0.1
    (found,) = postprocess(raw, torch.tensor([[1.0, 2.0]]), LABELS)
    torch.testing.assert_close(found["boxes"], torch.tensor([[0.0, 16.0, 32.0, 80.0]]))
    torch.testing.assert_close(found["scores"], torch.tensor([0.64]))
    assert found["labels"].tolist() == [0]


def test_a_box_may_carry_two_names_or_only_the_best():
    raw = raw_with((0, 0, 0, 0, 0, 0, 0, 0.9, [math.log(5), math.log(4), 0]))  # 0.5, 0.4, 0.1 -> 0.45, 0.36, 0.09
    anchors = torch.tensor([[1.0, 1.0]])
    (both,) = postprocess(raw, anchors, LABELS)
    assert both["labels"].tolist() == [0, 1]
    torch.testing.assert_close(both["scores"], torch.tensor([0.45, 0.36]))
    (best,) = postprocess(raw, anchors, LABELS, best_class_only=True)
    assert best["labels"].tolist() == [0]
    (none,) = postprocess(raw, anchors, LABELS, threshold=0.46)
    assert none["boxes"].shape == (0, 4) and none["scores"].shape == none["labels"].shape == (0,)


def test_suppression_is_per_class():
    same = [0, 0, 0, 0, 0, 0, 0]
    dog, bus = [30, 0, 0], [0, 30, 0]
    anchors = torch.tensor([[1.0, 1.0], [1.0, 1.25]])  # IoU 0.8 around one centre
    both_dogs = raw_with((*same, 0.9, dog), (1, *same[1:], 0.6, dog), anchors=2)
    (found,) = postprocess(both_dogs, anchors, LABELS)
    torch.testing.assert_close(found["scores"], torch.tensor([0.9]))
    (found,) = postprocess(both_dogs, anchors, LABELS, nms_threshold=0.81)
    torch.testing.assert_close(found["scores"], torch.tensor([0.9, 0.6]))
    dog_and_bus = raw_with((*same, 0.6, dog), (1, *same[1:], 0.9, bus), anchors=2)
    (found,) = postprocess(dog_and_bus, anchors, LABELS)
    assert found["labels"].tolist() == [1, 0]


def plain_suppression(boxes, scores, labels, threshold):
    """The rule in loops: take the best left, drop what overlaps it and has its class."""
    order, kept = sorted(range(len(scores)), key=lambda i: -scores[i]), []
    while order:
        best = order.pop(0)
        kept.append(best)
        order = [i for i in order if labels[i] != labels[best] or iou(boxes[i, None], boxes[best, None]) <= threshold]
    return kept


@pytest.mark.parametrize("seed", range(3))
def test_against_loops(seed):
    torch.manual_seed(seed)
    anchors = torch.tensor([[1.0, 1.5], [2.0, 1.0], [3.0, 3.0]])
    raw = torch.randn(2, 3 * 8, 5, 4) * 1.5
    found = postprocess(raw, anchors, LABELS, threshold=0.2, nms_threshold=0.4)
    everything = postprocess(raw, anchors, LABELS, threshold=0.2, nms_threshold=1.0)
    for mine, boxes in zip(found, everything, strict=True):
        assert len(boxes["scores"]) > 20
        kept = plain_suppression(boxes["boxes"], boxes["scores"].tolist(), boxes["labels"].tolist(), 0.4)
        assert torch.equal(mine["boxes"], boxes["boxes"][kept])
        assert mine["scores"].tolist() == boxes["scores"][kept].tolist() == sorted(mine["scores"].tolist())[::-1]


def test_most_detections():
    raw = torch.full((1, 8, 6, 6), 3.0)
    assert len(postprocess(raw, torch.tensor([[0.1, 0.1]]), LABELS, max_detections=7)[0]["scores"]) == 7


def test_suppression_far_out_is_per_class_and_best_first():
    """Class by class, without moving boxes: two that overlap far out, one of another class, and a near one."""
    far = torch.tensor([[2e4, 0, 2e4 + 50, 50], [2e4, 0, 2e4 + 48, 50], [2e4, 0, 2e4 + 50, 50], [0, 0, 9, 9.0]])
    scores = torch.tensor([0.5, 0.9, 0.6, 0.7])
    decoded = Decoded(far[None], scores[None], torch.tensor([[9.0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 9, 0]])[None] * 9)
    (found,) = select(decoded, LABELS)
    assert found["labels"].tolist() == [0, 1, 1]
    torch.testing.assert_close(found["scores"], torch.tensor([0.9, 0.7, 0.6]))


def test_runaway_boxes_do_not_disturb_the_others():
    normal = (0, 0, 0, 0, 0, 0, 0, 0.9, [30.0, 0, 0])
    neighbour = (0, 0, 1, 0, 0, 0, 0, 0.8, [0, 30.0, 0])
    runaway = (0, 1, 1, 0, 0, 90.0, 90.0, 0.7, [0, 0, 30.0])
    (found,) = postprocess(raw_with(normal, neighbour, runaway), torch.tensor([[1.0, 1.0]]), LABELS)
    assert found["labels"].tolist() == [0, 1, 2]
    assert torch.isfinite(found["boxes"]).all()


def test_half_precision():
    raw = raw_with((0, 1, 0, 0, 0, 0, 0, 0.8, [30.0, 0, 0])).bfloat16()
    (found,) = postprocess(raw, torch.tensor([[1.0, 2.0]]), LABELS)
    assert found["boxes"].dtype == found["scores"].dtype == torch.float32
    assert found["scores"].item() == pytest.approx(0.8, abs=0.01)


def test_labels_must_fit_the_raw_output():
    with pytest.raises(ValueError, match="3 class scores, the labels need 2"):
        postprocess(raw_with(), torch.tensor([[1.0, 1.0]]), FlatLabels(["a", "b"]))


# The detector -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    model = build("tiny", num_outputs=3, anchors=[[0.5, 0.8], [1.5, 1.0]], width=0.0625)
    nn.init.normal_(model.head.weight, std=0.3)  # a network that believes to see things everywhere
    nn.init.zeros_(model.head.bias)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics of the one batch below, as if trained on it
    with torch.no_grad():
        model.train()(torch.rand(8, 3, 128, 128))
    return Detector(model.eval(), LABELS, Preprocess((64, 96), "letterbox"), threshold=0.3)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    shapes = [(64, 96), (48, 200), (150, 40), (64, 96), (33, 31)]
    return [Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


def assert_same(a: Detections, b: Detections):
    assert a.names == b.names and a.image_size == b.image_size and a.labels.tolist() == b.labels.tolist()
    torch.testing.assert_close(a.scores, b.scores, atol=1e-5, rtol=0)
    side = max(a.image_size)  # float32 has 7 digits: boxes of 1000 pixels cannot agree to 1e-5 of one pixel
    torch.testing.assert_close(a.boxes / side, b.boxes / side, atol=1e-5, rtol=0)


def test_batched_equals_single(detector, pictures):
    batched = detector(pictures)
    assert sum(len(found) for found in batched) > 20
    for picture, found in zip(pictures, batched, strict=True):
        assert_same(found, detector(picture))
    assert_same(detector(pictures[::-1])[0], batched[-1])


def test_lists_longer_than_a_batch(detector, pictures):
    small = Detector(detector.model, LABELS, detector.preprocess, threshold=0.3, batch_size=2)
    for a, b in zip(small(pictures), detector(pictures), strict=True):
        assert_same(a, b)


def test_every_kind_of_input_gives_the_same(detector, pictures, tmp_path):
    image = pictures[1]
    image.save(tmp_path / "picture.png")
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    expected = detector(image)
    assert len(expected) > 3
    kinds = [tmp_path / "picture.png", str(tmp_path / "picture.png"), array, tensor, tensor.float() / 255]
    for kind, found in zip(kinds, detector(kinds), strict=True):
        assert_same(found, expected)
        assert_same(detector(kind), expected)
        assert found.path == (str(kind) if isinstance(kind, str | type(tmp_path)) else None)


def test_boxes_lie_in_the_picture_and_are_sorted(detector, pictures):
    for found in detector(pictures):
        width, height = found.image_size
        assert (found.boxes >= 0).all()
        assert (found.boxes[:, 0::2] <= width).all() and (found.boxes[:, 1::2] <= height).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
        assert (found.scores > 0.3).all()
        assert found.names == [LABELS.names[label] for label in found.labels]


class Fixed(nn.Module):
    """A network that always says the same."""

    num_outputs = 3

    def __init__(self, raw, anchors):
        super().__init__()
        self.raw = nn.Parameter(raw)
        self.register_buffer("anchors", torch.tensor(anchors))

    def forward(self, images):
        return self.raw.expand(len(images), -1, -1, -1)


def test_boxes_come_back_to_the_original_picture():
    # Input 64 x 64; cell (0, 1): centre (48, 16), a cell wide and high: (32, 0, 64, 32).
    model = Fixed(raw_with((0, 0, 1, 0, 0, 0, 0, 0.9, [30.0, 0, 0])), [[1.0, 1.0]])
    stretched = Detector(model, LABELS, Preprocess(64))(Image.new("RGB", (640, 320)))
    torch.testing.assert_close(stretched.boxes, torch.tensor([[320.0, 0.0, 640.0, 160.0]]))
    # Letterbox: 640 x 320 becomes 64 x 32 at (0, 16): y from -16 to 16 of 32, times 10, clipped.
    boxed = Detector(model, LABELS, Preprocess(64, "letterbox"))(Image.new("RGB", (640, 320)))
    torch.testing.assert_close(boxed.boxes, torch.tensor([[320.0, 0.0, 640.0, 160.0]]))
    # 640 x 160 becomes 64 x 16 at (0, 24): y from -24 to 8 of 16, times 10, clipped.
    flat = Detector(model, LABELS, Preprocess(64, "letterbox"))(Image.new("RGB", (640, 160)))
    torch.testing.assert_close(flat.boxes, torch.tensor([[320.0, 0.0, 640.0, 80.0]]))


def test_a_box_in_the_bars_is_dropped():
    small = math.log(0.25)  # 8 px high around y = 16: 12 to 20, above the picture, which begins at 24
    model = Fixed(raw_with((0, 0, 1, 0, 0, 0, small, 0.9, [30.0, 0, 0])), [[1.0, 1.0]])
    assert len(Detector(model, LABELS, Preprocess(64, "letterbox"))(Image.new("RGB", (640, 160)))) == 0


def test_empty_list(detector):
    assert detector([]) == []


def test_threshold_for_one_call_and_filter(detector, pictures):
    low = detector(pictures[0], threshold=0.05)
    assert len(low) > len(detector(pictures[0]))
    high = low.filter(0.3)
    assert len(high) == len(high.names) == int((low.scores > 0.3).sum()) > 0
    assert torch.equal(high.boxes, low.boxes[: len(high)])
    assert len(low.filter(1.0)) == 0


def test_to_dict():
    found = Detections(
        torch.tensor([[1, 2, 3.125, 4.0]]), torch.tensor([0.5]), torch.tensor([1]), ["bus"], (9, 8), "a.png"
    )
    assert found.to_dict() == {
        "path": "a.png",
        "width": 9,
        "height": 8,
        "detections": [{"name": "bus", "label": 1, "score": 0.5, "box": [1.0, 2.0, 3.12, 4.0]}],
    }


def test_the_model_keeps_its_mode(detector, pictures):
    model = detector.model
    frozen = model.trunk.to_fine[0][0][1]
    before = frozen.running_mean.clone()
    model.train()
    frozen.eval()
    try:
        in_training = detector(pictures[0])
        assert model.training and model.head.training and not frozen.training
        assert torch.equal(frozen.running_mean, before)
    finally:
        model.eval()
    assert_same(in_training, detector(pictures[0]))


def test_from_a_checkpoint(detector, pictures, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", detector.model, labels=LABELS, preprocess=detector.preprocess)
    loaded = Detector.load(tmp_path / "m.safetensors", device="cpu", threshold=0.3)
    assert_same(loaded(pictures[0]), detector(pictures[0]))


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu(detector, pictures, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", detector.model, labels=LABELS, preprocess=detector.preprocess)
    loaded = Detector.load(tmp_path / "m.safetensors", threshold=0.3)
    assert loaded.model.head.weight.is_cuda
    found, expected = loaded(pictures[0]), detector(pictures[0])
    assert found.boxes.device.type == "cpu" and len(found) > 0
    torch.testing.assert_close(found.scores[0], expected.scores[0], atol=1e-2, rtol=1e-2)  # convolutions in TF32


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, message",
    [
        (np.zeros((8, 8), np.uint8), r"array must be uint8 of shape \(h, w, 3\), got uint8 of shape \(8, 8\)"),
        (np.zeros((8, 8, 3), np.float32), "got float32 of shape"),
        (np.zeros((3, 8, 8), np.uint8), r"got uint8 of shape \(3, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8), r"batch of shape \(2, 3, 8, 8\); pass a list"),
        (torch.zeros(8, 8, 3), r"expected a uint8 tensor of shape \(3, height, width\)"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "got int64 of shape"),
        (torch.full((3, 8, 8), 200.0), "between 0 and 1, got 200 to 200; pass uint8"),
        (torch.full((3, 8, 8), float("nan")), "between 0 and 1, got nan"),
        (torch.zeros(3, 0, 8), "8 x 0 pixels"),
        (Image.new("F", (8, 8)), "floating-point picture"),
        (None, "got NoneType"),
        (7, "got int"),
    ],
)
def test_what_is_no_picture(detector, bad, message):
    with pytest.raises(ValueError, match=message):
        detector(bad)
    with pytest.raises(ValueError, match=f"^picture 1 of the list: .*{message}"):
        detector([Image.new("RGB", (8, 8)), bad])


def test_files_are_named(detector, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing more")
    with pytest.raises(ValueError, match=r"^[^:]*broken\.jpg: "):
        detector([Image.new("RGB", (8, 8)), tmp_path / "broken.jpg"])
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg: no such picture"):
        detector(str(tmp_path / "gone.jpg"))


def test_settings_are_checked(detector):
    with pytest.raises(ValueError, match="threshold must lie between 0 and 1, got 25"):
        Detector(detector.model, LABELS, detector.preprocess, threshold=25)
    with pytest.raises(ValueError, match="nms_threshold"):
        Detector(detector.model, LABELS, detector.preprocess, nms_threshold=-0.1)
    with pytest.raises(ValueError, match="threshold"):
        detector([], threshold=float("nan"))
    with pytest.raises(ValueError, match="3 class scores, the labels need 1"):
        Detector(detector.model, FlatLabels(["dog"]), detector.preprocess)


def test_reading_does_not_change_the_picture():
    tensor = torch.rand(3, 4, 4)
    before = tensor.clone()
    assert torch.equal(read_picture(tensor), (before * 255).round().byte()) and torch.equal(tensor, before)


def test_another_head_brings_its_own_decoding():
    """Nothing else of the detector knows what the raw output means: here it is the picture's mean brightness."""

    class Brightness(nn.Module):
        num_outputs = 3

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, images):
            return images.mean(dim=(1, 2, 3)) * self.scale  # (N,)

    def decode(raw):
        boxes = torch.tensor([8.0, 8.0, 24.0, 16.0]).expand(len(raw), 1, 4)
        return Decoded(boxes, raw[:, None], torch.tensor([0.0, 40.0, 0.0]).expand(len(raw), 1, 3))

    detector = Detector(Brightness(), LABELS, Preprocess(32, "stretch"), decode=decode)
    bright, dark = detector([Image.new("RGB", (64, 64), (204, 204, 204)), Image.new("RGB", (64, 64), (26, 26, 26))])
    assert bright.names == ["bus"] and len(dark) == 0
    torch.testing.assert_close(bright.scores, torch.tensor([0.8]))
    torch.testing.assert_close(bright.boxes, torch.tensor([[16.0, 16.0, 48.0, 32.0]]))


def test_frozen_finds_the_same_and_keeps_its_weights(detector, pictures):
    frozen = Detector(detector.model, LABELS, detector.preprocess, threshold=0.3, frozen=True)
    assert frozen.model is detector.model and frozen.network is not detector.model
    for a, b in zip(frozen(pictures), detector(pictures), strict=True):
        assert_same(a, b)
    bias = detector.model.head.bias
    with torch.no_grad():
        bias[4::8] -= 50  # nothing is there any more
    try:
        assert len(detector(pictures[0])) == 0 < len(frozen(pictures[0]))
    finally:
        with torch.no_grad():
            bias[4::8] += 50


def test_bfloat16_finds_nearly_the_same(detector, pictures):
    rough = Detector(detector.model, LABELS, detector.preprocess, threshold=0.3, frozen=True, precision="bfloat16")
    exact, found = (sum(len(each) for each in d(pictures)) for d in (detector, rough))
    assert abs(exact - found) < 0.15 * exact


def test_from_darknets_files(tmp_path):
    torch.manual_seed(0)
    model = build("tiny", num_outputs=3, anchors=[[0.5, 0.8], [1.5, 1.0]], width=0.0625)
    nn.init.normal_(model.head.weight, std=0.3)
    nn.init.zeros_(model.head.bias)
    (tmp_path / "a.cfg").write_text(write_cfg(model, (64, 96)))
    save_weights(tmp_path / "a.weights", model)
    (tmp_path / "a.names").write_text("dog\nbus\ntree\n")
    files = [tmp_path / f"a.{ending}" for ending in ("cfg", "weights", "names")]
    found = Detector.from_darknet(*files, device="cpu", threshold=0.05)
    assert found.preprocess == Preprocess((64, 96), "darknet") and found.labels == LABELS
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 120, 3), dtype=np.uint8))
    assert_same(found(picture), Detector(model, LABELS, found.preprocess, threshold=0.05)(picture))
    assert len(found(picture)) > 3
    assert Detector.from_darknet(*files[:2], device="cpu").labels.names[0] == "class 0"


def test_a_classifiers_files_are_no_detector(tmp_path):
    model = build("darknet19", num_outputs=3, width=0.05)
    (tmp_path / "a.cfg").write_text(write_cfg(model, (64, 64)))
    save_weights(tmp_path / "a.weights", model)
    with pytest.raises(ValueError, match="a.cfg: a classifier, which finds no boxes"):
        Detector.from_darknet(tmp_path / "a.cfg", tmp_path / "a.weights")


def test_detector_decodes_by_the_location_of_its_network():
    torch.manual_seed(0)
    model = yolov2(2, [[2.0, 1.0]], width=0.05, location="offset").eval()
    with torch.no_grad():
        model.head.bias[0], model.head.bias[4] = 0.5, 9.0  # half an anchor to the right, and surely a thing
    labels = FlatLabels(["a", "b"])
    found = Detector(model, labels, Preprocess(64), threshold=0.0, nms_threshold=1.0)(torch.zeros(3, 64, 64).byte())
    usual = Detector(model, labels, Preprocess(64), threshold=0.0, nms_threshold=1.0)
    with torch.no_grad():
        raw = model(torch.zeros(1, 3, 64, 64))
    expected = grid.decode(raw, model.anchors, 32, "offset").boxes
    torch.testing.assert_close(usual.decode(raw).boxes, expected)
    assert (expected - grid.decode(raw, model.anchors).boxes).abs().max() > 10 and len(found)
