"""Figures to play with: a control, and a picture that a pure function draws from its value.

Everything worth testing is in that function; here is only the wire between the two. Saved notebooks do not keep live
widgets, so a notebook shows one picture beside it that stays.
"""

import html
from base64 import b64encode
from collections.abc import Callable

import ipywidgets
from matplotlib.figure import Figure
from PIL import Image

from yolocourse.viz.jupyter import encode

Drawing = tuple[Figure | Image.Image, str]  # a picture, and a sentence that says what it shows


def slider(
    draw: Callable[[float], Drawing], name: str, value: float, low: float, high: float, step: float
) -> ipywidgets.VBox:
    """A slider from `low` to `high` over the picture of its value; `draw(value)` gives picture and alt text.

    Drawn again while the slider moves. What `draw` raises is shown in place of the picture.
    """
    control = ipywidgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=name, continuous_update=True, readout_format=".2f",
        style={"description_width": "initial"}, layout={"width": "420px"},
    )  # fmt: skip
    return _wire(control, draw)


def choice(draw: Callable[[str], Drawing], name: str, options: list[str]) -> ipywidgets.VBox:
    """A row of buttons, one of them pressed, over the picture of its text."""
    control = ipywidgets.ToggleButtons(options=options, description=name, style={"description_width": "initial"})
    return _wire(control, draw)


def _wire(control: ipywidgets.Widget, draw: Callable) -> ipywidgets.VBox:
    # HTML and not widgets.Image, which has no place for alt text.
    picture = ipywidgets.HTML(as_html(draw, control.value))

    def moved(change: dict) -> None:
        picture.value = as_html(draw, change["new"])

    control.observe(moved, names="value")
    return ipywidgets.VBox([control, picture])


def as_html(draw: Callable[[object], Drawing], value: object) -> str:
    """The picture for one value as an <img> with its text, or what went wrong as a sentence."""
    try:
        picture, alt = draw(value)
        kind, data = encode(picture)
    except Exception as error:  # a callback's traceback would go to a log that nobody sees
        return f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"
    return f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{b64encode(data).decode()}">'
