"""Toy Town as ordinary data sets: scenes with boxes, and pictures of one thing each.

Item i depends on (seed, split, slice, i) and on nothing else: not on the length of the set, nor on what was drawn
before.
"""

from dataclasses import replace
from random import Random

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from yolocourse.datasets.toytown import slices as composing
from yolocourse.datasets.toytown.art import ART
from yolocourse.datasets.toytown.backdrops import PLANE, stage
from yolocourse.datasets.toytown.classes import COARSE, FINE, coarse_of, labels
from yolocourse.datasets.toytown.scene import Item, Plan, Record, draw_things, grade, render

SPLITS = ("train", "val", "test")
MIN_SIZE, MAX_SIZE = 64, 1024
_COARSE_INDEX = {name: k for k, name in enumerate(COARSE)}
_FINE_INDEX = {name: k for k, name in enumerate(FINE)}
_ATTEMPTS = 50


def _check_size(size: int) -> int:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"size {size} is outside {MIN_SIZE} ... {MAX_SIZE} pixels")
    return size


def _find(stream: str, slice: str | None, size: int, backdrop: bool = True) -> tuple[Plan, Image.Image, list[Record]]:
    """The first scene of a stream that shows what its slice promises, drawn without light and noise."""
    for attempt in range(_ATTEMPTS):
        r = Random(f"{stream}/{attempt}")
        name = slice or r.choice(composing.MIX)
        plan = composing.COMPOSERS[name](r)
        # the promise is judged at one size, so that a scene is the same one at all of them
        picture, records = draw_things(plan, PLANE, backdrop=backdrop and size == PLANE)
        if composing.holds(name, records, PLANE):
            if size != PLANE:
                picture, records = draw_things(plan, size, backdrop=backdrop)
            return plan, picture, records
    raise AssertionError(f"no {slice or 'training'} scene in {_ATTEMPTS} attempts from stream {stream!r}")


class ToyTownScenes(Dataset):
    """Scenes with boxes. Items are `(image, target)`: a PIL picture and a dictionary

    - "boxes": `tv_tensors.BoundingBoxes` (B, 4), xyxy in pixels, whole numbers as float32, of what one sees of a thing
    - "labels": (B,) indices into the coarse `labels`
    - "fine": (B,) indices into the fine labels, -1 for a kind without one
    - "difficult": (B,) bool, less than a quarter of the thing is visible (under a twelfth it has no box at all)
    - "image_id": str

    `size` is the side of the pictures in pixels; None draws item i at the i-th of `SCALES`, in turn, as slice `scale`
    does: there the same scene comes once at every size. With `keep`, drawn pictures stay in memory (150 kB each at
    224).
    """

    def __init__(
        self,
        count: int,
        seed: int = 0,
        slice: str | None = None,
        size: int | None = PLANE,
        split: str = "train",
        keep: bool = False,
    ):
        known = composing.SLICES + composing.EXTRA_SLICES
        if slice is not None and slice not in known:
            raise ValueError(
                f"unknown slice {slice!r}; known: {', '.join(known)}, or None for the mix that one trains on"
            )
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
        if count < 0:
            raise ValueError(f"count must not be negative, found {count}")
        self.count, self.seed, self.slice, self.split = count, seed, slice, split
        self.size = None if size is None else _check_size(size)
        self.labels, self.fine_labels = labels("coarse"), labels("fine")
        self._records: dict[int, list[Record]] = {}
        self._kept: dict[int, bytes] | None = {} if keep else None

    def __len__(self) -> int:
        return self.count

    def _where(self, index: int) -> tuple[int, str, int]:
        """The index from the front, the stream and the size of an item."""
        if not -self.count <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        index %= self.count
        if self.size is not None:
            scene, size = index, self.size
        else:
            scene, size = divmod(index, len(composing.SCALES))
            size = composing.SCALES[size]
        return index, f"toytown/scenes/{self.split}/{self.slice or 'mix'}/{self.seed}/{scene}", size

    def image_size(self, index: int) -> int:
        """The side of picture `index` in pixels."""
        return self._where(index)[2]

    def records(self, index: int) -> list[Record]:
        """What is labelled in scene `index`; drawn without backdrop, light and noise if it was not drawn before."""
        index, stream, size = self._where(index)
        if index not in self._records:
            self._records[index] = _find(stream, self.slice, size, backdrop=False)[2]
        return self._records[index]

    def target(self, index: int) -> dict:
        """The target of item `index`, without its picture (about half the work)."""
        index, _, size = self._where(index)
        records = self.records(index)
        boxes = torch.tensor([record.box for record in records], dtype=torch.float32).reshape(-1, 4)
        return {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(size, size)),
            "labels": torch.tensor([_COARSE_INDEX[ART[record.name].coarse] for record in records], dtype=torch.long),
            "fine": torch.tensor([_FINE_INDEX.get(ART[record.name].fine, -1) for record in records], dtype=torch.long),
            "difficult": torch.tensor([record.difficult for record in records], dtype=torch.bool),
            "image_id": f"{self.split}_{self.slice or 'mix'}_{self.seed}_{index:06d}",
        }

    def __getitem__(self, index: int) -> tuple[Image.Image, dict]:
        index, stream, size = self._where(index)
        if self._kept is not None and index in self._kept:
            return Image.frombytes("RGB", (size, size), self._kept[index]), self.target(index)
        plan, picture, records = _find(stream, self.slice, size)
        picture = grade(picture, plan.light, plan.strength, plan.grain, plan.seed)
        self._records[index] = records
        if self._kept is not None:
            self._kept[index] = picture.tobytes()
        return picture, self.target(index)

    def sizes(self) -> Tensor:
        """Width and height (B, 2) of all boxes of the set, as shares of their pictures', 0 to 1."""
        boxes = [
            [side / self.image_size(index) for side in record.box]
            for index in range(self.count)
            for record in self.records(index)
        ]
        corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        return corners[:, 2:] - corners[:, :2]


class ToyTownThings(Dataset):
    """Pictures of one thing each: `(image, {"label": ()})`, fine labels, every class equally often, no boxes.

    `size` is the side in pixels. With `with_boxes` the target also has "box" (4,) xyxy in pixels and "coarse" (), for
    tests and figures; training must not look at them.
    """

    def __init__(self, count: int, seed: int = 0, size: int = 112, split: str = "train", with_boxes: bool = False):
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
        if count < 0:
            raise ValueError(f"count must not be negative, found {count}")
        self.count, self.seed, self.size, self.split, self.with_boxes = (
            count,
            seed,
            _check_size(size),
            split,
            with_boxes,
        )
        self.labels, self.coarse_labels = labels("fine"), labels("coarse")

    def __len__(self) -> int:
        return self.count

    def label(self, index: int) -> int:
        """The fine label of item `index`, without drawing it: each run of 27 items holds every class once, shuffled."""
        if not -self.count <= index < self.count:
            raise IndexError(f"thing {index} of {self.count}")
        turn, place = divmod(index % self.count, len(FINE))
        order = list(range(len(FINE)))
        Random(f"toytown/things/{self.split}/{self.seed}/order/{turn}").shuffle(order)
        return order[place]

    def target(self, index: int) -> dict:
        """The target of item `index` without its picture (and without a box)."""
        return {"label": torch.tensor(self.label(index))}

    def __getitem__(self, index: int) -> tuple[Image.Image, dict]:
        label = self.label(index)
        name, index = FINE[label], index % self.count
        picture, record = draw_thing(name, Random(f"toytown/things/{self.split}/{self.seed}/{index}"), self.size)
        target = {"label": torch.tensor(label)}
        if self.with_boxes:
            target["box"] = torch.tensor(record.box, dtype=torch.float32)
            target["coarse"] = torch.tensor(_COARSE_INDEX[coarse_of(name)])
        return picture, target


def draw_thing(name: str, r: Random, size: int) -> tuple[Image.Image, Record]:
    """One thing that fills most of a picture, before a backdrop of any kind. `name` is one of ART."""
    art = ART[name]
    where = stage(
        r.choice(("street", "park", "beach", "sky") if art.place not in ("water", "surface") else ("harbour",)), r
    )
    x0, y0, x1, y1 = art.bounds
    room = PLANE * r.uniform(0.66, 0.95)
    height = min(room / (x1 - x0), room / (y1 - y0))
    x = PLANE * r.uniform(0.45, 0.55) - (x0 + x1) / 2 * height
    y = PLANE * r.uniform(0.45, 0.55) - (y0 + y1) / 2 * height
    if art.place == "surface":
        where = replace(where, horizon=y - 3)  # boats float on the water, not in it
    light = r.choice(("day", "day", "warm", "dusk", "night", "overcast", "fog"))
    item = Item(
        name,
        x,
        y,
        height,
        r.getrandbits(48),
        r.random() < 0.5,
        r.uniform(-6, 6),
        art.place not in ("sky", "water", "surface"),
    )
    plan = Plan(where, r.getrandbits(48), [item], light, r.uniform(0.2, 0.8), r.choice((0, 4, 8, 14)))
    picture, records = render(plan, size)
    return picture, records[0]


def scenes(
    count: int,
    seed: int = 0,
    slice: str | None = None,
    size: int | None = PLANE,
    split: str = "train",
    keep: bool = False,
) -> ToyTownScenes:
    """`count` scenes with coarse labels and boxes; `slice` None is the mix of situations that one trains on."""
    return ToyTownScenes(count, seed, slice, size, split, keep)


def things(count: int, seed: int = 0, size: int = 112, split: str = "train", with_boxes: bool = False) -> ToyTownThings:
    """`count` pictures of one thing each, with fine labels and without boxes."""
    return ToyTownThings(count, seed, size, split, with_boxes)


def test_slices(
    count_per_slice: int = 100, seed: int = 0, size: int = PLANE, keep: bool = False
) -> dict[str, ToyTownScenes]:
    """The five named test slices. Their scenes are never those of the train or val split, whatever the seeds.

    The slice `scale` has `count_per_slice` pictures too: a fifth as many scenes, each at 160, 224, 288, 352 and 416
    pixels.
    """
    return {
        name: ToyTownScenes(count_per_slice, seed, name, None if name == "scale" else size, "test", keep)
        for name in composing.SLICES
    }


test_slices.__test__ = False  # it is no test, though pytest would take it for one
