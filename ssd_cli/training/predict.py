"""Probabilities of a frozen network."""

from __future__ import annotations

from collections.abc import Callable

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
    """Put a network into eval mode and fix its parameters; return it."""
    return network.eval().requires_grad_(False)


def cases_at_once(n_timepoints: int) -> int:
    """Series of so many steps whose maps take a bounded memory."""
    return max(1, min(256, _STEPS_AT_ONCE // n_timepoints))


def batches_of(x: Tensor) -> tuple[Tensor, ...]:
    """Split x (n_cases, n_channels, n_timepoints) into parts of bounded memory, in order."""
    return x.split(cases_at_once(x.shape[-1]))


def outputs(network: Callable[[Tensor], Outputs], x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (n_cases, n_classes) and embeddings (n_cases, embedding_size) of all series, without gradients.

    The network's mode is left as it is; a frozen network is in eval mode.
    """
    with torch.no_grad(), kept_spectra():
        parts = [network(part) for part in batches_of(x)]
    return torch.cat([part.logits for part in parts]), torch.cat([part.embedding for part in parts])


def predict_proba(network: Network, X: Floats) -> npt.NDArray[np.float64]:
    """Softmax probabilities (n_cases, n_classes) of X (n_cases, n_channels, n_timepoints), in float64.

    By the network as it would be deployed, in evaluation mode; the network itself is left as it is.
    """
    parameter = next(network.parameters())
    logits, _ = outputs(Deployed(network), torch.as_tensor(X, dtype=parameter.dtype, device=parameter.device))
    return logits.cpu().double().softmax(-1).numpy()  # MPS has no float64
