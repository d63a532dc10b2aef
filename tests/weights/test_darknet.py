"""Darknet's .weights files: golden networks, byte for byte round trips, and an error for each way to be wrong."""

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolocourse.detect import postprocess
from yolocourse.labels import FlatLabels
from yolocourse.models import tiny, yolov2
from yolocourse.preprocess import Preprocess
from yolocourse.weights.cfg import build_from_cfg, layers_of, read_cfg
from yolocourse.weights.darknet import Header, load_trunk_weights, load_weights, read_header, save_weights

TESTS = Path(__file__).resolve().parents[1]
SHARED = TESTS.parents[1] / "shared"
GOLDEN = Path(os.environ.get("YOLOCOURSE_GOLDEN") or TESTS / "golden") / "network"
ANCHORS = [[1.0, 2.0], [3.0, 1.5]]


def find_cfg(name):
    for folder in (GOLDEN, TESTS / "golden" / "network", SHARED / "darknet" / "cfg"):
        if (folder / f"{name}.cfg").is_file():
            return folder / f"{name}.cfg"
    pytest.skip(f"needs {name}.cfg in ../shared")


LARGE = ("darknet19", "yolov2-tiny-voc", "yolov2-voc")


def cases():
    """Every case in the golden folder; without a folder named by the user also the large ones of ../shared."""
    found = {path.stem: path for path in GOLDEN.glob("*.npz")}
    if "YOLOCOURSE_GOLDEN" not in os.environ:
        found = {name: SHARED / "golden" / "network" / f"{name}.npz" for name in LARGE} | found
    needs = pytest.mark.skip(reason="needs the large golden networks in ../shared")
    return [pytest.param(path, id=name, marks=[] if path.is_file() else needs) for name, path in sorted(found.items())]


@pytest.fixture(params=cases(), scope="module")
def golden(request, tmp_path_factory, seeded_weights):
    """One network of the reference: its numbers, and our network with the same weights."""
    numbers = np.load(request.param)
    cfg = find_cfg(request.param.stem)
    path = tmp_path_factory.mktemp("weights") / "seeded.weights"
    path.write_bytes(seeded_weights(cfg, int(numbers["seed"])))
    model = build_from_cfg(read_cfg(cfg)).eval()
    load_weights(path, model)
    return numbers, model


def run(model, numbers):
    with torch.no_grad():
        return model(torch.from_numpy(numbers["input"])[None])


def test_golden_output(golden):
    numbers, model = golden
    raw = run(model, numbers)
    if "output" in numbers:  # a classifier's, after softmax
        raw, expected = raw.softmax(1), torch.from_numpy(numbers["output"]).view(1, -1)
    else:
        expected = torch.from_numpy(numbers["head"])[None]
    assert raw.shape == expected.shape
    assert (raw - expected).abs().max() < 1e-3 * expected.abs().max()


def test_golden_layers(golden):
    numbers, model = golden
    names = sorted(name for name in numbers.files if name.startswith("layer_"))
    if not names:
        pytest.skip("this case holds the last layer only")
    seen = {}
    for number, (_, module) in enumerate(layers_of(model)):
        if module is not None:
            # A copy: the leaky ReLU of a block works in place.
            module.register_forward_hook(lambda module, i, output, n=number: seen.update({n: output[0].clone()}))
    run(model, numbers)
    compared = 0
    for name in names:
        number, expected = int(name.removeprefix("layer_")), torch.from_numpy(numbers[name])
        if number in seen:
            assert seen[number].shape == expected.shape
            assert (seen[number] - expected).abs().max() < 1e-4 * expected.abs().max(), name
            compared += 1
    assert compared >= sum(module is not None for _, module in layers_of(model))


def test_golden_boxes(golden):
    numbers, model = golden
    if "boxes_before_nms" not in numbers:
        pytest.skip("a classifier has no boxes")
    labels = FlatLabels([f"class {i}" for i in range(model.num_outputs)])
    raw = run(model, numbers)
    height, width = (int(side) for side in numbers["image_size"])
    placement = Preprocess(numbers["input"].shape[1:], "darknet").place(width, height)
    for key, nms in (("boxes_before_nms", 1.0), ("boxes_after_nms", float(numbers["nms_thresh"]))):
        (found,) = postprocess(
            raw, model.anchors, labels, float(numbers["thresh"]), nms, max_detections=10**6, stride=model.stride
        )
        boxes = placement.to_original(found["boxes"]) / torch.tensor([width, height] * 2)
        mine = sorted_rows(boxes, found["scores"], found["labels"])
        theirs = expected_rows(numbers[key])
        assert len(theirs) > 0
        match_one_to_one(mine, theirs, float(numbers["thresh"]))


def sorted_rows(boxes, scores, labels):
    return torch.cat([boxes, scores[:, None], labels[:, None].float()], dim=1)


def expected_rows(rows):
    """cx, cy, w, h, objectness, class scores -> x1, y1, x2, y2, score, label for each score above zero."""
    rows = torch.from_numpy(rows)
    which, label = torch.nonzero(rows[:, 5:], as_tuple=True)
    cx, cy, w, h = rows[which, :4].unbind(1)
    boxes = torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], dim=1)
    return sorted_rows(boxes, rows[which, 5 + label], label)


def match_one_to_one(mine, theirs, threshold):
    """Every row has a partner of its own within 1e-3, measured in shares of the picture where a box is larger.

    Only a score within 1e-4 of the threshold may be on one side and not on the other: the last bit decides there. In
    yolov2-voc one of 2,268 is, even with Darknet's own arithmetic for batch norm.
    """
    free = torch.ones(len(theirs), dtype=torch.bool)
    for row in mine:
        size = (theirs[:, 2:4] - theirs[:, :2]).repeat(1, 2).clamp(min=1)
        distance = torch.cat([(theirs[:, :4] - row[:4]).abs() / size, (theirs[:, 4:] - row[4:]).abs()], dim=1).amax(1)
        distance[~free] = torch.inf
        if distance.min() < 1e-3:
            free[distance.argmin()] = False
        else:
            assert row[4] < threshold + 1e-4
    assert (theirs[free, 4] < threshold + 1e-4).all()
    assert free.sum() <= 2


OFFICIAL = ("darknet19", "darknet19_448", "yolo9000", "yolov2", "yolov2-tiny", "yolov2-tiny-voc", "yolov2-voc")


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_networks_come_back_byte_for_byte(name, tmp_path, seeded_weights):
    cfg = find_cfg(name)
    content = seeded_weights(cfg, 7)
    (tmp_path / "a.weights").write_bytes(content)
    model = build_from_cfg(read_cfg(cfg))
    header = load_weights(tmp_path / "a.weights", model)
    save_weights(tmp_path / "b.weights", model, header)
    assert (tmp_path / "b.weights").read_bytes() == content


@pytest.fixture
def model():
    torch.manual_seed(0)
    return yolov2(3, ANCHORS, width=0.05)


@pytest.fixture
def file(model, tmp_path):
    path = tmp_path / "some.weights"
    save_weights(path, model, Header(seen=12_345))
    return path


def same(a, b):
    names = [name for name in a.state_dict() if not name.endswith("num_batches_tracked")]
    return all(torch.equal(a.state_dict()[name], b.state_dict()[name]) for name in names)


def test_round_trip(model, file):
    other = yolov2(3, ANCHORS, width=0.05)
    assert not same(model, other)
    assert load_weights(file, other) == Header(0, 2, 0, 12_345)
    assert same(model, other)


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (Header(0, 1, 0, 32_013_312), 16),
        (Header(0, 2, 0, 32_013_312), 20),
        (Header(0, 2, 5, 2**40), 20),
        (Header(1, 0, 0, 5), 20),
        (Header(0, 0, 0, 7), 16),
    ],
)
def test_both_headers_by_hand(header, length):
    content = header.to_bytes()
    assert len(content) == length
    assert content[:12] == b"".join(value.to_bytes(4, "little") for value in header[:3])
    assert int.from_bytes(content[12:], "little") == header.seen
    data = np.frombuffer(content + b"\0" * 8, np.uint8)
    assert read_header(data, "x") == (header, length)


def test_order_of_the_file_by_hand(tmp_path):
    """The first convolution with batch norm: beta, gamma, mean, variance, weight; the last one: bias, weight."""
    model = tiny(3, ANCHORS, width=0.0625)
    block = model.trunk.to_fine[0][0]
    with torch.no_grad():
        block[1].bias.fill_(1), block[1].weight.fill_(2), block[1].running_mean.fill_(3)
        block[1].running_var.fill_(4), block[0].weight.fill_(5), model.head.bias.fill_(6), model.head.weight.fill_(7)
    save_weights(tmp_path / "x", model)
    values = np.frombuffer((tmp_path / "x").read_bytes()[20:], "<f4")
    assert values[: 4 * 8].tolist() == [1] * 8 + [2] * 8 + [3] * 8 + [4] * 8
    assert set(values[32 : 32 + 8 * 27]) == {5} and values[32 + 8 * 27] != 5
    weights, biases = model.head.weight.numel(), model.head.bias.numel()
    assert set(values[-weights:]) == {7} and set(values[-weights - biases : -weights]) == {6}


def test_truncated(model, file):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    message = r"some.weights: ends in layer 30 \(convolutional, 16 filters of 1x1\): weight: expected \d+ values, found"
    with pytest.raises(ValueError, match=message):
        load_weights(file, model)
    file.write_bytes(content[: 20 + 4 * 10])
    with pytest.raises(ValueError, match=r"ends in layer 0 .*: gamma: expected 8 values, found 2; the network needs"):
        load_weights(file, model)
    file.write_bytes(content[:-3])
    with pytest.raises(ValueError, match="1 bytes after the last whole value"):
        load_weights(file, model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_trailing_bytes(model, file):
    file.write_bytes(file.read_bytes() + b"\0" * 8)
    with pytest.raises(ValueError, match=r"2 values too many after layer 30 .*: weight"):
        load_weights(file, model)


def test_the_older_header_in_front_of_a_newer_file(model, file):
    """4 bytes too many or too few are noticed: nothing is read shifted by one value."""
    content = file.read_bytes()
    file.write_bytes(struct.pack("<4i", 0, 1, 0, 0) + content[16:])
    with pytest.raises(ValueError, match="1 values too many"):
        load_weights(file, model)
    file.write_bytes(struct.pack("<3i", 0, 2, 0) + content[16:])
    with pytest.raises(ValueError, match="ends in layer 30"):
        load_weights(file, model)


@pytest.mark.parametrize("version", [(1001, 0), (0, 1000), (-1, 2), (0, -5), (0x46445067, 3)])
def test_wrong_version(version, model, file):
    file.write_bytes(struct.pack("<2i", *version) + file.read_bytes()[8:])
    with pytest.raises(ValueError, match=rf"version {version[0]}\.{version[1]} of the .weights format"):
        load_weights(file, model)


@pytest.mark.parametrize("content", [b"", b"\0" * 11, struct.pack("<3i", 0, 2, 0) + b"\0" * 4])
def test_too_short_for_a_header(content, model, tmp_path):
    (tmp_path / "x.weights").write_bytes(content)
    with pytest.raises(ValueError, match="too short for the header|an empty file"):
        load_weights(tmp_path / "x.weights", model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(value, model, file):
    values = np.frombuffer(file.read_bytes()[20:], "<f4").copy()
    values[35] = value
    file.write_bytes(file.read_bytes()[:20] + values.tobytes())
    with pytest.raises(ValueError, match=r"layer 0 .*: weight: 1 of 216 values are not finite; damaged"):
        load_weights(file, model)
    with torch.no_grad():
        model.head.bias[3] = value
    with pytest.raises(ValueError, match=r"layer 30 .*: bias: 1 of 16 values are not finite; nothing was saved"):
        save_weights(file, model)
    assert np.isfinite(np.frombuffer(file.read_bytes()[20:], "<f4")).sum() == len(values) - 1


def test_negative_variance(model, file):
    values = np.frombuffer(file.read_bytes()[20:], "<f4").copy()
    values[24:26] = -1
    file.write_bytes(file.read_bytes()[:20] + values.tobytes())
    with pytest.raises(ValueError, match=r"layer 0 .*: variance: 2 of 8 are negative"):
        load_weights(file, model)


def test_files_that_are_none(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such .weights file"):
        load_weights(tmp_path / "no.weights", model)
    with pytest.raises(ValueError, match="is a folder"):
        load_weights(tmp_path, model)


def test_first_layers_of_a_file(model, tmp_path):
    """As darknet19_448.conv.23: the layers before number 23, pooling included."""
    save_weights(tmp_path / "x.conv.23", model, layers=23)
    torch.manual_seed(1)
    other = yolov2(5, ANCHORS, width=0.05)
    head = other.head.weight.clone()
    report = load_trunk_weights(tmp_path / "x.conv.23", other)
    assert len(report.loaded) == 18 * 5 and all(name.startswith("trunk.") for name in report.loaded)
    assert same(model.trunk, other.trunk) and not same(model.neck, other.neck)
    assert torch.equal(other.head.weight, head)
    assert report.kept["neck.0.0.weight"] == "not in the file"
    with pytest.raises(ValueError, match="ends in layer 23"):
        load_weights(tmp_path / "x.conv.23", other)


def test_another_number_of_classes(model, file):
    other = yolov2(7, ANCHORS, width=0.05)
    report = load_trunk_weights(file, other)
    assert same(model.trunk, other.trunk) and same(model.merge, other.merge)
    assert report.kept == {name: "belongs to the classes of the file" for name in ("head.bias", "head.weight")}


def test_first_layers_that_do_not_end_with_a_layer(model, file):
    content = file.read_bytes()
    file.write_bytes(content[:-4000])
    with pytest.raises(ValueError, match="ends in the middle of layer|cannot be a last layer"):
        load_trunk_weights(file, model)
    file.write_bytes(content + b"\0" * 8)
    with pytest.raises(ValueError, match="cannot be a last layer with 48 inputs"):
        load_trunk_weights(file, model)
    file.write_bytes(content[:20])
    with pytest.raises(ValueError, match="holds no layer"):
        load_trunk_weights(file, model)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    torch.manual_seed(0)
    model = tiny(1, [[1.0, 1.0]], width=0.02)
    path = tmp_path_factory.mktemp("fuzz") / "fuzz.weights"
    save_weights(path, model)
    return model, path, path.read_bytes()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_mangled_files_raise_only_value_errors(small, data):
    """Nor do they take more memory than a few times the file."""
    model, path, content = small
    kind = data.draw(st.sampled_from(["random", "cut", "changed", "header"]))
    if kind == "random":
        content = data.draw(st.binary(max_size=64))
    elif kind == "cut":
        content = content[: data.draw(st.integers(0, len(content) + 8))] + data.draw(st.binary(max_size=12))
    elif kind == "changed":
        place = data.draw(st.integers(0, len(content) - 8))
        content = content[:place] + data.draw(st.binary(min_size=8, max_size=8)) + content[place + 8 :]
    else:
        content = data.draw(st.binary(min_size=20, max_size=20)) + content[20:]
    path.write_bytes(content)
    tracemalloc.start()
    try:
        for load in (load_weights, load_trunk_weights):
            try:
                load(path, model)
            except ValueError as error:
                assert str(error).startswith(str(path))
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content) + 2**21
    finally:
        tracemalloc.stop()
