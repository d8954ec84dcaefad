"""The interface of every network: two halves, a pooled embedding, a linear head, and named dropout sites.

    x ── stem ──▶ mid site ── body ──▶ pool ──▶ embed site ── classifier ──▶ logits

Of the published backbones only the perceptron has dropout. Stochastic self-distillation needs a stochastic teacher, so this package
adds the two sites. With rate 0 they have no cost: no parameters, no random numbers, the same deployed network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

BN_EPS = 1e-3
"""Keras's batch-norm epsilon, which all published numbers of these networks used."""


@dataclass(frozen=True)
class Dropout:
    """Dropout rates: of the pooled embedding before the classifier, and of whole channels of the output of the first half."""

    embed: float = 0.0
    mid: float = 0.0

    def __post_init__(self) -> None:
        for site, rate in (("embed", self.embed), ("mid", self.mid)):
            if not 0 <= rate < 1:
                raise ValueError(f"the dropout rate of the site '{site}' must be at least 0 and below 1, not {rate}")


NO_DROPOUT = Dropout()


class Outputs(NamedTuple):
    """The results of a forward pass."""

    logits: Tensor
    """(batch, n_classes)"""
    embedding: Tensor
    """(batch, embedding_size): pooled, before the embed site."""
    maps: tuple[Tensor, ...]
    """Output of the stem and of the body, each (batch, filters, n_timepoints)."""


class DropoutSite(nn.Module):
    """Inverted dropout of the coordinates of an embedding (batch, size), or of whole channels (batch, filters, n_timepoints).

    The training assigns a random generator to it, so that masks do not shift the batch order or the initialisation. `rate` is what
    a method asks for, `published` the rate of the published network; the larger of them is used.
    """

    def __init__(self, rate: float, published: float = 0.0) -> None:
        super().__init__()
        self.rate, self.published = rate, published
        self.generator: torch.Generator | None = None

    @property
    def used_rate(self) -> float:
        """The rate in training."""
        return max(self.rate, self.published)

    def mask(self, n_cases: int, n_filters: int, like: Tensor) -> Tensor:
        """Draw a mask (n_cases, n_filters): 0 with the probability `used_rate`, else 1 / (1 - used_rate)."""
        keep = 1 - self.used_rate
        mask = torch.empty(n_cases, n_filters, dtype=like.dtype, device=like.device)
        return mask.bernoulli_(keep, generator=self.generator).div_(keep)

    def forward(self, maps: Tensor) -> Tensor:
        """Drop channels in training mode; return `maps` otherwise."""
        if not self.training or self.used_rate == 0:
            return maps
        mask = self.mask(maps.shape[0], maps.shape[1], maps)
        return maps * mask.reshape(mask.shape + (1,) * (maps.ndim - 2))


class Network(nn.Module, ABC):
    """A trunk in two halves, global average pooling and a linear classifier; `embedding_size` is the filters of the last maps."""

    resumable: ClassVar[bool] = False
    """Whether parameters, buffers and the generators of the sites are all of its state, so that an interrupted training can resume.
    Holds for this class, not for its subclasses (`training.checkpoint.resumable`)."""

    def __init__(self, embedding_size: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.n_classes = n_classes
        self.mid_site = DropoutSite(dropout.mid)
        self.embed_site = DropoutSite(dropout.embed)
        self.classifier = nn.Linear(embedding_size, n_classes)

    @abstractmethod
    def stem(self, x: Tensor) -> Tensor:
        """Run the first half: (batch, n_channels, n_timepoints) to maps (batch, filters, n_timepoints), before the mid site."""

    @abstractmethod
    def body(self, maps: Tensor) -> Tensor:
        """Run the second half: maps after the mid site to the last maps (batch, embedding_size, n_timepoints)."""

    def pool(self, maps: Tensor) -> Tensor:
        """Average over time: (batch, embedding_size). A network with another pooling cannot be trained on padded series."""
        return maps.mean(-1)

    def forward(self, x: Tensor) -> Outputs:
        """Run the whole network on x (batch, n_channels, n_timepoints)."""
        stem = self.stem(x)
        body = self.body(self.mid_site(stem))
        embedding = self.pool(body)
        return Outputs(self.classifier(self.embed_site(embedding)), embedding, (stem, body))

    @property
    def dropout(self) -> Dropout:
        """The rates that a method asked for."""
        return Dropout(self.embed_site.rate, self.mid_site.rate)

    @property
    def further_sites(self) -> tuple[DropoutSite, ...]:
        """Sites of published dropout beside `mid` and `embed`."""
        return ()

    def sites(self) -> tuple[DropoutSite, ...]:
        """Return all dropout sites: mid, embed, and further ones."""
        return self.mid_site, self.embed_site, *self.further_sites


class SequentialNetwork(Network):
    """A network of parts that run one after the other; the first is the stem, the others are the body."""

    @property
    @abstractmethod
    def parts(self) -> list[Any]:
        """All parts, in order."""

    def stem(self, x: Tensor) -> Tensor:
        """Run the first part."""
        return self.run(self.parts[:1], x)

    def body(self, maps: Tensor) -> Tensor:
        """Run all other parts."""
        return self.run(self.parts[1:], maps)

    def run(self, parts: list[Any], maps: Tensor) -> Tensor:
        """Run some of the parts on maps (batch, filters, n_timepoints)."""
        for part in parts:
            maps = part(maps)
        return maps


class StandardTraining(NamedTuple):
    """What the recipe `standard` takes from a backbone.

    The values were chosen by cross-validation inside training splits (``benchmarks/recipe/search.py``, ``results/recipe``). The
    defaults were found for LITE; a backbone that was not searched uses them.

    Parameters
    ----------
    steps : int
        Optimiser steps of a training.
    epochs_min, epochs_max : int
        Bounds of the epochs that this makes.
    learning_rate : float
        Of the first epoch.
    """

    steps: int = 1000
    epochs_min: int = 20
    epochs_max: int = 1000
    learning_rate: float = 0.003


@dataclass(frozen=True)
class Backbone(ABC):
    """A configuration that builds networks of one architecture; its identity does not include class attributes.

    Attributes
    ----------
    published_epochs, published_batch_size : int
        Epochs and largest batch of the published code. The defaults are those of hfawaz/InceptionTime and MSD-IRIMAS/LITE.
    published_batch_divisor : int
        A batch has at most n_cases // divisor cases; 0 sets no such limit.
    standard : StandardTraining
        Length and peak learning rate of the recipe `standard`.
    narrow_share : float, optional
        Share of ``width`` with about a tenth of the parameters; None: there is no narrow version.
    keeps_steps : bool
        Whether the maps have the steps of the series.
    """

    published_epochs: ClassVar[int] = 1500
    published_batch_size: ClassVar[int] = 64
    published_batch_divisor: ClassVar[int] = 0
    standard: ClassVar[StandardTraining] = StandardTraining()
    narrow_share: ClassVar[float | None] = None
    keeps_steps: ClassVar[bool] = True

    @abstractmethod
    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        """Build an untrained network with torch's default initialisation; dropout adds no parameters."""

    def build_for(self, n_timepoints: int, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        """Build a network for series of one length: as `build`, unless the weights depend on the length."""
        return self.build(n_channels, n_classes, dropout)

    def narrow(self) -> Backbone:
        """Return the configuration of a network of about a tenth of the size; raise ValueError where there is none."""
        if self.narrow_share is None:
            raise ValueError(f"{type(self).__name__} has no narrow version")
        width: Any = {"width": max(1, round(vars(self)["width"] * self.narrow_share))}
        return replace(self, **width)


@dataclass(frozen=True)
class NoBackbone(Backbone):
    """The backbone of a method without networks."""

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        """Raise ValueError."""
        raise ValueError("this method has no backbone")
