"""One training step: forward pass, losses, backward pass, optimiser. It never waits for the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ssd_cli.backbones.base import Network
from ssd_cli.training.adam import Adam
from ssd_cli.training.objective import Batch, Objective


class Step:
    """The step of one network.

    Parameters
    ----------
    network : Network
        Owns parameters and buffers.
    objective : Objective
    x, y : Tensor
        All training cases, (n_cases, n_channels, n_timepoints) and (n_cases,).
    view : Network, optional
        What the objective calls: another execution of the network that shares its parameters. By default the network itself.
    """

    def __init__(self, network: Network, objective: Objective, x: Tensor, y: Tensor, view: Network | None = None) -> None:
        self.network, self.objective, self.x, self.y = network, objective, x, y
        self.view = network if view is None else view
        self.device = x.device
        weights = [*network.parameters(), *(objective.trainable.parameters() if objective.trainable else ())]
        others = {id(weight) for optimiser in objective.optimisers for weight in _weights(optimiser)}
        self.optimiser = self._optimiser([weight for weight in weights if weight.requires_grad and id(weight) not in others])
        self.sums: dict[str, Tensor] = {}

    def _optimiser(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return Adam(weights, eps=1e-7, fused=True)

    def begin_epoch(self, epoch: int) -> None:
        """See `TrainingStep`. Train mode is set in every epoch, since other code may have left the network in eval mode."""
        self.network.train()
        self.objective.begin_epoch(epoch, self.network)
        for total in self.sums.values():
            total.zero_()  # in place: a captured step adds to the same memory

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """See `TrainingStep`."""
        (self.optimiser.param_groups[0]["lr"],) = rates

    def __call__(self, index: Tensor) -> None:
        """See `TrainingStep`; batch means are summed weighted by batch size."""
        index = index[0]
        self.optimiser.zero_grad(set_to_none=True)
        batch = Batch(self.x[index], self.y[index], index)
        losses = self.objective.losses(self.view, batch)
        loss = torch.stack(list(losses.values())).sum()
        loss.backward()
        self.optimiser.step()
        self.objective.after_step(self.view, batch)
        self._add({"loss": loss} | losses | self.objective.observed, len(index))

    def _add(self, values: dict[str, Tensor], n_cases: int) -> None:
        for name, value in values.items():
            weighted = value.detach() * n_cases
            if name in self.sums:
                self.sums[name].add_(weighted)
            else:
                self.sums[name] = weighted

    def totals(self) -> list[dict[str, float]]:
        """See `TrainingStep`."""
        return [dict(zip(self.sums, torch.stack(list(self.sums.values())).tolist(), strict=True))]

    def weights(self) -> dict[str, Tensor]:
        """See `TrainingStep`."""
        return self.network.state_dict()

    def finish(self, weights: Mapping[str, Tensor] | None) -> None:
        """See `TrainingStep`."""
        if weights is not None:
            self.network.load_state_dict(weights)
        self.network.eval()

    @property
    def generators(self) -> list[torch.Generator]:
        """The random streams that a step draws from."""
        sites = [site.generator for site in self.network.sites()]
        return [generator for generator in (*sites, *self.objective.streams) if generator is not None]

    def parts(self) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
        """Yield all tensors that a checkpoint keeps: weights, and the state of each optimised parameter."""
        yield "network", self.network.state_dict()
        if self.objective.trainable is not None:
            yield "trainable", self.objective.trainable.state_dict()
        for name, optimiser in self._optimisers():
            for number, weight in enumerate(_weights(optimiser)):
                yield f"{name} {number}", optimiser.state[weight]

    def restore(self, parts: Mapping[str, dict[str, Tensor]]) -> None:
        """Restore the result of `parts`; the network keeps its tensors, which its views share."""
        self.network.load_state_dict(parts["network"])
        if self.objective.trainable is not None:
            self.objective.trainable.load_state_dict(parts.get("trainable", {}))
        for name, optimiser in self._optimisers():
            for number, weight in enumerate(_weights(optimiser)):
                state = parts.get(f"{name} {number}", {})  # empty for a parameter that never had a gradient
                optimiser.state[weight] = {key: value.to(weight.device) for key, value in state.items()}

    def _optimisers(self) -> Iterator[tuple[str, torch.optim.Optimizer]]:
        yield "optimiser", self.optimiser
        for number, optimiser in enumerate(self.objective.optimisers):
            yield f"objective {number} optimiser", optimiser


class DeviceStep(Step):
    """The step of one network whose learning rate and step count lie on the device, so that it can be captured."""

    def _optimiser(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        cuda = self.device.type == "cuda"
        self._rate = torch.zeros((), dtype=torch.float64 if self.device.type == "cpu" else torch.float32, device=self.device)
        options: Any = {"lr": self._rate, "eps": 1e-7, "fused": True, "capturable": cuda}
        return Adam(weights, **options)

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """See `TrainingStep`; the captured optimiser reads the rate from the same memory."""
        self._rate.fill_(rates[0])

    @property
    def modes(self) -> tuple[bool, ...]:
        """Whether the network is in training mode, which a captured step cannot change."""
        return (self.network.training,)


def _weights(optimiser: torch.optim.Optimizer) -> Iterable[Tensor]:
    return [weight for group in optimiser.param_groups for weight in group["params"]]
