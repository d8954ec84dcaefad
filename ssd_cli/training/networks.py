"""Stores of shared networks, and weights as numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

Arrays = dict[str, npt.NDArray]


class Networks(Protocol):
    """A store of shared networks; each is trained at most once."""

    def find(self, key: str) -> tuple[Mapping[str, npt.NDArray], dict[str, Any]] | None:
        """Return weights and the report of their training, if they are stored."""

    def obtain(
        self, key: str, train: Callable[[], tuple[Arrays, dict[str, Any]]]
    ) -> tuple[Mapping[str, npt.NDArray], dict[str, Any], bool]:
        """Return weights, the report of their training, and whether they were stored already; otherwise call `train`."""


class MemoryNetworks:
    """Shared networks of one process."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Arrays, dict[str, Any]]] = {}

    def find(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """See `Networks`."""
        return self._kept.get(key)

    def obtain(self, key: str, train: Callable[[], tuple[Arrays, dict[str, Any]]]) -> tuple[Arrays, dict[str, Any], bool]:
        """See `Networks`."""
        reused = key in self._kept
        if not reused:
            self._kept[key] = train()
        return *self._kept[key], reused


def state_to_arrays(network: torch.nn.Module) -> Arrays:
    """Copy weights and buffers to numpy arrays; later training does not change them."""
    return {name: np.array(value.detach().cpu()) for name, value in network.state_dict().items()}


def load_arrays(network: torch.nn.Module, arrays: Mapping[str, npt.NDArray]) -> None:
    """Copy arrays into a network of the same architecture; a missing or an additional name is an error."""
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}, strict=True)
