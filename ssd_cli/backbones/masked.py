"""Pooling over the steps of a series only, where series of unequal length were padded.

Padded steps arrive as NaN. They enter the convolutions as zeros, and the average over time leaves them out: multiplying the last
maps by n_timepoints / n_valid where a step is valid, and by 0 where it is not, makes the plain mean the mean over the valid steps.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ssd_cli.backbones.base import Dropout, DropoutSite, Network
from ssd_cli.errors import SsdBenchError


class ValidSteps:
    """Which steps of the batch that went through the stem last belong to the series."""

    def __init__(self) -> None:
        self._weights: Tensor | None = None

    def take(self, x: Tensor) -> Tensor:
        """Remember the valid steps of x (n_cases, n_channels, n_timepoints), and return it with zeros for NaN."""
        valid = ~x[:, :1].isnan()
        self._weights = valid * (x.shape[-1] / valid.sum(-1, keepdim=True).clamp(min=1)).to(x.dtype)
        return x.nan_to_num(nan=0.0)

    def weigh(self, maps: Tensor) -> Tensor:
        """Weigh the steps of the last maps; a second half may run on several copies of the batch, one after the other in `maps`."""
        if self._weights is None:
            raise RuntimeError("The second half of a masked network cannot run before its first half.")
        copies = len(maps) // len(self._weights)
        return maps * (self._weights.repeat(copies, 1, 1) if copies > 1 else self._weights)


class MaskedNetwork(Network):
    """A network that pools over valid steps.

    It has the parameters of the network inside and no others.

    Parameters
    ----------
    inner : Network

    Raises
    ------
    SsdBenchError
        It pools, or runs, in a way of its own.
    """

    def __init__(self, inner: Network) -> None:
        for name in ("pool", "forward"):
            if getattr(type(inner), name) is not getattr(Network, name):
                raise SsdBenchError(
                    f"{type(inner).__name__} has a {name} of its own, which does not know where padded series end.",
                    "Expected a network that takes the mean of its last maps over time.",
                    "Prepare the series otherwise: --length resize, truncate, zeros, edge or noise.",
                )
        nn.Module.__init__(self)
        self.inner = inner
        self.embedding_size, self.n_classes = inner.embedding_size, inner.n_classes
        self._steps = ValidSteps()

    @property
    def mid_site(self) -> DropoutSite:  # type: ignore[override]
        """The inner network's site."""
        return self.inner.mid_site

    @property
    def embed_site(self) -> DropoutSite:  # type: ignore[override]
        """The inner network's site."""
        return self.inner.embed_site

    @property
    def classifier(self) -> nn.Linear:  # type: ignore[override]
        """The inner network's head."""
        return self.inner.classifier

    @property
    def dropout(self) -> Dropout:
        """The rates of the sites."""
        return self.inner.dropout

    def stem(self, x: Tensor) -> Tensor:
        """First half; NaN are steps after the end of a series."""
        return self.inner.stem(self._steps.take(x))

    def body(self, maps: Tensor) -> Tensor:
        """Second half: the last maps, weighted so that their mean is that of the valid steps."""
        return self._steps.weigh(self.inner.body(maps))

    def around(self, inner: Network) -> MaskedNetwork:
        """Return a masked network around a view of the inner one."""
        other = MaskedNetwork.__new__(MaskedNetwork)
        other.__dict__ = {**self.__dict__, "_modules": {"inner": inner}, "_steps": ValidSteps()}
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> MaskedNetwork:
        import copy

        twin = MaskedNetwork(copy.deepcopy(self.inner, memo))
        return twin.train(self.inner.training)
