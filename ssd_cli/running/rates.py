"""Measure how fast this machine trains each kind of network, and store the rates in the user's cache."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from ssd_cli.archives.cache import cache_root, write_quietly
from ssd_cli.configuration import digest
from ssd_cli.core.cell_spec import CellSpec, NamedConfiguration
from ssd_cli.core.version import __version__
from ssd_cli.hardware import cpu_model
from ssd_cli.running.executors.base import ReportProgress
from ssd_cli.running.suite import available_cores
from ssd_cli.running.work import Counts, rates_key, step_flops
from ssd_cli.training.build import build_backbone, build_recipe, build_workbench

_BATCHES = (2, 1, 16), (64, 1, 256), (32, 64, 128)
"""Measured batches (cases, channels, time points): one that is almost only overhead, a common one, one with many channels."""
_FLOPS = 5e10
"""Operations of the largest step (Inception on the common batch); larger networks get fewer cases."""
_STEPS, _SECONDS = 7, 0.8
"""Steps of each batch, or as many as fit into this time, but at least two; the first step is not counted."""


@dataclass(frozen=True)
class Measured:
    """Rates of one kind of network: its label, the seconds per unit of each count, the date."""

    label: str
    rates: Counts
    date: str

    @property
    def gigaflops(self) -> float:
        """Billions of operations of the plain network per second of training, also for executions that need fewer operations."""
        return 1e-9 / self.rates.flops


def machine(threads: int, n_workers: int, device: str) -> dict[str, Any]:
    """Return everything except the network that rates depend on; rates of another machine or version are not used."""
    of = {"format": 2, "cpu": cpu_model(), "cores": available_cores(), "torch": version("torch"), "ssd-bench": __version__}
    return of | {"threads": threads, "workers": n_workers, "device": device}


def load(of: Mapping[str, Any]) -> dict[str, Measured]:
    """Return the stored rates of a machine, by name; a damaged file gives no rates."""
    try:
        kept = json.loads(_path(of).read_text(encoding="utf-8"))
        found = {name: Measured(label, Counts(*map(float, rates)), date) for name, (label, rates, date) in kept["rates"].items()}
        whole = all(math.isfinite(rate) and rate >= 0 for one in found.values() for rate in one.rates)
        return found if whole and kept["machine"] == of else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep(of: Mapping[str, Any], found: Mapping[str, Measured]) -> None:
    """Add rates to the stored ones; do nothing if the cache is not writable."""
    rates = {name: list(vars(one).values()) for name, one in (load(of) | dict(found)).items()}
    write_quietly(_path(of), lambda file: file.write(json.dumps({"machine": dict(of), "rates": rates}, indent=1).encode()))


def measure(specs: list[CellSpec], threads: int, report: ReportProgress) -> dict[str, Measured]:
    """Measure the networks of cells, one cell per kind of network; a task for a worker with this many threads."""
    from ssd_cli.running.execute import warm_up

    warm_up(threads)
    found = {}
    for spec in specs:
        report(f"calibrating: {spec.backbone.name}")
        with suppress(Exception):  # a plug-in may refuse these series; the estimate then assumes its rates and reports it
            measured = Measured(spec.backbone.name, rates_of(spec), datetime.now(UTC).date().isoformat())
            found[rates_key(spec, build_recipe(spec).precision)] = measured
    return found


def average(found: list[dict[str, Measured]]) -> dict[str, Measured]:
    """Average rates that several workers measured at once, since workers slow each other down in the run too."""
    names = [name for name in found[0] if all(name in one for one in found)] if found else []
    rates = {name: Counts(*map(statistics.mean, zip(*(one[name].rates for one in found), strict=True))) for name in names}
    return {name: replace(found[0][name], rates=rates[name]) for name in names}


def rates_of(spec: CellSpec) -> Counts:
    """Train on random series, and solve for the seconds per step and per operation."""
    from ssd_cli.core.executions import Execution
    from ssd_cli.engine.planner import longest

    backbone, points = build_backbone(spec), []
    limit = longest(backbone.build(1, 2), Execution.of(spec.execution).convolution)
    for n_cases, n_channels, n_timepoints in _BATCHES:
        length, each = int(min(n_timepoints, limit)), step_flops(backbone, n_channels)
        cases = max(2, int(n_cases * min(1, _FLOPS / (n_cases * length * sum(each)))))
        points.append((*(cases * length * flops for flops in each), step_seconds(spec, (cases, n_channels, length))))
    (few, _, shortest), (many, _, longer), (base, inputs, wide) = points
    operation = max(1e-16, (longer - shortest) / (many - few))
    launch = max(0.0, shortest - operation * few)
    return Counts(launch, operation, max(0.0, wide - launch - operation * base) / max(1.0, inputs))


class _Enough(Exception):
    """Ends the training once enough steps were measured."""


def step_seconds(spec: CellSpec, shape: tuple[int, int, int]) -> float:
    """Measure a training step on a batch of this shape (n_cases, n_channels, n_timepoints) with the code that trains cells."""
    import numpy as np
    import torch

    from ssd_cli.engine.memory import kept_memory
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.objective import CrossEntropy

    # With one thread, processor time excludes the time that other processes use the core.
    clock = time.process_time if spec.device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    marks, started, n_cases = [], time.perf_counter(), shape[0]

    def mark(progress: Any) -> None:
        marks.append(clock())
        if len(marks) > 2 and time.perf_counter() - started > _SECONDS:
            raise _Enough

    X = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    part = TrainingSet(X, np.arange(n_cases) % 2, 2, "random series")
    steps = {"epochs": _STEPS, "schedule": "constant", "keep": "last", "batch_size": n_cases, "batch_divisor": 0}
    recipe = NamedConfiguration(spec.recipe.name, spec.recipe.parameters | steps)
    bench = build_workbench(replace(spec, recipe=recipe, seed=0), part, on_epoch=mark)
    with kept_memory(n_cases * shape[2]), suppress(_Enough):
        bench.train(bench.fresh(), CrossEntropy())
    return statistics.median(after - before for before, after in pairwise(marks))


def _path(of: Mapping[str, Any]) -> Path:
    return cache_root() / "rates" / f"{digest(dict(of))[:32]}.json"
