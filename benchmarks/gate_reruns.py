"""False alarms of the accuracy gate of this repository: the unchanged program, again and again with new seeds.

    python benchmarks/gate_reruns.py [--runs 20] [--first 100] [--out DIR]     > results/reference/reruns.md

Trains the suite of the gate (``benchmarks/gate.yaml``) with the seeds 100 to 119, each a run of its own, where `make gate` trains
three and checks them together; what is finished in DIR is not trained again. Each run is checked against ``results/reference``, on
both sides.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from ssd_cli.leaderboard.collect import collect
from ssd_cli.leaderboard.gate import GateReport, check
from ssd_cli.leaderboard.reference import made_with, read_reference, unfinished

ROOT = Path(__file__).resolve().parents[1]
ALPHA = 0.01


def train(out: Path, seeds: list[int]) -> None:
    """Run the suite with these seeds."""
    listed = ",".join(map(str, seeds)) + ","
    command = [sys.executable, "-m", "ssd_cli", "run", str(ROOT / "benchmarks" / "gate.yaml"), "--seeds", listed, "--out", str(out)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def row(seed: int, report: GateReport) -> str:
    """A line of the table: the verdict, and the tests that came nearest to an alarm on either side."""
    worst = min(report.tests, key=lambda test: test.fall.change / test.fall.tolerance)
    best = max(report.tests, key=lambda test: test.fall.change / test.fall.tolerance)
    shown = [f"{one.where}, {one.score}: {abs(one.fall.change) / one.fall.tolerance:.0%}" for one in (worst, best)]
    return f"| {seed} | {'passed' if report.passed else 'FAILED'} | {shown[0]} | {shown[1]} |"


def main() -> None:
    """Train, check, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first", type=int, default=100, help="seed of the first run")
    parser.add_argument("--out", type=Path, default=Path("gate-reruns"))
    options = parser.parse_args()
    seeds = list(range(options.first, options.first + options.runs))
    train(options.out, seeds)
    reference, cells = read_reference(ROOT / "results" / "reference"), collect([options.out])
    run, broken = made_with(cells), unfinished(cells)
    reports = [check(run[run["seed"] == seed], reference, ALPHA, True, broken[broken["seed"] == seed]) for seed in seeds]
    failed, n_tests = sum(not report.passed for report in reports), len(reports[0].tests)
    print(f"{len(seeds)} unchanged runs with new seeds, one seed each, {n_tests} two-sided tests a run: {failed} failed,")
    print(f"where {ALPHA:.0%} false alarms are stated. How much of the tolerance the largest changes took:\n")
    print("| seed | verdict | worst | best |\n|--:|---|---|---|")
    print("\n".join(row(seed, report) for seed, report in zip(seeds, reports, strict=True)))


if __name__ == "__main__":
    main()
