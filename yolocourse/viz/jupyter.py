"""Figures in a notebook, with a text for those who cannot see them.

JupyterLab and nbconvert leave out the `alt` that an image's metadata holds (JupyterLab 4.6, `renderImage`; nbconvert
7.17, template "lab"). So a figure is sent as HTML too, whose <img> carries the text, and that form comes first there.
"""

import html
import time
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from yolocourse.viz.curves import loss_curve

COLOURS = 256  # a palette makes the PNG of a chart a third as large, and no one sees it
QUALITY = 85


def encode(picture: Figure | Image.Image) -> tuple[str, bytes]:
    """MIME type and bytes, small: PNG with a palette for a matplotlib figure, JPEG for a PIL image.

    Photographs and the grain of Toy Town take a quarter of a PNG's room. The same picture gives the same bytes.
    """
    buffer = BytesIO()
    if isinstance(picture, Image.Image):
        # Full colour resolution (subsampling 0): at half, thin coloured frames and letters bleed.
        picture.convert("RGB").save(buffer, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
        return "image/jpeg", buffer.getvalue()
    canvas = FigureCanvasAgg(picture)  # takes half the time of savefig
    canvas.draw()
    chart = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    chart.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG")
    return "image/png", buffer.getvalue()


def bundle(picture: Figure | Image.Image, alt: str) -> tuple[dict[str, str], dict]:
    """What Jupyter is sent: the forms of one output by MIME type, and their metadata.

    Plain text is `alt`, so that tests of notebooks compare what a figure says and not its pixels.
    Raises ValueError for an empty `alt`.
    """
    if not alt.strip():
        raise ValueError("a figure needs alt text: say in a sentence what it shows")
    kind, data = encode(picture)
    text = b64encode(data).decode()
    image = f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{text}">'
    return {"text/html": image, kind: text, "text/plain": alt}, {kind: {"alt": alt}}


def show(picture: Figure | Image.Image, alt: str) -> None:
    """Shows a figure or picture in a notebook; elsewhere prints `alt`, the sentence that says what there is to see."""
    _send(picture, alt)


class LiveFigure:
    """One place in a notebook whose figure is drawn again and again, such as a loss curve during training.

    It replaces the figure in place (update_display_data): clearing the output instead would flicker, and tests of
    notebooks (nbval) do not understand it. Outside notebooks nothing is shown.
    every: seconds between two drawings at the least; more where drawing is slow, so that it takes at most a twentieth
    of the time from what is being watched.
    """

    def __init__(self, alt: str, every: float = 2.0):
        self.alt, self.every = alt, every
        self._handle, self._next = None, 0.0

    def update(self, draw: Callable[[], Figure | Image.Image], last: bool = False) -> None:
        """Calls `draw` and shows what it returns, unless the last time was a moment ago; `last` draws in any case."""
        began = time.monotonic()
        if not last and began < self._next:
            return
        if _notebook():
            self._handle = _send(draw(), self.alt, self._handle, live=True)
        ended = time.monotonic()
        self._next = ended + max(self.every, 20 * (ended - began))


class LiveLoss:
    """A callback for training: passes each step's report on to `history` and shows a loss curve that grows.

    history: see `loss_curve`; it can be called with a report, as `engine.log.History` can.
    """

    def __init__(
        self, history, alt: str = "Loss, average IoU and recall over the steps of training.", every: float = 2.0
    ):
        self.history, self.figure = history, LiveFigure(alt, every)

    def __call__(self, report) -> None:
        self.history(report)
        self.figure.update(lambda: loss_curve(self.history), last=report.progress >= 1)


def _notebook() -> bool:
    """Whether a Jupyter kernel runs this."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def _send(picture: Figure | Image.Image, alt: str, handle=None, live: bool = False):
    """Shows a picture, or replaces the one that `handle` stands for; returns the handle when `live`."""
    if not _notebook():
        print(alt)
        return None
    from IPython.display import display

    data, metadata = bundle(picture, alt)
    if handle is not None:
        handle.update(data, metadata=metadata, raw=True)
        return handle
    return display(data, metadata=metadata, raw=True, display_id=True if live else None)
