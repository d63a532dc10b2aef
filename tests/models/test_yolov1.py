"""The baseline network: shapes, the fixed size, what its first boxes look like, and its options."""

import pytest
import torch
from torch import nn

from yolocourse.grid_yolov1 import decode
from yolocourse.models.yolov1 import YOLOv1Trunk, yolov1, yolov1_classifier
from yolocourse.models.yolov2 import yolov2


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return yolov1(3, width=0.125).eval()


def test_98_boxes(small):
    raw = small(torch.rand(2, 3, 224, 224))
    assert raw.shape == (2, 7, 7, 2 * 5 + 3)
    assert decode(raw).boxes.shape == (2, 98, 4)
    assert small.num_outputs == 3


@pytest.mark.parametrize("size", [(192, 192), (224, 256), (448, 448)])
def test_another_size_is_an_error_that_names_the_right_one(small, size):
    with pytest.raises(ValueError, match="224 x 224.*got"):
        small(torch.rand(1, 3, *size))


def test_batched_equals_single(small):
    images = torch.rand(3, 3, 224, 224)
    with torch.no_grad():
        together, alone = small(images), torch.cat([small(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_every_box_sees_the_whole_picture(small):
    """What fully connected layers are: a change in one corner reaches the outputs of the opposite cell."""
    images = torch.rand(1, 3, 224, 224, requires_grad=True)
    small(images)[0, 6, 6].sum().backward()
    assert images.grad[0, :, :16, :16].abs().sum() > 0


def test_first_boxes_lie_in_the_middle_of_their_cells():
    torch.manual_seed(0)
    model = yolov1(4, width=0.125).eval()
    nn.init.zeros_(model.head[-1].weight)  # only the biases speak
    with torch.no_grad():
        raw = model(torch.rand(1, 3, 224, 224))
        found = decode(raw)
    # Cell (row 2, column 3): centre (3.5, 2.5) cells = (112, 80) px; sides 0.35^2 and 0.6^2 of 224 px.
    small, large = found.boxes[0].view(7, 7, 2, 4)[2, 3]
    torch.testing.assert_close(small, torch.tensor([112 - 13.72, 80 - 13.72, 112 + 13.72, 80 + 13.72]))
    torch.testing.assert_close(large, torch.tensor([112 - 40.32, 80 - 40.32, 112 + 40.32, 80 + 40.32]))
    assert not found.objectness.any()
    torch.testing.assert_close(raw[..., 10:], torch.full((1, 7, 7, 4), 0.25))


def test_width_scales_trunk_and_hidden_layer():
    model = yolov1(2, width=0.25)
    assert model.trunk.coarse_channels == 256
    assert model.head[1].weight.shape == (256, 256 * 49)


def test_batch_norm_can_be_left_out():
    def norms(model):
        return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())

    assert norms(yolov1(2, width=0.125)) == 18 + 2
    assert sum(isinstance(module, nn.BatchNorm1d) for module in yolov1(2, width=0.125).modules()) == 1
    plain = yolov1(2, width=0.125, batch_norm=False)
    assert norms(plain) == 0
    assert plain(torch.rand(1, 3, 224, 224)).isfinite().all()


def test_dropout_in_training_only():
    torch.manual_seed(0)
    model = yolov1(2, width=0.125, dropout=0.5)
    images = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        model.eval()
        torch.testing.assert_close(model(images), model(images))
        model.head.train()
        assert not torch.equal(model(images), model(images))


def test_no_class_is_an_error():
    with pytest.raises(ValueError, match="at least one class, not 0"):
        yolov1(0, width=0.125)


def test_trunk_as_in_figure_3():
    """Channels and kernels of the twenty pretrained convolutions, row by row, and how far they shrink a picture."""
    with torch.device("meta"):
        trunk = YOLOv1Trunk()
        fine, coarse = trunk(torch.zeros(1, 3, 448, 448))
    convs = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    channels = "64 192 128 256 256 512 256 512 256 512 256 512 256 512 512 1024 512 1024 512 1024"
    kernels = "7 3 1 3 1 3 1 3 1 3 1 3 1 3 1 3 1 3 1 3"
    assert " ".join(str(conv.out_channels) for conv in convs) == channels
    assert " ".join(str(conv.kernel_size[0]) for conv in convs) == kernels
    assert fine.shape == (1, 1024, 28, 28) and coarse.shape == (1, 1024, 14, 14)
    assert (trunk.fine_channels, trunk.coarse_channels) == (1024, 1024)


def test_8_52_billion_operations():
    """YOLO9000, section 3: "the custom network ... only uses 8.52 billion operations for a forward pass"."""
    with torch.device("meta"):
        model = yolov1_classifier(1000)
    total = []

    def count(conv, inputs, output):
        total.append(2 * conv.in_channels * conv.kernel_size[0] ** 2 * output.numel())

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    assert model(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 1000)
    assert sum(total) / 1e9 == pytest.approx(8.52, abs=0.01)


def test_networks_on_the_trunk_of_yolo():
    labels, anchors = 3, [[1.0, 2.0], [3.0, 1.0]]
    first, second = yolov1(labels, 0.05, trunk="yolov1"), yolov2(labels, anchors, 0.05, trunk="yolov1")
    assert first(torch.zeros(2, 3, 224, 224)).shape == (2, 7, 7, 13)
    assert second.stride == 32 and second(torch.zeros(2, 3, 64, 96)).shape == (2, 16, 2, 3)
    assert second.trunk.state_dict().keys() == first.trunk.state_dict().keys()
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in yolov1_classifier(3, 0.05, False).modules())
    with pytest.raises(ValueError, match="unknown trunk 'vgg'; known: darknet19, yolov1"):
        yolov1(labels, trunk="vgg")
