"""Raw head output <-> boxes. The one file that works in grid cells.

Shape letters: N batch, A anchors, C class scores, H W grid rows and columns, B truths of a picture (padded), M = N * B.

The head of YOLOv2 puts out A * (5 + C) channels per cell, anchor by anchor: tx, ty, tw, th, to, then C class scores.
With (cx, cy) the cell's column and row and (pw, ph) the anchor, all in cells (YOLO9000, section 2, figure 3):

    bx = sigmoid(tx) + cx      bw = pw * exp(tw)      objectness = sigmoid(to)
    by = sigmoid(ty) + cy      bh = ph * exp(th)

Before that the paper's authors tried the location formula of region proposal networks; it is here as location "offset":

    bx = tx * pw + cx + 1/2    by = ty * ph + cy + 1/2
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from yolocourse.anchors import STRIDE
from yolocourse.boxes import cxcywh_to_xyxy, shape_iou, xyxy_to_cxcywh

LARGEST_LOG_SIZE = 15.0  # exp(15) cells is far outside any picture, and its square is still finite in float32


class Location(NamedTuple):
    """How the outputs tx, ty become a centre. All functions work on (..., 2); anchors are sizes in cells."""

    value: Callable[[Tensor], Tensor]  # tx, ty -> what the loss compares with its target
    centre: Callable[[Tensor, Tensor], Tensor]  # value, anchor -> centre in cells from the corner of the cell
    target: Callable[[Tensor, Tensor], Tensor]  # the inverse: centre in cells from the corner, anchor -> value
    middle: float  # the value of a box in the middle of its cell


# "sigmoid": YOLOv2's; no output leaves the cell. "offset": Faster R-CNN's (section 3.1.2), tx = (x - xa) / wa with the
# anchor's centre xa in the middle of the cell, so a box may land anywhere. YOLO9000, section 2, prints the inverse as
# x = (tx * wa) - xa; the minus is a misprint.
LOCATIONS = {
    "sigmoid": Location(torch.sigmoid, lambda value, anchor: value, lambda centre, anchor: centre, 0.5),
    "offset": Location(
        lambda t: t, lambda value, anchor: 0.5 + value * anchor, lambda centre, anchor: (centre - 0.5) / anchor, 0.0
    ),
}


def find_location(name: str) -> Location:
    """The location formula of that name. Raises ValueError for an unknown one."""
    if name not in LOCATIONS:
        raise ValueError(f"location must be one of {', '.join(LOCATIONS)}; not {name!r}")
    return LOCATIONS[name]


class Predictions(NamedTuple):
    """A head's output, taken apart; sigmoid applied where the network's output goes through one."""

    xy: Tensor  # (N, A, H, W, 2) centre within the cell, 0 to 1; with location "offset" tx, ty as they are
    wh: Tensor  # (N, A, H, W, 2) log of size over anchor, not activated
    objectness: Tensor  # (N, A, H, W) 0 to 1
    scores: Tensor  # (N, A, H, W, C) class scores, not activated


class Decoded(NamedTuple):
    """Every box of every picture, in pixels of the network's input; A * H * W boxes a picture, anchor-major."""

    boxes: Tensor  # (N, A*H*W, 4) xyxy
    objectness: Tensor  # (N, A*H*W) 0 to 1
    scores: Tensor  # (N, A*H*W, C) class scores, not activated


class Assignment(NamedTuple):
    """Which anchor of which cell answers for which truth; M = N * B rows, padding included."""

    index: Tensor  # (M,) flat position in (N, A, H, W)
    place: tuple[Tensor, Tensor, Tensor, Tensor]  # the same as picture, anchor, row and column, (M,) each
    anchor: Tensor  # (M,) anchor number
    responsible: Tensor  # (M,) bool: a truth, and not displaced by a later one with the same cell and anchor
    taken: Tensor  # (N, A, H, W) bool: some truth is answered for here


def split(raw: Tensor, num_anchors: int, location: str = "sigmoid") -> Predictions:
    """Takes a raw head output (N, A*(5+C), H, W) apart, in float32 at least. location: a name in LOCATIONS.

    Raises ValueError when the channels cannot be shared out among `num_anchors` anchors, or for an unknown location.
    """
    channels = raw.shape[1]
    if channels % num_anchors or channels // num_anchors < 6:
        raise ValueError(f"{channels} channels cannot be {num_anchors} anchors of 5 + C values each, with C at least 1")
    # Views all along, whatever the layout in memory. Backwards it is one pass over all scores, and the gradient lies as
    # the network's do, channels innermost, because the anchors move to the front only after the split.
    x = raw if raw.dtype == torch.float64 else raw.float()
    x = x.permute(0, 2, 3, 1).unflatten(-1, (num_anchors, -1))  # (N, H, W, A, 5+C)
    parts = x.split([2, 2, 1, x.shape[-1] - 5], dim=-1)
    xy, wh, objectness, scores = (part.permute(0, 3, 1, 2, 4) for part in parts)  # (N, A, H, W, 2), ...
    return Predictions(find_location(location).value(xy), wh, objectness.squeeze(-1).sigmoid(), scores)


def decode_cells(predictions: Predictions, anchors: Tensor, location: str = "sigmoid") -> Tensor:
    """Boxes (N, A, H, W, 4) as cx, cy, w, h in grid cells. `anchors` is (A, 2) in cells."""
    h, w = predictions.objectness.shape[-2:]
    rows = torch.arange(h, device=anchors.device, dtype=torch.float32)
    columns = torch.arange(w, device=anchors.device, dtype=torch.float32)
    corner = torch.stack([columns.expand(h, w), rows[:, None].expand(h, w)], dim=-1)  # (H, W, 2)
    priors = anchors[:, None, None, :]  # (A, 1, 1, 2)
    size = priors * predictions.wh.clamp(max=LARGEST_LOG_SIZE).exp()  # (N, A, H, W, 2)
    centre = find_location(location).centre(predictions.xy, priors) + corner  # (N, A, H, W, 2)
    return torch.cat([centre, size], dim=-1)  # (N, A, H, W, 4)


def decode(raw: Tensor, anchors: Tensor, stride: int = STRIDE, location: str = "sigmoid") -> Decoded:
    """Raw head output (N, A*(5+C), H, W) and anchors (A, 2) in cells -> boxes in pixels of the network's input.

    stride: pixels to a cell; 32 in every network of the paper. location: "sigmoid", or "offset" (see the top).
    """
    predictions = split(raw, len(anchors), location)
    boxes = cxcywh_to_xyxy(decode_cells(predictions, anchors.float(), location) * stride)  # (N, A, H, W, 4)
    return Decoded(boxes.flatten(1, 3), predictions.objectness.flatten(1, 3), predictions.scores.flatten(1, 3))


def cell_of(truth: Tensor, h: int, w: int) -> tuple[Tensor, Tensor]:
    """Row and column (each (...), integer) of the cell that holds the centre of cxcywh boxes (..., 4) in cells.

    A centre exactly on the right or bottom border belongs to the last cell.
    """
    return truth[..., 1].long().clamp(0, h - 1), truth[..., 0].long().clamp(0, w - 1)


def encode(
    truth: Tensor, row: Tensor, column: Tensor, anchors: Tensor, location: str = "sigmoid"
) -> tuple[Tensor, Tensor]:
    """What the network should have put out for a truth: the inverse of `decode_cells`.

    truth (M, 4) cxcywh in cells, row and column (M,) of its cell, anchors (M, 2) in cells, one for each truth
    -> sigmoid(txy) (M, 2), or txy where location is "offset", and twh (M, 2). Sizes under a thousandth of a cell count
    as a thousandth.
    """
    corner = torch.stack([column, row], dim=-1).to(truth.dtype)
    xy = find_location(location).target(truth[:, :2] - corner, anchors)
    return xy, (truth[:, 2:].clamp(min=1e-3) / anchors).log()


def to_cells(boxes: Tensor, stride: int = STRIDE) -> Tensor:
    """xyxy in pixels of the network's input (..., 4) -> cxcywh in cells of `stride` pixels (..., 4)."""
    return xyxy_to_cxcywh(boxes.float()) / stride


def assign(truth: Tensor, valid: Tensor, sizes: Tensor, h: int, w: int) -> Assignment:
    """Makes one anchor of one cell responsible for each truth (YOLO9000, section 2; Darknet's region layer).

    The cell is the one that holds the centre; the anchor is the one whose size overlaps the truth's most when both
    share a centre. `truth` (N, B, 4) cxcywh in cells, `valid` (N, B) False on padding, `sizes` the sizes to match
    against: anchors (A, 2), or predicted sizes (N, A, H, W, 2), in cells. Where two truths fall on the same anchor of
    the same cell the later one wins, as in Darknet.
    """
    n, b = valid.shape
    a = sizes.shape[-2] if sizes.dim() == 2 else sizes.shape[1]
    image = torch.arange(n, device=truth.device).repeat_interleave(b)  # (M,)
    row, column = (x.flatten() for x in cell_of(truth, h, w))  # (M,) each
    candidates = sizes if sizes.dim() == 2 else sizes[image, :, row, column]  # (A, 2) or (M, A, 2)
    overlap = shape_iou(truth.reshape(n * b, 1, 2 + 2)[..., 2:], candidates).squeeze(1)  # (M, A)
    anchor = overlap.argmax(dim=1)  # (M,)
    index = ((image * a + anchor) * h + row) * w + column  # (M,)

    # Last one wins: every position remembers the highest truth number that fell on it.
    order = torch.where(valid.flatten(), torch.arange(n * b, device=truth.device), -1)  # (M,)
    winner = torch.full((n * a * h * w,), -1, device=truth.device).scatter_reduce(0, index, order, "amax")
    responsible = valid.flatten() & (winner[index] == order)  # (M,)
    return Assignment(index, (image, anchor, row, column), anchor, responsible, (winner >= 0).view(n, a, h, w))
