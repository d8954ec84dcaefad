"""``ssd-bench run``: plan, compute, report."""

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

from ssd_cli.cli.console import debugging, duration, plural, reporter, say, warn
from ssd_cli.cli.options import with_options
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.suite import Suite, parse_suite

if TYPE_CHECKING:
    from ssd_cli.running.board import Board
    from ssd_cli.running.plan import Plan
    from ssd_cli.running.pool import Pool

INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM: 128 and the number of SIGINT."""

_SHOWN_FAILURES = 10
SuiteFile = Annotated[Path | None, typer.Argument(metavar="[SUITE.yaml]", help="Options by name; explicit ones win.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the cells, what is done and the cost; compute nothing.")]


@with_options(Suite)
def run(suite: SuiteFile = None, dry_run: DryRun = False, **options: Any) -> None:
    """Train and evaluate every dataset × method × backbone × resample × seed; what is finished is never computed again."""
    from ssd_cli.cli.plan_table import show_plan
    from ssd_cli.running.estimate import estimate
    from ssd_cli.running.pool import Pool
    from ssd_cli.running.threads import warnings_before
    from ssd_cli.running.worker import Settings

    resolved = parse_suite(suite, options)
    with Pool(Settings(resolved.threads, resolved.plugin)) as pool:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            for text in warnings_before(resolved, os.environ):
                warn(f"Warning: {text}")
            plan = _plan(pool, resolved, dry_run)
            _warn_of_leaks(plan, resolved)
            expected = estimate(plan, resolved, pool if dry_run else None, _rarely(warn))
            plan = expected.plan
            if dry_run:
                show_plan(expected, resolved.download)
                return
            board = _compute(pool, plan, resolved, expected.pace)
        except KeyboardInterrupt:
            _stop(pool, resolved)
    _tidy(resolved)
    _summary(board, plan, resolved)
    if board.failed or "failed" in plan.done.values():
        raise typer.Exit(1)


def _plan(pool: Pool, suite: Suite, dry_run: bool) -> Plan:
    from ssd_cli.running.resume import plan_and_look
    from ssd_cli.store.checkpoints import CheckpointStore
    from ssd_cli.store.results import ResultStore

    if not dry_run:
        ResultStore(suite.out).check_writable()
        _tidy(suite)
    plan: Plan = pool.call(plan_and_look, suite, dry_run, tell=_rarely(warn))
    if not dry_run:
        CheckpointStore(suite.out).clean({cell.identity_hash for cell in plan.cells if cell.key in plan.done})
    if plan.left_out:
        warn(f"left out, not on this machine ({len(plan.left_out)}): {', '.join(plan.left_out)}")
    return plan


def _warn_of_leaks(plan: Plan, suite: Suite) -> None:
    from ssd_cli.archives.har import leak_warnings

    for text in leak_warnings((planned.cell.dataset for planned in plan.cells), suite.resamples, suite.data_dir):
        warn(f"Warning: {text}")


def _compute(pool: Pool, plan: Plan, suite: Suite, expected_pace: float | None) -> Board:
    from ssd_cli.running.local import LocalRun
    from ssd_cli.running.plan_file import save_plan

    save_plan(suite.out, plan)
    with reporter() as shown:
        command = LocalRun(plan, suite, pool, shown, tuple(sys.argv))
        command.board.expected_pace = expected_pace
        shown.update(command.board)
        return command.run()


def _stop(pool: Pool, suite: Suite) -> NoReturn:
    """End after Ctrl-C: workers give back what they claimed; at a second Ctrl-C they are killed."""
    warn("Stopping the workers; Ctrl-C again kills them.")
    with contextlib.suppress(KeyboardInterrupt):
        pool.stop()
    pool.kill()
    _tidy(suite)
    warn(f"Stopped. What is finished is kept in {suite.out}; the same command goes on from there.")
    raise typer.Exit(INTERRUPTED)


def _tidy(suite: Suite) -> None:
    """Remove what dead processes left: claims and temporary files."""
    from ssd_cli.store.claims import Claims
    from ssd_cli.store.results import ResultStore

    with contextlib.suppress(OSError, SsdBenchError):  # tidying must never hide what really happened
        Claims(suite.out / ".claims").clean()
        ResultStore(suite.out).clean()


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _summary(board: Board, plan: Plan, suite: Suite) -> None:
    from ssd_cli.store.results import ResultStore

    before = Counter(plan.done.values())
    parts = [f"{board.ok} ok", f"{board.failed} failed", f"{board.skipped} skipped"]
    say(f"{plural(board.finished, 'cell')} finished in {duration(board.seconds)}: {', '.join(parts)}.")
    if board.left:
        say(f"{plural(board.left, 'cell')} left to other runs that work on them; see: ssd-bench status {_quoted(suite.out)}")
    if plan.done:
        was = ", ".join(f"{number} {status}" for status, number in sorted(before.items()))
        say(f"{plural(len(plan.done), 'cell')} had been finished before: {was}.")
    for planned, reason in board.failures[:_SHOWN_FAILURES]:
        say(f"FAILED {planned.cell}: {reason}")
        record = ResultStore(suite.out).read(planned.cell) if debugging() else None
        if record is not None and record.traceback:
            say(record.traceback)
    if len(board.failures) > _SHOWN_FAILURES:
        say(f"and {len(board.failures) - _SHOWN_FAILURES} more failed.")
    if board.failed or before["failed"]:
        shown = f"ssd-bench status {_quoted(suite.out)}"
        say(f"See: {shown}; --debug shows the tracebacks there. --retry-failed computes failed cells again.")
    if board.ok or before["ok"]:
        say(f"Next: ssd-bench compare {_quoted(suite.out)}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _rarely(tell: Any) -> Any:
    """Pass on a message at most every few seconds, and none in the first ones: planning is usually quick."""
    import time

    last = time.monotonic()

    def passing(text: str) -> None:
        nonlocal last
        if time.monotonic() - last > 3:
            last = time.monotonic()
            tell(text)

    return passing
