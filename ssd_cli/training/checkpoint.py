"""Checkpoints: an interrupted training continues from the end of an epoch with the same bits."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssd_cli.engine.batching.graphs import TrainingStep
from ssd_cli.training.averaging import Averager
from ssd_cli.training.schedule import LearningRate
from ssd_cli.training.spec import TrainingSpec
from ssd_cli.training.step import Step
from ssd_cli.training.stopwatch import Spent, Stopwatch

SECONDS = 60.0
"""Seconds between two checkpoints; a shorter training has none. A ResNet's has 8 MB, and takes 0.1 s to write and sync to disk."""

Arrays = Mapping[str, npt.NDArray]
Curve = dict[str, list[float]]


class Checkpoints(Protocol):
    """A store of checkpoints."""

    def load(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Return the last arrays and facts that the same program saved under a key on the same kind of processor, or None."""

    def save(self, key: str, arrays: Arrays, facts: dict[str, Any]) -> None:
        """Save arrays and plain JSON values; they replace earlier ones of the key."""

    def discard(self, key: str) -> None:
        """Delete a key."""


@dataclass
class TrainingState:
    """The state of a training at the end of an epoch. Only the state of a single network can be saved.

    `orders` are the random streams of the batch order, one per network. `best` holds the lowest mean loss of each network, and
    `kept` the weights that had this loss, as returned by `TrainingStep.weights`.
    """

    step: TrainingStep
    orders: Sequence[torch.Generator]
    rates: Sequence[LearningRate]
    averagers: Sequence[Averager] = ()
    epoch: int = 0
    curves: list[Curve] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    kept: dict[str, Tensor] | None = None

    def __post_init__(self) -> None:
        self.curves = self.curves or [{"loss": [], "learning_rate": []} for _ in self.rates]
        self.best = self.best or [math.inf for _ in self.rates]

    def keep_best(self, losses: Sequence[float], wanted: Sequence[bool]) -> None:
        """Keep the current weights of each network that has a new lowest loss, or that keeps its last weights."""
        if not any(wanted):
            return
        better = [not best or loss < lowest for best, loss, lowest in zip(wanted, losses, self.best, strict=True)]
        self.best = [loss if new else lowest for new, loss, lowest in zip(better, losses, self.best, strict=True)]
        now = self.step.weights()
        if self.kept is None or all(better):
            self.kept = {name: value.clone() for name, value in now.items()}
        elif any(better):
            rows = torch.tensor(better, device=self.step.device)
            for name, value in now.items():
                self.kept[name] = torch.where(rows.view(-1, *(1,) * (value.ndim - 1)), value, self.kept[name])

    def arrays(self) -> dict[str, npt.NDArray]:
        """Return all tensors, as ``part/name``."""
        parts = list(self._single.parts())
        parts += [("average", averager.state) for averager in self.averagers]
        parts += [("kept", self.kept)] if self.kept is not None else []
        found = {f"{part}/{name}": value for part, state in parts for name, value in state.items()}
        found |= {f"generator/{number}": stream.get_state() for number, stream in enumerate(self._streams)}
        return {name: np.array(value.detach().cpu()) for name, value in found.items()}

    def facts(self) -> dict[str, Any]:
        """Return everything else as plain JSON values."""
        (curve,), (best,), (rate,) = self.curves, self.best, self.rates
        return {
            "epoch": self.epoch,
            "curve": curve,
            "best": best,
            "learning_rate": rate.value,
            "rates": rate.state(),
            "n_averaged": sum(averager.n_averaged for averager in self.averagers),
        }

    def restore(self, arrays: Arrays, facts: dict[str, Any]) -> None:
        """Restore the state that `arrays` and `facts` describe."""
        parts: dict[str, dict[str, Tensor]] = {}
        for path, value in arrays.items():
            part, _, name = path.partition("/")
            parts.setdefault(part, {})[name] = torch.from_numpy(np.array(value))
        self._single.restore(parts)
        for number, stream in enumerate(self._streams):
            stream.set_state(parts["generator"][str(number)])
        self.rates[0].restore(facts["learning_rate"], facts["rates"])
        for averager in self.averagers:
            averager.state = {name: value.to(self.step.device) for name, value in parts.get("average", {}).items()}
            averager.n_averaged = facts["n_averaged"]
        if "kept" in parts:
            self.kept = {name: value.to(self.step.device) for name, value in parts["kept"].items()}
        self.epoch, self.curves, self.best = facts["epoch"], [facts["curve"]], [facts["best"]]

    def digest(self) -> str:
        """Return the SHA-256 of the network and of its objective's `fingerprint_inputs`; it identifies the start of a training."""
        sha = hashlib.sha256()
        step = self._single
        for value in (*step.network.state_dict().values(), *step.objective.fingerprint_inputs()):
            sha.update(np.ascontiguousarray(value.detach().cpu()).tobytes())
        return sha.hexdigest()

    @property
    def _single(self) -> Step:
        return cast(Step, self.step)

    @property
    def _streams(self) -> list[torch.Generator]:
        return [*self.orders, *self._single.generators]


class Checkpointer:
    """Saves the state of one training, and counts its time including that of earlier processes.

    Without `checkpoints` it only counts the time. `before` holds the seconds of earlier processes, `resumed` their last epoch (0 if
    there were none).
    """

    def __init__(self, checkpoints: Checkpoints | None, key: str, device: str) -> None:
        self._checkpoints, self._key, self._start = checkpoints, key, ""
        self.before = Spent()
        self.resumed = 0
        self.stopwatch = Stopwatch(device)
        self._saved = time.perf_counter()
        self._has_checkpoint = False

    @property
    def spent(self) -> Spent:
        """Seconds of the training up to now."""
        return self.before + self.stopwatch.read()

    def resume(self, state: TrainingState) -> None:
        """Restore the state that an earlier process saved, if it started from the same weights and teachers."""
        if self._checkpoints is None:
            return
        self._start = state.digest()
        arrays, facts = self._checkpoints.load(self._key) or ({}, {})
        if facts and facts["start"] == self._start:
            state.restore(arrays, facts)
            self.before, self.resumed = Spent(*facts["seconds"]), state.epoch
            self._has_checkpoint = True

    def after_epoch(self, state: TrainingState, stop: int) -> None:
        """Save a checkpoint periodically and at the end, so that the next training of the cell can resume."""
        if self._checkpoints is None:
            return
        now = time.perf_counter()
        if now - self._saved >= SECONDS or (self._has_checkpoint and state.epoch == stop):
            facts = {**state.facts(), "seconds": list(vars(self.spent).values()), "start": self._start}
            self._checkpoints.save(self._key, state.arrays(), facts)
            self._saved, self._has_checkpoint = now, True

    def discard(self) -> None:
        """Delete the checkpoint."""
        if self._checkpoints is not None:
            self._checkpoints.discard(self._key)


def resumable(spec: TrainingSpec) -> bool:
    """Return whether a checkpoint holds all state of a training; ``resumable`` of a class does not apply to its subclasses."""
    parts: Iterable[Any] = (getattr(spec.network, "inner", spec.network), spec.objective, spec.averager)
    return all(vars(type(part)).get("resumable", False) for part in parts if part is not None)
