"""Find the cells of a plan that are done. Identities are compared, not names, and no result is silently reused or replaced."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ssd_cli.core import atomic
from ssd_cli.core.cell_spec import differences
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.running.plan import Plan, PlannedCell, make_plan
from ssd_cli.store.results import ResultStore

if TYPE_CHECKING:
    import pandas as pd

    from ssd_cli.running.executors.base import ReportProgress
    from ssd_cli.running.suite import Suite
    from ssd_cli.store.record import Cell

Mark = tuple[int, int]

_TABLE_FROM = 2000
"""Number of records from which the table of all records is faster than opening each one; loading pandas takes half a second."""

_WHOLE = ("ok", "")
"""States of predictions with which a cell is not computed again."""

_SHOWN = 3
_WITHOUT_RESULT = {"failed": " (the earlier cell failed)", "skipped": " (the earlier cell was skipped)"}


def plan_and_look(suite: Suite, dry_run: bool, report: ReportProgress | None = None) -> Plan:
    """Plan a suite and compare the plan with its output folder; a task for a worker."""
    return look(make_plan(suite, dry_run, report), suite)


def look(plan: Plan, suite: Suite) -> Plan:
    """Return the plan with its finished cells in `done`.

    A cell is done if it has a record with the same identity. With `suite.retry_failed`, failed cells are not done, and failed and
    skipped cells of another identity are replaced. With `suite.overwrite`, all records of another identity are replaced.
    Otherwise a record of another identity raises MisuseError; a damaged one, or another protocol version, raises SsdBenchError.
    """
    store = ResultStore(suite.out)
    marks = {cell.key: mark for cell in plan.cells if (mark := record_mark(store, cell)) is not None}
    there = [cell for cell in plan.cells if cell.key in marks]
    done: dict[str, str] = {}
    changed: list[tuple[PlannedCell, str]] = []
    for cell, status, identity_hash in _records(store, there, suite.overwrite):
        if identity_hash == cell.identity_hash:
            if not (status == "failed" and suite.retry_failed):
                done[cell.key] = status
        elif cell.spec.dataset_digest and not (suite.overwrite or (status != "ok" and suite.retry_failed)):
            changed.append((cell, status))
    if changed:
        raise _conflict(store, changed)
    return dataclasses.replace(plan, done=done, marks=marks)


def record_mark(store: ResultStore, planned: PlannedCell) -> Mark | None:
    """Return the state of a cell's record on disk; it changes whenever the record is written."""
    try:
        stat = store.paths(planned.cell)[1].stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_mtime_ns, stat.st_ino


def record_path(store: ResultStore, cell: Cell) -> str:
    """Return the path of a cell's files relative to the root, without suffix, as in the table of all records (`load_index`)."""
    return store.paths(cell)[1].relative_to(store.root).with_suffix("").as_posix()


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the table of all records with intact predictions."""
    return table[table["predictions"].isin(_WHOLE)]


def _records(store: ResultStore, cells: list[PlannedCell], overwrite: bool) -> Iterator[tuple[PlannedCell, str, str]]:
    """Yield status and identity hash of every cell with an intact record and intact predictions."""
    rows = _table(store) if len(cells) >= _TABLE_FROM else {}
    for cell in cells:
        if row := rows.get(record_path(store, cell.cell)):
            status, identity_hash, predictions = row
            if predictions in _WHOLE:
                yield cell, status, identity_hash
            continue
        try:
            record = store.read(cell.cell)
        except SsdBenchError:
            if not overwrite:
                raise
            continue
        if record is not None and _predictions_are_whole(store, cell, record.predictions_sha256):
            yield cell, record.status, record.identity_hash


def _table(store: ResultStore) -> dict[str, tuple[str, str, str]]:
    """Return status, identity hash and state of the predictions of all readable records, by path."""
    from ssd_cli.store.index import load_index

    table = load_index(store.root, on_unreadable=lambda path, error: None)
    columns = (table[name].tolist() for name in ("path", "status", "identity_hash", "predictions"))
    return {path: (status, identity_hash, predictions) for path, status, identity_hash, predictions in zip(*columns, strict=True)}


def _predictions_are_whole(store: ResultStore, cell: PlannedCell, expected: str | None) -> bool:
    if expected is None:
        return True
    content = atomic.content(store.paths(cell.cell)[0])  # None: another run is replacing the cell
    return content is not None and hashlib.sha256(content).hexdigest() == expected


def _conflict(store: ResultStore, changed: list[tuple[PlannedCell, str]]) -> MisuseError:
    lines, made_by = [], set()
    for cell, status in changed[:_SHOWN]:
        record = store.read(cell.cell)
        if record is not None:
            found = differences(record.spec, cell.spec)
            lines += [f"{cell.cell}{_WITHOUT_RESULT.get(status, '')}:", *(f"  {line}" for line in found)]
            only_execution = len(found) == 1 and found[0].startswith("execution:")
            made_by.add(record.spec.execution if only_execution else "")
    if len(changed) > _SHOWN:
        lines.append(f"and {len(changed) - _SHOWN} more.")
    retry = "--retry-failed to compute them again, " if all(status in _WITHOUT_RESULT for _, status in changed) else ""
    go_on = f"--engine {made_by.pop()} to go on with them, " if len(made_by) == 1 and "" not in made_by else ""
    return MisuseError(
        f"{store.root} holds {len(changed)} of these cells with another configuration; nothing was computed.",
        "\n".join(lines),
        f"Use {retry}{go_on}another --out to keep both, or --overwrite to replace them.",
    )
