"""Boxes: formats and overlaps.

Shape letters: A, B numbers of boxes; "..." any leading batch dimensions.
Outside `grid.py` a box is (x1, y1, x2, y2) in pixels of the picture it belongs to, with x2 and y2 exclusive, so that
width = x2 - x1. A function that changes the format says so in its name.
"""

import torch
from torch import Tensor
from torchvision.ops import box_convert, clip_boxes_to_image


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centre and size to corners: (..., 4) -> (..., 4), same unit."""
    return box_convert(boxes, "cxcywh", "xyxy")


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Corners to centre and size: (..., 4) -> (..., 4), same unit."""
    return box_convert(boxes, "xyxy", "cxcywh")


def area(boxes: Tensor) -> Tensor:
    """Areas (...) of xyxy boxes (..., 4); a box turned inside out has area 0."""
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return size[..., 0] * size[..., 1]


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of matching pairs: xyxy (..., 4) and (..., 4) -> (...).

    The shapes broadcast. Two empty boxes have IoU 0, not nan.
    """
    ax1, ay1, ax2, ay2 = a.unbind(-1)
    bx1, by1, bx2, by2 = b.unbind(-1)
    width = (torch.minimum(ax2, bx2) - torch.maximum(ax1, bx1)).clamp(min=0)
    height = (torch.minimum(ay2, by2) - torch.maximum(ay1, by1)).clamp(min=0)
    shared = width * height
    union = area(a) + area(b) - shared
    return shared / union.clamp(min=torch.finfo(union.dtype).tiny)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of every box in `a` with every one in `b`: xyxy (..., A, 4), (..., B, 4) -> (..., A, B)."""
    return pairwise_iou(a[..., :, None, :], b[..., None, :, :])


def shape_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes that share a centre, from sizes (width, height) alone: (..., A, 2), (..., B, 2) -> (..., A, B).

    The overlap behind dimension clusters, d(box, centroid) = 1 - IoU (YOLO9000, section 2, "Dimension Clusters").
    """
    shared = torch.minimum(a[..., :, None, :], b[..., None, :, :]).prod(-1)
    union = a.prod(-1)[..., :, None] + b.prod(-1)[..., None, :] - shared
    return shared / union.clamp(min=torch.finfo(union.dtype).tiny)


def clip(boxes: Tensor, width: int, height: int) -> Tensor:
    """Cuts xyxy boxes (..., 4) off at the borders of a picture of `width` x `height` pixels."""
    return clip_boxes_to_image(boxes, (height, width))


def is_degenerate(boxes: Tensor) -> Tensor:
    """True (...) where an xyxy box (..., 4) has no area: no width, no height, inside out, or not finite."""
    size = boxes[..., 2:] - boxes[..., :2]
    return ~(torch.isfinite(boxes).all(-1) & (size > 0).all(-1))
