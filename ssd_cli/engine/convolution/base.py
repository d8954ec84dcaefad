"""The interface of convolution classes, which have views of networks that compute the same function in another way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, TypeVar, cast

from torch import Tensor, nn

from ssd_cli.backbones.base import Network

N = TypeVar("N", bound=Network)
M = TypeVar("M", bound=nn.Module)


class Convolution:
    """A way to compute the convolutions of networks in training, registered by its name in `core.executions.convolutions`."""

    views: ClassVar[Mapping[type[Network], type[Network]]]
    """For each supported class of networks, a subclass that overrides ``stem``, ``body``, ``run`` or ``pool`` and adds no attribute
    (see `view`). Other subclasses of a supported class are not supported: they may compute something else."""
    preference: ClassVar[int] = 0
    """On a CPU, `planner.plan` chooses the supported way with the highest preference; 0 is used only with ``--engine``."""
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "tf32", "fp64")

    @classmethod
    def longest(cls, network: type[Network]) -> float:
        """Return the longest series, in steps, for which `planner.plan` may choose this way for a class of networks."""
        return math.inf


def view(network: Network, kind: type[N]) -> N:
    """Return an instance of another class that shares all attributes of a network: weights, buffers, mode, dropout sites."""
    shared = kind.__new__(kind)
    shared.__dict__ = network.__dict__
    return shared


def channel_major(maps: Tensor) -> Tensor:
    """Return maps (n_cases, channels, n_timepoints) as (channels, n_cases, n_timepoints), contiguous; or the reverse."""
    return maps.transpose(0, 1).contiguous()


def typed(modules: nn.ModuleList, kind: type[M]) -> list[M]:
    """Return the modules of a list that contains only modules of one kind."""
    return cast("list[M]", list(modules))
