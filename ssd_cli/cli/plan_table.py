"""What ``ssd-bench run --dry-run`` shows: the cells of a plan, their state and their cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssd_cli.cli.console import duration, plural, say, table
from ssd_cli.errors import shortened

if TYPE_CHECKING:
    from ssd_cli.running.estimate import Estimate
    from ssd_cli.running.plan import Plan, PlannedCell

SHOWN_CELLS = 60
_SHOWN_ABSENT = 10


def show_plan(expected: Estimate, download: bool = True) -> None:
    """Print the cells, or the methods where there are many, what they will take, and what is not on this machine."""
    plan = expected.plan
    if len(plan.cells) <= SHOWN_CELLS:
        header, rows = _every_cell(plan)
    else:
        header, rows = _every_method(plan)
    table(header, rows)
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
