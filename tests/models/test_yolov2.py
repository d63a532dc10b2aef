"""YOLOv2: shapes, the counts of the official files and the paper, and what must not change a result."""

from functools import partial

import pytest
import torch
from torch import nn

from yolocourse.anchors import PRESETS
from yolocourse.grid import split
from yolocourse.models import BUILDERS, build, listed, nano, tiny, yolo9000, yolov2
from yolocourse.models.yolov2 import TinyTrunk

VOC, COCO = PRESETS["voc"], PRESETS["coco"]
SMALL = {"num_outputs": 3, "anchors": [[1.0, 2.0], [3.0, 1.5]], "width": 0.05}


def stored_values(model):
    """What a Darknet file holds: weights, biases, and for batch norm also running mean and variance."""
    names = ("weight", "bias", "running_mean", "running_var")
    return sum(v.numel() for name, v in model.state_dict().items() if name.rsplit(".", 1)[-1] in names)


@pytest.mark.parametrize(
    ("builder", "classes", "anchors", "size"),
    [
        (yolov2, 20, VOC, 202_704_260),  # yolov2-voc.weights, header of 16 bytes
        (yolov2, 80, COCO, 203_934_260),  # yolov2.weights
        (tiny, 20, VOC, 63_471_556),  # yolov2-tiny-voc.weights
        (partial(tiny, last=512), 80, COCO, 44_948_596),  # yolov2-tiny.weights
        (partial(yolov2, squeeze=False), 80, COCO, 269_862_452),  # of "YOLO 2.0"
        (yolo9000, 9418, COCO[:3], 195_230_020),  # yolo9000.weights
    ],
)
def test_as_many_numbers_as_in_the_official_files(builder, classes, anchors, size):
    with torch.device("meta"):
        model = builder(classes, anchors)
    assert stored_values(model) * 4 + 16 == size


def test_yolo9000_has_19_convolutions():
    with torch.device("meta"):
        model = yolo9000(9418, COCO[:3])
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 19 and convolutions[-1].out_channels == 28_269


def test_without_squeeze_3072_channels_are_merged():
    with torch.device("meta"):
        assert yolov2(80, COCO, squeeze=False).merge[0].in_channels == 3072
        assert yolov2(80, COCO).merge[0].in_channels == 1280


def test_listed_is_yolov2_when_its_layers_are_listed():
    """The same numbers in another order of modules: the trunk as one list, then the same features."""
    torch.manual_seed(0)
    model = yolov2(3, SMALL["anchors"], width=0.05)
    trunk = []
    for module in [*model.trunk.modules(), *model.neck.modules()]:
        if isinstance(module, nn.MaxPool2d):
            trunk.append("pool")
        elif isinstance(module, nn.Conv2d):
            trunk.append((module.out_channels, module.kernel_size[0]))
    other = listed(3, SMALL["anchors"], trunk, 17, [(8, 1)], [(48, 3)])
    assert other.stride == 32 and other.config["builder"] == "listed"
    values = [value for name, value in model.state_dict().items() if name != "anchors"]
    names = [name for name in other.state_dict() if name != "anchors"]
    other.load_state_dict(dict(zip(names, values, strict=True)) | {"anchors": model.anchors})
    x = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(other.eval()(x), model.eval()(x))


@pytest.mark.parametrize(("layers", "stride"), [([(8, 3), "pool", (8, 3), "same"], 2), ([(8, 3)] + ["pool"] * 4, 16)])
def test_stride_is_counted(layers, stride):
    model = listed(3, SMALL["anchors"], layers)
    assert model.stride == stride
    assert model(torch.zeros(1, 3, 2 * stride, 3 * stride)).shape[-2:] == (2, 3)
    with pytest.raises(ValueError, match=f"height {stride + 1} is not a multiple of {stride}"):
        model(torch.zeros(1, 3, stride + 1, stride))


def test_29_billion_operations_at_416():
    """Darknet prints 29.37 for yolov2-voc.cfg: one multiplication and one addition are two operations."""
    total = 0

    def count(conv, inputs, output):
        nonlocal total
        total += 2 * conv.in_channels * conv.kernel_size[0] ** 2 * output.numel()

    with torch.device("meta"):
        model = yolov2(20, VOC)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        model(torch.zeros(1, 3, 416, 416, device="meta"))
    assert total / 1e9 == pytest.approx(29.4, abs=0.05)


@pytest.mark.parametrize(("height", "width"), [(416, 416), (224, 224), (320, 224), (32, 64)])
@pytest.mark.parametrize("builder", [yolov2, nano, tiny])
def test_shapes(builder, height, width):
    with torch.device("meta"):
        model = builder(20, VOC)
        raw = model(torch.zeros(2, 3, height, width))
    assert raw.shape == (2, 125, height // 32, width // 32)
    assert model.num_outputs == 20


@pytest.mark.parametrize(
    ("height", "width", "message"),
    [
        (208, 224, "picture height 208 is not a multiple of 32; the nearest are 192 and 224"),
        (224, 208, "picture width 208 is not a multiple of 32; the nearest are 192 and 224"),
        (415, 416, "384 and 416"),
        (16, 32, "32 and 64"),
    ],
)
def test_other_sizes_are_refused(height, width, message):
    with pytest.raises(ValueError, match=message):
        build("yolov2", **SMALL)(torch.zeros(1, 3, height, width))


@pytest.mark.parametrize("width", [0.05, 0.3, 0.25])
@pytest.mark.parametrize("passthrough", ["darknet", "clean", None])
def test_widths_and_passthroughs(width, passthrough):
    model = yolov2(3, SMALL["anchors"], width, passthrough).eval()
    raw = model(torch.rand(1, 3, 64, 96))
    assert raw.shape == (1, 2 * 8, 2, 3)
    assert torch.isfinite(raw).all()
    assert (model.squeeze is None) == (passthrough is None)


def test_nano_is_yolov2_at_a_quarter():
    with torch.device("meta"):
        small, large = nano(20, VOC), yolov2(20, VOC)
    assert small.trunk.coarse_channels * 4 == large.trunk.coarse_channels == 1024
    assert small.config["width"] == 0.25 and small.config["builder"] == "yolov2"
    assert build("nano", num_outputs=20, anchors=VOC, width=0.1).config["width"] == 0.1


def test_passthrough_comes_first():
    """Darknet's route puts the fine features before the coarse ones; weights from its files depend on that."""
    model = build("yolov2", **SMALL).eval()
    seen = []
    model.merge.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model(x)
        fine, coarse = model.trunk(x)
        expected = torch.cat([model.squeeze(fine), model.neck(coarse)], dim=1)
    torch.testing.assert_close(seen[0], expected)
    assert model.squeeze(fine).shape[1] == 4 * 8


def test_tiny_pools_with_stride_one_to_the_right_and_below():
    """A 2x2 window that starts at its own cell; beyond the border there is nothing."""
    trunk = TinyTrunk(0.05).eval()
    x = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    seen = []
    trunk.last[1].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.no_grad():
        coarse = trunk.to_coarse(trunk.to_fine(x))
        trunk(x)
    pooled = seen[0]
    assert pooled.shape == coarse.shape
    for row in range(3):
        for column in range(4):
            window = coarse[0, :, row : row + 2, column : column + 2]
            torch.testing.assert_close(pooled[0, :, row, column], window.amax(dim=(1, 2)))


@pytest.mark.parametrize("name", ["yolov2", "tiny"])
def test_batched_equals_single(name):
    model = build(name, **SMALL).eval()
    x = torch.rand(3, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        single = torch.cat([model(picture[None]) for picture in x])
        torch.testing.assert_close(model(x), single, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["yolov2", "tiny", "nano"])
def test_built_again_from_its_config(name):
    arguments = {key: value for key, value in SMALL.items() if name != "nano" or key != "width"}
    model = build(name, **arguments).eval()
    again = build(**model.config).eval()
    again.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.equal(model(x), again(x))


def test_config_keeps_the_passthrough():
    for order in ("clean", None):
        model = yolov2(**SMALL, passthrough=order)
        assert build(**model.config).config == model.config
        assert model.config["passthrough"] == order


def test_anchors_travel_with_the_weights():
    model = build("yolov2", **SMALL)
    assert torch.equal(model.state_dict()["anchors"], torch.tensor(SMALL["anchors"]))


def test_first_output_is_the_anchors_and_nothing_found():
    """At the start every box is its anchor in the middle of its cell, and its objectness is about sigma(-4) = 0.018."""
    torch.manual_seed(0)
    for builder in ("yolov2", "tiny"):
        model = build(builder, **SMALL)
        parts = split(model(torch.rand(4, 3, 64, 64)), len(SMALL["anchors"]))
        assert parts.objectness.mean().item() == pytest.approx(0.018, abs=0.005)
        assert (parts.xy - 0.5).abs().mean() < 0.1 and parts.wh.abs().mean() < 0.3
        assert parts.scores.abs().mean() < 0.3


def test_everything_is_trained():
    model = build("yolov2", **SMALL)
    model(torch.rand(2, 3, 64, 64)).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("yolov9", {}, "unknown network 'yolov9'; known: yolov2, tiny, nano"),
        ("yolov2", {"depth": 3}, "network 'yolov2': .*depth"),
        ("nano", {"depth": 3}, "network 'nano': .*depth"),
        ("yolov2", {"passthrough": "other"}, "'darknet' or 'clean', not 'other'"),
        ("yolov2", {"num_outputs": 0}, "at least one class score, not 0"),
        ("yolov2", {"anchors": []}, "anchors must be pairs"),
        ("yolov2", {"anchors": [1.0, 2.0]}, "anchors must be pairs"),
        ("tiny", {"anchors": [[1.0, -2.0]]}, "above 0"),
        ("yolov2", {"anchors": [[42.0, 55.0]]}, "seems to be in pixels"),
        ("yolov2", {"width": 0}, "width multiplier"),
    ],
)
def test_bad_arguments_are_refused(name, changed, message):
    with pytest.raises(ValueError, match=message):
        build(name, **{**SMALL, **changed})


def test_every_builder_is_known_by_its_own_name():
    assert {name: builder.__name__ for name, builder in BUILDERS.items()} == {name: name for name in BUILDERS}
