"""Whole training steps as CUDA graphs: captured once for each size of a batch, then replayed without Python and without launches.

A captured step reads the positions of its batch from a fixed place, and weights, statistics, optimiser state, sums of the epoch
and learning rate stay where they were when it was captured. Random streams are registered with the graph, so that a replay draws
what the uncaptured step would have drawn.

Without CUDA the same steps run uncaptured over the same fixed places, which is how tests compare them with the plain loop; where
there is a device, `tests/training/test_cuda.py` compares captures with uncaptured steps. On an H100 a captured step is 6 to 18
times as fast as the same step uncaptured, which waits for Python (`benchmarks/speed.py gpu`, results/speed/gpu).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ssd_cli.core.executions import Execution
from ssd_cli.training.adam import Adam
from ssd_cli.training.step import Step, Steps

WARM_UP = 3
"""Steps of each batch size that run uncaptured first, on a side stream, and count as training: libraries load what they need, and
all persistent memory comes into being. torch's notes on CUDA graphs advise three."""

Key = tuple[tuple[int, ...], tuple[bool, ...]]


class Capturable(Protocol):
    """A step that can be captured: it never waits for the device, and all that outlives it is changed in place."""

    sums: dict[str, Tensor]

    def begin_epoch(self) -> None:
        """See `Steps`."""

    def follow_rate(self) -> None:
        """See `Steps`."""

    def __call__(self, index: Tensor) -> None:
        """See `Steps`."""

    @property
    def generators(self) -> Sequence[torch.Generator]:
        """The random streams that it draws from."""

    @property
    def modes(self) -> tuple[bool, ...]:
        """What a graph holds fixed beside the batch's size: in another mode another graph is captured."""


class Captured:
    """Another execution of a step: the same arithmetic, replayed from graphs where the device is CUDA.

    Parameters
    ----------
    step : Capturable
    device : torch.device
    """

    def __init__(self, step: Capturable, device: torch.device) -> None:
        self.sums = step.sums
        self._step = step
        self._graphs: dict[Key, Any] = {}
        self._indices: dict[Key, Tensor] = {}
        self._runs: Counter[Key] = Counter()
        self._cuda = device.type == "cuda"
        if self._cuda:
            self._stream = torch.cuda.Stream(device)
            # One pool for all graphs: nothing in it outlives a replay.
            self._pool = torch.cuda.graph_pool_handle()

    def begin_epoch(self) -> None:
        """Set the sums back and follow the schedule; both in place."""
        self._step.begin_epoch()

    def follow_rate(self) -> None:
        """Follow the schedule within an epoch; the captured optimiser reads the rate where it always was."""
        self._step.follow_rate()

    def __call__(self, index: Tensor) -> None:
        """Run, capture or replay the step on these cases."""
        key = (tuple(index.shape), self._step.modes)
        if key not in self._indices:
            self._indices[key] = torch.empty_like(index, memory_format=torch.contiguous_format)
        static = self._indices[key].copy_(index)
        if key not in self._graphs and self._cuda and self._runs[key] >= WARM_UP:
            self._graphs[key] = self._capture(static)
        if key in self._graphs:
            self._graphs[key].replay()
        else:
            self._runs[key] += 1
            self._uncaptured(static)

    def _uncaptured(self, index: Tensor) -> None:
        if not self._cuda:
            self._step(index)
            return
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._step(index)
        torch.cuda.current_stream().wait_stream(self._stream)

    def _capture(self, index: Tensor) -> Any:
        """Record the step; nothing is computed while it is recorded."""
        graph = torch.cuda.CUDAGraph()
        for generator in self._step.generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            self._step(index)
        return graph


class DeviceStep(Step):
    """The loop's step with the optimiser's learning rate and step count on the device.

    Parameters
    ----------
    step : Step
        Its optimiser goes on being the one that the schedule acts on.
    """

    def __init__(self, step: Step) -> None:
        super().__init__(step.network, step.x, step.y, step.objective, step.optimiser)
        self._scheduled = step.optimiser
        group = step.optimiser.param_groups[0]
        device = step.x.device
        self._rate = torch.tensor(group["lr"], dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
        options: Any = {"lr": self._rate, "betas": group["betas"], "eps": group["eps"], "fused": True}
        self.optimiser = Adam(group["params"], **options, capturable=device.type == "cuda")
        self._scheduled.zero_grad()
        self._scheduled.step()  # moves nothing without gradients; its schedule wants to have seen a step

    def begin_epoch(self) -> None:
        """Set the sums back, and follow the learning rate."""
        super().begin_epoch()
        self.follow_rate()

    def follow_rate(self) -> None:
        """Copy the learning rate to where the captured optimiser reads it."""
        self._rate.fill_(self._scheduled.param_groups[0]["lr"])

    @property
    def modes(self) -> tuple[bool, ...]:
        """Training or evaluation, of the network and of what is trained beside it."""
        return (self.network.training,)


def steps_of(execution: Execution) -> Callable[[Step], Steps]:
    """What `loop.train` is given as `execute`: steps as they are, or captured."""
    return captured if execution.batching == "graph" else lambda step: step


def captured(step: Step) -> Captured:
    """The loop's step, captured: give it to `loop.train` as `execute`."""
    return Captured(DeviceStep(step), step.x.device)
