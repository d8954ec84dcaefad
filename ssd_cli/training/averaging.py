"""Averages of the weights during a training, collected weights, and the batch-norm statistics that averages need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor]


class Averager:
    """Observes the weights while they are trained.

    `state` is the average, `n_averaged` the number of weight sets in it. A class may declare ``resumable = True`` if these two are
    all of its state; then an interrupted training can continue.
    """

    def __init__(self) -> None:
        self.state: dict[str, Tensor] = {}
        self.n_averaged = 0

    def after_step(self, network: nn.Module) -> None:
        """Observe the weights after an optimiser step."""

    def after_epoch(self, network: nn.Module) -> None:
        """Observe the weights at the end of an epoch."""


class RunningMean(Averager):
    """Equal-weight mean of the weights at the end of every epoch: stochastic weight averaging.

    Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization", algorithm 1:
    w_mean <- w_mean + (w - w_mean) / (n + 1). `skip` first epochs are left out; `n_averaged` is negative until they have passed.
    """

    resumable = True

    def __init__(self, skip: int = 0) -> None:
        super().__init__()
        self.n_averaged = -skip

    def after_epoch(self, network: nn.Module) -> None:
        """Add the current weights, unless the epoch is skipped."""
        if self.n_averaged < 0:
            self.n_averaged += 1
        else:
            self.add(network.state_dict())

    def add(self, state: State) -> None:
        """Add one set of weights; integers (counters of batches) are copied."""
        for name, value in state.items():
            if name in self.state and value.is_floating_point():
                self.state[name] += (value - self.state[name]) / (self.n_averaged + 1)
            else:
                self.state[name] = value.detach().clone()
        self.n_averaged += 1


class ExponentialMean(Averager):
    """Exponential moving average of the weights after every step (Polyak averaging; Tarvainen and Valpola 2017).

    w_ema <- d w_ema + (1 - d) w, with d = min(decay, (1 + t) / (10 + t)) at step t. Without warm-up d = decay, and the average
    of a short training stays near its initial weights. `start` holds the weights before the first step.
    """

    resumable = True

    def __init__(self, decay: float, start: State, warm_up: bool = True) -> None:
        super().__init__()
        self.decay, self.warm_up = decay, warm_up
        self.state = {name: value.detach().clone() for name, value in start.items()}

    def after_step(self, network: nn.Module) -> None:
        """Move the average towards the current weights."""
        decay = min(self.decay, (1 + self.n_averaged) / (10 + self.n_averaged)) if self.warm_up else self.decay
        self.n_averaged += 1
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    self.state[name].mul_(decay).add_(value, alpha=1 - decay)
                else:
                    self.state[name].copy_(value)


class Collector(Averager):
    """Collects the weights at the ends of some epochs (from 1): the members of an ensemble from one training.

    `state` holds them as ``epoch/name``, `n_averaged` counts the epochs observed.
    """

    resumable = True

    def __init__(self, epochs: Collection[int]) -> None:
        super().__init__()
        self.epochs = epochs

    def after_epoch(self, network: nn.Module) -> None:
        """Collect the current weights, batch-norm statistics included, if this is one of the epochs."""
        self.n_averaged += 1
        if self.n_averaged in self.epochs:
            self.state |= {f"{self.n_averaged}/{name}": value.clone() for name, value in network.state_dict().items()}

    def collected(self) -> list[dict[str, Tensor]]:
        """Return the sets of weights, in the order of their epochs."""
        found: dict[int, dict[str, Tensor]] = {}
        for path, value in self.state.items():
            epoch, _, name = path.partition("/")
            found.setdefault(int(epoch), {})[name] = value
        return [found[epoch] for epoch in sorted(found)]


def mean_of(states: Sequence[State]) -> dict[str, Tensor]:
    """Return the mean of several sets of weights (a uniform soup); their order changes rounding only."""
    mean = RunningMean()
    for state in states:
        mean.add(state)
    return mean.state


def refresh_batch_norm(network: nn.Module, batches: Sequence[Tensor], modules: nn.Module | None = None) -> None:
    """Estimate all batch-norm statistics again by one pass over the training series; leave the network in eval mode.

    The statistics of averaged weights are not the average of the statistics. Batches are weighted by their size. Only batch-norm
    layers are in train mode, so dropout is off. (It is on in torch's helper and in the helper of the SWA release.)

    Parameters
    ----------
    network : nn.Module
        Called on each batch.
    batches : sequence of Tensor, each (batch, n_channels, n_timepoints)
    modules : nn.Module, optional
        The module that owns the layers, if `network` is a view of it.
    """
    modules = network if modules is None else modules
    layers = [module for module in modules.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    modules.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
    seen = 0
    with torch.no_grad():
        for batch in batches:
            seen += len(batch)
            for layer in layers:
                layer.momentum = len(batch) / seen
            network(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    modules.eval()
