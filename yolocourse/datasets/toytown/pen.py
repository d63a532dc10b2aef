"""Drawing with Pillow at twice the size, in the thing's own units, so that one description serves every picture size.

A pen maps local coordinates (x to the right, y down, the ground at y = 0) to pixels: mirrored, turned a little, scaled.
All coordinates are rounded to whole pixels of the double-size canvas before Pillow sees them: the same numbers on every
platform.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
SUPERSAMPLE = 2

_CIRCLE = np.round([[math.cos(2 * math.pi * k / 28), math.sin(2 * math.pi * k / 28)] for k in range(28)], 6)


def _spline_weights(t: float) -> tuple[float, float, float, float]:
    """Catmull-Rom weights of the four neighbouring points, a share t of the way between the middle two."""
    return (-t + 2 * t**2 - t**3) / 2, (2 - 5 * t**2 + 3 * t**3) / 2, (t + 4 * t**2 - 3 * t**3) / 2, (t**3 - t**2) / 2


@lru_cache(maxsize=64)
def _spline(count: int, closed: bool) -> np.ndarray:
    """The matrix that turns `count` points into a curve: (5 count, count) closed, (5 count - 4, count) open."""
    spans = count if closed else count - 1
    matrix = np.zeros((5 * spans + (not closed), count))
    for span in range(spans):
        for step in range(5):
            for offset, weight in zip((-1, 0, 1, 2), _spline_weights(step / 5), strict=True):
                point = (span + offset) % count if closed else min(max(span + offset, 0), count - 1)
                matrix[5 * span + step, point] += weight
    if not closed:
        matrix[-1, -1] = 1
    return matrix


@lru_cache(maxsize=4096)
def tint(colour: Colour, amount: float) -> Colour:
    """The colour moved towards white (amount 0 to 1) or towards a deep blue-black (0 to -1)."""
    goal = (255, 252, 244) if amount > 0 else (26, 20, 48)
    share = abs(amount)
    return tuple(int(c + (g - c) * share + 0.5) for c, g in zip(colour, goal, strict=True))


@lru_cache(maxsize=4096)
def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour, the rest of the first."""
    return tuple(int(a + (b - a) * share + 0.5) for a, b in zip(first, second, strict=True))


def smooth(points: Sequence[Sequence[float]]) -> np.ndarray:
    """A closed curve through the points (n, 2) -> (5n, 2)."""
    return _spline(len(points), True) @ np.array(points)


def smooth_open(points: Sequence[Sequence[float]]) -> np.ndarray:
    """An open curve through the points (n, 2) -> (5n - 4, 2)."""
    return _spline(len(points), False) @ np.array(points)


def oval_points(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
    """Points of an ellipse (28, 2), turned by `angle` degrees."""
    if not angle:
        return _CIRCLE * (rx, ry) + (cx, cy)
    cos, sin = round(math.cos(math.radians(angle)), 6), round(math.sin(math.radians(angle)), 6)
    x, y = _CIRCLE[:, 0] * rx, _CIRCLE[:, 1] * ry
    return np.stack([cx + x * cos - y * sin, cy + x * sin + y * cos], 1)


class Pen:
    """Draws on a double-size canvas.

    `bounds` (x0, y0, x1, y1) is the drawable part of the local plane, `unit` the pixels of the finished picture per
    local unit, `angle` a turn about the origin in degrees.
    """

    def __init__(
        self, bounds, unit: float, mirror: bool = False, angle: float = 0.0, canvas: Image.Image | None = None
    ):
        self.unit = unit * SUPERSAMPLE
        cos, sin = round(math.cos(math.radians(angle)), 6), round(math.sin(math.radians(angle)), 6)
        flip = -1.0 if mirror else 1.0
        x0, y0, x1, y1 = bounds
        corners = [(flip * cos * x - sin * y, flip * sin * x + cos * y) for x in (x0, x1) for y in (y0, y1)]
        left, top = min(c[0] for c in corners), min(c[1] for c in corners)
        right, bottom = max(c[0] for c in corners), max(c[1] for c in corners)
        # where the local origin lies, in whole finished pixels from the sprite's corner
        self.origin = (math.ceil(-left * unit) + 1, math.ceil(-top * unit) + 1)
        self._shift = (self.origin[0] * SUPERSAMPLE, self.origin[1] * SUPERSAMPLE)
        if canvas is None:
            width = self.origin[0] + math.ceil(right * unit) + 1
            height = self.origin[1] + math.ceil(bottom * unit) + 1
            canvas = Image.new("RGBA", (max(width, 2) * SUPERSAMPLE, max(height, 2) * SUPERSAMPLE))
        else:
            self.origin, self._shift = (0, 0), (0, 0)
        k = self.unit
        self._rows = ((flip * cos * k, flip * sin * k), (-sin * k, cos * k))
        self._scaled = np.array(self._rows)
        self.mirrored, self._tilted = mirror, angle != 0
        self.canvas, self._draw = canvas, ImageDraw.Draw(canvas)

    def _path(self, points) -> list:
        """Local points -> x, y, x, y ... in whole pixels of the canvas."""
        sx, sy = self._shift
        if isinstance(points, np.ndarray):
            mapped = points[:, :1] * self._scaled[0] + points[:, 1:] * self._scaled[1] + (sx + 0.5, sy + 0.5)
            return np.floor(mapped, out=mapped).ravel().tolist()
        (a, c), (b, d) = self._rows  # for a few points, plain numbers are faster than arrays
        sx, sy, path = sx + 0.5, sy + 0.5, []
        for x, y in points:
            path.append(math.floor(a * x + b * y + sx))
            path.append(math.floor(c * x + d * y + sy))
        return path

    def poly(self, points, fill: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon(self._path(points), fill)

    def blob(self, points, fill: Colour) -> np.ndarray:
        """A filled closed curve through the points; returns the curve."""
        curve = smooth(points)
        self._draw.polygon(self._path(curve), fill)
        return curve

    def oval(self, cx: float, cy: float, rx: float, ry: float, fill: Colour, angle: float = 0.0) -> None:
        """A filled ellipse."""
        if angle or (self._tilted and not 0.7 < rx / ry < 1.4):
            self._draw.polygon(self._path(oval_points(cx, cy, rx, ry, angle)), fill)
            return
        x, y = self._path(((cx, cy),))  # upright, or so round that its tilt does not show
        w, h = math.floor(rx * self.unit + 0.5), math.floor(ry * self.unit + 0.5)
        self._draw.ellipse((x - w, y - h, x + w, y + h), fill)

    def rect(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        """A filled rectangle."""
        self._draw.polygon(self._path(((x0, y0), (x1, y0), (x1, y1), (x0, y1))), fill)

    def round_rect(self, x0: float, y0: float, x1: float, y1: float, radius: float, fill: Colour) -> None:
        """A filled rectangle with cut-off corners (an octagon reads as round at these sizes)."""
        r, k = radius, radius * 0.3
        self._draw.polygon(
            self._path(
                (
                    (x0 + r, y0),
                    (x1 - r, y0),
                    (x1 - k, y0 + k),
                    (x1, y0 + r),
                    (x1, y1 - r),
                    (x1 - k, y1 - k),
                    (x1 - r, y1),
                    (x0 + r, y1),
                    (x0 + k, y1 - k),
                    (x0, y1 - r),
                    (x0, y0 + r),
                    (x0 + k, y0 + k),
                )
            ),
            fill,
        )

    def stroke(self, points, width: float, fill: Colour, curved: bool = False, round_ends: bool = True) -> None:
        """A line of a width in local units, at least one pixel of the double-size canvas."""
        path = self._path(smooth_open(points) if curved else points)
        pixels = max(1, math.floor(width * self.unit + 0.5))
        self._draw.line(path, fill, pixels)
        if pixels > 3:
            r = (pixels - 1) // 2
            ends = range(0, len(path), 2) if round_ends else range(2, len(path) - 2, 2)
            for k in ends:
                x, y = path[k], path[k + 1]
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill)

    def ring(self, cx: float, cy: float, radius: float, width: float, fill: Colour) -> None:
        """A circle that is not filled; `radius` is its outer one."""
        x, y = self._path(((cx, cy),))
        r = math.floor(radius * self.unit + 0.5)
        pixels = max(1, math.floor(width * self.unit + 0.5))
        self._draw.ellipse((x - r, y - r, x + r, y + r), None, fill, pixels)

    @contextmanager
    def inside(self, outline) -> Iterator[None]:
        """What is drawn meanwhile stays inside the outline (points)."""
        canvas, draw = self.canvas, self._draw
        path = self._path(outline)
        left, top = int(max(min(path[::2]), 0)), int(max(min(path[1::2]), 0))
        right, bottom = int(min(max(path[::2]) + 1, canvas.width)), int(min(max(path[1::2]) + 1, canvas.height))
        if right <= left or bottom <= top:
            left, top, right, bottom = 0, 0, 1, 1
        part = canvas.crop((left, top, right, bottom))
        self.canvas, self._draw = part, ImageDraw.Draw(part)
        before = self._shift
        self._shift = (before[0] - left, before[1] - top)
        try:
            yield
        finally:
            mask = Image.new("1", part.size)
            ImageDraw.Draw(mask).polygon([v - (left, top)[k % 2] for k, v in enumerate(path)], 1)
            canvas.paste(part, (left, top), mask)
            self.canvas, self._draw = canvas, draw
            self._shift = before
