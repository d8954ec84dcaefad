"""Stochastic representations: N embeddings of each case by a frozen teacher with dropout."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd_cli.backbones.base import Backbone, Dropout, DropoutSite, Network
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
    """

    def __init__(self, teacher: Network, n: int, dropout: Dropout, generator: torch.Generator) -> None:
        self.teacher, self.n = teacher, n
        self.mid_site, self.embed_site = DropoutSite(dropout.mid), DropoutSite(dropout.embed)
        self.mid_site.generator = self.embed_site.generator = generator

    def prepare(self, x: Tensor) -> None:
        """Compute `embeddings` from all training series (n_cases, n_channels, n_timepoints)."""
        _, self.embeddings = outputs(self.teacher, x)

    @torch.no_grad()
    def represent(self, batch: Batch) -> Tensor:
        """Return new representations of a batch, shape (n_cases, N, size)."""
        if self.mid_site.rate:
            representations = self._second_halves(batch.x)
        else:
            representations = self.embeddings[batch.index].unsqueeze(1).expand(-1, self.n, -1)
        return self.embed_site(representations.flatten(0, 1)).view(representations.shape)

    def _second_halves(self, x: Tensor) -> Tensor:
        """Compute the first half once and N second halves, each with its own channel mask: (n_cases, N, size)."""
        maps = self.teacher.stem(x)
        masks = self.mid_site.mask(self.n * len(maps), maps.shape[1], maps).view(self.n, len(maps), -1, 1)
        at_once = _copies_at_once(maps.numel(), maps.is_cuda)
        passes = [self.teacher.pool(self.teacher.body((maps * part).flatten(0, 1))) for part in masks.split(at_once)]
        return torch.cat(passes).view(self.n, len(maps), -1).transpose(0, 1)


def second_halves_bytes(backbone: Backbone, n_channels: int, n_timepoints: int, batch_size: int, n: int) -> int:
    """Return the bytes that n second halves of a teacher with this backbone need on a CUDA device."""
    with torch.device("meta"):
        n_values = batch_size * backbone.build(n_channels, 2).eval().stem(torch.empty(1, n_channels, n_timepoints)).numel()
    n_cases = batch_size * min(n, _copies_at_once(n_values, on_cuda=True))
    return second_half_bytes(backbone, n_channels, n_timepoints, n_cases)


def _copies_at_once(n_values: int, on_cuda: bool) -> int:
    """Return how many masked copies of the maps of a batch one pass of the second half takes."""
    return max(1, (VALUES_ON_CUDA if on_cuda else VALUES_AT_ONCE) // n_values)
