"""Very long series: parts of a network whose maps are computed again in the backward pass instead of being kept.

The result is the same to the bit: the second computation sees the same maps and the same weights, draws nothing, and leaves the
running statistics of batch norms alone. It costs one forward pass more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

LARGE = 2**18
"""Cases times steps of a batch from which maps are not kept: 128 filters of them are 128 MB, and a network has some twenty; a
convolution by tiles keeps nearly twice its input."""

_repeating: ContextVar[bool] = ContextVar("repeating", default=False)


def repeating() -> bool:
    """Whether the present computation repeats one that has been counted."""
    return _repeating.get()


def light(part: Callable[[Tensor], Tensor], maps: Tensor, n_steps: int) -> Tensor:
    """Run a part of a network; of a large batch keep its input only.

    Parameters
    ----------
    part : callable
        Deterministic; maps in, maps out.
    maps : Tensor
    n_steps : int
        Cases times steps of the batch.
    """
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
