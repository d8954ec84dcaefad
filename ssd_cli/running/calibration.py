"""How fast this machine is: the rates of `cost_model`, measured in seconds and kept for the next time.

They are kept in the user's cache by machine, version of torch, threads and number of workers that compute at once. Another machine
or another torch never finds them, and what is lost or damaged is measured again.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ssd_cli.archives.cache import cache_root, write_quietly
from ssd_cli.configuration import digest
from ssd_cli.core.cell_spec import NamedConfiguration
from ssd_cli.core.version import __version__
from ssd_cli.hardware import cpu_model
from ssd_cli.running.suite import available_cores
from ssd_cli.running.work import Counts, rates_key
from ssd_cli.training.build import build_backbone, build_recipe, build_workbench

if TYPE_CHECKING:
    from ssd_cli.core.cell_spec import CellSpec

_FORMAT = 1


class Batch(NamedTuple):
    """Shape of what is measured."""

    n_cases: int
    n_channels: int
    n_timepoints: int


class Times(NamedTuple):
    """Seconds of a training step, and of the prediction of its batch."""

    step: float
    prediction: float


_BATCHES = Batch(2, 1, 16), Batch(64, 1, 256), Batch(32, 64, 128)
"""Nearly nothing but overhead; a common one; one of many channels."""
_FLOPS = 5e10
"""Operations of the largest step that is measured, Inception's on the common batch; larger networks get fewer cases."""
_STEPS, _SECONDS = 7, 0.8
"""Of each batch so many steps, or as many as fit into this time, but at least two; the first is not counted."""


@dataclass(frozen=True)
class Measured:
    """Rates of one kind of network.

    Parameters
    ----------
    label : str
        For people: the backbone.
    rates : Counts
        Seconds of one of each.
    seconds : float
        That measuring took.
    date : str
    """

    label: str
    rates: Counts
    seconds: float
    date: str

    @property
    def gigaflops(self) -> float:
        """Operations of the plain network that training gets through in a second, in billions; a fast execution needs fewer."""
        return 1e-9 / self.rates.flops


def machine(threads: int, n_workers: int, device: str) -> dict[str, Any]:
    """All that rates depend on beside the network."""
    return {
        "format": _FORMAT,
        "cpu": cpu_model(),
        "cores": available_cores(),
        "torch": version("torch"),
        "ssd-bench": __version__,
        "threads": threads,
        "workers": n_workers,
        "device": device,
    }


def load(of: Mapping[str, Any]) -> dict[str, Measured]:
    """The rates that are kept for a machine, by name; what cannot be read is not there."""
    try:
        kept = json.loads(_path(of).read_text(encoding="utf-8"))
        if kept["machine"] != of:
            return {}
        return {name: _measured(entry) for name, entry in kept["rates"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep(of: Mapping[str, Any], found: Mapping[str, Measured]) -> None:
    """Add rates to those that are kept; where the cache cannot be written nothing happens."""
    entries = {name: vars(one) | {"rates": list(one.rates)} for name, one in (load(of) | dict(found)).items()}
    text = json.dumps({"machine": dict(of), "rates": entries}, indent=1)
    write_quietly(_path(of), lambda file: file.write(text.encode()))


def measure(specs: list[CellSpec], threads: int, tell: Callable[[Any], None]) -> dict[str, Measured]:
    """Measure the networks of some cells; a task for a worker.

    Parameters
    ----------
    specs : list of CellSpec
        Of cells, one for each kind of network.
    threads : int
        Of this worker.
    tell : callable
        Told what is being measured.

    Returns
    -------
    dict of str to Measured
    """
    from ssd_cli.running.execute import warm_up

    warm_up(threads)
    found = {}
    for spec in specs:
        label = spec.backbone.name
        tell(f"calibrating: {label}")
        started, precision = time.perf_counter(), build_recipe(spec).precision
        try:
            rates = rates_of(spec)
        except Exception:  # a plug-in that cannot take these series: its rates are assumed, and the estimate says so
            continue
        date = datetime.now(UTC).date().isoformat()
        found[rates_key(spec, precision)] = Measured(label, rates, time.perf_counter() - started, date)
    return found


def rates_of(spec: CellSpec) -> Counts:
    """Train and predict random series, and solve for what a step and an operation take.

    Parameters
    ----------
    spec : CellSpec

    Returns
    -------
    Counts
        Seconds of one of each.
    """
    from ssd_cli.core.executions import Execution
    from ssd_cli.engine.planner import longest
    from ssd_cli.running.work import step_flops

    def flops(batch: Batch, n_channels: int | None = None) -> float:
        return batch.n_cases * batch.n_timepoints * step_flops(backbone, n_channels or batch.n_channels)

    backbone = build_backbone(spec)
    limit = longest(backbone.build(1, 2), Execution.of(spec.execution).convolution)  # where the execution is planned
    batches = [batch._replace(n_timepoints=int(min(batch.n_timepoints, limit))) for batch in _BATCHES]
    batches = [batch._replace(n_cases=max(2, int(batch.n_cases * min(1, _FLOPS / flops(batch))))) for batch in batches]
    (small, large, wide) = [_times(spec, batch) for batch in batches]
    few, many, with_inputs = map(flops, batches)
    launch, operation = _line((few, small.step), (many, large.step))
    one_channel = flops(batches[2], 1)
    input_operation = max(0.0, wide.step - launch - operation * one_channel) / max(1.0, with_inputs - one_channel)
    start, predicted = _line((few / 3, small.prediction), (many / 3, large.prediction))  # a third of a step is forward
    return Counts(launch, operation, input_operation, start, predicted)


def _line(low: tuple[float, float], high: tuple[float, float]) -> tuple[float, float]:
    """Height at 0, not below it, and slope of the line through two points."""
    slope = max(1e-16, (high[1] - low[1]) / (high[0] - low[0]))
    return max(0.0, low[1] - slope * low[0]), slope


def _times(spec: CellSpec, batch: Batch) -> Times:
    """Measure a batch by the very code that trains and predicts cells."""
    import numpy as np
    import torch

    from ssd_cli.engine.memory import kept_memory
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.objective import CrossEntropy
    from ssd_cli.training.predict import freeze, predict_proba
    from ssd_cli.training.recipe import Recipe

    # Other processes take turns on the cores; with one thread, processor time does not count their turns.
    clock = time.process_time if spec.device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    marks: list[float] = []

    def mark(progress: Any) -> None:
        marks.append(clock())
        if len(marks) > 2 and time.perf_counter() - started > _SECONDS:
            raise _Enough

    X = np.random.default_rng(0).standard_normal(batch, dtype=np.float32)
    part = TrainingSet(X, np.arange(batch.n_cases) % 2, 2, "random series")
    constant = Recipe(epochs=_STEPS, schedule="constant", keep="last", batch_size=batch.n_cases, batch_divisor=0).for_backbone("")
    parameters = constant.identity() | {"precision": build_recipe(spec).precision}
    measured = replace(spec, recipe=NamedConfiguration("fast", parameters), seed=0)
    bench = build_workbench(measured, part, on_epoch=mark)
    network, predictions, started = bench.fresh(), [], time.perf_counter()
    with kept_memory(batch.n_cases * batch.n_timepoints):
        with suppress(_Enough):
            bench.train(network, CrossEntropy())
        freeze(network)
        for _ in range(3):
            before = clock()
            predict_proba(network, X)
            predictions.append(clock() - before)
    return Times(statistics.median(after - before for before, after in pairwise(marks)), min(predictions))


class _Enough(Exception):
    """Enough steps were measured."""


def average(found: list[dict[str, Measured]]) -> dict[str, Measured]:
    """Rates that several workers measured at the same time: they slow each other down, as they will in the run."""
    merged = {}
    for name, first in found[0].items():
        if not all(name in one for one in found):
            continue
        rates = Counts(*(statistics.mean(column) for column in zip(*(one[name].rates for one in found), strict=True)))
        merged[name] = Measured(first.label, rates, max(one[name].seconds for one in found), first.date)
    return merged


def _measured(entry: dict[str, Any]) -> Measured:
    rates = Counts(*map(float, entry["rates"]))
    if not all(math.isfinite(rate) and rate >= 0 for rate in rates) or len(entry["rates"]) != len(rates):
        raise ValueError("not rates")
    return Measured(str(entry["label"]), rates, float(entry["seconds"]), str(entry["date"]))


def _path(of: Mapping[str, Any]) -> Path:
    return cache_root() / "rates" / f"{digest(dict(of))[:32]}.json"
