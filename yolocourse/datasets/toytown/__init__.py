"""Toy Town, the data set that comes with the course: little scenes drawn from a seed. See data/toytown/README.md."""

from yolocourse.datasets.toytown.classes import (
    COARSE,
    FINE,
    NEVER_BOXED,
    NODES,
    Node,
    ancestors,
    coarse_of,
    labels,
    node,
    tree,
)
from yolocourse.datasets.toytown.dataset import ToyTownScenes, ToyTownThings, draw_thing, scenes, test_slices, things
from yolocourse.datasets.toytown.slices import EXTRA_SLICES, SCALES, SLICES
from yolocourse.datasets.toytown.write import write

__all__ = [
    "COARSE",
    "EXTRA_SLICES",
    "FINE",
    "NEVER_BOXED",
    "NODES",
    "SCALES",
    "SLICES",
    "Node",
    "ToyTownScenes",
    "ToyTownThings",
    "ancestors",
    "coarse_of",
    "draw_thing",
    "labels",
    "node",
    "scenes",
    "test_slices",
    "things",
    "tree",
    "write",
]
