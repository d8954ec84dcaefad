"""Results of other tools: a tsml folder (``<estimator>/Predictions/<dataset>/testResample<k>.csv``) or a CSV of accuracies."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

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
    """Read the methods of a file or folder of another tool; a tsml folder is averaged over `resamples`, or all that it has.

    No such path, a malformed table, a repeated dataset or method, or percentages raise an SsdBenchError.
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
            lines = [([cell.strip() for cell in row], reader.line_num) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SsdBenchError(f"{path} is no table: {error}.", "Expected UTF-8 text, with commas between values.") from error
    if len(lines) < 2 or len(lines[0][0]) < 2:
        raise SsdBenchError(f"{path} holds no table.", f"{_EXPECTED} Commas stand between values.")
    head = lines[0][0]
    is_long = [cell.lower() for cell in head] == _LONG
    found: dict[str, dict[str, float | str]] = {}
    for row, number in lines[1:]:
        where = f"{path}, line {number}"
        if len(row) != len(head):
            raise SsdBenchError(f"{where}: {len(row)} values.", f"Expected {len(head)}, as in the first line.")
        dataset, *cells = row
        for method, text in [(cells[0], cells[1])] if is_long else zip(head[1:], cells, strict=True):
            if not (dataset and method):
                raise SsdBenchError(f"{where}: a dataset or a method has no name.", _EXPECTED)
            if dataset in found.setdefault(method, {}):
                raise SsdBenchError(f"{where}: a second result of {method} on {dataset}.", "Expected each dataset and method once.")
            found[method][dataset] = _accuracy(text, where)
    return [_external(name, results, path) for name, results in found.items()]


def _external(name: str, results: dict[str, float | str], path: Path) -> External:
    scores = {dataset: value for dataset, value in results.items() if isinstance(value, float)}
    gaps = {dataset: f"'{value}' in {path.name}" for dataset, value in results.items() if isinstance(value, str)}
    return External(f"{name} ({path.stem})", name, "foreign", unknown_protocol, scores, path.name, gaps)


def _accuracy(text: str, where: str) -> float | str:
    """The number, or the text that marks a missing one."""
    if text.lower() in _MISSING:
        return text
    try:
        value = float(text)
    except ValueError:
        raise SsdBenchError(f"{where}: '{text}' is no number.", "Expected accuracies between 0 and 1.") from None
    if 1 < value <= 100:
        raise SsdBenchError(
            f"{where}: the accuracy {text} is more than 1; these look like percentages.",
            "Expected fractions between 0 and 1; nothing is converted silently.",
            "Divide the columns by 100 and try again.",
        )
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise SsdBenchError(f"{where}: the accuracy cannot be {text}.", "Expected accuracies between 0 and 1.")
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
