import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssd_cli.backbones import backbones
from ssd_cli.costs import measure
from ssd_cli.costs.measure import MacCounter, count_macs
from ssd_cli.protocol.containers import TrainingSet


class StubPredictor:
    """Holds networks as a predictor does; the rest of a predictor costs nothing here."""

    def __init__(self, *networks):
        self.networks = list(networks)
        self.calls = 0

    def predict_proba(self, X):
        self.calls += 1
        return np.full((len(X), 2), 0.5)


def training_set(n_channels=1, n_timepoints=50):
    X = np.random.default_rng(0).normal(size=(4, n_channels, n_timepoints)).astype(np.float32)
    return TrainingSet(X, np.array([0, 1, 0, 1]), 2, "Made")


def build(name, n_channels=1, n_classes=2):
    return backbones.get(name)().build(n_channels, n_classes)


def inception_macs(steps, n_channels, n_classes):
    first = (32 * n_channels if n_channels > 1 else 0) + 70 * 32 * (32 if n_channels > 1 else 1) + 32 * n_channels
    others = 5 * (128 * 32 + 70 * 32 * 32 + 128 * 32)
    return steps * (first + others + n_channels * 128 + 128 * 128) + 128 * n_classes


@pytest.mark.parametrize("n_channels", [1, 6])
def test_macs_count_convolutions_and_the_head(n_channels):
    costs = measure(StubPredictor(build("inception", n_channels, 5)), training_set(n_channels, 37))
    assert costs["macs"] == inception_macs(37, n_channels, 5)
    assert "multiply-accumulates" in costs["macs_convention"]


@pytest.mark.parametrize("name", ["inception", "h-inception", "resnet", "fcn", "lite"])
def test_macs_are_half_of_the_flops_that_torch_counts(name):
    network = backbones.get(name)().build(3, 4).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 50))
    assert count_macs(network, torch.zeros(1, 3, 50)) == counter.get_total_flops() // 2 > 0
    with torch.inference_mode(), MacCounter() as own:
        network(torch.zeros(1, 3, 50))
    assert own.macs == counter.get_total_flops() // 2


def test_macs_of_depthwise_convolutions_count_a_channel_once():
    layer_1 = 70 * 32 + 438
    expected = 50 * (layer_1 + 113 * 20 + 113 * 32 + 32 * 10 + 32 * 32) + 32 * 2
    assert measure(StubPredictor(build("lite")), training_set())["macs"] == expected


def test_frozen_networks_still_have_parameters():
    network = build("resnet").requires_grad_(False)
    assert measure(StubPredictor(network), training_set())["parameters"] == 504_000 + 129 * 2


def test_size_is_float32_weights_and_buffers_whatever_the_working_precision():
    network = build("lite")
    statistics = 2 * (113 + 32 + 32)
    expected = 4 * (9_814 + 33 * 2 + 438 + statistics)
    assert measure(StubPredictor(network), training_set())["size_bytes"] == expected


def test_costs_of_several_networks_add_up():
    one, three = (measure(StubPredictor(*[build("fcn") for _ in range(n)]), training_set()) for n in (1, 3))
    for key in ("parameters", "macs", "size_bytes", "networks_stored"):
        assert three[key] == 3 * one[key]


def test_the_working_precision_changes_no_count():
    single, double = (measure(StubPredictor(build("lite").to(dtype)), training_set()) for dtype in (torch.float32, torch.float64))
    single.pop("latency_ms_p50"), double.pop("latency_ms_p50")
    assert single == double


def test_a_predictor_without_networks_leaves_what_it_lacks_empty():
    predictor = StubPredictor()
    costs = measure(predictor, training_set())
    assert costs["macs"] is costs["parameters"] is costs["size_bytes"] is costs["macs_convention"] is None
    assert costs["latency_ms_p50"] > 0
    assert predictor.calls == 23


def test_measuring_leaves_no_trace():
    network = build("lite")
    network.embed_site.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        measure(StubPredictor(network), training_set())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert network.training and network.first.training and not network.embed_site.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_peak_memory_sees_what_was_held_for_a_while():
    # In a process of its own: what other tests held and this process gives back meanwhile would hide the growth.
    script = """
import time
import numpy as np
from ssd_cli.costs import PeakMemory

MIB = 2**20
with PeakMemory(interval=0.001) as memory:
    block = np.ones(64 * MIB, dtype=np.uint8)
    deadline = time.monotonic() + 60
    while memory.peak_bytes < memory.start_bytes + 60 * MIB and time.monotonic() < deadline:
        time.sleep(0.001)
    del block
assert memory.peak_bytes >= memory.start_bytes + 60 * MIB, (memory.start_bytes, memory.peak_bytes)
after = memory.peak_bytes
again = np.ones(128 * MIB, dtype=np.uint8)
assert memory.peak_bytes == after and again[0] == 1
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
