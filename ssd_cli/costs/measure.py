"""Measure what a deployed predictor costs (parameters, multiply-accumulates, bytes, latency), and the peak memory of a cell."""

from __future__ import annotations

import inspect
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ssd_cli.engine.deployed import Deployed
from ssd_cli.training.predict import using_threads

if TYPE_CHECKING:
    from ssd_cli.methods.base import Predictor
    from ssd_cli.protocol.containers import TrainingSet

MACS_CONVENTION = "multiply-accumulates of convolutions (padding included) and linear layers, one series, plain network"
WARM_UPS = 3
TIMED = 20
MEMORY_INTERVAL_SECONDS = 0.02


def measure(predictor: Predictor, training_set: TrainingSet) -> dict[str, Any]:
    """Measure what a predictor costs to store and to run: the sum of its networks, timed on the first training series.

    Returns
    -------
    dict
        ``networks_stored``; ``parameters`` (trainable, heads included); ``macs`` of one series in the convention named by
        ``macs_convention`` (without normalisation, activations and pooling); ``size_bytes`` of the weights and buffers in
        float32; ``latency_ms_p50``: the median of 20 predictions of one series on one thread, after 3 warm-ups, by the deployed
        networks (batch norms folded). A predictor without networks has None, never 0, for the measures of networks.
    """
    networks = predictor.networks
    series = training_set.X[:1]
    example = torch.from_numpy(series)
    return {
        "networks_stored": len(networks),
        "parameters": sum(map(count_parameters, networks)) if networks else None,
        "macs": sum(count_macs(network, example) for network in networks) if networks else None,
        "macs_convention": MACS_CONVENTION if networks else None,
        "size_bytes": sum(map(size_bytes, networks)) if networks else None,
        "latency_ms_p50": latency_ms_p50(predictor, training_set),
    }


def count_parameters(network: nn.Module) -> int:
    """Count the trainable parameters, those of a frozen network included; buffers do not count."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, example: Tensor) -> int:
    """Count the multiply-accumulates of one forward pass of one series (1, n_channels, n_timepoints)."""
    with evaluating(network), MacCounter() as counter:
        network(_like(network, example))
    return counter.macs


def size_bytes(network: nn.Module) -> int:
    """Return the bytes of weights and floating-point buffers (running statistics, frozen filters) in float32."""
    tensors = [*network.parameters(), *network.buffers()]
    return sum(4 * tensor.numel() for tensor in tensors if tensor.is_floating_point())


def latency_ms_p50(predictor: Predictor, training_set: TrainingSet) -> float:
    """Return the median time in milliseconds of predicting one series (batch of one, one thread) with the deployed networks."""
    series = training_set.X[:1]
    if predictor.networks:
        deployed = [Deployed(network) for network in predictor.networks]
        x = _like(predictor.networks[0], torch.from_numpy(series))

        def predict() -> None:
            for network in deployed:
                network(x).logits.softmax(-1).cpu()
    else:

        def predict() -> None:
            predictor.predict_proba(series)

    times = []
    with using_threads(1):
        for _ in range(WARM_UPS + TIMED):
            start = time.perf_counter()
            predict()
            times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[WARM_UPS:])


def _like(network: nn.Module, example: Tensor) -> Tensor:
    """Move the example to the network's device and precision."""
    parameter = next(network.parameters())
    return example.to(parameter.device, parameter.dtype)


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Run the block without gradients and in evaluation mode; restore the networks' modes afterwards."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        for network in networks:
            network.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


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
            with self:  # in inference mode, torch passes operations on undecomposed
                out = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if out is NotImplemented else out
        out = func(*args, **kwargs)
        self.macs += int(formula(*args, **kwargs, out_val=out)) // 2
        return out


MacCounter.__torch_dispatch__ = inspect.unwrap(MacCounter.__torch_dispatch__)  # type: ignore[method-assign]


class PeakMemory:
    """Context manager that samples the resident memory of this process in a thread.

    It may miss a peak shorter than the interval (in seconds). The operating system's own maximum cannot be used instead, because it
    never falls and a worker process runs many cells. `start_bytes` and `peak_bytes` hold the resident bytes at the start and the
    largest so far.
    """

    def __init__(self, interval: float = MEMORY_INTERVAL_SECONDS) -> None:
        self._interval = interval
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak-memory", daemon=True)
        self.start_bytes = 0
        self.peak_bytes = 0

    def __enter__(self) -> PeakMemory:
        """Start sampling."""
        self.start_bytes = self.peak_bytes = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Take a last sample and stop."""
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._sample()

    def _sample(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)
