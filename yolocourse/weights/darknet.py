"""Darknet's .weights files: a header, then every convolution's numbers as float32, in the order of the .cfg.

For each convolution with batch norm: beta, gamma, running mean, running variance, weight; without: bias, weight.
Nothing in the file says where a layer begins. So its length is checked against the network before anything is read, and
a file that ends early or late is an error: the numbers of one layer would otherwise land in another without a word.

Batch norm: Darknet divides by sqrt(variance + 1e-5) in its GPU code, with which the official weights were trained, and
by sqrt(variance) + 1e-6 in its CPU code. Networks here do the former.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from yolocourse.models import Darknet19, YOLOv2
from yolocourse.models.layers import ConvBlock
from yolocourse.weights.cfg import Layer, layers_of
from yolocourse.weights.checkpoint import TrunkReport, write_atomically
from yolocourse.weights.files import existing


class Header(NamedTuple):
    """What a .weights file begins with: the version of the format, and how many pictures the network was trained on."""

    major: int = 0
    minor: int = 2
    revision: int = 0
    seen: int = 0

    @property
    def long(self) -> bool:
        """Whether `seen` takes 8 bytes: 20 bytes in all, and 16 otherwise."""
        return self.major * 10 + self.minor >= 2

    def to_bytes(self) -> bytes:
        """Raises ValueError for a version that no Darknet writes, or a `seen` that does not fit."""
        self.check()
        try:
            return struct.pack("<3iq" if self.long else "<4i", *self)
        except struct.error:
            raise ValueError(f"{self} does not fit into a header of a .weights file") from None

    def check(self) -> None:
        """Raises ValueError for a version that cannot be read: of a format with transposed weights, or none at all."""
        if not (0 <= self.major < 1000 and 0 <= self.minor < 1000):
            raise ValueError(f"version {self.major}.{self.minor} of the .weights format; known are 0.1, 0.2 and newer")


class Slot(NamedTuple):
    """A tensor of the network and the layer that it belongs to."""

    number: int  # of the layer, counted as Darknet does
    layer: Layer
    part: str  # beta, gamma, mean, variance, bias or weight
    tensor: Tensor
    name: str  # in the state dict

    def __str__(self) -> str:
        kernel = f"{self.layer.size}x{self.layer.size}"
        return f"layer {self.number} (convolutional, {self.layer.filters} filters of {kernel}): {self.part}"


def read_header(data: np.ndarray, path: str | Path) -> tuple[Header, int]:
    """Header and its length in bytes. data: the file as uint8. Raises ValueError for one too short or unknown."""
    try:
        numbers = struct.unpack_from("<3i", data[:12].tobytes())
        long = Header(*numbers).long
        (seen,) = struct.unpack_from("<q" if long else "<i", data[12:20].tobytes())
    except struct.error:
        raise ValueError(f"{path}: {len(data)} bytes, too short for the header of a .weights file") from None
    header = Header(*numbers, seen)
    try:
        header.check()
    except ValueError as error:
        raise ValueError(f"{path}: {error}; is it a .weights file at all?") from None
    return header, 20 if long else 16


def load_weights(path: str | Path, model: YOLOv2 | Darknet19) -> Header:
    """Fills a network from a .weights file that holds exactly its numbers.

    The network is left as it was when anything is wrong. Raises FileNotFoundError, or ValueError naming the layer, what
    was expected and what was found: a file too short or too long, values that are not finite, negative variances.
    """
    header, values = check_length(path, model)
    _fill(path, list(_slots(model)), values)
    return header


def check_length(path: str | Path, model: YOLOv2 | Darknet19) -> tuple[Header, np.ndarray]:
    """Header and values of a file that is as long as the network asks for; the network may be on the meta device.

    Raises FileNotFoundError, or ValueError naming the layer, what was expected and what was found.
    """
    header, values = _open(path)
    slots = list(_slots(model))
    need = sum(slot.tensor.numel() for slot in slots)
    if len(values) < need:
        slot, have = _where(slots, len(values))
        raise ValueError(
            f"{path}: ends in {slot}: expected {slot.tensor.numel()} values, found {have}; "
            f"the network needs {need} in all, the file has {len(values)}. Another .cfg, or cut off"
        )
    if len(values) > need:
        raise ValueError(
            f"{path}: {len(values) - need} values too many after {slots[-1]}; "
            f"the network needs {need} in all, the file has {len(values)}. The .weights of another .cfg"
        )
    return header, values


def load_trunk_weights(path: str | Path, model: YOLOv2 | Darknet19) -> TrunkReport:
    """Starts a network from the first layers of a .weights file, such as darknet19_448.conv.23, and reports which.

    Fills convolutions as far as the file goes; the last one, which belongs to the classes of another data set, stays. A
    file that goes on beyond what is used must hold the network's other layers whole. Raises as `load_weights` does.
    """
    _, values = _open(path)
    slots = list(_slots(model))
    last = slots[-1].number
    body = [slot for slot in slots if slot.number != last]
    ends = {0: 0}  # values up to the end of a layer -> slots up to there
    total = 0
    for i, slot in enumerate(body):
        total += slot.tensor.numel()
        if slot.part == "weight":
            ends[total] = i + 1
    inputs = slots[-1].tensor.shape[1]
    if len(values) in ends:
        body = body[: ends[len(values)]]
    elif len(values) < total:
        slot, have = _where(body, len(values))
        raise ValueError(
            f"{path}: ends in the middle of {slot}: expected {slot.tensor.numel()} values, found {have}. "
            "The first layers of another network, or cut off"
        )
    elif (len(values) - total) % (inputs + 1):
        raise ValueError(
            f"{path}: {len(values) - total} values after {body[-1]}, which cannot be a last layer with {inputs} "
            "inputs. The .weights of another network"
        )
    if not body:
        raise ValueError(f"{path}: holds no layer")
    _fill(path, body, values[: sum(slot.tensor.numel() for slot in body)])
    loaded = [slot.name for slot in body]
    kept = {slot.name: "not in the file" for slot in slots if slot.number != last and slot.name not in set(loaded)}
    kept |= {slot.name: "belongs to the classes of the file" for slot in slots if slot.number == last}
    return TrunkReport(loaded, kept)


def save_weights(
    path: str | Path, model: YOLOv2 | Darknet19, header: Header | None = None, layers: int | None = None
) -> None:
    """Writes a .weights file; `layers`: only those numbered below this, as in darknet19_448.conv.23.

    A crash or a full disk leaves the file that was there before. Raises ValueError for values that are not finite, and
    for a network that Darknet does not have.
    """
    parts = [(header or Header()).to_bytes()]
    for slot in _slots(model):
        if layers is not None and slot.number >= layers:
            break
        values = slot.tensor.detach().cpu().float().contiguous().numpy()
        _check(f"{slot}", slot.part, values, "nothing was saved")
        parts.append(values.astype("<f4", copy=False).tobytes())
    write_atomically(path, b"".join(parts))


def _open(path: str | Path) -> tuple[Header, np.ndarray]:
    """Header and values of a file, which is mapped, not read: memory is used as the values are."""
    path = existing(path, ".weights file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: an empty file")
    data = np.memmap(path, np.uint8, "r")
    header, start = read_header(data, path)
    if (len(data) - start) % 4:
        raise ValueError(f"{path}: {(len(data) - start) % 4} bytes after the last whole value; cut off, or damaged")
    return header, np.frombuffer(data, "<f4", offset=start) if len(data) > start else np.zeros(0, "<f4")


def _slots(model: YOLOv2 | Darknet19) -> Iterator[Slot]:
    """The network's tensors in the order of the file."""
    names = {id(tensor): name for name, tensor in model.state_dict(keep_vars=True).items()}
    for number, (layer, module) in enumerate(layers_of(model)):
        if layer.kind != "convolutional":
            continue
        conv = module[0] if isinstance(module, ConvBlock) else module
        parts = {"bias": conv.bias, "weight": conv.weight}
        if isinstance(module, ConvBlock) and isinstance(module[1], nn.BatchNorm2d):
            norm = module[1]
            parts = {"beta": norm.bias, "gamma": norm.weight, "mean": norm.running_mean, "variance": norm.running_var}
            parts["weight"] = conv.weight
        for part, tensor in parts.items():
            yield Slot(number, layer, part, tensor, names[id(tensor)])


def _where(slots: list[Slot], count: int) -> tuple[Slot, int]:
    """The tensor in which a file of `count` values ends, and how many of its values there are."""
    for slot in slots:
        if count < slot.tensor.numel():
            return slot, count
        count -= slot.tensor.numel()
    raise AssertionError("the file does not end early")


def _fill(path: str | Path, slots: list[Slot], values: np.ndarray) -> None:
    """Checks all values, then copies them: a damaged file leaves the network as it was."""
    start, chunks = 0, []
    for slot in slots:
        chunk = values[start : start + slot.tensor.numel()]
        _check(f"{path}: {slot}", slot.part, chunk, "damaged, or the .weights of another .cfg")
        chunks.append(chunk)
        start += len(chunk)
    with torch.no_grad():
        for slot, chunk in zip(slots, chunks, strict=True):
            slot.tensor.copy_(torch.from_numpy(chunk.astype(np.float32)).view(slot.tensor.shape))


def _check(where: str, part: str, values: np.ndarray, advice: str) -> None:
    wrong = values.size - int(np.isfinite(values).sum())
    if wrong:
        raise ValueError(f"{where}: {wrong} of {values.size} values are not finite; {advice}")
    if part == "variance" and values.size and values.min() < 0:
        raise ValueError(f"{where}: {int((values < 0).sum())} of {values.size} are negative; {advice}")
