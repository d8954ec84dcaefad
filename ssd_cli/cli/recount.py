"""``ssd-bench recount``: compute every score and every table again from the stored probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ssd_cli.cli.console import plural, say, warn
from ssd_cli.errors import SsdBenchError

_SHOWN = 50


def recount(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of 'ssd-bench run'.", show_default=False)],
    tables: Annotated[
        list[Path] | None,
        typer.Option("--tables", "-t", help="Folder of tables made from these DIRs. [default: leaderboard, inside the first DIR]"),
    ] = None,
) -> None:
    """Compute every score from the stored probabilities, and say where a record or a table does not match; exit code 1 then."""
    from ssd_cli.leaderboard.table_check import check_tables
    from ssd_cli.store.rescore import recount as recount_folder

    found = [recount_folder(folder) for folder in folders]
    problems = [problem for one in found for problem in one.problems]
    default = folders[0] / "leaderboard"
    checked = tables or ([default] if default.is_dir() else [])
    columns: list[str] = []
    for folder in checked:
        try:
            of_tables = check_tables(folders, found, folder)
        except SsdBenchError as error:
            if not problems:
                raise
            problems.append(f"{folder}: its tables cannot be recounted: {error.what}")  # continue, to show the other problems too
            continue
        problems += of_tables.problems
        columns += of_tables.beyond
    for problem in problems[:_SHOWN]:
        warn(problem)
    if len(problems) > _SHOWN:
        warn(f"and {len(problems) - _SHOWN} more")
    n_scores, n_cells = (sum(values) for values in zip(*((one.n_scores, one.n_recounted) for one in found), strict=True))
    n_records = sum(one.n_records for one in found)
    say(f"{plural(n_scores, 'score')} of {plural(n_cells, 'cell')} recounted ({plural(n_records, 'record')} in all).")
    beyond = sorted(set().union(*(one.not_recountable for one in found)))
    if beyond:
        say(f"Not recounted, since they stand on more than the predictions that are stored: {', '.join(beyond)}.")
    if columns:
        say(f"Not recounted, since predictions do not give these columns: {', '.join(columns)}.")
    names = ", ".join(map(str, checked))
    say(f"Tables recounted: {names}." if checked else "No tables were found to recount; name their folder with --tables.")
    say("Everything matches." if not problems else f"{plural(len(problems), 'mismatch').replace('hs', 'hes')}.")
    if problems:
        raise typer.Exit(1)
