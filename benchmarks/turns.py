"""Columns of a benchmark that take turns: every round in another order, so that a drift of the machine meets all of them alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

Round = dict[str, float]
"""Milliseconds of each column."""
STEPS_OF_A_TURN = 20_000
"""Cases times time steps that a turn is about."""


def steps_of(n_values: int) -> int:
    """How often a turn repeats what costs `n_values` cases times time steps: 1 to 20."""
    return max(1, min(20, round(STEPS_OF_A_TURN / n_values)))


def turn(step: Callable[[], object], steps: int) -> tuple[float, float]:
    """Median wall and CPU time of a step in milliseconds, after one that is not counted."""
    walls, cpus = [], []
    for i in range(steps + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        if i:
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
    return statistics.median(walls) * 1e3, statistics.median(cpus) * 1e3


def take_turns(columns: Mapping[str, Callable[[], object]], steps: int, rounds: int) -> list[Round]:
    """Wall time of a step of every column, round by round."""
    return [{name: turn(columns[name], steps)[0] for name in random.sample(list(columns), len(columns))} for _ in range(rounds)]


def milliseconds(rounds: Sequence[Round], column: str) -> float:
    """Median over rounds."""
    return statistics.median(each[column] for each in rounds)


def quotient(rounds: Sequence[Round], a: str, b: str) -> float:
    """Median of the rounds' quotients of two columns."""
    return statistics.median(each[a] / each[b] for each in rounds)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells in columns, right-aligned."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
