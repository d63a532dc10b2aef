"""What is drawn on pictures: the rows to draw, and single pixels of the drawings."""

import numpy as np
import pytest
import torch
from PIL import Image

from yolocourse.detect import Detections
from yolocourse.viz.canvas import Canvas, Row, rows, to_image
from yolocourse.viz.style import colour, rgb

GREY = (128, 128, 128)


def grey(width=400, height=400):
    return Image.new("RGB", (width, height), GREY)


def extent(image, paint):
    """The smallest box (x1, y1, x2, y2) around all pixels of a colour; None without one."""
    ys, xs = np.nonzero((np.asarray(image) == paint).all(-1))
    return (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(xs) else None


def test_rows_of_every_form():
    boxes, labels, scores = (
        torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]]),
        torch.tensor([1, 0]),
        torch.tensor([0.876, 0.5]),
    )
    corners = [(1, 2, 3, 4), (5, 6, 7, 8)]
    found = Detections(boxes, scores, labels, ["bus", "dog"], (9, 9))
    expected = [Row(corners[0], 1, "bus 0.88"), Row(corners[1], 0, "dog 0.50")]
    assert rows(found) == expected
    assert rows({"boxes": boxes, "labels": labels, "scores": scores}, ["dog", "bus"]) == expected
    assert rows({"boxes": boxes, "labels": labels}, ["dog", "bus"])[0].text == "bus"
    assert rows({"boxes": boxes, "labels": labels})[0].text == "1"
    assert rows(boxes) == [Row(corners[0], 0, ""), Row(corners[1], 0, "")]
    assert rows({"boxes": boxes, "scores": scores})[0].text == "0.88"
    assert rows(None) == rows(torch.zeros(0, 4)) == []


def test_rows_must_be_equally_many():
    with pytest.raises(ValueError, match="2 boxes, 1 labels, 2 scores"):
        rows({"boxes": torch.zeros(2, 4), "labels": torch.tensor([1])})


@pytest.mark.parametrize("kind", ["tensor", "array", "pillow", "float"])
def test_to_image(kind):
    array = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    picture = {"tensor": tensor, "array": array, "pillow": Image.fromarray(array), "float": tensor.float() / 255}[kind]
    assert np.array_equal(np.asarray(to_image(picture)), array)


@pytest.mark.parametrize(
    "size, side, expected",
    [
        ((224, 224), None, (448, 448)),  # small: doubled
        ((100, 50), None, (400, 200)),
        ((500, 300), None, (500, 300)),
        ((400, 100), None, (400, 100)),
        ((224, 112), 220, (220, 110)),
        ((1000, 2), 100, (100, 1)),  # never without height
    ],
)
def test_size(size, side, expected):
    assert Canvas(grey(*size), side).image.size == expected


def test_the_picture_itself_is_not_drawn_on():
    picture = grey()
    Canvas(picture).box((10, 10, 50, 50), "#ff0000")
    assert extent(picture, (255, 0, 0)) is None


def test_a_box_is_where_it_should_be():
    canvas = Canvas(grey(200, 200), 400)  # twice as large
    canvas.box((20, 30, 60, 90), "#0072B2")
    assert extent(canvas.image, rgb("#0072B2")) == (40, 60, 120, 180)
    assert canvas.image.getpixel((80, 120)) == GREY  # not filled
    assert canvas.image.getpixel((39, 100)) == (255, 255, 255)  # edged in white, as the colour is dark


@pytest.mark.parametrize("box", [(50, 50, 50, 50), (60, 60, 50, 50), (-100, -100, -50, -50), (-1e4, -1e4, 1e4, 1e4)])
def test_boxes_without_size_and_far_outside_do_no_harm(box):
    canvas = Canvas(grey())
    canvas.box(box, "#0072B2")
    canvas.dashes(box)
    canvas.dot(box, "#0072B2")
    canvas.tags([Row(box, 0, "dog")])


def test_dashes_are_black_and_white():
    canvas = Canvas(grey())
    canvas.dashes((100, 100, 300, 200))
    black, white = extent(canvas.image, (0, 0, 0)), extent(canvas.image, (255, 255, 255))
    assert black == (100, 100, 300, 200) and white[:2] == (100, 100)
    top = [canvas.image.getpixel((x, 100)) for x in range(100, 300)]
    assert 0.3 < top.count((0, 0, 0)) / len(top) < 0.7


def test_grid_and_cells():
    canvas = Canvas(grey())
    canvas.cell(4, 2, 3, 1, "#ff0000")  # last row, right half
    changed = np.argwhere((np.asarray(canvas.image) != GREY).any(-1))
    assert changed.min(0).tolist() == [300, 200] and changed.max(0).tolist() == [399, 399]
    canvas = Canvas(grey())
    canvas.grid(4, 2)
    light = (np.asarray(canvas.image)[..., 0] > 180).mean(0)  # share of each column that is light
    assert np.flatnonzero(light > 0.9).tolist() == [200]
    assert np.flatnonzero((np.asarray(canvas.image)[..., 0] > 180).mean(1) > 0.9).tolist() == [100, 200, 300]


def test_a_tag_stands_above_its_box():
    canvas = Canvas(grey())
    canvas.tags([Row((100, 100, 200, 200), 0, "dog 0.88")])
    x1, y1, x2, y2 = extent(canvas.image, rgb(colour(0)))
    assert x1 == 99 and y2 == 99 and 10 < y2 - y1 < 25 and 40 < x2 - x1 < 100
    assert extent(canvas.image, (255, 255, 255)) is not None  # white letters


@pytest.mark.parametrize("box", [(0, 0, 100, 100), (300, 0, 400, 60), (0, 380, 20, 400), (390, 390, 400, 400)])
def test_tags_stay_in_the_picture(box):
    canvas = Canvas(grey())
    canvas.tags([Row(box, 0, "street lamp 0.88")])
    x1, y1, x2, y2 = extent(canvas.image, rgb(colour(0)))
    assert x2 - x1 > 90 and y2 - y1 > 10  # whole


def test_tags_do_not_cover_each_other_and_the_best_comes_first():
    def letters(found):
        canvas = Canvas(grey())
        canvas.tags(found)
        return [extent(canvas.image, rgb(colour(row.label))) for row in found]

    apart = letters([Row((50, 100, 150, 300), 0, "dog"), Row((250, 100, 350, 300), 1, "cat")])
    assert None not in apart
    # Six boxes on one spot: some find a place around it, the first always does, and no two places overlap.
    crowd = letters([Row((200, 200, 230, 230), i, "street lamp") for i in range(6)])
    assert crowd[0] is not None and None in crowd
    drawn = [place for place in crowd if place]
    for i, a in enumerate(drawn):
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in drawn[:i])


def test_tags_do_not_hide_other_things():
    canvas = Canvas(grey())
    small = [
        Row((100 + 30 * i, 100 + 20 * j, 128 + 30 * i, 118 + 20 * j), 0, "bird") for i in range(4) for j in range(4)
    ]
    canvas.tags(small)
    painted = (np.asarray(canvas.image) != GREY).any(-1)
    assert painted.any()
    assert painted[122:156, 132:186].mean() < 0.3  # the four in the middle stay visible
