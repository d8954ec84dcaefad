"""Count the multiply-accumulates of a network with torch's own formulas."""

from __future__ import annotations

import inspect
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class MacCounter(TorchDispatchMode):
    """Context manager that sums the multiply-accumulates of convolutions and matrix products.

    It equals torch's ``FlopCounterMode`` without the table by module. That class also loads torch's compiler, which costs start-up
    time (see `training.adam`). The attribute `macs` holds the sum.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute an operation and add half of its FLOPs; decompose an operation without a formula."""
        kwargs, formula = kwargs or {}, flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:  # under inference mode, operations arrive undecomposed
                out = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if out is NotImplemented else out
        out = func(*args, **kwargs)
        self.macs += int(formula(*args, **kwargs, out_val=out)) // 2
        return out


MacCounter.__torch_dispatch__ = inspect.unwrap(MacCounter.__torch_dispatch__)  # type: ignore[method-assign]
