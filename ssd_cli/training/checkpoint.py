"""A training that was cut off goes on where it last stood at the end of an epoch, with the bits it would have had anyway."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

if TYPE_CHECKING:
    from ssd_cli.training.loop import Averager, Curve
    from ssd_cli.training.objective import Objective

SECONDS = 60.0
"""Between two checkpoints; a shorter training has none. One of a ResNet has 8 MB and takes a tenth of a second, synced to disk."""

Arrays = Mapping[str, npt.NDArray]


class Checkpoints(Protocol):
    """Where states of trainings are kept."""

    def load(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Return what was last saved under a key by a program and a processor like these."""

    def save(self, key: str, arrays: Arrays, facts: dict[str, Any]) -> None:
        """Keep arrays and plain JSON values in the place of what the key had before."""

    def discard(self, key: str) -> None:
        """Forget a key."""


@dataclass
class TrainingState:
    """Where a training stands at the end of an epoch: all that decides how it goes on.

    Parameters
    ----------
    modules : nn.Module
        The network.
    trainable : nn.Module or None
        What is trained beside it.
    optimiser : Optimizer
    rates : LRScheduler
    generators : list of Generator
        All random streams of the training.
    averager : Averager or None
    epoch : int
        The last that is finished.
    curve : dict
    best : float
        Lowest mean loss, and
    kept : state dict or None
        the weights that had it, where the schedule keeps them.
    """

    modules: nn.Module
    trainable: nn.Module | None
    optimiser: torch.optim.Optimizer
    rates: LRScheduler | ReduceLROnPlateau
    generators: list[torch.Generator]
    averager: Averager | None
    epoch: int = 0
    curve: Curve = field(default_factory=lambda: {"loss": [], "learning_rate": []})
    best: float = math.inf
    kept: dict[str, Tensor] | None = None

    def arrays(self) -> dict[str, npt.NDArray]:
        """All tensors, as ``part/name``."""
        parts = [*self._parts(), *((f"optimiser {i}", self.optimiser.state[one]) for i, one in enumerate(self._parameters()))]
        found = {f"{part}/{name}": value for part, state in parts for name, value in state.items()}
        found |= {f"generator/{i}": one.get_state() for i, one in enumerate(self.generators)}
        return {name: np.array(value.detach().cpu()) for name, value in found.items()}

    def facts(self) -> dict[str, Any]:
        """All else: plain JSON values."""
        return {
            "epoch": self.epoch,
            "curve": self.curve,
            "best": self.best,
            "learning_rate": self.optimiser.param_groups[0]["lr"],
            "rates": self.rates.state_dict(),
            "n_averaged": self.averager.n_averaged if self.averager else 0,
        }

    def restore(self, arrays: Arrays, facts: dict[str, Any]) -> None:
        """Stand where `arrays` and `facts` were taken; the network keeps its tensors, which other executions share."""
        parts: dict[str, dict[str, Tensor]] = {}
        for path, value in arrays.items():
            part, _, name = path.partition("/")
            parts.setdefault(part, {})[name] = torch.from_numpy(np.array(value))
        self.modules.load_state_dict(parts["network"])
        if self.trainable is not None:
            self.trainable.load_state_dict(parts.get("trainable", {}))
        for i, parameter in enumerate(self._parameters()):
            state = parts.get(f"optimiser {i}", {})  # nothing of what never had a gradient
            self.optimiser.state[parameter] = {name: value.to(parameter.device) for name, value in state.items()}
        self.optimiser.param_groups[0]["lr"] = facts["learning_rate"]
        self.rates.load_state_dict(facts["rates"])
        for i, generator in enumerate(self.generators):
            generator.set_state(parts["generator"][str(i)])
        device = next(self.modules.parameters()).device
        if self.averager is not None:
            self.averager.state = {name: value.to(device) for name, value in parts.get("average", {}).items()}
            self.averager.n_averaged = facts["n_averaged"]
        self.kept = {name: value.to(device) for name, value in parts["kept"].items()} if "kept" in parts else None
        self.epoch, self.curve, self.best = facts["epoch"], facts["curve"], facts["best"]

    def digest(self, given: Iterable[Tensor]) -> str:
        """SHA-256 of the network as it stands, and of what the objective was given: by its start a training is known again."""
        sha = hashlib.sha256()
        for value in (*self.modules.state_dict().values(), *given):
            sha.update(np.ascontiguousarray(value.detach().cpu()).tobytes())
        return sha.hexdigest()

    def _parts(self) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
        yield "network", self.modules.state_dict()
        if self.trainable is not None:
            yield "trainable", self.trainable.state_dict()
        if self.averager is not None:
            yield "average", self.averager.state
        if self.kept is not None:
            yield "kept", self.kept

    def _parameters(self) -> list[Tensor]:
        return list(self.optimiser.param_groups[0]["params"])


class Checkpointer:
    """Keeps where one training stands, and how long it has taken, those parts included that an earlier process did.

    Parameters
    ----------
    checkpoints : Checkpoints or None
        None: only the time is kept.
    key : str

    Attributes
    ----------
    before : tuple of float
        Wall and processor time of earlier processes.
    resumed : int
        The last epoch of earlier processes; 0 where there were none.
    """

    def __init__(self, checkpoints: Checkpoints | None, key: str) -> None:
        self._checkpoints, self._key, self._start = checkpoints, key, ""
        self.before = (0.0, 0.0)
        self.resumed = 0
        self._started = (time.perf_counter(), time.process_time())
        self._saved = self._started[0]
        self._any = False

    @property
    def seconds(self) -> tuple[float, float]:
        """Wall and processor time of the training up to now."""
        now = (time.perf_counter(), time.process_time())
        wall, processor = (before + end - start for before, start, end in zip(self.before, self._started, now, strict=True))
        return wall, processor

    def resume(self, state: TrainingState, given: Iterable[Tensor] = ()) -> None:
        """Put a training where it was cut off, if it was; `given` is what its objective was prepared with."""
        if self._checkpoints is None:
            return
        self._start = state.digest(given)
        arrays, facts = self._checkpoints.load(self._key) or ({}, {})
        if facts and facts["start"] == self._start:
            state.restore(arrays, facts)
            self.before, self.resumed = tuple(facts["seconds"]), state.epoch
            self._any = True

    def after_epoch(self, state: TrainingState, stop: int) -> None:
        """Keep where the training stands, now and then; its end as well, for the sake of what its cell trains after it."""
        if self._checkpoints is None:
            return
        now = time.perf_counter()
        if now - self._saved >= SECONDS or (self._any and state.epoch == stop):
            self._checkpoints.save(self._key, state.arrays(), {**state.facts(), "seconds": self.seconds, "start": self._start})
            self._saved, self._any = now, True

    def discard(self) -> None:
        """Forget where the training stands."""
        if self._checkpoints is not None:
            self._checkpoints.discard(self._key)


def resumable(network: nn.Module, objective: Objective, averager: Averager | None) -> bool:
    """Return whether `TrainingState` holds all of their state; what a class declares does not hold for its subclasses."""
    parts = (getattr(network, "inner", network), objective, averager)
    return all(vars(type(one)).get("resumable", False) for one in parts if one is not None)
