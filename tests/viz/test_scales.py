"""Figures of one network at many sizes: sizes of the drawings, what stands in the charts, and what is refused."""

import pytest
import torch
from PIL import Image

from yolocourse.viz.scales import ladder, over_sizes, schedule, seen, shares, speed_accuracy

PICTURE = Image.new("RGB", (224, 224), "grey")
BOXES = {"boxes": torch.tensor([[20.0, 20, 80, 100]]), "labels": torch.tensor([1])}


def test_a_ladder_is_drawn_to_one_scale():
    sheet = ladder(PICTURE, BOXES, (96, 160))
    assert sheet.size == (96 + 160 + 3 * 10, 160 + 44)
    half = ladder(PICTURE, BOXES, (96, 160), enlarge=0.5)
    assert half.size == (48 + 80 + 3 * 10, 80 + 44)
    assert ladder(PICTURE, None, (96, 160)).tobytes() != sheet.tobytes()


def test_seen_loses_detail_at_a_small_size():
    fine = Image.new("RGB", (224, 224), "white")
    fine.putdata([(0, 0, 0) if (x // 2 + y // 2) % 2 else (255, 255, 255) for y in range(224) for x in range(224)])
    coarse, sharp = (seen(fine, None, size, "", 224).crop((0, 0, 224, 224)) for size in (32, 224))
    assert sharp.tobytes() == fine.tobytes()
    assert max(low for low, _ in coarse.getextrema()) > 80  # black and white have become grey


def test_seen_draws_boxes_and_caption():
    plain, boxed = seen(PICTURE, None, 96), seen(PICTURE, BOXES, 96)
    one, two = seen(PICTURE, None, 96, "5 found"), seen(PICTURE, None, 96, "5 found\n6 there")
    assert plain.size == boxed.size == (448, 458) and one.size == (448, 478) and two.size == (448, 498)
    assert plain.tobytes() != boxed.tobytes()


def test_over_sizes_has_a_line_a_network_and_a_band():
    figure = over_sizes((160, 224), {"one size": [0.5, 0.75], "all": [(0.5, 0.6), (0.75, 0.75)]}, (160, 192))
    (axes,) = figure.axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.5, 0.75], [0.55, 0.75]]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["sizes of multi-scale training", "one size", "all"]
    with pytest.raises(ValueError, match="2 sizes but 1 values for 'x'"):
        over_sizes((160, 224), {"x": [0.5]})


def test_speed_accuracy_joins_sizes_and_names_points():
    figure = speed_accuracy({"A": [(40, 78.6, "544"), (91, 69.0, "288")], "B": [(7, 73.2, "")]}, real_time=30)
    (axes,) = figure.axes
    assert [line.get_linestyle() for line in axes.lines] == ["-", "None", ":"]
    assert {"544", "288", "real time"} <= {text.get_text() for text in axes.texts}


def test_schedule_shows_each_step():
    (axes,) = schedule([160, 160, 224]).axes
    assert list(axes.lines[0].get_ydata()) == [160, 160, 224] and list(axes.get_yticks()) == [160, 224]


def test_shares_fill_the_bar():
    (axes,) = shares({"160": [0.75, 0.25], "416": [0.02, 0.98]}, ["small", "large"], "share").axes
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [
        (0, 0.75),
        (0.75, 0.25),
        (0, 0.02),
        (0.02, 0.98),
    ]
    assert [text.get_text() for text in axes.texts] == ["0.75", "0.25", "0.98"]  # none in a part too narrow for it
    with pytest.raises(ValueError, match="2 parts but 1 shares for 'x'"):
        shares({"x": [1]}, ["small", "large"], "share")
