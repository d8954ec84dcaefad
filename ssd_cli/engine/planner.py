"""Choose the execution of a training: a pure function of architecture, length of the series, device and precision.

The choice never depends on a measured rate, so a cell gives the same bits on all machines of a kind. `benchmarks/speed.py engine`
repeats the measurements behind the rules.

There is no compiled execution. For Inception, `torch.compile` makes the plain step 1.10 times faster and the FFT step slower (0.87
to 0.94). It needs 16 to 31 seconds for each batch shape. The uncompiled FFT step is 2.3 to 3.0 times faster than the plain one
(results/speed/compile.txt, torch 2.13).
"""

from __future__ import annotations

import math

from ssd_cli.backbones.base import Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.core.executions import PLAIN, Execution, convolutions, executions
from ssd_cli.engine.convolution.base import view
from ssd_cli.errors import MisuseError


def plan(network: Network, n_timepoints: int, *, device: str = "cpu", precision: str = "fp32") -> Execution:
    """Choose the execution of a training; `n_timepoints` is the length of the longest series.

    On a CPU it is the preferred convolution that supports the network, the fastest at all measured shapes (FFT: 24 to 1460 steps,
    bilinear: 24 to 427). On CUDA it is captured steps, 6 to 18 times as fast as plain ones. Otherwise it is plain.
    """
    if device == "cuda":
        return Execution(batching="graph")
    if device == "cpu":
        for one in sorted(_supporting(network), key=lambda one: convolutions.get(one.convolution).preference, reverse=True):
            kind = convolutions.get(one.convolution)
            if kind.preference and precision in kind.precisions and n_timepoints <= kind.longest(type(network)):
                return one
    return Execution()


def longest(network: Network, convolution: str) -> float:
    """Return the longest series, in steps, for which `plan` may choose a convolution for a network."""
    return math.inf if convolution == PLAIN else convolutions.get(convolution).longest(type(network))


def bind(network: Network, convolution: str) -> Network:
    """Return the network, or a view of it that shares its state and computes convolutions in another way.

    Raise MisuseError if the convolution is unknown, or does not support this architecture.
    """
    wanted = Execution(convolution)
    if convolution == PLAIN:
        return network
    if isinstance(network, MaskedNetwork):
        return network.around(bind(network.inner, convolution))
    supporting = _supporting(network)
    if wanted not in supporting:
        known = ", ".join(["auto", "plain", *(one.label for one in supporting)])
        raise MisuseError(f"{type(network).__name__} has no execution '{wanted.label}'.", f"Expected --engine with one of {known}.")
    return view(network, convolutions.get(convolution).views[type(network)])


def supports(network: Network, convolution: str) -> bool:
    """Return whether a convolution supports the architecture of a network."""
    return convolution == PLAIN or Execution(convolution) in _supporting(network)


def _supporting(network: Network) -> list[Execution]:
    """Return the executions that support a network, without those with plain convolutions."""
    return [one for one in executions() if one.convolution != PLAIN and type(network) in convolutions.get(one.convolution).views]
