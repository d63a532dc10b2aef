"""What a training run tells people while it runs: a line on the console, a row in a CSV file, a list in memory."""

import csv
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from yolocourse.engine.loop import StepReport

LOSSES = ("xy", "wh", "object", "no_object", "classes", "picture_object", "picture_class")


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def describe(report: StepReport) -> str:
    """One step as a line: where the training stands, the loss per picture and its parts, speed, time left."""
    terms = report.terms
    parts = " ".join(f"{name} {terms[name]:.3g}" for name in LOSSES if name in terms)
    truths = terms.get("truths", 0)
    fit = f"IoU {terms['average_iou']:.2f} recall {terms['recall']:.2f}" if truths else "no objects in this batch"
    if "top1" in terms:
        fit = f"right {terms['top1']:.0%}"
    left = report.seconds * (1 - report.progress) / max(report.progress, 1e-9)
    phase = f" {report.phase}" if report.phase else ""
    return (
        f"{report.progress:4.0%} epoch {report.epoch + 1} step {report.step} | rate {report.learning_rate:.1e}{phase}"
        f" size {report.size} | loss {terms['total']:.3g} ({parts}) {fit}"
        f" | {report.images_per_second:.0f} images/s, waited {report.waited:.0%}, {memory():.1f} GB,"
        f" {duration(left)} left"
    )


def memory() -> float:
    """Billions of bytes in use at most so far: on the graphics card where there is one, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


@dataclass
class ConsoleLog:
    """Prints a line at most every `every` seconds of training, and at its end.

    Speed and waiting are those of all steps since the line before; the rest is that of the last one.
    """

    every: float = 10.0
    write: Callable[[str], None] = print
    _said: StepReport | None = None  # by the line before
    _last: StepReport | None = None
    _waited: float = 0.0  # seconds since the line before

    def __call__(self, report: StepReport) -> None:
        if self._last is not None:
            self._waited += report.waited * (report.seconds - self._last.seconds)
        self._last = report
        if self._said is None:
            self._say(report)
        elif report.seconds >= self._said.seconds + self.every or report.progress >= 1:
            seconds = max(report.seconds - self._said.seconds, 1e-9)
            speed = (report.seen - self._said.seen) / seconds
            self._say(replace(report, images_per_second=speed, waited=self._waited / seconds))

    def _say(self, report: StepReport) -> None:
        self.write(describe(report))
        self._said, self._waited = report, 0.0


@dataclass
class History:
    """Keeps every step's report, for figures. `smooth` is what a figure should draw."""

    reports: list[StepReport] = field(default_factory=list)

    def __call__(self, report: StepReport) -> None:
        self.reports.append(report)

    def values(self, name: str) -> list[float]:
        """A field of the reports, or one of their loss terms, one value a step."""
        return [r.terms[name] if name in r.terms else getattr(r, name) for r in self.reports]

    def smooth(self, name: str, decay: float = 0.9) -> list[float]:
        """The same as a running average that forgets `decay` ** n after n steps, corrected for its start."""
        average, weight, result = 0.0, 0.0, []
        for value in self.values(name):
            if math.isfinite(value):
                average, weight = decay * average + (1 - decay) * value, decay * weight + (1 - decay)
            result.append(average / weight if weight else math.nan)
        return result


class TensorBoardLog:
    """Curves and pictures for TensorBoard, in `folder`; look at them with: tensorboard --logdir FOLDER.

    upto: a resumed run drops what was written after the step that it starts from. Raises ValueError where the package
    tensorboard is missing.
    """

    def __init__(self, folder: str | Path, upto: int = 0):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ValueError("logging for TensorBoard needs its package: pip install 'yolocourse[logging]'") from None
        self.writer = SummaryWriter(str(folder), purge_step=upto + 1 if upto else None)

    def __call__(self, report: StepReport) -> None:
        for name, value in report.terms.items():
            self.writer.add_scalar(f"loss/{name}" if name in (*LOSSES, "warmup", "total") else f"fit/{name}", value,
                                   report.step)  # fmt: skip
        for name in ("learning_rate", "size", "images_per_second", "waited"):
            self.writer.add_scalar(f"run/{name}", getattr(report, name), report.step)

    def picture(self, name: str, picture: Image.Image, step: int) -> None:
        """One picture, such as scenes with what the network finds in them by now."""
        self.writer.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


class CsvLog:
    """A row a step in a CSV file; `upto`: a resumed run drops the rows after the step that it starts from."""

    def __init__(self, path: str | Path, upto: int = 0):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        if upto and self.path.is_file():
            with open(self.path, newline="", encoding="utf-8") as file:
                kept = [row for row in csv.DictReader(file) if int(row["step"]) <= upto]
        self.file = open(self.path, "w", newline="", encoding="utf-8")  # noqa: SIM115 - open as long as the run
        self.writer = None
        for row in kept:
            self._write(row)

    def __call__(self, report: StepReport) -> None:
        row = {name: getattr(report, name) for name in ("step", "seen", "epoch", "learning_rate", "size", "seconds")}
        self._write(row | report.terms | {"images_per_second": report.images_per_second, "waited": report.waited})

    def _write(self, row: dict) -> None:
        if self.writer is None:
            self.writer = csv.DictWriter(self.file, list(row))
            self.writer.writeheader()
        self.writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.file.close()
