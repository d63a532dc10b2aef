"""How good detections are: average precision as Pascal VOC and COCO measure it, and top-k accuracy.

A prediction is {"boxes": (B, 4), "scores": (B,), "labels": (B,)}, a target {"boxes": (B, 4), "labels": (B,),
"difficult": (B,), optional}: one of each per picture, on the CPU, boxes xyxy in the same pixels.

Shape letters: B boxes of one picture, C classes, K detections of one class in all pictures.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from yolocourse.boxes import iou

METHODS = ("area", "11point")


@dataclass(frozen=True)
class VocResult:
    """Average precision per class and what it was computed from. Classes without a truth have nan and no curve."""

    ap: np.ndarray  # (C,) 0 to 1
    mean: float  # mAP over the classes that have truths; nan if none has
    recall: np.ndarray  # (C,) share of the truths found by all detections together
    mean_recall: float
    curves: list[tuple[np.ndarray, np.ndarray, np.ndarray]]  # a class: recall, precision, score (K,), best first
    num_truths: np.ndarray  # (C,) truths that count: not difficult


def average_precision(recall: np.ndarray, precision: np.ndarray, method: str = "area") -> float:
    """One number for a precision-recall curve (K,), recall rising: VOC's average precision, 0 to 1.

    "11point": mean over recall 0, 0.1 ... 1 of the best precision at that recall or beyond (VOC 2007).
    "area": area under the curve once it is made falling (VOC 2010 and later).
    An empty curve gives 0. Raises ValueError for another method.
    """
    recall, precision = np.asarray(recall, dtype=np.float64), np.asarray(precision, dtype=np.float64)
    if method == "11point":
        # Tenths by division: linspace's 0.30000000000000004 would miss a recall of exactly 3/10.
        return float(np.mean([precision[recall >= tenth / 10].max(initial=0.0) for tenth in range(11)]))
    if method != "area":
        raise ValueError(f"unknown method {method!r} for average precision; known: {', '.join(METHODS)}")
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * falling).sum())


def voc_ap(
    predictions: Sequence[dict[str, Tensor]],
    targets: Sequence[dict[str, Tensor]],
    num_classes: int,
    iou_threshold: float = 0.5,
    method: str = "area",
) -> VocResult:
    """Average precision by the rules of the VOC development kit (VOCevaldet.m).

    A detection belongs to the truth of its class and picture that it overlaps most. It is right if that IoU is at
    least `iou_threshold` and no better scored one took the same truth before; wrong otherwise, so a second detection of
    one thing is wrong. If the truth is difficult, the detection counts as neither, and nothing is expected to find it.
    Among equal scores the order of pictures, then of detections, decides.
    The kit counts pixels inclusively (width = xmax - xmin + 1); with x2 and y2 exclusive, as here, that is x2 - x1.
    Raises ValueError for lists of different lengths, labels outside 0 .. C-1, and an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r} for average precision; known: {', '.join(METHODS)}")
    check_samples(predictions, targets, num_classes)
    found = _match(predictions, targets, iou_threshold)
    counts = np.zeros(num_classes, dtype=np.int64)
    for target in targets:
        counts += np.bincount(target["labels"][~difficult_flags(target)].numpy(), minlength=num_classes)
    ap, final = np.full(num_classes, np.nan), np.full(num_classes, np.nan)
    curves = []
    for c in range(num_classes):
        mine = found["label"] == c
        right, wrong = (np.cumsum(found[verdict][mine]) for verdict in ("right", "wrong"))
        precision = right / np.maximum(right + wrong, 1)  # only difficult ones so far: 0, where the kit has nan
        if counts[c] == 0:
            curves.append((np.empty(0), np.empty(0), np.empty(0)))
            continue
        recall = right / counts[c]
        curves.append((recall, precision, found["score"][mine]))
        ap[c] = average_precision(recall, precision, method)
        final[c] = recall[-1] if len(recall) else 0.0
    return VocResult(ap, _mean(ap), final, _mean(final), curves, counts)


def _match(predictions: Sequence[dict], targets: Sequence[dict], iou_threshold: float) -> dict[str, np.ndarray]:
    """All detections, best score first: label, score, and whether right, wrong (or neither)."""
    labels, scores, truths, difficult = [], [], [], []
    first = 0  # truths are numbered through all pictures
    for prediction, target in zip(predictions, targets, strict=True):
        count, kinds = len(target["boxes"]), prediction["labels"]
        labels.append(kinds.numpy())
        scores.append(prediction["scores"].double().numpy())
        best = torch.full((len(kinds),), -1)
        hard = torch.zeros(len(kinds), dtype=torch.bool)
        if count and len(kinds):
            overlap = iou(exact(prediction["boxes"]), exact(target["boxes"]))  # (K, B)
            overlap[kinds[:, None] != target["labels"][None]] = -1
            # numpy's argmax takes the first of equals, as the kit does; torch's does not promise to.
            at = torch.from_numpy(overlap.numpy().argmax(axis=1))
            hit = overlap.gather(1, at[:, None])[:, 0] >= iou_threshold
            best[hit] = at[hit] + first
            hard[hit] = difficult_flags(target)[at[hit]]
        truths.append(best.numpy())
        difficult.append(hard.numpy())
        first += count
    label, score, truth, hard = (_joined(values) for values in (labels, scores, truths, difficult))
    order = np.argsort(-score, kind="stable")
    label, score, truth, hard = label[order], score[order], truth[order], hard.astype(bool)[order]
    taken_first = np.zeros(len(truth), dtype=bool)
    taken_first[np.unique(truth, return_index=True)[1]] = True
    right = (truth >= 0) & taken_first & ~hard
    return {"label": label, "score": score, "right": right, "wrong": ~right & ~hard}


def coco_ap(predictions: Sequence[dict], targets: Sequence[dict], num_classes: int) -> dict[str, float | np.ndarray]:
    """COCO's average precision through pycocotools: IoU 0.50 to 0.95, 101 recall points, at most 100 boxes a picture.

    Returns {"AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR100", "per_class": AP (C,)}, 0 to 1, nan
    where there is no such truth. Small is under 32 x 32 pixels, large over 96 x 96, by area of the box (COCO's own
    numbers go by area of the outline, so those three differ a little).
    Difficult truths are handed over as crowds, the only kind that pycocotools leaves out of the count: detections on
    them are neither right nor wrong, where the overlap is the share of the *detection* that lies in the crowd.
    Raises ValueError as `voc_ap` does.
    """
    check_samples(predictions, targets, num_classes)
    # Imported here: it takes a moment, and only evaluation needs it.
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = COCO(), COCO()
    images = [{"id": i} for i in range(len(targets))]
    categories = [{"id": c} for c in range(num_classes)]
    truth.dataset = {"images": images, "categories": categories, "annotations": _coco_boxes(targets)}
    found.dataset = {"images": images, "categories": categories, "annotations": _coco_boxes(predictions)}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = {"AP": 0, "AP50": 1, "AP75": 2, "AP_small": 3, "AP_medium": 4, "AP_large": 5, "AR100": 8}
    result = {name: float(evaluation.stats[at]) for name, at in names.items()}
    result = {name: value if value >= 0 else float("nan") for name, value in result.items()}  # pycocotools says -1
    curves = evaluation.eval["precision"][:, :, :, 0, -1]  # (IoU thresholds, recalls, C)
    per_class = curves.reshape(-1, num_classes).mean(axis=0)
    return {**result, "per_class": np.where(per_class >= 0, per_class, np.nan)}


def _coco_boxes(samples: Sequence[dict]) -> list[dict]:
    annotations = []
    for image_id, sample in enumerate(samples):
        boxes = exact(sample["boxes"]).double()
        sizes = boxes[:, 2:] - boxes[:, :2]
        crowd = difficult_flags(sample).tolist()
        rows = zip(boxes[:, :2].tolist(), sizes.tolist(), sample["labels"].tolist(), crowd, strict=True)
        for b, (corner, size, label, is_crowd) in enumerate(rows):
            annotation = {"id": len(annotations) + 1, "image_id": image_id, "category_id": label}
            annotation |= {"bbox": corner + size, "area": size[0] * size[1], "iscrowd": int(is_crowd)}
            if "scores" in sample:
                annotation["score"] = float(sample["scores"][b])
            annotations.append(annotation)
    return annotations


def top_k(scores: Tensor, labels: Tensor, k: int = 1) -> float:
    """Share of rows whose label is among the k best of their scores: (M, C), (M,) -> 0 to 1; nan for no rows.

    Raises ValueError unless 1 <= k <= C.
    """
    if not 1 <= k <= scores.shape[-1]:
        raise ValueError(f"k must lie between 1 and the {scores.shape[-1]} classes, got {k}")
    best = scores.topk(k, dim=-1).indices  # (M, k)
    return float((best == labels[:, None]).any(dim=-1).double().mean())


def check_samples(predictions: Sequence[dict], targets: Sequence[dict], num_classes: int) -> None:
    """Raises ValueError for lists of different lengths, rows that do not fit, and labels outside 0 .. C-1."""
    if len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} pictures; one of each is needed")
    for kind, samples in (("prediction", predictions), ("target", targets)):
        for i, sample in enumerate(samples):
            labels = sample["labels"]
            if len(labels) != len(sample["boxes"]) or len(labels) != len(sample.get("scores", labels)):
                raise ValueError(f"{kind} {i}: boxes, labels and scores must be equally many")
            if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= num_classes):
                values = sorted(set(labels.tolist()))
                raise ValueError(f"{kind} {i} has labels {values}, outside 0 .. {num_classes - 1}")


def difficult_flags(sample: dict) -> Tensor:
    """(B,) bool: the truths that nobody is expected to find; none where the sample says nothing about it."""
    flags = sample.get("difficult")
    return torch.zeros(len(sample["boxes"]), dtype=torch.bool) if flags is None else flags.bool()


def exact(boxes: Tensor) -> Tensor:
    """Boxes (B, 4) as plain float64."""
    # At a threshold of 0.5 an IoU of exactly one half must not fall on the wrong side by rounding.
    return boxes.as_subclass(Tensor).reshape(-1, 4).double()


def _joined(values: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(values) if values else np.empty(0)


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
