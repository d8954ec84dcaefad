"""Run a suite: plan it, compute the missing cells, clean up."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from ssd_cli.core.claims import Claims
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.estimate import Estimate, estimate
from ssd_cli.running.executors.base import Executor, ReportProgress, WorkerSettings, call, open_executor
from ssd_cli.running.plan_file import save_plan
from ssd_cli.running.progress import Reporter, RunProgress, SilentReporter
from ssd_cli.running.resume import plan_and_look
from ssd_cli.running.suite_run import SuiteRun
from ssd_cli.store.checkpoints import CheckpointStore
from ssd_cli.store.results import ResultStore

if TYPE_CHECKING:
    from ssd_cli.running.plan import Plan
    from ssd_cli.running.suite import Suite


def run_suite(suite: Suite, executor: str = "processes", reporter: Reporter | None = None) -> RunProgress:
    """Compute all cells of a suite that are not done; the same as ``ssd-bench run``.

    Parameters
    ----------
    executor : str
        Registered name of the executor.
    reporter : Reporter, optional
        Shows the progress; the default shows nothing.

    Raises
    ------
    SsdBenchError
        See `plan_suite` and `SuiteRun.run`. A cell that fails raises nothing: its record says why.
    """
    try:
        with open_executor(executor, worker_settings(suite)) as workers:
            return compute_plan(estimate(plan_suite(suite, workers), suite), suite, workers, reporter or SilentReporter())
    finally:
        tidy(suite.out)


def worker_settings(suite: Suite) -> WorkerSettings:
    """Return the settings of a suite that concern its workers."""
    return WorkerSettings(suite.threads, suite.plugin, suite.n_workers)


def plan_suite(suite: Suite, executor: Executor, dry_run: bool = False, report: ReportProgress | None = None) -> Plan:
    """Plan a suite on a worker, since planning imports torch, and compare it with the output folder.

    A dry run downloads and writes nothing. Raise SsdBenchError for an unknown name or dataset, and for a folder that is not
    writable or holds results of another configuration.
    """
    if not dry_run:
        ResultStore(suite.out).check_writable()
        tidy(suite.out)
    plan: Plan = call(executor, plan_and_look, suite, dry_run, report=report)
    if not dry_run:
        CheckpointStore(suite.out).clean({cell.identity_hash for cell in plan.cells if cell.key in plan.done})
    return plan


def compute_plan(
    expected: Estimate, suite: Suite, executor: Executor, reporter: Reporter, command: tuple[str, ...] = ()
) -> RunProgress:
    """Compute the cells of a plan that are not done. See `SuiteRun`."""
    save_plan(suite.out, expected.plan)
    run = SuiteRun(expected.plan, suite, executor, reporter, command=command)
    run.progress.expected_pace = expected.pace
    reporter.update(run.progress)
    return run.run()


def tidy(out: Path) -> None:
    """Remove the claims and temporary files of dead processes."""
    with contextlib.suppress(OSError, SsdBenchError):  # an error here must not hide the error that ended the run
        Claims(out / ".claims").clean()
        ResultStore(out).clean()
