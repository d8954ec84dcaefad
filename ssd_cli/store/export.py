"""Results as a folder of tsml-eval: ``<out>/<estimator>/Predictions/<dataset>/testResample<k>.csv``."""

from __future__ import annotations

import contextlib
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.store import atomic
from ssd_cli.store.record import Cell, CellRecord
from ssd_cli.store.results import ResultStore

NAMES = "estimators.csv"
"""Which method, backbone, recipe and seed each estimator is."""


@dataclass(frozen=True)
class Export:
    """What was written: estimators in order, files, and cells without predictions that were left out."""

    estimators: tuple[str, ...]
    n_files: int
    n_without: int


def export_tsml(root: Path, out: Path) -> Export:
    """Write every finished cell in the layout of tsml-eval.

    tsml has no axis for seeds: where there are several, each makes an estimator of its own, ``<folder>-seed<s>``.

    Raises
    ------
    MisuseError
        Nothing to export.
    SsdBenchError
        Predictions that are gone, two configurations under one estimator, or a folder that cannot be written.
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
                f"Two configurations would stand under the estimator {estimator}: {rows[estimator][1:]} and {row[1:]}.",
                "Expected one recipe a folder.",
                "Run each recipe into a folder of its own.",
            )
        path = out / estimator / "Predictions" / cell.dataset / f"testResample{cell.resample}.csv"
        with atomic.writing_to(out):
            atomic.write([(path, _renamed(store, record, cell, estimator))], out / ".tmp")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["estimator", "method", "backbone", "recipe", "seed"], *rows.values()])
    with atomic.writing_to(out):
        atomic.write([(out / NAMES, text.getvalue().encode())], out / ".tmp")
        atomic.clean(out / ".tmp")
        with contextlib.suppress(OSError):  # another export writes there
            (out / ".tmp").rmdir()
    return Export(tuple(rows), len(done), len(records) - len(done))


def _renamed(store: ResultStore, record: CellRecord, cell: Cell, estimator: str) -> bytes:
    """The file as stored, with the estimator's name in its first line; read once, so that nothing malformed is passed on."""
    store.predictions(cell)
    first, rest = store.paths(cell)[0].read_bytes().split(b"\n", 1)
    parts = first.split(b",")
    parts[1] = estimator.replace(",", ";").encode()
    return b",".join(parts) + b"\n" + rest
