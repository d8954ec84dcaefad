"""What every network offers: two halves, a pooled embedding, a linear head, and named dropout sites.

    x ── stem ──▶ mid site ── body ──▶ pool ──▶ embed site ── classifier ──▶ logits

None of the published backbones has dropout. The two sites are ours (stochastic self-distillation needs a stochastic teacher) and
cost nothing while their rate is 0: no parameters, no random numbers, the same deployed network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

BN_EPS = 1e-3
"""Keras's batch-norm epsilon, which all published numbers of these networks used."""


@dataclass(frozen=True)
class Dropout:
    """Dropout rates by site.

    Parameters
    ----------
    embed : float
        Rate on the pooled embedding just before the classifier.
    mid : float
        Rate of whole channels on the output of the first half of the network.
    """

    embed: float = 0.0
    mid: float = 0.0

    def __post_init__(self) -> None:
        for site, rate in (("embed", self.embed), ("mid", self.mid)):
            if not 0 <= rate < 1:
                raise ValueError(f"the dropout rate of the site '{site}' must be at least 0 and below 1, not {rate}")


NO_DROPOUT = Dropout()


class Outputs(NamedTuple):
    """What a forward pass gives."""

    logits: Tensor
    """(batch, n_classes)"""
    embedding: Tensor
    """(batch, embedding_size): pooled, before the embed site."""
    maps: tuple[Tensor, ...]
    """Output of the stem and of the body, each (batch, filters, n_timepoints)."""


class DropoutSite(nn.Module):
    """Inverted dropout of whole channels, with a random stream of its own.

    On a pooled embedding (batch, size) it drops coordinates, on maps (batch, filters, n_timepoints) whole channels. The
    stream is a generator that the training assigns, so that masks never shift the batch order or the initialisation.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def mask(self, n_cases: int, n_filters: int, like: Tensor) -> Tensor:
        """A fresh mask (n_cases, n_filters): 0 with probability `rate`, else 1 / (1 - rate)."""
        keep = 1 - self.rate
        mask = torch.empty(n_cases, n_filters, dtype=like.dtype, device=like.device)
        return mask.bernoulli_(keep, generator=self.generator).div_(keep)

    def forward(self, maps: Tensor) -> Tensor:
        """Drop channels in training mode; the identity otherwise."""
        if not self.training or self.rate == 0:
            return maps
        mask = self.mask(maps.shape[0], maps.shape[1], maps)
        return maps * mask.reshape(mask.shape + (1,) * (maps.ndim - 2))

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"rate={self.rate}"


class Network(nn.Module, ABC):
    """A trunk in two halves, global average pooling and a linear classifier.

    Parameters
    ----------
    embedding_size : int
        Number of filters of the last maps.
    n_classes : int
    dropout : Dropout
        Rates of the two sites.

    Attributes
    ----------
    resumable : bool
        Whether parameters, buffers and the streams of the two sites are all of its state, so that a training that was cut off may
        go on. Holds for this class, not for its subclasses (`training.checkpoint.resumable`).
    """

    resumable: ClassVar[bool] = False

    def __init__(self, embedding_size: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.n_classes = n_classes
        self.mid_site = DropoutSite(dropout.mid)
        self.embed_site = DropoutSite(dropout.embed)
        self.classifier = nn.Linear(embedding_size, n_classes)

    @abstractmethod
    def stem(self, x: Tensor) -> Tensor:
        """First half: (batch, n_channels, n_timepoints) to maps (batch, filters, n_timepoints), before the mid site."""

    @abstractmethod
    def body(self, maps: Tensor) -> Tensor:
        """Second half: maps after the mid site to the last maps (batch, embedding_size, n_timepoints)."""

    def pool(self, maps: Tensor) -> Tensor:
        """Global average over time: (batch, embedding_size). With another one a network cannot be trained on padded series."""
        return maps.mean(-1)

    def forward(self, x: Tensor) -> Outputs:
        """Run the whole network on x (batch, n_channels, n_timepoints)."""
        stem = self.stem(x)
        body = self.body(self.mid_site(stem))
        embedding = self.pool(body)
        return Outputs(self.classifier(self.embed_site(embedding)), embedding, (stem, body))

    @property
    def dropout(self) -> Dropout:
        """The rates of the sites."""
        return Dropout(self.embed_site.rate, self.mid_site.rate)

    def sites(self) -> tuple[DropoutSite, DropoutSite]:
        """The dropout sites in the order of data flow: mid, embed."""
        return self.mid_site, self.embed_site


@dataclass(frozen=True)
class Backbone(ABC):
    """A frozen configuration that builds networks of one architecture.

    The published training of a backbone is no part of its identity. The defaults are those of hfawaz/InceptionTime and
    MSD-IRIMAS/LITE.

    Attributes
    ----------
    published_epochs, published_batch_size : int
        Epochs, and cases in a batch at most.
    published_batch_divisor : int
        A batch has at most n_cases // divisor cases; 0 sets no such limit.
    """

    published_epochs: ClassVar[int] = 1500
    published_batch_size: ClassVar[int] = 64
    published_batch_divisor: ClassVar[int] = 0

    @abstractmethod
    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        """Build an untrained network with torch's default initialisation.

        Parameters
        ----------
        n_channels : int
            Channels of the input series.
        n_classes : int
        dropout : Dropout
            Rates of the two sites; they add no parameters.
        """

    def narrow(self) -> Backbone:
        """The configuration of a network of about a tenth of the size, for a small student."""
        raise ValueError(f"{type(self).__name__} has no narrow version")


@dataclass(frozen=True)
class NoBackbone(Backbone):
    """What a method without networks is given."""

    def build(self, n_channels: int, n_classes: int, dropout: Dropout = NO_DROPOUT) -> Network:
        """Refuse: there is nothing to build."""
        raise ValueError("this method has no backbone")
