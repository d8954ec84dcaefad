"""Check CSV tables against scores that are recomputed from the stored probabilities."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.collect import Cells, Selection, collect
from ssd_cli.leaderboard.compare import compare_cells
from ssd_cli.leaderboard.external.sources import ExternalSources
from ssd_cli.leaderboard.table import INTERVAL, as_csv, csv_tables
from ssd_cli.statistics.tests import DEFAULT

if TYPE_CHECKING:
    from ssd_cli.store.rescore import Recount

_TABLES = {
    "leaderboard.csv": ("name",),
    "per_dataset.csv": ("dataset", "name"),
    "pairwise.csv": ("first", "second"),
    "variance.csv": ("name",),
}
_TOLERANCE = 1e-9


class Checked(NamedTuple):
    """Result for a folder of tables: differences as sentences, and columns that cannot be recomputed."""

    problems: list[str]
    beyond: list[str]


def check_tables(roots: list[Path], recounts: list[Recount], folder: Path) -> Checked:
    """Compare tables that ``ssd-bench compare`` wrote with tables from recounted scores.

    `recounts` are the recounts of the compared `roots`, in the same order. A `folder` without leaderboard.csv, or results that
    cannot be compared, raise an SsdBenchError.
    """
    tables = {name: _read(folder / name) for name in _TABLES if (folder / name).is_file()}
    if not tables:
        raise MisuseError(f"{folder} holds no tables.", f"Expected {', '.join(_TABLES)}, written by 'ssd-bench compare'.")
    if "leaderboard.csv" not in tables:
        raise SsdBenchError(
            f"{folder} lacks leaderboard.csv, which says how missing results were treated.",
            "",
            "Write all tables with: ssd-bench compare",
        )
    board, pairs = tables["leaderboard.csv"], tables.get("pairwise.csv", [])
    policy = board[0].get("missing_policy", "fail") if board else "fail"
    pair = pairs[0] if pairs else {}
    try:
        rope = float(pair["rope"]) if pair.get("rope") else None
        options = (policy, float(pair.get("alpha", 0.05)), pair.get("convention", DEFAULT), rope)
    except ValueError as error:
        raise SsdBenchError(
            f"{folder / 'pairwise.csv'} does not say how the pairs were tested: {error}.",
            "Expected numbers in its columns alpha and rope.",
            "Write all tables with: ssd-bench compare",
        ) from error
    if any(row.get("backbone") == "foreign" for row in board):
        raise SsdBenchError(
            f"The tables in {folder} hold results of other tools, which cannot be recounted.",
            "",
            "Write the tables again without --with.",
        )
    names = [row["method"] for row in board if row.get("backbone") == "published"]
    comparison = compare_cells(
        _recounted(roots, recounts),
        *options,
        ExternalSources(tuple(names)),
        Selection.parse(board[0].get("selection", "") if board else ""),
    )
    problems, beyond = [], []
    for name, rows in csv_tables(comparison).items():
        if tables.get(name):
            expected = list(csv.DictReader(as_csv(rows).decode().splitlines()))
            columns = list(tables[name][0])
            if INTERVAL[-1] not in columns:
                expected = [{column: row[column] for column in row if column not in INTERVAL} for row in expected]
            problems += _differences(folder / name, tables[name], expected, _TABLES[name])
            beyond += [f"{name}: {column}" for column in columns if expected and column not in expected[0]]
    return Checked(problems, beyond)


def _recounted(roots: list[Path], recounts: list[Recount]) -> Cells:
    cells = collect(roots)
    frame = cells.frame.copy()
    known = {f"{root}/{path}": scores for root, one in zip(roots, recounts, strict=True) for path, scores in one.scores.items()}
    recounted = [known.get(f"{root}/{path}", {}) for root, path in zip(frame["root"], frame["path"], strict=True)]
    for name in {name for scores in recounted for name in scores} & set(frame.columns):
        frame[name] = [scores.get(name, old) for scores, old in zip(recounted, frame[name], strict=True)]
    return dataclasses.replace(cells, frame=frame)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _differences(path: Path, found: list[dict[str, str]], expected: list[dict[str, str]], keys: tuple[str, ...]) -> list[str]:
    there, here = ({tuple(row.get(key, "") for key in keys): row for row in rows} for rows in (found, expected))
    times = Counter(tuple(row.get(key, "") for key in keys) for row in found)
    lines = [f"{path}: the row {', '.join(key)} occurs {n} times." for key, n in times.items() if n > 1]
    lines += [f"{path}: the row {', '.join(key)} is missing." for key in here.keys() - there.keys()]
    lines += [f"{path}: the results do not give the row {', '.join(key)}." for key in there.keys() - here.keys()]
    for key in here.keys() & there.keys():
        for column, value in here[key].items():
            claimed = there[key].get(column)
            if not _same(value, claimed):
                lines.append(f"{path}: {', '.join(key)}: {column} is {claimed!r} in the table, {value!r} by the recount.")
    return sorted(lines)


def _same(expected: str, found: str | None) -> bool:
    if expected == found:
        return True
    try:
        return math.isclose(float(expected), float(found or ""), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    except ValueError:
        return False
