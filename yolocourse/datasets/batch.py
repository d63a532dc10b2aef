"""Samples put together: a batch, its padding, and the network's changing size.

Shape letters: N pictures, H W their rows and columns, B most boxes of one picture in the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from yolocourse.preprocess import check_size

PADDING = -1


@dataclass
class Batch:
    """N pictures of one size and what is known of them.

    A picture without boxes has `has_boxes` true and only padding in its row; one whose boxes nobody drew (class only)
    has it false, and a `label`.
    """

    images: Tensor  # (N, 3, H, W) uint8; float, 0 to 1, once their colours have been changed for the network
    boxes: Tensor  # (N, B, 4) float32, xyxy in pixels of `images`, padded with 0
    labels: Tensor  # (N, B) long, padded with -1
    difficult: Tensor  # (N, B) bool, padded with False
    has_boxes: Tensor  # (N,) bool
    label: Tensor  # (N,) long: the class of a class-only picture, -1 for the others
    image_ids: list  # N ids, for messages; None where the sample has none

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str, non_blocking: bool = True) -> "Batch":
        """The batch with its tensors on a device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory (DataLoader calls this), from which a GPU copies without waiting."""
        return self._map(Tensor.pin_memory)

    def inputs(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The network's input: (N, 3, H, W), 0 to 1, channels innermost in memory: convolutions are faster so."""
        images = self.images.to(dtype, memory_format=torch.channels_last)
        return images if self.images.is_floating_point() else images.div_(255)

    def _map(self, change) -> "Batch":
        tensors = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "image_ids"}
        return replace(self, **{name: change(tensor) for name, tensor in tensors.items()})


def collate(samples: Sequence[tuple[Tensor, dict]]) -> Batch:
    """Puts samples (uint8 picture (3, H, W), target) together; detection and class-only ones may be mixed.

    Raises ValueError for an empty list, pictures of different sizes, and a target with neither boxes nor a label.
    """
    if not samples:
        raise ValueError("a batch needs at least one sample")
    images, targets = [image.as_subclass(Tensor) for image, _ in samples], [target for _, target in samples]
    ids = [target.get("image_id") for target in targets]
    for image, target, image_id in zip(images, targets, ids, strict=True):
        if image.shape != images[0].shape or image.dtype != torch.uint8:
            sizes = f"{tuple(images[0].shape)} and {tuple(image.shape)} {image.dtype}"
            raise ValueError(f"pictures of a batch must be uint8 and of one size, found {sizes} (image {image_id!r})")
        if "boxes" not in target and "label" not in target:
            raise ValueError(f"image {image_id!r} has neither boxes nor a label; its target has {sorted(target)}")
    boxes, labels, difficult = zip(*map(_truths, targets), strict=True)
    has_boxes = ["boxes" in target for target in targets]
    label = [PADDING if has else int(target["label"]) for target, has in zip(targets, has_boxes, strict=True)]
    return Batch(
        torch.stack(images),  # (N, 3, H, W)
        pad_sequence(boxes, batch_first=True),  # (N, B, 4)
        pad_sequence(labels, batch_first=True, padding_value=PADDING),  # (N, B)
        pad_sequence(difficult, batch_first=True),  # (N, B)
        torch.tensor(has_boxes),
        torch.tensor(label),
        ids,
    )


def _truths(target: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, 4), labels (B,) and difficult (B,) of a picture; none of a picture with a class only."""
    if "boxes" not in target:
        return torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.bool)
    boxes, labels, difficult = target["boxes"].as_subclass(Tensor), target["labels"], target.get("difficult")
    difficult = torch.zeros_like(labels) if difficult is None else difficult
    return boxes.float(), labels.long(), difficult.bool()


def resize(batch: Batch, size: int | tuple[int, int]) -> Batch:
    """The batch with its pictures stretched to `size`, a side or (H, W) in pixels, and its boxes with them.

    On the batch's own device, once for all pictures, instead of in the loader: multi-scale training.
    """
    H, W = (size, size) if isinstance(size, int) else size
    height, width = batch.images.shape[-2:]
    if (height, width) == (H, W):
        return batch
    # Only the processor resizes 8-bit pictures as they are.
    images = batch.images if batch.images.device.type == "cpu" else batch.images.float()
    images = F.interpolate(images, (H, W), mode="bilinear", antialias=True)
    if images.dtype != torch.uint8:
        images = images.round().clamp(0, 255).to(torch.uint8)
    return replace(batch, images=images, boxes=batch.boxes * batch.boxes.new_tensor([W / width, H / height] * 2))


@dataclass(frozen=True)
class MultiScale:
    """Which size the network gets at which step: a new one every `every` steps (YOLO9000, section 2, "Multi-Scale
    Training": 320 to 608, every 10 batches).

    The size of a step depends on `seed` and the step alone, so that a resumed run, and every process of a distributed
    one, agrees on it.
    Raises ValueError for sizes that are not multiples of 32, for none, and for every < 1.
    """

    sizes: tuple[int, ...]
    every: int = 10
    seed: int = 0

    def __post_init__(self):
        for size in self.sizes:
            check_size(size, size)
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if not self.sizes:
            raise ValueError("multi-scale training needs at least one size")
        if self.every < 1:
            raise ValueError(f"every must be at least 1 step, got {self.every}")

    def size(self, step: int) -> int:
        """Side of the network's input in pixels at step 0, 1, 2 ..."""
        draw = np.random.SeedSequence((self.seed, step // self.every)).generate_state(1, np.uint64)
        return self.sizes[int(draw[0] % len(self.sizes))]
