"""The joint loss of YOLO9000: pictures with boxes and pictures with one class only, mixed in a batch (section 4).

A picture with boxes is treated as in `losses`; its class loss runs over the levels of the word tree from the label up.
Of a picture with a class only nobody knows where the thing is. So the network is asked: the box with the highest
objectness * P(class) counts as the one that shows it. Per picture the loss is

      class     * cross-entropy of that box
    + object    * 1/2 (max(0, 0.3 - objectness))^2     that box: it is assumed to overlap the thing by at least 0.3
    + no_object * 1/2 (objectness - 0)^2               all others

Sources: "Joint classification and detection" in section 4 for the first two lines; the third is Darknet's region layer.
Its later versions leave the objectness of that box alone.

Shape letters: N batch, A anchors, C class scores, H W grid rows and columns, B truths of a picture (padded), K pictures
of a batch that have a class only.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from yolocourse.anchors import STRIDE
from yolocourse.grid import Predictions, split
from yolocourse.labels import LabelSpace
from yolocourse.losses import DetectionLoss, DetectionLossSettings


@dataclass(frozen=True)
class JointLossSettings(DetectionLossSettings):
    """The switches of the detection loss, and those for pictures with a class only.

    Defaults: the paper's assumed overlap, and Darknet's push on the other boxes, which the paper does not mention.
    In short lessons on Toy Town the push costs classes that never had a box (data/results/yolo9000.csv).
    """

    assumed_iou: float | None = 0.3  # the box that shows the class is told to be at least so sure; None: nothing
    push_down: bool = True  # the other boxes of the picture are told that there is nothing

    def __post_init__(self):
        super().__post_init__()
        if self.assumed_iou is not None and not 0 <= self.assumed_iou <= 1:
            raise ValueError(f"assumed_iou must be between 0 and 1, or None, not {self.assumed_iou}")


class JointLossTerms(NamedTuple):
    """Sums over the batch, each a 0-dim float32 tensor; `total` is the sum of the eight before it.

    Two are of pictures with a class only, the others of pictures with boxes, as in `LossTerms`.
    """

    xy: Tensor
    wh: Tensor
    object: Tensor
    no_object: Tensor
    classes: Tensor
    warmup: Tensor
    picture_object: Tensor  # objectness of pictures with a class only
    picture_class: Tensor  # their class loss
    total: Tensor
    average_iou: Tensor
    recall: Tensor
    truths: Tensor


class JointLoss:
    """loss(raw, boxes, labels, has_boxes, label, seen) -> JointLossTerms.

    anchors (A, 2) in grid cells of `stride` pixels; labels: any label space, and for YOLO9000 a `WordTree`; location:
    a name in `grid.LOCATIONS`. Raises ValueError for another one.
    """

    def __init__(
        self,
        anchors: Tensor,
        labels: LabelSpace,
        settings: JointLossSettings | None = None,
        stride: int = STRIDE,
        location: str = "sigmoid",
    ):
        self.settings = settings or JointLossSettings()
        self.detection = DetectionLoss(anchors, labels, self.settings, stride, location)
        self.labels = labels

    def __call__(
        self, raw: Tensor, boxes: Tensor, labels: Tensor, has_boxes: Tensor, label: Tensor, seen: int = 0
    ) -> JointLossTerms:
        """Loss of one batch, in float32 whatever the network's precision.

        raw (N, A*(5+C), H, W); boxes (N, B, 4) xyxy in pixels of the network's input; labels (N, B), -1 on padding;
        has_boxes (N,) bool: the picture's boxes are known, be there any or none; label (N,): the class of a picture
        whose boxes are not; seen: pictures that the network was trained on before this batch.
        Raises ValueError when the shapes do not fit together.
        """
        self.detection.check(raw, boxes, labels)
        if has_boxes.shape != raw.shape[:1] or label.shape != raw.shape[:1]:
            raise ValueError(
                f"has_boxes {tuple(has_boxes.shape)} and label {tuple(label.shape)}: expected one each for the"
                f" {len(raw)} pictures"
            )
        predictions = split(raw, len(self.detection.anchors), self.detection.location)
        return self.terms(predictions, boxes, labels, has_boxes, label, seen)

    def terms(
        self, predictions: Predictions, boxes: Tensor, labels: Tensor, has_boxes: Tensor, label: Tensor, seen: int
    ) -> JointLossTerms:
        """The same from a head output taken apart by `grid.split`; the gradient here is Darknet's delta, negated."""
        boxed = self.detection.terms(predictions, boxes, labels, seen, has_boxes)
        one_class = self.class_only(predictions, label, torch.nonzero(~has_boxes).flatten())
        at = boxed._fields.index("total")
        return JointLossTerms(*boxed[:at], *one_class, boxed.total + sum(one_class), *boxed[at + 1 :])

    def class_only(self, predictions: Predictions, label: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Objectness and class terms, summed, of the pictures (K,) whose class `label` (N,) is all that is known."""
        s, shape = self.settings, predictions.objectness.shape[1:]
        place = self.best_boxes(predictions, label, pictures)  # (K,)
        objectness = predictions.objectness[pictures].flatten(1)  # (K, A*H*W)
        best, others = objectness.gather(1, place[:, None]), objectness.scatter(1, place[:, None], 0.0)
        object_term = s.no_object_scale * s.push_down * others.square().sum() / 2
        if s.assumed_iou is not None:
            object_term = object_term + s.object_scale * (s.assumed_iou - best).clamp(min=0).square().sum() / 2
        scores = predictions.scores[pictures, *torch.unravel_index(place, shape)]  # (K, C)
        return object_term, s.class_scale * self.labels.loss(scores, label[pictures]).sum()

    @torch.no_grad()
    def best_boxes(self, predictions: Predictions, label: Tensor, pictures: Tensor) -> Tensor:
        """The box of each picture (K,) with the highest objectness * P(its class): places in (A*H*W) -> (K,).

        P(class) is the product along the path up to the root, so no box has to know the breed to be chosen for a dog.
        """
        places = [label.new_zeros(0)]
        for n in pictures.tolist():  # one by one: the scores of a picture are 33 MB at 544 pixels and 9,418 nodes
            scores = predictions.scores[n].flatten(0, 2)  # (A*H*W, C)
            loss = self.labels.loss(scores, label[n].expand(len(scores)))  # -log P(class)
            places.append((predictions.objectness[n].flatten().log() - loss).argmax()[None])
        return torch.cat(places)
