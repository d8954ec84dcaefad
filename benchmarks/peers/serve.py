"""Train on request and answer with the seconds of every epoch: the libraries' side of peers.py.

One process serves one library in the environment of that library (standard library and numpy only). Jobs and answers are lines of
JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

_FEW = 16
"""Cases of the training that warms a process up."""
Laps = dict[str, list[float]]
"""Seconds of every epoch, by the column of the table (one training may fill two columns)."""


class Stopwatch:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: list[float] = []
        self.start()

    def start(self) -> None:
        """Begin a lap now."""
        self._began = time.perf_counter()

    def lap(self, *_: Any) -> None:
        """End a lap and begin the next."""
        now = time.perf_counter()
        self.laps.append(now - self._began)
        self._began = now


def serve(
    fit: Callable[[str, np.ndarray, np.ndarray, int, int], Laps],
    networks: tuple[str, ...],
    packages: tuple[str, ...],
    *,
    prepares: bool = False,
) -> None:
    """Announce the networks; then, until standard input ends: read a job, warm up, wait for the start, train, answer.

    Parameters
    ----------
    fit : callable
        ``fit(network, X, y, batch_size, epochs)`` trains a new network and returns the seconds of every epoch by column.
    networks : tuple of str
        Names of the networks that the library has.
    packages : tuple of str
        Distributions whose versions are reported.
    prepares : bool
        Whether the first epoch of every training contains preparations (tracing a graph, compiling): then one epoch more is
        trained, and the first is dropped. Otherwise a training on a few of the cases warms the process up.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)  # what libraries print must not mix with the answers
    os.dup2(2, 1)
    print(json.dumps({"networks": networks, "versions": _versions(packages)}), file=answers)
    warm: set[tuple[Any, ...]] = set()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            with np.load(job["data"]) as data:
                X, y = data["X"], data["y"]
            batch, epochs = job["batch_size"], job["epochs"]
            kind = (job["network"], X.shape, batch)
            if not prepares and kind not in warm:
                few = np.linspace(0, len(y) - 1, min(len(y), _FEW)).astype(int)
                fit(job["network"], X[few], y[few], batch, 1)
                warm.add(kind)
            print(json.dumps({"ready": True}), file=answers)
            sys.stdin.readline()  # all processes of a team start together
            laps = fit(job["network"], X, y, batch, epochs + prepares)
            laps = {column: seconds[prepares:] for column, seconds in laps.items()}
            print(json.dumps({"laps": laps}), file=answers)
        except Exception as error:  # the benchmark goes on without this library and reports why
            traceback.print_exc()
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
