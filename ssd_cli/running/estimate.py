"""Estimate the seconds of a plan from the counted work and the rates of this machine. No result depends on the estimate."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ssd_cli.running import rates as machine_rates
from ssd_cli.running.executors.base import Executor, ReportProgress, call_each
from ssd_cli.running.work import Counts

if TYPE_CHECKING:
    from ssd_cli.running.plan import Plan
    from ssd_cli.running.suite import Suite

ASSUMED = Counts(steps=0.01, flops=1e-11, input_flops=2e-12)
"""Rates without a measurement: 100 billion operations per second, about one core with AVX-512, which suffices to order cells."""
CELL_SECONDS = 0.05
"""Seconds of a cell for data, claims, record and networks on disk (measured with LITE on GunPoint on an AMD EPYC)."""
START_SECONDS = 4.0
"""Seconds that a worker process takes to load torch."""


@dataclass(frozen=True)
class Estimate:
    """A plan with costs, and the rates behind them."""

    plan: Plan
    n_workers: int
    measured: tuple[machine_rates.Measured, ...]
    calibration_seconds: float  # duration of the measurement; 0 if all rates were known
    assumed: tuple[str, ...]  # backbones whose rates are assumed
    unknown: tuple[str, ...]  # methods and datasets whose work is not known

    @property
    def pace(self) -> float | None:
        """Expected seconds per estimated second: 1, or None if a rate is assumed or some work is unknown."""
        return None if self.assumed or self.unknown else 1.0

    @property
    def wall_seconds(self) -> float:
        """Seconds of the run: an even share for each worker, but at least the longest cell."""
        costs = [cell.cost for cell in self.plan.pending]
        return START_SECONDS + max(sum(costs) / self.n_workers, *costs) if costs else 0.0


def estimate(plan: Plan, suite: Suite, executor: Executor | None = None, report: ReportProgress | None = None) -> Estimate:
    """Add costs to the cells of a plan; identities do not change.

    An executor measures unknown rates on as many workers as will compute. Without an executor unknown rates are assumed.
    """
    kinds = {cell.work.rates: cell for cell in plan.pending if cell.work is not None}
    often = Counter(cell.cell.backbone for cell in kinds.values())
    execution = {name: f" ({cell.spec.execution})" if often[cell.cell.backbone] > 1 else "" for name, cell in kinds.items()}
    labels = {name: cell.cell.backbone + execution[name] for name, cell in kinds.items()}
    n_workers, seconds = min(suite.n_workers, max(1, len(plan.pending))), 0.0
    of = machine_rates.machine(suite.threads, n_workers, plan.device)
    # If fewer workers have work, rates measured with all workers are still better than assumed rates.
    known = machine_rates.load(machine_rates.machine(suite.threads, suite.n_workers, plan.device)) | machine_rates.load(of)
    missing = [cell.spec for name, cell in kinds.items() if name not in known]
    if missing and executor is not None:
        started = time.perf_counter()
        found = machine_rates.average(call_each(executor, n_workers, machine_rates.measure, missing, suite.threads, report=report))
        machine_rates.keep(of, found)
        known, seconds = known | found, time.perf_counter() - started
    without = [cell for cell in plan.pending if cell.work is None]
    names = (f"{cell.cell.dataset} (of unknown size)" if cell.spec.has_backbone else cell.cell.method for cell in without)
    return Estimate(
        price(plan, {name: one.rates for name, one in known.items()}),
        n_workers,
        tuple(replace(known[name], label=labels[name]) for name in kinds if name in known),
        seconds,
        tuple(labels[name] for name in kinds if name not in known),
        tuple(dict.fromkeys(names)),
    )


def price(plan: Plan, rates: Mapping[str, Counts]) -> Plan:
    """Return the plan with the cost of every cell at these rates, by name; missing rates are assumed."""
    paid: set[tuple[str, str, int, int]] = set()
    prices, priced = {}, {}
    for cell in plan.cells:
        own = (cell.group, cell.cell.resample, cell.cell.seed)
        speed, parts = (rates.get(cell.work.rates, ASSUMED), cell.work.parts) if cell.work else (ASSUMED, ())
        prices[cell.key] = [((name, *own) if name else None, work.seconds(speed)) for name, work in parts]
        if plan.done.get(cell.key) == "ok":  # the networks of the cell are on disk
            paid |= {network for network, _ in prices[cell.key] if network}
    alone = {key: CELL_SECONDS + sum(seconds for _, seconds in parts) for key, parts in prices.items()}
    # The order is that of `schedule.Queue`, ties included: the first cell that trains a shared network gets its whole cost.
    for cell in reversed(sorted(plan.cells, key=lambda cell: alone[cell.key])):
        to_pay = [] if cell.key in plan.done else prices[cell.key]
        saved = sum(seconds for network, seconds in to_pay if network in paid)
        paid |= {network for network, _ in to_pay if network}
        priced[cell.key] = replace(cell, cost=max(alone[cell.key] - saved, 0.0), alone=alone[cell.key])
    return replace(plan, cells=[priced[cell.key] for cell in plan.cells])
