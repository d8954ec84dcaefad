"""Sub-seeds: one integer from the user, an independent stream for every purpose.

A sub-seed is a hash, so adding a network, a method or a dataset never shifts another's stream. It depends on the dataset's name and
the resample, so that the luck of one initialisation averages out over datasets; it does not depend on the test set in any way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def sub_seed(seed: int, dataset: str, resample: int, purpose: str, index: int = 0) -> int:
    """A seed below 2**63 for one purpose ("init", "order", "dropout", …) and one index of it."""
    text = json.dumps([seed, dataset, resample, purpose, index])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, device: str = "cpu") -> torch.Generator:
    """A torch generator on `device`, started from `seed`."""
    return torch.Generator(device=device).manual_seed(seed)


@contextmanager
def global_streams(seed: int, device: str = "cpu") -> Iterator[None]:
    """Torch's own streams, started from `seed` and put back afterwards: layers of plug-ins draw from them, ours never do."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device == "cuda":
            torch.cuda.manual_seed_all(seed)
        yield
