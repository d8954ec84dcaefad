"""Training costs of a cell: for all networks that its method needs, and for the trainings that really ran."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ssd_cli.training.stopwatch import Spent


@dataclass(frozen=True)
class Progress:
    """The state of a training; `resumed` is the epoch after which it continued an interrupted one, or 0."""

    label: str
    epoch: int
    epochs: int
    loss: float
    resumed: int = 0


@dataclass(frozen=True)
class LedgerEntry:
    """One training.

    Parameters
    ----------
    label : str
        Shown to users: "member 0", "student".
    epochs, steps, n_cases : int
        Epochs, optimiser steps, and cases of each epoch.
    fit_seconds, cpu_seconds, wall_seconds : float
        Time that counts as training, processor time and wall time of the training when it ran; see `Spent`.
    curve : dict
        Loss, learning rate and the objective's `observed` values, per epoch.
    reused : bool
        The network was stored already. Its seconds belong to another cell, except for this cell's share (`Ledger.share_seconds`).
    key : str
        Content address of a shared network; empty for a network of this cell alone.
    program : str
        Versions of the code that trained a stored network; empty if they are those of this cell.
    """

    label: str
    epochs: int
    steps: int
    n_cases: int
    fit_seconds: float
    cpu_seconds: float
    wall_seconds: float
    curve: dict[str, list[float]] = field(repr=False)
    reused: bool = False
    key: str = ""
    program: str = ""

    @property
    def spent(self) -> Spent:
        """Seconds of the training when it ran."""
        return Spent(self.fit_seconds, self.cpu_seconds, self.wall_seconds)


class Ledger:
    """The trainings of one cell, in the order of the method's requests."""

    def __init__(self) -> None:
        self.entries: list[LedgerEntry] = []
        self.waited = Spent()
        """Seconds spent on networks of other cells: waiting for their training, or training them in the same steps."""
        self.resumed = Spent()
        """Seconds spent by other processes on trainings that this cell resumed or reused."""
        self.share_seconds = 0.0
        """This cell's share of joint steps in which other cells trained its networks."""

    def add(self, entry: LedgerEntry) -> bool:
        """Add a training, and return whether it is new: a shared network that is requested twice counts once."""
        new = not entry.key or all(entry.key != other.key for other in self.entries)
        if new:
            self.entries.append(entry)
        return new

    def summary(self, fit: Spent, device: str) -> dict[str, Any]:
        """Return the costs of training for the record.

        Parameters
        ----------
        fit : Spent
            Seconds of the method's whole fit in this process, waiting included.
        device : {"cpu", "cuda", "mps"}

        Returns
        -------
        dict
            ``networks_trained``, ``optimiser_steps``, ``cases_seen`` (cases times epochs), ``fit_seconds_alone``, ``cpu_seconds``
            and ``wall_seconds`` count all trainings that the method needs, as if no cell shared networks. A network that is
            trained further counts twice in ``networks_trained``, which tables call "trainings". ``fit_seconds_spent`` and
            ``networks_reused`` describe the trainings that really ran; a network that was trained jointly counts its share. All
            seconds include the method's other work, such as averaging. Only ``wall_seconds`` includes the time in which a process
            that trained on a CPU was stopped or had no processor. ``programs`` is the number of versions of the code that
            trained the networks, this one included.
        """
        trained = sum((entry.spent for entry in self.entries), Spent())
        own = sum((entry.spent for entry in self.entries if not entry.reused), Spent())
        rest = fit + self.resumed - self.waited - own
        # A method without networks may work in other processes, whose processor time is unknown.
        beside = Spent.of(max(0.0, rest.cpu_seconds), max(0.0, rest.wall_seconds), device if self.entries else "")
        return {
            "networks_trained": len(self.entries),
            "programs": len({"", *(entry.program for entry in self.entries)}),
            "networks_reused": sum(entry.reused for entry in self.entries),
            "optimiser_steps": sum(entry.steps for entry in self.entries),
            "cases_seen": sum(entry.n_cases * entry.epochs for entry in self.entries),
            "fit_seconds_alone": trained.seconds + beside.seconds,
            "fit_seconds_spent": own.seconds + self.share_seconds + beside.seconds,
            "cpu_seconds": trained.cpu_seconds + beside.cpu_seconds,
            "wall_seconds": trained.wall_seconds + beside.wall_seconds,
        }
