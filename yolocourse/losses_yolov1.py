"""The loss of the first YOLO (YOLO, section 2.2, equation 3), without a loop over pictures or truths.

Per picture, all terms squared errors:

      coord (5)        * |xy - xy*|^2 + |root - root*|^2      the responsible predictor of each cell that has a truth
    + 1                * (confidence - IoU)^2                 the same predictors
    + no_object (1/2)  * (confidence - 0)^2                   all other predictors
    + 1                * |classes - classes*|^2               cells that have a truth; 1 for its class, 0 for the others

Shape letters: N batch, H W grid rows and columns, P predictors, C classes, B truths of one picture (padded), M = N * B.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from yolocourse.boxes import cxcywh_to_xyxy, pairwise_iou
from yolocourse.grid import cell_of, to_cells
from yolocourse.grid_yolov1 import decode_cells, encode, split
from yolocourse.losses import LossTerms


@dataclass(frozen=True)
class YOLOv1LossSettings:
    """The weights of equation 3, and the number of predictors of a cell."""

    coord_scale: float = 5.0
    no_object_scale: float = 0.5
    object_scale: float = 1.0
    class_scale: float = 1.0
    predictors: int = 2


class YOLOv1Loss:
    """loss(raw, boxes, labels, seen) -> LossTerms, called like `losses.DetectionLoss`.

    A cell learns one truth. Where the centres of several fall into it, the first in the list is learned and the others
    are not: so it is in Darknet (which shuffles the list first), and the paper's "1_i^obj", is there an object in cell
    i, has room for no more.
    The responsible predictor is the one whose box overlaps the truth most; while none does, the closest one by the
    squared differences of centre and size (Darknet; the paper leaves it open).
    """

    def __init__(self, num_classes: int, settings: YOLOv1LossSettings | None = None):
        self.num_classes, self.settings = num_classes, settings or YOLOv1LossSettings()

    def __call__(self, raw: Tensor, boxes: Tensor, labels: Tensor, seen: int = 0) -> LossTerms:
        """Loss of one batch, in float32 whatever the network's precision.

        raw (N, H, W, P*5 + C); boxes (N, B, 4) xyxy in pixels of the network's input; labels (N, B), -1 on padding;
        seen is not used. Raises ValueError when the shapes do not fit together.
        """
        s = self.settings
        self._check(raw, boxes, labels)
        predictions = split(raw, s.predictors)
        h, w = raw.shape[1:3]
        truth, valid = to_cells(boxes).flatten(0, 1), (labels >= 0).flatten()  # (M, 4), (M,)
        with torch.no_grad():
            cell, taught = cells_of(truth, valid, labels.shape[1], h, w)  # (M,), (M,)
            candidates = decode_cells(predictions).flatten(0, 2)[cell]  # (M, P, 4)
            predictor, overlap = responsible(candidates, truth)  # (M,), (M,)
            xy_target, root_target = encode(truth, h, w)  # (M, 2) each
            index = cell * s.predictors + predictor  # (M,) flat position in (N, H, W, P)
            others = torch.ones_like(predictions.confidence).flatten()
            others[index[taught]] = 0
        counts = taught.float()
        xy = predictions.xy.flatten(0, 3).index_select(0, index)  # (M, 2)
        root = predictions.root.flatten(0, 3).index_select(0, index)  # (M, 2)
        confidence = predictions.confidence.flatten().index_select(0, index)  # (M,)
        classes = predictions.classes.flatten(0, 2).index_select(0, cell)  # (M, C)
        wanted = F.one_hot(labels.flatten().clamp(min=0), self.num_classes)  # (M, C)
        parts = (
            s.coord_scale * (counts[:, None] * (xy - xy_target).square()).sum(),
            s.coord_scale * (counts[:, None] * (root - root_target).square()).sum(),
            s.object_scale * (counts * (confidence - overlap).square()).sum(),
            s.no_object_scale * (others * predictions.confidence.flatten().square()).sum(),
            s.class_scale * (counts[:, None] * (classes - wanted).square()).sum(),
            torch.zeros_like(counts.sum()),  # no warm-up term
        )
        truths = valid.sum().clamp(min=1)
        hit = (overlap > 0.5) & valid
        return LossTerms(*parts, sum(parts), (overlap * valid).sum() / truths, hit.sum() / truths, valid.sum())

    def _check(self, raw: Tensor, boxes: Tensor, labels: Tensor) -> None:
        channels = self.settings.predictors * 5 + self.num_classes
        fits = raw.dim() == 4 and raw.shape[-1] == channels and len(boxes) == len(raw)
        if not fits or boxes.shape != (*labels.shape, 4):
            shapes = f"raw {tuple(raw.shape)}, boxes {tuple(boxes.shape)}, labels {tuple(labels.shape)}"
            raise ValueError(f"{shapes}: expected (N, H, W, {channels}), (N, B, 4) and (N, B)")


def cells_of(truth: Tensor, valid: Tensor, per_picture: int, h: int, w: int) -> tuple[Tensor, Tensor]:
    """Which cell each truth falls into, and whether the cell learns it: the first truth in a cell is the one.

    truth (M, 4) cxcywh in cells, `per_picture` rows for each picture, valid (M,) -> flat position in (N, H, W) and
    taught, both (M,).
    """
    order = torch.arange(len(truth), device=truth.device)  # (M,)
    row, column = cell_of(truth, h, w)
    cell = (order // max(per_picture, 1) * h + row) * w + column  # (M,)
    last = len(truth)
    first = torch.full((max(last // max(per_picture, 1), 1) * h * w,), last, device=truth.device)
    first = first.scatter_reduce(0, cell, order.masked_fill(~valid, last), "amin")
    return cell, valid & (first[cell] == order)


def responsible(candidates: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The predictor of its cell that answers for a truth: boxes (M, P, 4), truth (M, 4), both cxcywh in one unit.

    Returns its number (M,) and its IoU with the truth (M,).
    """
    overlap = pairwise_iou(cxcywh_to_xyxy(candidates), cxcywh_to_xyxy(truth)[:, None])  # (M, P)
    distance = (candidates - truth[:, None]).square().sum(-1)  # (M, P)
    best = torch.where(overlap.amax(-1, keepdim=True) > 0, overlap, -distance).argmax(-1)  # (M,)
    return best, overlap.gather(1, best[:, None])[:, 0]
