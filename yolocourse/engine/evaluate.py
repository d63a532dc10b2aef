"""How good a network is on a data set: a detector's AP of both kinds, recall and speed, a classifier's top-k."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from yolocourse.detect import Detections, Detector
from yolocourse.metrics import VocResult, coco_ap, top_k, voc_ap
from yolocourse.preprocess import Preprocess

LOWEST_SCORE = 0.005  # detections below it change AP by next to nothing, but slow it down; Darknet's own choice


@dataclass(frozen=True)
class Evaluation:
    """AP and recall of a detector on one data set, shares from 0 to 1."""

    names: list[str]  # C class names
    voc: VocResult  # AP at IoU 0.5, area under the curve
    eleven_point: float  # mean AP at IoU 0.5 in VOC 2007's way
    coco: dict  # AP, AP50, AP75, AP_small ... and per_class, as COCO counts
    images: int
    images_per_second: float  # whole detector, pictures in memory to boxes

    @property
    def ap50(self) -> float:
        """Mean over classes of the area AP at IoU 0.5."""
        return self.voc.mean

    def table(self) -> str:
        """A line a class, then the means."""
        width = max(12, *(len(name) for name in self.names))
        lines = [f"{'class':{width}} {'objects':>8} {'AP50':>7} {'recall':>7} {'COCO AP':>8}"]
        rows = zip(self.names, self.voc.num_truths, self.voc.ap, self.voc.recall, self.coco["per_class"], strict=True)
        for name, count, ap, recall, coco in rows:
            numbers = "      -       -        -" if np.isnan(ap) else f"{ap:7.3f} {recall:7.3f} {coco:8.3f}"
            lines.append(f"{name:{width}} {int(count):8d} {numbers}")
        mean = f"{self.voc.mean:7.3f} {self.voc.mean_recall:7.3f} {self.coco['AP']:8.3f}"
        lines.append(f"{'mean':{width}} {int(np.sum(self.voc.num_truths)):8d} {mean}")
        lines.append(f"AP50, 11 points {self.eleven_point:.3f}; {self.images} pictures, {self.images_per_second:.1f}/s")
        return "\n".join(lines)


def evaluate(
    detector: Detector, dataset: Dataset, progress: Callable[[int, int], None] = lambda done, total: None
) -> Evaluation:
    """Runs a detector over a detection data set whose labels are the detector's, and compares.

    Every detection above LOWEST_SCORE counts, since AP looks at the whole ranking and not at the detector's threshold.
    progress(done, total) is called after each batch. Raises ValueError for an empty data set, or other classes.
    """
    labels = getattr(dataset, "labels", detector.labels)
    if labels.names != detector.labels.names:
        raise ValueError(f"the data set's classes {labels.names} are not the detector's {detector.labels.names}")
    found, targets, seconds = detect_all(detector, dataset, progress)
    predictions = [{"boxes": f.boxes, "scores": f.scores, "labels": f.labels} for f in found]
    count = len(labels)
    return Evaluation(
        labels.names,
        voc_ap(predictions, targets, count),
        voc_ap(predictions, targets, count, method="11point").mean,
        coco_ap(predictions, targets, count),
        len(targets),
        len(targets) / seconds,
    )


def detect_all(
    detector: Detector, dataset: Dataset, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[Detections], list[dict], float]:
    """Detections and targets of every picture, and the seconds that detecting took (loading not counted)."""
    if len(dataset) == 0:
        raise ValueError("the data set has no pictures to evaluate on")
    found, targets, seconds = [], [], 0.0
    for start in range(0, len(dataset), detector.batch_size):
        samples = [dataset[i] for i in range(start, min(start + detector.batch_size, len(dataset)))]
        began = time.perf_counter()
        found += detector([image for image, _ in samples], threshold=LOWEST_SCORE)
        seconds += time.perf_counter() - began
        targets += [target for _, target in samples]
        progress(len(targets), len(dataset))
    return found, targets, seconds


def slices_table(
    evaluations: dict[str, Evaluation], columns: Sequence[str] = ("AP50", "recall", "AP", "AP_small")
) -> str:
    """One line a slice: AP at IoU 0.5, recall, and COCO's AP for all and for small things."""
    lines = [f"{'slice':12}" + "".join(f"{column:>10}" for column in columns)]
    for name, result in evaluations.items():
        values = {"AP50": result.ap50, "recall": result.voc.mean_recall} | result.coco
        lines.append(f"{name:12}" + "".join(f"{values[column]:10.3f}" for column in columns))
    return "\n".join(lines)


@dataclass(frozen=True)
class Classified:
    """Shares of pictures, 0 to 1, whose class is the one with the highest score, or among the five highest."""

    top1: float
    top5: float
    images: int
    images_per_second: float  # pictures in memory to scores

    def __str__(self) -> str:
        return f"top-1 {self.top1:.3f}, top-5 {self.top5:.3f} ({self.images} pictures)"


@torch.inference_mode()
def classify(model: nn.Module, dataset: Dataset, preprocess: Preprocess, batch_size: int = 64) -> Classified:
    """Runs a classifier over class-only samples; on the model's own device, its mode is left as it was.

    Where there are fewer than five classes, top-5 counts all of them. Raises ValueError for an empty data set or a
    sample without a class.
    """
    if len(dataset) == 0:
        raise ValueError("the data set has no pictures to evaluate on")
    device, training = next(model.parameters()).device, model.training
    scores, labels, seconds = [], [], 0.0
    model.eval()
    for start in range(0, len(dataset), batch_size):
        samples = [dataset[i] for i in range(start, min(start + batch_size, len(dataset)))]
        if any("label" not in target for _, target in samples):
            raise ValueError(f"a picture from number {start} on has no class; a classifier cannot be judged by it")
        began = time.perf_counter()
        images = torch.stack([preprocess(image)[0] for image, _ in samples])
        scores.append(model(images.to(device, memory_format=torch.channels_last)).float().cpu())
        seconds += time.perf_counter() - began
        labels += [int(target["label"]) for _, target in samples]
    model.train(training)
    scores, labels = torch.cat(scores), torch.tensor(labels)
    five = min(5, scores.shape[1])
    return Classified(top_k(scores, labels), top_k(scores, labels, five), len(labels), len(labels) / seconds)
