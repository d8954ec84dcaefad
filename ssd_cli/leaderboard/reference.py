"""Reference of the gate: the scores of a run with several seeds, and their provenance, in two small files."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core import atomic
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.collect import Cells
from ssd_cli.metrics import NLL_CLIP
from ssd_cli.store.record import CellRecord

if TYPE_CHECKING:
    import pandas as pd

CELLS, ABOUT = "cells.csv", "reference.json"
KEY = ["dataset", "method", "backbone", "recipe", "resample", "seed"]
SCORES = ("accuracy", "nll")
LEAST_SEEDS = 3
"""Minimum number of seeds of every group, from which a spread can be estimated."""
CAUSES = {"dataset_digest": "data", "configuration": "configuration", "revision": "code revision", "versions": "versions"}
"""Columns that state how a cell was made, and their names in reports."""


def made_with(cells: Cells) -> pd.DataFrame:
    """Return finished cells with the columns of `KEY`, `SCORES` (if known) and `CAUSES`; the records hold the provenance."""
    frame = cells.frame[cells.frame["status"] == "ok"]
    provenance = [_provenance(Path(root) / f"{path}.json") for root, path in zip(frame["root"], frame["path"], strict=True)]
    columns = [*KEY, *(score for score in SCORES if score in frame), "dataset_digest", "configuration"]
    return frame[columns].assign(
        revision=[one.get("revision") or "" for one in provenance],
        versions=[", ".join(f"{name} {v}" for name, v in sorted((one.get("versions") or {}).items())) for one in provenance],
    )


def unfinished(cells: Cells) -> pd.DataFrame:
    """Return failed and skipped cells: the columns of `KEY`, and the reason, such as ``failed: NaN in epoch 3``."""
    frame = cells.frame[cells.frame["status"] != "ok"]
    return frame[KEY].assign(reason=frame["status"].astype(str) + ": " + frame["reason"].astype(str))


def check_seeds(frame: pd.DataFrame) -> None:
    """Raise MisuseError unless each group has `LEAST_SEEDS` seeds with the same resamples, so that its spread is known."""
    for (dataset, method, backbone, recipe), group in frame.groupby(KEY[:4], observed=True):
        where = f"{method}@{backbone} ({recipe}) on {dataset}"
        if group["seed"].nunique() < LEAST_SEEDS:
            raise MisuseError(
                f"The reference has fewer than {LEAST_SEEDS} seeds of {where}: its spread is not known.",
                "Expected at least ten.",
                "Run it again with --seeds 10, into the same folder, and write the reference with --update.",
            )
        if group.groupby("seed")["resample"].agg(frozenset).nunique() > 1:
            raise MisuseError(
                f"The seeds of the reference have different resamples of {where}: their means are not comparable.",
                "Expected the same resamples of every seed.",
                "Run the same command again to complete them, with --retry-failed where cells failed, and write it with --update.",
            )


def write_reference(frame: pd.DataFrame, folder: Path, command: str) -> list[Path]:
    """Write the result of `made_with` as a reference; the errors are those of `check_seeds`."""
    check_seeds(frame)
    text = io.StringIO()
    frame.sort_values(KEY).to_csv(text, index=False, lineterminator="\n")
    about = {
        "what": "reference of 'ssd-bench check'",
        "command": command,
        "cells": len(frame),
        "seeds": sorted(int(seed) for seed in frame["seed"].unique()),
        "revisions": sorted(frame["revision"].unique()),
        "versions": sorted(frame["versions"].unique()),
    }
    files = [(folder / CELLS, text.getvalue().encode()), (folder / ABOUT, (json.dumps(about, indent=2) + "\n").encode())]
    return atomic.write_into(folder, files)


def read_reference(folder: Path) -> pd.DataFrame:
    """Read a reference of `write_reference`; an absent or malformed reference raises an SsdBenchError that names file and field."""
    import pandas as pd

    path = folder / CELLS
    if not path.is_file():
        raise MisuseError(
            f"There is no reference in {folder}.",
            f"Expected the file {CELLS} in this folder.",
            "Write one with: ssd-bench check DIR --reference … --update",
        )
    try:
        reader = csv.DictReader(io.StringIO(path.read_bytes().decode()), strict=True)
        columns = list(reader.fieldnames or [])
        missing = {*KEY, *CAUSES, "accuracy"} - set(columns)
        unknown = [name for place, name in enumerate(columns) if name not in _FIELDS or name in columns[:place]]
        if missing or unknown:
            problem = f"lacks the columns {', '.join(sorted(missing))}" if missing else f"has the column {unknown[0][:_SHOWN]!r}"
            raise _malformed(path, f"line 1 {problem}", f"the columns {', '.join(_FIELDS)}, each once")
        cells: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in reader:
            where = f"line {reader.line_num}"
            if None in row or None in row.values():
                raise _malformed(path, f"{where} has another number of fields than line 1", f"{len(columns)} fields")
            cell = {name: _value(path, where, name, text) for name, text in row.items()}
            if cells.setdefault(tuple(row[name] for name in KEY), cell) is not cell:
                raise _malformed(path, f"{where} repeats a cell ({', '.join(KEY)})", "each cell once")
    except (UnicodeDecodeError, csv.Error) as error:
        raise _malformed(path, f"is no CSV file in UTF-8: {error}", "a table that 'ssd-bench check --update' wrote") from error
    _check_number(folder / ABOUT, len(cells))
    return pd.DataFrame(list(cells.values()), columns=columns)


_FIELDS = [*KEY, *SCORES, *CAUSES]
_SHOWN = 60  # characters of a wrong value in an error
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_HIGHEST = {"accuracy": 1.0, "nll": -math.log(NLL_CLIP) * (1 + 1e-9)}


def _value(path: Path, where: str, field: str, text: str) -> Any:
    """Return the value of a field; a score outside its possible range would hide the tests of all groups."""
    if field in ("resample", "seed"):
        if _WHOLE.fullmatch(text):
            return int(text)
        expected = "a whole number, 0 or above"
    elif field in SCORES:
        if field == "nll" and not text:
            return math.nan
        if _DECIMAL.fullmatch(text) and 0 <= float(text) <= _HIGHEST[field]:
            return float(text)
        expected = f"a number from 0 to {_HIGHEST[field]:.4g}" + (", or nothing" if field == "nll" else "")
    elif text or field in CAUSES:
        return text
    else:
        expected = "a name"
    raise _malformed(path, f"{where}, field {field}: {text[:_SHOWN]!r}", expected)


def _check_number(path: Path, n_cells: int) -> None:
    """Raise an SsdBenchError if the description names another number of cells, since some were lost or added."""
    if not path.is_file():
        return
    try:
        about = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _malformed(path, "is no JSON file", "the description that 'ssd-bench check --update' wrote") from error
    stated = about.get("cells") if isinstance(about, dict) else None
    if isinstance(stated, bool) or stated != n_cells:
        raise _malformed(path, f"field cells: {str(stated)[:_SHOWN]}", f"{n_cells}, the number of cells in {CELLS}")


def _malformed(path: Path, what: str, expected: str) -> SsdBenchError:
    return SsdBenchError(
        f"The reference is damaged: {path}: {what}.", f"Expected {expected}.", "Restore the file, or write it again with --update."
    )


def _provenance(path: Path) -> dict[str, Any]:
    return CellRecord.from_json(path.read_bytes(), str(path)).provenance
