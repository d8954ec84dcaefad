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

_repeating: ContextVar[bool] = ContextVar("repeating", default=False)


def repeating() -> bool:
    """Return whether the present computation repeats one whose batch has been counted."""
    return _repeating.get()


def light(part: Callable[[Tensor], Tensor], maps: Tensor, n_steps: int) -> Tensor:
    """Run a deterministic part of a network; of a large batch (`n_steps`: cases times steps) store only its input."""
    if n_steps < LARGE or not torch.is_grad_enabled():
        return part(maps)
    result: Tensor = checkpoint(part, maps, use_reentrant=False, preserve_rng_state=False, context_fn=_contexts)
    return result


def _contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), _repetition()


@contextmanager
def _repetition() -> Iterator[None]:
    token = _repeating.set(True)
    try:
        yield
    finally:
        _repeating.reset(token)
