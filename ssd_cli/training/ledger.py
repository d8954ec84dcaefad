"""Where a training stands, and what each network of a cell cost, as if nobody shared and as it was really spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Where a training stands, and, where an earlier process was cut off, after which epoch it went on."""

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
        What it was, for people: "member 0", "student".
    epochs, steps, n_cases : int
        Passes, optimiser steps, and cases of each pass.
    fit_seconds, cpu_seconds : float
        Wall and processor time of the training, when it was really done.
    reused : bool
        The network was there already; its seconds are those of another cell, but for a share of its pass (`Ledger.share_seconds`).
    curve : dict
        Loss, learning rate and what the objective observed, per epoch.
    key : str
        Content address of a shared network; empty for one that only this cell uses.
    """

    label: str
    epochs: int
    steps: int
    n_cases: int
    fit_seconds: float
    cpu_seconds: float
    curve: dict[str, list[float]] = field(repr=False)
    reused: bool = False
    key: str = ""


class Ledger:
    """The trainings of one cell in the order in which the method asked for them."""

    def __init__(self) -> None:
        self.entries: list[LedgerEntry] = []
        self.waited_seconds = 0.0
        """Time spent on networks of others: waiting while another process trains one, training some in the same pass."""
        self.resumed_seconds = 0.0
        """Time that other processes spent on trainings of this cell, which were cut off and went on here, or were made for it."""
        self.share_seconds = 0.0
        """This cell's share of passes in which other cells trained its networks beside theirs."""

    def add(self, entry: LedgerEntry) -> bool:
        """Book a training, and say whether it is a new one: a shared network asked for twice is one network."""
        new = not entry.key or all(entry.key != other.key for other in self.entries)
        if new:
            self.entries.append(entry)
        return new

    def summary(self, fit_wall_seconds: float) -> dict[str, Any]:
        """Costs of training for the record.

        Parameters
        ----------
        fit_wall_seconds : float
            Wall time of the method's whole fit in this process, waiting included.

        Returns
        -------
        dict
            ``networks_trained``, ``optimiser_steps``, ``cases_seen`` (cases × epochs), ``cpu_seconds`` and ``fit_seconds_alone``
            count every training the method needs, as if nobody shared (a network that is trained further counts twice in the first;
            tables show it as "trainings"); ``fit_seconds_spent`` and ``networks_reused`` say what really
            happened. What a method does beside training (averaging, refreshing statistics) counts in both. A network
            trained in a pass with others counts its share of the pass, also where another cell trained it for this one.
        """
        all_seconds = sum(entry.fit_seconds for entry in self.entries)
        own_seconds = sum(entry.fit_seconds for entry in self.entries if not entry.reused)
        beside = max(0.0, self.resumed_seconds + fit_wall_seconds - self.waited_seconds - own_seconds)
        return {
            "networks_trained": len(self.entries),
            "networks_reused": sum(entry.reused for entry in self.entries),
            "optimiser_steps": sum(entry.steps for entry in self.entries),
            "cases_seen": sum(entry.n_cases * entry.epochs for entry in self.entries),
            "fit_seconds_alone": all_seconds + beside,
            "fit_seconds_spent": own_seconds + self.share_seconds + beside,
            "cpu_seconds": sum(entry.cpu_seconds for entry in self.entries),
        }
