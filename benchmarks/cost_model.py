"""Estimated against measured time of cells, on ten datasets: whether `ssd-bench run --dry-run` tells the truth.

    python benchmarks/cost_model.py --out results/speed       # calibrates, then trains for some minutes; wants a quiet machine
    python benchmarks/cost_model.py --quick                   # a look, in a minute

The rates are measured anew, as the first `--dry-run` on a machine does. Then all cells are run by the command's own workers, short
recipes instead of long ones: fewer epochs make what is not training weigh more, so the estimate has it harder than in a real run.
Measured is the time of each cell on its worker, from claim to record. The data of four sets come with aeon, those of the others
from $SSD_BENCH_DATA. Quotients are estimated over measured: above 1 the run was faster than told. A network that cells of several
methods share is paid for by one of them; which one, workers settle between them, so quotients by method say less.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from machine import describe, sentence

BACKBONES = ("inception", "resnet", "fcn", "lite")
METHODS = ("single", "ens-avg[members=2]", "kd", "ssd")
SUITES = (
    (("ItalyPowerDemand", "Chinatown", "GunPoint", "BasicMotions", "NATOPS"), 20),
    (("SyntheticControl", "FingerMovements", "Trace", "HouseTwenty", "ACSF1"), 3),
)
"""Datasets and epochs: from 20 cases of 24 steps to 100 of 1460, up to 28 channels."""
ALLOWED = 1.5


class Cell(NamedTuple):
    """One cell's estimate and what it took."""

    dataset: str
    method: str
    backbone: str
    estimated: float
    measured: float


class Run(NamedTuple):
    """One suite."""

    epochs: int
    estimated: float
    measured: float
    calibration: float


def main() -> None:
    """Calibrate, run and compare."""
    options = read_options()
    machine = describe()
    cells, runs, rates = [], [], ""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SSD_BENCH_CACHE"] = str(Path(folder) / "cache")
        for number, (datasets, epochs) in enumerate(SUITES):
            chosen = datasets[:1] if options.quick else datasets
            found, run, told = one_run(chosen, 1 if options.quick else epochs, Path(folder) / str(number), options.workers)
            cells += found
            runs.append(run)
            rates = rates or told
    lines = [__doc__ or "", sentence(machine), f"Command: {machine['command']}", "", *report(cells, runs), "", rates]
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "cost_model.txt").write_text(text + "\n")


def one_run(datasets: tuple[str, ...], epochs: int, out: Path, workers: int) -> tuple[list[Cell], Run, str]:
    """Estimate a suite, run it, and tell the rates."""
    from ssd_cli.running.board import Silent
    from ssd_cli.running.estimate import estimate
    from ssd_cli.running.local import LocalRun
    from ssd_cli.running.pool import Pool
    from ssd_cli.running.resume import plan_and_look
    from ssd_cli.running.suite import Suite
    from ssd_cli.running.worker import Settings

    cells: list[Cell] = []

    class Clock(Silent):
        def finished(self, planned: Any, outcome: Any, board: Any) -> None:
            assert outcome.status == "ok", outcome.reason
            cell = planned.cell
            cells.append(Cell(cell.dataset, cell.method, cell.backbone, planned.cost, outcome.seconds))

    recipe = f"fast[epochs={epochs}]"
    suite = Suite(
        dataset=datasets, method=METHODS, backbone=BACKBONES, recipe=recipe, workers=workers, device="cpu", out=out, download=False
    )
    with Pool(Settings(1)) as pool:
        expected = estimate(pool.call(plan_and_look, suite, False), suite, pool)
    with Pool(Settings(1)) as pool:
        started = time.perf_counter()
        LocalRun(expected.plan, suite, pool, Clock()).run()
        wall = time.perf_counter() - started
    told = ", ".join(f"{one.label} {one.gigaflops:.0f} ({one.seconds:.1f} s)" for one in expected.measured)
    rates = f"Rates in billion operations a second, and what measuring took, with {workers} workers at once: {told}."
    return cells, Run(epochs, expected.wall_seconds, wall, expected.calibration_seconds), rates


def report(cells: list[Cell], runs: list[Run]) -> list[str]:
    """Tables by dataset, by backbone and by method, and the runs as wholes."""
    lines = [f"Calibration: {sum(run.calibration for run in runs):.1f} s in all, worker processes started and torch loaded."]
    groupings: Iterable[tuple[str, Callable[[Cell], str]]] = (
        ("dataset", lambda cell: cell.dataset),
        ("backbone", lambda cell: cell.backbone),
        ("method", lambda cell: cell.method),
    )
    for title, of in groupings:
        sums: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        for cell in cells:
            for i, value in enumerate((1, cell.estimated, cell.measured)):
                sums[of(cell)][i] += value
        lines += ["", f"{title:<20}{'cells':>6}{'estimated s':>13}{'measured s':>12}{'quotient':>10}"]
        lines += [f"{name:<20}{n:>6.0f}{e:>13.1f}{m:>12.1f}{e / m:>10.2f}" for name, (n, e, m) in sums.items()]
        if title == "dataset":
            within = sum(1 / ALLOWED <= estimated / measured <= ALLOWED for _, estimated, measured in sums.values())
            lines.append(f"Within a factor of {ALLOWED}: {within} of {len(sums)} datasets.")
    lines += ["", f"{'whole run':<20}{'':>6}{'estimated s':>13}{'measured s':>12}{'quotient':>10}"]
    for run in runs:
        name = f"{run.epochs} epochs"
        lines.append(f"{name:<20}{'':>6}{run.estimated:>13.1f}{run.measured:>12.1f}{run.estimated / run.measured:>10.2f}")
    return lines


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one dataset of each suite, one epoch")
    parser.add_argument("--out", type=Path, help="folder for cost_model.txt")
    return parser.parse_args()


if __name__ == "__main__":
    main()
