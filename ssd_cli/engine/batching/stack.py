"""Several networks of one architecture with stacked weights: one forward pass and one optimiser step for all."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ssd_cli.backbones.base import Network


class Stack:
    """The weights and buffers of several networks, stacked.

    The network's own forward pass is mapped over the rows (`torch.func.vmap`), so every backbone works, plug-ins included.
    Convolutions become grouped ones, and batch norms one norm over the channels of all networks. The networks have one architecture
    and one device; their dropout rates may differ.

    Attributes
    ----------
    weights : Tensor, shape (n_networks, n_weights)
        One row per network: all its trainable weights.
    buffers : dict of str to Tensor
        Batch-norm statistics and everything else that is not trained, each (n_networks, …).
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = list(networks)
        first = self.networks[0]
        masked = {id(site): MaskedSite() for site in first.sites()}
        self._template: Any = copy.deepcopy(first, masked).train()  # the copy has the masked sites in place of the real ones
        paths = {id(module): name for name, module in self._template.named_modules()}
        self._masks = [f"{paths[id(site)]}.mask" for site in self._template.sites()]
        self._shapes = {name: weight.shape for name, weight in first.named_parameters() if weight.requires_grad}
        states = [network.state_dict() for network in self.networks]
        if any({k: v.shape for k, v in state.items()} != {k: v.shape for k, v in states[0].items()} for state in states):
            raise ValueError("the networks are not of one architecture")
        self.weights = torch.stack([torch.cat([state[name].flatten() for name in self._shapes]) for state in states])
        self.weights.requires_grad_()
        self.buffers = {name: torch.stack([state[name] for state in states]) for name in states[0] if name not in self._shapes}

    @property
    def generators(self) -> list[torch.Generator]:
        """The random generators of all dropout sites."""
        sites = [site for network in self.networks for site in network.sites()]
        return [site.generator for site in sites if site.used_rate and site.generator is not None]

    def forward(self, x: Tensor, masks: dict[str, Tensor]) -> Tensor:
        """Return logits (n_networks, batch, n_classes) in training mode; update the statistics of the batch norms.

        x (batch, n_networks, n_channels, n_timepoints) has one batch for each network; `masks` is the result of `draw`.
        """

        def one(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, masks: dict[str, Tensor]) -> Tensor:
            return functional_call(self._template, {**weights, **buffers, **masks}, (x,)).logits

        return vmap(one, in_dims=(0, 0, 1, 0))(self._named(self.weights), self.buffers, x, masks)

    def draw(self, n_cases: int, filters: dict[int, int]) -> dict[str, Tensor]:
        """Draw dropout masks of a batch, (n_networks, batch, filters) for the sites of `dropped`, from their generators."""
        masks = {}
        for number, n_filters in filters.items():
            rows = []
            for site in (network.sites()[number] for network in self.networks):
                like = self.weights.new_empty(0)
                rows.append(site.mask(n_cases, n_filters, like) if site.used_rate else self.weights.new_ones(n_cases, n_filters))
            masks[self._masks[number]] = torch.stack(rows)
        return masks

    def dropped(self, x: Tensor) -> dict[int, int]:
        """Return the positions in `sites()` where any network has dropout, with the channels there.

        `x` are series (n_cases, n_channels, n_timepoints).
        """
        first = self.networks[0]
        training, filters, hooks = first.training, {}, []
        for number, sites in enumerate(zip(*(network.sites() for network in self.networks), strict=True)):

            def count(site: nn.Module, inputs: tuple[Tensor], number: int = number) -> None:
                filters[number] = inputs[0].shape[1]

            if any(site.used_rate for site in sites):
                hooks.append(sites[0].register_forward_pre_hook(count))
        if hooks:
            with torch.no_grad():
                first.eval()(x[:1])
            first.train(training)
        for hook in hooks:
            hook.remove()
        return filters

    @torch.no_grad()
    def write(self, weights: Tensor, buffers: dict[str, Tensor]) -> None:
        """Copy the rows to the networks, and put the networks into evaluation mode."""
        named = self._named(weights)
        for row, network in enumerate(self.networks):
            for name, value in network.state_dict().items():
                value.copy_((named[name] if name in named else buffers[name])[row])
            network.eval()

    def _named(self, weights: Tensor) -> dict[str, Tensor]:
        parts = weights.split([shape.numel() for shape in self._shapes.values()], 1)
        return {name: part.view(-1, *shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}


class MaskedSite(nn.Module):
    """A dropout site with a given mask: inside a mapped function, networks cannot draw from separate generators."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Multiply by the mask (batch, filters), if there is one."""
        return maps * self.mask.reshape(self.mask.shape + (1,) * (maps.ndim - 2)) if self.mask.ndim else maps


class StackedAdam:
    """Adam on a stack of weights, with one learning rate per network; as in torch, with the step count on the device.

    Kingma and Ba 2015, algorithm 1, with torch's form of epsilon. `weights` is (n_networks, n_weights).
    """

    betas = (0.9, 0.999)
    eps = 1e-7

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights
        self.rates = weights.new_zeros(len(weights), 1)
        self._mean, self._square = torch.zeros_like(weights), torch.zeros_like(weights)
        exact = torch.float32 if weights.device.type == "mps" else torch.float64  # MPS has no float64
        self._n_steps = torch.zeros((), dtype=exact, device=weights.device)

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Update the weights with their gradient (n_networks, n_weights)."""
        first, second = self.betas
        self._n_steps += 1
        self._mean.lerp_(gradient, 1 - first)
        self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        root = (1 - second**self._n_steps).sqrt().to(gradient.dtype)
        size = (self.rates.to(self._n_steps.dtype) / (1 - first**self._n_steps)).to(gradient.dtype)
        self.weights.sub_(self._mean / (self._square.sqrt() / root + self.eps) * size)
