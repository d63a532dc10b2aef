"""How good a detector is on a data set: both kinds of AP, recall, and speed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from yolocourse.detect import Detections, Detector
from yolocourse.metrics import VocResult, coco_ap, voc_ap

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
