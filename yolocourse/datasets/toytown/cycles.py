"""Bicycles, boats and balloons. One unit is the height of the thing; a bicycle is as high as its handlebar."""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

from random import Random

import numpy as np

from yolocourse.datasets.toytown.animals import INK, WHITE
from yolocourse.datasets.toytown.pen import Colour, Pen, oval_points, tint
from yolocourse.datasets.toytown.vehicles import GLASS, PAINT, TYRE

_CHROME = (176, 178, 188)


def _cycle_wheel(pen: Pen, x: float, radius: float, tyre: float, spokes: bool = True) -> None:
    pen.ring(x, -radius, radius, tyre, TYRE)
    pen.ring(x, -radius, radius - tyre, 0.02, _CHROME)
    if spokes:
        inner = radius - tyre
        for dx, dy in ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7)):
            ends = ((x - dx * inner, -radius - dy * inner), (x + dx * inner, -radius + dy * inner))
            pen.stroke(ends, 0.008, (186, 186, 194), round_ends=False)
    pen.oval(x, -radius, 0.045, 0.045, _CHROME)


def _crank(pen: Pen, r: Random, x: float, y: float) -> None:
    pen.ring(x, y, 0.09, 0.035, INK)
    dx, dy = r.choice(((0.1, 0.09), (0.13, 0.0), (0.04, 0.13), (-0.1, 0.09)))
    for way in (-1, 1):
        pen.stroke(((x, y), (x + dx * way, y + dy * way)), 0.03, _CHROME)
        pen.rect(x + dx * way - 0.05, y + dy * way - 0.015, x + dx * way + 0.05, y + dy * way + 0.02, INK)


def mountain_bike(pen: Pen, r: Random) -> None:
    paint = r.choice(PAINT)
    for x in (-0.62, 0.62):
        _cycle_wheel(pen, x, 0.4, 0.1)
        knobs = oval_points(x, -0.4, 1, 1) - (x, -0.4)
        reach = np.where(np.arange(28) % 2, 0.385, 0.355)[:, None]
        pen.stroke(np.concatenate([knobs * reach, knobs[:1] * reach[:1]]) + (x, -0.4), 0.07, TYRE, round_ends=False)
    tube = 0.075
    pen.stroke(((-0.62, -0.4), (-0.05, -0.36)), tube * 0.7, tint(paint, -0.25))
    pen.stroke(((-0.62, -0.4), (-0.26, -0.7)), tube * 0.7, tint(paint, -0.25))
    pen.stroke(((-0.3, -0.84), (-0.05, -0.36)), tube, paint)
    pen.stroke(((-0.26, -0.72), (0.42, -0.8)), tube, paint)
    pen.stroke(((-0.05, -0.36), (0.44, -0.74)), tube * 1.25, paint)
    pen.stroke(((0.4, -0.9), (0.62, -0.4)), 0.065, (70, 70, 82))  # suspension fork
    pen.stroke(((0.46, -0.76), (0.55, -0.56)), 0.1, tint(paint, 0.25))
    pen.stroke(((0.26, -0.98), (0.46, -0.92)), 0.06, INK)
    pen.stroke(((-0.46, -0.9), (-0.3, -0.91), (-0.18, -0.88)), 0.075, INK)
    _crank(pen, r, -0.05, -0.36)


def tandem(pen: Pen, r: Random) -> None:
    paint = r.choice(PAINT)
    for x in (-1.14, 1.14):
        _cycle_wheel(pen, x, 0.38, 0.05)
    tube = 0.06
    dark = tint(paint, -0.25)
    pen.stroke(((-1.14, -0.38), (-0.56, -0.34), (0.3, -0.34)), tube * 0.8, dark)
    pen.stroke(((-1.14, -0.38), (-0.78, -0.74)), tube * 0.8, dark)
    pen.stroke(((-0.8, -0.84), (-0.56, -0.34)), tube, paint)
    pen.stroke(((0.06, -0.84), (0.3, -0.34)), tube, paint)
    pen.stroke(((-0.78, -0.74), (0.9, -0.78)), tube, paint)
    pen.stroke(((-0.56, -0.34), (0.1, -0.74)), tube * 0.8, paint)
    pen.stroke(((0.3, -0.34), (0.92, -0.74)), tube, paint)
    pen.stroke(((0.86, -0.92), (1.14, -0.38)), 0.05, _CHROME)
    for x in (0.74, -0.12):  # two handlebars
        pen.stroke(((x + 0.12, -0.82), (x + 0.1, -0.95), (x - 0.08, -0.92)), 0.045, INK)
    for x in (-0.82, 0.04):  # two saddles
        pen.stroke(((x - 0.14, -0.9), (x + 0.0, -0.9), (x + 0.12, -0.87)), 0.075, (116, 70, 50))
    for x in (-0.56, 0.3):
        _crank(pen, r, x, -0.34)


def city_bike(pen: Pen, r: Random) -> None:
    """A bicycle of no particular kind: thin tyres, a curved frame, a basket."""
    paint = r.choice(PAINT)
    for x in (-0.6, 0.6):
        _cycle_wheel(pen, x, 0.4, 0.05)
        pen.stroke([(x - 0.4, -0.55), (x - 0.27, -0.75), (x, -0.83), (x + 0.26, -0.76)], 0.035, paint, curved=True)
    pen.stroke(((-0.6, -0.4), (-0.08, -0.36)), 0.05, tint(paint, -0.25))
    pen.stroke(((-0.6, -0.4), (-0.28, -0.7)), 0.05, tint(paint, -0.25))
    pen.stroke(((-0.32, -0.86), (-0.08, -0.36)), 0.06, paint)
    pen.stroke(((-0.08, -0.36), (0.1, -0.44), (0.3, -0.6), (0.4, -0.82)), 0.065, paint, curved=True)
    pen.stroke(((0.36, -0.98), (0.6, -0.4)), 0.05, tint(paint, -0.15))
    pen.stroke(((0.2, -0.96), (0.34, -1.0), (0.42, -0.96)), 0.05, INK)
    pen.stroke(((-0.48, -0.92), (-0.34, -0.93), (-0.22, -0.9)), 0.08, (116, 70, 50))
    if r.random() < 0.5:
        pen.poly([(0.46, -0.96), (0.86, -0.98), (0.8, -0.72), (0.52, -0.72)], (190, 144, 90))
        for y in (-0.9, -0.82):
            pen.stroke(((0.48, y), (0.83, y - 0.01)), 0.016, (140, 98, 60))
    _crank(pen, r, -0.08, -0.36)


def canoe(pen: Pen, r: Random) -> None:
    paint = r.choice(((178, 74, 52), (190, 120, 66), (64, 120, 92), (206, 160, 90), (52, 108, 150), (214, 70, 60)))
    length = r.uniform(2.0, 2.9)
    if r.random() < 0.75:  # somebody paddles
        cloth, skin = r.choice(PAINT), r.choice(((247, 212, 184), (206, 150, 110), (112, 74, 56)))
        x = r.uniform(-0.6, 0.0)
        pen.blob([(x - 0.2, -0.34), (x - 0.18, -0.66), (x, -0.74), (x + 0.16, -0.64), (x + 0.2, -0.34)], cloth)
        pen.oval(x + 0.02, -0.88, 0.13, 0.14, skin)
        pen.blob(
            [(x - 0.12, -0.84), (x - 0.1, -1.02), (x + 0.1, -1.02), (x + 0.14, -0.94), (x - 0.02, -0.92)],
            r.choice(PAINT),
        )
        pen.stroke(((x + 0.1, -0.98), (x + 0.62, 0.02)), 0.04, (156, 110, 66))
        pen.oval(x + 0.64, 0.04, 0.06, 0.13, (196, 150, 96), angle=-28)
        pen.stroke(((x - 0.02, -0.62), (x + 0.2, -0.5), (x + 0.34, -0.5)), 0.1, tint(cloth, -0.2))
        pen.oval(x + 0.35, -0.5, 0.055, 0.055, skin)
    else:
        pen.stroke(((-0.7, -0.3), (0.6, -0.62)), 0.04, (156, 110, 66))
        pen.oval(0.66, -0.64, 0.16, 0.07, (196, 150, 96), angle=-14)
    hull = pen.blob([
        (-length / 2, -0.56), (-length * 0.4, -0.36), (0, -0.32), (length * 0.4, -0.36), (length / 2, -0.56),
        (length * 0.47, -0.2), (length * 0.38, -0.02), (0, 0.02), (-length * 0.38, -0.02), (-length * 0.47, -0.2),
    ], paint)
    with pen.inside(hull):
        pen.rect(-2, -0.1, 2, 0.1, tint(paint, -0.25))
        trim = r.choice((WHITE, tint(paint, 0.45), INK))
        pen.stroke(
            [(-length / 2, -0.5), (-length * 0.4, -0.32), (0, -0.28), (length * 0.4, -0.32), (length / 2, -0.5)],
            0.05,
            trim,
        )
        for way in (-1, 1):
            pen.stroke([(way * length * 0.43, -0.5), (way * length * 0.37, 0.0)], 0.05, trim)


def speedboat(pen: Pen, r: Random) -> None:
    paint = r.choice(PAINT)
    other = r.choice((WHITE, (240, 236, 226), tint(paint, 0.6)))
    pen.blob([(-1.25, -0.16), (-1.62, -0.02), (-1.9, 0.03), (-1.2, 0.06)], WHITE)  # the wake
    pen.round_rect(-1.36, -0.72, -1.12, -0.3, 0.05, (70, 70, 84))  # the motor
    pen.rect(-1.3, -0.4, -1.2, 0.03, (70, 70, 84))
    if r.random() < 0.7:
        cloth = r.choice(PAINT)
        pen.blob([(-0.4, -0.5), (-0.36, -0.8), (-0.16, -0.84), (-0.1, -0.5)], cloth)
        pen.oval(-0.24, -0.93, 0.1, 0.11, r.choice(((247, 212, 184), (206, 150, 110), (112, 74, 56))))
        pen.blob(
            [(-0.36, -0.9), (-0.32, -1.05), (-0.14, -1.04), (-0.24, -0.98)],
            r.choice(((52, 38, 36), (226, 186, 104), (206, 60, 60))),
        )
    pen.poly([(0.02, -0.5), (-0.1, -0.82), (0.06, -0.82), (0.44, -0.5)], GLASS)
    pen.stroke(((-0.1, -0.82), (0.06, -0.82), (0.44, -0.5)), 0.035, INK)
    hull = pen.blob([
        (-1.2, -0.5), (-0.3, -0.48), (0.5, -0.54), (1.3, -0.7), (1.5, -0.68), (1.1, -0.2), (0.7, 0.0),
        (-1.1, 0.02), (-1.22, -0.2),
    ], other)
    with pen.inside(hull):
        pen.poly([(-1.4, -0.3), (0.4, -0.34), (1.6, -0.52), (1.6, 0.1), (-1.4, 0.1)], paint)
        pen.rect(-1.4, -0.1, 1.6, 0.1, tint(paint, -0.3))
    pen.stroke(((-1.16, -0.52), (-0.7, -0.52)), 0.07, tint(paint, -0.2))


def tugboat(pen: Pen, r: Random) -> None:
    paint, stack = r.choice(PAINT), r.choice(((214, 66, 56), (250, 190, 60), (52, 60, 80), (70, 130, 170)))
    cabin = r.choice((WHITE, (246, 226, 190), (226, 232, 236)))
    if r.random() < 0.6:
        for x, y, s in ((-0.34, -1.08, 0.07), (-0.46, -1.16, 0.09), (-0.6, -1.23, 0.1)):
            pen.oval(x, y, s, s * 0.85, (232, 230, 230))
    pen.poly([(-0.36, -0.6), (-0.33, -1.0), (-0.13, -1.0), (-0.1, -0.6)], stack)
    pen.rect(-0.345, -0.93, -0.12, -0.84, WHITE)
    pen.rect(-0.35, -1.02, -0.11, -0.96, INK)
    pen.round_rect(-0.5, -0.62, 0.36, -0.36, 0.03, cabin)
    pen.round_rect(-0.04, -0.88, 0.34, -0.56, 0.03, cabin)
    pen.rect(-0.09, -0.92, 0.39, -0.87, tint(paint, -0.2))
    pen.rect(0.02, -0.82, 0.15, -0.68, GLASS)
    pen.rect(0.19, -0.82, 0.32, -0.68, GLASS)
    for x in (-0.36, -0.16, 0.04):
        pen.oval(x, -0.48, 0.055, 0.055, (110, 160, 190))
    hull = pen.blob([
        (-0.86, -0.4), (-0.5, -0.34), (0.3, -0.36), (0.9, -0.54), (0.98, -0.5), (0.84, -0.14), (0.66, 0.0),
        (-0.72, 0.02), (-0.84, -0.14),
    ], paint)
    with pen.inside(hull):
        pen.rect(-1, -0.1, 1, 0.1, (176, 58, 52))
        pen.stroke([(-0.88, -0.36), (-0.5, -0.3), (0.3, -0.32), (1.0, -0.5)], 0.05, WHITE)
    for x in (-0.56, -0.2, 0.16, 0.5):  # tyres along the side
        pen.ring(x, -0.16, 0.085, 0.04, TYRE)


def balloon(pen: Pen, r: Random) -> None:
    first, second = r.sample(PAINT, 2)
    for x in (-0.07, -0.025, 0.03, 0.075):
        pen.stroke(((x * 2.2, -0.36), (x, -0.12)), 0.012, (96, 76, 66), round_ends=False)
    outline = pen.blob([
        (0, -1.0), (0.24, -0.93), (0.345, -0.72), (0.29, -0.52), (0.13, -0.31), (-0.13, -0.31), (-0.29, -0.52),
        (-0.345, -0.72), (-0.24, -0.93),
    ], first)
    style = r.choice(("gores", "gores", "bands", "zigzag", "plain"))
    with pen.inside(outline):
        if style == "gores":
            for half in (0.72, 0.26):
                pen.blob([
                    (0, -1.06), (0.34 * half, -0.72), (0.1 * half, -0.28), (-0.1 * half, -0.28),
                    (-0.34 * half, -0.72),
                ], second if half > 0.5 else first)
        elif style == "bands":
            for y in (-0.9, -0.7, -0.5):
                pen.rect(-0.5, y, 0.5, y + 0.09, second)
        elif style == "zigzag":
            top = [(-0.4 + 0.1 * k, -0.72 if k % 2 else -0.62) for k in range(9)]
            pen.poly(top + [(x, y + 0.14) for x, y in reversed(top)], second)
        else:
            pen.oval(0, -0.68, 0.15, 0.15, second)
        # light from the upper left: a dark rim on the right
        shade: Colour = tint(first, -0.22)
        pen.poly([(0.2, -1.0), (0.4, -0.9), (0.4, -0.4), (0.1, -0.28), (0.22, -0.5), (0.27, -0.7)], shade)
        pen.oval(-0.17, -0.82, 0.035, 0.075, tint(first, 0.55), angle=20)
    pen.rect(-0.1, -0.33, 0.1, -0.3, tint(second, -0.3))
    pen.round_rect(-0.085, -0.14, 0.085, 0.0, 0.02, (170, 120, 72))
    pen.rect(-0.095, -0.15, 0.095, -0.115, (120, 82, 52))
    pen.stroke(((-0.08, -0.065), (0.08, -0.065)), 0.014, (120, 82, 52), round_ends=False)
