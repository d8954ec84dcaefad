"""One optimiser step, as a thing of its own: it can be run as it stands, or captured and replayed."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ssd_cli.backbones.base import Network
from ssd_cli.training.objective import Batch, Objective


class Steps(Protocol):
    """What the loop needs of a step."""

    sums: dict[str, Tensor]
    """Of this epoch, on the device: each named scalar times the number of cases, added up."""

    def begin_epoch(self) -> None:
        """Set the sums back, and follow the learning rate of the schedule."""

    def follow_rate(self) -> None:
        """Follow the learning rate of the schedule within an epoch."""

    def __call__(self, index: Tensor) -> None:
        """Train on the cases at these positions of the training set, (batch,) on the device."""


class Step:
    """Batch, losses, backward pass, optimiser. Nothing here waits for the device.

    Parameters
    ----------
    network : Network
    x, y : Tensor
        All training cases, (n_cases, n_channels, n_timepoints) and (n_cases,).
    objective : Objective
    optimiser : Optimizer
    """

    def __init__(
        self,
        network: Network,
        x: Tensor,
        y: Tensor,
        objective: Objective,
        optimiser: torch.optim.Optimizer,
    ) -> None:
        self.network, self.x, self.y = network, x, y
        self.objective, self.optimiser = objective, optimiser
        self.sums: dict[str, Tensor] = {}

    def begin_epoch(self) -> None:
        """Set the sums back in place: a captured step goes on adding to the same memory."""
        for total in self.sums.values():
            total.zero_()

    def follow_rate(self) -> None:
        """Nothing: the optimiser is the one that the schedule acts on."""

    def __call__(self, index: Tensor) -> None:
        """One step; batch means are added up weighted by batch size."""
        self.optimiser.zero_grad(set_to_none=True)
        losses = self.objective.losses(self.network, Batch(self.x[index], self.y[index], index))
        loss = torch.stack(list(losses.values())).sum()
        loss.backward()
        self.optimiser.step()
        add(self.sums, {"loss": loss} | losses | self.objective.observed, len(index))

    @property
    def generators(self) -> list[torch.Generator]:
        """The random streams that a step draws from."""
        sites = [site.generator for site in self.network.sites()]
        return [generator for generator in (*sites, *self.objective.streams) if generator is not None]


def add(sums: dict[str, Tensor], values: dict[str, Tensor], n_cases: int) -> None:
    """Add values times `n_cases` to the sums, in place where there are any."""
    for name, value in values.items():
        weighted = value.detach() * n_cases
        if name in sums:
            sums[name].add_(weighted)
        else:
            sums[name] = weighted
