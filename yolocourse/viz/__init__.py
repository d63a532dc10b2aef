"""Figures: pictures with boxes (Pillow), charts (matplotlib), and how a notebook shows both.

Every function is pure, from data to a PIL image or a matplotlib Figure; only `show` and the live figures have effects.
"""

from yolocourse.viz.curves import anchors, bars, line, loss_curve, overlap, precision_recall
from yolocourse.viz.jupyter import LiveFigure, LiveLoss, show
from yolocourse.viz.pictures import annotate, cell_boxes, gallery, grid, resizing, tile
from yolocourse.viz.steps import steps
from yolocourse.viz.style import colour

__all__ = [
    "LiveFigure",
    "LiveLoss",
    "anchors",
    "annotate",
    "bars",
    "cell_boxes",
    "colour",
    "gallery",
    "grid",
    "line",
    "loss_curve",
    "overlap",
    "precision_recall",
    "resizing",
    "show",
    "steps",
    "tile",
]
