"""``ssd-bench run``: plan, compute, report."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ssd_cli.cli.console import debugging, duration, plural, reporter, say, warn
from ssd_cli.cli.options import with_options
from ssd_cli.running.suite import Suite, parse_suite

if TYPE_CHECKING:
    from ssd_cli.running.executors.base import Executor
    from ssd_cli.running.plan import Plan
    from ssd_cli.running.progress import RunProgress

INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM: 128 and the number of SIGINT."""

_SHOWN_FAILURES = 10
SuiteFile = Annotated[Path | None, typer.Argument(metavar="[SUITE.yaml]", help="Options by name; explicit ones win.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the cells, what is done and the cost; compute nothing.")]


@with_options(Suite)
def run(suite: SuiteFile = None, dry_run: DryRun = False, **options: Any) -> None:
    """Train and evaluate every dataset × method × backbone × resample × seed; what is finished is never computed again."""
    from ssd_cli.archives.har import leak_warnings
    from ssd_cli.cli.plan_table import show_plan
    from ssd_cli.running.estimate import estimate
    from ssd_cli.running.executors.base import open_executor
    from ssd_cli.running.run import compute_plan, plan_suite, tidy, worker_settings
    from ssd_cli.running.threads import warnings_before

    resolved = parse_suite(suite, options)
    with open_executor("processes", worker_settings(resolved)) as executor:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            for text in warnings_before(resolved, os.environ):
                warn(f"Warning: {text}")
            plan = plan_suite(resolved, executor, dry_run, _rarely(warn))
            if plan.left_out:
                warn(f"left out, not on this machine ({len(plan.left_out)}): {', '.join(plan.left_out)}")
            for text in leak_warnings((planned.cell.dataset for planned in plan.cells), resolved.resamples, resolved.data_dir):
                warn(f"Warning: {text}")
            expected = estimate(plan, resolved, executor if dry_run else None, _rarely(warn))
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
    """End after Ctrl-C: workers release their claims; at a second Ctrl-C they are killed."""
    from ssd_cli.running.run import tidy

    warn("Stopping the workers; Ctrl-C again kills them.")
    with contextlib.suppress(KeyboardInterrupt):
        executor.cancel()
    executor.close()
    tidy(suite.out)
    warn(f"Stopped. What is finished is kept in {suite.out}; the same command goes on from there.")
    raise typer.Exit(INTERRUPTED)


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


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


def _rarely(report: Any) -> Any:
    """Pass on at most one message in three seconds, and none in the first three, since planning is usually quick."""
    last = time.monotonic()

    def passing(text: str) -> None:
        nonlocal last
        if time.monotonic() - last > 3:
            last = time.monotonic()
            report(text)

    return passing
