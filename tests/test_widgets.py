"""Controls and the pictures they draw; no browser needed: setting a widget's value fires its callbacks."""

import re
from base64 import b64decode
from io import BytesIO

import pytest
from PIL import Image

from yolocourse.widgets import choice, choice_and_slider, slider, sliders


def grey(value):
    return Image.new("RGB", (8, 8), (int(value * 100),) * 3), f"a square of grey <{value:.1f}>"


def pixel(widget):
    data = re.search(r'src="data:image/jpeg;base64,([^"]+)"', widget.children[-1].value).group(1)
    return Image.open(BytesIO(b64decode(data))).getpixel((4, 4))[0]


def test_slider_draws_its_value_at_once_and_again_when_moved():
    widget = slider(grey, "level", 0.5, 0, 1, 0.1)
    assert abs(pixel(widget) - 50) <= 2
    widget.children[0].value = 0.9
    assert abs(pixel(widget) - 90) <= 2
    assert 'alt="a square of grey &lt;0.9&gt;"' in widget.children[-1].value


def test_choice():
    widget = choice(lambda name: grey({"dark": 0.1, "light": 1}[name]), "shade", ["dark", "light"])
    before = pixel(widget)
    widget.children[0].value = "light"
    assert pixel(widget) > before + 50


def test_a_choice_and_a_slider_draw_one_picture():
    def draw(name, level):
        return grey({"dark": 0.0, "light": 0.5}[name] + level)

    widget = choice_and_slider(draw, ("shade", ("dark", "light")), ("level", 0.2, 0, 0.5, 0.1))
    buttons, control, _ = widget.children
    assert (buttons.description, control.description, control.max) == ("shade", "level", 0.5)
    assert abs(pixel(widget) - 20) <= 2
    buttons.value = "light"
    assert abs(pixel(widget) - 70) <= 2
    control.value = 0.4
    assert abs(pixel(widget) - 90) <= 2


def test_what_drawing_raises_is_shown():
    def fail(value):
        raise ValueError("no <picture>")

    widget = slider(fail, "level", 0.5, 0, 1, 0.1)
    assert widget.children[-1].value == "<pre>ValueError: no &lt;picture&gt;</pre>"


def test_sliders_draw_from_all_their_values_in_order():
    calls = []

    def draw(tx, ty):
        calls.append((tx, ty))
        return grey(0.5 + tx / 4 + ty / 2)

    widget = sliders(draw, {"tx": (-1, -2, 2, 0.5), "ty": (0, -1, 1, 0.25)})
    controls = widget.children[:-1]
    assert [control.description for control in controls] == ["tx", "ty"]
    assert [(control.min, control.max, control.step) for control in controls] == [(-2, 2, 0.5), (-1, 1, 0.25)]
    assert abs(pixel(widget) - 25) <= 2
    controls[1].value = 1
    assert abs(pixel(widget) - 75) <= 2
    controls[0].value = 0
    assert abs(pixel(widget) - 100) <= 2
    assert calls == [(-1, 0), (-1, 1), (0, 1)]


def test_sliders_without_a_control():
    with pytest.raises(ValueError, match="at least one"):
        sliders(grey, {})


def test_what_drawing_from_several_values_raises_is_shown():
    def draw(a, b):
        if a > b:
            raise ValueError("a is above b")
        return grey(b)

    widget = sliders(draw, {"a": (0, 0, 1, 1), "b": (0.5, 0, 1, 0.5)})
    assert abs(pixel(widget) - 50) <= 2
    widget.children[0].value = 1
    assert widget.children[-1].value == "<pre>ValueError: a is above b</pre>"
