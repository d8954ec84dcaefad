"""Read a table of accuracies of other tools: the results of each method by dataset and run, as they are written."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

from ssd_cli.errors import SsdBenchError, shortened
from ssd_cli.leaderboard.external.columns import FORMS, Columns, Header, check_measure
from ssd_cli.leaderboard.external.names import is_aggregate
from ssd_cli.store.tsml import decimals

_MISSING = {"", "?", "nan", "na", "n/a", "none", "null", "-", "–"}
Run = tuple[str, ...]
"""The numbers of a run, one per column of runs; empty in a table without runs."""


@dataclass
class TableMethod:
    """One method of a table: by dataset and run its accuracy, or the text that marks a missing one.

    `decimals` is the largest number of decimals of its accuracies. `axis` is the word of its runs, empty without runs.
    """

    name: str
    axis: str
    results: dict[str, dict[Run, float | str]] = field(default_factory=dict)
    decimals: int = 0


@dataclass(frozen=True)
class AccuracyTable:
    """The methods of a table; `notes` are sentences about the columns and lines that are not read."""

    methods: list[TableMethod]
    notes: tuple[str, ...]


def read_table(path: Path) -> AccuracyTable:
    """Read a table with named columns, separated by commas, semicolons or tabs; see `Header.columns`.

    A table that cannot be read for sure raises an SsdBenchError with the line and what was expected.
    """
    check_measure(path)
    (head, line), *lines = _lines(path)
    columns = Header(head, [row for row, _ in lines], path, line).columns()
    methods: dict[str, TableMethod] = {}
    aggregates = []
    for row, number in lines:
        where = f"{path}, line {number}"
        if len(row) != len(head):
            raise SsdBenchError(f"{where}: {len(row)} values.", f"Expected {len(head)}, as in the first line.")
        dataset = row[columns.dataset]
        if is_aggregate(dataset):
            aggregates.append(dataset)
        else:
            _read_line(methods, row, columns, dataset, where, path)
    if not methods:
        raise SsdBenchError(f"{path} holds no table: it has no line of a dataset.", FORMS)
    parts = [("columns", columns.unused), ("lines", list(dict.fromkeys(aggregates)))]
    unused = " and ".join(f"{what} {shortened(names)}" for what, names in parts if names)
    return AccuracyTable(list(methods.values()), (f"Not read from {path.name}: {unused}.",) if unused else ())


def _lines(path: Path) -> list[tuple[list[str], int]]:
    """The lines with values and their numbers, the header first."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
            lines = [([cell.strip() for cell in row], reader.line_num) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SsdBenchError(f"{path} is no table: {error}.", "Expected UTF-8 text, with commas between values.") from error
    if len(lines) < 2 or len(lines[0][0]) < 2:
        raise SsdBenchError(f"{path} holds no table.", f"{FORMS} Commas stand between values.")
    return lines


def _read_line(methods: dict[str, TableMethod], row: list[str], columns: Columns, dataset: str, where: str, path: Path) -> None:
    runs = tuple(row[place] for place in columns.runs)
    if any(run.lower() in ("train", "training", "val", "validation") for run in runs):
        raise SsdBenchError(f"{where}: a result of the split '{shortened(list(runs))}'.", "Expected results on test cases.")
    for column in columns.accuracies:
        name = column.method or (_method_of(path) if columns.method is None else row[columns.method])
        if not (dataset and name):
            raise SsdBenchError(f"{where}: a dataset or a method has no name.", FORMS)
        method = methods.setdefault(name, TableMethod(name, columns.axis))
        run = (*runs, *((column.run,) if column.run else ()))
        found = method.results.setdefault(dataset, {})
        if run in found:
            of = f", {columns.axis} {', '.join(run)}" if run else ""
            raise SsdBenchError(f"{where}: a second result of {name} on {dataset}{of}.", "Expected each dataset and method once.")
        text = row[column.place]
        found[run] = accuracy(text, where)
        if isinstance(found[run], float):
            method.decimals = max(method.decimals, decimals(text))


def _method_of(path: Path) -> str:
    """The name of the method of a file that holds one, such as ``HC2_accuracy.csv`` or ``HC2_TESTFOLDS.csv``."""
    stem = path.stem
    for end in ("_accuracy", "_acc", "_testfolds", "_results"):
        if stem.lower().endswith(end) and len(stem) > len(end):
            stem = stem[: -len(end)]
    return stem


def accuracy(text: str, where: str) -> float | str:
    """Return the number, or the text that marks a missing one; percentages and other numbers are an error."""
    if text.lower() in _MISSING:
        return text
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise SsdBenchError(f"{where}: '{text[:40]}' is no number.", "Expected accuracies between 0 and 1.")
    if 1 < value <= 100:
        raise SsdBenchError(
            f"{where}: the accuracy {text} is more than 1; these look like percentages.",
            "Expected fractions between 0 and 1; nothing is converted silently.",
            "Divide the columns by 100 and try again.",
        )
    if not 0 <= value <= 1:
        raise SsdBenchError(f"{where}: the accuracy cannot be {text[:40]}.", "Expected accuracies between 0 and 1.")
    return value
