"""What is in a scene: everyday ones, and those that each show one weakness of a detector.

A composer makes a plan from a random stream; `holds` says whether the finished scene has what its slice promises.
Training scenes are a mix of all of them.
"""

from random import Random

from yolocourse.datasets.toytown.art import ART
from yolocourse.datasets.toytown.backdrops import PLANE
from yolocourse.datasets.toytown.classes import COARSE, NEVER_BOXED
from yolocourse.datasets.toytown.compose import (
    add,
    add_clutter,
    add_perches,
    boxed_names,
    find_spot,
    in_front,
    new_item,
    new_plan,
    order,
    ride,
)
from yolocourse.datasets.toytown.scene import Item, Plan, Record

SLICES = ("flock", "overlap", "aspect", "scale", "everyday")
EXTRA_SLICES = ("unseen",)
SCALES = (160, 224, 288, 352, 416)
CELL = 32
FLOCK_SIZE = 8  # things of one class, each side at most FLOCK_SIDE pixels at 224
FLOCK_SIDE = 44

_PAIRS = {
    "street": (
        ("family car", "dog"),
        ("taxi", "dog"),
        ("convertible", "cat"),
        ("taxi", "cat"),
        ("family car", "cat"),
        ("school bus", "person"),
        ("trolleybus", "person"),
        ("family car", "person"),
    ),
    "park": (
        ("family car", "dog"),
        ("mountain bike", "dog"),
        ("city bike", "cat"),
        ("person", "dog"),
        ("person", "cat"),
    ),
    "beach": (("person", "dog"), ("city bike", "dog"), ("mountain bike", "person"), ("person", "cat")),
    "harbour": (("shark", "goldfish"), ("tugboat", "duck"), ("tugboat", "canoe"), ("speedboat", "duck")),
}


# how often each class is tried in an everyday scene
_WEIGHTS = {
    "street": dict(person=4, dog=2, cat=2, bird=2, car=7, bus=4, bicycle=3, tree=3, balloon=1) | {"street lamp": 3},
    "park": dict(person=4, dog=4, cat=4, bird=4, car=4, bus=2, bicycle=3, tree=4, balloon=1) | {"street lamp": 2},
    "harbour": dict(boat=4, fish=7, bird=2, balloon=1),
    "beach": dict(person=4, dog=3, cat=3, bird=3, boat=5, bicycle=2, tree=2, balloon=1) | {"street lamp": 1},
    "sky": dict(balloon=5, bird=4, tree=2, person=2, dog=1, cat=1) | {"street lamp": 1},
}


def everyday(r: Random) -> Plan:
    """Two to eight things of classes that suit the place, with little overlap, and clutter."""
    plan = new_plan(r)
    classes, weights = zip(*_WEIGHTS[plan.stage.kind].items(), strict=True)
    count = r.randint(2, 8)
    for _ in range(count * 2):
        if len(plan.items) >= count:
            break
        add(r, plan, r.choice(boxed_names(r.choices(classes, weights)[0])))
    add_perches(plan)
    add_clutter(r, plan, r.randint(0, 4))
    order(plan)
    return plan


def flock(r: Random) -> Plan:
    """Many small birds, fish or balloons close together, and one or two other things."""
    setting, name = r.choice(
        (
            ("sky", "songbird"),
            ("sky", "balloon"),
            ("harbour", "goldfish"),
            ("beach", "duck"),
            ("park", "duck"),
            ("park", "songbird"),
            ("beach", "flamingo"),
            ("harbour", "songbird"),
            ("beach", "songbird"),
            ("harbour", "shark"),
        )
    )
    plan = new_plan(r, setting)
    for _ in range(r.randint(0, 2)):
        add(r, plan, r.choice(boxed_names(r.choice(COARSE))))
    low, high = plan.stage.places[ART[name].place]
    count = r.randint(10, 22)
    target = {"balloon": 26, "goldfish": 20, "duck": 17, "flamingo": 30, "shark": 34}.get(name, 18)
    pitch = target * r.uniform(0.62, 1.0)
    columns = r.randint(4, 7)
    rows = -(-count // columns)
    cx = r.uniform(40 + columns * pitch / 4, PLANE - 40 - columns * pitch / 4)
    cy = r.uniform(low, high)
    cy = (
        min(max(cy, low + rows * pitch * 0.3), high - rows * pitch * 0.3)
        if high - low > rows * pitch * 0.6
        else (low + high) / 2
    )
    mirror = r.random() < 0.5
    for k in range(count):
        x = cx + (k % columns - (columns - 1) / 2) * pitch + r.uniform(-0.35, 0.35) * pitch
        y = cy + (k // columns - (rows - 1) / 2) * pitch * 0.8 + r.uniform(-0.3, 0.3) * pitch
        item = new_item(r, name, x, y, target / ART[name].height, spread=0.15)
        same = r.random() < 0.85
        plan.items.append(
            Item(name, x, y, item.height, item.seed, mirror if same else not mirror, item.angle, item.shadow)
        )
    add_perches(plan)
    order(plan)
    return plan


def overlap(r: Random) -> Plan:
    """A rider on a bicycle, a dog before a car ...: at least one pair whose centres share a cell."""
    plan = new_plan(r, r.choice(("street", "street", "park", "beach", "harbour")))
    for _ in range(r.randint(0, 3)):
        add(r, plan, r.choice(boxed_names(r.choice(COARSE))))
    add_perches(plan)
    add_clutter(r, plan, r.randint(0, 2))
    order(plan)
    for _ in range(r.randint(1, 2)):
        if plan.stage.kind != "harbour" and r.random() < 0.5:
            ride(r, plan)
        else:
            large, small = r.choice(_PAIRS[plan.stage.kind])
            in_front(r, plan, large, r.choice(boxed_names(small)) if small in COARSE else small)
    return plan


def aspect(r: Random) -> Plan:
    """Long buses and boats, tall trees and lamps, larger than elsewhere."""
    plan = new_plan(r, r.choice(("street", "street", "park", "harbour", "beach")))
    wide = {
        "street": ("school bus", "trolleybus"),
        "park": ("school bus", "trolleybus", "bicycle-built-for-two"),
        "harbour": ("canoe", "speedboat", "shark"),
        "beach": ("canoe", "speedboat"),
    }[plan.stage.kind]
    tall = {"harbour": (), "beach": ("birch", "fir", "street lamp", "flamingo", "person")}.get(
        plan.stage.kind, ("birch", "fir", "street lamp", "street lamp")
    )
    for _ in range(r.randint(1, 2)):
        add(r, plan, r.choice(wide), most=0.4)
    for _ in range(r.randint(2, 4) if tall else 1):
        add(r, plan, r.choice(tall or wide), most=0.4)
    plan.items = [
        Item(i.name, i.x, i.y, i.height * r.uniform(1.0, 1.3), i.seed, i.mirror, i.angle, i.shadow) for i in plan.items
    ]
    for _ in range(r.randint(0, 2)):
        add(r, plan, r.choice(boxed_names(r.choice(COARSE))))
    add_perches(plan)
    add_clutter(r, plan, r.randint(0, 2))
    order(plan)
    return plan


def unseen(r: Random) -> Plan:
    """A scene with classes that no training scene shows (NEVER_BOXED), among others."""
    plan = new_plan(r, r.choice(("street", "park", "beach")))
    for _ in range(r.randint(1, 3)):
        add(r, plan, r.choice([n for n in NEVER_BOXED if find_spot(r, plan.stage, n)]))
    for _ in range(r.randint(0, 3)):
        add(r, plan, r.choice(boxed_names(r.choice(COARSE))))
    add_perches(plan)
    order(plan)
    return plan


COMPOSERS = {
    "flock": flock,
    "overlap": overlap,
    "aspect": aspect,
    "scale": everyday,
    "everyday": everyday,
    "unseen": unseen,
}
MIX = ("everyday",) * 10 + ("flock",) * 3 + ("overlap",) * 4 + ("aspect",) * 3


def holds(name: str, records: list[Record], size: int) -> bool:
    """Whether a scene drawn at `size` pixels shows what its slice is for."""
    k = PLANE / size
    boxes = [(r, [v * k for v in r.box]) for r in records if not r.difficult]
    if name == "flock":
        small = [ART[r.name].coarse for r, (x0, y0, x1, y1) in boxes if max(x1 - x0, y1 - y0) <= FLOCK_SIDE]
        return any(small.count(c) >= FLOCK_SIZE for c in set(small))
    if name == "overlap":
        cells = [(int((b[0] + b[2]) / 2 // CELL), int((b[1] + b[3]) / 2 // CELL)) for _, b in boxes]
        return len(set(cells)) < len(cells)
    if name == "aspect":
        ratios = [(b[2] - b[0]) / (b[3] - b[1]) for _, b in boxes]
        return any(v >= 2 or v <= 0.5 for v in ratios)
    if name == "unseen":
        return any(r.name in NEVER_BOXED for r, _ in boxes)
    return len(boxes) >= 1
