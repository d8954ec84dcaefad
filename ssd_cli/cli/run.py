"""``ssd-bench run``: plan, compute and report, or show the cells of the plan, their state and their cost."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ssd_cli.cli.console import debugging, duration, plural, reporter, say, table, warn
from ssd_cli.cli.options import with_options
from ssd_cli.errors import INTERRUPTED, shortened
from ssd_cli.running.suite import Suite, parse_suite

if TYPE_CHECKING:
    from ssd_cli.running.estimate import Estimate
    from ssd_cli.running.executors.base import Executor
    from ssd_cli.running.plan import Plan, PlannedCell
    from ssd_cli.running.progress import RunProgress

_SHOWN_FAILURES = 10
SHOWN_CELLS = 60
_SHOWN_ABSENT = 10
SuiteFile = Annotated[Path | None, typer.Argument(metavar="[SUITE.yaml]", help="Options by name; explicit ones win.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the cells, what is done and the cost; compute nothing.")]


@with_options(Suite)
def run(suite: SuiteFile = None, dry_run: DryRun = False, **options: Any) -> None:
    """Train and evaluate every dataset × method × backbone × resample × seed; what is finished is never computed again."""
    from ssd_cli.archives.custom import swapped_axes
    from ssd_cli.archives.har import leak_warnings
    from ssd_cli.running.estimate import estimate
    from ssd_cli.running.executors.base import open_executor, throttled
    from ssd_cli.running.run import compute_plan, plan_suite, tidy, worker_settings
    from ssd_cli.running.threads import warnings_before

    resolved = parse_suite(suite, options)
    with open_executor("processes", worker_settings(resolved)) as executor:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
        try:
            for text in warnings_before(resolved, os.environ):
                warn(f"Warning: {text}")
            plan = plan_suite(resolved, executor, dry_run, throttled(warn, 3, wait=3))  # planning is usually quick
            if plan.left_out:
                warn(f"left out, not on this machine ({len(plan.left_out)}): {', '.join(plan.left_out)}")
            for text in leak_warnings((planned.cell.dataset for planned in plan.cells), resolved.resamples, resolved.data_dir):
                warn(f"Warning: {text}")
            for name, shape in {planned.cell.dataset: planned.shape for planned in plan.cells}.items():
                if shape and (text := swapped_axes(name, shape.n_channels, shape.n_timepoints)):
                    warn(f"Warning: {text}")
            expected = estimate(plan, resolved, executor if dry_run else None, throttled(warn, 3, wait=3))
            if dry_run:
                show_plan(expected, resolved.download)
                return
            with reporter() as shown:
                progress = compute_plan(expected, resolved, executor, shown, tuple(sys.argv))
        except KeyboardInterrupt:
            _stop(executor, resolved)
    tidy(resolved.out)
    show_summary(progress, plan, resolved)
    if progress.failed or "failed" in plan.done.values():
        raise typer.Exit(1)


def _stop(executor: Executor, suite: Suite) -> NoReturn:
    """End after Ctrl-C: workers release their claims; a second Ctrl-C kills them."""
    from ssd_cli.running.run import tidy

    warn("Stopping the workers; Ctrl-C again kills them.")
    with contextlib.suppress(KeyboardInterrupt):
        executor.cancel()
    executor.close()
    tidy(suite.out)
    warn(f"Stopped. What is finished is kept in {suite.out}; the same command goes on from there.")
    raise typer.Exit(INTERRUPTED)


def show_summary(progress: RunProgress, plan: Plan, suite: Suite) -> None:
    """Print how a run ended, and what to do next."""
    from ssd_cli.store.results import ResultStore

    before = Counter(plan.done.values())
    parts = [f"{progress.ok} ok", f"{progress.failed} failed", f"{progress.skipped} skipped"]
    say(f"{plural(progress.finished, 'cell')} finished in {duration(progress.seconds)}: {', '.join(parts)}.")
    if progress.left:
        say(f"{plural(progress.left, 'cell')} left to other runs that work on them; see: ssd-bench status {_quoted(suite.out)}")
    if plan.done:
        was = ", ".join(f"{number} {status}" for status, number in sorted(before.items()))
        say(f"{plural(len(plan.done), 'cell')} had been finished before: {was}.")
    for planned, reason in progress.failures[:_SHOWN_FAILURES]:
        say(f"FAILED {planned.cell}: {reason}")
        record = ResultStore(suite.out).read(planned.cell) if debugging() else None
        if record is not None and record.traceback:
            say(record.traceback)
    if len(progress.failures) > _SHOWN_FAILURES:
        say(f"and {len(progress.failures) - _SHOWN_FAILURES} more failed.")
    if progress.failed or before["failed"]:
        shown = f"ssd-bench status {_quoted(suite.out)}"
        say(f"See: {shown}; --debug shows the tracebacks there. --retry-failed computes failed cells again.")
    if progress.ok or before["ok"]:
        say(f"Next: ssd-bench compare {_quoted(suite.out)}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def show_plan(expected: Estimate, download: bool = True) -> None:
    """Print the cells (or the methods, if there are many cells), their cost, and the datasets that are not on this machine."""
    plan = expected.plan
    table(*(_every_cell(plan) if len(plan.cells) <= SHOWN_CELLS else _every_method(plan)))
    say(f"\n{plural(len(plan.cells), 'cell')}: {len(plan.done)} done, {len(plan.pending)} to do on {plan.device}.")
    if plan.pending:
        _say_estimate(expected)
    if plan.absent:
        say(f"Not on this machine yet: {shortened(plan.absent, _SHOWN_ABSENT)}.")
        if not download:
            say("The run will refuse: --no-download keeps it from downloading them. --only-present leaves them out.")


def _say_estimate(expected: Estimate) -> None:
    workers = plural(expected.n_workers, "worker")
    seconds, seconds_alone = (sum(getattr(cell, kind) for cell in expected.plan.pending) for kind in ("cost", "alone"))
    saved = f", since cells share networks ({duration(seconds_alone)} if each cell trained all of its own: column alone)"
    shares = seconds_alone > 1.001 * seconds
    say(f"About {duration(expected.wall_seconds)} with {workers}: {duration(seconds)} of work{saved if shares else ''}.")
    if expected.measured:
        rates = ", ".join(f"{one.label} {one.gigaflops:.0f}" for one in expected.measured)
        when = (
            f"measured just now in {duration(expected.calibration_seconds)} and kept for the next time"
            if expected.calibration_seconds
            else f"measured on {min(one.date for one in expected.measured)}"
        )
        say(f"Rates of this machine, {when} (billion operations a second of the plain network): {rates}.")
    if expected.assumed:
        say(f"Not measured, a rate is assumed: {', '.join(expected.assumed)}.")
    if expected.unknown:
        say(f"Not in the estimate, since their time is not known: {', '.join(expected.unknown)}.")


def _every_cell(plan: Plan) -> tuple[list[str], list[tuple[Any, ...]]]:
    header = ["dataset", "method", "backbone", "resample", "seed", "state", "cost", "alone"]
    rows = []
    for planned in plan.cells:
        cell, state = planned.cell, plan.done.get(planned.key, "to do")
        known = ("–", "–") if planned.work is None else (duration(planned.cost), duration(planned.alone))
        costs = ("", "") if planned.key in plan.done else known
        rows.append((cell.dataset, cell.method, cell.backbone, cell.resample, cell.seed, state, *costs))
    return header, rows


def _every_method(plan: Plan) -> tuple[list[str], list[tuple[Any, ...]]]:
    cells: dict[tuple[str, str], list[PlannedCell]] = {}
    for planned in plan.cells:
        cells.setdefault((planned.cell.method, planned.cell.backbone), []).append(planned)
    rows = []
    for column, every in cells.items():
        to_do = [planned for planned in every if planned.key not in plan.done]
        known = [planned for planned in to_do if planned.work is not None]
        more = f" + {len(to_do) - len(known)} unknown" if known and len(known) < len(to_do) else ""
        costs = (sum(planned.cost for planned in known), sum(planned.alone for planned in known))
        shown = [duration(cost) + more if known or not to_do else "–" for cost in costs]
        rows.append((*column, len(every) - len(to_do), len(to_do), *shown))
    return ["method", "backbone", "done", "to do", "cost to do", "alone"], rows
