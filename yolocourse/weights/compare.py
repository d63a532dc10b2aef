"""Layer by layer against another program's numbers: where a network first differs, and by how much."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from yolocourse.models import Darknet19, YOLOv2
from yolocourse.weights.cfg import Layer, layers_of
from yolocourse.weights.files import existing


class Difference(NamedTuple):
    """One layer compared; `largest` is the largest absolute value expected, `difference` the largest difference."""

    number: int
    layer: Layer
    difference: float
    largest: float

    @property
    def relative(self) -> float:
        return self.difference / self.largest if self.largest else self.difference


def read_activations(path: str | Path) -> tuple[Tensor, dict[int, Tensor]]:
    """Input (1, 3, H, W) and outputs by layer number of an .npz file with `input` and `layer_00`, `layer_01` ...

    `head` stands for the last convolution and `output` for a classifier's probabilities: numbers -1 and -2 here.
    Raises FileNotFoundError, or ValueError for a file without these arrays.
    """
    path = existing(path, "file of activations (.npz)")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                name: file[name] for name in file.files if name in ("input", "head", "output") or "layer_" in name
            }
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise ValueError(f"{path}: cannot be read as .npz: {error}") from None
    if "input" not in arrays or len(arrays) < 2:
        raise ValueError(
            f"{path}: needs the arrays input and layer_00 ..., or head; found {', '.join(arrays) or 'none'}"
        )
    tensors = {name: torch.from_numpy(np.asarray(values, np.float32)) for name, values in arrays.items()}
    images = tensors.pop("input")
    images = images if images.dim() == 4 else images[None]
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"{path}: input of shape {tuple(images.shape)}, expected (3, height, width)")
    numbers = {"head": -1, "output": -2}
    try:
        return images, {numbers.get(name) or int(name.removeprefix("layer_")): t for name, t in tensors.items()}
    except ValueError:
        raise ValueError(f"{path}: layers are named layer_00, layer_01 ...; found {', '.join(tensors)}") from None


def activations(model: YOLOv2 | Darknet19, images: Tensor) -> dict[int, tuple[Layer, Tensor]]:
    """The output (N, K, H, W) of every layer that has a module, by its number as Darknet counts, in evaluation mode."""
    seen, hooks = {}, []
    for number, (layer, module) in enumerate(layers_of(model)):
        if module is not None:
            # A copy, because the next step may work in place.
            def keep(module, inputs, output, number=number, layer=layer):
                seen[number] = (layer, output.clone())

            hooks.append(module.register_forward_hook(keep))
    training = model.training
    try:
        with torch.inference_mode():
            output = model.eval()(images)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    last = max(seen)
    seen[-1] = seen[last]
    seen[-2] = (Layer("softmax"), output.softmax(1))
    return seen


def compare(model: YOLOv2 | Darknet19, images: Tensor, expected: dict[int, Tensor]) -> list[Difference]:
    """Our layers against expected ones, in their order; routes, which compute nothing, are left out.

    Raises ValueError for a layer that the network does not have, or that has another shape here.
    """
    mine, rows = activations(model, images), []
    last = len(layers_of(model))
    for number in sorted(expected, key=lambda n: n if n >= 0 else last - n):
        if number not in mine:
            if not 0 <= number <= last:  # the loss layer counts too
                raise ValueError(f"layer {number} is expected, but the network has {last} layers")
            continue
        layer, output = mine[number]
        output, wanted = output.cpu(), expected[number]
        if output.numel() != wanted.numel():
            shapes = f"{tuple(output.shape[1:])} here, {tuple(wanted.shape)} expected"
            raise ValueError(f"layer {number} ({layer.kind}) has shape {shapes}: another network")
        difference = (output.flatten() - wanted.flatten()).abs()
        rows.append(Difference(number, layer, difference.max().item(), wanted.abs().max().item()))
    return rows
