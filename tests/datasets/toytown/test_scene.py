"""Boxes against an independent oracle: a scene drawn with and without a thing differs where one sees the thing."""

from random import Random

import numpy as np
import pytest
from PIL import Image

from yolocourse.datasets.toytown.art import ART
from yolocourse.datasets.toytown.backdrops import stage
from yolocourse.datasets.toytown.clutter import CLUTTER
from yolocourse.datasets.toytown.pen import Pen
from yolocourse.datasets.toytown.scene import Item, Plan, draw_things, grade, render
from yolocourse.datasets.toytown.slices import COMPOSERS


def plan_with(*items, seed=1):
    return Plan(stage("park", Random(3)), seed, list(items))


def difference_extent(plan, index, size, threshold):
    """Extent of the pixels that change by at least `threshold` (sum over RGB) when one thing is left out."""
    whole = np.asarray(draw_things(plan, size)[0]).astype(int)
    without = np.asarray(draw_things(plan, size, hide=index)[0]).astype(int)
    ys, xs = np.nonzero(np.abs(whole - without).sum(2) >= threshold)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


@pytest.mark.parametrize("name", ["flock", "overlap", "aspect", "everyday", "unseen"])
def test_boxes_are_the_extent_of_what_one_sees(name):
    """What changes when a thing is left out lies in its box, within a pixel, and reaches all four sides of it."""
    sides = missed = 0
    for k in range(5):
        plan = COMPOSERS[name](Random(f"{name}{k}"))
        for record in draw_things(plan, 224)[1][:6]:
            seen = difference_extent(plan, record.item, 224, threshold=1)
            out = [record.box[0] - seen[0], record.box[1] - seen[1], seen[2] - record.box[2], seen[3] - record.box[3]]
            # a rim of pixels belongs to a thing in front, but lets a little of this one through: one pixel, or more
            # where little of it is left
            assert max(out) <= (1 if record.visible > 0.5 else 3), (record, seen)
            sides += 4
            missed += sum(value < -1 for value in out)
    # a side may have the colour of what is behind it, by chance: then the difference ends early
    assert sides >= 40 and missed <= 0.03 * sides


@pytest.mark.parametrize("name", ART)
def test_box_of_a_lone_thing_is_tight(name):
    """Before one flat colour nothing of the thing is lost: box and drawing agree on all four sides."""
    for k in range(3):
        art = ART[name]
        height = 150 / max(art.bounds[2] - art.bounds[0], art.bounds[3] - art.bounds[1])
        x = 112 - (art.bounds[0] + art.bounds[2]) / 2 * height
        item = Item(name, x, 190, height, seed=k, mirror=k == 1, angle=7.0 * k, shadow=False)
        plan = plan_with(item)
        (record,) = draw_things(plan, 224)[1]
        # the oracle draws the thing alone, over magenta, at twice the size, and halves it afterwards
        pen = Pen(art.bounds, height, item.mirror, item.angle)
        art.draw(pen, Random(k))
        canvas = Image.new("RGB", (448, 448), (255, 0, 255))
        at = (2 * (int(x + 0.5) - pen.origin[0]), 2 * (190 - pen.origin[1]))
        canvas.paste(pen.canvas, at, pen.canvas)
        clear = (np.asarray(canvas) == (255, 0, 255)).all(2)
        covered = 4 - clear.reshape(224, 2, 224, 2).sum((1, 3))
        ys, xs = np.nonzero(covered >= 1)
        assert record.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        assert record.visible == 1.0 and not record.difficult


@pytest.mark.parametrize("name", [*ART, *CLUTTER])
def test_bounds_hold_the_drawing(name):
    """A drawing that leaves its canvas would be cut off, and its box with it."""
    draw, bounds = (ART[name].draw, ART[name].bounds) if name in ART else CLUTTER[name][:2]
    for k in range(12):
        pen = Pen(bounds, 60)
        draw(pen, Random(k))
        x0, y0, x1, y1 = pen.canvas.getchannel("A").getbbox()
        assert x0 > 0 and y0 > 0 and x1 < pen.canvas.width and y1 < pen.canvas.height, (k, pen.canvas.size)


def test_a_thing_half_behind_another_loses_the_hidden_half():
    cat = Item("tabby", 100, 150, 30, seed=4)
    bus = Item("school bus", 115, 155, 45, seed=2)  # its left end is near x = 50
    alone = draw_things(plan_with(cat), 224)[1][0]
    both = draw_things(plan_with(Item("tabby", 50, 150, 30, seed=4), bus), 224)[1]
    hidden = both[0]
    assert hidden.name == "tabby" and 0.1 < hidden.visible < 0.9
    assert hidden.box[2] - hidden.box[0] < alone.box[2] - alone.box[0]
    assert both[1].name == "school bus" and both[1].visible == 1.0


def test_hidden_things_are_difficult_or_gone():
    bird = Item("songbird", 112, 140, 20, seed=1, shadow=False)
    assert [r.name for r in draw_things(plan_with(bird), 224)[1]] == ["songbird"]
    wall = Item("school bus", 105, 165, 70, seed=2)
    assert [r.name for r in draw_things(plan_with(bird, wall), 224)[1]] == ["school bus"]
    shares = []
    for x in range(-40, 30, 2):  # a car that leaves the picture to the left, step by step
        records = draw_things(plan_with(Item("taxi", x, 150, 40, seed=2)), 224)[1]
        shares += [record.visible for record in records]
        assert all(record.difficult == (record.visible < 0.25) for record in records)
    assert min(shares) >= 0.08 and min(shares) < 0.25 and max(shares) > 0.8


def test_border_clips_boxes():
    (record,) = draw_things(plan_with(Item("taxi", 5, 150, 40, seed=2)), 224)[1]
    assert record.box[0] == 0 and 0.3 < record.visible < 0.8
    assert draw_things(plan_with(Item("taxi", -200, 150, 40, seed=2)), 224)[1] == []


def test_records_without_backdrop_are_the_same():
    plan = COMPOSERS["overlap"](Random(5))
    assert draw_things(plan, 224)[1] == draw_things(plan, 224, backdrop=False)[1]
    assert draw_things(plan, 224, backdrop=False)[0] is None


@pytest.mark.parametrize("size", [160, 416])
def test_same_scene_at_another_size(size):
    plan = COMPOSERS["everyday"](Random(1))
    at_224, other = render(plan, 224)[1], render(plan, size)[1]
    assert [r.name for r in at_224] == [r.name for r in other] and len(other) >= 3
    for a, b in zip(at_224, other, strict=True):
        np.testing.assert_allclose(np.array(b.box) * 224 / size, a.box, atol=2.1)


def test_grade_by_hand():
    grey = Image.new("RGB", (2, 1), (100, 200, 0))
    assert grade(grey, "day", 1.0, 0, 0).tobytes() == grey.tobytes()
    # overcast at full strength: gains 214, 220, 226 of 256 give 83, 171, 0; then 30 of 256 parts are haze of
    # (190, 196, 200): (83 * 226 + 190 * 30) // 256 = 95, (171 * 226 + 196 * 30) // 256 = 173, 200 * 30 // 256 = 23
    assert grade(grey, "overcast", 1.0, 0, 0).getpixel((0, 0)) == (95, 173, 23)


def test_noise_keeps_its_amplitude_and_the_mean():
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    noisy = np.asarray(grade(grey, "day", 0.0, 16, seed=3)).astype(int)
    assert noisy.min() == 112 and 142 <= noisy.max() <= 144
    assert abs(noisy.mean() - 127.5) < 0.6
    assert (noisy[..., 0] == noisy[..., 2]).all()  # grey noise
