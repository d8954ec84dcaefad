"""Parts of a network whose maps, for very long series, are computed again in the backward pass instead of being stored.

The result has the same bits: the second computation has the same maps and weights, draws no random numbers, and does not update the
running statistics of batch norms. It costs one additional forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

LARGE = 2**18
"""Cases times steps of a batch from which maps are not stored. One map of 128 filters is 128 MB, and a network has about twenty;
a convolution by tiles stores nearly twice its input."""

_recomputes: ContextVar[bool] = ContextVar("recomputes", default=False)


def is_recomputation() -> bool:
    """Return whether the current computation repeats an earlier one, whose batch the running statistics already include."""
    return _recomputes.get()


def recomputing(part: Callable[[Tensor], Tensor], maps: Tensor, n_steps: int) -> Tensor:
    """Run a deterministic part of a network; for a large batch (`n_steps`: cases times steps), store only the part's input."""
    if n_steps < LARGE or not torch.is_grad_enabled():
        return part(maps)
    result: Tensor = checkpoint(part, maps, use_reentrant=False, preserve_rng_state=False, context_fn=_contexts)
    return result


def _contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), _recomputation()


@contextmanager
def _recomputation() -> Iterator[None]:
    token = _recomputes.set(True)
    try:
        yield
    finally:
        _recomputes.reset(token)
