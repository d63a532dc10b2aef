"""Showing figures: small files, alt text that reaches the page, and live figures that tests of notebooks bear."""

import base64
import io
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from PIL import Image

from yolocourse.viz import jupyter
from yolocourse.viz.curves import line
from yolocourse.viz.jupyter import LiveFigure, LiveLoss, bundle, encode, show


def chart():
    return line([1, 2, 3], [0.4, 0.5, 0.6], "anchors", "average IoU")


def test_charts_are_small_png_files_and_pictures_jpeg():
    kind, data = encode(chart())
    image = Image.open(io.BytesIO(data))
    assert (kind, image.format) == ("image/png", "PNG") and image.size == (605, 374) and len(data) < 15_000
    noise = np.random.default_rng(0).integers(100, 140, (64, 64, 3), dtype=np.uint8)
    kind, data = encode(Image.fromarray(noise))
    image = Image.open(io.BytesIO(data))
    assert (kind, image.format) == ("image/jpeg", "JPEG") and image.size == (64, 64)
    assert abs(np.asarray(image).astype(int) - noise).mean() < 8


def test_same_figure_same_bytes():
    assert encode(chart()) == encode(chart())


def test_the_background_is_white():
    image = Image.open(io.BytesIO(encode(chart())[1])).convert("RGB")
    assert image.getpixel((0, 0)) == image.getpixel((604, 373)) == (255, 255, 255)


def test_bundle_carries_the_alt_text_in_every_form():
    alt = 'Dogs & "cats" <here>'
    data, metadata = bundle(chart(), alt)
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert data["text/plain"] == alt and metadata == {"image/png": {"alt": alt}}
    assert 'alt="Dogs &amp; &quot;cats&quot; &lt;here&gt;"' in data["text/html"]
    embedded = re.search(r'src="data:image/png;base64,([^"]+)"', data["text/html"]).group(1)
    assert embedded == data["image/png"]
    assert base64.b64decode(embedded).startswith(b"\x89PNG")


@pytest.mark.parametrize("alt", ["", "  "])
def test_alt_text_is_asked_for(alt):
    with pytest.raises(ValueError, match="alt text"):
        bundle(chart(), alt)


def test_outside_notebooks_the_text_is_printed(capsys):
    show(chart(), "a rising line")
    assert capsys.readouterr().out == "a rising line\n"


@pytest.fixture
def clock(monkeypatch):
    """A notebook without one: what would be shown is kept, and time stands still but for what drawing takes."""
    now, sent = [100.0], []
    monkeypatch.setattr(jupyter, "_notebook", lambda: True)
    monkeypatch.setattr(jupyter.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(jupyter, "_send", lambda picture, alt, handle=None, live=False: sent.append(picture))
    return now, sent


def test_live_figures_draw_no_more_often_than_asked(clock):
    now, sent = clock
    live = LiveFigure("a curve", every=2)
    for now[0], name in ((100.0, "first"), (101.0, "too early"), (102.5, "second"), (103.0, "too early")):
        live.update(lambda name=name: name)
    live.update(lambda: "last", last=True)
    assert sent == ["first", "second", "last"]


def test_slow_live_figures_take_a_twentieth_of_the_time(clock):
    now, sent = clock
    live = LiveFigure("a curve", every=2)

    def draw():
        now[0] += 0.5
        return now[0]

    for _ in range(1000):
        live.update(draw)
        now[0] += 0.1  # a step of training
    assert 0.03 < 0.5 * len(sent) / (now[0] - 100) <= 0.05


def test_live_figures_are_not_even_drawn_outside_notebooks(capsys):
    LiveFigure("a curve").update(lambda: pytest.fail("drawn for nobody"), last=True)
    assert capsys.readouterr().out == ""


def test_live_loss_keeps_the_history(monkeypatch):
    drawn = []
    monkeypatch.setattr(LiveFigure, "update", lambda self, draw, last=False: drawn.append(last))

    class Report:
        def __init__(self, progress):
            self.progress = progress

    kept = []
    live = LiveLoss(kept.append)
    for progress in (0.5, 1.0):
        live(Report(progress))
    assert [report.progress for report in kept] == [0.5, 1.0] and drawn == [False, True]


SHOWN = """from yolocourse.viz import LiveFigure, line, show
show(line([1, 2], [3, 4], "x", "y"), "A line & more.")"""
LIVE = """live = LiveFigure("A line that grows.", every=0.0)
for n in range(2, 6):
    live.update(lambda: line(range(n), range(n), "x", "y"), last=n == 5)"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(source) for source in (SHOWN, LIVE)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(notebook, kernel_name="python3").execute()
    path = tmp_path_factory.mktemp("nb") / "figures.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.mark.slow
def test_a_live_figure_leaves_one_output_with_the_last_drawing(executed):
    shown, live = (cell.outputs for cell in nbformat.read(executed, as_version=4).cells)
    assert len(shown) == len(live) == 1
    last = bundle(line(range(5), range(5), "x", "y"), "A line that grows.")
    assert live[0].data == last[0] and live[0].metadata == last[1]


SANITIZE = """[pictures]
regex: data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+
replace: PICTURE
"""


@pytest.mark.slow
def test_nbval_bears_live_figures_and_compares_the_alt_text(executed, tmp_path):
    # nbval sees a live figure's first drawing, the file holds its last: only the pixels differ, and those are left out.
    # The other cell was saved with another alt text.
    (tmp_path / "sanitize.cfg").write_text(SANITIZE)
    changed = executed.read_text(encoding="utf-8").replace("A line &amp; more.", "A circle.")
    assert changed != executed.read_text(encoding="utf-8")
    (tmp_path / "a.ipynb").write_text(changed, encoding="utf-8")
    options = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", "sanitize.cfg", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *options, "a.ipynb"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert "1 failed, 1 passed" in result.stdout, result.stdout
    assert "FAILED a.ipynb::Cell 0" in result.stdout and "A circle." in result.stdout


@pytest.mark.slow
def test_alt_text_reaches_the_exported_page(executed):
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_filename(str(executed))
    assert 'alt="A line &amp; more." src="data:image/png' in page and 'alt="A line that grows." src=' in page
