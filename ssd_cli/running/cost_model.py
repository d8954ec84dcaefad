"""Seconds from counts: what cells will take, with networks that several of them share counted once.

    seconds = steps × launch + operations × seconds an operation + the same of predictions + a constant

A step costs something however small its batch (some hundred operations of torch), and beyond that in proportion to its arithmetic.
The rates are measured on this machine (`calibration`). They order cells and estimate time; no result depends on them.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ssd_cli.running.work import Counts

if TYPE_CHECKING:
    from ssd_cli.running.plan import Plan, PlannedCell

Rates = Mapping[str, Counts]
"""Seconds of one of each, by the name of the rates (`Work.rates`)."""

ASSUMED = Counts(steps=0.01, flops=1e-11, input_flops=2e-12, passes=5e-3, pass_flops=1e-11)
"""Where nothing is measured: 100 billion operations a second, about one core with AVX-512. Cells are ordered by it all the same."""
CELL_SECONDS = 0.05
"""Of a cell beside training and prediction: reading the data, claims, the record, the networks on disk. A cell of LITE on GunPoint
whose network is there already takes 0.07 s with its prediction (AMD EPYC)."""
START_SECONDS = 4.0
"""Of a worker process before its first cell: torch is loaded."""


def price(plan: Plan, rates: Rates) -> Plan:
    """The plan with the cost of every cell.

    Parameters
    ----------
    plan : Plan
    rates : mapping of str to Counts
        What is not in it is assumed.
    """
    groups = defaultdict(list)
    for cell in plan.cells:
        groups[cell.group].append(cell)
    priced = {cell.key: cell for group in groups.values() for cell in _price_group(group, plan.done, rates)}
    return dataclasses.replace(plan, cells=[priced[cell.key] for cell in plan.cells])


def _price_group(cells: list[PlannedCell], done: Mapping[str, str], rates: Rates) -> Iterable[PlannedCell]:
    """The cells of one group, in the order in which they are handed out.

    Each pays for the networks that no cell before it has trained; those of cells that are done lie on the disk. What it saves to
    train the networks of several resamples and seeds in one pass is not known.
    """
    finished = [cell for cell in cells if done.get(cell.key) == "ok"]
    paid = {_network(cell, shared) for cell in finished if cell.work for shared, _ in cell.work.trainings if shared}
    alone = {cell.key: _alone(cell, rates) for cell in cells}
    for cell in reversed(sorted(cells, key=lambda cell: alone[cell.key])):  # as `schedule.Queue` has it, also among equals
        cost = alone[cell.key]
        if cell.work is not None and cell.key not in done:
            for shared, counts in cell.work.trainings:
                if _network(cell, shared) in paid:
                    cost -= counts.times(rates.get(cell.work.rates, ASSUMED))
                elif shared:
                    paid.add(_network(cell, shared))
        yield dataclasses.replace(cell, cost=max(cost, 0.0), alone=alone[cell.key])


def _network(cell: PlannedCell, shared: str) -> tuple[str, int, int]:
    """What tells a network of a group from others."""
    return shared, cell.cell.resample, cell.cell.seed


def _alone(cell: PlannedCell, rates: Rates) -> float:
    """Seconds of a cell that shares with nobody."""
    if cell.work is None:
        return CELL_SECONDS
    mine = rates.get(cell.work.rates, ASSUMED)
    counts = [*(counts for _, counts in cell.work.trainings), cell.work.prediction]
    return CELL_SECONDS + sum(one.times(mine) for one in counts)


def wall_seconds(cells: Iterable[PlannedCell], n_workers: int) -> float:
    """How long workers take for cells that are priced: an even share of all, but never less than the longest cell."""
    costs = [cell.cost for cell in cells]
    return START_SECONDS + max(sum(costs) / n_workers, *costs) if costs else 0.0
