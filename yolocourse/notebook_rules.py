"""What a notebook of the course has to look like, as a list of sentences about what is wrong with one.

Every rule is here because a person meets its breach: an unexecuted cell reads as nothing and passes nbval with nothing
compared; a random output fails in CI; a picture without alt text is silence to a screen reader.
"""

import ast
import re
import statistics
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
IMAGES = ("image/png", "image/jpeg")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
IGNORED = "nbval-ignore-output"  # the tag of cells whose output is not compared
# Why a cell's output may go uncompared without an assert in it: it says something about the reader's machine, or it is
# a widget, whose drawing function is tested by itself.
EXCUSES = {"machine", "widget"}
TAGS = {IGNORED, "rounded", "exercise", "solution", *EXCUSES}
LINES_MOST, LINES_MEDIAN = 40, 8
BYTES_MOST = 2_000_000
TIGHT = r"\d+\.\d{4,}"  # a number that sanitize.cfg shortens


def problems(notebook: NotebookNode, name: str) -> list[str]:
    """Sentences, each beginning with the file and where it applies the cell (counted from 1); empty for a good one."""
    found = [f"{name}: {text}" for text in notebook_problems(notebook)]
    for number, cell in enumerate(notebook.cells, 1):
        rules = {"code": code_problems, "markdown": markdown_problems}.get(cell.cell_type)
        texts = rules(cell) if rules else ["is neither code nor text"]
        found += [f"{name}, cell {number} ({first_words(cell)}): {text}" for text in texts]
    return found


def first_words(cell: NotebookNode) -> str:
    line = next((line for line in cell.source.splitlines() if line.strip()), "empty")
    return line if len(line) <= 40 else line[:37] + "..."


def notebook_problems(notebook: NotebookNode) -> Iterator[str]:
    """The rules about a notebook as a whole."""
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"breaks the notebook format: {str(error).splitlines()[0]}"
    if notebook.metadata != METADATA:
        foreign = sorted(set(notebook.metadata) ^ set(METADATA)) or "other values"
        yield f"metadata other than make notebooks writes: {foreign}; run make notebooks"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "was not executed from top to bottom in one go; run make notebooks"
    if not notebook.cells or not notebook.cells[0].source.startswith("# "):
        yield "does not begin with its title (# ...)"
    lengths = [len(cell.source.splitlines()) for cell in code]
    if lengths and statistics.median(lengths) > LINES_MEDIAN:
        yield f"half of the code cells have over {LINES_MEDIAN} lines (median {statistics.median(lengths):g})"
    size = len(nbformat.writes(notebook))
    if size > BYTES_MOST:
        yield f"is {size / 1e6:.1f} MB; the limit is {BYTES_MOST / 1e6:.0f} MB: smaller or fewer figures"


def markdown_problems(cell: NotebookNode) -> Iterator[str]:
    for match in re.finditer(r"!\[\s*\]\(([^)]*)\)", cell.source):
        yield f"picture {match.group(1)[:40]} without alt text: ![what it shows](...)"
    for match in re.finditer(r"<img\b[^>]*>", cell.source):
        if not re.search(r"""\balt\s*=\s*["']\s*[^"'\s]""", match.group(0)):
            yield '<img> without alt text: alt="what it shows"'
    if set(cell.metadata) - {"tags"}:
        yield f"foreign cell metadata {sorted(set(cell.metadata) - {'tags'})}; run make notebooks"


def code_problems(cell: NotebookNode) -> Iterator[str]:
    """The rules about a code cell, its tags and its outputs."""
    tags = set(cell.metadata.get("tags", []))
    lines = len(cell.source.splitlines())
    if not cell.source.strip():
        yield "is empty"
    if lines > LINES_MOST:
        yield f"has {lines} lines; the limit is {LINES_MOST}"
    if set(cell.metadata) - {"tags", "jupyter"}:
        yield f"foreign cell metadata {sorted(set(cell.metadata) - {'tags', 'jupyter'})}; run make notebooks"
    if tags - TAGS:
        yield f"unknown tags {sorted(tags - TAGS)}; known: {sorted(TAGS)}"
    yield from kind_problems(cell, tags)
    for output in cell.outputs:
        yield from output_problems(output, tags)


def kind_problems(cell: NotebookNode, tags: set[str]) -> Iterator[str]:
    """Each output is exact (no tag), rounded, or statistical: not compared, but then the cell asserts a range."""
    if IGNORED in tags and not tags & EXCUSES and not asserts(cell.source):
        excuses = " or ".join(sorted(EXCUSES))
        yield f"is tagged {IGNORED} but asserts nothing about what it measures (or tag it {excuses})"
    if tags & EXCUSES and IGNORED not in tags:
        yield f"is tagged {' and '.join(sorted(tags & EXCUSES))}, which goes with {IGNORED}"
    if "rounded" in tags and IGNORED in tags:
        yield f"is tagged rounded and {IGNORED}; one of them"
    texts = [text for output in cell.outputs for text in plain_texts(output)]
    if "rounded" in tags and not any(re.search(TIGHT, text) for text in texts):
        yield "is tagged rounded but shows no number with four decimals or more, so nothing is rounded"
    if "rounded" not in tags and IGNORED not in tags and any(re.search(TIGHT, text) for text in texts):
        yield "shows a number with four decimals or more, which the tests shorten: round it, or tag the cell rounded"


def asserts(source: str) -> bool:
    """Whether the code has an assert, or calls something whose name begins so (torch.testing.assert_close)."""
    try:
        tree = ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE))
    except SyntaxError:
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called.startswith("assert"):
                return True
    return False


def plain_texts(output: NotebookNode) -> list[str]:
    """What an output says, without the pixels of pictures in its HTML, among whose letters anything may be found."""
    data = output.get("data", {})
    texts = [output.get("text", ""), *(data[kind] for kind in ("text/plain", "text/html") if kind in data)]
    return [re.sub(r"base64,[A-Za-z0-9+/=]+", "", text) for text in texts]


def output_problems(output: NotebookNode, tags: set[str]) -> Iterator[str]:
    if output.output_type == "error":
        yield f"ended in an error: {output.ename}: {output.evalue}"
    if output.output_type == "stream" and output.name == "stderr":
        yield f"writes to stderr: {output.text.strip().splitlines()[0] if output.text.strip() else 'an empty line'}"
    data = output.get("data", {})
    if "image/svg+xml" in data:
        yield "shows an SVG; PNG is what every viewer of notebooks shows, and what the tests do not compare"
    if WIDGET_VIEW in data:
        yield "holds a live widget; run make notebooks"
    for kind in set(IMAGES) & set(data):
        if not output.metadata.get(kind, {}).get("alt", "").strip():
            yield 'shows a picture without alt text: viz.show(figure, alt="what it shows")'
    if IGNORED not in tags and any(re.search(r"0x[0-9a-fA-F]{6,}", text) for text in plain_texts(output)):
        yield "shows a memory address, another one at each run"
