"""Which execution of a network a training uses: a pure function of architecture, length of the series, device and precision.

Never of a measured rate: the same cell must give the same bits on every machine of a kind. The rules stand on measurements that
`benchmarks/speed_engine.py` repeats.

There is no compiled execution. For Inception `torch.compile` makes the plain step 1.10 times faster and the fast one slower (0.87
to 0.94), after 16 to 31 seconds for each shape of a batch; the fast step without it is 2.3 to 3.0 times faster than the plain one
(results/speed/compile.txt, torch 2.13).
"""

from __future__ import annotations

import math
from typing import Protocol

from torch import Tensor, nn

from ssd_cli.backbones.base import DropoutSite, Network, Outputs
from ssd_cli.backbones.fcn import FCNNetwork
from ssd_cli.backbones.inception import InceptionNetwork
from ssd_cli.backbones.lite import LITENetwork
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.backbones.resnet import ResNetNetwork
from ssd_cli.engine.execution import Execution
from ssd_cli.engine.inception import MATRICES_PAY_TO, BilinearInception, FastInception
from ssd_cli.engine.lite import FastLITE
from ssd_cli.engine.masked import MaskedExecution
from ssd_cli.engine.resnet import BilinearFCN, BilinearResNet, FastFCN, FastResNet
from ssd_cli.errors import MisuseError

EXECUTIONS = ("plain", "fast", "bilinear", "batched", "graph")
CAPTURES = ("graph",)
"""Plain networks, whole training steps captured as CUDA graphs (without CUDA: the same steps, uncaptured)."""
BATCHES_MEMBERS = ("batched", "graph")
"""Plain networks, several of them trained in one batched step."""
_BILINEAR: dict[type[Network], type[Execution]] = {
    InceptionNetwork: BilinearInception,
    ResNetNetwork: BilinearResNet,
    FCNNetwork: BilinearFCN,
}
_FAST: dict[type[Network], type[Execution]] = {
    InceptionNetwork: FastInception,
    ResNetNetwork: FastResNet,
    FCNNetwork: FastFCN,
    LITENetwork: FastLITE,
}

_KINDS = {"fast": _FAST, "bilinear": _BILINEAR}


class NetworkLike(Protocol):
    """What an objective may use of a network, whichever execution computes it."""

    @property
    def mid_site(self) -> DropoutSite:
        """Dropout between the halves."""

    @property
    def embed_site(self) -> DropoutSite:
        """Dropout before the classifier."""

    @property
    def classifier(self) -> nn.Linear:
        """The linear head."""

    def stem(self, x: Tensor) -> Tensor:
        """First half."""

    def body(self, maps: Tensor) -> Tensor:
        """Second half."""

    def pool(self, maps: Tensor) -> Tensor:
        """Average over time."""

    def __call__(self, x: Tensor) -> Outputs:
        """Run the whole network."""


def plan(network: Network, n_timepoints: int, *, device: str = "cpu", precision: str = "fp32") -> str:
    """Choose the execution of a training.

    Parameters
    ----------
    network : Network
        Only its architecture matters.
    n_timepoints : int
        Of the longest series.
    device : str
        Kind of device: "cpu", "cuda", "mps".
    precision : str
        The recipe's.

    Returns
    -------
    str
        One of `EXECUTIONS`. On a CPU it is "bilinear" for ResNet and FCN, and for Inception on series of up to `MATRICES_PAY_TO`
        steps; "fast" for all others that have a fast execution. It was the fastest one at all shapes that were measured: "fast"
        from 24 to 1460 steps, "bilinear" from 24 to 427. On CUDA it is "graph", 6 to 18 times as fast as "plain" there. "fast"
        and "bilinear" have no bf16.
    """
    if device == "cuda":
        return "graph"
    if device != "cpu" or precision == "bf16":
        return "plain"
    if type(network) in _BILINEAR and n_timepoints <= longest(network, "bilinear"):
        return "bilinear"
    return "fast" if type(network) in _FAST else "plain"


def longest(network: Network, execution: str) -> float:
    """Up to how many steps of a series an execution is what it says; beyond, Inception's "bilinear" is "fast"."""
    return MATRICES_PAY_TO if execution == "bilinear" and isinstance(network, InceptionNetwork) else math.inf


def bind(network: Network, execution: str) -> NetworkLike:
    """Give the network, or another execution of it that shares its parameters, buffers, mode and dropout sites.

    Raises
    ------
    MisuseError
        Unknown execution, or one that this architecture does not have.
    """
    if execution in ("plain", *BATCHES_MEMBERS):
        return network
    if execution not in EXECUTIONS:
        raise MisuseError(f"Unknown execution '{execution}'.", f"Known executions: {', '.join(EXECUTIONS)}.")
    if isinstance(network, MaskedNetwork):
        return MaskedExecution(network, bind(network.inner, execution))
    kind = _KINDS[execution].get(type(network))
    if kind is None:
        others = [name for name, kinds in _KINDS.items() if type(network) in kinds]
        has = ", ".join(["auto", *others, "plain"])
        raise MisuseError(f"{type(network).__name__} has no execution '{execution}'.", f"Expected --engine with one of {has}.")
    return kind(network)
