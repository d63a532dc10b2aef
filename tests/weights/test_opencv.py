"""OpenCV's DNN module reads the .cfg and .weights that we write, and finds the same things: an independent program."""

import pytest
import torch

from yolocourse.boxes import cxcywh_to_xyxy
from yolocourse.detect import select
from yolocourse.grid import decode
from yolocourse.labels import FlatLabels
from yolocourse.models import listed, tiny, yolov2
from yolocourse.weights.cfg import write_cfg
from yolocourse.weights.darknet import Header, save_weights

cv2 = pytest.importorskip("cv2", reason="needs opencv-python-headless, 4.x")
ANCHORS = [[1.0, 2.0], [3.0, 1.5]]
LABELS = FlatLabels(["dog", "bus", "tree"])
NETWORKS = {
    "yolov2": lambda: yolov2(3, ANCHORS, 0.05),
    "without squeeze": lambda: yolov2(3, ANCHORS, 0.05, squeeze=False),
    "tiny": lambda: tiny(3, ANCHORS, 0.05),
    "stride 16": lambda: listed(3, ANCHORS, [(8, 3), "pool"] * 3 + [(8, 3), "pool", (8, 1)], 7, [(8, 1)], [(8, 3)]),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("header", [Header(0, 1), Header(0, 2)], ids=["16 bytes", "20 bytes"])
def test_same_detections(name, header, tmp_path):
    torch.manual_seed(0)
    model = NETWORKS[name]()
    with torch.no_grad():  # a network that sees things everywhere
        model.head.weight.normal_(0, 0.3), model.head.bias.zero_()
        model.train()(torch.rand(8, 3, 96, 64))
    model.eval()
    # OpenCV leaves out scores below the cfg's threshold.
    (tmp_path / "a.cfg").write_text(write_cfg(model, (96, 64)).replace("thresh=.6", "thresh=.001"))
    save_weights(tmp_path / "a.weights", model, header)
    network = cv2.dnn.readNetFromDarknet(str(tmp_path / "a.cfg"), str(tmp_path / "a.weights"))
    images = torch.rand(2, 3, 96, 64)
    network.setInput(images.numpy())
    h, w = 96 // model.stride, 64 // model.stride
    # OpenCV's rows: cell by cell, anchor by anchor; cx, cy, w, h in shares of the picture, objectness, scores.
    rows = torch.tensor(network.forward()).view(2, h * w, 2, 8).transpose(1, 2).reshape(2, -1, 8)
    with torch.no_grad():
        ours = decode(model(images), model.anchors, model.stride)
    boxes = cxcywh_to_xyxy(rows[..., :4] * torch.tensor([64, 96] * 2))
    torch.testing.assert_close(boxes, ours.boxes, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(rows[..., 4], ours.objectness, rtol=1e-4, atol=1e-4)
    # Its scores are those that its own suppression left, which works at an IoU of 0.4.
    for picture, found in enumerate(select(ours, LABELS, threshold=0.001, nms_threshold=0.4, max_detections=10**6)):
        box, label = torch.nonzero(rows[picture, :, 5:], as_tuple=True)
        scores = rows[picture, box, 5 + label]
        order = scores.argsort(descending=True)
        assert len(order) == len(found["scores"]) > 5
        torch.testing.assert_close(scores[order], found["scores"], rtol=1e-4, atol=1e-4)
        assert label[order].tolist() == found["labels"].tolist()
        torch.testing.assert_close(boxes[picture, box[order]], found["boxes"], rtol=1e-3, atol=1e-2)
