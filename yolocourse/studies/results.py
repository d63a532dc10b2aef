"""The tables behind data/results: runs done one after the other, rows kept as they come, and what they say together.

A study is a list of runs. A run has a key, such as {"step": "passthrough", "seed": 3}, and yields rows: dictionaries of
numbers and words. What is in the file already is not run again, so a study may be stopped and started at will, and a
few more seeds cost only themselves.
"""

import csv
import io
import math
import statistics
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from yolocourse.engine.train import Trained
from yolocourse.engine.train import train as train_as_far_as_it_goes
from yolocourse.weights.checkpoint import write_atomically

FOLDER = Path(__file__).resolve().parents[2] / "data" / "results"
Row = dict[str, str | float]


class Run(NamedTuple):
    """One run of a study: what sets it apart from the others, and a function that does it and yields its rows."""

    key: Row
    rows: Callable[[], Iterable[Row]]


class Summary(NamedTuple):
    """A number over the seeds of a study; `sd` is the sample's standard deviation, 0 for a single run."""

    mean: float
    sd: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.sd:.3f}"


def read(path: Path) -> list[Row]:
    """The rows of a results file; what reads as a number is one, and an empty field is NaN."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def write(path: Path, rows: Sequence[Row]) -> None:
    """Writes rows in one piece; the columns are those of all rows, in the order in which they first come up."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())


def collect(path: Path, runs: Iterable[Run], report: Callable[[str], None] = print) -> list[Row]:
    """Does the runs whose key no row of the file has, and writes the file after each; returns all its rows.

    Every new row also says with which commit and on which machine it was made.
    """
    rows, made_by = read(path) if Path(path).exists() else [], {"commit": commit(), "machine": machine()}
    for run in runs:
        if select(rows, **run.key):
            continue
        new = [run.key | row | made_by for row in run.rows()]
        # Read again: another process may have added runs meanwhile.
        rows = (read(path) if Path(path).exists() else []) + new
        write(path, rows)
        for row in new:
            report(", ".join(f"{name} {_text(row[name])}" for name in row if name not in made_by))
    return read(path) if Path(path).exists() else rows  # with the digits that the file keeps


def train(*arguments, **settings) -> Trained:
    """`engine.train.train` for a run that counts only as a whole.

    Raises KeyboardInterrupt where Ctrl-C or SIGTERM ended it: a network that is trained in part must leave no row.
    """
    trained = train_as_far_as_it_goes(*arguments, **settings)
    if trained.interrupted:
        raise KeyboardInterrupt
    return trained


def select(rows: Iterable[Row], **values) -> list[Row]:
    """The rows that have all these values: select(rows, slice="flock", seed=0)."""
    return [row for row in rows if all(row.get(name) == value for name, value in values.items())]


def summary(rows: Iterable[Row], column: str) -> Summary:
    """Mean and spread of a column; NaN is left out, and where nothing is left all is NaN, and the count 0."""
    values = [row[column] for row in rows if not math.isnan(row[column])]
    if not values:
        return Summary(*[math.nan] * 4, 0)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return Summary(statistics.fmean(values), spread, min(values), max(values), len(values))


def commit() -> str:
    """The commit of the working tree, with a + where files differ from it; "unknown" outside a git checkout."""
    try:
        command = ["git", "-C", str(FOLDER.parent), "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """What the runs are done on: the graphics card's name, or the processor's threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu, {torch.get_num_threads()} threads"


def _value(text: str) -> str | float:
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and "." not in text else number


def _text(value: str | float) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}" if abs(value) < 1 else f"{value:.6g}"
    return str(value)
