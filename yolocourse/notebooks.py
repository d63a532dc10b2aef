"""Executes the course's notebooks and saves them clean: `make notebooks`, the only way that they get their outputs.

    python -m yolocourse.notebooks [FILES]           execute and save
    python -m yolocourse.notebooks --check [FILES]   only say what is wrong with them as they are

What is saved depends on the notebook alone: a fixed kernel name, no times, no version of Python, no widget state, which
is large and which no reader sees. What a saved notebook has to look like beyond that is in notebook_rules.py.
"""

import argparse
import html
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from yolocourse.notebook_rules import IMAGES, METADATA, WIDGET_VIEW, problems

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
SECONDS = 150  # a notebook on two cores
PICTURE = r'<img alt="([^"]*)" src="data:(image/(?:png|jpeg));base64,([^"]*)">'
LARGE = 1_000_000  # bytes; worth a remark


class NotebookError(Exception):
    """A notebook that does not run; the message names the file, the cell and the error."""


# ------------------------------------------------------------------------------------------------------------ execute


def execute(notebook: NotebookNode, name: str, folder: Path, seconds: float = SECONDS) -> float:
    """Run all cells in a fresh kernel whose working directory is `folder`, replacing the outputs; returns seconds.

    Raises NotebookError when a cell raises or when one cell alone takes longer than `seconds`.
    """
    forget_outputs(notebook)
    at = [0]  # the cell being run

    def note(cell: NotebookNode, cell_index: int) -> None:
        at[0] = cell_index + 1

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=int(seconds),
        record_timing=False,
        on_cell_start=note,
        resources={"metadata": {"path": str(folder)}},
    )
    began = time.perf_counter()
    try:
        client.execute()
    except CellExecutionError as error:
        raise NotebookError(f"{name}, cell {at[0]}: {error.ename}: {error.evalue}\n{error.traceback}") from error
    except CellTimeoutError as error:
        raise NotebookError(f"{name}, cell {at[0]}: takes longer than {seconds:g} s") from error
    except DeadKernelError as error:
        raise NotebookError(f"{name}, cell {at[0]}: the kernel died (out of memory?)") from error
    return time.perf_counter() - began


def forget_outputs(notebook: NotebookNode) -> None:
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


# -------------------------------------------------------------------------------------------------------------- clean


def clean(notebook: NotebookNode) -> None:
    """Bring an executed notebook into the one form in which it is saved. Doing it twice changes nothing."""
    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    used = set()
    for i, cell in enumerate(notebook.cells, 1):
        if not cell.get("id") or cell.id in used:
            cell.id = f"cell-{i}"
        used.add(cell.id)
        cell.metadata = nbformat.from_dict(kept_metadata(cell))
        cell.source = cell.source.rstrip("\n")
        if cell.cell_type == "code":
            cell.outputs = [clean_output(output, state) for output in joined(cell.outputs)]


def kept_metadata(cell: NotebookNode) -> dict:
    """Of a cell's metadata: its tags, and that its source is folded. Not: times, collapsed, editor settings."""
    kept = {}
    if cell.metadata.get("tags"):
        kept["tags"] = list(cell.metadata["tags"])
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        kept["jupyter"] = {"source_hidden": True}
    return kept


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """What was printed in one go as one output: where a kernel cuts its messages is up to chance."""
    result: list[NotebookNode] = []
    for output in outputs:
        last = result[-1] if result else None
        if last and output.output_type == "stream" == last.output_type and last.name == output.name:
            last.text += output.text
        else:
            result.append(output)
    return result


def clean_output(output: NotebookNode, state: dict) -> NotebookNode:
    """An output without what only a running kernel can show.

    A widget is replaced by the picture that it showed first, so that the notebook reads well without running.
    """
    if "data" not in output:
        return output
    view = output.data.pop(WIDGET_VIEW, None)
    pictures = widget_pictures(view["model_id"], state) if view else []
    if pictures:
        first = pictures[0]
        for kind in (*IMAGES, "text/html"):
            if kind in first["data"]:
                output.data[kind] = first["data"][kind]
                output.metadata[kind] = first.get("metadata", {}).get(kind, {})
    if view:
        output.data["text/plain"] = "Run this cell to play with it."
    alt = {kind: {"alt": output.metadata[kind]["alt"]} for kind in IMAGES if output.metadata.get(kind, {}).get("alt")}
    output.metadata = nbformat.from_dict(alt)
    return output


def html_picture(alt: str, kind: str, data: str) -> dict:
    """Display data with the picture of an <img>, as an image with alt text and as the HTML it was."""
    image = f'<img alt="{alt}" src="data:{kind};base64,{data}">'
    return {"data": {kind: data, "text/html": image}, "metadata": {kind: {"alt": html.unescape(alt)}}}


def widget_pictures(model_id: str, state: dict) -> list[dict]:
    """Outputs with a picture, as display data, inside the widget `model_id` (its Output, Image and HTML parts)."""
    model = state.get(model_id, {})
    values = model.get("state", {})
    if model.get("model_name") == "HTMLModel":
        return [html_picture(*found) for found in re.findall(PICTURE, values.get("value", ""))]
    if model.get("model_name") == "ImageModel":
        kind = f"image/{values.get('format', 'png')}"
        buffers = [b["data"] for b in model.get("buffers", []) if b.get("path") == ["value"]]
        return [{"data": {kind: data}, "metadata": {kind: {"alt": "The interactive figure."}}} for data in buffers]
    found = [output for output in values.get("outputs", []) if set(IMAGES) & set(output.get("data", {}))]
    for child in values.get("children", []):
        found += widget_pictures(str(child).removeprefix("IPY_MODEL_"), state)
    return found


# ------------------------------------------------------------------------------------------------------- command line


def save(notebook: NotebookNode, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        nbformat.write(notebook, file)


def process(path: Path) -> list[str]:
    """Execute, clean and save one notebook; returns what is wrong with it. One that fails to run is left as it was."""
    notebook = nbformat.read(path, as_version=4)
    try:
        seconds = execute(notebook, path.name, path.resolve().parent)
    except NotebookError as error:
        return [str(error)]
    clean(notebook)
    save(notebook, path)
    size = path.stat().st_size
    remark = " (large)" if size > LARGE else ""
    print(f"{path.name}: {seconds:.0f} s, {size / 1e6:.2f} MB{remark}", flush=True)
    late = [f"{path.name}: took {seconds:.0f} s; the limit is {SECONDS} s on two cores"] if seconds > SECONDS else []
    return late + problems(notebook, path.name)


def check(path: Path) -> list[str]:
    """What is wrong with a notebook as it lies there."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever its parser raises
        return [f"{path.name}: not a notebook: {error}"]
    return problems(notebook, path.name)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m yolocourse.notebooks", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="notebooks (default: all of the course)")
    parser.add_argument("--check", action="store_true", help="execute nothing, only check them as they are")
    options = parser.parse_args(arguments)
    wrong = []
    for path in options.files or sorted(FOLDER.glob("*.ipynb")):
        wrong += check(path) if options.check else process(path)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
