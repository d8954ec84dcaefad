"""Export results as a folder of tsml-eval: ``<out>/<estimator>/Predictions/<dataset>/testResample<k>.csv``."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from ssd_cli.core import atomic
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore

NAMES = "estimators.csv"
"""File with the method, backbone, recipe and seed of each estimator."""

_REMEDY = "'ssd-bench recount DIR' lists all such cells; the same 'ssd-bench run' computes only them again."


@dataclass(frozen=True)
class Export:
    """The result of an export: the estimators, the number of files, and the number of cells without predictions."""

    estimators: tuple[str, ...]
    n_files: int
    n_without: int


def export_tsml(root: Path, out: Path) -> Export:
    """Write every finished cell in the layout of tsml-eval.

    tsml has no axis for seeds, so with several seeds each one becomes another estimator, ``<folder>-seed<s>``. Missing or changed
    predictions, two configurations of one estimator, and a folder that is not writable raise an SsdBenchError.
    """
    store = ResultStore(root)
    records = list(store.records())
    done = [record for record in records if record.status == "ok"]
    if not done:
        raise MisuseError(f"{root} holds no finished cells.", "", "Fill it with: ssd-bench run --out DIR")
    several = len({record.cell.seed for record in done}) > 1
    rows: dict[str, list[object]] = {}
    for record in done:
        cell = record.cell
        estimator = f"{cell.folder}-seed{cell.seed}" if several else cell.folder
        row: list[object] = [estimator, cell.method, cell.backbone, cell.recipe, cell.seed]
        if rows.setdefault(estimator, row) != row:
            raise SsdBenchError(
                f"Two configurations have the estimator {estimator}: {rows[estimator][1:]} and {row[1:]}.",
                "Expected one recipe per folder.",
                "Run each recipe into another folder.",
            )
        path = out / estimator / "Predictions" / cell.dataset / f"testResample{cell.resample}.csv"
        content = _renamed(store.paths(cell)[0], record, estimator)
        with atomic.writing_to(out):
            atomic.write([(path, content)], out / ".tmp")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["estimator", "method", "backbone", "recipe", "seed"], *rows.values()])
    with atomic.writing_to(out):
        atomic.write([(out / NAMES, text.getvalue().encode())], out / ".tmp")
        atomic.clean(out / ".tmp")
        with contextlib.suppress(OSError):  # another export still uses the folder
            (out / ".tmp").rmdir()
    return Export(tuple(rows), len(done), len(records) - len(done))


def _renamed(path: Path, record: CellRecord, estimator: str) -> bytes:
    """Return a stored file with the name of the estimator in line 1; a truncated or changed file raises an SsdBenchError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SsdBenchError(f"Cannot read {path}: {error.strerror}.", "", _REMEDY) from error
    if hashlib.sha256(content).hexdigest() != record.predictions_sha256:
        raise SsdBenchError(f"{path} was changed after it was written.", "Expected the SHA-256 in its record.", _REMEDY)
    first, rest = content.split(b"\n", 1)
    parts = first.split(b",")
    parts[1] = estimator.replace(",", ";").encode()
    return b",".join(parts) + b"\n" + rest
