"""Checkpoints: one safetensors file with the weights and, in its header, everything else that a detector needs.

The header holds JSON: the network's builder and arguments (anchors among them), the label space, the preprocessing, and
what is known of the training. So a file cannot be used with other classes, anchors or sizes than it was trained with,
and reading one runs no code from it.
"""

import dataclasses
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from yolocourse import treeview  # noqa: F401  makes trees and their views known to labels_from_dict
from yolocourse.labels import LabelSpace, labels_from_dict
from yolocourse.models import build
from yolocourse.preprocess import Preprocess

FORMAT = "yolocourse-1"
KEY = "yolocourse"  # the one key of the safetensors header: several would be written in changing order
LAST_LAYERS = ("head.", "classify.", "anchors")  # what belongs to the classes or anchors of one data set
LARGEST_HALF = torch.finfo(torch.float16).max


@dataclass
class Checkpoint:
    """A network with all that is needed to use it."""

    model: nn.Module  # in evaluation mode, on the CPU, float32
    labels: LabelSpace
    preprocess: Preprocess
    metadata: dict = field(default_factory=dict)  # "recipe", "metrics", "commit" and whatever else was saved

    @property
    def anchors(self) -> Tensor:
        """(A, 2) width, height in grid cells."""
        return self.model.anchors


@dataclass
class TrunkReport:
    """What `load_trunk` did with each tensor of the model."""

    loaded: list[str]
    kept: dict[str, str]  # tensor left as it was -> why

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} tensors loaded, {len(self.kept)} left as they were"]
        return "\n".join(lines + [f"  {name}: {reason}" for name, reason in self.kept.items()])


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    *,
    labels: LabelSpace,
    preprocess: Preprocess,
    half: bool = False,
    **metadata,
) -> None:
    """Writes a checkpoint; a crash or a full disk leaves the file that was there before.

    model: needs `config`, as the builders in `yolocourse.models` leave it, and fitting `labels`.
    half: stores the convolution weights in 16 bits, for small files; the rest, a hundredth of the size, stays in 32.
    metadata: recipe (a dataclass or dict), metrics, commit ...; anything that JSON can hold. NaN becomes null.
    Raises ValueError for weights that are not finite, naming the first: such a file would replace a good one.
    """
    config = getattr(model, "config", None)
    if config is None:
        raise ValueError(f"{type(model).__name__} has no config; build it with yolocourse.models.build to save it")
    if labels.num_outputs != config["num_outputs"]:
        raise ValueError(f"the network has {config['num_outputs']} class scores, the labels need {labels.num_outputs}")
    description = {"format": FORMAT, "model": config, "labels": labels.to_dict(), "preprocess": preprocess.to_dict()}
    header = json.dumps(description | {"metadata": _plain(metadata)}, sort_keys=True, allow_nan=False)
    tensors = {name: _stored(name, tensor, half) for name, tensor in model.state_dict().items()}
    write_atomically(path, save(tensors, {KEY: header}))


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a checkpoint and builds its network.

    Raises FileNotFoundError for a missing file, and ValueError, with the path and the cause, for one that is damaged,
    was not written by `save_checkpoint`, comes from a newer version, or does not fit its own description.
    """
    description, tensors = _read(path)
    try:
        model = build(**description["model"])
        labels = labels_from_dict(description["labels"])
        preprocess = Preprocess.from_dict(description["preprocess"])
        _fill(model, tensors)
        if labels.num_outputs != model.num_outputs:
            raise ValueError(f"{model.num_outputs} class scores, but labels that need {labels.num_outputs}")
    except (ValueError, KeyError, TypeError) as error:
        cause = f"lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path}: checkpoint does not fit together: {cause}") from None
    return Checkpoint(model.eval(), labels, preprocess, description.get("metadata", {}))


def load_trunk(path: str | Path, model: nn.Module, labels: LabelSpace | None = None) -> TrunkReport:
    """Starts `model` from a classifier's or another detector's checkpoint: fills every layer but the last.

    The output layer and the anchors belong to the other data set, so they stay, even where their shapes would fit.
    A classifier's output layer is taken over all the same where the file has just these `labels`: then training goes
    on, as from 224 to 448 pixels (YOLO9000, section 3).
    Layers that the file lacks (a classifier has only a trunk) or holds in another shape stay too, and the report says
    so. Raises ValueError when a tensor of the trunk itself does not fit: that is another network or another width.
    """
    description, tensors = _read(path)
    goes_on = labels is not None and description["labels"] == labels.to_dict()
    report = TrunkReport([], {})
    for name, here in model.state_dict().items():
        if name.startswith(LAST_LAYERS) and not (goes_on and name.startswith("classify.")):
            report.kept[name] = "belongs to the classes or anchors"
        elif name in tensors and tensors[name].shape == here.shape:
            report.loaded.append(name)
        else:
            found = _shape(tensors[name]) if name in tensors else "nothing"
            report.kept[name] = f"{_shape(here)} here, {found} in the file"
            if name.startswith("trunk."):
                raise ValueError(f"{path}: {name} is {report.kept[name]}; a trunk of another kind or width")
    if not report.loaded:
        raise ValueError(f"{path}: no tensor of {type(model).__name__} is in this checkpoint")
    model.load_state_dict({name: tensors[name] for name in report.loaded}, strict=False)
    return report


def write_atomically(path: str | Path, data: bytes) -> None:
    """Replaces a file as a whole: other readers, and a crash, see the old content or the new, never a part.

    Makes the folder if needed. The data reaches the disk before the name changes, so a power cut is covered too.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # same folder: os.replace cannot cross file systems
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: str | Path) -> tuple[dict, dict[str, Tensor]]:
    """The description and the tensors of a checkpoint, unchecked against each other."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint" + (" (it is a folder)" if path.is_dir() else ""))
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()} if header else {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a safetensors file, or damaged ({error})") from None
    if header is None:
        raise ValueError(f"{path}: a safetensors file, but not a yolocourse checkpoint: its header has no {KEY!r}")
    try:
        description = json.loads(header)
        version = description["format"]
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: damaged description in the header ({error!r})") from None
    if version != FORMAT:
        raise ValueError(f"{path}: format {version!r}, this version of yolocourse reads {FORMAT!r}; update the package")
    return description, tensors


def _fill(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copies all tensors into the model; exactly the same names and shapes, or ValueError naming the first other."""
    targets = model.state_dict()
    for name in sorted(targets.keys() | tensors.keys()):
        here, there = (_shape(group[name]) if name in group else "missing" for group in (targets, tensors))
        if here != there:
            raise ValueError(f"tensor {name} is {here} in the network, {there} in the file")
    model.load_state_dict(tensors)


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    """A tensor as it goes into the file: on the CPU, contiguous, checked, in 16 bits where that is asked and fits."""
    tensor = tensor.detach().cpu().contiguous()
    if not torch.isfinite(tensor).all():
        raise ValueError(f"weights that are not finite in {name}; nothing was saved")
    large = name.endswith("weight") and tensor.dim() > 1  # of a convolution or a matrix
    return tensor.half() if half and large and tensor.abs().max() < LARGEST_HALF else tensor


def _plain(value: object) -> object:
    """Settings and results as JSON can hold them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic | Tensor):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError(f"cannot keep {value!r} of type {type(value).__name__} in a checkpoint; JSON does not hold it")
