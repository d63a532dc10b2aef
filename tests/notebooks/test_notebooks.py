"""The committed notebooks keep the rules, and the rules catch made-up bad ones."""

import base64
import copy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from yolocourse import notebooks
from yolocourse.notebook_rules import METADATA, WIDGET_VIEW, asserts, problems

COMMITTED = sorted(notebooks.FOLDER.glob("*.ipynb"))
PIXEL = base64.b64encode(b"\x89PNG stands for a picture").decode()


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_notebook(path):
    assert notebooks.check(path) == []


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_saved_as_the_tool_saves(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    notebooks.clean(notebook)
    notebooks.save(notebook, tmp_path / path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes(), "run make notebooks"


def picture(alt="two dogs", kind="image/png"):
    metadata = {kind: {"alt": alt}} if alt else {}
    return new_output("display_data", data={kind: PIXEL, "text/plain": "a figure"}, metadata=metadata)


def printed(text, name="stdout"):
    return new_output("stream", text=text, name=name)


@pytest.fixture
def good():
    cells = [
        new_markdown_cell("# Title\n\n![a dog](dog.png)"),
        new_code_cell("1 + 1", execution_count=1, outputs=[printed("2\n")]),
        new_code_cell("show()", execution_count=2, outputs=[picture()]),
    ]
    return new_notebook(cells=cells, metadata=copy.deepcopy(METADATA))


def test_good_notebook(good):
    assert problems(good, "good.ipynb") == []


def tag(*tags):
    def change(nb):
        nb.cells[1].metadata["tags"] = list(tags)

    return change


def source(text):
    return lambda nb: nb.cells[1].__setitem__("source", text)


def output(*outputs):
    return lambda nb: nb.cells[1].__setitem__("outputs", list(outputs))


def both(*changes):
    return lambda nb: [change(nb) for change in changes]


BAD = {
    "never executed": (lambda nb: nb.cells[1].update(execution_count=None), "not executed from top to bottom"),
    "executed out of order": (lambda nb: nb.cells[1].update(execution_count=7), "not executed from top to bottom"),
    "machine's kernel name": (lambda nb: nb.metadata.kernelspec.update(display_name="py311"), "metadata other than"),
    "version of Python": (lambda nb: nb.metadata.language_info.update(version="3.11.7"), "metadata other than"),
    "widget state": (lambda nb: nb.metadata.update(widgets={}), "metadata other than"),
    "times": (lambda nb: nb.cells[1].metadata.update(execution={"iopub": "now"}), "foreign cell metadata"),
    "editor's mark": (lambda nb: nb.cells[0].metadata.update(editable=False), "foreign cell metadata"),
    "no title": (lambda nb: nb.cells.pop(0), "does not begin with its title"),
    "error": (output(new_output("error", ename="ValueError", evalue="no", traceback=[])), "ValueError: no"),
    "warning": (output(printed("UserWarning: old\n", "stderr")), "stderr: UserWarning: old"),
    "svg": (output(new_output("display_data", data={"image/svg+xml": "<svg/>"})), "SVG"),
    "live widget": (output(new_output("display_data", data={WIDGET_VIEW: {"model_id": "1"}})), "live widget"),
    "figure without alt": (output(picture(alt="")), "without alt text"),
    "photograph without alt": (output(picture(alt=None, kind="image/jpeg")), "without alt text"),
    "address": (output(printed("<A at 0x7f3fedb0e340>")), "memory address"),
    "long number": (output(printed("0.123456")), "four decimals"),
    "nothing to round": (tag("rounded"), "nothing is rounded"),
    "statistical without assert": (tag("nbval-ignore-output"), "asserts nothing"),
    "excuse alone": (tag("machine"), "goes with"),
    "unknown tag": (tag("nbval-skip"), "unknown tags ['nbval-skip']"),
    "long cell": (source("x = 1\n" * 41), "41 lines; the limit is 40"),
    "long cells": (source("x = 1\n" * 30), "median 15.5"),
    "empty cell": (source("  "), "is empty"),
    "picture without alt": (lambda nb: nb.cells[0].update(source="# T\n![](a.png)"), "picture a.png without alt"),
    "img without alt": (lambda nb: nb.cells[0].update(source="# T\n<img src='a.png' alt=''>"), "<img> without alt"),
    "large": (output(printed("x" * 2_100_000)), "the limit is 2 MB"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_notebook(good, name):
    change, message = BAD[name]
    change(good)
    found = problems(good, "bad.ipynb")
    assert any(message in line for line in found), found
    assert all(line.startswith("bad.ipynb") for line in found)


def test_the_cell_is_named(good):
    output(picture(alt=""))(good)
    assert problems(good, "bad.ipynb")[0].startswith("bad.ipynb, cell 2 (1 + 1): ")


@pytest.mark.parametrize(
    "change",
    [
        both(tag("nbval-ignore-output"), source("ap = 0.6\nassert 0.5 < ap < 0.7")),
        both(tag("nbval-ignore-output", "machine"), output(printed("0x7f3fedb0e340 0.1234567"))),
        both(tag("nbval-ignore-output", "widget")),
        both(tag("rounded"), output(printed("0.123456"))),
        both(tag("exercise")),
        output(
            new_output("display_data", data={"text/html": '<img alt="a" src="data:image/png;base64,AA0xf0Fcba1+/=">'})
        ),
    ],
)
def test_allowed(good, change):
    change(good)
    assert problems(good, "good.ipynb") == []


def test_what_counts_as_an_assert():
    assert asserts("for i in a:\n    assert i")
    assert asserts("%matplotlib inline\ntorch.testing.assert_close(a, b)")
    assert not asserts("# assert a\nprint('assert')")
    assert not asserts("assert (")


def test_clean_makes_machines_alike_and_twice_is_once(good):
    wild = copy.deepcopy(good)
    wild.metadata = nbformat.from_dict({"kernelspec": {"name": "x"}, "language_info": {"version": "3"}, "vscode": {}})
    wild.cells[1].metadata.update(execution={"iopub.status.idle": "now"}, tags=[], collapsed=True)
    wild.cells[1].outputs = [printed("2"), printed("\n")]
    wild.cells[2].outputs[0].metadata["needs_background"] = "light"
    wild.cells[2].id = wild.cells[1].id
    notebooks.clean(wild)
    assert problems(wild, "wild.ipynb") == []
    assert wild.cells[1].outputs == good.cells[1].outputs
    once = nbformat.writes(wild)
    notebooks.clean(wild)
    assert nbformat.writes(wild) == once


def test_widget_becomes_the_picture_it_showed(good):
    shown = picture("a slider's figure")
    state = {
        "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_slider", "IPY_MODEL_out"]}},
        "slider": {"model_name": "FloatSliderModel", "state": {"value": 0.5}},
        "out": {"model_name": "OutputModel", "state": {"outputs": [printed("x"), shown]}},
    }
    good.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    view = new_output("display_data", data={WIDGET_VIEW: {"model_id": "box"}, "text/plain": "interactive(children=("})
    good.cells[1].outputs = [view]
    good.cells[1].metadata.tags = ["nbval-ignore-output", "widget"]
    notebooks.clean(good)
    (cleaned,) = good.cells[1].outputs
    assert cleaned.data == {"image/png": PIXEL, "text/plain": "Run this cell to play with it."}
    assert cleaned.metadata == {"image/png": {"alt": "a slider's figure"}}
    assert problems(good, "good.ipynb") == []


def test_picture_of_an_image_widget():
    model = {"model_name": "ImageModel", "state": {"format": "png"}, "buffers": [{"path": ["value"], "data": PIXEL}]}
    (found,) = notebooks.widget_pictures("image", {"image": model})
    assert found["data"] == {"image/png": PIXEL} and found["metadata"]["image/png"]["alt"]


def test_picture_of_a_slider_keeps_its_text():
    value = f'<img alt="two &lt;dogs&gt;" src="data:image/png;base64,{PIXEL}">'
    state = {
        "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_slider", "IPY_MODEL_html"]}},
        "slider": {"model_name": "FloatSliderModel", "state": {"value": 0.5}},
        "html": {"model_name": "HTMLModel", "state": {"value": value}},
    }
    (found,) = notebooks.widget_pictures("box", state)
    assert found["data"] == {"image/png": PIXEL, "text/html": value}
    assert found["metadata"]["image/png"]["alt"] == "two <dogs>"


def test_check_names_a_file_that_is_no_notebook(tmp_path, capsys):
    path = tmp_path / "broken.ipynb"
    path.write_text("{")
    assert notebooks.main(["--check", str(path)]) == 1
    assert "broken.ipynb: not a notebook" in capsys.readouterr().err


def write(path: Path, *sources: str) -> Path:
    cells = [new_markdown_cell("# Title"), *(new_code_cell(text) for text in sources)]
    notebooks.save(new_notebook(cells=cells), path)
    return path


def test_execute_for_real(tmp_path, capsys):
    (tmp_path / "here.txt").write_text("read from beside the notebook")
    path = write(tmp_path / "a.ipynb", "print(open('here.txt').read())", "1 + 1")
    assert notebooks.main(["--check", str(path)]) == 1, "not executed yet"
    assert notebooks.main([str(path)]) == 0
    assert "a.ipynb: " in capsys.readouterr().out
    first = path.read_bytes()
    assert b"read from beside the notebook" in first
    assert notebooks.main(["--check", str(path)]) == 0
    assert notebooks.main([str(path)]) == 0
    assert path.read_bytes() == first, "executing again changes nothing"


def test_a_failing_notebook_is_left_as_it_was(tmp_path, capsys):
    path = write(tmp_path / "a.ipynb", "1 + 1", "raise ValueError('the flock flew away')")
    before = path.read_bytes()
    assert notebooks.main([str(path)]) == 1
    assert path.read_bytes() == before
    assert "a.ipynb, cell 3: ValueError: the flock flew away" in capsys.readouterr().err


def test_a_cell_that_never_ends(tmp_path):
    notebook = nbformat.read(write(tmp_path / "a.ipynb", "import time; time.sleep(60)"), as_version=4)
    with pytest.raises(notebooks.NotebookError, match="a.ipynb, cell 2: takes longer than 1 s"):
        notebooks.execute(notebook, "a.ipynb", tmp_path, seconds=1)


def test_a_notebook_over_its_time(tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "a.ipynb", "1 + 1")
    monkeypatch.setattr(notebooks, "execute", lambda notebook, *_: 151.0)
    assert notebooks.main([str(path)]) == 1
    assert "took 151 s; the limit is 150 s" in capsys.readouterr().err
