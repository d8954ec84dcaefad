"""Measure how long work takes, without the time in which this process waits or is stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass

INTERVAL = 1.0
"""Seconds after which `Stopwatch.tick` closes an interval; in longer ones the work of several threads would hide a pause."""

RESOLUTION = 0.02
"""Seconds by which the two clocks of an interval may differ; the processor clock of Windows ticks every 0.0156 s."""


@dataclass(frozen=True)
class Spent:
    """Seconds of some work.

    Parameters
    ----------
    seconds : float
        Time that counts as work: wall time on an accelerator; on a CPU at most the processor time of each interval.
    cpu_seconds, wall_seconds : float
        Processor time of all threads of this process, and wall time.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    @classmethod
    def of(cls, cpu_seconds: float, wall_seconds: float, device: str) -> Spent:
        """Return the seconds of one interval; a device other than the CPU may work while this process sleeps."""
        works_alone = device == "cpu" and wall_seconds > cpu_seconds + RESOLUTION
        return cls(cpu_seconds if works_alone else wall_seconds, cpu_seconds, wall_seconds)

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(mine + its for mine, its in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __mul__(self, factor: float) -> Spent:
        return Spent(*(value * factor for value in vars(self).values()))

    def __sub__(self, other: Spent) -> Spent:
        return self + other * -1.0


class Stopwatch:
    """Counts the seconds since it was made; long work calls `tick` at least every epoch."""

    def __init__(self, device: str) -> None:
        self._device, self._closed, self._since = device, Spent(), _now()

    def tick(self) -> None:
        """Close the interval if it is long enough to be judged."""
        if _now()[1] - self._since[1] >= INTERVAL:
            self.read()

    def read(self) -> Spent:
        """Return all seconds up to now."""
        now = _now()
        self._closed += Spent.of(now[0] - self._since[0], now[1] - self._since[1], self._device)
        self._since = now
        return self._closed


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()
