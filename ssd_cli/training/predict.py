"""Outputs of a frozen network; torch's number of threads while they are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ssd_cli.backbones.base import Network, Outputs
from ssd_cli.engine.convolution.transform import kept_spectra
from ssd_cli.engine.deployed import Deployed
from ssd_cli.protocol.containers import Floats

# Time steps of one prediction batch: 128 filters of 2**16 steps in float32 are 32 MB a layer.
_STEPS_AT_ONCE = 2**16


def freeze(network: Network) -> Network:
    """Put a network into eval mode, fix its parameters, and return it."""
    return network.eval().requires_grad_(False)


def cases_at_once(n_timepoints: int) -> int:
    """Return the number of series in one prediction batch."""
    return max(1, min(256, _STEPS_AT_ONCE // n_timepoints))


def outputs(network: Callable[[Tensor], Outputs], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (n_cases, n_classes) and embeddings (n_cases, embedding_size) of all series, without gradients.

    The network's mode does not change; a frozen network is in eval mode.
    """
    with torch.no_grad(), kept_spectra():
        parts = [network(part) for part in x.split(cases_at_once(x.shape[-1]))]
    return torch.cat([part.logits for part in parts]), torch.cat([part.embedding for part in parts])


def predict_proba(network: Network, X: Floats) -> npt.NDArray[np.float64]:
    """Return softmax probabilities (n_cases, n_classes) of X (n_cases, n_channels, n_timepoints), in float64.

    The deployed form of the network computes them, in evaluation mode. The network itself does not change.
    """
    parameter = next(network.parameters())
    logits, _ = outputs(Deployed(network), torch.as_tensor(X, dtype=parameter.dtype, device=parameter.device))
    return logits.cpu().double().softmax(-1).numpy()  # MPS has no float64


@contextmanager
def using_threads(number: int) -> Iterator[None]:
    """Set torch's number of threads within a block; restore the earlier number afterwards."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number)
        yield
    finally:
        torch.set_num_threads(before)
