"""Between a data set and the loop: pictures kept in memory, and random numbers that can be had again."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import pil_to_tensor, resize
from torchvision.tv_tensors import BoundingBoxes


class Seeded(Dataset):
    """A data set with a random transform, where item i of epoch e depends on (seed, e, i) and on nothing else.

    So the pictures of a run do not depend on the number of worker processes or the order of loading, and a run that is
    resumed sees what the unbroken one would have seen. The transform draws from torch's global generator, which is
    seeded for each item and put back afterwards.

    transform: called with (image, target); None passes samples on as they are.
    """

    def __init__(self, dataset: Dataset, transform: Callable | None, seed: int = 0):
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, got {seed}")
        self.dataset, self.transform, self.seed = dataset, transform, seed
        # In shared memory, so that worker processes kept alive from one epoch to the next learn of the new one.
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """To be called before each epoch's iteration starts."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> tuple:
        before = torch.get_rng_state()
        i = range(len(self))[i]
        words = np.random.SeedSequence((self.seed, int(self._epoch), i)).generate_state(2, np.uint32)
        # Not torch.manual_seed, which would seed the accelerators too.
        torch.default_generator.manual_seed(int(words[0]) << 31 ^ int(words[1]))
        try:
            sample = self.dataset[i]
            return sample if self.transform is None else self.transform(*sample)
        finally:
            torch.set_rng_state(before)


class Cached(Dataset):
    """Keeps every picture of a small data set in memory, decoded and no larger than needed.

    Item i is (uint8 tensor (3, h, w), target): the picture made smaller, proportions kept, until its longer side is at
    most `max_side` pixels, its boxes with it. All are read at once, so a damaged file shows before training starts.
    1,000 pictures of 480 x 360 take 520 MB; raises ValueError beyond `limit` bytes.
    With an augmentation that zooms in by 20 % a side, a `max_side` of 1.4 times the network's size keeps all detail
    but the strongest zoom's.
    """

    def __init__(self, dataset: Dataset, max_side: int | None = None, limit: int = 4 * 2**30):
        self.dataset = dataset
        self.items: list[tuple[Tensor, dict]] = []
        used = 0
        for i in range(len(dataset)):
            image, target = shrink(*dataset[i], max_side)
            used += image.numel()
            if used > limit:
                raise ValueError(
                    f"the first {i + 1} of {len(dataset)} pictures take over {limit / 2**30:.1f} GB in memory;"
                    f" choose a max_side under {max_side or max(image.shape)} pixels, or load them from disk"
                )
            self.items.append((image, target))

    def __getattr__(self, name: str):
        # labels, sizes(), path(i) ... of the data set inside; not for names that unpickling asks for.
        if name.startswith("__") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.items)

    def target(self, i: int) -> dict:
        """The target of item i, boxes in pixels of the picture as cached."""
        return dict(self.items[i][1])

    def __getitem__(self, i: int) -> tuple[Tensor, dict]:
        return self.items[i][0], self.target(i)


def shrink(image: Image.Image | Tensor, target: dict, max_side: int | None) -> tuple[Tensor, dict]:
    """The picture as uint8 (3, h, w) with its longer side at most `max_side` pixels, and its boxes to match."""
    if isinstance(image, Image.Image):
        image = pil_to_tensor(image)
    height, width = image.shape[-2:]
    scale = 1.0 if max_side is None else min(1.0, max_side / max(height, width))
    if scale == 1.0:
        return image, target
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    image = resize(image, size, InterpolationMode.BILINEAR, antialias=True)
    if "boxes" in target:
        boxes = target["boxes"].as_subclass(Tensor)
        boxes = boxes * boxes.new_tensor([size[1] / width, size[0] / height] * 2)
        target = {**target, "boxes": BoundingBoxes(boxes, format="XYXY", canvas_size=tuple(size))}
    return image, target
