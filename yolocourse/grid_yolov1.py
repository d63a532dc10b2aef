"""The first YOLO's raw output <-> boxes (YOLO, section 2), side by side; `grid.py` is the same for YOLOv2.

Shape letters: N batch, H W grid rows and columns, P predictors of one cell (the paper's B), C classes, M any number of
truths.

A cell puts out P * 5 + C numbers: x, y, root w, root h, confidence for each predictor, then one probability for each
class. All are linear; with (column, row) of the cell:

    centre = (column + x, row + y) in cells       width = (root w)^2, height = (root h)^2, as shares of the picture

The paper's formula takes square roots of predicted sizes, which a negative prediction does not have. So, as in Darknet
(`sqrt=1` in its configuration), the network puts out the roots themselves.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from yolocourse.boxes import cxcywh_to_xyxy
from yolocourse.grid import STRIDE, Decoded, cell_of

PREDICTORS = 2
LARGEST_ROOT = 100.0  # 10,000 times the picture: nothing real, and its square is still harmless in float32
SMALLEST_PROBABILITY = 1e-4  # the class outputs are linear and may fall to 0 or below, where there is no logarithm


class Predictions(NamedTuple):
    """A raw output, taken apart; nothing is activated."""

    xy: Tensor  # (N, H, W, P, 2) centre within the cell, in cells
    root: Tensor  # (N, H, W, P, 2) square roots of width and height as shares of the picture
    confidence: Tensor  # (N, H, W, P) objectness times IoU, meant to be 0 to 1
    classes: Tensor  # (N, H, W, C) class probabilities, meant to be 0 to 1; one set for the whole cell


def split(raw: Tensor, predictors: int = PREDICTORS) -> Predictions:
    """Takes a raw output (N, H, W, P*5 + C) apart, in float32. Raises ValueError when no class is left."""
    if raw.dim() != 4 or raw.shape[-1] <= predictors * 5:
        raise ValueError(f"expected (N, H, W, {predictors}*5 + C) with C at least 1, found {tuple(raw.shape)}")
    boxes, classes = raw.float().split([predictors * 5, raw.shape[-1] - predictors * 5], dim=-1)
    boxes = boxes.unflatten(-1, (predictors, 5))  # (N, H, W, P, 5)
    return Predictions(boxes[..., 0:2], boxes[..., 2:4], boxes[..., 4], classes)


def decode_cells(predictions: Predictions) -> Tensor:
    """Boxes (N, H, W, P, 4) as cx, cy, w, h in grid cells."""
    h, w = predictions.confidence.shape[1:3]
    rows, columns = (torch.arange(k, device=predictions.xy.device, dtype=torch.float32) for k in (h, w))
    corner = torch.stack([columns.expand(h, w), rows[:, None].expand(h, w)], dim=-1)  # (H, W, 2)
    size = predictions.root.clamp(-LARGEST_ROOT, LARGEST_ROOT).square() * corner.new_tensor([w, h])
    return torch.cat([predictions.xy + corner[:, :, None], size], dim=-1)  # (N, H, W, P, 4)


def decode(raw: Tensor, predictors: int = PREDICTORS) -> Decoded:
    """Raw output (N, H, W, P*5 + C) -> boxes (N, H*W*P, 4) in pixels of the network's input, as `grid.decode` has them.

    YOLO trains class probabilities by squared error, without a softmax. What a label space takes are scores that go
    through one, so the scores here are logarithms: softmax(log p) = p / sum(p). The objectness is the confidence
    times that sum, both cut to 0 ... 1, so that objectness times probability is the paper's confidence * p (section 2,
    equation 1).
    """
    predictions = split(raw, predictors)
    boxes = cxcywh_to_xyxy(decode_cells(predictions) * STRIDE)  # (N, H, W, P, 4)
    classes = predictions.classes.clamp(SMALLEST_PROBABILITY, 1)  # (N, H, W, C)
    confidence = predictions.confidence.clamp(0, 1) * classes.sum(-1, keepdim=True).clamp(max=1)  # (N, H, W, P)
    scores = classes.log()[:, :, :, None].expand(-1, -1, -1, predictors, -1)  # (N, H, W, P, C)
    return Decoded(boxes.flatten(1, 3), confidence.flatten(1), scores.flatten(1, 3))


def encode(truth: Tensor, h: int, w: int) -> tuple[Tensor, Tensor]:
    """What a predictor should have put out for a truth: the inverse of `decode_cells`.

    truth (M, 4) cxcywh in cells, on a grid of h rows and w columns -> xy (M, 2) and root (M, 2).
    """
    row, column = cell_of(truth, h, w)
    corner = torch.stack([column, row], dim=-1).to(truth.dtype)
    return truth[:, :2] - corner, (truth[:, 2:].clamp(min=0) / truth.new_tensor([w, h])).sqrt()
