"""Things without a label, to hide behind and to be mistaken for something: bushes, benches, signs, boxes, rocks, posts.

One unit is the height; the functions are those of `art.py`, but their pixels never get a box.
"""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

import math
from random import Random

from yolocourse.datasets.toytown.animals import WHITE
from yolocourse.datasets.toytown.pen import Pen, tint
from yolocourse.datasets.toytown.vehicles import PAINT


def bush(pen: Pen, r: Random) -> None:
    leaf = r.choice(((96, 150, 84), (70, 124, 80), (130, 160, 84), (150, 120, 70)))
    wide = r.uniform(0.6, 1.1)
    points = [
        (
            wide * math.cos(math.pi * k / 9) * r.uniform(0.88, 1.06),
            -0.9 * math.sin(math.pi * k / 9) * r.uniform(0.8, 1.08),
        )
        for k in range(10)
    ]
    shape = pen.blob([*points, (-wide * 0.4, 0.02), (wide * 0.4, 0.02)], leaf)
    with pen.inside(shape):
        pen.oval(wide * 0.2, 0.0, wide, 0.34, tint(leaf, -0.18))
        for _ in range(6):
            x, y = r.uniform(-wide, wide) * 0.8, r.uniform(-0.8, -0.2)
            pen.oval(x, y, 0.07, 0.06, r.choice((tint(leaf, 0.2), tint(leaf, -0.2), (236, 150, 170))))


def bench(pen: Pen, r: Random) -> None:
    wood = r.choice(((168, 112, 70), (120, 84, 60), (80, 120, 100), (196, 90, 70)))
    for x in (-0.8, 0.8):
        pen.stroke(((x, -0.95), (x, 0.0)), 0.09, (70, 68, 76))
    for y in (-0.95, -0.75, -0.48):
        pen.rect(-1.0, y, 1.0, y + 0.14, wood)
    pen.rect(-1.0, -0.36, 1.0, -0.3, tint(wood, -0.3))


def sign(pen: Pen, r: Random) -> None:
    pen.rect(-0.025, -0.8, 0.025, 0.0, (130, 130, 138))
    paint = r.choice(((212, 58, 52), (46, 104, 176), (250, 200, 60), (70, 140, 100)))
    style = r.choice(("disc", "triangle", "square"))
    if style == "disc":
        pen.oval(0, -0.82, 0.17, 0.17, paint)
        pen.rect(-0.1, -0.845, 0.1, -0.795, WHITE)
    elif style == "triangle":
        pen.poly([(-0.2, -0.66), (0.2, -0.66), (0, -1.0)], paint)
        pen.poly([(-0.11, -0.71), (0.11, -0.71), (0, -0.9)], WHITE)
    else:
        pen.round_rect(-0.18, -1.0, 0.18, -0.66, 0.03, paint)
        pen.poly([(-0.08, -0.78), (0.06, -0.9), (0.06, -0.76)], WHITE)


def box(pen: Pen, r: Random) -> None:
    paint = r.choice(PAINT)
    pen.round_rect(-0.24, -0.96, 0.24, 0.0, 0.1, paint)
    pen.rect(-0.26, -0.9, 0.26, -0.82, tint(paint, -0.25))
    pen.rect(-0.14, -0.7, 0.14, -0.64, tint(paint, -0.5))
    pen.rect(-0.12, -0.5, 0.12, -0.3, tint(paint, 0.6))
    pen.rect(-0.26, -0.07, 0.26, 0.0, tint(paint, -0.35))


def rock(pen: Pen, r: Random) -> None:
    stone = r.choice(((150, 146, 146), (126, 124, 132), (170, 156, 136)))
    pen.poly([(-0.9, 0), (-0.7, -0.55), (-0.2, -0.95), (0.35, -0.8), (0.8, -0.4), (0.9, 0)], stone)
    pen.poly([(0.1, 0), (0.2, -0.5), (0.35, -0.8), (0.8, -0.4), (0.9, 0)], tint(stone, -0.18))


def post(pen: Pen, r: Random) -> None:
    wood = r.choice(((128, 92, 66), (104, 80, 66), (150, 120, 90)))
    pen.rect(-0.07, -1.0, 0.07, 0.0, wood)
    pen.rect(0.02, -1.0, 0.07, 0.0, tint(wood, -0.2))


def parasol(pen: Pen, r: Random) -> None:
    first, second = r.sample(PAINT, 2)
    pen.rect(-0.02, -0.9, 0.02, 0.0, (150, 130, 110))
    pen.blob([(-0.6, -0.55), (-0.4, -0.85), (0, -1.0), (0.4, -0.85), (0.6, -0.55), (0.2, -0.6), (-0.2, -0.6)], first)
    pen.poly([(-0.2, -0.6), (-0.1, -0.9), (0, -0.98), (0.1, -0.9), (0.2, -0.6)], second)


def buoy(pen: Pen, r: Random) -> None:
    paint = r.choice(((220, 70, 56), (250, 190, 60), (70, 150, 90)))
    pen.poly([(-0.16, -0.2), (-0.07, -0.8), (0.07, -0.8), (0.16, -0.2)], paint)
    pen.rect(-0.12, -0.52, 0.12, -0.4, WHITE)
    pen.oval(0, -0.88, 0.09, 0.09, (255, 236, 160))
    pen.blob([(-0.36, -0.2), (0, -0.26), (0.36, -0.2), (0.24, 0.02), (-0.24, 0.02)], tint(paint, -0.3))


def kite(pen: Pen, r: Random) -> None:
    first, second = r.sample(PAINT, 2)
    pen.stroke(((0, -0.42), (0.08, -0.28), (-0.06, -0.16), (0.05, 0.0)), 0.02, (90, 80, 90), curved=True)
    pen.poly([(0, -1.0), (0.26, -0.74), (0, -0.4), (-0.26, -0.74)], first)
    pen.poly([(0, -1.0), (0.26, -0.74), (0, -0.74)], second)
    pen.poly([(0, -0.4), (-0.26, -0.74), (0, -0.74)], second)


# name: (function, bounds, height, places)
CLUTTER = {
    "bush": (bush, (-1.3, -1.12, 1.3, 0.1), 24, ("ground", "front")),
    "bench": (bench, (-1.05, -1.02, 1.05, 0.06), 24, ("ground", "front")),
    "sign": (sign, (-0.24, -1.03, 0.24, 0.02), 56, ("ground", "behind")),
    "box": (box, (-0.3, -1.0, 0.3, 0.02), 30, ("ground", "front")),
    "rock": (rock, (-0.95, -1.0, 0.95, 0.02), 18, ("ground", "front", "water")),
    "parasol": (parasol, (-0.68, -1.06, 0.68, 0.02), 46, ("ground",)),
    "buoy": (buoy, (-0.44, -1.0, 0.44, 0.1), 26, ("surface",)),
    "post": (post, (-0.1, -1.02, 0.1, 0.02), 40, ()),  # only under owls
    "kite": (kite, (-0.3, -1.02, 0.3, 0.03), 40, ("sky",)),
}
