"""From pictures to named boxes: preprocess, network, decode, threshold, non-maximum suppression.

Shape letters: N batch, A anchors, C class scores, T classes, H W grid rows and columns, B boxes of one picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.ops import batched_nms, nms

from yolocourse.anchors import STRIDE
from yolocourse.boxes import clip, is_degenerate
from yolocourse.grid import Decoded, decode
from yolocourse.labels import LabelSpace
from yolocourse.models.freeze import freeze
from yolocourse.models.yolov2 import YOLOv2
from yolocourse.preprocess import Placement, Preprocess, open_picture
from yolocourse.weights.checkpoint import load_checkpoint
from yolocourse.weights.convert import read_darknet

Picture = str | Path | Image.Image | np.ndarray | Tensor
FARTHEST = 1e9  # pixels: what lies beyond is cut off, so that areas stay finite
# batched_nms keeps classes apart by moving each to coordinates of its own, which costs the larger ones their last
# digits. Boxes beyond this many pixels are rare (a network that was not trained), and are suppressed class by class.
FAR = 1e4


@dataclass
class Detections:
    """What was found in one picture, best first; tensors are on the CPU."""

    boxes: Tensor  # (B, 4) float32 xyxy, pixels of the original picture, inside it
    scores: Tensor  # (B,) float32, objectness times class probability, 0 to 1
    labels: Tensor  # (B,) int64, index into the label space
    names: list[str]  # B class names, one for each box
    image_size: tuple[int, int]  # width, height of the original picture
    path: str | None = None  # the file, where the picture came from one

    def __len__(self) -> int:
        return len(self.scores)

    def filter(self, threshold: float) -> "Detections":
        """The detections with a score above `threshold`."""
        keep = torch.nonzero(self.scores > threshold).flatten()
        names = [self.names[i] for i in keep.tolist()]
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep], names, self.image_size, self.path)

    def to_dict(self) -> dict:
        """As JSON can hold it: path, width, height, and a list of {name, label, score, box [x1, y1, x2, y2]}."""
        rows = zip(self.names, self.labels.tolist(), self.scores.tolist(), self.boxes.tolist(), strict=True)
        found = [
            {"name": name, "label": label, "score": round(score, 4), "box": [round(side, 2) for side in box]}
            for name, label, score, box in rows
        ]
        width, height = self.image_size
        return {"path": self.path, "width": width, "height": height, "detections": found}


def postprocess(
    raw: Tensor,
    anchors: Tensor,
    labels: LabelSpace,
    *settings,
    stride: int = STRIDE,
    location: str = "sigmoid",
    **more_settings,
) -> list[dict[str, Tensor]]:
    """Raw head output of YOLOv2 (N, A*(5+C), H, W) -> one dict for each picture: `grid.decode`, then `select`.

    `anchors` (A, 2) in cells of `stride` pixels; location: see `grid.decode`; the settings, and what comes back, are
    those of `select`.
    Raises ValueError when the head's channels do not fit the anchors and labels.
    """
    return select(decode(raw, anchors, stride, location), labels, *settings, **more_settings)


def select(
    decoded: Decoded,
    labels: LabelSpace,
    threshold: float = 0.25,
    nms_threshold: float = 0.45,
    max_detections: int = 300,
    best_class_only: bool = False,
) -> list[dict[str, Tensor]]:
    """All boxes of a batch -> those worth reporting, one dict for each picture, best score first.

    Keys: boxes (B, 4) xyxy in pixels of the network's input, not clipped; scores (B,) objectness times class
    probability; labels (B,). Flat classes: every pair of box and class above `threshold` counts, so one box may carry
    two names, as in Darknet; a word tree gives each box one, see `LabelSpace.candidates`. `best_class_only` keeps the
    most probable class of each box. Of two boxes of one class whose IoU is above `nms_threshold`, the better stays.
    Raises ValueError for class scores that do not fit the labels.
    """
    _check_fit(decoded.scores.shape[-1], labels)
    boxes = decoded.boxes.clamp(-FARTHEST, FARTHEST)  # (N, A*H*W, 4)
    results = []
    for i in range(len(boxes)):
        # The product cannot be above the threshold where objectness is not: spares the softmax of most boxes.
        candidates = torch.nonzero(decoded.objectness[i] > threshold).flatten()
        objectness, scores = decoded.objectness[i, candidates, None], decoded.scores[i, candidates]
        if best_class_only:
            probability, label = labels.predict(scores)
            scores, which = objectness[:, 0] * probability, torch.arange(len(candidates), device=boxes.device)
        else:
            which, label, scores = labels.candidates(objectness[:, 0], scores, threshold)
        results.append(_suppress(boxes[i, candidates[which]], scores, label, threshold, nms_threshold, max_detections))
    return results


def _suppress(
    boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float, nms_threshold: float, max_detections: int
) -> dict[str, Tensor]:
    """Non-maximum suppression within each class, best first: boxes (B, 4), scores (B,), labels (B,)."""
    above = scores > threshold
    boxes, scores, labels = boxes[above], scores[above], labels[above]
    if len(boxes) and boxes.abs().max() > FAR:
        parts = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
        keep = torch.cat([part[nms(boxes[part], scores[part], nms_threshold)] for part in parts])
        keep = keep[scores[keep].argsort(descending=True, stable=True)]
    else:
        keep = batched_nms(boxes, scores, labels, nms_threshold)
    keep = keep[:max_detections]
    return {"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]}


class Detector:
    """Finds things in pictures of any size: detector("street.jpg"), detector(picture), detector([one, two]).

    model: raw head output from images, with `num_outputs`, `anchors` (A, 2) in cells, `stride` (32 where it has none)
        and `location` ("sigmoid" where it has none), as `yolocourse.models` builds it.
    threshold: lowest score reported, 0 to 1. nms_threshold: IoU above which the lower of two boxes of a class goes.
    device: where the network runs; None leaves it where it is.
    batch_size: pictures that go through the network at once.
    decode: raw output -> `grid.Decoded`, for another head than YOLOv2's; such a model needs no anchors.
    frozen: the network is copied now, made faster, and later changes of its weights have no effect; `load` and
        `from_darknet` do this. precision, compile: of the copy; see `models.freeze`.
    Raises ValueError for thresholds outside 0 to 1 and for labels that do not fit the network.
    """

    def __init__(
        self,
        model: nn.Module,
        labels: LabelSpace,
        preprocess: Preprocess,
        threshold: float = 0.25,
        nms_threshold: float = 0.45,
        device: str | torch.device | None = None,
        batch_size: int = 16,
        decode: Callable[[Tensor], Decoded] | None = None,
        frozen: bool = False,
        precision: str = "float32",
        compile: bool = False,
    ):
        _check_fit(model.num_outputs, labels)
        _check_share("threshold", threshold)
        _check_share("nms_threshold", nms_threshold)
        self.model = model if device is None else model.to(device)
        self.network = freeze(self.model, precision, compile, preprocess.size) if frozen else self.model  # what runs
        self.labels, self.preprocess = labels, preprocess
        self.threshold, self.nms_threshold, self.batch_size = threshold, nms_threshold, batch_size
        self.decode = self._decode_anchors if decode is None else decode

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device | None = None, **settings) -> "Detector":
        """Reads a checkpoint; `device` None takes the fastest there is. `settings` as for the class.

        Raises what `load_checkpoint` raises.
        """
        checkpoint = load_checkpoint(path)
        device, settings = best_device() if device is None else device, {"frozen": True} | settings
        return cls(checkpoint.model, checkpoint.labels, checkpoint.preprocess, device=device, **settings)

    @classmethod
    def from_darknet(
        cls,
        cfg: str | Path,
        weights: str | Path,
        names: str | Path | None = None,
        device: str | torch.device | None = None,
        **settings,
    ) -> "Detector":
        """A detector from Darknet's files; pictures are letterboxed as Darknet does, to the size in the .cfg.

        names: one class name a line; None calls them "class 0", "class 1" ... Raises FileNotFoundError and ValueError
        for files that are missing, damaged, or do not fit together.
        """
        checkpoint = read_darknet(cfg, weights, names)
        if not isinstance(checkpoint.model, YOLOv2):
            raise ValueError(f"{cfg}: a classifier, which finds no boxes")
        device, settings = best_device() if device is None else device, {"frozen": True} | settings
        return cls(checkpoint.model, checkpoint.labels, checkpoint.preprocess, device=device, **settings)

    def __call__(
        self, pictures: Picture | Sequence[Picture], threshold: float | None = None
    ) -> Detections | list[Detections]:
        """Detections for one picture, a list of them for a list; boxes are in pixels of the original picture.

        A picture is a path, a PIL image, a uint8 array (h, w, 3), or a tensor (3, h, w), uint8 or float from 0 to 1. A
        file with an EXIF orientation is turned first, and its boxes belong to the turned picture; a PIL image is taken
        as it is. Raises FileNotFoundError or ValueError naming the file, or its place in the list, before anything runs
        on the batch that it is in.
        """
        threshold = self.threshold if threshold is None else threshold
        _check_share("threshold", threshold)
        if not isinstance(pictures, list | tuple):
            return self._batch([pictures], threshold)[0]
        found = []
        for start in range(0, len(pictures), self.batch_size):
            found += self._batch(pictures[start : start + self.batch_size], threshold, start)
        return found

    def _batch(self, pictures: Sequence[Picture], threshold: float, start: int | None = None) -> list[Detections]:
        """One pass through the network; `start` is the first picture's place in the user's list, for errors."""
        inputs, placements = [], []
        for i, picture in enumerate(pictures):
            try:
                pixels, placement = self.preprocess(read_picture(picture))
            except ValueError as error:
                where = "" if start is None or isinstance(picture, str | Path) else f"picture {start + i} of the list: "
                raise ValueError(f"{where}{error}") from None
            inputs.append(pixels)
            placements.append(placement)
        results = self._run(torch.stack(inputs), threshold)
        return [self._finish(*row) for row in zip(results, placements, pictures, strict=True)]

    @torch.inference_mode()
    def _run(self, images: Tensor, threshold: float) -> list[dict[str, Tensor]]:
        """images (N, 3, H, W) -> what `select` gives; leaves the model in the mode in which it was."""
        first = next(self.network.parameters())
        modes = [(module, module.training) for module in self.network.modules()]  # some may be frozen, some not
        self.network.eval()
        images = images.to(first.device, first.dtype, memory_format=torch.channels_last)
        try:
            raw = self.network(images)  # (N, A*(5+C), H/32, W/32) for YOLOv2
        finally:
            for module, training in modes:
                module.training = training
        if raw.device.type == "mps":
            raw = raw.cpu()  # not every operator of non-maximum suppression exists there
        return select(self.decode(raw), self.labels, threshold, self.nms_threshold)

    def _decode_anchors(self, raw: Tensor) -> Decoded:
        stride, location = getattr(self.model, "stride", STRIDE), getattr(self.model, "location", "sigmoid")
        return decode(raw, self.model.anchors.to(raw.device), stride, location)

    def _finish(self, result: dict[str, Tensor], placement: Placement, picture: Picture) -> Detections:
        """Boxes back onto the picture; what lies wholly in a letterbox's bars goes."""
        boxes = clip(placement.to_original(result["boxes"].cpu()), *placement.original)
        keep = ~is_degenerate(boxes)
        labels = result["labels"].cpu()[keep]
        names = [self.labels.names[label] for label in labels.tolist()]
        path = str(picture) if isinstance(picture, str | Path) else None
        return Detections(boxes[keep], result["scores"].cpu()[keep], labels, names, placement.original, path)


def best_device() -> torch.device:
    """CUDA if there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def find_device(name: str | None = None) -> torch.device:
    """The device of that name, such as "cpu", "cuda:1" or "mps"; None for the fastest there is.

    Raises ValueError for one that this machine does not have.
    """
    if name is None:
        return best_device()
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # a build without CUDA asserts
        cause = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used here, the fastest is {best_device()}: {cause}") from None


def read_picture(picture: Picture) -> Image.Image | Tensor:
    """Any kind of picture that a detector takes, as `Preprocess` takes it: PIL image or uint8 tensor (3, h, w).

    Floating-point values are rounded to 8 bits, so that a picture gives the same boxes in whichever form it comes.
    Raises ValueError with shape, type or range when it can be no picture; FileNotFoundError for a missing file.
    """
    if isinstance(picture, str | Path):
        return open_picture(picture)
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"an array must be uint8 of shape (h, w, 3), got {picture.dtype} of shape {picture.shape}")
        return torch.from_numpy(picture.copy()).permute(2, 0, 1)  # a copy: Pillow's arrays are read-only
    if not isinstance(picture, Tensor):
        if isinstance(picture, Image.Image):
            return picture
        raise ValueError(f"expected a path, PIL image, array or tensor, got {type(picture).__name__}")
    if picture.ndim == 4:
        raise ValueError(f"got a batch of shape {tuple(picture.shape)}; pass a list of (3, h, w) tensors: list(batch)")
    if not picture.is_floating_point():
        return picture.cpu()
    if picture.numel() and not (picture.min() >= 0 and picture.max() <= 1):  # NaN too
        low, high = picture.min().item(), picture.max().item()
        raise ValueError(f"float values must lie between 0 and 1, got {low:g} to {high:g}; pass uint8 for 0 to 255")
    return (picture.cpu() * 255).round().byte()


def _check_fit(num_outputs: int, labels: LabelSpace) -> None:
    if num_outputs != labels.num_outputs:
        raise ValueError(f"the network has {num_outputs} class scores, the labels need {labels.num_outputs}")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")
