"""ONNX: a detector as one file that other programs run, boxes decoded inside, any batch and any multiple of 32 pixels.

Inputs and outputs of the graph:
  images     (N, 3, H, W) float32, 0 to 1, as `Preprocess` makes them
  boxes      (N, B, 4) float32 xyxy in pixels of the input, B = A * H/32 * W/32
  scores     (N, B, C) float32, objectness times class probability
  selected   (K, 3) int64, only with suppression: picture, class and box of each detection, per class
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from yolocourse.grid import decode
from yolocourse.labels import LabelSpace
from yolocourse.models import YOLOv2
from yolocourse.models.freeze import folded
from yolocourse.preprocess import Preprocess
from yolocourse.weights.checkpoint import write_atomically

OPSET = 18
KEY = "yolocourse"  # of the metadata: classes and preprocessing as JSON
PER_CLASS = 300  # detections that suppression keeps at most


class Decoding(nn.Module):
    """A network and the decoding of its output: images (N, 3, H, W) -> boxes (N, B, 4), scores (N, B, C)."""

    def __init__(self, model: YOLOv2, labels: LabelSpace):
        super().__init__()
        self.network, self.labels = folded(model), labels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        decoded = decode(self.network(images), self.network.anchors, self.network.stride, self.network.location)
        return decoded.boxes, decoded.objectness[..., None] * self.labels.probabilities(decoded.scores)


def export_onnx(
    path: str | Path,
    model: YOLOv2,
    labels: LabelSpace,
    preprocess: Preprocess,
    nms: bool = False,
    threshold: float = 0.25,
    nms_threshold: float = 0.45,
) -> None:
    """Writes a detector as ONNX; with `nms` the graph also selects: scores above `threshold`, and of two boxes of a
    class whose IoU is above `nms_threshold` the better one.

    Raises ValueError where the packages onnx and onnxscript are missing.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError as error:
        raise ValueError(f"export needs the package {error.name}: pip install 'yolocourse[export]'") from None
    stride = model.stride
    example = torch.zeros(2, 3, 3 * stride, 4 * stride)
    # Sizes are counted in cells, so that the graph takes any multiple of the stride.
    rows, columns = torch.export.Dim("rows", min=1, max=1024), torch.export.Dim("columns", min=1, max=1024)
    sizes = {0: torch.export.Dim("batch", min=1, max=2**16), 2: stride * rows, 3: stride * columns}
    program = torch.onnx.export(
        Decoding(model.cpu(), labels).eval(), (example,), input_names=["images"], output_names=["boxes", "scores"],
        opset_version=OPSET, dynamo=True, dynamic_shapes=(sizes,), verbose=False,
    )  # fmt: skip
    graph = program.model_proto
    if nms:
        _add_suppression(graph, threshold, nms_threshold)
    about = {"labels": labels.to_dict(), "preprocess": preprocess.to_dict()}
    graph.metadata_props.append(onnx.StringStringEntryProto(key=KEY, value=json.dumps(about, sort_keys=True)))
    onnx.checker.check_model(graph)
    write_atomically(path, graph.SerializeToString())


def _add_suppression(graph, threshold: float, nms_threshold: float) -> None:
    """Adds the output `selected`: ONNX's own NonMaxSuppression on the graph's boxes and scores."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    constants = {"per_class": np.array([PER_CLASS], np.int64), "nms_threshold": np.array([nms_threshold], np.float32)}
    constants["threshold"] = np.array([threshold], np.float32)
    graph.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    graph.graph.node.append(helper.make_node("Transpose", ["scores"], ["scores_by_class"], perm=[0, 2, 1]))
    inputs = ["boxes", "scores_by_class", *constants]
    graph.graph.node.append(helper.make_node("NonMaxSuppression", inputs, ["selected"]))
    graph.graph.output.append(helper.make_tensor_value_info("selected", TensorProto.INT64, ["detections", 3]))
