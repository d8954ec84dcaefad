"""Pooling over the valid steps of series that were padded to equal length.

Padded steps are NaN in the input. The convolutions get zeros instead, and the average over time excludes them. For this, the last
maps are multiplied by n_timepoints / n_valid at valid steps and by 0 elsewhere; then the plain mean is the mean over valid steps.
"""

from __future__ import annotations

from torch import Tensor, nn

from ssd_cli.backbones.base import Dropout, DropoutSite, Network
from ssd_cli.errors import SsdBenchError


class ValidSteps:
    """The valid steps of the last batch that the stem computed."""

    def __init__(self) -> None:
        self._weights: Tensor | None = None

    def take(self, x: Tensor) -> Tensor:
        """Store which steps of x (n_cases, n_channels, n_timepoints) are valid, and return x with zeros for NaN."""
        valid = ~x[:, :1].isnan()
        self._weights = valid * (x.shape[-1] / valid.sum(-1, keepdim=True).clamp(min=1)).to(x.dtype)
        return x.nan_to_num(nan=0.0)

    def weigh(self, maps: Tensor) -> Tensor:
        """Weight the steps of the last maps; `maps` may hold several copies of the batch, one after the other."""
        if self._weights is None:
            raise RuntimeError("The second half of a masked network cannot run before its first half.")
        copies = len(maps) // len(self._weights)
        return maps * (self._weights.repeat(copies, 1, 1) if copies > 1 else self._weights)


class MaskedNetwork(Network):
    """A network that pools over valid steps; its parameters are those of the inner network.

    An inner network that overrides `pool` or `forward` raises an SsdBenchError.
    """

    def __init__(self, inner: Network) -> None:
        for name in ("pool", "forward"):
            if getattr(type(inner), name) is not getattr(Network, name):
                raise SsdBenchError(
                    f"{type(inner).__name__} overrides {name}, so padded steps cannot be excluded from its average over time.",
                    "Expected a network that averages its last maps over time.",
                    "Use another preparation: --length resize, truncate, zeros, edge or noise.",
                )
        nn.Module.__init__(self)
        self.inner = inner
        self.embedding_size, self.n_classes = inner.embedding_size, inner.n_classes
        self._steps = ValidSteps()

    @property
    def mid_site(self) -> DropoutSite:  # type: ignore[override]
        return self.inner.mid_site

    @property
    def embed_site(self) -> DropoutSite:  # type: ignore[override]
        return self.inner.embed_site

    @property
    def further_sites(self) -> tuple[DropoutSite, ...]:
        return self.inner.further_sites

    @property
    def classifier(self) -> nn.Linear:  # type: ignore[override]
        return self.inner.classifier

    @property
    def dropout(self) -> Dropout:
        return self.inner.dropout

    def stem(self, x: Tensor) -> Tensor:
        """Run the first half; NaN marks steps after the end of a series."""
        return self.inner.stem(self._steps.take(x))

    def body(self, maps: Tensor) -> Tensor:
        """Run the second half. The last maps are weighted so that their mean over time is the mean over valid steps."""
        return self._steps.weigh(self.inner.body(maps))

    def around(self, inner: Network) -> MaskedNetwork:
        """Return a masked network around a view of the inner one."""
        other = MaskedNetwork.__new__(MaskedNetwork)
        other.__dict__ = {**self.__dict__, "_modules": {"inner": inner}, "_steps": ValidSteps()}
        return other
