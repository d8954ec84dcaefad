"""``ssd-bench status``: which planned cells of a folder are done, failed, left or in progress."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssd_cli.cli.console import debugging, plural, say, table
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.store.record import Cell, CellRecord

if TYPE_CHECKING:
    import pandas as pd

    from ssd_cli.core.claims import Owner

_SHOWN = 20


@dataclass(frozen=True)
class FolderState:
    """State of a folder.

    `damaged` are records whose predictions were changed or are missing, `records` the others; `unreadable` is by path, and
    `claims` of live processes by the key of the cell.
    """

    records: pd.DataFrame
    damaged: pd.DataFrame
    unreadable: dict[str, SsdBenchError]
    planned: list[Cell]
    planned_without_record: list[Cell]
    claims: dict[str, Owner]


def folder_state(folder: Path) -> FolderState:
    """Read plans, records and claims of a folder."""
    from ssd_cli.core.claims import Claims
    from ssd_cli.running.plan_file import planned_cells
    from ssd_cli.running.resume import record_path, whole
    from ssd_cli.store.index import load_index
    from ssd_cli.store.results import ResultStore

    unreadable: dict[str, SsdBenchError] = {}
    everything = load_index(folder, on_unreadable=unreadable.__setitem__)
    records = whole(everything)
    damaged = everything.drop(records.index)
    there, store, planned = {*records["path"].tolist(), *unreadable}, ResultStore(folder), planned_cells(folder)
    claims = {key: owner for key, owner in Claims(folder / ".claims").live() if key.startswith("cell-")}
    left = [cell for cell in planned if record_path(store, cell) not in there]
    return FolderState(records, damaged, unreadable, planned, left, claims)


def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of 'ssd-bench run'.", show_default=False)],
    show_all: Annotated[bool, typer.Option("--all", help="Name every cell that is left.")] = False,
) -> None:
    """Show which cells of a folder are done, failed, left, and claimed by whom."""
    from ssd_cli.running.plan import cell_key
    from ssd_cli.store.checkpoints import CheckpointStore

    if not folder.is_dir():
        raise MisuseError(f"There is no folder {folder}.", "Expected the output folder of 'ssd-bench run'.")
    state = folder_state(folder)
    claims, counts = state.claims, Counter(state.records["status"].tolist())
    if not state.planned and not len(state.records) and not state.unreadable:
        raise MisuseError(f"{folder} holds no results and no plan.", "Expected the output folder of 'ssd-bench run'.")
    left = [cell for cell in state.planned_without_record if cell_key(cell) not in claims]
    numbers = [f"{counts['ok']} done", f"{counts['failed']} failed", f"{counts['skipped']} skipped"]
    numbers += [f"{len(state.unreadable)} unreadable"] if state.unreadable else []
    say(", ".join([*numbers, f"{len(left)} left", f"{len(claims)} claimed"]))
    n_unfinished = 0 if claims else CheckpointStore(folder).count()  # checkpoints of live processes are not interrupted trainings
    if n_unfinished:
        say(f"{plural(n_unfinished, 'training')} cut off; the next run goes on with them, on a processor of the same kind")
    if state.unreadable:
        say("\nUnreadable (run --overwrite computes their cells again):")
        for error in state.unreadable.values():
            say(error.what)
    if len(state.damaged):
        say("\nPredictions changed or missing (the next run computes their cells again):")
        table(
            ["file", "state"], [(f"{path}.csv", what) for path, what in state.damaged[["path", "predictions"]].to_numpy().tolist()]
        )
    _show_unfinished(folder, state.records)
    _show_unfitted(state.records, show_all)
    if claims:
        say("\nClaimed:")
        table(
            ["cell", "by", "on"], [(owner.what, f"process {owner.pid}", owner.host.partition("/")[0]) for owner in claims.values()]
        )
    if left:
        shown = left if show_all else left[:_SHOWN]
        say("\nLeft:" if len(shown) == len(left) else f"\nLeft (the first {len(shown)} of {len(left)}; all with --all):")
        table(
            ["dataset", "method", "backbone", "recipe", "resample", "seed"],
            [(cell.dataset, cell.method, cell.backbone, cell.recipe, cell.resample, cell.seed) for cell in shown],
        )


def _show_unfitted(records: pd.DataFrame, show_all: bool) -> None:
    """Print the cells with a network that has not fitted its training cases."""
    if "converged" not in records:
        return
    rows = records[records["converged"] == 0].sort_values("training_accuracy")
    if not len(rows):
        return
    shown = rows if show_all else rows.head(_SHOWN)
    more = "" if len(shown) == len(rows) else f" (the first {len(shown)} of {len(rows)}; all with --all)"
    say(f"\nNot fitted: a network is wrong on too many of its training cases{more}:")
    columns = ["dataset", "method", "backbone", "resample", "seed"]
    accuracies = [f"{value:.3f}" for value in shown["training_accuracy"]]
    table([*columns, "training accuracy"], list(zip(*(shown[column].tolist() for column in columns), accuracies, strict=True)))


def _show_unfinished(folder: Path, records: pd.DataFrame) -> None:
    """Print the failed and the skipped cells, and the tracebacks with --debug."""
    for title, state in (("Failed", "failed"), ("Skipped", "skipped")):
        rows = records[records["status"] == state]
        if not len(rows):
            continue
        say(f"\n{title}:")
        columns = ["dataset", "method", "backbone", "resample", "seed", "reason"]
        table(columns, list(zip(*(rows[column].tolist() for column in columns), strict=True)))
        if state == "failed" and debugging():
            for path in (folder / f"{path}.json" for path in rows["path"]):
                record = CellRecord.from_json(path.read_bytes(), str(path))
                if record.traceback:
                    say(f"\n{record.cell}:\n{record.traceback.rstrip()}")
        elif state == "failed":
            say("--debug shows the tracebacks.")
