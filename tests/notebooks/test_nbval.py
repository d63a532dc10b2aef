"""What the notebooks tool saves passes the strict comparison of `make test`, and a changed output does not."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from yolocourse import notebooks
from yolocourse.setup_env import ROOT, notebook_command

SLIDER = """\
import ipywidgets, matplotlib.pyplot as plt
from IPython.display import display

def draw(x=0.5):
    figure, axes = plt.subplots(figsize=(1, 1))
    axes.plot([0, x])
    plt.close(figure)
    display(figure, metadata={"image/png": {"alt": "a line"}})

ipywidgets.interact(draw, x=(0.0, 1.0));"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    path = tmp_path_factory.mktemp("nb") / "a.ipynb"
    slider = new_code_cell(SLIDER, metadata={"tags": ["nbval-ignore-output", "widget"]})
    rounded = new_code_cell("print(2 ** 0.5)", metadata={"tags": ["rounded"]})
    timed = new_code_cell("import time\nprint(f'in {time.perf_counter() % 1:.2f} s')")
    notebooks.save(new_notebook(cells=[new_markdown_cell("# Title"), slider, rounded, timed]), path)
    assert notebooks.main([str(path)]) == 0
    return path


def nbval(path: Path) -> subprocess.CompletedProcess:
    command = [*notebook_command(sys.executable, [str(path)]), "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_saved_widget_shows_its_picture(executed):
    slider = nbformat.read(executed, as_version=4).cells[1]
    data = [output.data for output in slider.outputs]
    assert [sorted(d) for d in data] == [["image/png", "text/plain"]]


@pytest.mark.slow
def test_strict_comparison_passes(executed):
    result = nbval(executed)
    assert result.returncode == 0, result.stdout
    assert "3 passed" in result.stdout


@pytest.mark.slow
def test_strict_comparison_sees_a_changed_number(executed, tmp_path):
    notebook = nbformat.read(executed, as_version=4)
    assert "1.4142" in notebook.cells[2].outputs[0].text
    notebook.cells[2].outputs[0].text = "1.4242135623730951\n"
    notebooks.save(notebook, tmp_path / "b.ipynb")
    result = nbval(tmp_path / "b.ipynb")
    assert result.returncode == 1, result.stdout
    assert "1 failed, 2 passed" in result.stdout
