"""Darknet's .names files: one class name a line."""

from pathlib import Path

from yolocourse.labels import FlatLabels, LabelSpace
from yolocourse.weights.files import read_bytes


def read_names(path: str | Path | None, classes: int) -> FlatLabels:
    """The label space of a .names file; without a file "class 0", "class 1" ...

    Raises FileNotFoundError, or ValueError when there are more or fewer names than `classes`, or one twice.
    """
    if path is None:
        return FlatLabels([f"class {i}" for i in range(classes)])
    try:
        return FlatLabels(read_lines(path, classes))
    except ValueError as error:
        raise error if str(error).startswith(str(path)) else ValueError(f"{path}: {error}") from None


def read_lines(path: str | Path, classes: int) -> list[str]:
    """The names themselves, which may repeat, as those of a word tree do; raises as `read_names`."""
    try:
        text = read_bytes(path, "list of class names (.names)").decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file, so no list of class names") from None
    names = [line.strip() for line in text.rstrip().splitlines()]
    if len(names) != classes:
        raise ValueError(f"{path}: {len(names)} names, but the network has {classes} classes")
    if "" in names:
        raise ValueError(f"{path}:{names.index('') + 1}: an empty line instead of a name")
    return names


def write_names(path: str | Path, labels: LabelSpace) -> None:
    Path(path).write_text("".join(f"{name}\n" for name in labels.names), encoding="utf-8")
