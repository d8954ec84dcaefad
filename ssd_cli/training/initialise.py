"""Initial weights from their own random stream."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn


def initialise(network: nn.Module, generator: torch.Generator, scheme: Literal["glorot", "torch"] = "glorot") -> None:
    """Draw the trainable weights of convolutions and linear layers, in the order of the modules; others do not change.

    Parameters
    ----------
    generator : torch.Generator
        On the CPU. Dropout draws nothing from it, so networks that differ only in dropout start from the same weights.
    scheme : {"glorot", "torch"}
        "glorot": uniform in +-sqrt(6 / (fan_in + fan_out)), fans multiplied by the kernel's length, biases 0: Keras's default,
        which all published networks used (Glorot and Bengio 2010, eq. 16). "torch": uniform in +-1 / sqrt(fan_in).
    """
    for module in network.modules():
        if not isinstance(module, nn.Conv1d | nn.Linear) or not module.weight.requires_grad:
            continue
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(module.weight)
        bound = (6 / (fan_in + fan_out)) ** 0.5 if scheme == "glorot" else fan_in**-0.5
        with torch.no_grad():
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None and scheme == "glorot":
                module.bias.zero_()
            elif module.bias is not None:
                module.bias.uniform_(-bound, bound, generator=generator)
