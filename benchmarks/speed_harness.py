"""What a run of the tool takes beside training: of a cell in a warm worker, and of a whole command with one worker and with two.

    python benchmarks/speed_harness.py --out results/speed

A cell is `running.execute.execute` of `single` on GunPoint under the recipe `fast`: claim, data, training, test set, costs, network
file, record. Counted as work: forward passes with their losses, backward passes and optimiser steps of the training, timed by
wrapping these three calls. All else is overhead: batches, sums, curves, progress and the learning rate's schedule ("loop"); the
prediction of the test set; the measurement of parameters, operations and latency ("costs"); data, identity, files, threads that
watch ("rest"). The process has trained before, so that nothing is imported or read for the first time; start-up is in the second
table.

A whole command is `ssd-bench run` with one cell a seed, from its start to its end, start-up of processes included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from machine import describe, sentence
from turns import aligned

import ssd_cli.costs
import ssd_cli.methods.base
import ssd_cli.training.workbench
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.plan import make_plan
from ssd_cli.running.suite import Suite
from ssd_cli.training.objective import CrossEntropy

DATASET = "GunPoint"
CALLS = {
    "forward": (CrossEntropy, "losses"),
    "backward": (torch.Tensor, "backward"),
    "optimiser": (torch.optim.Adam, "step"),
    "loop": (ssd_cli.training.workbench, "train"),
    "test set": (ssd_cli.methods.base, "predict_proba"),
    "costs": (ssd_cli.costs, "measure"),
}
"""Whose seconds are measured; "loop" holds the first three."""
WORK = ("forward", "backward", "optimiser")
WAYS = ((1, 1), (2, 1), (1, 2))
"""Workers and threads of each."""


@contextmanager
def stopwatches(clock: Callable[[], float]) -> Iterator[Counter[str]]:
    """Seconds spent in each of `CALLS`."""
    seconds: Counter[str] = Counter()
    before = {name: getattr(owner, attribute) for name, (owner, attribute) in CALLS.items()}

    def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            started = clock()
            try:
                return call(*arguments, **options)
            finally:
                seconds[name] += clock() - started

        return wrapped

    try:
        for name, (owner, attribute) in CALLS.items():
            setattr(owner, attribute, timed(name, before[name]))
        yield seconds
    finally:
        for name, (owner, attribute) in CALLS.items():
            setattr(owner, attribute, before[name])


def cells(backbone: str, recipe: str, n_seeds: int, clock: Callable[[], float]) -> list[Counter[str]]:
    """Seconds of cells, one seed after another, each split by what took them."""
    measured = []
    with tempfile.TemporaryDirectory(prefix="speed-harness-") as folder:
        suite = Suite(
            dataset=(DATASET,),
            method=("single",),
            backbone=(backbone,),
            recipe=recipe,
            seeds=tuple(range(n_seeds)),
            out=Path(folder),
            download=False,
        )
        for planned in make_plan(suite, dry_run=True).cells:
            with stopwatches(clock) as seconds:
                started = clock()
                outcome = execute(Job(planned, suite.out), lambda progress: None)
                seconds["cell"] = clock() - started
            if outcome.status != "ok":
                raise SystemExit(f"{planned.cell}: {outcome.status}: {outcome.reason}")
            measured.append(seconds)
    return measured


def cell_row(backbone: str, measured: list[Counter[str]]) -> tuple[str, ...]:
    """Medians over seeds: seconds of the cell, shares of what is no work."""

    def share(seconds_of: Callable[[Counter[str]], float]) -> str:
        return f"{median(seconds_of(each) / each['cell'] for each in measured):.2%}"

    def work(each: Counter[str]) -> float:
        return sum(each[name] for name in WORK)

    return (
        backbone,
        f"{median(each['cell'] for each in measured):.2f}",
        share(lambda each: each["cell"] - work(each)),
        share(lambda each: each["loop"] - work(each)),
        share(lambda each: each["test set"]),
        share(lambda each: each["costs"]),
        share(lambda each: each["cell"] - each["loop"] - each["test set"] - each["costs"]),
    )


def command_seconds(backbone: str, n_seeds: int, workers: int, threads: int) -> float:
    """Seconds of a whole command."""
    with tempfile.TemporaryDirectory(prefix="speed-harness-") as folder:
        options = {"dataset": DATASET, "method": "single", "backbone": backbone, "recipe": "fast", "seeds": n_seeds}
        options |= {"workers": workers, "threads": threads, "out": folder}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "ssd_cli", "run", *words, "--no-download"], check=True, capture_output=True)
        return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3, help="cells of the first table, each a seed")
    parser.add_argument("--commands", default="inception=2,lite=4", help="backbones and numbers of cells of the second table")
    parser.add_argument("--cpu", action="store_true", help="CPU time in the first table, for a machine that others use")
    parser.add_argument("--quick", action="store_true", help="the first table, of LITE, by one seed")
    parser.add_argument("--out", type=Path, help="folder for harness.txt")
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine, clock = describe(), time.process_time if options.cpu else time.perf_counter
    lines: list[tuple[str, ...]] = [("backbone", "cell s", "all overhead", "loop", "test set", "costs", "rest")]
    for backbone in ("lite",) if options.quick else ("inception", "lite"):
        cells(backbone, "smoke", 1, clock)
        lines.append(cell_row(backbone, cells(backbone, "fast", 1 if options.quick else options.seeds, clock)))
        print(*lines[-1], flush=True)
    tables = [f"A cell, median of {options.seeds} seeds, one thread, {'CPU' if options.cpu else 'wall'} time\n\n{aligned(lines)}"]
    if not options.quick and options.commands:
        head = ["backbone", "cells", *(f"{workers} x {threads} threads, s" for workers, threads in WAYS)]
        rows = [[*head, "2 x 1 over 1 x 1", "2 x 1 over 1 x 2"]]
        for backbone, n_seeds in (part.split("=") for part in options.commands.split(",")):
            one, two, threaded = (command_seconds(backbone, int(n_seeds), *way) for way in WAYS)
            times = [f"{seconds:.1f}" for seconds in (one, two, threaded)]
            rows.append([backbone, n_seeds, *times, f"{one / two:.2f}", f"{threaded / two:.2f}"])
            print(*rows[-1], flush=True)
        tables.append(f"Whole commands, workers x threads of each\n\n{aligned(rows)}")
    head_lines = f"{machine['command']}\n{sentence(machine)}\ntorch {torch.__version__}"
    text = "\n\n".join([(__doc__ or "").strip(), head_lines, *tables]) + "\n"
    print("\n" + text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "harness.txt").write_text(text)


if __name__ == "__main__":
    main()
