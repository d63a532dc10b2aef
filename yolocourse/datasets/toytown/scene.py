"""A scene as a plan (what stands where), and the picture and boxes drawn from it at any size.

A plan lives in a plane of 224 x 224 units, so that the same plan can be drawn from 160 to 416 pixels.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from yolocourse.datasets.toytown.art import ART
from yolocourse.datasets.toytown.backdrops import PLANE, Stage, paint
from yolocourse.datasets.toytown.clutter import CLUTTER
from yolocourse.datasets.toytown.pen import SUPERSAMPLE, Pen

MIN_SIDE = 3  # pixels; a smaller visible remnant gets no box
MIN_VISIBLE = 0.08  # share of a thing's pixels; with less it gets no box
DIFFICULT_VISIBLE = 0.25  # with less it is marked difficult
SOLID = 60  # of 255: a pixel belongs to the last thing that covers a quarter of it, one of its four sub-pixels


@dataclass(frozen=True)
class Item:
    """One thing: `name` in ART (or in CLUTTER), standing at (x, y), one unit `height` plane units high."""

    name: str
    x: float
    y: float
    height: float
    seed: int
    mirror: bool = False
    angle: float = 0.0
    shadow: bool = True


@dataclass
class Plan:
    """`items` are drawn in order; `light` is one of LIGHTS; `grain` the amplitude of the noise (0 to 255)."""

    stage: Stage
    seed: int
    items: list[Item] = field(default_factory=list)
    light: str = "day"
    strength: float = 0.0
    grain: int = 0


@dataclass(frozen=True)
class Record:
    """What became of one labelled thing: its box in whole pixels, x1 and y1 exclusive, the share of it that one sees,
    and its index in the plan."""

    name: str
    box: tuple[int, int, int, int]
    visible: float
    item: int

    @property
    def difficult(self) -> bool:
        return self.visible < DIFFICULT_VISIBLE


# gain of red, green, blue in 1/256 at full strength, and the colour of the haze with its greatest share
LIGHTS = {
    "day": ((256, 256, 256), (255, 255, 255), 0.0),
    "warm": ((276, 252, 214), (255, 230, 190), 0.08),
    "dusk": ((206, 168, 190), (250, 150, 110), 0.12),
    "night": ((116, 128, 176), (30, 40, 80), 0.1),
    "overcast": ((214, 220, 226), (190, 196, 200), 0.12),
    "fog": ((240, 244, 246), (222, 226, 228), 0.58),
}


@lru_cache(maxsize=1)
def _soft_disc() -> Image.Image:
    x = np.arange(128) * 2 - 127
    distance = (x[None, :] ** 2 + x[:, None] ** 2) * 256 // 127**2
    return Image.fromarray(np.clip((256 - distance) * 2, 0, 96).astype(np.uint8))


@lru_cache(maxsize=256)
def _shadow_mask(width: int) -> Image.Image:
    return _soft_disc().resize((width, max(6, width // 7)), Image.Resampling.BILINEAR)


def _sprite(item: Item, scale: float) -> tuple[Image.Image, tuple[int, int]]:
    """The drawn thing, supersampled (every pixel opaque or clear), and the picture position of its top left corner."""
    if item.name in ART:
        draw, bounds = ART[item.name].draw, ART[item.name].bounds
    else:
        draw, bounds = CLUTTER[item.name][:2]
    pen = Pen(bounds, item.height * scale, item.mirror, item.angle)
    draw(pen, Random(item.seed))
    at = (int(item.x * scale + 0.5) - pen.origin[0], int(item.y * scale + 0.5) - pen.origin[1])
    return pen.canvas, at


def _cast_shadow(canvas: Image.Image, left: int, right: int, ground: int) -> None:
    """A soft shadow on the ground from left to right, in picture pixels; `canvas` is supersampled."""
    width = (right - left + 4) * SUPERSAMPLE // 8 * 8
    if width >= 16:
        mask = _shadow_mask(width)
        corner = ((left + right) * SUPERSAMPLE // 2 - width // 2, ground * SUPERSAMPLE - mask.height // 2)
        canvas.paste((30, 26, 50), corner, mask)


def grade(picture: Image.Image, light: str, strength: float, grain: int, seed: int) -> Image.Image:
    """Light over the whole picture, and noise; integer arithmetic only."""
    gains, haze, most = LIGHTS[light]
    share, full = int(most * strength * 256), int(strength * 256)
    values, table = np.arange(256), []
    for gain, mist in zip(gains, haze, strict=True):
        lit = np.minimum(values * (256 + (gain - 256) * full // 256) // 256, 255)
        table += ((lit * (256 - share) + mist * share) // 256).tolist()
    picture = picture.point(table)
    if not grain:
        return picture
    noise = Image.frombytes("L", picture.size, Random(seed).randbytes(picture.width * picture.height))
    noise = noise.point((128 + ((values - 128) * grain >> 7)).tolist())
    return ImageChops.add(picture, Image.merge("RGB", (noise, noise, noise)), 1, -128)


def draw_things(
    plan: Plan, size: int, hide: int | None = None, backdrop: bool = True
) -> tuple[Image.Image | None, list[Record]]:
    """The picture before light and noise, and a record for every labelled thing that can be seen.

    `hide` leaves out the item of that index, but not its shadow (the tests compare pictures with and without a thing).
    Without `backdrop` there is no picture, None: the records alone cost about half as much.
    """
    scale = size / PLANE
    canvas = paint(plan.stage, Random(plan.seed), size) if backdrop else None
    owner = np.zeros((size, size), dtype=np.uint8)  # which thing each pixel shows, counted from 1
    drawn = []
    for index, item in enumerate(plan.items):
        sprite, (x, y) = _sprite(item, scale)
        solid = np.asarray(sprite.getchannel("A").reduce(SUPERSAMPLE)) >= SOLID
        extent = _extent(solid)
        if extent is None:
            continue
        if item.shadow and canvas is not None:
            _cast_shadow(canvas, x + extent[0], x + extent[2], y + extent[3] - 1)
        if index == hide:
            continue
        if canvas is not None:
            canvas.paste(sprite, (x * SUPERSAMPLE, y * SUPERSAMPLE), sprite)
        inside = (max(x + extent[0], 0), max(y + extent[1], 0), min(x + extent[2], size), min(y + extent[3], size))
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            continue
        part = solid[inside[1] - y : inside[3] - y, inside[0] - x : inside[2] - x]
        owner[inside[1] : inside[3], inside[0] : inside[2]][part] = index + 1
        if item.name in ART:
            drawn.append((index + 1, item.name, inside, int(np.count_nonzero(solid))))
    return None if canvas is None else canvas.reduce(SUPERSAMPLE), _records(owner, drawn)


def _extent(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """The smallest box (x0, y0, x1, y1) around what is true in a mask (H, W); None if nothing is."""
    columns, rows = mask.any(0).nonzero()[0], mask.any(1).nonzero()[0]
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _records(owner: np.ndarray, drawn) -> list[Record]:
    """`drawn` holds number in `owner`, name, box before anything hid it, and pixels, of every labelled thing."""
    records = []
    for number, name, (x0, y0, x1, y1), whole in drawn:
        mask = owner[y0:y1, x0:x1] == number
        seen, box = int(np.count_nonzero(mask)), _extent(mask)
        if box is None or seen < MIN_VISIBLE * whole or box[2] - box[0] < MIN_SIDE or box[3] - box[1] < MIN_SIDE:
            continue
        records.append(Record(name, (x0 + box[0], y0 + box[1], x0 + box[2], y0 + box[3]), seen / whole, number - 1))
    return records


def render(plan: Plan, size: int) -> tuple[Image.Image, list[Record]]:
    """The finished picture, `size` x `size` RGB, and the records of its things."""
    picture, records = draw_things(plan, size)
    return grade(picture, plan.light, plan.strength, plan.grain, plan.seed), records


def outline(picture: Image.Image, records: list[Record]) -> Image.Image:
    """A copy with the boxes drawn in, for contact sheets."""
    copy = picture.copy()
    draw = ImageDraw.Draw(copy)
    for record in records:
        x0, y0, x1, y1 = record.box
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=(255, 170, 0) if record.difficult else (255, 255, 255))
    return copy
