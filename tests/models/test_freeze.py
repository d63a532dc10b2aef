"""A frozen network computes the same as the one that it was made from, and leaves that one alone."""

import shutil

import pytest
import torch
from torch import nn

from yolocourse.models import build, tiny, yolov2
from yolocourse.models.freeze import Packed, folded, freeze
from yolocourse.models.layers import ConvBlock
from yolocourse.models.yolov1 import yolov1

ANCHORS = [[1.0, 2.0], [3.0, 1.5]]


def used(model):
    """A network with batch norm statistics other than those of a new one."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            shape = module.weight.shape
            module.running_mean.copy_(torch.randn(shape, generator=generator))
            module.running_var.copy_(torch.rand(shape, generator=generator) + 0.5)
            module.weight.data.copy_(torch.rand(shape, generator=generator) + 0.5)
            module.bias.data.copy_(torch.randn(shape, generator=generator))
    return model.train()


MODELS = [yolov2(3, ANCHORS, 0.05), tiny(3, ANCHORS, 0.05), build("darknet19", num_outputs=5, width=0.05)]


@pytest.mark.parametrize("make", [folded, freeze])
@pytest.mark.parametrize("model", MODELS, ids=["yolov2", "tiny", "darknet19"])
def test_same_output(model, make):
    before = {name: value.clone() for name, value in used(model).state_dict().items()}
    frozen = make(model)
    assert model.training and not frozen.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model.eval()(x)
        torch.testing.assert_close(frozen(x), expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def test_a_block_by_hand():
    block = ConvBlock(1, 1, 1).eval()
    with torch.no_grad():
        block[0].weight.fill_(3), block[1].weight.fill_(2), block[1].bias.fill_(1)
        block[1].running_mean.fill_(5), block[1].running_var.fill_(4 - 1e-5)
    frozen = folded(nn.Sequential(block))[0]
    # (3 x - 5) / 2 * 2 + 1 = 3 x - 4
    assert frozen[0].weight.item() == pytest.approx(3) and frozen[0].bias.item() == pytest.approx(-4)


def test_bfloat16_is_close_and_anchors_stay_exact():
    model = used(yolov2(3, [[1.3221, 1.73145], [3.19275, 4.00944]], 0.05)).eval()
    frozen = freeze(model, "bfloat16")
    assert torch.equal(frozen.anchors, model.anchors) and frozen.anchors.dtype == torch.float32
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        raw, expected = frozen(x.bfloat16()), model(x)
    assert raw.dtype == torch.bfloat16
    assert 0 < (raw.float() - expected).abs().max() < 0.1 * expected.abs().max()


def test_packed_where_possible_and_at_every_size(monkeypatch):
    model = used(yolov2(3, ANCHORS, 0.05)).eval()
    frozen = freeze(model)
    packed = sum(isinstance(module, Packed) for module in frozen.modules())
    assert packed == (22 if Packed.possible(model) else 0)
    with torch.no_grad():
        for shape in ((1, 3, 32, 32), (3, 3, 96, 160), (2, 3, 64, 64)):
            x = torch.rand(shape)
            expected = model(x)
            torch.testing.assert_close(frozen(x), expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())
    monkeypatch.setattr(Packed, "possible", lambda model: False)
    assert not any(isinstance(module, Packed) for module in freeze(model).modules())


def test_unknown_precision():
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16, float16; not 'int8'"):
        freeze(MODELS[0], "int8")


def test_a_network_of_one_size_only():
    """YOLO's fully connected layers take 224 x 224 and nothing else; the layout is made for the size given."""
    model = used(yolov1(3, width=0.05)).eval()
    x = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        expected = model(x)
        torch.testing.assert_close(freeze(model, size=(224, 224))(x), expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_packed_only_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert not any(isinstance(module, Packed) for module in freeze(MODELS[0], "bfloat16").modules())


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a compiler")
def test_compiled_computes_the_same():
    model = used(yolov2(3, ANCHORS, 0.05)).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = model(x)
        found = freeze(model, compile=True, size=(64, 64))(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())
