"""``ssd-bench check``: compare the scores of a run with a stored reference, for continuous integration."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ssd_cli.cli.console import say, show_warning, table
from ssd_cli.errors import SsdBenchError, shortened


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of 'ssd-bench run'.", show_default=False)],
    reference: Annotated[Path, typer.Option("--reference", "-r", help="Folder of the reference.", show_default=False)],
    alpha: Annotated[
        float, typer.Option("--false-alarms", help="Probability that an unchanged program fails, for normal noise between seeds.")
    ] = 0.01,
    two_sided: Annotated[
        bool, typer.Option("--two-sided", help="Fail where something is better, too: whatever moves the numbers needs --update.")
    ] = False,
    update: Annotated[bool, typer.Option("--update", help="Write DIR as the reference instead of checking it.")] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write a summary; $GITHUB_STEP_SUMMARY gets it anyway.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit XML report.")] = None,
) -> None:
    """Fail (exit code 1) where accuracy or NLL is worse than the reference by more than its seeds explain."""
    from ssd_cli.core.atomic import write_into
    from ssd_cli.leaderboard.collect import collect
    from ssd_cli.leaderboard.gate import check as compare_with
    from ssd_cli.leaderboard.gate_report import HEADER, github, rows, summary
    from ssd_cli.leaderboard.gate_report import junit as as_junit
    from ssd_cli.leaderboard.gate_report import markdown as as_markdown
    from ssd_cli.leaderboard.reference import made_with, read_reference, unfinished, write_reference
    from ssd_cli.running.provenance import reduce_command

    cells = collect([folder])
    run, broken = made_with(cells), unfinished(cells)
    for text in cells.warnings:
        show_warning(text)
    if update and cells.changed:
        raise SsdBenchError(
            f"{shortened(list(cells.changed))} changed after it was written; no reference was written.",
            "Expected the predictions that 'ssd-bench run' wrote.",
            "Run these cells again: delete the files and run the same command.",
        )
    if update:
        written = write_reference(run, reference, reduce_command(sys.argv))
        without = f"; {len(broken)} failed or were skipped and are not in it" if len(broken) else ""
        say(f"Written as the reference: {', '.join(map(str, written))} ({len(run)} cells{without}).")
        return
    report = compare_with(run, read_reference(reference), alpha, two_sided, broken, cells.changed)
    for title, moved in (("Better than the reference", report.risen), ("Worse than the reference", report.fallen)):
        if moved:
            say(title)
            table(HEADER, rows(moved))
            say()
    for line in summary(report):
        say(line)
    for path, write in ((markdown, as_markdown), (junit, as_junit)):
        if path is not None:
            write_into(path.parent, [(path, write(report).encode())])
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(as_markdown(report))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github(report):
            say(line)
    if not report.passed:
        raise typer.Exit(1)
