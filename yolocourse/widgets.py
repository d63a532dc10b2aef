"""Figures to play with: one control or several, and a picture that a pure function draws from their values.

Everything worth testing is in that function; here is only the wire between the two. Saved notebooks do not keep live
widgets, so a notebook shows one picture beside it that stays.
"""

import html
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence

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
    return _wire([_float_slider(name, value, low, high, step)], draw)


def choice(draw: Callable[[str], Drawing], name: str, options: list[str]) -> ipywidgets.VBox:
    """A row of buttons, one of them pressed, over the picture of its text."""
    control = ipywidgets.ToggleButtons(options=options, description=name, style={"description_width": "initial"})
    return _wire([control], draw)


def choice_and_slider(
    draw: Callable[[str, float], Drawing], choice: tuple[str, Sequence[str]],
    slider: tuple[str, float, float, float, float],
) -> ipywidgets.VBox:  # fmt: skip
    """A row of buttons and a slider over one picture; `draw` gets the pressed button's text and the slider's value.

    choice: (name, texts of the buttons); slider: (name, value, low, high, step).
    """
    name, options = choice
    control = ipywidgets.ToggleButtons(
        options=list(options), description=name, style={"description_width": "initial", "button_width": "auto"}
    )
    return _wire([control, _float_slider(*slider)], draw)


def sliders(draw: Callable[..., Drawing], controls: Mapping[str, tuple[float, float, float, float]]) -> ipywidgets.VBox:
    """Several sliders over one picture: {"tx": (value, low, high, step), ...}; `draw` gets their values in that order.

    Raises ValueError when there is none.
    """
    if not controls:
        raise ValueError("sliders needs at least one control: {name: (value, low, high, step)}")
    return _wire([_float_slider(name, *settings) for name, settings in controls.items()], draw)


def _float_slider(name: str, value: float, low: float, high: float, step: float) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=name, continuous_update=True, readout_format=".2f",
        style={"description_width": "initial"}, layout={"width": "420px"},
    )  # fmt: skip


def _wire(controls: Sequence[ipywidgets.Widget], draw: Callable[..., Drawing]) -> ipywidgets.VBox:
    # HTML and not widgets.Image, which has no place for alt text.
    picture = ipywidgets.HTML(as_html(draw, *(control.value for control in controls)))

    def moved(change: dict) -> None:
        picture.value = as_html(draw, *(control.value for control in controls))

    for control in controls:
        control.observe(moved, names="value")
    return ipywidgets.VBox([*controls, picture])


def as_html(draw: Callable[..., Drawing], *values: object) -> str:
    """The picture for the controls' values as an <img> with its text, or what went wrong as a sentence."""
    try:
        picture, alt = draw(*values)
        kind, data = encode(picture)
    except Exception as error:  # a callback's traceback would go to a log that nobody sees
        return f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"
    return f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{b64encode(data).decode()}">'
