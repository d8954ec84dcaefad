"""How products are rounded on a device, and forward passes in bfloat16, which have not been run on a GPU yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from ssd_cli.backbones.base import Network, Outputs
from ssd_cli.core.executions import PLAIN, Execution, convolutions, executions
from ssd_cli.errors import MisuseError


def check_precision(device: str, precision: str) -> None:
    """Raise MisuseError for a precision that the device does not have: MPS has no fp64."""
    if device == "mps" and precision == "fp64":
        raise MisuseError("The device 'mps' has no precision 'fp64'.", "Use the device 'cpu', or leave the precision out.")


def check_execution(execution: Execution, precision: str) -> None:
    """Raise MisuseError for a precision that the execution does not have."""
    if not _has(execution, precision):
        known = ", ".join(["auto", *(one.label for one in executions() if _has(one, precision))])
        raise MisuseError(
            f"The execution '{execution.label}' has no precision '{precision}'.", f"Expected --engine with one of {known}."
        )


def _has(execution: Execution, precision: str) -> bool:
    return execution.convolution == PLAIN or precision in convolutions.get(execution.convolution).precisions


def set_arithmetic(device: str, precision: str) -> None:
    """Set torch's precision and determinism on CUDA for this process.

    By torch's defaults convolutions use tf32 and non-deterministic algorithms. Here fp32 means fp32, and the same seed gives the
    same bits on the same kind of device. Raises the errors of `check_precision`.
    """
    check_precision(device, precision)
    if device != "cuda":
        return
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def forward_context(device: str, precision: str) -> Callable[[], AbstractContextManager]:
    """Return a function that makes the context of a forward pass in training: autocast to bfloat16, or an empty context."""
    # Weights are used once per pass, so a cache of their casts saves nothing; inside a captured graph it must be off.
    return partial(torch.autocast, device, dtype=torch.bfloat16, cache_enabled=False) if precision == "bf16" else nullcontext


def autocasting(network: Network, device: str, precision: str) -> Network:
    """Return the network itself, or for bf16 a wrapper that runs its forward pass in bfloat16."""
    return cast(Network, Autocast(network, forward_context(device, precision))) if precision == "bf16" else network


class Autocast:
    """A network whose forward pass runs in lower precision. Its outputs have the precision of x, so that losses are exact."""

    def __init__(self, network: Network, context: Callable[[], AbstractContextManager]) -> None:
        self._network, self._context = network, context

    def __call__(self, x: Tensor) -> Outputs:
        """Run the whole network."""
        with self._context():
            logits, embedding, maps = self._network(x)
        return Outputs(logits.to(x.dtype), embedding.to(x.dtype), maps)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
