"""What a network is trained for: how a batch becomes loss terms. The loop itself does not know.

A task is called with the network's raw output, the batch on the device, and the pictures seen so far. It returns a
NamedTuple of 0-dim tensors: terms summed over the batch, then their sum `total`, then statistics that are not summed.

Shape letters: N pictures, B most boxes of one of them, T classes.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from yolocourse.datasets.batch import Batch
from yolocourse.labels import LabelSpace


class Detection:
    """Learns from boxes. criterion(raw, boxes (N, B, 4), labels (N, B), seen), such as `losses.DetectionLoss`."""

    def __init__(self, criterion: Callable):
        self.criterion = criterion

    def __call__(self, raw: Tensor, batch: Batch, seen: int) -> tuple:
        labels = batch.labels.masked_fill(batch.difficult, -1)  # "difficult" ones are not taught, as in Darknet
        return self.criterion(raw, batch.boxes, labels, seen)

    def check(self, batch: Batch) -> None:
        """A picture whose boxes nobody drew must not pass for one without objects. Raises ValueError naming it."""
        for image_id, has_boxes in zip(batch.image_ids, batch.has_boxes.tolist(), strict=True):
            if not has_boxes:
                raise ValueError(
                    f"picture {image_id!r} has no box labels; a detector cannot learn from it by this loss"
                )


class Joint:
    """Learns from boxes, and from pictures of which only the class is known, mixed in a batch.

    criterion(raw, boxes (N, B, 4), labels (N, B), has_boxes (N,), label (N,), seen), such as `losses_joint.JointLoss`.
    """

    def __init__(self, criterion: Callable):
        self.criterion = criterion

    def __call__(self, raw: Tensor, batch: Batch, seen: int) -> tuple:
        labels = batch.labels.masked_fill(batch.difficult, -1)  # as for detection
        return self.criterion(raw, batch.boxes, labels, batch.has_boxes, batch.label, seen)

    def check(self, batch: Batch) -> None:
        """Raises ValueError naming the first picture of which neither boxes nor a class are known."""
        for image_id, boxes, label in zip(batch.image_ids, batch.has_boxes.tolist(), batch.label.tolist(), strict=True):
            if not boxes and label < 0:
                raise ValueError(f"picture {image_id!r} has neither boxes nor a class; nothing can be learned from it")


class ClassTerms(NamedTuple):
    """Cross-entropy summed over the batch; `top1`: share of pictures whose best class is right."""

    classes: Tensor
    total: Tensor
    top1: Tensor


class Classification:
    """Learns one class a picture, by the label space's cross-entropy. The network's output is scores (N, T)."""

    def __init__(self, labels: LabelSpace):
        self.labels = labels

    def __call__(self, raw: Tensor, batch: Batch, seen: int) -> ClassTerms:
        scores = raw.float()
        loss = self.labels.loss(scores, batch.label).sum()
        right = self.labels.predict(scores.detach())[1] == batch.label  # (N,)
        return ClassTerms(loss, loss, right.float().mean())

    def check(self, batch: Batch) -> None:
        """Raises ValueError naming the first picture without a class of its own."""
        for image_id, label in zip(batch.image_ids, batch.label.tolist(), strict=True):
            if label < 0:
                raise ValueError(f"picture {image_id!r} has no class label; a classifier cannot learn from it")
