"""Run ssd-bench through its command line, in this checkout or another one, and compare the records.

Only the command line, the format of records and `textbook.py` are used, so that one program measures every version of the package.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
STEPS = 300_000
"""Cases × time steps × epochs of a timed training, which takes about two seconds."""
Values = dict[str, float]
"""Measured values by the name of the measurement."""


class Usage(NamedTuple):
    """Resources of a process: wall and processor seconds, peak memory in MB."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True)
class Checkout:
    """A working tree of the package.

    Parameters
    ----------
    folder : Path
    """

    folder: Path = HERE.parent

    def run(self, *arguments: object, **environment: str) -> Usage:
        """Run ``ssd-bench`` with these arguments; raise RuntimeError with its message if it fails."""
        return timed([sys.executable, "-m", "ssd_cli", *map(str, arguments)], self.folder, environment)


def timed(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Usage:
    """Run a command with `folder` first on the module path, and measure it."""
    variables = os.environ | {"PYTHONPATH": str(folder)} | dict(environment)
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)}\n{output.read()[-2000:].decode(errors='replace')}")
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB, on macOS in bytes
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e6)


def write_noise(folder: Path, shapes: Iterable[str], n_classes: int = 2) -> None:
    """Write a dataset of noise for each shape: "64x150", or "40x100x6" with channels."""
    for shape in shapes:
        n_cases, n_timepoints, n_channels = [*map(int, shape.split("x")), 1][:3]
        (folder / shape).mkdir(parents=True, exist_ok=True)
        for part, size in (("TRAIN", n_cases), ("TEST", 2 * n_classes)):
            X = np.random.default_rng(0).standard_normal((size, n_channels, n_timepoints)).astype(np.float32)
            np.savez(folder / shape / f"{shape}_{part}.npz", X=X, y=np.arange(size) % n_classes)


def epochs_of(shape: str, quick: bool) -> int:
    """Return the epochs of a timed training: 3 to 60, or 1 if `quick`."""
    n_cases, n_timepoints = map(int, shape.split("x")[:2])
    return 1 if quick else max(3, min(60, round(STEPS / (n_cases * n_timepoints))))


def recipe(epochs: int, more: str = "") -> str:
    """Return the label of the recipe of a timed training, with batches of 64 as in the other programs."""
    return f"fast[epochs={epochs},batch_size=64,batch_divisor=0{more}]"


def train(checkout: Checkout, data: Path, dataset: str, **options: object) -> list[dict[str, Any]]:
    """Train by ``ssd-bench run`` with these options (tuples are given several times) and return the records."""
    chosen = {"dataset": dataset, "workers": 1, **options}
    pairs = [(name, one) for name, value in chosen.items() for one in (value if isinstance(value, tuple) else (value,))]
    with tempfile.TemporaryDirectory(prefix="speed-") as out:
        words = [word for name, value in pairs for word in (f"--{name}", value)]
        checkout.run("run", *words, "--data-dir", data, "--out", out, "--no-download", "--discard-networks", SSD_BENCH_CACHE=out)
        records = [json.loads(path.read_bytes()) for path in sorted(Path(out).glob("seed*/*/Predictions/*/*.json"))]
    for record in records:
        if record["status"] != "ok":
            raise RuntimeError(f"{record['cell']}: {record['status']}: {record['reason']}")
    return records


def step_ms(curve: Mapping[str, Any], wall: bool = False) -> float:
    """Return the milliseconds of a training step, from a curve of a record.

    Processor time is the default, since other programs disturb it less. Use wall time with several threads or a GPU.
    """
    return 1000 * curve["fit_seconds" if wall else "cpu_seconds"] / curve["steps"]


def textbook(data: Path, shape: str, backbone: str, quick: bool = False) -> tuple[float, float]:
    """Train the textbook's network in a process; return the milliseconds of a step (processor time) and its peak memory in MB."""
    words = [str(data / shape / f"{shape}_TRAIN.npz"), backbone, str(epochs_of(shape, quick))]
    done = subprocess.run(
        [sys.executable, str(HERE / "textbook.py"), *words], check=True, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    milliseconds, peak = json.loads(done.stdout)
    return milliseconds, peak


def own_peak_mb() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def take_turns(columns: Mapping[str, Callable[[], Values]], rounds: int) -> list[dict[str, Values]]:
    """Measure every column in every round, each round in a random order, so that a drift of the machine affects all columns."""
    return [{name: columns[name]() for name in random.sample(list(columns), len(columns))} for _ in range(rounds)]


def table(turns: Sequence[Mapping[str, Values]], columns: Iterable[str], base: str | None, unit: str, what: str = "") -> str:
    """Return a table: medians over rounds, and medians of the rounds' ratios to the column `base`."""
    names = list(columns)
    others = [name for name in names if base is not None and name != base]
    lines = [[what, *(f"{name} {unit}".strip() for name in names), *(f"{name}/{base}" for name in others)]]
    for key in turns[0][names[0]]:
        medians = [statistics.median(turn[name][key] for turn in turns) for name in names]
        ratios = [statistics.median(turn[name][key] / turn[str(base)][key] for turn in turns) for name in others]
        lines.append(
            [key, *(f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in medians), *(f"{r:.2f}" for r in ratios)]
        )
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as columns; the first column is aligned to the left."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    rows = ([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))] for line in lines)
    return "\n".join("  ".join(row).rstrip() for row in rows)
