"""Multiply-accumulates of a network, counted by torch's own formulas while it predicts."""

from __future__ import annotations

import inspect
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class MacCounter(TorchDispatchMode):
    """While it is entered, adds up what convolutions and products of matrices cost.

    It is torch's ``FlopCounterMode`` without its table by module and without torch's compiler, which that one loads: see
    `training.adam`.

    Attributes
    ----------
    macs : int
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute an operation, and add half of its FLOPs; one without a formula by what it is made of, if of others."""
        kwargs, formula = kwargs or {}, flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:  # inference mode passes operations on whole
                out = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if out is NotImplemented else out
        out = func(*args, **kwargs)
        self.macs += int(formula(*args, **kwargs, out_val=out)) // 2
        return out


MacCounter.__torch_dispatch__ = inspect.unwrap(MacCounter.__torch_dispatch__)  # type: ignore[method-assign]
