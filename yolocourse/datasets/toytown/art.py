"""Which function draws which thing, how large it is beside the others, and where it lives."""

# Outlines are lists of points, several to a line: laid out by hand.
# fmt: off

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from yolocourse.datasets.toytown import animals, birds, cycles, people, plants, vehicles
from yolocourse.datasets.toytown.classes import COARSE, FINE, coarse_of
from yolocourse.datasets.toytown.pen import Pen


@dataclass(frozen=True)
class Art:
    """`bounds` encloses everything the function may draw, in its own units; `height` is one unit in the pixels of a
    224-pixel picture at middle distance; `place` is where in a scene the thing belongs."""

    coarse: str
    fine: str | None
    draw: Callable[[Pen, Random], None]
    bounds: tuple[float, float, float, float]
    height: float
    place: str


def _art(name: str, draw, bounds, height: float, place: str, coarse: str | None = None) -> tuple[str, Art]:
    coarse = coarse or coarse_of(name)
    fine = next((each for each in (name, coarse) if each in FINE), None)  # a rider is a person, and that is a leaf
    return name, Art(coarse, fine, draw, bounds, height, place)


ART: dict[str, Art] = dict(
    [
        _art("person", people.person, (-0.46, -1.08, 0.42, 0.02), 66, "ground"),
        _art("rider", people.rider, (-0.5, -1.3, 0.45, 0.0), 66, "ground", "person"),
        _art("terrier", animals.terrier, (-0.75, -1.12, 0.85, 0.04), 40, "ground"),
        _art("dalmatian", animals.dalmatian, (-0.85, -1.16, 0.8, 0.04), 50, "ground"),
        _art("dachshund", animals.dachshund, (-1.4, -1.1, 1.25, 0.06), 30, "ground"),
        _art("tabby", animals.tabby, (-0.76, -1.12, 0.7, 0.04), 40, "ground"),
        _art("Siamese cat", animals.siamese, (-0.76, -1.12, 0.7, 0.04), 40, "ground"),
        _art("owl", birds.owl, (-0.46, -1.04, 0.46, 0.04), 40, "perch"),
        _art("duck", birds.duck, (-0.78, -1.22, 0.9, 0.04), 32, "shore"),
        _art("flamingo", birds.flamingo, (-0.42, -1.04, 0.5, 0.03), 62, "shore"),
        _art("penguin", birds.penguin, (-0.6, -1.02, 0.58, 0.04), 44, "shore"),
        _art("songbird", birds.songbird, (-0.68, -1.34, 0.55, 0.24), 30, "sky", "bird"),
        _art("goldfish", birds.goldfish, (-0.7, -0.86, 0.5, 0.06), 40, "water"),
        _art("shark", birds.shark, (-0.72, -0.7, 0.6, 0.04), 84, "water"),
        _art("taxi", vehicles.taxi, (-1.12, -1.22, 1.12, 0.02), 42, "road"),
        _art("jeep", vehicles.jeep, (-1.02, -1.04, 1.0, 0.02), 48, "road"),
        _art("convertible", vehicles.convertible, (-1.36, -1.12, 1.36, 0.02), 38, "road"),
        _art("family car", vehicles.family_car, (-1.12, -1.0, 1.12, 0.02), 42, "road", "car"),
        _art("school bus", vehicles.school_bus, (-1.85, -1.08, 2.25, 0.02), 48, "road"),
        _art("trolleybus", vehicles.trolleybus, (-2.3, -1.34, 2.2, 0.02), 48, "road"),
        _art("mountain bike", cycles.mountain_bike, (-1.1, -1.06, 1.1, 0.02), 42, "ground"),
        _art("bicycle-built-for-two", cycles.tandem, (-1.6, -1.02, 1.6, 0.02), 40, "ground"),
        _art("city bike", cycles.city_bike, (-1.1, -1.08, 1.1, 0.02), 42, "ground", "bicycle"),
        _art("canoe", cycles.canoe, (-1.6, -1.08, 1.6, 0.24), 34, "surface"),
        _art("speedboat", cycles.speedboat, (-2.0, -1.1, 1.65, 0.12), 34, "surface"),
        _art("tugboat", cycles.tugboat, (-0.98, -1.36, 1.08, 0.06), 58, "surface"),
        _art("palm", plants.palm, (-0.62, -1.08, 0.64, 0.04), 116, "behind"),
        _art("fir", plants.fir, (-0.4, -1.04, 0.4, 0.04), 104, "behind"),
        _art("birch", plants.birch, (-0.4, -1.08, 0.4, 0.04), 116, "behind"),
        _art("broadleaf", plants.broadleaf, (-0.42, -1.06, 0.42, 0.04), 100, "behind", "tree"),
        _art("street lamp", plants.street_lamp, (-0.2, -1.04, 0.42, 0.03), 108, "behind"),
        _art("balloon", cycles.balloon, (-0.4, -1.05, 0.4, 0.04), 62, "sky"),
    ]
)

BY_COARSE: dict[str, tuple[str, ...]] = {c: tuple(k for k, a in ART.items() if a.coarse == c) for c in COARSE}
