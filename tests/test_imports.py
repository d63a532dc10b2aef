"""A file of the package imports only from files above it in this list. Whoever adds a file gives it its place here."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "yolocourse"

# An entry that ends in "/" is a folder: inside it the files may import each other, but not in a circle.
ORDER = [
    "__init__.py",
    "setup_env.py",  # runs before anything is installed
    "lab.py",
    "notebook_rules.py",
    "notebooks.py",
    "boxes.py",
    "labels.py",
    "wordtree.py",
    "treeview.py",
    "wordnet.py",
    "wordtree_build.py",
    "metrics.py",
    "error_analysis.py",
    "anchors.py",
    "grid.py",
    "grid_yolov1.py",
    "models/layers.py",
    "models/darknet19.py",
    "models/yolov1.py",
    "models/yolov2.py",
    "models/",
    "losses.py",
    "losses_joint.py",
    "losses_yolov1.py",
    "preprocess.py",
    "weights/",
    "detect.py",
    "datasets/",
    "viz/",
    "engine/",
    "recipes.py",
    "studies/",
    "widgets.py",
    "checks/",
    "doctor.py",
    "commands/",
    "cli.py",
    "__main__.py",
]
STANDARD_LIBRARY_ONLY = {"setup_env.py", "lab.py"}


def files(package=PACKAGE):
    return sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))


def place(file, order=ORDER):
    """Index of a file in the order: its own entry, else the one of the folder that holds it. None without a place."""
    if file in order:
        return order.index(file)
    folder = file.split("/")[0] + "/" if "/" in file else None
    return order.index(folder) if folder in order else None


def resolve(module, package=PACKAGE):
    """yolocourse.a.b -> the file a/b.py or a/b/__init__.py; None when it is no module (a name inside one)."""
    parts = module.split(".")[1:]
    for candidate in ("/".join([*parts, "__init__.py"]), "/".join(parts) + ".py"):
        if parts and (package / candidate).is_file():
            return candidate
    return None if parts else "__init__.py"


def imported(source, file, package=PACKAGE):
    """Files of the package that a file imports, at its top or inside a function; relative imports included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = ["yolocourse", *file.split("/")[:-1]]
                base = ".".join([*above[: len(above) - node.level + 1], *filter(None, [node.module])])
            # "from yolocourse import boxes" imports a file; "from yolocourse.boxes import iou" a name in one.
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if resolve(name, package) else base for name in names}
    return {resolve(name, package) for name in found if name.split(".")[0] == "yolocourse"} - {None, file}


def breaches(source, file, package=PACKAGE, order=ORDER):
    """Imported files that do not stand above `file`."""
    own = place(file, order)
    bad = []
    for other in sorted(imported(source, file, package)):
        theirs = place(other, order)
        same_folder = theirs == own and order[own].endswith("/")
        if other != "__init__.py" and not same_folder and (theirs is None or theirs >= own):
            bad.append(other)
    return bad


@pytest.mark.parametrize("file", files())
def test_file_has_a_place_and_imports_only_from_above(file):
    assert place(file) is not None, f"{file} has no place in ORDER"
    assert breaches((PACKAGE / file).read_text(encoding="utf-8"), file) == []


def test_no_circles():
    graph = {file: imported((PACKAGE / file).read_text(encoding="utf-8"), file) for file in files()}
    done, path = set(), []

    def visit(file):
        assert file not in path, " -> ".join([*path[path.index(file) :], file])
        if file not in done:
            path.append(file)
            for other in graph[file]:
                visit(other)
            done.add(path.pop())

    for file in graph:
        visit(file)


@pytest.mark.parametrize("file", sorted(STANDARD_LIBRARY_ONLY))
def test_runs_before_anything_is_installed(file):
    import sys

    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("file", "source", "bad"),
    [
        ("boxes.py", "import torch\nfrom yolocourse import __version__", []),
        ("boxes.py", "from yolocourse.grid import decode", ["grid.py"]),
        ("boxes.py", "from yolocourse import grid", ["grid.py"]),
        ("boxes.py", "def f():\n    import yolocourse.grid", ["grid.py"]),
        ("boxes.py", "from .grid import decode", ["grid.py"]),
        ("grid.py", "from yolocourse.boxes import iou", []),
        ("datasets/voc.py", "from yolocourse.datasets.coco import read", []),
        ("datasets/voc.py", "from .. import engine", ["engine/__init__.py"]),
        ("engine/loop.py", "from ..datasets import voc", []),
        ("grid.py", "from yolocourse.stray import x", ["stray.py"]),
    ],
)
def test_the_test_itself(tmp_path, file, source, bad):
    for name in ("boxes.py", "grid.py", "stray.py", "datasets/voc.py", "datasets/coco.py", "engine/loop.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for folder in (".", "datasets", "engine"):
        (tmp_path / folder / "__init__.py").touch()
    assert breaches(source, file, tmp_path) == bad
