"""The detection loss of YOLOv2: what Darknet's region layer computes, without a loop over pictures, truths or cells.

Neither paper writes this loss down; the source is Darknet's region layer. Per picture it is

      coord     * (2 - w*h) * 1/2 |sigmoid(txy) - xy*|^2 + the same for 1/2 |twh - wh*|^2       responsible anchors
    + object    * 1/2 (objectness - IoU)^2                                                      responsible anchors
    + no_object * 1/2 (objectness - 0)^2            all others, but not where the IoU with a truth is over `ignore_iou`
    + class     * cross-entropy                                                                 responsible anchors
    + warm-up   * 1/2 (|sigmoid(txy) - 1/2|^2 + |twh|^2)          all others, for the first `anchor_warmup_images`

With location "offset" (see grid.py) txy itself takes the place of sigmoid(txy), and 0 that of 1/2: Faster R-CNN's way.

Shape letters: N batch, A anchors, C class scores, H W grid rows and columns, B truths of a picture (padded), M = N * B.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from yolocourse.anchors import STRIDE
from yolocourse.boxes import cxcywh_to_xyxy, pairwise_iou
from yolocourse.grid import Predictions, assign, decode_cells, encode, find_location, split, to_cells
from yolocourse.labels import LabelSpace


@dataclass(frozen=True)
class DetectionLossSettings:
    """The switches of Darknet's region layer; defaults as in yolov2-voc.cfg."""

    object_scale: float = 5.0
    no_object_scale: float = 1.0
    coord_scale: float = 1.0
    class_scale: float = 1.0
    ignore_iou: float = 0.6  # above this overlap with any truth a box is not told that there is nothing ("thresh")
    rescore: bool = True  # objectness is pulled to the IoU of the predicted box; False: to 1
    match: str = "prior"  # whose size must fit the truth: the anchor's, or that of the "prediction" ("bias_match")
    small_box_weight: bool = True  # coord_scale * (2 - w*h): added to Darknet in 2018, not in the paper
    anchor_warmup_images: int = 12_800  # pictures during which every box is pulled to its anchor
    anchor_warmup_scale: float = 0.01

    def __post_init__(self):
        if self.match not in ("prior", "prediction"):
            raise ValueError(f"match must be 'prior' or 'prediction', not {self.match!r}")
        if not 0 <= self.ignore_iou <= 1:
            raise ValueError(f"ignore_iou must be between 0 and 1, not {self.ignore_iou}")


class LossTerms(NamedTuple):
    """Sums over the batch, each a 0-dim float32 tensor; `total` is the sum of the six before it."""

    xy: Tensor
    wh: Tensor
    object: Tensor
    no_object: Tensor
    classes: Tensor
    warmup: Tensor
    total: Tensor
    average_iou: Tensor  # of responsible boxes with their truths; 0 where there is no truth
    recall: Tensor  # share of truths whose responsible box overlaps them by over 0.5; 0 where there is no truth
    truths: Tensor  # how many truths the batch has: without one, average_iou and recall mean nothing


class DetectionLoss:
    """loss(raw, boxes, labels, seen) -> LossTerms; `anchors` (A, 2) in grid cells of `stride` pixels.

    location: the formula of the centre, a name in `grid.LOCATIONS`; ValueError for another one.
    """

    def __init__(
        self,
        anchors: Tensor,
        labels: LabelSpace,
        settings: DetectionLossSettings | None = None,
        stride: int = STRIDE,
        location: str = "sigmoid",
    ):
        self.anchors = torch.as_tensor(anchors, dtype=torch.float32)
        self.labels, self.stride, self.location = labels, stride, location
        self.middle = find_location(location).middle
        self.settings = settings or DetectionLossSettings()

    def __call__(self, raw: Tensor, boxes: Tensor, labels: Tensor, seen: int = 0) -> LossTerms:
        """Loss of one batch, in float32 whatever the network's precision.

        raw (N, A*(5+C), H, W); boxes (N, B, 4) xyxy in pixels of the network's input; labels (N, B), -1 on padding;
        seen: pictures that the network was trained on before this batch (decides on warm-up).
        Raises ValueError when the shapes do not fit together.
        """
        self.check(raw, boxes, labels)
        return self.terms(split(raw, len(self.anchors), self.location), boxes, labels, seen)

    def check(self, raw: Tensor, boxes: Tensor, labels: Tensor) -> None:
        """Raises ValueError unless raw output, boxes and labels (shapes as above) fit together."""
        if boxes.shape != (*labels.shape, 4) or len(boxes) != len(raw):
            shapes = f"raw {tuple(raw.shape)}, boxes {tuple(boxes.shape)}, labels {tuple(labels.shape)}"
            raise ValueError(f"{shapes}: expected (N, A*(5+C), H, W), (N, B, 4) and (N, B)")
        anchors, scores = len(self.anchors), self.labels.num_outputs
        if raw.shape[1] != anchors * (5 + scores):
            needed = f"{anchors} anchors and {scores} class scores need {anchors * (5 + scores)}"
            raise ValueError(f"the head has {raw.shape[1]} channels; {needed}")

    def terms(
        self, predictions: Predictions, boxes: Tensor, labels: Tensor, seen: int, known: Tensor | None = None
    ) -> LossTerms:
        """The same from a head output taken apart by `grid.split`; the gradient here is Darknet's delta, negated.

        known (N,) bool: pictures whose boxes are known; of the others nothing is said, not even that there is nothing.
        None: all.
        """
        s = self.settings
        anchors = self.anchors.to(predictions.xy.device)
        h, w = predictions.objectness.shape[-2:]
        if known is not None:
            labels = labels.masked_fill(~known[:, None], -1)
        valid, truth_corners = labels >= 0, boxes.float() / self.stride  # (N, B), (N, B, 4)
        with torch.no_grad():
            truth = to_cells(boxes, self.stride)  # (N, B, 4)
            predicted = decode_cells(predictions, anchors, self.location)  # (N, A, H, W, 4)
            corners = cxcywh_to_xyxy(predicted)  # (N, A, H, W, 4)
            found = assign(truth, valid, anchors if s.match == "prior" else predicted[..., 2:], h, w)
            ignored = self._overlaps_a_truth(corners, truth_corners, valid)  # (N, A, H, W)
        truth, labels = truth.flatten(0, 1), labels.flatten().clamp(min=0)  # (M, 4), (M,)
        counts = found.responsible.float()  # (M,)
        xy = predictions.xy.flatten(0, 3).index_select(0, found.index)  # (M, 2)
        wh = predictions.wh.flatten(0, 3).index_select(0, found.index)  # (M, 2)
        objectness = predictions.objectness.flatten().index_select(0, found.index)  # (M,)
        with torch.no_grad():
            overlap = pairwise_iou(corners.flatten(0, 3)[found.index], truth_corners.flatten(0, 1))  # (M,)
            xy_target, wh_target = encode(truth, *found.place[2:], anchors[found.anchor], self.location)
            weight = s.coord_scale * counts
            if s.small_box_weight:
                weight = weight * (2 - truth[:, 2] * truth[:, 3] / (w * h))

        xy_term = (weight[:, None] * (xy - xy_target).square()).sum() / 2
        wh_term = (weight[:, None] * (wh - wh_target).square()).sum() / 2
        target = overlap if s.rescore else torch.ones_like(overlap)
        object_term = s.object_scale * (counts * (objectness - target).square()).sum() / 2
        free = ~found.taken if known is None else ~found.taken & known[:, None, None, None]  # (N, A, H, W)
        nothing = (free & ~ignored).float()  # (N, A, H, W)
        no_object_term = s.no_object_scale * (nothing * predictions.objectness.square()).sum() / 2
        scores = predictions.scores[found.place]  # (M, C); flattened, all are copied
        class_term = s.class_scale * (counts * self.labels.loss(scores, labels)).sum()
        early = seen < s.anchor_warmup_images
        warmup_term = self._warmup(predictions, free) if early else torch.zeros_like(xy_term)
        parts = (xy_term, wh_term, object_term, no_object_term, class_term, warmup_term)
        truths = valid.sum().clamp(min=1)
        real = valid.flatten()
        return LossTerms(
            *parts, sum(parts), (overlap * real).sum() / truths, ((overlap > 0.5) & real).sum() / truths, valid.sum()
        )

    def _overlaps_a_truth(self, corners: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
        """Which xyxy boxes (N, A, H, W, 4) overlap some truth (N, B, 4) of their picture by over `ignore_iou`."""
        if truth.shape[1] == 0:
            return torch.zeros_like(corners[..., 0], dtype=torch.bool)
        # As grid of corners (N, 1 or B, A*H*W): the largest array of the loss, so no last dimension of 4 and no
        # division: shared / (area_a + area_b - shared) > t  is  shared * (1 + t) > t * (area_a + area_b).
        px1, py1, px2, py2 = corners.flatten(1, 3).transpose(1, 2).contiguous()[:, :, None].unbind(1)
        truth = truth * valid[..., None]  # padding becomes an empty box, which overlaps nothing
        tx1, ty1, tx2, ty2 = truth[..., None].unbind(2)  # (N, B, 1) each
        width = torch.minimum(px2, tx2).sub_(torch.maximum(px1, tx1)).clamp_(min=0)  # (N, B, A*H*W)
        height = torch.minimum(py2, ty2).sub_(torch.maximum(py1, ty1)).clamp_(min=0)
        threshold = self.settings.ignore_iou
        areas = (px2 - px1) * (py2 - py1) + (tx2 - tx1) * (ty2 - ty1)
        excess = width.mul_(height).mul_(1 + threshold).sub_(areas, alpha=threshold)
        return (excess.amax(dim=1) > 0).view(corners.shape[:-1])

    def _warmup(self, predictions: Predictions, free: Tensor) -> Tensor:
        pull = (predictions.xy - self.middle).square().sum(-1) + predictions.wh.square().sum(-1)  # (N, A, H, W)
        return self.settings.anchor_warmup_scale * (pull * free).sum() / 2
