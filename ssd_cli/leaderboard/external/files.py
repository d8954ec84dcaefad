"""Results of other tools: a tsml folder (``<estimator>/Predictions/<dataset>/testResample<k>.csv``) or a CSV of accuracies."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import NamedTuple

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.external.result import External, Protocol, default_split, unknown_protocol

_MISSING = {"", "nan", "na", "n/a", "-", "–", "null"}
_LONG = ["dataset", "method", "accuracy"]
_EXPECTED = (
    "Expected a folder of tsml results, or a CSV file with the line 'dataset,NAME OF A METHOD,NAME OF ANOTHER,…' and a line for "
    "every dataset, or with the line 'dataset,method,accuracy' and a line for every result."
)
_FILE = re.compile(r"testResample(\d+)\.csv")


def read_files(path: Path, resamples: set[int]) -> list[External]:
    """Read the methods of a file or folder of another tool.

    Parameters
    ----------
    path : Path
    resamples : set of int
        Of the own results; a tsml folder is averaged over the same. Empty: over all that it has.

    Raises
    ------
    SsdBenchError
        No such path, a malformed table, a repeated dataset or method, or percentages.
    """
    if path.is_dir():
        return _tsml(path, resamples)
    if not path.is_file():
        raise MisuseError(f"There is no {path}.", _EXPECTED)
    return _table(path)


def _table(path: Path) -> list[External]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = [_Line(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SsdBenchError(f"{path} is no table: {error}.", "Expected UTF-8 text, with commas between values.") from error
    if len(lines) < 2 or len(lines[0].cells) < 2:
        raise SsdBenchError(f"{path} holds no table.", f"{_EXPECTED} Commas stand between values.")
    is_long = [cell.lower() for cell in lines[0].cells] == _LONG
    return [_external(name, cells, path) for name, cells in (_long if is_long else _wide)(lines, path).items()]


class _Line(NamedTuple):
    """A non-blank line of a table, and its number in the file."""

    number: int
    cells: list[str]


_Column = dict[str, tuple[str, int]]
"""Text and line number by dataset."""


def _wide(lines: list[_Line], path: Path) -> dict[str, _Column]:
    """Columns by method, of a table with a column per method."""
    head, *rows = lines
    names = head.cells[1:]
    _once(names, path, "method")
    _once([row.cells[0] for row in rows], path, "dataset")
    for row in rows:
        if len(row.cells) != len(head.cells):
            expected = f"Expected {len(head.cells)}, as in the first line."
            raise SsdBenchError(f"{path}, line {row.number}: {len(row.cells)} values.", expected)
    return {name: {row.cells[0]: (row.cells[i], row.number) for row in rows} for i, name in enumerate(names, start=1)}


def _long(lines: list[_Line], path: Path) -> dict[str, _Column]:
    """Columns by method, of a table with a line per result."""
    found: dict[str, _Column] = {}
    for number, row in lines[1:]:
        if len(row) != len(_LONG):
            raise SsdBenchError(f"{path}, line {number}: {len(row)} values.", f"Expected {','.join(_LONG)}.")
        dataset, method, accuracy = row
        if dataset in found.setdefault(method, {}):
            raise SsdBenchError(f"{path}, line {number}: a second result of {method} on {dataset}.", "Expected one.")
        found[method][dataset] = accuracy, number
    _once(list(found), path, "method")
    datasets = dict.fromkeys(dataset for results in found.values() for dataset in results)
    _once(list(datasets), path, "dataset")
    return {method: {dataset: results.get(dataset, ("", 0)) for dataset in datasets} for method, results in found.items()}


def _external(name: str, column: _Column, path: Path) -> External:
    values = {dataset: _accuracy(text, path, line) for dataset, (text, line) in column.items()}
    scores = {dataset: value for dataset, value in values.items() if value is not None}
    gaps = {dataset: f"'{column[dataset][0]}' in {path.name}" for dataset, value in values.items() if value is None}
    return External(f"{name} ({path.stem})", name, "foreign", unknown_protocol, scores, str(path.name), gaps)


def _accuracy(text: str, path: Path, line: int) -> float | None:
    if text.lower() in _MISSING:
        return None
    try:
        value = float(text)
    except ValueError:
        raise SsdBenchError(f"{path}, line {line}: '{text}' is no number.", "Expected accuracies between 0 and 1.") from None
    if 1 < value <= 100:
        raise SsdBenchError(
            f"{path}, line {line}: the accuracy {text} is more than 1; these look like percentages.",
            "Expected fractions between 0 and 1; nothing is converted silently.",
            "Divide the columns by 100 and try again.",
        )
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise SsdBenchError(f"{path}, line {line}: the accuracy cannot be {text}.", "Expected accuracies between 0 and 1.")
    return value


def _tsml(root: Path, resamples: set[int]) -> list[External]:
    found: dict[str, dict[str, dict[int, Path]]] = {}
    for path in sorted(root.glob("*/Predictions/*/testResample*.csv")):
        match = _FILE.fullmatch(path.name)
        if match:
            found.setdefault(path.parts[-4], {}).setdefault(path.parts[-2], {})[int(match[1])] = path
    if not found:
        raise SsdBenchError(
            f"{root} holds no tsml results.", "Expected <estimator>/Predictions/<dataset>/testResample<k>.csv below it."
        )
    wanted = resamples or {k for datasets in found.values() for files in datasets.values() for k in files}
    text = f"tsml resample{'s' * (len(wanted) > 1)} {', '.join(map(str, sorted(wanted)))}"
    protocol = default_split if wanted == {0} else Protocol(text, None)
    externals = []
    for estimator, datasets in found.items():
        complete = {name: files for name, files in datasets.items() if wanted <= files.keys()}
        scores = {name: sum(_recounted(files[k]) for k in wanted) / len(wanted) for name, files in complete.items()}
        gaps = dict.fromkeys(datasets.keys() - complete.keys(), f"lacks some of {text}")
        externals.append(
            External(f"{estimator} ({root.name})", estimator, "foreign", protocol, scores, f"{root.name}, {text}", gaps)
        )
    return externals


def _recounted(path: Path) -> float:
    """Accuracy computed from the predictions of a file, not read from its header."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[3:]
        pairs = [line.split(",")[:2] for line in lines if line.strip()]
        hits = [float(true) == float(guess) for true, guess in pairs]
    except ValueError:
        raise SsdBenchError(
            f"{path} is not a file of predictions in tsml format.", "Expected true,predicted,,p0,… from line 4 on."
        ) from None
    if not hits:
        raise SsdBenchError(f"{path} holds no predictions.", "Expected true,predicted,,p0,… from line 4 on.")
    return sum(hits) / len(hits)


def _once(names: list[str], path: Path, what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen or not name:
            raise SsdBenchError(
                f"{path}: the {what} '{name}' {'stands twice' if name else 'has no name'}.", f"Expected each {what} once."
            )
        seen.add(name)
