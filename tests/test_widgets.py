"""Controls and the pictures they draw; no browser needed: setting a widget's value fires its callbacks."""

import re
from base64 import b64decode
from io import BytesIO

from PIL import Image

from yolocourse.widgets import choice, slider


def grey(value):
    return Image.new("RGB", (8, 8), (int(value * 100),) * 3), f"a square of grey <{value:.1f}>"


def pixel(widget):
    data = re.search(r'src="data:image/jpeg;base64,([^"]+)"', widget.children[1].value).group(1)
    return Image.open(BytesIO(b64decode(data))).getpixel((4, 4))[0]


def test_slider_draws_its_value_at_once_and_again_when_moved():
    widget = slider(grey, "level", 0.5, 0, 1, 0.1)
    assert abs(pixel(widget) - 50) <= 2
    widget.children[0].value = 0.9
    assert abs(pixel(widget) - 90) <= 2
    assert 'alt="a square of grey &lt;0.9&gt;"' in widget.children[1].value


def test_choice():
    widget = choice(lambda name: grey({"dark": 0.1, "light": 1}[name]), "shade", ["dark", "light"])
    before = pixel(widget)
    widget.children[0].value = "light"
    assert pixel(widget) > before + 50


def test_what_drawing_raises_is_shown():
    def fail(value):
        raise ValueError("no <picture>")

    widget = slider(fail, "level", 0.5, 0, 1, 0.1)
    assert widget.children[1].value == "<pre>ValueError: no &lt;picture&gt;</pre>"
