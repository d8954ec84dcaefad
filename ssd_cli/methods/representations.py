"""Stochastic representations: N embeddings of each case by a frozen teacher with dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ssd_cli.backbones.base import NO_DROPOUT, Backbone, Dropout, DropoutSite, Network
from ssd_cli.engine.footprint import second_half_bytes
from ssd_cli.training.objective import Batch
from ssd_cli.training.predict import outputs

# Values of the maps in one pass of the second half. At 2**23, the columns of ResNet's second half take half a gigabyte.
VALUES_AT_ONCE, VALUES_ON_CUDA = 2**20, 2**23


class StochasticTeacher:
    """N embeddings of each case under fresh dropout masks.

    The frozen teacher stays in eval mode. Masks are drawn from `generator` (on the teacher's device) and applied here, between its
    halves: its batch norms and other random streams do not change. `embeddings` (n_cases, size) are those of the training set
    without dropout. Without the site `mid` a representation is a masked row of `embeddings`, and the teacher runs only once.
    Published dropout of the teacher acts too, unless `dropout` is 0 at both sites.
    """

    def __init__(self, teacher: Network, n: int, dropout: Dropout, generator: torch.Generator) -> None:
        self.teacher, self.n, self.generator = teacher, n, generator
        acts = dropout != NO_DROPOUT
        self.mid_site = DropoutSite(dropout.mid, teacher.mid_site.published * acts)
        self.embed_site = DropoutSite(dropout.embed, teacher.embed_site.published * acts)
        self.mid_site.generator = self.embed_site.generator = generator
        self.further_sites = teacher.further_sites if acts else ()

    def prepare(self, x: Tensor) -> None:
        """Compute `embeddings` from all training series (n_cases, n_channels, n_timepoints)."""
        _, self.embeddings = outputs(self.teacher, x)

    @torch.no_grad()
    def represent(self, batch: Batch) -> Tensor:
        """Return new representations of a batch, shape (n_cases, N, size)."""
        if self.mid_site.used_rate or self.further_sites:
            representations = self._second_halves(batch.x)
        else:
            representations = self.embeddings[batch.index].unsqueeze(1).expand(-1, self.n, -1)
        return self.embed_site(representations.flatten(0, 1)).view(representations.shape)

    def _second_halves(self, x: Tensor) -> Tensor:
        """Compute the first half once and N second halves, each with its own channel mask: (n_cases, N, size)."""
        maps = self.teacher.stem(x)
        masks = self.mid_site.mask(self.n * len(maps), maps.shape[1], maps).view(self.n, len(maps), -1, 1)
        passes = []
        with self._dropping():
            for part in masks.split(_copies_at_once(maps.numel(), maps.is_cuda)):
                if self.further_sites:  # one may lie in the first half
                    maps = self.teacher.stem(x.repeat(len(part), 1, 1)).unflatten(0, part.shape[:2])
                passes.append(self.teacher.pool(self.teacher.body((maps * part).flatten(0, 1))))
        return torch.cat(passes).view(self.n, len(x), -1).transpose(0, 1)

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        """Let the further sites drop, with masks from the generator."""
        for site in self.further_sites:
            site.generator = self.generator
            site.train()
        yield
        for site in self.further_sites:
            site.generator = None
            site.eval()


def second_halves_bytes(backbone: Backbone, n_channels: int, n_timepoints: int, batch_size: int, n: int) -> int:
    """Return the bytes that n second halves of a teacher with this backbone need on a CUDA device."""
    with torch.device("meta"):
        network = backbone.build_for(n_timepoints, n_channels, 2).eval()
        n_values = batch_size * network.stem(torch.empty(1, n_channels, n_timepoints)).numel()
    n_cases = batch_size * min(n, _copies_at_once(n_values, on_cuda=True))
    return second_half_bytes(backbone, n_channels, n_timepoints, n_cases)


def _copies_at_once(n_values: int, on_cuda: bool) -> int:
    """Return how many masked copies of the maps of a batch one pass of the second half takes."""
    return max(1, (VALUES_ON_CUDA if on_cuda else VALUES_AT_ONCE) // n_values)
