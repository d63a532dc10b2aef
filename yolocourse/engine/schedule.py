"""The learning rate over the course of training, and the optimiser it steers."""

import math

import torch
from torch import nn

from yolocourse.engine.settings import TrainSettings


def learning_rate(settings: TrainSettings, seen: int, progress: float | None = None) -> float:
    """The rate for the next step, after `seen` pictures.

    progress: share of the training that is over, 0 to 1, where a time limit and not `images` decides about it.
    """
    warmup = settings.warmup_images
    if seen < warmup:
        return settings.learning_rate * ((seen + 1) / warmup) ** settings.warmup_power
    progress = seen / settings.images if progress is None else progress
    if settings.schedule == "cosine":
        start = min(warmup / settings.images, 1.0)
        part = min(max((progress - start) / max(1 - start, 1e-9), 0.0), 1.0)
        return settings.learning_rate * (1 + math.cos(math.pi * part)) / 2
    if settings.schedule == "polynomial":  # Darknet's "poly": of all of the training, the warm-up included
        return settings.learning_rate * max(1 - progress, 0.0) ** settings.power
    if settings.schedule == "steps":
        passed = sum(max(seen, progress * settings.images) >= step for step in settings.steps)
        return settings.learning_rate * settings.step_factor**passed
    return settings.learning_rate


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW or SGD over two groups: weights of convolutions and matrices, which decay, and the rest, which does not.

    Decay pulls weights to zero to keep a network simple. On the scales and biases of batch norm it only fights the
    normalisation, so they are left out, as in Darknet.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    # One kernel for the whole update of a tensor. On processors it does not skip steps that overflowed in float16.
    kinds = {"cuda"} if settings.precision == "float16" else {"cuda", "cpu"}
    fused = all(p.device.type in kinds for p in parameters)
    if settings.optimizer == "adamw":
        return AdamW(groups, lr=settings.learning_rate, betas=(settings.momentum, 0.999), fused=fused)
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=fused)


class AdamW(torch.optim.AdamW):
    """torch's, without copies of gradients whose channels lie innermost in memory.

    Its fused kernel for processors first copies every gradient that is not in plain order, a third of an update's time.
    So it gets everything with the dimensions in the order of memory; all that is done there is done number by number.
    """

    def _init_group(self, group: dict, parameters: list, *more: list) -> bool:
        has_complex = super()._init_group(group, parameters, *more)
        innermost = [i for i, p in enumerate(parameters) if p.dim() == 4 and not p.is_contiguous()]
        for tensors in (parameters, *more[:3]):  # and gradients, their averages and those of their squares
            for i in innermost:
                tensors[i] = tensors[i].permute(0, 2, 3, 1)
        return has_complex
