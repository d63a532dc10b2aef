"""People: standing, walking, waving, or bent over the handlebar of a bicycle. One unit is the height of a grown-up."""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

from random import Random

from yolocourse.datasets.toytown.animals import INK, WHITE
from yolocourse.datasets.toytown.pen import Colour, Pen, tint

SKIN = ((247, 212, 184), (232, 184, 148), (206, 150, 110), (160, 108, 76), (112, 74, 56), (88, 58, 46))
HAIR = ((52, 38, 36), (92, 60, 40), (150, 96, 52), (226, 186, 104), (190, 84, 48), (196, 194, 198), (36, 32, 44))
CLOTHES = (
    (214, 66, 62), (44, 110, 178), (248, 192, 66), (62, 150, 112), (136, 92, 168), (238, 128, 78), (86, 176, 200),
    (240, 232, 216), (58, 66, 92), (226, 120, 150), (120, 148, 72), (128, 82, 58),
)
DARK = ((52, 60, 92), (70, 62, 66), (92, 74, 58), (58, 84, 116), (40, 44, 60), (116, 104, 92))


def _head(pen: Pen, r: Random, x: float, y: float, size: float, skin: Colour) -> None:
    """A head seen three-quarter, centre (x, y), with hair or a hat."""
    hair, style = r.choice(HAIR), r.choice(("short", "long", "bun", "hat", "cap", "curly"))
    if style == "long":
        pen.blob([
            (x - size * 1.1, y - size * 0.3), (x, y - size * 1.15), (x + size * 0.7, y - size * 0.6),
            (x + size * 0.2, y + size * 1.5), (x - size * 1.15, y + size * 1.5),
        ], hair)
    elif style == "bun":
        pen.oval(x - size * 0.75, y - size * 0.95, size * 0.5, size * 0.5, hair)
    elif style == "curly":
        for dx, dy in ((-0.9, -0.1), (-0.75, -0.75), (-0.1, -1.05), (0.6, -0.8), (-0.7, 0.5)):
            pen.oval(x + dx * size, y + dy * size, size * 0.58, size * 0.55, hair)
    pen.oval(x, y, size, size * 1.08, skin)
    pen.blob([
        (x - size * 1.05, y + size * 0.3), (x - size * 1.02, y - size * 0.6), (x - size * 0.2, y - size * 1.2),
        (x + size * 0.85, y - size * 0.75), (x + size * 0.7, y - size * 0.45), (x - size * 0.3, y - size * 0.35),
        (x - size * 0.55, y + size * 0.1),
    ], hair)
    if style in ("hat", "cap"):
        cloth = r.choice(CLOTHES)
        pen.blob([
            (x - size * 1.0, y - size * 0.35), (x - size * 0.75, y - size * 1.25),
            (x + size * 0.5, y - size * 1.3), (x + size * 0.95, y - size * 0.4),
        ], cloth)
        reach = (1.5, 1.6) if style == "hat" else (0.2, 1.75)
        pen.stroke(
            ((x - size * reach[0], y - size * 0.45), (x + size * reach[1], y - size * 0.42)),
            size * 0.28,
            tint(cloth, -0.25),
        )
    pen.oval(x + size * 0.22, y + size * 0.02, size * 0.12, size * 0.17, INK)
    pen.oval(x + size * 0.72, y + size * 0.02, size * 0.11, size * 0.17, INK)
    pen.oval(x + size * 0.1, y + size * 0.42, size * 0.2, size * 0.14, (232, 130, 118))
    pen.stroke(
        ((x + size * 0.4, y + size * 0.5), (x + size * 0.56, y + size * 0.56), (x + size * 0.74, y + size * 0.48)),
        size * 0.12,
        (160, 66, 66),
    )


def person(pen: Pen, r: Random) -> None:
    skin, top = r.choice(SKIN), r.choice(CLOTHES)
    child = r.random() < 0.3
    head = 0.115 if child else 0.088
    tall = -0.78 if child else -1.0
    neck = tall + head * 2.1
    hip, shoe = tall * 0.46, r.choice(((70, 48, 44), (48, 44, 60), (214, 70, 62), (240, 236, 228)))
    stride = r.uniform(0.02, 0.15)
    skirt = r.random() < 0.3
    leg = skin if skirt else r.choice(DARK)
    for way, colour in ((-1, tint(leg, -0.22)), (1, leg)):
        foot = way * stride
        pen.stroke(((way * 0.035, hip), (foot + 0.01, hip * 0.5), (foot, -0.04)), 0.082 if not skirt else 0.06, colour)
        pen.round_rect(foot - 0.035, -0.055, foot + 0.08, 0.0, 0.03, shoe if way > 0 else tint(shoe, -0.2))
    pose = r.choice(("swing", "swing", "wave", "bag", "hold"))
    sleeve, far = tint(top, -0.12), tint(top, -0.3)
    shoulder = neck + 0.06
    pen.stroke(((-0.02, shoulder), (stride * 1.1 + 0.03, shoulder + 0.15), (stride + 0.1, shoulder + 0.27)), 0.065, far)
    pen.oval(stride + 0.1, shoulder + 0.29, 0.032, 0.032, tint(skin, -0.12))
    width = 0.11 if child else r.uniform(0.105, 0.145)
    body = [
        (-width, neck + 0.05), (-0.04, neck - 0.0), (0.05, neck - 0.0), (width, neck + 0.06),
        (width * 0.95, hip * 0.98), (width * 0.8, hip + 0.03), (-width * 0.8, hip + 0.03), (-width, hip * 0.98),
    ]
    outline = pen.blob(body, top)
    with pen.inside(outline):
        pattern = r.choice(("plain", "plain", "stripes", "coat"))
        if pattern == "stripes":
            other = r.choice((WHITE, tint(top, -0.35), tint(top, 0.5)))
            for k in range(5):
                y = neck + 0.08 + 0.07 * k
                pen.rect(-0.2, y, 0.2, y + 0.03, other)
        elif pattern == "coat":
            pen.rect(0.03, neck, 0.045, 0.0, tint(top, -0.3))
        pen.rect(-0.2, neck, -width * 0.55, 0.0, tint(top, -0.13))
    if skirt:
        cloth = r.choice((top, r.choice(CLOTHES)))
        pen.poly([
            (-width * 0.8, hip * 1.1), (width * 0.8, hip * 1.1), (width * 1.5, hip * 0.55),
            (-width * 1.5, hip * 0.55),
        ], cloth)
        pen.poly([
            (-width * 0.8, hip * 1.1), (-width * 0.3, hip * 1.1), (-width * 0.7, hip * 0.55),
            (-width * 1.5, hip * 0.55),
        ], tint(cloth, -0.15))
    pen.stroke(((0.0, neck + 0.03), (0.005, neck - 0.03)), 0.07, tint(skin, -0.12))
    _head(pen, r, 0.01, tall + head * 1.2, head, skin)
    if pose == "wave":
        arm = ((-0.07, shoulder), (-0.21, shoulder - 0.04), (-0.25, shoulder - 0.22))
    elif pose == "hold":
        arm = ((-0.07, shoulder), (-0.05, shoulder + 0.17), (0.12, shoulder + 0.2))
    else:
        arm = ((-0.07, shoulder), (-0.12 - stride * 0.4, shoulder + 0.16), (-0.1 - stride, shoulder + 0.29))
    pen.stroke(arm, 0.07, sleeve)
    hand = arm[-1]
    pen.oval(hand[0], hand[1], 0.036, 0.036, skin)
    if pose == "bag":
        bag = r.choice(CLOTHES)
        pen.ring(hand[0], hand[1] + 0.06, 0.045, 0.014, tint(bag, -0.3))
        pen.round_rect(hand[0] - 0.075, hand[1] + 0.06, hand[0] + 0.075, hand[1] + 0.19, 0.02, bag)


def rider(pen: Pen, r: Random) -> None:
    """Astride a bicycle: the saddle is at (-0.2, -0.5), the handlebar at (0.2, -0.6), the feet near (0.02, -0.2)."""
    skin, top, leg = r.choice(SKIN), r.choice(CLOTHES), r.choice(DARK)
    up = r.uniform(0.0, 0.06)
    pen.stroke(((-0.2, -0.55), (0.07, -0.5), (-0.02, -0.25)), 0.075, tint(leg, -0.25))
    pen.stroke(((0.0, -0.86 - up), (0.12, -0.72), (0.22, -0.66)), 0.055, tint(top, -0.3))
    outline = pen.blob(
        [(-0.29, -0.55), (-0.2, -0.76), (-0.08, -0.93 - up), (0.04, -0.92 - up), (0.02, -0.76), (-0.09, -0.53)], top
    )
    with pen.inside(outline):
        pen.poly([(-0.4, -0.5), (-0.25, -0.8), (-0.12, -1.0), (-0.1, -0.9), (-0.2, -0.5)], tint(top, -0.15))
    pen.stroke(((-0.2, -0.55), (0.1, -0.43), (0.03, -0.16)), 0.085, leg)
    pen.round_rect(-0.01, -0.19, 0.11, -0.13, 0.03, r.choice(((70, 48, 44), (214, 70, 62), (48, 44, 60))))
    pen.stroke(((0.0, -0.92 - up), (0.03, -0.97 - up)), 0.07, tint(skin, -0.12))
    _head(pen, r, 0.05, -1.04 - up, 0.092, skin)
    pen.stroke(((-0.03, -0.86 - up), (0.07, -0.7), (0.21, -0.66)), 0.065, tint(top, -0.1))
    pen.oval(0.22, -0.66, 0.035, 0.035, skin)
