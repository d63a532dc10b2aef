"""Trees and street lamps. One unit is the height."""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

import math
from random import Random

from yolocourse.datasets.toytown.pen import Pen, mix, tint


def palm(pen: Pen, r: Random) -> None:
    trunk = r.choice(((158, 116, 78), (176, 136, 96), (132, 98, 74)))
    leaf = r.choice(((70, 146, 80), (96, 160, 70), (48, 128, 92)))
    lean = r.uniform(-0.12, 0.14)
    steps = [(0.0, 0.0), (lean * 0.25, -0.25), (lean * 0.6, -0.5), (lean, -0.74)]
    pen.poly([
        (-0.055, 0), (0.055, 0), (lean * 0.6 + 0.035, -0.5), (lean + 0.025, -0.74), (lean - 0.025, -0.74),
        (lean * 0.6 - 0.035, -0.5),
    ], trunk)
    for k in range(1, 9):
        y = k / 11
        x = lean * y / 0.74 * (0.6 + 0.4 * y)
        half = 0.05 - 0.025 * y
        pen.stroke(((x - half, -y), (x + half, -y + 0.012)), 0.012, tint(trunk, -0.25), round_ends=False)
    cx, cy = steps[-1]
    fronds = [
        (-0.36, 0.14), (-0.38, -0.05), (-0.26, -0.2), (0.02, -0.27), (0.26, -0.2), (0.38, -0.04), (0.34, 0.16),
        (-0.2, 0.26), (0.2, 0.28),
    ]
    order = list(range(len(fronds)))
    r.shuffle(order)
    for k in order:
        dx, dy = fronds[k]
        dx, dy = dx * r.uniform(0.85, 1.08), dy + r.uniform(-0.03, 0.03)
        mx, my = dx * 0.55, dy * 0.5 - 0.12
        colour = tint(leaf, (-0.2, 0.0, 0.14)[k % 3])
        edge = [(cx, cy - 0.02), (cx + mx, cy + my - 0.035), (cx + dx, cy + dy)]
        saw = [
            (cx + mx + dx * 0.18, cy + my + 0.09 + dy * 0.1), (cx + mx, cy + my + 0.05),
            (cx + mx * 0.6, cy + my * 0.55 + 0.07),
        ]
        pen.poly(edge + saw, colour)
        pen.stroke(
            ((cx, cy - 0.01), (cx + mx, cy + my), (cx + dx, cy + dy)), 0.012, tint(colour, -0.2), round_ends=False
        )
    for dx in (-0.035, 0.03, 0.0):
        pen.oval(cx + dx, cy + 0.025, 0.03, 0.03, (120, 78, 48))


def fir(pen: Pen, r: Random) -> None:
    leaf = r.choice(((44, 104, 78), (58, 120, 76), (36, 92, 86), (78, 128, 92)))
    snow = r.random() < 0.18
    width = r.uniform(0.24, 0.34)
    pen.rect(-0.035, -0.16, 0.035, 0.0, (116, 80, 56))
    tiers = r.randint(3, 5)
    for k in range(tiers):
        low, high = -0.1 - k * 0.68 / tiers, -0.1 - (k + 1) * 0.68 / tiers - 0.2
        half = width * (1 - k / (tiers + 0.6))
        n = 6
        hem = [(-half + 2 * half * j / n, low + (0.03 if j % 2 else 0.0)) for j in range(n + 1)]
        pen.poly([(0, max(high, -1.0)), *reversed(hem)], leaf)
        pen.poly([(0, max(high, -1.0)), (half * 0.15, low + 0.03), (half, low)], tint(leaf, -0.2))
        if snow:
            top = max(high, -1.0)
            pen.poly([
                (0, top), (half * 0.34, top + (low - top) * 0.4), (0.0, top + (low - top) * 0.3),
                (-half * 0.34, top + (low - top) * 0.42),
            ], (246, 248, 250))


def birch(pen: Pen, r: Random) -> None:
    leaf = r.choice(((150, 186, 84), (128, 170, 82), (226, 190, 76), (172, 194, 96)))
    bark = (238, 234, 226)
    bend = r.uniform(-0.04, 0.04)
    pen.poly([(-0.036, 0), (0.036, 0), (bend + 0.018, -0.8), (bend - 0.018, -0.8)], bark)
    pen.poly([(0.008, 0), (0.036, 0), (bend + 0.018, -0.8), (bend + 0.004, -0.8)], tint(bark, -0.14))
    tufts = []
    for k in range(13):
        y = -0.42 - 0.5 * k / 12
        out = (0.22 - 0.13 * abs(k - 5) / 7) * r.uniform(0.5, 1.0)
        tufts.append((bend + out * (1 if k % 2 else -1), y, r.uniform(0.075, 0.12)))
    for x, y, _ in tufts[::2]:
        pen.stroke(((bend * 0.7, y + 0.12), (x, y)), 0.016, (150, 140, 134), round_ends=False)
    for k, (x, y, size) in enumerate(tufts):
        pen.oval(x, y, size, size * 1.05, tint(leaf, (-0.16, 0.0, 0.16)[k % 3]))
    pen.stroke(((bend * 0.55, -0.45), (bend * 0.9, -0.72)), 0.026, bark, round_ends=False)
    for _ in range(9):
        y = r.uniform(0.03, 0.44)
        side = r.choice((-1, 1))
        x = bend * y / 0.8 + side * 0.02
        pen.stroke(((x - 0.014, -y), (x + 0.014, -y)), 0.014, (62, 56, 62), round_ends=False)


def broadleaf(pen: Pen, r: Random) -> None:
    """A round-headed tree of no particular kind."""
    leaf = r.choice(
        ((86, 148, 78), (112, 164, 84), (64, 128, 84), (206, 130, 62), (196, 90, 66), (236, 168, 180), (140, 160, 70))
    )
    trunk = r.choice(((120, 84, 60), (98, 74, 62), (140, 104, 76)))
    pen.poly([(-0.06, 0), (0.06, 0), (0.04, -0.2), (0.04, -0.5), (-0.04, -0.5), (-0.035, -0.2)], trunk)
    pen.stroke(((0.02, -0.36), (0.12, -0.5)), 0.035, trunk)
    pen.stroke(((-0.01, -0.32), (-0.13, -0.48)), 0.03, trunk)
    puffs = 8
    wide, high = r.uniform(0.2, 0.3), r.uniform(0.17, 0.23)
    outline = []
    for k in range(puffs * 2):
        a = 2 * math.pi * k / (puffs * 2)
        out = 1.12 if k % 2 else 0.98
        outline.append((math.cos(a) * wide * out * r.uniform(1.0, 1.1), -0.68 + math.sin(a) * high * out * 1.25))
    shape = pen.blob(outline, leaf)
    with pen.inside(shape):
        pen.oval(wide * 0.15, -0.36, wide * 1.3, 0.16, tint(leaf, -0.22))
        pen.oval(-wide * 0.35, -0.82, wide * 0.5, 0.08, tint(leaf, 0.2))
        for _ in range(5):
            pen.oval(
                r.uniform(-wide, wide) * 0.8, r.uniform(-0.9, -0.5), 0.035, 0.022, tint(leaf, r.choice((-0.25, 0.22)))
            )
    if r.random() < 0.25:
        for _ in range(6):
            pen.oval(r.uniform(-wide, wide) * 0.8, r.uniform(-0.86, -0.52), 0.026, 0.026, (212, 60, 54))


def street_lamp(pen: Pen, r: Random) -> None:
    iron = r.choice(((60, 66, 76), (46, 78, 74), (84, 84, 96), (52, 52, 62), (120, 124, 132)))
    glow = r.choice(((255, 232, 150), (255, 244, 206), (255, 214, 120), (236, 240, 240)))
    style = r.choice(("lantern", "arm", "globes", "arm"))
    light = tint(iron, 0.22)
    pen.poly([(-0.05, 0), (0.05, 0), (0.032, -0.1), (-0.032, -0.1)], iron)
    if style == "lantern":
        pen.rect(-0.016, -0.8, 0.016, -0.08, iron)
        pen.rect(-0.035, -0.6, 0.035, -0.58, light)
        pen.poly([(-0.045, -0.8), (0.045, -0.8), (0.075, -0.94), (-0.075, -0.94)], glow)
        for x in (-1, 0, 1):
            pen.stroke(((x * 0.043, -0.8), (x * 0.073, -0.94)), 0.01, iron, round_ends=False)
        pen.poly([(-0.095, -0.93), (0.095, -0.93), (0.03, -0.985), (-0.03, -0.985)], iron)
        pen.oval(0, -0.99, 0.015, 0.012, iron)
        pen.rect(-0.055, -0.81, 0.055, -0.79, iron)
    elif style == "globes":
        pen.rect(-0.015, -0.86, 0.015, -0.08, iron)
        pen.stroke(((-0.11, -0.84), (-0.1, -0.78), (0.0, -0.76), (0.1, -0.78), (0.11, -0.84)), 0.018, iron)
        for x, y in ((-0.11, -0.88), (0.11, -0.88), (0, -0.93)):
            pen.oval(x, y, 0.058, 0.055, glow)
            pen.oval(x - 0.018, y - 0.016, 0.018, 0.016, tint(mix(glow, (255, 255, 255), 0.4), 0.6))
    else:
        reach = r.uniform(0.14, 0.26)
        pen.rect(-0.018, -0.84, 0.014, -0.08, iron)
        pen.stroke(((-0.002, -0.82), (0.02, -0.95), (reach * 0.6, -0.985), (reach, -0.95)), 0.022, iron, curved=True)
        pen.poly([(reach - 0.07, -0.93), (reach + 0.02, -0.965), (reach + 0.12, -0.93)], iron)
        pen.oval(reach + 0.025, -0.928, 0.065, 0.026, glow)
    pen.rect(-0.016, -0.56, -0.008, -0.1, light)
