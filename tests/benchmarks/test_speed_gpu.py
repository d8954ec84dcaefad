import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.small import SmallBackbone

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "speed_gpu.py"


@pytest.fixture
def gpu():
    return importlib.import_module("speed_gpu")


def test_without_a_gpu_it_measures_nothing():
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert "nothing was measured" in done.stderr
    assert not done.stdout


def test_an_epoch_has_full_batches_and_a_short_one(gpu):
    assert gpu.Shape("a", 150, 1, 8, 2).batches(64) == {64: 2, 22: 1}
    assert gpu.Shape("a", 128, 1, 8, 2).batches(64) == {64: 2}
    assert gpu.Shape("a", 20, 1, 8, 2).batches(20) == {20: 1}


def test_all_shapes_of_the_archive(gpu):
    shapes = gpu.shapes_of(gpu.catalog.archives()["ucr"])
    assert len(shapes) == 128
    assert all(min(shape.n_cases, shape.n_channels, shape.n_timepoints, shape.n_classes) >= 1 for shape in shapes)


@pytest.mark.parametrize("mode", ["eager", "graph", "batched 5"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_mode_takes_steps(gpu, mode, precision):
    shape = gpu.Shape("a", 10, 1, 16, 3)
    step = gpu.make_step(SmallBackbone(), shape, mode, 8, "cpu", precision)
    step.begin_epoch()
    index = torch.arange(8)
    step(index.expand(5, -1) if mode == "batched 5" else index)
    before = step.sums["ce"].clone() / 8
    for _ in range(30):
        step.begin_epoch()
        step(index.expand(5, -1) if mode == "batched 5" else index)
    assert (step.sums["ce"] / 8 < before).all()
    timing = gpu.measure(SmallBackbone(), shape, mode, 8, "cpu", precision, 0)
    assert timing.epoch_seconds > timing.step_seconds > 0


def test_the_projection_adds_up(gpu):
    small, large = gpu.Shape("small", 64, 1, 8, 2), gpu.Shape("large", 640, 1, 8, 2)
    timings = [
        gpu.Timing(small, "eager", 0.5, 0.5),
        gpu.Timing(small, "graph", 0.1, 0.1),
        gpu.Timing(small, "batched 5", 0.02, 0.02),
        gpu.Timing(small, "batched 10", 0.01, 0.01),
        gpu.Timing(large, "eager", 0.5, 5.0),
        gpu.Timing(large, "graph", 0.4, 4.0),
        gpu.Timing(large, "batched 5", None, None),
        gpu.Timing(large, "batched 10", None, None),
    ]
    assert gpu.projected(timings, "eager") == pytest.approx(5.5 * 5 * 1500)
    assert gpu.projected(timings, "batched 5") == pytest.approx(4.02 * 5 * 1500)
    text = gpu.report(timings, "fp32")
    assert "graph is 3.12 times as fast as eager" in text
    assert "no memory" in text
