"""ONNX: onnxruntime finds what the package finds, at other batches and sizes than those exported with."""

import json

import numpy as np
import pytest
import torch

from yolocourse.detect import select
from yolocourse.grid import decode
from yolocourse.labels import FlatLabels
from yolocourse.models import listed, tiny, yolov2
from yolocourse.preprocess import Preprocess
from yolocourse.weights.onnx import KEY, export_onnx

onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
LABELS = FlatLabels(["dog", "bus", "tree"])
ANCHORS = [[0.5, 0.8], [1.5, 1.0]]


def noisy(model):
    """A network that sees things everywhere."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.head.weight.copy_(torch.randn(model.head.weight.shape, generator=generator) * 0.3)
        model.head.bias.zero_()
        model.train()(torch.rand(8, 3, 64, 64, generator=generator))
    return model.eval()


NETWORKS = {
    "yolov2": lambda: yolov2(3, ANCHORS, 0.05),
    "location of region proposals": lambda: yolov2(3, ANCHORS, 0.05, location="offset"),
    "tiny": lambda: tiny(3, ANCHORS, 0.0625),
    "stride 16": lambda: listed(3, ANCHORS, [(8, 3), "pool"] * 3 + [(8, 3), "pool", (8, 1)], 7, [(8, 1)], [(8, 3)]),
}


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    torch.manual_seed(0)
    model = noisy(NETWORKS[request.param]())
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(path, model, LABELS, Preprocess((64, 96), "darknet"), nms=True, threshold=0.1)
    return model, onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("shape", [(1, 64, 96), (3, 96, 32), (2, 32, 32), (1, 416, 416)])
def test_same_boxes_and_scores(exported, shape):
    model, session = exported
    n, h, w = shape
    images = torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(1))
    boxes, scores, _ = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        decoded = decode(model(images), model.anchors, model.stride, model.location)
    expected = decoded.objectness[..., None] * decoded.scores.softmax(-1)
    assert boxes.shape == (n, 2 * (h // model.stride) * (w // model.stride), 4)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    np.testing.assert_allclose(boxes, decoded.boxes, atol=1e-4 * max(h, w), rtol=1e-4)


def test_same_detections_after_suppression(exported):
    model, session = exported
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    boxes, scores, selected = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        ours = select(decode(model(images), model.anchors, model.stride, model.location), LABELS, threshold=0.1)
    assert len(selected) == sum(len(found["scores"]) for found in ours) > 5
    for number, found in enumerate(ours):
        rows = selected[selected[:, 0] == number]
        mine = sorted(zip(found["labels"].tolist(), found["scores"].tolist(), strict=True))
        theirs = sorted((int(c), float(scores[n, b, c])) for n, c, b in rows)
        assert [label for label, _ in mine] == [label for label, _ in theirs]
        np.testing.assert_allclose([s for _, s in mine], [s for _, s in theirs], atol=1e-4)
    assert boxes.shape[0] == 2


def test_without_suppression_there_are_two_outputs(tmp_path):
    export_onnx(tmp_path / "m.onnx", yolov2(3, ANCHORS, 0.05), LABELS, Preprocess(64))
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["boxes", "scores"]
    about = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    assert about["labels"]["names"] == LABELS.names and about["preprocess"]["size"] == [64, 64]
