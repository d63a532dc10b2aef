"""How fast a detector is on this device: milliseconds for preprocessing, network, and decoding with suppression.

Every figure is the median of several runs; rivals take turns within each round, so that whatever else the machine does
hits both. What goes in are pictures of noise, 640 x 480 pixels as from a small camera, so that preprocessing resizes.
"""

import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from yolocourse.anchors import PRESETS
from yolocourse.detect import Detector, select
from yolocourse.labels import FlatLabels
from yolocourse.models import YOLOv2, yolov2
from yolocourse.preprocess import Preprocess
from yolocourse.weights.cfg import write_cfg
from yolocourse.weights.darknet import save_weights

SIZES = (288, 352, 416, 480, 544, 608)  # of the paper's table 3 and figure 4
PHOTOGRAPH = (480, 640, 3)  # height, width, channels
ROUNDS = 7


class Timing(NamedTuple):
    """Medians in milliseconds for one batch."""

    device: str
    program: str  # "yolocourse" or "opencv"
    precision: str
    size: int
    batch: int
    preprocess: float
    network: float
    decode: float  # and suppression
    operations: float  # billions for one picture; a multiplication and an addition are two

    @property
    def total(self) -> float:
        return self.preprocess + self.network + self.decode

    @property
    def images_per_second(self) -> float:
        return 1000 * self.batch / self.total


def full_network(seed: int = 0) -> YOLOv2:
    """YOLOv2 for VOC's 20 classes at full width, with random weights: speed does not ask for better ones."""
    torch.manual_seed(seed)
    return yolov2(20, PRESETS["voc"]).eval()


def bench(
    model: YOLOv2,
    sizes: Iterable[int] = SIZES,
    batches: Iterable[int] = (1, 8),
    precision: str = "float32",
    device: torch.device | str = "cpu",
    compile: bool = False,
    against: str | None = None,
    rounds: int = ROUNDS,
    on_row: Callable[[Timing], None] = lambda row: None,
) -> list[Timing]:
    """Times a network at all sizes and batches; `against` "opencv" also in OpenCV's DNN module, in the same rounds.

    Raises ValueError for an unknown rival, or where OpenCV is not installed or too new to read Darknet's files.
    """
    if against not in (None, "opencv"):
        raise ValueError(f"unknown rival {against!r}; known: opencv")
    device = torch.device(device)
    labels = FlatLabels([f"class {i}" for i in range(model.num_outputs)])
    name, rows = device_name(device), []
    settings = {"device": device, "frozen": True, "precision": precision, "compile": compile}
    rng = np.random.default_rng(0)
    for size in sizes:
        operations, detector = count_operations(model, size), Detector(model, labels, Preprocess(size), **settings)
        rival = OpenCV(model, size) if against else None
        for batch in batches:
            photographs = [rng.integers(0, 256, PHOTOGRAPH, dtype=np.uint8) for _ in range(batch)]
            programs = {"yolocourse": Steps(detector, photographs)}
            if rival:
                rival.photographs = photographs
                programs["opencv"] = rival
            times = measure(programs, rounds)
            for program, (before, network, after) in times.items():
                kind = precision if program == "yolocourse" else "float32"
                row = Timing(name, program, kind, size, batch, before, network, after, operations)
                rows.append(row)
                on_row(row)
    return rows


class Steps:
    """The three steps of our detector, one after the other, on the same pictures."""

    def __init__(self, detector: Detector, photographs: list[np.ndarray]):
        self.detector = detector
        self.pictures = [torch.from_numpy(each).permute(2, 0, 1) for each in photographs]

    def prepare(self) -> torch.Tensor:
        first = next(self.detector.network.parameters())
        images = torch.stack([self.detector.preprocess(picture)[0] for picture in self.pictures])
        return images.to(first.device, first.dtype, memory_format=torch.channels_last)

    def run(self, images: torch.Tensor) -> torch.Tensor:
        return self.detector.network(images)

    def finish(self, raw: torch.Tensor) -> list:
        detector = self.detector
        return select(detector.decode(raw), detector.labels, detector.threshold, detector.nms_threshold)


class OpenCV:
    """The same network in OpenCV's DNN module, from the .cfg and .weights that we write."""

    def __init__(self, model: YOLOv2, size: int):
        try:
            import cv2
        except ImportError:
            raise ValueError("--against opencv needs OpenCV: pip install 'opencv-python-headless<5'") from None
        if not hasattr(cv2.dnn, "readNetFromDarknet"):
            raise ValueError(f"OpenCV {cv2.__version__} does not read Darknet's files any more; 4.x does")
        self.cv2, self.size, self.photographs = cv2, size, []
        cv2.setNumThreads(torch.get_num_threads())
        with tempfile.TemporaryDirectory() as folder:
            cfg, weights = Path(folder) / "net.cfg", Path(folder) / "net.weights"
            cfg.write_text(write_cfg(model, (size, size)))
            save_weights(weights, model)
            self.network = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))

    def prepare(self) -> np.ndarray:
        return self.cv2.dnn.blobFromImages(self.photographs, 1 / 255, (self.size, self.size))

    def run(self, blob: np.ndarray) -> np.ndarray:
        self.network.setInput(blob)
        return self.network.forward()  # a row for each box, decoded: cx, cy, w, h, objectness, scores

    def finish(self, rows: np.ndarray) -> list:
        found = []
        for picture in rows.reshape(len(self.photographs), -1, rows.shape[-1]):
            for scores in picture[:, 5:].T:
                (above,) = np.nonzero(scores > 0.25)
                boxes = picture[above, :4].tolist()
                found.append(self.cv2.dnn.NMSBoxes(boxes, scores[above].tolist(), 0.25, 0.45) if boxes else [])
        return found


@torch.inference_mode()
def measure(programs: dict, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Median milliseconds of the three steps of each program; two rounds before the first that counts."""
    times: dict[str, list] = {name: [] for name in programs}
    for _ in range(rounds + 2):
        for name, steps in programs.items():
            marks, value = [now()], None
            for step in (steps.prepare, steps.run, steps.finish):
                value = step() if value is None else step(value)
                marks.append(now())
            times[name].append([1000 * (b - a) for a, b in zip(marks, marks[1:], strict=False)])
    return {name: tuple(map(statistics.median, zip(*each[2:], strict=True))) for name, each in times.items()}


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def count_operations(model: torch.nn.Module, size: int) -> float:
    """Billions of multiplications and additions of all layers with weights, for one picture of size x size pixels."""
    side = getattr(model, "stride", size)  # convolutions alone: the work grows with the area
    total, training = 0, model.training

    def count(layer, inputs, output):
        nonlocal total
        total += 2 * layer.weight[0].numel() * output.numel()

    layers = (torch.nn.Conv2d, torch.nn.Linear)
    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, layers)]
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, side, side, device=next(model.parameters()).device))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return total * (size / side) ** 2 / 1e9


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"


def table(rows: list[Timing]) -> str:
    """Lines for people: milliseconds for each step, and pictures a second."""
    head = "program     precision  size batch | preprocess  network  decode+NMS    total ms | images/s  GFLOP/s"
    lines = [head]
    for row in rows:
        speed = row.operations * row.batch / row.network * 1000
        lines.append(
            f"{row.program:11} {row.precision:9} {row.size:5} {row.batch:5} | {row.preprocess:10.1f} "
            f"{row.network:8.1f} {row.decode:11.2f} {row.total:11.1f} | {row.images_per_second:8.1f} {speed:8.0f}"
        )
    return "\n".join(lines)


def write_csv(path: Path, rows: list[Timing]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Timing._fields, "images_per_second"])
        for row in rows:
            numbers = [round(value, 3) if isinstance(value, float) else value for value in row]
            writer.writerow([*numbers, round(row.images_per_second, 2)])
