"""Another execution of a network that pools over valid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ssd_cli.backbones.masked import MaskedNetwork, ValidSteps
from ssd_cli.engine.execution import Execution

if TYPE_CHECKING:
    from ssd_cli.engine.planner import NetworkLike


class MaskedExecution(Execution[MaskedNetwork]):
    """The execution of the network inside, with its maps weighted as `MaskedNetwork` weighs them."""

    def __init__(self, network: MaskedNetwork, inside: NetworkLike) -> None:
        super().__init__(network)
        self._inside = inside
        self._steps = ValidSteps()

    def stem(self, x: Tensor) -> Tensor:
        """First half; NaN are steps after the end of a series."""
        return self._inside.stem(self._steps.take(x))

    def body(self, maps: Tensor) -> Tensor:
        """Second half: the last maps, weighted so that their mean is that of the valid steps."""
        return self._steps.weigh(self._inside.body(maps))
