"""A plan with what its cells will cost, at rates that are kept for this machine or measured now."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ssd_cli.running import calibration
from ssd_cli.running.cost_model import price, wall_seconds
from ssd_cli.running.executors.base import Executor, Report, call_each

if TYPE_CHECKING:
    from ssd_cli.running.plan import Plan, PlannedCell
    from ssd_cli.running.suite import Suite


@dataclass(frozen=True)
class Estimate:
    """What a plan will take.

    Parameters
    ----------
    plan : Plan
        With the cost of every cell.
    n_workers : int
        That will compute at once.
    measured : tuple of Measured
        The rates that were used.
    calibration_seconds : float
        That measuring took just now; 0 where all rates were kept.
    assumed, unknown : tuple of str
        Backbones whose rates are assumed; methods of other libraries, whose time nobody knows, and datasets of unknown size.
    """

    plan: Plan
    n_workers: int
    measured: tuple[calibration.Measured, ...]
    calibration_seconds: float
    assumed: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def pace(self) -> float | None:
        """Seconds that a second of the plan is expected to take: 1; None where something in it is assumed or unknown."""
        return None if self.assumed or self.unknown else 1.0

    @property
    def seconds(self) -> float:
        """Of one worker, for all cells that are to do."""
        return sum(cell.cost for cell in self.plan.pending)

    @property
    def seconds_alone(self) -> float:
        """The same as if no method shared a network."""
        return sum(cell.alone for cell in self.plan.pending)

    @property
    def wall_seconds(self) -> float:
        """Of the run."""
        return wall_seconds(self.plan.pending, self.n_workers)


def estimate(plan: Plan, suite: Suite, executor: Executor | None = None, report: Report | None = None) -> Estimate:
    """Price a plan. Only costs are added: which cells there are and what identifies them stays.

    Parameters
    ----------
    plan : Plan
    suite : Suite
    executor : Executor, optional
        Rates that are not kept are measured on as many of its workers as will compute, all at once, since they slow each other
        down; without one such rates are assumed, so that a run never waits for them.
    report : callable, optional
        Receives what is being measured.
    """
    kinds = {cell.work.rates: cell for cell in plan.pending if cell.work is not None}
    labels = _labels(kinds)
    n_workers = min(suite.n_workers, max(1, len(plan.pending)))
    of = calibration.machine(suite.threads, n_workers, plan.device)
    # Rates of all workers are known better than assumed ones where fewer have something to do.
    known = calibration.load(calibration.machine(suite.threads, suite.n_workers, plan.device)) | calibration.load(of)
    seconds = 0.0
    missing = [cell.spec for name, cell in kinds.items() if name not in known]
    if missing and executor is not None:
        started = time.perf_counter()
        found = call_each(executor, n_workers, calibration.measure, missing, suite.threads, report=report)
        if found:
            calibration.keep(of, calibration.average(found))
            known |= calibration.average(found)
        seconds = time.perf_counter() - started
    return Estimate(
        price(plan, {name: one.rates for name, one in known.items()}),
        n_workers,
        tuple(replace(known[name], label=labels[name]) for name in kinds if name in known),
        seconds,
        tuple(labels[name] for name in kinds if name not in known),
        tuple(dict.fromkeys(_without_estimate(cell) for cell in plan.pending if cell.work is None)),
    )


def _labels(kinds: dict[str, PlannedCell]) -> dict[str, str]:
    """Each kind of network for people: its backbone, and the execution where one backbone has several (by length, for example)."""
    often = Counter(cell.cell.backbone for cell in kinds.values())
    execution = {name: f" ({cell.spec.execution})" if often[cell.cell.backbone] > 1 else "" for name, cell in kinds.items()}
    return {name: cell.cell.backbone + execution[name] for name, cell in kinds.items()}


def _without_estimate(cell: PlannedCell) -> str:
    """Why a cell's time is not known: its method, or its dataset."""
    return cell.cell.method if not cell.spec.has_backbone else f"{cell.cell.dataset} (of unknown size)"
