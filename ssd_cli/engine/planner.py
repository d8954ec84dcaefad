"""Which execution a training uses: a pure function of architecture, length of the series, device and precision.

It never depends on a measured rate: a cell gives the same bits on every machine of a kind. `benchmarks/speed_engine.py` repeats
the measurements behind the rules.

There is no compiled execution. For Inception, `torch.compile` makes the plain step 1.10 times faster and the FFT one slower (0.87
to 0.94), after 16 to 31 seconds for each batch shape; the uncompiled FFT step is 2.3 to 3.0 times faster than the plain one
(results/speed/compile.txt, torch 2.13).
"""

from __future__ import annotations

import math

from ssd_cli.backbones.base import Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.core.executions import PLAIN, Execution, convolutions
from ssd_cli.engine.convolution.base import Convolution, view
from ssd_cli.errors import MisuseError


def plan(network: Network, n_timepoints: int, *, device: str = "cpu", precision: str = "fp32") -> Execution:
    """Choose the execution of a training.

    Parameters
    ----------
    network : Network
        Only its architecture matters.
    n_timepoints : int
        Length of the longest series.
    device : str
        Kind of device: "cpu", "cuda", "mps".
    precision : str
        The recipe's.

    Returns
    -------
    Execution
        On a CPU, the preferred convolution that serves the network. It was the fastest at all measured shapes (FFT: 24 to 1460
        steps, bilinear: 24 to 427). On CUDA captured steps, 6 to 18 times as fast as plain ones there. Otherwise plain.
    """
    if device == "cuda":
        return Execution(batching="graph")
    serving = [(name, kind) for name, kind in _serving(network) if kind.preference and precision in kind.precisions]
    if device == "cpu":
        for name, kind in sorted(serving, key=lambda one: one[1].preference, reverse=True):
            if n_timepoints <= kind.longest(type(network)):
                return Execution(name)
    return Execution()


def longest(network: Network, convolution: str) -> float:
    """Return up to how many steps of a series a convolution pays for a network."""
    return math.inf if convolution == PLAIN else convolutions.get(convolution).longest(type(network))


def bind(network: Network, convolution: str) -> Network:
    """Return the network, or a view of it that shares its state and computes convolutions by other means.

    Raises
    ------
    MisuseError
        The convolution is unknown, or does not serve this architecture.
    """
    label = Execution(convolution).label
    if convolution == PLAIN:
        return network
    if isinstance(network, MaskedNetwork):
        return network.around(bind(network.inner, convolution))
    kind = convolutions.get(convolution).views.get(type(network))
    if kind is None:
        known = ", ".join(["auto", *sorted(Execution(name).label for name, _ in _serving(network)), "plain"])
        raise MisuseError(f"{type(network).__name__} has no execution '{label}'.", f"Expected --engine with one of {known}.")
    return view(network, kind)


def _serving(network: Network) -> list[tuple[str, type[Convolution]]]:
    kinds = {name: convolutions.get(name) for name in convolutions.names()}
    return [(name, kind) for name, kind in kinds.items() if type(network) in kind.views]
