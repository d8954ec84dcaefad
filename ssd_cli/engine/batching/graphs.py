"""Training steps as CUDA graphs: captured once for each batch size, then replayed without Python code and separate launches.

A captured step reads the positions of its batch from a fixed tensor. Weights, statistics, optimiser state, sums of the epoch and
learning rate keep their memory. Random streams are registered with the graph, so that replays draw the numbers of uncaptured steps.

Without CUDA the same steps run uncaptured over the same fixed tensors, so that tests can compare them with plain steps. On an H100
a captured step is 6 to 18 times as fast as the uncaptured one, which waits for Python (`benchmarks/speed.py gpu`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

WARM_UP = 3
"""Steps of each batch size that run uncaptured first, on a side stream, and count as training: libraries load what they need, and
all persistent memory is allocated. torch's notes on CUDA graphs advise three."""

Key = tuple[tuple[int, ...], tuple[bool, ...]]


class TrainingStep(Protocol):
    """The interface of a step for the training loop."""

    device: torch.device

    def begin_epoch(self, epoch: int) -> None:
        """Put the networks into training mode and set the sums of the epoch to zero."""

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Use these learning rates, one for each network."""

    def __call__(self, index: Tensor) -> None:
        """Train on the cases at these positions, index (n_networks, batch)."""

    def totals(self) -> list[dict[str, float]]:
        """Return the sums over the cases of this epoch, by network and name; "loss" is the minimised one. Waits for the device."""

    def weights(self) -> dict[str, Tensor]:
        """Return all weights and buffers; of several networks each is (n_networks, …)."""

    def finish(self, weights: Mapping[str, Tensor] | None) -> None:
        """Copy these weights to the networks, or keep the current ones; put the networks into evaluation mode."""


class Capturable(TrainingStep, Protocol):
    """A training step that can be captured: it never waits for the device, and changes all tensors that outlive it in place."""

    @property
    def generators(self) -> Sequence[torch.Generator]:
        """The random streams that it draws from."""

    @property
    def modes(self) -> tuple[bool, ...]:
        """Values that a graph fixes besides the batch size; each combination has its own graph."""


class CudaGraphs:
    """CUDA graphs in one memory pool, on a side stream."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()  # shared by all graphs: its content is not used after a replay

    def run(self, step: Capturable, index: Tensor) -> None:
        """Run a step uncaptured."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            step(index)
        torch.cuda.current_stream().wait_stream(self._stream)

    def capture(self, step: Capturable, index: Tensor) -> Callable[[], None]:
        """Record a step without computing it; return a function that replays it."""
        graph = torch.cuda.CUDAGraph()
        for generator in step.generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            step(index)
        replay: Callable[[], None] = graph.replay
        return replay


class Captured:
    """A step that is replayed from graphs, with the same arithmetic; without CUDA it runs uncaptured."""

    def __init__(self, step: Capturable, graphs: CudaGraphs | None = None) -> None:
        self.device = step.device
        self.begin_epoch, self.set_learning_rates = step.begin_epoch, step.set_learning_rates
        self.totals, self.weights, self.finish = step.totals, step.weights, step.finish
        self._step = step
        self._graphs = CudaGraphs(step.device) if graphs is None and step.device.type == "cuda" else graphs
        self._replays: dict[Key, Callable[[], None]] = {}
        self._indices: dict[Key, Tensor] = {}
        self._runs: Counter[Key] = Counter()

    def __call__(self, index: Tensor) -> None:
        """Run, capture or replay the step on these cases."""
        key = (tuple(index.shape), self._step.modes)
        if key not in self._indices:
            self._indices[key] = torch.empty_like(index, memory_format=torch.contiguous_format)
        fixed = self._indices[key].copy_(index)
        if self._graphs is None:
            self._step(fixed)
        elif key in self._replays or self._runs[key] >= WARM_UP:
            if key not in self._replays:
                self._replays[key] = self._graphs.capture(self._step, fixed)
            self._replays[key]()
        else:
            self._runs[key] += 1
            self._graphs.run(self._step, fixed)
