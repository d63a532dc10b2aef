"""Anchors (priors): dimension clusters, and the published ones.

Anchors are (width, height) in grid cells of 32 pixels everywhere, as in the paper; `to_pixels` and `from_pixels`
convert.
Shape letters: B boxes, K anchors.
"""

from dataclasses import dataclass

import numpy as np
import torch

STRIDE = 32  # pixels to a cell: five halvings
LARGE = 20_000
LARGEST_CELLS = 40.0  # a 1280-pixel picture has 40 cells; anything above can only be pixels

# From the published configuration files; VOC's five are also drawn in the paper's figure 2.
PRESETS = {
    "voc": ((1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071)),
    "coco": ((0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828)),
    "yolo9000": ((0.77871, 1.14074), (3.00525, 4.31277), (9.22725, 9.61974)),
}

# Chosen without looking at any data, in the manner of Faster R-CNN (section 3.1.1: scales that double, ratios 1:1, 1:2
# and 2:1): squares of 1, 2 and 4 cells, and as large as the middle one, twice as high and twice as wide.
HAND_PICKED = ((1.0, 1.0), (2.0, 2.0), (2**0.5, 2 * 2**0.5), (2 * 2**0.5, 2**0.5), (4.0, 4.0))


@dataclass(frozen=True)
class Clusters:
    """What k-means found: anchors (K, 2) smallest area first, mean overlap, and how it got there."""

    anchors: np.ndarray  # (K, 2) width, height in the unit of the boxes given
    average_iou: float  # mean over boxes of the overlap with the closest anchor
    assignment: np.ndarray  # (B,) the anchor of every box
    history: list[np.ndarray]  # anchors (K, 2) before each iteration and after the last, in the order of `anchors`


def _closest(sizes: torch.Tensor, anchors: torch.Tensor, chunk: int = 16_384) -> tuple[torch.Tensor, torch.Tensor]:
    """Overlap (B,) with the closest anchor and its number (B,); in pieces that fit the processor's cache.

    The arithmetic of `boxes.shape_iou` with the boxes last, where a processor is fastest; the tests compare the two.
    """
    width, height = anchors[:, :1], anchors[:, 1:]  # (K, 1) each
    pieces = []
    for w, h in sizes.T.contiguous().split(chunk, dim=1):
        shared = torch.minimum(w, width).mul_(torch.minimum(h, height))  # (K, B)
        pieces.append(shared.div_((w * h + width * height).sub_(shared)).max(dim=0))
    return torch.cat([p.values for p in pieces]), torch.cat([p.indices for p in pieces])


def _check_sizes(sizes, k: int = 1) -> torch.Tensor:
    sizes = torch.as_tensor(np.asarray(sizes), dtype=torch.float64)
    if sizes.dim() != 2 or sizes.shape[1] != 2:
        raise ValueError(f"sizes must be (B, 2), width and height; found shape {tuple(sizes.shape)}")
    bad = ~(torch.isfinite(sizes) & (sizes > 0)).all(dim=1)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise ValueError(f"box {row} has size {sizes[row].tolist()}: width and height must be above 0 and finite")
    if k < 1:
        raise ValueError(f"k, the number of clusters, must be at least 1, not {k}")
    distinct = len(torch.unique(sizes, dim=0)) if k > 1 else len(sizes)
    if k > distinct:
        raise ValueError(f"k = {k} clusters need at least {k} different box sizes; found {distinct}")
    return sizes


def average_iou(sizes, anchors) -> float:
    """Mean over boxes (B, 2) of the overlap with the closest of the anchors (K, 2), same unit (paper, table 1)."""
    anchors = torch.as_tensor(np.asarray(anchors), dtype=torch.float64)
    return float(_closest(_check_sizes(sizes), anchors)[0].mean())


def dimension_clusters(sizes, k: int, seed: int = 0, restarts: int = 3, max_iterations: int = 300) -> Clusters:
    """k-means over box sizes (B, 2) with the distance 1 - IoU (YOLO9000, section 2, "Dimension Clusters").

    The centre of a cluster is the mean of its sizes. Starts as k-means++ does, with the same distance; a cluster that
    loses all its boxes is moved to the box that its anchor fits worst. Of `restarts` starts the best is kept. Same
    seed, same result. Above LARGE boxes the starts are tried on a sample, and the best goes on with all. Raises
    ValueError for sizes that are not above 0, or fewer different sizes than clusters.
    """
    sizes = _check_sizes(sizes, k)
    generator = torch.Generator().manual_seed(seed)
    sample = sizes
    if len(sizes) > LARGE:
        sample = sizes[torch.randint(len(sizes), (LARGE,), generator=generator)]
    runs = [_lloyd(sample, _plus_plus(sample, k, generator), max_iterations) for _ in range(restarts)]
    best = max(runs, key=lambda run: run.average_iou)
    return best if sample is sizes else _lloyd(sizes, torch.from_numpy(best.anchors), max_iterations)


def _plus_plus(sizes: torch.Tensor, k: int, generator: torch.Generator) -> torch.Tensor:
    """k-means++ start: each next centre is a box, drawn with a chance that grows with its squared distance."""
    # A multinomial draw over millions is slow and limited to 2**24 rows; the cumulative sum has neither fault.
    weight, chosen = torch.ones(len(sizes), dtype=torch.float64), []
    for _ in range(k):
        cumulative = weight.cumsum(0)
        point = torch.rand((), generator=generator, dtype=torch.float64) * cumulative[-1]
        index = int(torch.searchsorted(cumulative, point, right=True).clamp(max=len(sizes) - 1))
        chosen.append(sizes[index])
        weight = (1 - _closest(sizes, torch.stack(chosen))[0]).clamp(min=0).square()
    return torch.stack(chosen)


def _lloyd(sizes: torch.Tensor, anchors: torch.Tensor, max_iterations: int) -> Clusters:
    """Assign, average, repeat, until no box changes its cluster and none is empty."""
    k, history, previous = len(anchors), [anchors], None
    for _ in range(max_iterations):
        overlap, assignment = _closest(sizes, anchors)
        counts = torch.bincount(assignment, minlength=k)
        # An empty cluster goes on: it may have been moved to the only box of another one, and still be empty.
        if previous is not None and counts.all() and torch.equal(assignment, previous):
            break
        previous = assignment
        sums = torch.stack([torch.bincount(assignment, sizes[:, i], minlength=k) for i in range(2)], dim=1)  # (K, 2)
        anchors = sums / counts.clamp(min=1)[:, None]
        empty = (counts == 0).nonzero().flatten()
        if len(empty):
            anchors[empty] = sizes[overlap.topk(len(empty), largest=False).indices]
        history.append(anchors)
    order = anchors.prod(dim=1).argsort()
    overlap, assignment = _closest(sizes, anchors[order])
    return Clusters(
        anchors[order].numpy(), float(overlap.mean()), assignment.numpy(), [step[order].numpy() for step in history]
    )


def iou_curve(sizes, ks, seed: int = 0) -> list[float]:
    """Average IoU for each number of clusters in `ks` (the paper's figure 2, left)."""
    return [dimension_clusters(sizes, k, seed).average_iou for k in ks]


def to_pixels(anchors) -> np.ndarray:
    """Anchors (K, 2) in cells -> pixels of the network's input."""
    return np.asarray(anchors, dtype=np.float64) * STRIDE


def from_pixels(anchors) -> np.ndarray:
    """Anchors (K, 2) in pixels of the network's input -> cells."""
    return np.asarray(anchors, dtype=np.float64) / STRIDE


def check_cells(anchors) -> np.ndarray:
    """Anchors (K, 2) in cells, as float64. Raises ValueError for values that can only be pixels, or are not above 0."""
    anchors = np.asarray(anchors, dtype=np.float64)
    if anchors.ndim != 2 or anchors.shape[1] != 2 or not len(anchors):
        raise ValueError(f"anchors must be pairs (width, height); found shape {anchors.shape}")
    if not (np.isfinite(anchors) & (anchors > 0)).all():
        raise ValueError(f"anchors must be above 0 and finite; found {anchors.tolist()}")
    if anchors.max() > LARGEST_CELLS:
        raise ValueError(
            f"anchor size {anchors.max():g} is above {LARGEST_CELLS:g} grid cells, so it seems to be in pixels; "
            f"anchors are in cells of {STRIDE} pixels: convert with anchors.from_pixels"
        )
    return anchors
