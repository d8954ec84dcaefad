"""How products are rounded on a device, and forward passes in bfloat16, which have not been run on a GPU yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ssd_cli.backbones.base import Network, Outputs
from ssd_cli.engine.execution import Execution
from ssd_cli.errors import MisuseError

if TYPE_CHECKING:
    from ssd_cli.engine.planner import NetworkLike


def check_precision(device: str, precision: str) -> None:
    """Refuse what the device cannot compute.

    Raises
    ------
    MisuseError
        Precision fp64 on MPS, which has no such numbers.
    """
    if device == "mps" and precision == "fp64":
        raise MisuseError("The device 'mps' has no precision 'fp64'.", "Use the device 'cpu', or leave the precision out.")


def set_arithmetic(device: str, precision: str) -> None:
    """Refuse what the device cannot compute, and fix what torch otherwise decides by itself on CUDA, for this process.

    By torch's defaults convolutions use tf32 and non-deterministic algorithms; here fp32 means fp32, and the same seed gives the
    same bits on the same kind of device.

    Parameters
    ----------
    device : str
    precision : {"fp32", "tf32", "bf16", "fp64"}

    Raises
    ------
    MisuseError
        See `check_precision`.
    """
    check_precision(device, precision)
    if device != "cuda":
        return
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def forward_context(device: str, precision: str) -> Callable[[], AbstractContextManager]:
    """What makes the context of a forward pass in training: autocast to bfloat16, or nothing."""
    # Weights are used once a pass, so a cache of their casts has nothing to give; inside a captured graph it must be off.
    return partial(torch.autocast, device, dtype=torch.bfloat16, cache_enabled=False) if precision == "bf16" else nullcontext


def autocasting(network: NetworkLike, device: str, precision: str) -> Network:
    """The network itself, or its forward pass in bfloat16 where the precision says so.

    Raises
    ------
    MisuseError
        A fast execution was forced, which has no bfloat16.
    """
    if precision != "bf16":
        return cast(Network, network)
    if isinstance(network, Execution):
        raise MisuseError("The fast executions have no precision 'bf16'.", "Expected --engine auto, plain, batched or graph.")
    return cast(Network, Autocast(cast(Network, network), forward_context(device, precision)))


class Autocast:
    """A network whose forward pass runs in a lower precision, and whose outputs are in its own again: losses stay exact.

    Parameters
    ----------
    network : Network
    context : callable
        Of `forward_context`.
    """

    def __init__(self, network: Network, context: Callable[[], AbstractContextManager]) -> None:
        self._network, self._context = network, context

    def __call__(self, x: Tensor) -> Outputs:
        """Run the whole network."""
        with self._context():
            logits, embedding, maps = self._network(x)
        return Outputs(logits.to(x.dtype), embedding.to(x.dtype), maps)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)
