"""Birds and fish. One unit is the height of a standing bird; for fish and flying birds, the length of the body."""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

from random import Random

from yolocourse.datasets.toytown.animals import INK, WHITE, eye
from yolocourse.datasets.toytown.pen import Colour, Pen, tint


def owl(pen: Pen, r: Random) -> None:
    coat = r.choice(((146, 104, 70), (120, 96, 86), (176, 134, 88), (214, 206, 196), (98, 78, 72)))
    chest, wing = tint(coat, 0.45), tint(coat, -0.28)
    bark = (112, 78, 56)
    pen.stroke(((-0.36, -0.04), (0.36, -0.05)), 0.07, bark)
    body = pen.blob([
        (0, -0.92), (0.27, -0.84), (0.34, -0.5), (0.22, -0.1), (0, -0.03), (-0.22, -0.1), (-0.34, -0.5),
        (-0.27, -0.84),
    ], coat)
    for way in (-1, 1):
        pen.poly([(way * 0.3, -0.74), (way * 0.29, -1.0), (way * 0.06, -0.86)], coat)
    pen.oval(0, -0.32, 0.19, 0.26, chest)
    with pen.inside(body):
        for row in range(3):
            for col in range(-1 + row % 2, 2):
                x = col * 0.12 - (0.06 if row % 2 else 0)
                pen.poly(
                    [(x - 0.035, -0.43 + row * 0.12), (x + 0.035, -0.43 + row * 0.12), (x, -0.37 + row * 0.12)], wing
                )
        for way in (-1, 1):
            pen.blob(
                [(way * 0.36, -0.56), (way * 0.2, -0.5), (way * 0.19, -0.25), (way * 0.3, -0.06), (way * 0.4, -0.3)],
                wing,
            )
    for way in (-1, 1):
        pen.oval(way * 0.135, -0.68, 0.15, 0.15, tint(coat, 0.6))
        pen.oval(way * 0.13, -0.68, 0.1, 0.1, r.choice(((250, 200, 60), (246, 170, 50))))
        eye(pen, way * 0.125, -0.68, 0.056)
        pen.oval(way * 0.1, -0.05, 0.06, 0.035, (236, 170, 70))
    pen.poly([(-0.05, -0.64), (0.05, -0.64), (0, -0.52)], (240, 160, 50))


def duck(pen: Pen, r: Random) -> None:
    kind = r.choice(("yellow", "white", "mallard", "brown"))
    coat, head, bill = {
        "yellow": ((250, 208, 72), (250, 208, 72), (238, 130, 50)),
        "white": ((248, 244, 236), (248, 244, 236), (242, 160, 50)),
        "mallard": ((186, 176, 168), (30, 112, 84), (240, 196, 60)),
        "brown": ((172, 130, 90), (146, 106, 74), (224, 150, 70)),
    }[kind]
    stand = r.random() < 0.35
    lift = -0.2 if stand else 0.0
    if stand:
        for x in (-0.05, 0.1):
            pen.stroke(((x, -0.25), (x, -0.03)), 0.045, bill)
            pen.poly([(x - 0.04, 0), (x + 0.14, 0), (x + 0.01, -0.07)], bill)
    nod = r.uniform(-0.05, 0.05)
    base = lift
    body = pen.blob([
        (-0.66, base - 0.42), (-0.4, base - 0.36), (-0.05, base - 0.42), (0.28, base - 0.42), (0.4, base - 0.24),
        (0.26, base - 0.02), (-0.3, base - 0.02), (-0.52, base - 0.18),
    ], coat)
    with pen.inside(body):
        pen.oval(-0.05, base + 0.02, 0.5, 0.12, tint(coat, -0.16))
        if kind == "mallard":
            pen.oval(0.38, base - 0.2, 0.17, 0.26, (124, 78, 58))
    hx, hy = 0.34, base - 0.76 + nod
    pen.stroke(((0.25, base - 0.28), (hx - 0.02, hy + 0.02)), 0.19, head)
    if kind == "mallard":
        pen.stroke(((0.2, base - 0.46), (0.38, base - 0.44)), 0.05, WHITE)
    pen.oval(hx, hy, 0.19, 0.175, head)
    pen.blob([
        (hx + 0.14, hy - 0.05), (hx + 0.3, hy + 0.0), (hx + 0.42, hy + 0.03), (hx + 0.38, hy + 0.09),
        (hx + 0.14, hy + 0.09),
    ], bill)
    pen.stroke(((hx + 0.17, hy + 0.045), (hx + 0.36, hy + 0.055)), 0.015, tint(bill, -0.35))
    wing = tint(coat, -0.22 if kind != "white" else -0.12)
    pen.blob(
        [(0.14, base - 0.32), (-0.12, base - 0.38), (-0.5, base - 0.34), (-0.28, base - 0.14), (0.04, base - 0.14)],
        wing,
    )
    pen.stroke(((-0.38, base - 0.3), (-0.08, base - 0.22)), 0.02, tint(wing, -0.2))
    eye(pen, hx + 0.07, hy - 0.04, 0.034, white=kind == "mallard")


def flamingo(pen: Pen, r: Random) -> None:
    coat = r.choice(((246, 142, 158), (240, 116, 128), (250, 168, 172), (238, 128, 104)))
    deep, leg = tint(coat, -0.16), (232, 130, 138)
    pen.stroke(((-0.02, -0.5), (-0.01, -0.25), (-0.02, -0.01)), 0.026, leg)
    pen.poly([(-0.03, 0), (0.08, 0), (-0.01, -0.03)], leg)
    if r.random() < 0.55:
        pen.stroke(((-0.06, -0.46), (0.13, -0.33), (-0.05, -0.26)), 0.024, tint(leg, -0.1))
    else:
        pen.stroke(((-0.08, -0.46), (-0.12, -0.24), (-0.1, -0.01)), 0.024, tint(leg, -0.1))
    lean = r.uniform(-0.03, 0.05)
    pen.stroke(
        ((0.12, -0.56), (0.26, -0.64), (0.14, -0.78), (0.16 + lean, -0.92), (0.25 + lean, -0.93)),
        0.06,
        coat,
        curved=True,
    )
    body = pen.blob([(-0.32, -0.5), (-0.18, -0.62), (0.04, -0.66), (0.17, -0.58), (0.1, -0.46), (-0.08, -0.42)], coat)
    with pen.inside(body):
        pen.blob([(-0.4, -0.46), (-0.14, -0.58), (0.04, -0.56), (-0.05, -0.46), (-0.2, -0.4)], deep)
    hx, hy = 0.25 + lean, -0.92
    pen.oval(hx, hy, 0.066, 0.055, coat)
    pen.blob([
        (hx + 0.03, hy - 0.03), (hx + 0.11, hy + 0.0), (hx + 0.12, hy + 0.09), (hx + 0.07, hy + 0.06),
        (hx + 0.03, hy + 0.04),
    ], (250, 226, 204))
    pen.poly([(hx + 0.09, hy + 0.02), (hx + 0.13, hy + 0.03), (hx + 0.115, hy + 0.12), (hx + 0.08, hy + 0.06)], INK)
    pen.oval(hx + 0.02, hy - 0.01, 0.014, 0.015, INK)


def penguin(pen: Pen, r: Random) -> None:
    coat = r.choice(((46, 48, 66), (58, 62, 84), (40, 40, 48)))
    orange = r.choice(((244, 160, 50), (240, 130, 60)))
    tilt = r.uniform(-0.03, 0.03)
    for x in (-0.12, 0.12):
        pen.oval(x + 0.03, -0.035, 0.12, 0.045, orange)
    flap = r.uniform(0.0, 0.14)
    pen.blob([(-0.24, -0.62), (-0.38 - flap, -0.4), (-0.4 - flap, -0.26), (-0.26, -0.36)], tint(coat, -0.15))
    pen.blob([(0.24, -0.62), (0.36 + flap, -0.4), (0.37 + flap, -0.26), (0.24, -0.36)], coat)
    pen.blob([
        (0, -0.98), (0.2, -0.88), (0.24, -0.66), (0.31, -0.34), (0.2, -0.04), (-0.2, -0.04), (-0.31, -0.34),
        (-0.24, -0.66), (-0.2, -0.88),
    ], coat)
    pen.blob(
        [(0.04, -0.68), (0.2, -0.54), (0.23, -0.28), (0.14, -0.06), (-0.08, -0.06), (-0.17, -0.28), (-0.13, -0.54)],
        WHITE,
    )
    pen.oval(0.1, -0.57, 0.09, 0.03, (252, 222, 130))
    for x in (-0.05, 0.14):
        pen.oval(x + tilt, -0.8, 0.085, 0.1, WHITE)
        eye(pen, x + 0.02 + tilt, -0.8, 0.036)
    pen.poly([(-0.01 + tilt, -0.76), (0.14 + tilt, -0.76), (0.12 + tilt, -0.66)], orange)


def songbird(pen: Pen, r: Random) -> None:
    """A small bird of no particular kind, on the wing. The body is one unit long and about `y = -0.5`."""
    coat = r.choice(
        ((70, 120, 186), (206, 82, 70), (92, 92, 112), (238, 186, 70), (110, 160, 110), (60, 56, 70), (244, 240, 234))
    )
    belly, wing = tint(coat, 0.5), tint(coat, -0.25)
    flap = r.choice((-1, 1)) * r.uniform(0.28, 0.46)  # wings down or up
    pen.poly([(-0.26, -0.54), (-0.62, -0.66), (-0.54, -0.52), (-0.6, -0.4)], wing)
    pen.blob(
        [(0.16, -0.56), (0.1, -0.56 - flap), (-0.06, -0.58 - flap * 1.5), (-0.1, -0.52 - flap * 0.6), (-0.14, -0.5)],
        tint(wing, -0.2),
    )
    body = pen.blob([(-0.36, -0.53), (-0.12, -0.68), (0.18, -0.72), (0.36, -0.6), (0.26, -0.42), (-0.04, -0.36)], coat)
    with pen.inside(body):
        pen.oval(0.08, -0.36, 0.32, 0.14, belly)
    pen.poly([(0.33, -0.65), (0.5, -0.57), (0.33, -0.53)], (240, 166, 60))
    pen.blob([
        (0.12, -0.54), (0.0, -0.56 - flap * 0.9), (-0.26, -0.58 - flap * 1.45), (-0.26, -0.52 - flap * 0.7),
        (-0.18, -0.48),
    ], wing)
    eye(pen, 0.22, -0.61, 0.045)


def goldfish(pen: Pen, r: Random) -> None:
    coat = r.choice(((244, 138, 44), (238, 104, 48), (250, 172, 66), (236, 84, 60)))
    fin, light = tint(coat, 0.35), tint(coat, 0.5)
    sway = r.uniform(-0.1, 0.1)
    pen.blob([
        (-0.18, -0.36), (-0.4, -0.64 + sway), (-0.6, -0.66 + sway), (-0.46, -0.4), (-0.6, -0.08 + sway),
        (-0.4, -0.12 + sway),
    ], fin)
    for k in (-1, 0, 1):
        pen.stroke(((-0.2, -0.38), (-0.5, -0.38 + k * 0.2 + sway)), 0.016, coat)
    pen.blob([(-0.12, -0.52), (-0.06, -0.74), (0.12, -0.76), (0.2, -0.54)], fin)
    pen.blob([(-0.02, -0.2), (-0.1, 0.0), (0.06, -0.04), (0.1, -0.18)], fin)
    body = pen.blob([(-0.24, -0.38), (-0.06, -0.58), (0.2, -0.6), (0.42, -0.4), (0.22, -0.18), (-0.06, -0.18)], coat)
    with pen.inside(body):
        pen.oval(0.08, -0.16, 0.34, 0.12, light)
        if r.random() < 0.35:
            pen.oval(r.uniform(-0.05, 0.15), -0.52, 0.15, 0.12, WHITE)
        for x, y in ((-0.02, -0.44), (-0.02, -0.32), (-0.1, -0.38), (0.06, -0.38)):
            pen.ring(x, y, 0.045, 0.014, tint(coat, -0.16))
    pen.stroke(((0.16, -0.52), (0.12, -0.38), (0.17, -0.26)), 0.02, tint(coat, -0.2))
    pen.blob([(0.06, -0.34), (-0.1, -0.28), (-0.08, -0.18), (0.08, -0.24)], fin)
    eye(pen, 0.28, -0.43, 0.042, white=True)
    pen.stroke(((0.4, -0.37), (0.35, -0.33)), 0.02, tint(coat, -0.4))


def shark(pen: Pen, r: Random) -> None:
    coat: Colour = r.choice(((112, 132, 150), (92, 108, 130), (128, 140, 150), (84, 116, 140)))
    deep, belly = tint(coat, -0.25), (232, 236, 236)
    sway = r.uniform(-0.04, 0.04)
    pen.poly([(-0.42, -0.3 + sway), (-0.64, -0.52 + sway), (-0.56, -0.28 + sway), (-0.62, -0.12 + sway)], deep)
    pen.poly([(-0.1, -0.42), (-0.06, -0.64), (0.02, -0.62), (0.1, -0.42)], deep)
    pen.poly([(0.08, -0.2), (-0.08, 0.0), (-0.04, -0.2)], tint(deep, -0.15))
    body = pen.blob([
        (-0.46, -0.3 + sway), (-0.2, -0.4), (0.14, -0.45), (0.44, -0.36), (0.52, -0.27), (0.36, -0.19),
        (0.05, -0.15), (-0.22, -0.21),
    ], coat)
    with pen.inside(body):
        pen.oval(0.12, -0.13, 0.5, 0.1, belly)
        pen.poly([(0.27, -0.235), (0.48, -0.25), (0.42, -0.18), (0.3, -0.17)], (120, 44, 54))
        for k in range(4):
            x = 0.29 + 0.047 * k
            pen.poly([(x, -0.24), (x + 0.04, -0.243), (x + 0.02, -0.205)], WHITE)
        for k in range(3):
            pen.stroke(((0.12 + 0.04 * k, -0.34), (0.1 + 0.04 * k, -0.24)), 0.012, deep)
    pen.poly([(0.06, -0.22), (-0.12, -0.04), (-0.02, -0.2)], deep)
    eye(pen, 0.34, -0.325, 0.02)
