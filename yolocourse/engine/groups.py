"""AP of groups of classes, such as those that had boxes in training and those that never had any (YOLO9000, section 4).

The paper's protocol for ImageNet's detection challenge: each of its 200 classes is a node of the word tree, every box
is ranked for every class by objectness times the node's probability, and AP at an IoU of 0.5 is averaged over all
classes, then over the 156 that had no boxes in training. A detector whose labels are a `TreeView` of those nodes does
just that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from yolocourse.detect import Detector
from yolocourse.engine.evaluate import detect_all
from yolocourse.labels import LabelSpace
from yolocourse.metrics import VocResult, voc_ap


@dataclass(frozen=True)
class GroupedEvaluation:
    """AP at IoU 0.5 of C classes, area under the curve, and which of them belong together."""

    names: list[str]
    voc: VocResult
    groups: dict[str, list[int]]

    def mean(self, group: str) -> float:
        """Mean AP over the classes of a group that have truths; nan if none has."""
        values = self.voc.ap[self.groups[group]]
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")

    def ranking(self, group: str) -> list[tuple[str, float]]:
        """Name and AP of the classes of a group that have truths, best first: the paper's table 7 is both ends."""
        rows = [(self.names[c], float(self.voc.ap[c])) for c in self.groups[group] if not np.isnan(self.voc.ap[c])]
        return sorted(rows, key=lambda row: -row[1])

    def table(self, ends: int = 5) -> str:
        """For each group its mean, its best classes and its worst."""
        lines = []
        for group in self.groups:
            ranking = self.ranking(group)
            lines.append(f"{group}: AP50 {self.mean(group):.3f} over {len(ranking)} classes with truths")
            best, worst = ranking[:ends], ranking[max(ends, len(ranking) - ends) :]
            for title, rows in (("best", best), ("worst", worst[::-1])):
                if rows:
                    lines.append(f"  {title:5} " + ", ".join(f"{name} {ap:.3f}" for name, ap in rows))
        return "\n".join(lines)


def evaluate_groups(
    detector: Detector,
    dataset: Dataset,
    groups: dict[str, Sequence[int]],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GroupedEvaluation:
    """Runs a detector over a data set with its classes; groups: name -> classes, each in as many groups as wanted.

    Raises ValueError for an empty data set, other classes than the detector's, a class outside them, an empty group.
    """
    names = dataset.labels.names
    if detector.labels.names != names:
        raise ValueError(f"the data set's classes {names[:20]} are not the detector's {detector.labels.names[:20]}")
    for group, classes in groups.items():
        bad = [c for c in classes if not 0 <= c < len(names)]
        if bad or not len(classes):
            raise ValueError(f"group {group!r} has " + (f"class {bad[0]}, of {len(names)}" if bad else "no classes"))
    found, targets, _ = detect_all(detector, dataset, progress)
    predictions = [{"boxes": f.boxes, "scores": f.scores, "labels": f.labels} for f in found]
    voc = voc_ap(predictions, targets, len(names))
    return GroupedEvaluation(names, voc, {name: list(classes) for name, classes in groups.items()})


def with_and_without(labels: LabelSpace, boxed: LabelSpace) -> dict[str, list[int]]:
    """Groups of a data set's classes: all, those that another data set gives boxes to, and the others; by WordNet id.

    Of the 200 classes of ImageNet's detection challenge the paper finds 44 in COCO (section 4). By the nodes of
    Darknet's maps (coco9k.map, inet9k.map) they are 38, and 18 others lie below a class of COCO.
    Raises ValueError without ids.
    """
    if labels.ids is None or boxed.ids is None:
        raise ValueError(
            "classes of two data sets are compared by WordNet id, since names repeat; these have names only"
        )
    known = set(boxed.ids)
    groups = {"all": list(range(len(labels))), "boxes in training": [], "no box in training": []}
    for c, id in enumerate(labels.ids):
        groups["boxes in training" if id in known else "no box in training"].append(c)
    return {name: classes for name, classes in groups.items() if classes}


def commonest(counts: Tensor, parents: Sequence[int]) -> list[int]:
    """Guesses for `GuessedLabels`: the parent for its commonest child, -1 for the others.

    counts (C,): how often each child occurs; parents: C places of their parents, -1 for none. The first of equals.
    """
    counts, guesses = torch.as_tensor(counts).tolist(), [-1] * len(parents)
    for parent in set(parents) - {-1}:
        children = [c for c, above in enumerate(parents) if above == parent]
        guesses[max(children, key=lambda c: counts[c])] = parent
    return guesses
