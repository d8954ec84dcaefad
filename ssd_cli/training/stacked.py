"""One training step of several networks of one architecture, with the plain objective.

Each network gets the batches and masks of a separate training; only the rounding of sums differs. Against separate training in
float64, weights, statistics and curves agree within a relative 1e-9 after a few epochs. In float32 outputs agree within 1e-3 after
two epochs. The bias of a convolution before a batch norm is an exception: its gradient is zero except for rounding, and no output
depends on it.

The step is for GPUs, which a small step does not fully use. On an H100 (`benchmarks/speed.py gpu`) a step of five networks took 0.4
to 0.5 of the time of five steps on batches of up to 1536 values (cases times time points). From 7500 values on it took 1.0 to 1.15
of that time. On a CPU it is not worthwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ssd_cli.engine.batching.stack import Stack, StackedAdam


class StackedStep:
    """A batch, a cross-entropy and a learning rate for each network of a stack.

    `x` and `y` hold the training cases of all networks; those of each begin at its position in `first` (0 by default).
    `smoothing` is the label smoothing of each, and `context` makes the context of the forward pass (autocast).
    """

    modes: tuple[bool, ...] = ()

    def __init__(
        self,
        stack: Stack,
        x: Tensor,
        y: Tensor,
        smoothing: Sequence[float],
        first: Sequence[int] = (),
        context: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        self.stack, self.x, self.y = stack, x, y
        self.device = x.device
        self.optimiser = StackedAdam(stack.weights)
        self.sums = x.new_zeros(len(stack.networks))
        self.generators = stack.generators
        self._smoothing = x.new_tensor(list(smoothing)) if any(smoothing) else None
        self._first = torch.tensor([[row] for row in first], device=x.device) if any(first) else None
        self._filters = stack.dropped(x)
        self._context = context

    def begin_epoch(self, epoch: int) -> None:
        """See `TrainingStep`."""
        self.sums.zero_()

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """See `TrainingStep`."""
        self.optimiser.rates.copy_(torch.tensor([[rate] for rate in rates], dtype=self.optimiser.rates.dtype))

    def __call__(self, index: Tensor) -> None:
        """See `TrainingStep`."""
        if self._first is not None:
            index = index + self._first
        masks = self.stack.draw(index.shape[1], self._filters)
        with self._context():
            logits = self.stack.forward(self.x[index.t()], masks)
        losses = self._losses(logits.to(self.x.dtype).log_softmax(-1), self.y[index])
        (gradient,) = torch.autograd.grad(losses.sum(), self.stack.weights)
        self.optimiser.step(gradient)
        self.sums += losses.detach() * index.shape[1]

    def _losses(self, log_likelihoods: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of each network, (n_networks,)."""
        losses = -log_likelihoods.gather(2, y.unsqueeze(2)).squeeze(2).mean(1)
        if self._smoothing is None:
            return losses
        return (1 - self._smoothing) * losses - self._smoothing * log_likelihoods.mean((1, 2))

    def totals(self) -> list[dict[str, float]]:
        """See `TrainingStep`."""
        return [{"loss": total, "ce": total} for total in self.sums.tolist()]

    def weights(self) -> dict[str, Tensor]:
        """See `TrainingStep`; the trainable weights of a network are one row under the name ""."""
        return {"": self.stack.weights.detach(), **self.stack.buffers}

    def finish(self, weights: Mapping[str, Tensor] | None) -> None:
        """See `TrainingStep`."""
        buffers = dict(self.weights() if weights is None else weights)
        self.stack.write(buffers.pop(""), buffers)
