"""Reading the files that others made: one place that says what is missing."""

from pathlib import Path


def existing(path: str | Path, what: str) -> Path:
    """The path of a file. Raises FileNotFoundError naming it and `what` it should be, or ValueError for a folder."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: is a folder, expected a {what}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such {what}")
    return path


def read_bytes(path: str | Path, what: str) -> bytes:
    """The content of a file; raises as `existing` does."""
    return existing(path, what).read_bytes()
