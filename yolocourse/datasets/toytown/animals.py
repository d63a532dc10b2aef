"""Dogs, cats and people, seen from the side, facing right. One unit is the height of a standing animal or person."""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

import math
from random import Random

from yolocourse.datasets.toytown.pen import Colour, Pen, mix, tint

INK = (44, 36, 52)
WHITE = (250, 247, 240)


def eye(pen: Pen, x: float, y: float, size: float, white: bool = False) -> None:
    """A dark eye with a glint."""
    if white:
        pen.oval(x, y, size * 1.7, size * 1.8, WHITE)
    pen.oval(x, y, size, size * 1.15, INK)
    pen.oval(x + size * 0.3, y - size * 0.4, size * 0.36, size * 0.36, WHITE)


def _legs(pen: Pen, r: Random, feet, top: float, width: float, colour: Colour, paw: Colour) -> None:
    """Four legs; the two far ones darker. `feet` gives x of hind and fore."""
    step = r.uniform(0.02, 0.12)
    far = tint(colour, -0.28)
    for x, way in zip(feet, (1, -1), strict=True):
        pen.stroke(((x + 0.03, top), (x + step * way, -0.03)), width * 0.9, far)
    for x, way in zip(feet, (-1, 1), strict=True):
        foot = x + step * 0.6 * way
        pen.stroke(((x, top), (foot, -0.035)), width, colour)
        pen.oval(foot + 0.03, -0.035, width * 0.62, 0.035, paw)


def terrier(pen: Pen, r: Random) -> None:
    coat = r.choice(((196, 160, 112), (92, 86, 92), (222, 208, 184), (168, 112, 70), (62, 56, 64)))
    saddle = r.choice((tint(coat, -0.35), coat, tint(coat, 0.25)))
    light = tint(coat, 0.35)
    lift = r.uniform(-0.05, 0.05)
    pen.stroke(((-0.42, -0.56), (-0.52, -0.72), (-0.5 + lift, -0.9)), 0.11, coat, curved=True)
    _legs(pen, r, (-0.3, 0.2), -0.3, 0.13, coat, light)
    body = []
    for k in range(22):  # tufts: every second point of the outline stands out
        a, out = 2 * math.pi * k / 22, 1.0 if k % 2 else 1.0 + r.uniform(0.07, 0.2)
        body.append((-0.08 + math.cos(a) * 0.4 * out, -0.46 + math.sin(a) * 0.21 * out))
    pen.poly(body, coat)
    pen.blob([(-0.4, -0.5), (-0.3, -0.66), (0.0, -0.68), (0.18, -0.62), (0.1, -0.46), (-0.14, -0.42)], saddle)
    hx, hy = 0.36, -0.74 + lift
    pen.poly([(hx - 0.16, hy - 0.12), (hx - 0.14, hy - 0.31), (hx + 0.0, hy - 0.17)], tint(saddle, -0.2))
    pen.poly([(hx + 0.0, hy - 0.16), (hx + 0.08, hy - 0.31), (hx + 0.14, hy - 0.12)], tint(saddle, -0.1))
    pen.stroke(((0.16, -0.55), (hx - 0.03, hy)), 0.26, coat)
    pen.oval(hx, hy, 0.2, 0.185, coat)
    pen.round_rect(hx + 0.02, hy - 0.09, hx + 0.34, hy + 0.1, 0.07, light)
    beard = [(hx - 0.02, hy + 0.0), (hx + 0.34, hy + 0.02)]
    beard += [(hx + 0.36 - 0.06 * k, hy + (0.28 if k % 2 == 0 else 0.17)) for k in range(7)]
    pen.poly(beard, light)
    pen.poly([(hx + 0.02, hy - 0.16), (hx + 0.22, hy - 0.14), (hx + 0.1, hy - 0.06)], light)  # eyebrow
    pen.oval(hx + 0.34, hy - 0.06, 0.055, 0.048, INK)
    eye(pen, hx + 0.1, hy - 0.05, 0.035)
    if r.random() < 0.5:
        pen.stroke(((0.12, -0.68), (0.26, -0.5)), 0.05, r.choice(((214, 60, 56), (40, 110, 170))))


def dalmatian(pen: Pen, r: Random) -> None:
    coat = r.choice((WHITE, (240, 236, 232), (248, 240, 226)))
    dark = r.choice((INK, INK, (92, 58, 40)))
    shade = tint(coat, -0.14)
    nod = r.uniform(-0.08, 0.06)
    wag = r.uniform(-0.1, 0.15)
    pen.stroke(((-0.44, -0.62), (-0.6, -0.6 - wag), (-0.74, -0.76 - wag)), 0.055, coat, curved=True)
    _legs(pen, r, (-0.35, 0.2), -0.44, 0.095, coat, shade)
    outline = pen.blob([
        (-0.48, -0.62), (-0.3, -0.72), (0.0, -0.69), (0.24, -0.76), (0.33, -0.62), (0.24, -0.44), (-0.05, -0.47),
        (-0.36, -0.43),
    ], coat)
    hx, hy = 0.42, -0.88 + nod
    pen.stroke(((0.2, -0.62), (hx - 0.04, hy + 0.03)), 0.19, coat)
    with pen.inside(outline):
        pen.oval(-0.1, -0.4, 0.46, 0.075, shade)
        for _ in range(r.randint(11, 17)):
            size = r.uniform(0.018, 0.045)
            pen.oval(r.uniform(-0.46, 0.3), r.uniform(-0.74, -0.46), size, size * 0.85, dark)
    for x, y in ((-0.37, -0.3), (0.2, -0.27), (-0.34, -0.17), (0.27, -0.75), (0.33, -0.8)):
        size = r.uniform(0.014, 0.026)
        pen.oval(x + r.uniform(-0.015, 0.015), y, size, size, dark)
    pen.oval(hx, hy, 0.145, 0.125, coat)
    pen.blob(
        [(hx + 0.02, hy - 0.06), (hx + 0.2, hy - 0.02), (hx + 0.25, hy + 0.05), (hx + 0.16, hy + 0.1), (hx, hy + 0.1)],
        coat,
    )
    pen.stroke(((hx + 0.1, hy + 0.08), (hx + 0.22, hy + 0.07)), 0.014, tint(dark, 0.3))
    pen.oval(hx + 0.24, hy + 0.0, 0.042, 0.036, INK)
    pen.blob([
        (hx - 0.09, hy - 0.12), (hx - 0.02, hy - 0.08), (hx - 0.05, hy + 0.12), (hx - 0.13, hy + 0.15),
        (hx - 0.16, hy + 0.0),
    ], dark)
    eye(pen, hx + 0.07, hy - 0.03, 0.028)
    pen.oval(hx - 0.0, hy - 0.08, 0.018, 0.014, dark)
    pen.stroke(((0.2, -0.74), (0.34, -0.63)), 0.045, r.choice(((214, 60, 56), (40, 120, 190), (60, 150, 90))))


def dachshund(pen: Pen, r: Random) -> None:
    coat = r.choice(((150, 84, 44), (120, 64, 38), (70, 46, 42), (176, 106, 56)))
    tan = mix(coat, (206, 142, 82), 0.6)
    stretch = r.uniform(0.0, 0.18)
    back, front = -0.78 - stretch, 0.5
    nod = r.uniform(-0.05, 0.07)
    pen.stroke(((back + 0.08, -0.52), (back - 0.14, -0.6), (back - 0.3, -0.78 - nod)), 0.08, coat, curved=True)
    _legs(pen, r, (back + 0.16, front - 0.1), -0.26, 0.15, coat, tan)
    outline = pen.blob([
        (back, -0.46), (back + 0.16, -0.62), (-0.1, -0.58), (front - 0.14, -0.64), (front + 0.06, -0.5),
        (front - 0.06, -0.27), (-0.1, -0.25), (back + 0.1, -0.27),
    ], coat)
    with pen.inside(outline):
        pen.oval(-0.1, -0.24, 0.75, 0.08, tan)
        pen.oval(-0.15, -0.57, 0.5, 0.04, tint(coat, 0.16))
    hx, hy = front + 0.18, -0.8 + nod
    pen.stroke(((front - 0.08, -0.5), (hx - 0.04, hy + 0.02)), 0.24, coat)
    pen.oval(hx, hy, 0.19, 0.165, coat)
    pen.blob(
        [(hx + 0.02, hy - 0.08), (hx + 0.3, hy + 0.01), (hx + 0.4, hy + 0.08), (hx + 0.26, hy + 0.15), (hx, hy + 0.14)],
        coat,
    )
    pen.stroke(((hx + 0.1, hy + 0.12), (hx + 0.33, hy + 0.11)), 0.05, tan)
    pen.oval(hx + 0.38, hy + 0.04, 0.055, 0.046, INK)
    pen.blob([
        (hx - 0.12, hy - 0.14), (hx + 0.01, hy - 0.06), (hx - 0.02, hy + 0.22), (hx - 0.13, hy + 0.26),
        (hx - 0.2, hy + 0.06),
    ], tint(coat, -0.3))
    eye(pen, hx + 0.11, hy - 0.04, 0.034)
    pen.stroke(
        ((front - 0.1, -0.66), (front + 0.1, -0.5)), 0.06, r.choice(((214, 60, 56), (70, 160, 110), (238, 190, 60)))
    )


def _cat(pen: Pen, r: Random, coat: Colour, point: Colour, eyes: Colour, stripes: bool) -> None:
    """`point` colours ears, paws, tail and face mask."""
    sit = r.random() < 0.5
    belly = tint(coat, 0.4)
    curl = r.uniform(-0.1, 0.1)
    if sit:
        pen.stroke(((-0.2, -0.07), (-0.44, -0.08), (-0.5 + curl, -0.3), (-0.4 + curl, -0.44)), 0.09, point, curved=True)
        outline = pen.blob(
            [(-0.3, -0.04), (-0.32, -0.26), (-0.16, -0.52), (0.06, -0.66), (0.24, -0.52), (0.22, -0.2), (0.24, -0.02)],
            coat,
        )
        pen.stroke(((0.16, -0.36), (0.18, -0.05)), 0.1, tint(coat, -0.1))
        pen.oval(0.21, -0.04, 0.08, 0.04, point)
        pen.oval(-0.12, -0.04, 0.14, 0.045, point)
        marks = [((-0.34, -0.2), (-0.12, -0.26)), ((-0.3, -0.34), (-0.06, -0.4)), ((-0.2, -0.48), (0.0, -0.5))]
        hx, hy = 0.16, -0.76
        chest = (0.14, -0.44, 0.08, 0.14)
    else:
        pen.stroke(
            ((-0.42, -0.5), (-0.58, -0.6), (-0.56 + curl, -0.9), (-0.46 + curl, -0.98)), 0.085, point, curved=True
        )
        _legs(pen, r, (-0.34, 0.2), -0.34, 0.1, coat, point)
        outline = pen.blob([
            (-0.46, -0.46), (-0.3, -0.6), (0.0, -0.56), (0.26, -0.6), (0.34, -0.44), (0.2, -0.28), (-0.1, -0.3),
            (-0.4, -0.28),
        ], coat)
        marks = [((x, -0.62), (x - 0.05, -0.4)) for x in (-0.34, -0.22, -0.1, 0.02, 0.14)]
        hx, hy = 0.38, -0.7
        chest = (-0.06, -0.27, 0.3, 0.05)
    with pen.inside(outline):
        pen.oval(*chest, belly)
        if stripes:
            for start, end in marks:
                pen.stroke((start, end), 0.042, point)
    for way in (-1, 1):
        pen.poly([(hx + way * 0.19, hy - 0.02), (hx + way * 0.17, hy - 0.27), (hx + way * 0.02, hy - 0.14)], point)
        pen.poly(
            [(hx + way * 0.15, hy - 0.08), (hx + way * 0.15, hy - 0.2), (hx + way * 0.07, hy - 0.12)], (232, 160, 150)
        )
    pen.oval(hx, hy, 0.21, 0.175, coat)
    if stripes:
        for x in (-0.07, 0.0, 0.07):
            pen.stroke(((hx + x, hy - 0.17), (hx + x * 0.8, hy - 0.09)), 0.03, point)
        for way in (-1, 1):
            pen.stroke(((hx + way * 0.2, hy + 0.01), (hx + way * 0.13, hy + 0.02)), 0.03, point)
        pen.oval(hx, hy + 0.085, 0.085, 0.06, belly)
    else:
        pen.oval(hx, hy + 0.04, 0.135, 0.125, point)
    for way in (-1, 1):
        pen.oval(hx + way * 0.08, hy - 0.01, 0.046, 0.042, eyes)
        pen.oval(hx + way * 0.08, hy - 0.01, 0.018, 0.036, INK)
        whisker = tint(coat, 0.5)
        pen.stroke(((hx + way * 0.08, hy + 0.08), (hx + way * 0.27, hy + 0.05)), 0.01, whisker)
        pen.stroke(((hx + way * 0.08, hy + 0.1), (hx + way * 0.26, hy + 0.12)), 0.01, whisker)
    pen.poly([(hx - 0.03, hy + 0.05), (hx + 0.03, hy + 0.05), (hx, hy + 0.085)], (226, 120, 124))
    if r.random() < 0.4:
        pen.stroke(((hx - 0.12, hy + 0.16), (hx + 0.12, hy + 0.16)), 0.045, r.choice(((210, 60, 70), (50, 120, 190))))


def tabby(pen: Pen, r: Random) -> None:
    coat = r.choice(((228, 150, 74), (150, 146, 144), (190, 158, 118), (212, 132, 60)))
    _cat(pen, r, coat, tint(coat, -0.45), r.choice(((150, 190, 70), (236, 190, 60))), stripes=True)


def siamese(pen: Pen, r: Random) -> None:
    coat = r.choice(((240, 226, 202), (232, 214, 188), (244, 236, 222)))
    point = r.choice(((84, 62, 56), (110, 84, 74), (98, 92, 104)))
    _cat(pen, r, coat, point, (96, 176, 226), stripes=False)
