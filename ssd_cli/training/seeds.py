"""Sub-seeds: an independent random stream for every purpose, from one integer of the user.

A sub-seed is a hash, so an additional network, method or dataset never changes another's stream. It depends on the dataset's name
and the resample, so that the noise of one initialisation averages out over datasets. It does not depend on the test set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


def sub_seed(seed: int, dataset: str, resample: int, purpose: str, index: int = 0) -> int:
    """Return a seed below 2**63 for one purpose ("init", "order", "dropout", …) and one index of it."""
    text = json.dumps([seed, dataset, resample, purpose, index])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, device: str = "cpu") -> torch.Generator:
    """Return a torch generator on `device`, started from `seed`."""
    return torch.Generator(device=device).manual_seed(seed)


@dataclass(frozen=True)
class CellSeeds:
    """Derives all random streams of a cell from the user's seed, its dataset and its resample."""

    seed: int
    dataset: str
    resample: int = 0

    def sub_seed(self, purpose: str, index: int = 0) -> int:
        """Return the seed for one purpose and index."""
        return sub_seed(self.seed, self.dataset, self.resample, purpose, index)

    def stream(self, purpose: str, index: int = 0, device: str = "cpu") -> torch.Generator:
        """Return a new random stream for one purpose and index."""
        return generator(self.sub_seed(purpose, index), device)


@contextmanager
def global_streams(seed: int, device: str = "cpu") -> Iterator[None]:
    """Start torch's global streams from `seed`, and restore them afterwards: only layers of plug-ins draw from them."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device == "cuda":
            torch.cuda.manual_seed_all(seed)
        yield
