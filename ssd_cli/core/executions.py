"""How networks are computed: the convolution, and whether several networks share a training step. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ssd_cli.core.options import require_choice
from ssd_cli.errors import MisuseError
from ssd_cli.registry import Registry

PLAIN = "plain"
"""The convolution in the definition of the network."""

Batching = Literal["off", "joint", "graph"]
"""One network per training step; several networks per step; several per step, and the step is captured as a CUDA graph."""

convolutions: Registry[Any] = Registry("convolution", "ssd_cli.engine.convolution", pluggable=False)
"""All other convolutions: classes derived from `engine.convolution.base.Convolution`."""

# Labels in records and of --engine. The label of a convolution that is not listed here is its name.
_CONVOLUTION_LABELS = {PLAIN: "plain", "fft": "fast"}
_BATCHING_LABELS: dict[Batching, str] = {"joint": "batched", "graph": "graph"}


@dataclass(frozen=True)
class Execution:
    """How the networks of a cell are computed.

    `convolution` is "plain" or a name in `convolutions`. Any `batching` except "off" needs "plain". A value that is unknown, or
    cannot be combined with the other one, raises MisuseError.
    """

    convolution: str = PLAIN
    batching: Batching = "off"

    def __post_init__(self) -> None:
        require_choice("convolution", self.convolution, [PLAIN, *convolutions.names()])
        require_choice("batching", self.batching, get_args(Batching))
        if self.convolution != PLAIN and self.batching != "off":
            raise MisuseError(f"Batching '{self.batching}' needs plain convolutions, not '{self.convolution}'.")

    @property
    def label(self) -> str:
        """The name in records and for ``--engine``."""
        return _BATCHING_LABELS.get(self.batching) or _CONVOLUTION_LABELS.get(self.convolution, self.convolution)

    @classmethod
    def of(cls, label: str) -> Execution:
        """Return the execution with this label; raise MisuseError if there is none."""
        by_label = {one.label: one for one in executions()}
        require_choice("execution", label, list(by_label))
        return by_label[label]


def executions() -> list[Execution]:
    """Return all executions: plain convolutions, other convolutions, and several networks per step with plain convolutions."""
    others = sorted(convolutions.names(), key=lambda name: (name not in _CONVOLUTION_LABELS, name))
    return [*(Execution(name) for name in (PLAIN, *others)), *(Execution(PLAIN, batching) for batching in _BATCHING_LABELS)]


def labels() -> list[str]:
    """List the labels of all executions."""
    return [one.label for one in executions()]
