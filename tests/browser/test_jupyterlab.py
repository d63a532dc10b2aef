"""A real browser opens each notebook in JupyterLab, started as `make lab` starts it, runs all cells and moves a slider.

Slow. Needs Chromium (apt-get install chromium, or its path in YOLOCOURSE_CHROMIUM). YOLOCOURSE_SHOTS names a folder for
pictures of what was on the screen; one notebook alone: pytest -m slow tests/browser -k 00_start_here
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from yolocourse.notebook_rules import METADATA

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHROMIUM = os.environ.get("YOLOCOURSE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
FIRST = "notebooks/slider.ipynb"
SECONDS = 240  # to run a notebook, while the browser draws

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium: apt-get install chromium, or set YOLOCOURSE_CHROMIUM"),
]

# Addresses of pictures in the text that could not be loaded.
BROKEN_PICTURES = """() => [...document.querySelectorAll('.jp-RenderedMarkdown img')]
  .filter(image => image.complete && !image.naturalWidth).map(image => image.src)"""
# Indicators lie before there is a kernel, so the page itself is asked whether the kernel answers. The notebook is kept
# under a name, because the shell's current widget is none whenever the focus is elsewhere. The race: a promise that is
# never kept (a question to the user is on the screen) must not keep the test waiting either.
KERNEL_ANSWERS = """() => Promise.race([new Promise(done => setTimeout(() => done(false), 5000)), (async () => {
  const app = window.jupyterapp;
  if (!app) return false;
  await app.restored;
  window.opened = Array.from(app.shell.widgets('main')).find(widget => widget.sessionContext && widget.content?.model);
  if (!window.opened || !app.commands.hasCommand('notebook:run-all-cells')) return false;
  await window.opened.context.ready;
  await window.opened.sessionContext.ready;
  const kernel = window.opened.sessionContext.session?.kernel;
  if (!kernel) return false;
  await kernel.info;
  app.shell.activateById(window.opened.id);
  return true;
})()])"""

RUN_ALL = "() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
CLEAR = "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"

# Counted in the model: a long notebook keeps only its visible cells in the page.
UNFINISHED = """() => window.opened.content.model.sharedModel.cells
  .filter(cell => cell.cell_type === 'code' && cell.getSource().trim() && cell.execution_count === null).length"""
SHUT_DOWN = "() => window.opened.sessionContext.shutdown()"
OUTPUTS = """() => window.opened.content.model.sharedModel.cells
  .flatMap((cell, i) => cell.cell_type === 'code' ? cell.outputs.map(output => {
     const o = output.toJSON ? output.toJSON() : output;
     return {cell: i, type: o.output_type, name: o.name || '', text: o.ename ? o.ename + ': ' + o.evalue : ''};
  }) : [])"""
WIDGET_CELLS = """() => window.opened.content.model.sharedModel.cells
  .map((cell, i) => [i, cell.cell_type === 'code' && cell.outputs.some(output => {
     const o = output.toJSON ? output.toJSON() : output;
     return o.data && 'application/vnd.jupyter.widget-view+json' in o.data;
  })]).filter(pair => pair[1]).map(pair => pair[0])"""
GO_TO = """index => {
  const notebook = window.opened.content;
  notebook.activeCellIndex = index;
  return notebook.scrollToItem(index, 'start');
}"""

SLIDER = """\
import ipywidgets, matplotlib.pyplot as plt

def draw(x=0.5):
    plt.plot([0, x], [0, 1])
    plt.xlim(0, 1)
    plt.show()

ipywidgets.interact(draw, x=(0.0, 1.0));"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of notebooks and data (JupyterLab saves what it opens), and a slider and a faulty cell apart."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    shutil.copytree(ROOT / "data", folder / "data")
    made_up = {"slider": [SLIDER], "faulty": ["1 + 1", "raise ValueError('on purpose')"]}
    for name, sources in made_up.items():
        cells = [new_markdown_cell(f"# {name}"), *map(new_code_cell, sources)]
        nbformat.write(new_notebook(cells=cells, metadata=METADATA), folder / "notebooks" / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def address(folder):
    """JupyterLab through the project's own launcher on a free port: a function from notebook to address."""
    code = f"from pathlib import Path; from yolocourse import lab; lab.lab(None, {FIRST!r}, Path({str(folder)!r}))"
    own = {f"JUPYTER_{kind}_DIR": str(folder / "jupyter" / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    env = dict(os.environ, CI="true", **own)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env)
    try:
        line = next((line for line in process.stdout if "?token=" in line), "")
        assert line, "JupyterLab did not start"
        yield lambda name: line.strip().replace(FIRST, f"notebooks/{name}.ipynb")
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=CHROMIUM,
            headless=True,
            args=QUIET,
            viewport={"width": 1400, "height": 1000},
        )
        page = context.pages[0]
        page.set_default_timeout(60_000)
        yield page
        context.close()


def shoot(page, name):
    shots = os.environ.get("YOLOCOURSE_SHOTS")
    if shots:
        Path(shots).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(shots, f"{name}.png")))


def open_notebook(page, url, seconds=90):
    page.goto(url + "&reset")  # or JupyterLab opens what was open before as well
    end = time.monotonic() + seconds
    while not page.evaluate(KERNEL_ANSWERS):
        assert time.monotonic() < end, f"no kernel after {seconds} s"
        page.wait_for_timeout(300)


def run_all(page, url):
    """Open a notebook and run it from clean; returns when every cell has its number and the kernel rests."""
    open_notebook(page, url)
    page.evaluate(CLEAR)
    page.evaluate(RUN_ALL)
    page.wait_for_function(f"({UNFINISHED})() === 0", timeout=SECONDS * 1000, polling=500)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")


def errors(page):
    return [output for output in page.evaluate(OUTPUTS) if output["type"] == "error" or output["name"] == "stderr"]


def shoot_all(page, name):
    """A picture of every screenful, for a person to look at."""
    if not os.environ.get("YOLOCOURSE_SHOTS"):
        return
    count = page.evaluate("() => window.opened.content.widgets.length")
    for index in range(count):
        page.evaluate(GO_TO, index)
        page.wait_for_timeout(400)
        shoot(page, f"{name}-{index:02d}")


def pictures(cell):
    return cell.locator("img").evaluate_all("images => images.map(image => image.src)")


def move_first_slider(page, index):
    """Move the first slider of a cell one step each way until a picture of the cell changes; whether one did."""
    page.evaluate(GO_TO, index)
    cell = page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')
    handle = cell.locator(".noUi-handle").first
    handle.wait_for(state="visible")
    cell.locator("img").first.wait_for(state="visible")
    page.wait_for_timeout(500)
    before = pictures(cell)
    handle.focus()
    for key in ["ArrowRight"] * 5 + ["ArrowLeft"] * 10:
        page.keyboard.press(key)
        page.wait_for_timeout(700)
        if pictures(cell) not in ([], before):
            return True
    return False


@pytest.mark.parametrize("name", ["slider", *(path.stem for path in NOTEBOOKS)])
def test_notebook_runs_and_its_sliders_move(page, address, name):
    run_all(page, address(name))
    assert errors(page) == []
    page.evaluate(GO_TO, 0)
    page.wait_for_timeout(500)
    assert page.evaluate(BROKEN_PICTURES) == []
    shoot_all(page, name)
    with_widgets = page.evaluate(WIDGET_CELLS)
    assert with_widgets or name != "slider"
    for index in with_widgets:
        page.evaluate(GO_TO, index)
        page.wait_for_timeout(500)
        if page.locator(f'.jp-Cell[data-windowed-list-index="{index}"] .noUi-handle').count():
            assert move_first_slider(page, index), f"the slider of cell {index + 1} changes no picture"
            shoot(page, f"{name}-{index:02d}-moved")
    page.evaluate(SHUT_DOWN)


def test_an_error_would_be_seen(page, address):
    open_notebook(page, address("faulty"))
    page.evaluate(RUN_ALL)
    page.wait_for_function(f"({OUTPUTS})().some(output => output.type === 'error')")
    assert [(e["cell"], e["text"]) for e in errors(page)] == [(2, "ValueError: on purpose")]


def test_no_question_about_news_at_the_start(page, address):
    """JupyterLab asks on its first start whether to fetch news; make lab answers for the course: no."""
    open_notebook(page, address("slider"))
    text = page.locator("body").inner_text()
    if not Path(sys.prefix, "share/jupyter/lab/settings/overrides.json").is_file():
        pytest.skip("this environment was not set up by make lab")
    assert not re.search(r"Jupyter news", text)
