"""What kind of errors a detector makes: every detection, and every truth that was missed, by its cause.

The kinds are those of Hoiem, Chodpathumwan and Dai, "Diagnosing Error in Object Detectors" (ECCV 2012), in the form in
which the YOLO paper uses them (Redmon et al., CVPR 2016, section 4.2 and figure 4): for each class, of as many
detections as it has truths, the ones with the highest scores,

    correct        right class, IoU with a truth of 0.5 or more
    localisation   right class, IoU from 0.1 to 0.5, or a truth that a better detection has found already
    similar        IoU of 0.1 or more with a truth of another class, and the two classes are similar
    other          the same, with a class that is not similar
    background     IoU under 0.1 with every truth

Predictions and targets are those of `metrics.voc_ap`. Shape letters: B boxes of one picture, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from yolocourse.boxes import iou
from yolocourse.metrics import check_samples, difficult_flags, exact

KINDS = ("correct", "localisation", "similar", "other", "background")
CORRECT, LOCALISATION, SIMILAR, OTHER, BACKGROUND = range(5)
LEFT_OUT = -1  # not among the best of its class, or on a difficult truth
FOUND_IOU, TOUCHED_IOU = 0.5, 0.1


@dataclass(frozen=True)
class ErrorAnalysis:
    """The kinds of errors, counted by class and noted for each box."""

    counts: np.ndarray  # (C, 5) detections of each class by kind, columns as in KINDS
    num_truths: np.ndarray  # (C,) truths that count: not difficult
    missed: np.ndarray  # (C,) of them, those without a correct detection
    kinds: list[Tensor]  # a picture: (B,) kind of each detection, LEFT_OUT where it is not counted
    missed_truths: list[Tensor]  # a picture: (B,) bool, truths that count and were missed

    @property
    def shares(self) -> np.ndarray:
        """(C, 5) kinds as shares of each class's detections; nan for a class without one."""
        total = self.counts.sum(axis=1, keepdims=True)
        return np.where(total > 0, self.counts / np.maximum(total, 1), np.nan)

    @property
    def mean_shares(self) -> np.ndarray:
        """(5,) mean of `shares` over the classes that have detections, as in the YOLO paper; nan where none has."""
        shares = self.shares[self.counts.sum(axis=1) > 0]
        return shares.mean(axis=0) if len(shares) else np.full(len(KINDS), np.nan)


def analyse_errors(
    predictions: Sequence[dict[str, Tensor]],
    targets: Sequence[dict[str, Tensor]],
    num_classes: int,
    similar: Sequence[Sequence[int]] = (),
) -> ErrorAnalysis:
    """Sorts the best detections of each class by kind, as many as the class has truths.

    similar: groups of labels that are easily taken for each other, such as the animals; no label in two of them.
    A detection whose class overlaps a difficult truth most, by 0.5 or more, is left out, as `voc_ap` does; the next one
    takes its place. Raises ValueError for lists of different lengths and labels outside 0 .. C-1.
    """
    check_samples(predictions, targets, num_classes)
    group = _groups(similar, num_classes)
    kinds, found = [torch.full((len(p["labels"]),), LEFT_OUT) for p in predictions], []
    missed_truths = [~difficult_flags(target) for target in targets]
    overlaps = [iou(exact(p["boxes"]), exact(t["boxes"])) for p, t in zip(predictions, targets, strict=True)]
    num_truths = _count(targets, missed_truths, num_classes)
    for image, prediction in enumerate(predictions):
        rows = zip(prediction["scores"].double().tolist(), prediction["labels"].tolist(), strict=True)
        found += [(-score, image, k, label) for k, (score, label) in enumerate(rows)]
    counts = np.zeros((num_classes, len(KINDS)), dtype=np.int64)
    for _, image, k, label in sorted(found):  # best first; among equals the order of pictures, then of detections
        if counts[label].sum() == num_truths[label]:
            continue
        target, free = targets[image], missed_truths[image]
        kind, truth = _kind(overlaps[image][k], label, target, free, group)
        if truth is not None:
            free[truth] = False
        if kind != LEFT_OUT:
            kinds[image][k] = kind
            counts[label, kind] += 1
    missed = _count(targets, missed_truths, num_classes)
    return ErrorAnalysis(counts, num_truths, missed, kinds, missed_truths)


def _kind(overlap: Tensor, label: int, target: dict, free: Tensor, group: list[int]) -> tuple[int, int | None]:
    """Kind of one detection, and the truth that it finds. overlap (B,): with the truths; free (B,): not found yet."""
    if not len(overlap):
        return BACKGROUND, None
    own = target["labels"] == label
    mine = torch.where(own, overlap, -1.0)
    best = int(mine.numpy().argmax())  # the first of equals, as in voc_ap
    if mine[best] >= FOUND_IOU:
        if difficult_flags(target)[best]:
            return LEFT_OUT, None
        return (CORRECT, best) if free[best] else (LOCALISATION, None)
    if mine[best] >= TOUCHED_IOU:
        return LOCALISATION, None
    theirs = torch.where(own, -1.0, overlap)
    nearest = int(theirs.numpy().argmax())
    if theirs[nearest] < TOUCHED_IOU:
        return BACKGROUND, None
    return (SIMILAR if group[label] == group[int(target["labels"][nearest])] else OTHER), None


def _groups(similar: Sequence[Sequence[int]], num_classes: int) -> list[int]:
    """A number for each class, the same for similar ones."""
    group = list(range(num_classes))
    for number, labels in enumerate(similar):
        for label in labels:
            if not 0 <= label < num_classes:
                raise ValueError(f"similar has label {label}, outside 0 .. {num_classes - 1}")
            if group[label] != label:
                raise ValueError(f"label {label} is in two groups of similar classes; a class belongs to one at most")
            group[label] = num_classes + number
    return group


def _count(targets: Sequence[dict], chosen: Sequence[Tensor], num_classes: int) -> np.ndarray:
    """How many of the chosen truths each class has: (C,)."""
    counts = np.zeros(num_classes, dtype=np.int64)
    for target, which in zip(targets, chosen, strict=True):
        counts += np.bincount(target["labels"][which].numpy(), minlength=num_classes)
    return counts
