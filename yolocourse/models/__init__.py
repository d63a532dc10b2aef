"""Networks: each returns raw tensors; losses and detections are made outside."""

from yolocourse.models.darknet19 import Classifier, Darknet19, Darknet19Trunk
from yolocourse.models.yolov1 import yolov1_classifier
from yolocourse.models.yolov2 import YOLOv2, listed, nano, tiny, yolo9000, yolov2

BUILDERS = {"yolov2": yolov2, "tiny": tiny, "nano": nano, "yolo9000": yolo9000, "listed": listed}  # detectors
CLASSIFIERS = {"darknet19": Darknet19, "yolov1_classifier": yolov1_classifier}

__all__ = [
    "BUILDERS", "CLASSIFIERS", "Classifier", "Darknet19", "Darknet19Trunk", "YOLOv2", "build", "listed", "nano", "tiny",
    "yolo9000", "yolov1_classifier", "yolov2",
]  # fmt: skip


def build(builder: str, **arguments) -> YOLOv2 | Classifier:
    """Builds a network from a name in BUILDERS or CLASSIFIERS and its arguments, such as those in `model.config`.

    Raises ValueError for an unknown builder, or arguments that it does not take.
    """
    known = BUILDERS | CLASSIFIERS
    if builder not in known:
        raise ValueError(f"unknown network {builder!r}; known: {', '.join(known)}")
    try:
        return known[builder](**arguments)
    except TypeError as error:
        raise ValueError(f"network {builder!r}: {error}") from None
