"""What lies behind the things: sky, houses, hills, road and water. Nothing here is labelled.

Every backdrop is drawn in the 224-unit plane of a scene and says where things may stand.
"""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from yolocourse.datasets.toytown.pen import SUPERSAMPLE, Colour, Pen, mix, smooth_open, tint

PLANE = 224
_BANDS = 72  # steps of the sky's gradient, too fine to be seen


@dataclass(frozen=True)
class Stage:
    """`kind` of backdrop and the heights (y, in the 224-unit plane) at which the things of each place may stand."""

    kind: str
    horizon: float
    places: dict[str, tuple[float, float]]


_SKIES = (
    ((126, 192, 230), (222, 240, 244)), ((150, 206, 232), (246, 240, 222)), ((104, 168, 216), (206, 228, 236)),
    ((246, 190, 150), (252, 230, 196)), ((170, 186, 214), (240, 214, 214)), ((182, 200, 206), (226, 230, 228)),
    ((88, 110, 168), (226, 176, 170)),
)
_WALLS = (
    (236, 206, 170), (214, 150, 124), (200, 196, 186), (240, 226, 190), (176, 194, 206), (222, 176, 176),
    (188, 206, 176), (168, 130, 120), (226, 190, 120),
)
_ROOFS = ((168, 84, 70), (120, 92, 92), (98, 108, 128), (186, 112, 76), (108, 82, 74))
_GRASS = (
    (146, 190, 112), (168, 200, 120), (128, 176, 116), (186, 192, 112), (118, 164, 104), (236, 240, 244),
    (198, 186, 128),
)


def stage(kind: str, r: Random) -> Stage:
    """A stage of one kind: "street", "park", "harbour" (water cut open, fish below), "beach" or "sky"."""
    if kind == "street":
        h = r.uniform(108, 124)
        road = (h + 34, h + 68)
        return Stage(
            kind,
            h,
            {
                "behind": (h + 14, h + 24),
                "ground": (h + 16, h + 30),
                "front": (h + 78, 220),
                "road": road,
                "sky": (28, h - 20),
                "shore": (h + 78, 218),
                "perch": (h - 16, h + 12),
            },
        )
    if kind == "park":
        h = r.uniform(84, 116)
        return Stage(
            kind,
            h,
            {
                "behind": (h + 14, 196),
                "ground": (h + 26, 218),
                "front": (h + 60, 220),
                "road": (h + 40, 205),
                "sky": (26, h),
                "shore": (h + 40, 216),
                "perch": (h - 6, h + 50),
            },
        )
    if kind == "harbour":
        h = r.uniform(78, 128)
        return Stage(
            kind, h, {"surface": (h + 1, h + 5), "water": (h + 34, 216), "sky": (26, h - 26), "afloat": (h + 1, h + 3)}
        )
    if kind == "beach":
        h = r.uniform(78, 98)
        sand = h + r.uniform(48, 64)
        return Stage(
            kind,
            h,
            {
                "surface": (h + 14, sand - 10),
                "ground": (sand + 10, 219),
                "behind": (sand + 4, 200),
                "front": (sand + 24, 220),
                "shore": (sand - 4, 216),
                "sky": (26, h - 12),
                "perch": (sand - 30, sand + 20),
            },
        )
    h = r.uniform(186, 204)
    return Stage("sky", h, {"sky": (36, 190), "behind": (h + 8, 222), "ground": (h + 8, 222)})


def _sky(r: Random, pixels: int, horizon: int) -> tuple[Image.Image, Colour]:
    """A canvas with a vertical gradient, and the colour at the horizon."""
    high, low = r.choice(_SKIES)
    canvas = Image.new("RGB", (pixels, pixels), low)
    draw = ImageDraw.Draw(canvas)
    for band in range(_BANDS):
        y0, y1 = band * horizon // _BANDS, (band + 1) * horizon // _BANDS
        colour = tuple((a * (_BANDS - band) + b * band) // _BANDS for a, b in zip(high, low, strict=True))
        draw.rectangle((0, y0, pixels, y1), colour)
    return canvas, low


def _cloud(pen: Pen, r: Random, x: float, y: float, size: float, colour: Colour) -> None:
    for dx, dy, s in ((-0.9, 0.1, 0.5), (-0.35, -0.18, 0.62), (0.3, -0.12, 0.55), (0.85, 0.1, 0.45)):
        pen.oval(x + dx * size, y + dy * size, s * size, s * size * r.uniform(0.5, 0.62), colour)
    pen.round_rect(x - 1.2 * size, y + 0.02 * size, x + 1.15 * size, y + 0.38 * size, 0.16 * size, colour)


def _hills(pen: Pen, r: Random, y: float, height: float, colour: Colour) -> None:
    step = r.choice((26, 38, 52))
    ridge = smooth_open([(x, y - r.uniform(0, height)) for x in range(-step, PLANE + 2 * step, step)])
    pen.poly([(-60, PLANE + 2), *ridge.tolist(), (PLANE + 60, PLANE + 2)], colour)


def _house(pen: Pen, r: Random, x: float, base: float, width: float, height: float, haze: Colour) -> None:
    wall, roof = mix(r.choice(_WALLS), haze, 0.18), mix(r.choice(_ROOFS), haze, 0.15)
    top = base - height
    pen.rect(x, top, x + width, base, wall)
    pen.rect(x + width * 0.86, top, x + width, base, tint(wall, -0.1))
    if r.random() < 0.6:
        pen.poly([(x - 2, top), (x + width + 2, top), (x + width * 0.5, top - width * r.uniform(0.3, 0.5))], roof)
    else:
        pen.rect(x - 1, top - 4, x + width + 1, top, roof)
    pane = r.choice((tint(wall, -0.45), (150, 186, 204), (252, 226, 150)))
    columns, rows = max(2, int(width / 13)), max(1, int(height / 19))
    for row in range(rows):
        for column in range(columns):
            wx = x + (column + 0.5) * width / columns
            wy = top + 6 + row * 18
            pen.rect(wx - 3, wy, wx + 3, wy + 9, pane)
    if r.random() < 0.7:
        dx = x + width * r.choice((0.25, 0.5, 0.75))
        pen.rect(dx - 4, base - 14, dx + 4, base, tint(roof, -0.2))


def _street(pen: Pen, r: Random, where: Stage, low: Colour) -> None:
    h = where.horizon
    _hills(pen, r, h - 6, 30, mix(r.choice(_GRASS), low, 0.5))
    x = r.uniform(-20, 0)
    while x < PLANE:
        width = r.uniform(30, 56)
        if r.random() < 0.86:
            _house(pen, r, x, h + 8, width, r.uniform(34, 84), low)
        x += width + r.choice((0, 0, 4, 12))
    slab = r.choice(((206, 200, 190), (190, 188, 186), (214, 200, 176)))
    asphalt = r.choice(((112, 112, 122), (128, 124, 126), (98, 102, 116), (150, 142, 136)))
    pen.rect(0, h + 8, PLANE, h + 32, slab)
    pen.rect(0, h + 8, PLANE, h + 10, tint(slab, -0.15))
    pen.rect(0, h + 31, PLANE, PLANE, tint(slab, -0.25))
    pen.rect(0, h + 33, PLANE, h + 74, asphalt)
    for k in range(-1, 7):
        x = k * 40 + r.uniform(0, 4)
        pen.rect(x, h + 52, x + 20, h + 54.5, (238, 232, 214))
    pen.rect(0, h + 72, PLANE, h + 75, tint(slab, 0.2))
    pen.rect(0, h + 75, PLANE, PLANE, slab if r.random() < 0.6 else r.choice(_GRASS))


def _park(pen: Pen, r: Random, where: Stage, low: Colour) -> None:
    h, grass = where.horizon, r.choice(_GRASS)
    _hills(pen, r, h + 4, 40, mix(tint(grass, -0.12), low, 0.5))
    if r.random() < 0.4:
        for _ in range(r.randint(1, 3)):
            _house(pen, r, r.uniform(0, 190), h + 8, r.uniform(22, 36), r.uniform(18, 34), low)
    _hills(pen, r, h + 8, 12, mix(grass, low, 0.2))
    pen.rect(0, h + 8, PLANE, PLANE, grass)
    side = r.uniform(20, 200)
    path = r.choice(((226, 206, 166), (200, 184, 160), (178, 176, 172)))
    if r.random() < 0.7:
        pen.blob([
            (side - 6, h + 9), (side + 8, h + 9), (side + 40, 160), (side + 20, 200), (side + 60, 240),
            (side - 50, 240), (side - 30, 190), (side + 8, 150),
        ], path)
    if r.random() < 0.3:
        pen.oval(r.uniform(20, 200), r.uniform(h + 40, 200), r.uniform(30, 60), r.uniform(8, 16), (130, 186, 208))
    dark = tint(grass, -0.14)
    for _ in range(12):
        x, y = r.uniform(0, PLANE), r.uniform(h + 14, PLANE)
        pen.poly([(x - 3, y), (x - 2, y - 4), (x, y - 1), (x + 1, y - 5), (x + 3, y)], dark)
    for _ in range(r.choice((0, 6, 14))):
        x, y = r.uniform(0, PLANE), r.uniform(h + 20, PLANE)
        pen.rect(x, y, x + 2.4, y + 2.4, r.choice(((250, 214, 80), (240, 120, 120), (250, 246, 240), (170, 120, 200))))


def _waves(pen: Pen, r: Random, top: float, bottom: float, colour: Colour, count: int) -> None:
    for _ in range(count):
        x, y, w = r.uniform(-10, PLANE), r.uniform(top, bottom), r.uniform(8, 26)
        pen.stroke(((x, y), (x + w * 0.3, y - 1.5), (x + w * 0.7, y), (x + w, y - 1)), 1.2, colour, round_ends=False)


def _harbour(pen: Pen, r: Random, where: Stage, low: Colour) -> None:
    h = where.horizon
    _hills(pen, r, h + 2, 26, mix((110, 150, 130), low, 0.4))
    if r.random() < 0.4:
        for k in range(r.randint(2, 5)):
            _house(pen, r, 10 + k * 40 + r.uniform(0, 12), h, r.uniform(18, 32), r.uniform(14, 38), low)
    water = r.choice(((84, 166, 196), (70, 148, 190), (100, 180, 190), (64, 130, 160), (108, 170, 150)))
    pen.rect(0, h, PLANE, PLANE, water)
    for k in range(1, 4):
        y = h + (PLANE - h) * k / 4
        pen.poly(
            [(0, y), (60, y - 5), (120, y + 3), (180, y - 4), (PLANE, y + 2), (PLANE, PLANE), (0, PLANE)],
            tint(water, -0.07 * k),
        )
    crest = [(0, h + 2)] + [(x, h - (1.5 if k % 2 else -1.5)) for k, x in enumerate(range(0, PLANE + 9, 8))]
    pen.poly([*crest, (PLANE, h + 4), (0, h + 4)], tint(water, 0.5))
    sand = r.choice(((222, 200, 150), (190, 176, 150), (120, 130, 120)))
    pen.poly(
        [(0, 212), (50, 206), (110, 214), (170, 208), (PLANE, 213), (PLANE, PLANE), (0, PLANE)], mix(sand, water, 0.35)
    )
    for _ in range(r.randint(2, 7)):  # weed
        x, tall, lean = r.uniform(0, PLANE), r.uniform(16, 50), r.uniform(-8, 8)
        weed = mix(r.choice(((60, 130, 84), (150, 90, 80), (90, 150, 90))), water, 0.25)
        pen.stroke(((x, 218), (x + lean, 218 - tall * 0.5), (x - lean * 0.5, 218 - tall)), 3.2, weed, curved=True)
    for _ in range(r.randint(3, 12)):  # bubbles
        pen.ring(r.uniform(0, PLANE), r.uniform(h + 10, 205), r.uniform(1.5, 3.5), 0.8, tint(water, 0.45))


def _beach(pen: Pen, r: Random, where: Stage, low: Colour) -> None:
    h, sand_y = where.horizon, where.places["shore"][0] + 4
    _hills(pen, r, h + 2, 20, mix((120, 160, 130), low, 0.45))
    water = r.choice(((96, 176, 204), (80, 154, 194), (110, 190, 196), (90, 140, 170)))
    sand = r.choice(((240, 218, 168), (226, 204, 160), (206, 196, 176), (168, 196, 120), (234, 240, 244)))
    pen.rect(0, h, PLANE, PLANE, water)
    pen.rect(0, h, PLANE, h + 8, tint(water, 0.2))
    _waves(pen, r, h + 8, sand_y - 4, tint(water, 0.35), 14)
    edge = [(x, sand_y + r.uniform(-4, 4)) for x in range(0, PLANE + 30, 28)]
    pen.poly([*((x, y - 4) for x, y in edge), (PLANE, PLANE), (0, PLANE)], (244, 248, 246))
    pen.poly([*edge, (PLANE, PLANE), (0, PLANE)], sand)
    for _ in range(16):
        x, y = r.uniform(0, PLANE), r.uniform(sand_y + 8, PLANE)
        pen.oval(x, y, r.uniform(0.8, 2), r.uniform(0.6, 1.2), tint(sand, -0.2))


def _open_sky(pen: Pen, r: Random, where: Stage, low: Colour) -> None:
    grass = r.choice(_GRASS)
    _hills(pen, r, where.horizon - 10, 40, mix(grass, low, 0.55))
    _hills(pen, r, where.horizon + 4, 18, mix(tint(grass, -0.08), low, 0.2))
    for _ in range(r.randint(0, 4)):
        _house(pen, r, r.uniform(0, 200), where.horizon + 10, r.uniform(10, 18), r.uniform(8, 14), low)
    pen.rect(0, where.horizon + 8, PLANE, PLANE, grass)


_PAINTERS = {"street": _street, "park": _park, "harbour": _harbour, "beach": _beach, "sky": _open_sky}


def paint(where: Stage, r: Random, size: int) -> Image.Image:
    """The backdrop of a picture of `size` x `size` pixels, RGB, still supersampled."""
    pixels, unit = size * SUPERSAMPLE, size / PLANE
    canvas, low = _sky(r, pixels, int(where.horizon * unit * SUPERSAMPLE))
    pen = Pen((0, 0, PLANE, PLANE), unit, canvas=canvas)
    white = tint(low, 0.55)
    for _ in range(r.choice((0, 1, 2, 3, 4))):
        _cloud(pen, r, r.uniform(0, PLANE), r.uniform(12, max(where.horizon - 30, 20)), r.uniform(9, 24), white)
    _PAINTERS[where.kind](pen, r, where, low)
    return canvas
