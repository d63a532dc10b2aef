"""How things get their place in a scene: a height that suits them, a size that suits the height, and some room."""

from random import Random

from yolocourse.datasets.toytown.art import ART, BY_COARSE
from yolocourse.datasets.toytown.backdrops import PLANE, Stage, stage
from yolocourse.datasets.toytown.classes import NEVER_BOXED
from yolocourse.datasets.toytown.clutter import CLUTTER
from yolocourse.datasets.toytown.scene import Item, Plan

_SETTINGS = ("street", "street", "park", "park", "harbour", "beach", "beach", "sky")
# where a stage may have a thing of ART's `place`; what only swims is afloat
_PLACES = {"ground": ("ground", "front"), "shore": ("shore",)}
_AFLOAT = ("duck",)


def new_plan(r: Random, setting: str | None = None) -> Plan:
    """An empty scene with a stage, a light and noise."""
    where = stage(setting or r.choice(_SETTINGS), r)
    light = r.choice(("day", "day", "day", "warm", "dusk", "night", "overcast", "fog"))
    return Plan(where, r.getrandbits(48), [], light, r.uniform(0.3, 1.0), r.choice((0, 0, 4, 8, 14)))


def _depth(where: Stage, place: str, y: float) -> float:
    """How large things look at height y: smaller towards the horizon, the same everywhere in sky and water."""
    if place in ("sky", "water") or where.kind == "sky":
        return 0.8
    if where.kind == "harbour":
        return 0.95
    return 0.62 + 0.62 * max(0.0, y - where.horizon) / (PLANE - where.horizon)


def boxed_names(coarse: str) -> list[str]:
    """The kinds of a coarse class that ordinary scenes show; riders come with their bicycles."""
    return [name for name in BY_COARSE[coarse] if name != "rider" and name not in NEVER_BOXED]


def find_spot(r: Random, where: Stage, name: str) -> tuple[str, float] | None:
    """A place that suits the thing, and a height there; None where the stage has no such place."""
    wanted = _PLACES.get(ART[name].place, (ART[name].place,))
    options = [p for p in wanted + ("afloat",) * (name in _AFLOAT) if p in where.places]
    if not options:
        return None
    place = r.choice(options)
    low, high = where.places[place]
    return place, r.uniform(low, high)


def new_item(r: Random, name: str, x: float, y: float, depth: float, spread: float = 0.22) -> Item:
    """A thing at (x, y), `depth` times its usual size give or take `spread`, mirrored and tilted at random."""
    art = ART[name]
    height = art.height * depth * r.uniform(1 - spread, 1 + spread)
    tilt = 10.0 if art.place in ("water", "sky") else 5.0 if art.place in ("surface", "shore") else 3.0
    flying = art.place in ("sky", "water", "surface")
    return Item(name, x, y, height, r.getrandbits(48), r.random() < 0.5, r.uniform(-tilt, tilt), shadow=not flying)


def _rough_box(item: Item) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = ART[item.name].bounds if item.name in ART else CLUTTER[item.name][1]
    if item.mirror:
        x0, x1 = -x1, -x0
    h = item.height * 0.9
    return item.x + x0 * h, item.y + y0 * h, item.x + x1 * h, item.y + y1 * h


def _covered(first, second) -> float:
    """The share of the smaller of two boxes that lies in the other."""
    w = min(first[2], second[2]) - max(first[0], second[0])
    h = min(first[3], second[3]) - max(first[1], second[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / min((b[2] - b[0]) * (b[3] - b[1]) for b in (first, second))


def add(r: Random, plan: Plan, name: str, most: float = 0.3, tries: int = 6) -> Item | None:
    """Adds a thing where it covers little of the others; None when there is no room or no place for it."""
    for _ in range(tries):
        spot = find_spot(r, plan.stage, name)
        if spot is None:
            return None
        place, y = spot
        item = new_item(r, name, r.uniform(8, PLANE - 8), y, _depth(plan.stage, place, y))
        box = _rough_box(item)
        if all(_covered(box, _rough_box(other)) < most for other in plan.items if other.name in ART):
            plan.items.append(item)
            return item
    return None


def add_clutter(r: Random, plan: Plan, count: int) -> None:
    """Adds up to `count` things without a label."""
    for _ in range(count):
        name = r.choice(tuple(CLUTTER))
        options = [p for p in CLUTTER[name][3] if p in plan.stage.places]
        if not options:
            continue
        place = r.choice(options)
        y = r.uniform(*plan.stage.places[place])
        height = CLUTTER[name][2] * _depth(plan.stage, place, y) * r.uniform(0.7, 1.3)
        plan.items.append(
            Item(name, r.uniform(0, PLANE), y, height, r.getrandbits(48), shadow=place in ("ground", "front"))
        )


def order(plan: Plan) -> None:
    """Far things first; what is far is higher up, and trees and lamps stand behind what is level with them."""

    def depth(item: Item) -> float:
        place = ART[item.name].place if item.name in ART else "ground"
        if place in ("sky", "perch"):
            return item.y - 400 if place == "sky" else item.y
        return item.y

    plan.items.sort(key=depth)


def add_perches(plan: Plan) -> None:
    """Every owl sits on a post that reaches down to the ground."""
    for item in [i for i in plan.items if i.name == "owl"]:
        ground = plan.stage.places.get("ground", (0, item.y + 40))[0] + 8
        if ground > item.y:
            plan.items.insert(
                plan.items.index(item), Item("post", item.x, ground, max(ground - item.y + 1, 6), item.seed)
            )


def ride(r: Random, plan: Plan, name: str | None = None) -> None:
    """A bicycle with one rider (or two on the tandem), whose centres are a few pixels apart."""
    name = name or r.choice(boxed_names("bicycle"))
    spot = find_spot(r, plan.stage, name)
    if spot is None:
        return
    y = spot[1]
    bike = new_item(r, name, r.uniform(40, PLANE - 40), y, _depth(plan.stage, spot[0], y) * 1.08)
    h, way = bike.height, -1 if bike.mirror else 1
    plan.items.append(bike)
    seats = ((-0.5, 1.62), (0.36, 1.62)) if name == "bicycle-built-for-two" else ((-0.02, 1.69),)
    for offset, factor in seats[: r.randint(1, len(seats))]:
        plan.items.append(
            Item(
                "rider",
                bike.x + way * offset * h,
                y + 0.01,
                h * factor,
                r.getrandbits(48),
                bike.mirror,
                bike.angle,
                False,
            )
        )


def in_front(r: Random, plan: Plan, large: str, small: str) -> None:
    """A small thing before a large one, centre before centre."""
    spot = find_spot(r, plan.stage, large)
    if spot is None:
        return
    place, y = spot
    back = new_item(r, large, r.uniform(50, PLANE - 50), y, _depth(plan.stage, place, y), spread=0.12)
    plan.items.append(back)
    x0, y0, x1, y1 = _rough_box(back)
    art, size = ART[small], back.height / ART[large].height
    low = art.place in ("ground", "shore", "surface")
    foot = y + r.uniform(1, 5) if low else (y0 + y1) / 2 + art.height * size * 0.4
    item = new_item(r, small, (x0 + x1) / 2 + r.uniform(-6, 6), foot, size * (0.95 if low else 0.8), spread=0.1)
    plan.items.append(item)
