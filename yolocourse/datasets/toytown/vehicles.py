"""Cars, buses and bicycles, seen from the side, facing right. One unit is the height of the vehicle."""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

from random import Random

from yolocourse.datasets.toytown.animals import INK, WHITE
from yolocourse.datasets.toytown.pen import Colour, Pen, oval_points, smooth, tint

PAINT = (
    (206, 62, 56), (52, 112, 178), (240, 186, 62), (70, 148, 116), (236, 230, 218), (122, 88, 156), (232, 122, 72),
    (90, 170, 190), (74, 78, 96), (226, 140, 160), (148, 52, 66), (120, 150, 84),
)
GLASS = (176, 214, 228)
TYRE = (50, 46, 56)
_TAXI = (
    ((0.0, 0), (0.09, 0)), ((0.045, 0), (0.045, 1)), ((0.12, 1), (0.16, 0), (0.2, 1)), ((0.23, 0), (0.31, 1)),
    ((0.31, 0), (0.23, 1)), ((0.36, 0), (0.36, 1)),
)


def _wheel(pen: Pen, x: float, radius: float, rim: Colour) -> None:
    pen.oval(x, -radius, radius, radius, TYRE)
    pen.oval(x, -radius, radius * 0.58, radius * 0.58, rim)
    pen.oval(x, -radius, radius * 0.2, radius * 0.2, tint(rim, -0.4))


def _arch(pen: Pen, x: float, radius: float, colour: Colour) -> None:
    """The dark half disc above a wheel."""
    pen.poly(oval_points(x, -radius, radius * 1.22, radius * 1.22)[14:], colour)


def _window(pen: Pen, points, tone: Colour = GLASS) -> None:
    pen.poly(points, tone)
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x0, w, y0, y1 = min(xs), max(xs) - min(xs), min(ys), max(ys)
    with pen.inside(points):  # a slanted glint
        pen.poly([(x0 + w * 0.3, y0), (x0 + w * 0.55, y0), (x0 + w * 0.3, y1), (x0 + w * 0.05, y1)], tint(tone, 0.45))


def _saloon(pen: Pen, r: Random, paint: Colour, wheel: float = 0.2) -> float:
    """The body that taxi and family car share; returns the top of the roof."""
    top = r.uniform(-0.96, -0.9)
    lower = smooth(
        [
            (-1.02, -0.26), (-1.01, -0.52), (-0.8, -0.6), (-0.2, -0.6), (0.5, -0.59), (0.92, -0.52), (1.02, -0.32),
            (0.98, -0.17), (0.6, -0.14), (-0.6, -0.14), (-0.97, -0.17),
        ]
    )
    pen.blob([(-0.82, -0.55), (-0.56, top + 0.04), (-0.3, top), (0.2, top), (0.38, top + 0.06), (0.66, -0.55)], paint)
    pen.poly(lower, paint)
    with pen.inside(lower):
        pen.rect(-1.1, -0.3, 1.1, 0.0, tint(paint, -0.2))
        pen.rect(-1.1, -0.57, 1.1, -0.53, tint(paint, 0.25))
    _window(pen, [(-0.68, -0.57), (-0.48, top + 0.1), (-0.12, top + 0.09), (-0.12, -0.57)])
    _window(pen, [(-0.03, -0.57), (-0.03, top + 0.09), (0.26, top + 0.1), (0.52, -0.57)])
    pen.stroke(((-0.08, -0.55), (-0.08, -0.22)), 0.014, tint(paint, -0.35))
    pen.rect(-0.28, -0.46, -0.16, -0.43, tint(paint, -0.4))
    pen.oval(0.95, -0.41, 0.055, 0.07, (255, 240, 170))
    pen.oval(-0.98, -0.42, 0.035, 0.07, (206, 48, 48))
    rim = r.choice(((206, 206, 212), (236, 232, 224), (150, 152, 164)))
    for x in (-0.6, 0.6):
        _arch(pen, x, wheel, tint(paint, -0.55))
        _wheel(pen, x, wheel, rim)
    return top


def taxi(pen: Pen, r: Random) -> None:
    paint = r.choice(((250, 200, 40), (250, 190, 30), (246, 210, 70), (48, 48, 58)))
    top = _saloon(pen, r, paint)
    dark = paint[0] < 100
    for k in range(14):  # the chequered stripe
        x = -0.84 + k * 0.12
        pen.rect(x, -0.42 + (k % 2) * 0.055, x + 0.12, -0.365 + (k % 2) * 0.055, (250, 206, 60) if dark else INK)
    pen.round_rect(-0.32, top - 0.2, 0.2, top + 0.01, 0.03, (255, 246, 214) if not dark else (250, 206, 60))
    x, y, h, w = -0.24, top - 0.15, 0.1, 0.024
    way = -1 if pen.mirrored else 1  # letters are never mirrored
    for line in _TAXI:
        pen.stroke([(-0.06 + way * (x + 0.06 + a), y + b * h) for a, b in line], w, INK, round_ends=False)


def family_car(pen: Pen, r: Random) -> None:
    """A plain car of no particular kind."""
    _saloon(pen, r, r.choice(PAINT), wheel=r.uniform(0.17, 0.22))


def convertible(pen: Pen, r: Random) -> None:
    paint = r.choice(PAINT)
    leather = r.choice(((150, 88, 54), (236, 220, 190), (92, 56, 52)))
    pen.poly([(0.18, -0.66), (0.06, -1.0), (0.1, -1.0), (0.28, -0.66)], GLASS)
    pen.stroke(((0.24, -0.64), (0.08, -1.0)), 0.03, tint(paint, -0.35))
    for x in (-0.22, -0.62):
        pen.round_rect(x - 0.14, -0.88, x + 0.03, -0.56, 0.06, leather)
    if r.random() < 0.5:  # a driver
        skin = r.choice(((247, 212, 184), (206, 150, 110), (112, 74, 56)))
        pen.blob([(-0.2, -0.6), (-0.16, -0.84), (0.02, -0.84), (0.06, -0.6)], r.choice(PAINT))
        pen.oval(-0.06, -0.96, 0.105, 0.11, skin)
        pen.blob(
            [(-0.18, -0.9), (-0.16, -1.08), (0.02, -1.08), (-0.08, -1.0)], r.choice(((52, 38, 36), (226, 186, 104)))
        )
    pen.ring(0.13, -0.74, 0.1, 0.03, INK)
    pen.blob([(-1.2, -0.68), (-1.0, -0.76), (-0.76, -0.72), (-0.82, -0.56)], tint(leather, -0.3))  # the folded roof
    lower = pen.blob([
        (-1.24, -0.26), (-1.24, -0.6), (-0.8, -0.66), (0.1, -0.64), (0.5, -0.66), (1.08, -0.54), (1.25, -0.38),
        (1.2, -0.19), (0.8, -0.16), (-0.8, -0.16), (-1.18, -0.18),
    ], paint)
    with pen.inside(lower):
        pen.rect(-1.4, -0.32, 1.4, 0, tint(paint, -0.2))
        pen.rect(-1.4, -0.46, 1.4, -0.42, r.choice((WHITE, tint(paint, 0.4), tint(paint, -0.3))))
    pen.stroke(((-0.46, -0.6), (-0.42, -0.24)), 0.016, tint(paint, -0.4))
    pen.stroke(((0.2, -0.6), (0.16, -0.24)), 0.016, tint(paint, -0.4))
    pen.oval(1.13, -0.46, 0.06, 0.07, (255, 240, 170))
    pen.oval(-1.2, -0.5, 0.04, 0.06, (206, 48, 48))
    for x in (-0.78, 0.76):
        _arch(pen, x, 0.21, tint(paint, -0.5))
        _wheel(pen, x, 0.21, (236, 232, 224))


def jeep(pen: Pen, r: Random) -> None:
    paint = r.choice(((110, 124, 72), (176, 150, 100), (140, 132, 92), (178, 66, 50), (84, 104, 110), (206, 160, 70)))
    dark = tint(paint, -0.35)
    canvas = r.choice((tint(paint, -0.2), (196, 178, 140), (74, 70, 74)))
    pen.oval(-0.86, -0.5, 0.1, 0.19, TYRE)  # the spare wheel at the back
    if r.random() < 0.6:
        pen.poly([(-0.74, -0.58), (-0.72, -1.0), (0.14, -1.0), (0.22, -0.58)], canvas)
        _window(pen, [(-0.6, -0.64), (-0.6, -0.9), (-0.32, -0.9), (-0.32, -0.64)])
        _window(pen, [(-0.22, -0.6), (-0.22, -0.9), (0.08, -0.9), (0.14, -0.6)])
    else:  # the open one: a roll bar and seats
        for x in (-0.66, -0.14):
            pen.stroke(((x, -0.55), (x, -0.98)), 0.045, INK)
        pen.stroke(((-0.66, -0.98), (0.12, -0.98)), 0.045, INK)
        for x in (-0.5, -0.06):
            pen.round_rect(x - 0.08, -0.8, x + 0.04, -0.55, 0.03, (92, 70, 56))
    pen.stroke(((0.14, -0.98), (0.24, -0.58)), 0.045, dark)
    pen.rect(-0.8, -0.62, 0.2, -0.26, paint)
    pen.rect(0.18, -0.6, 0.82, -0.26, paint)
    pen.rect(-0.8, -0.36, 0.82, -0.24, tint(paint, -0.22))
    pen.rect(0.18, -0.61, 0.8, -0.57, tint(paint, 0.25))
    pen.stroke(((-0.3, -0.58), (-0.3, -0.3)), 0.016, dark)
    pen.stroke(((0.18, -0.58), (0.18, -0.3)), 0.016, dark)
    pen.rect(0.8, -0.56, 0.86, -0.28, dark)
    pen.oval(0.82, -0.48, 0.06, 0.07, (255, 240, 170))
    pen.rect(0.74, -0.27, 0.94, -0.2, (90, 88, 96))
    for x in (-0.48, 0.52):
        pen.poly([(x - 0.32, -0.3), (x - 0.22, -0.5), (x + 0.22, -0.5), (x + 0.32, -0.3)], dark)
        _wheel(pen, x, 0.235, r.choice(((206, 206, 212), tint(paint, 0.3))))


def school_bus(pen: Pen, r: Random) -> None:
    paint = r.choice(((250, 190, 40), (246, 176, 30), (250, 204, 74)))
    length = r.uniform(1.25, 1.75)
    nose = length + 0.38
    pen.round_rect(-length, -1.0, length, -0.14, 0.1, paint)
    pen.blob(
        [(length - 0.1, -0.6), (nose - 0.08, -0.56), (nose + 0.02, -0.4), (nose, -0.16), (length - 0.1, -0.14)], paint
    )
    pen.rect(-length + 0.02, -0.28, nose - 0.02, -0.16, tint(paint, -0.25))
    for y in (-0.5, -0.36):
        pen.rect(-length + 0.02, y, nose - 0.1, y + 0.035, INK)
    n = int((2 * length - 0.5) / 0.36)
    for k in range(n):
        x = -length + 0.12 + k * 0.36
        pen.round_rect(x, -0.88, x + 0.28, -0.6, 0.03, GLASS)
        pen.poly([(x + 0.08, -0.88), (x + 0.15, -0.88), (x + 0.08, -0.6), (x + 0.01, -0.6)], tint(GLASS, 0.5))
    pen.round_rect(length - 0.3, -0.9, length - 0.02, -0.56, 0.03, tint(GLASS, -0.1))
    pen.rect(-length + 0.2, -1.03, length - 0.3, -0.97, tint(paint, 0.2))
    pen.oval(length - 0.12, -0.99, 0.06, 0.045, (220, 60, 50))
    stop = -length + 0.12 + int(n / 2) * 0.36 - 0.04
    pen.oval(stop, -0.44, 0.085, 0.085, (214, 50, 46))
    pen.rect(stop - 0.05, -0.455, stop + 0.05, -0.425, WHITE)
    pen.oval(nose - 0.03, -0.42, 0.05, 0.06, (255, 244, 190))
    pen.rect(nose - 0.06, -0.2, nose + 0.06, -0.13, (80, 78, 88))
    for x in (-length * 0.6, nose - 0.32):
        _arch(pen, x, 0.18, tint(paint, -0.55))
        _wheel(pen, x, 0.18, (214, 206, 200))


def trolleybus(pen: Pen, r: Random) -> None:
    paint, other = r.sample(PAINT, 2)
    length = r.uniform(1.3, 2.1)
    for y, x in ((-1.24, -length - 0.1), (-1.27, -length + 0.1)):  # the two poles
        pen.stroke(((-0.1, -0.86), (x, y)), 0.03, (70, 66, 78))
    pen.round_rect(-0.35, -0.92, 0.2, -0.8, 0.03, tint(paint, -0.35))
    pen.round_rect(-length, -0.86, length, -0.1, 0.08, paint)
    pen.rect(-length, -0.4, length, -0.2, other)
    pen.rect(-length + 0.02, -0.2, length - 0.02, -0.12, tint(paint, -0.4))
    pen.rect(-length + 0.08, -0.76, length - 0.02, -0.44, tint(GLASS, -0.45))
    x = -length + 0.12
    while x < length - 0.42:
        pen.rect(x, -0.74, x + 0.26, -0.46, GLASS)
        pen.poly([(x + 0.1, -0.74), (x + 0.18, -0.74), (x + 0.08, -0.46), (x + 0.0, -0.46)], tint(GLASS, 0.5))
        x += 0.3
    for x in (-0.12, length - 0.36):
        pen.rect(x, -0.76, x + 0.28, -0.14, tint(paint, -0.25))
        for dx in (0.02, 0.15):
            pen.rect(x + dx, -0.72, x + dx + 0.11, -0.2, tint(GLASS, 0.2))
    pen.rect(length - 0.5, -0.84, length - 0.04, -0.775, INK)
    pen.rect(length - 0.44, -0.825, length - 0.14, -0.79, (250, 180, 60))
    pen.oval(length - 0.03, -0.28, 0.035, 0.05, (255, 244, 190))
    for x in (-length * 0.64, length * 0.56):
        _arch(pen, x, 0.155, tint(paint, -0.55))
        _wheel(pen, x, 0.155, (200, 200, 206))
