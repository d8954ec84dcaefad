"""What another execution of a network offers: the network's own interface, parameters, buffers and dropout sites."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar, cast

from torch import Tensor, nn

from ssd_cli.backbones.base import Dropout, DropoutSite, Network, Outputs

N = TypeVar("N", bound=Network)
M = TypeVar("M", bound=nn.Module)


class Execution(ABC, Generic[N]):
    """Computes what a network computes, by other means, from the network's own parameters.

    It holds no weights: whatever trains, copies or averages the network changes this too. Maps have the network's shape (n_cases,
    filters, n_timepoints), in another order in memory, which dropout sites, pooling and other users do not notice.

    Parameters
    ----------
    network : Network
        The definition.
    """

    def __init__(self, network: N) -> None:
        self.network = network

    @abstractmethod
    def stem(self, x: Tensor) -> Tensor:
        """First half: see `Network.stem`."""

    @abstractmethod
    def body(self, maps: Tensor) -> Tensor:
        """Second half: see `Network.body`."""

    def pool(self, maps: Tensor) -> Tensor:
        """Global average over time: see `Network.pool`."""
        return self.network.pool(maps)

    def __call__(self, x: Tensor) -> Outputs:
        """Run the whole network on x (n_cases, n_channels, n_timepoints)."""
        stem = self.stem(x)
        body = self.body(self.mid_site(stem))
        embedding = self.pool(body)
        return Outputs(self.classifier(self.embed_site(embedding)), embedding, (stem, body))

    @property
    def mid_site(self) -> DropoutSite:
        """The network's dropout site between the halves."""
        return self.network.mid_site

    @property
    def embed_site(self) -> DropoutSite:
        """The network's dropout site before the classifier."""
        return self.network.embed_site

    @property
    def classifier(self) -> nn.Linear:
        """The network's linear head."""
        return self.network.classifier

    @property
    def embedding_size(self) -> int:
        """Coordinates of the embedding."""
        return self.network.embedding_size

    @property
    def n_classes(self) -> int:
        """Classes of the head."""
        return self.network.n_classes

    @property
    def dropout(self) -> Dropout:
        """The rates of the sites."""
        return self.network.dropout

    @property
    def training(self) -> bool:
        """Whether the network is in training mode."""
        return self.network.training

    def sites(self) -> tuple[DropoutSite, DropoutSite]:
        """The network's dropout sites: mid, embed."""
        return self.network.sites()

    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's parameters."""
        return self.network.parameters()

    def train(self, mode: bool = True) -> Execution[N]:
        """Set the network's mode."""
        self.network.train(mode)
        return self

    def eval(self) -> Execution[N]:
        """Put the network into evaluation mode."""
        return self.train(False)


def channel_major(maps: Tensor) -> Tensor:
    """Maps (n_cases, channels, n_timepoints) as (channels, n_cases, n_timepoints), contiguous; or the other way round."""
    return maps.transpose(0, 1).contiguous()


def typed(modules: nn.ModuleList, kind: type[M]) -> list[M]:
    """The modules of a list that holds one kind of module only."""
    return cast("list[M]", list(modules))
