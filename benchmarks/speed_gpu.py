"""Training speed on a GPU: a step of every UCR shape, or of chosen ones, eager, captured and batched, and what all would take.

    python benchmarks/speed_gpu.py --out results/speed                 # all 128 shapes
    python benchmarks/speed_gpu.py --every 16 --precision tf32         # eight shapes, from small to large
    python benchmarks/speed_gpu.py --datasets UCIHAR,GunPoint --backbone resnet

For each shape (noise of the set's size) the step of a full batch and that of the short last one are timed: networks that learn
alone, step by step ("eager"); the same steps as CUDA graphs ("graph"); five and ten networks in one batched step, captured too. An
epoch is the sum of its steps; the projection is the sets × five networks × 1500 epochs, training only, one cell after another.

Without CUDA it says so and exits with 2: figures of another device would say nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from machine import describe, sentence
from torch import Tensor

from ssd_cli.archives import catalog
from ssd_cli.backbones.base import Backbone
from ssd_cli.backbones.registry import backbones
from ssd_cli.training.engine.footprint import training_bytes
from ssd_cli.training.engine.graphs import WARM_UP, Captured, captured
from ssd_cli.training.engine.precision import autocasting, forward_context, set_arithmetic
from ssd_cli.training.engine.stack import Stack, StackedStep
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.recipe import Recipe
from ssd_cli.training.step import Step, Steps

MODES = {"eager": 1, "graph": 1, "batched 5": 5, "batched 10": 10}
"""Networks of one step."""
ENSEMBLE, EPOCHS = 5, 1500


@dataclass(frozen=True)
class Shape:
    """Of a training set."""

    name: str
    n_cases: int
    n_channels: int
    n_timepoints: int
    n_classes: int

    def batches(self, batch_size: int) -> dict[int, int]:
        """How many batches of each size an epoch has."""
        full, rest = divmod(self.n_cases, batch_size)
        return {size: number for size, number in ((batch_size, full), (rest, 1)) if size and number}


@dataclass(frozen=True)
class Timing:
    """Seconds of one network's epoch in one mode, and of its full step; None where it did not fit into memory."""

    shape: Shape
    mode: str
    step_seconds: float | None
    epoch_seconds: float | None


def shapes_of(names: Sequence[str]) -> list[Shape]:
    """The shapes of datasets, from few to many training steps in time."""
    shapes = []
    for name in names:
        size = catalog.size(name)
        assert size and size.n_train and size.n_channels and size.n_timepoints and size.n_classes
        shapes.append(Shape(name, size.n_train, size.n_channels, size.n_timepoints, size.n_classes))
    return sorted(shapes, key=lambda shape: shape.n_cases * shape.n_timepoints)


def make_step(backbone: Backbone, shape: Shape, mode: str, batch_size: int, device: str, precision: str) -> Steps:
    """A step of a training on noise; the data holds as many cases as the largest batch needs."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch_size, shape.n_channels, shape.n_timepoints, generator=generator).to(device)
    y = torch.randint(shape.n_classes, (batch_size,), generator=generator).to(device)
    networks = [backbone.build(shape.n_channels, shape.n_classes).to(device).train() for _ in range(MODES[mode])]
    if mode.startswith("batched"):
        stacked = StackedStep(Stack(networks), x, y, [0.0] * len(networks), forward_context(device, precision))
        stacked.optimiser.rates.fill_(1e-3)
        return Captured(stacked, x.device)
    optimiser = torch.optim.Adam(networks[0].parameters(), lr=1e-3, eps=1e-7, fused=True)
    step = Step(autocasting(networks[0], device, precision), x, y, CrossEntropy(), optimiser)
    return captured(step) if mode == "graph" else step


def seconds_of(step: Callable[[Tensor], None], index: Tensor, at_least: float) -> float:
    """Median seconds of a step; the device is waited for around runs of steps, not within them."""
    wait = torch.cuda.synchronize if index.is_cuda else lambda: None
    for _ in range(WARM_UP + 2):
        step(index)
    runs: list[float] = []
    n_steps, begun = 1, time.perf_counter()
    while len(runs) < 3 or time.perf_counter() - begun < at_least:
        wait()
        started = time.perf_counter()
        for _ in range(n_steps):
            step(index)
        wait()
        runs.append((time.perf_counter() - started) / n_steps)
        n_steps = min(100, max(1, int(at_least / 10 / runs[-1])))
    return median(runs[1:])


def measure(backbone: Backbone, shape: Shape, mode: str, batch_size: int, device: str, precision: str, at_least: float) -> Timing:
    """Time one mode of one shape, per network."""
    members = MODES[mode]
    step_seconds, epoch_seconds = 0.0, 0.0
    try:
        step = make_step(backbone, shape, mode, batch_size, device, precision)
        step.begin_epoch()
        for size, number in shape.batches(batch_size).items():
            index = torch.arange(size, device=device)
            seconds = seconds_of(step, index.expand(members, -1) if mode.startswith("batched") else index, at_least) / members
            step_seconds = step_seconds or seconds
            epoch_seconds += number * seconds
    except torch.OutOfMemoryError:
        return Timing(shape, mode, None, None)
    return Timing(shape, mode, step_seconds, epoch_seconds)


def report(timings: Sequence[Timing], precision: str) -> str:
    """The table, the medians and the projection."""
    by_shape: dict[Shape, dict[str, Timing]] = {}
    for timing in timings:
        by_shape.setdefault(timing.shape, {})[timing.mode] = timing
    lines = [f"{'ms a full step, per network':<32}{'shape':>16}" + "".join(f"{mode:>12}" for mode in MODES)]
    for shape, modes in by_shape.items():
        size = f"{shape.n_cases} x {shape.n_timepoints}"
        lines.append(f"{shape.name:<32}{size:>16}" + "".join(f"{_ms(modes[mode].step_seconds):>12}" for mode in MODES))
    lines += ["", "Medians over shapes of quotients of epochs, per network:"]
    for slow, fast in (("eager", "graph"), ("graph", "batched 10"), ("eager", "batched 10")):
        ratios = [
            modes[slow].epoch_seconds / modes[fast].epoch_seconds  # type: ignore[operator]
            for modes in by_shape.values()
            if modes[slow].epoch_seconds and modes[fast].epoch_seconds
        ]
        lines.append(f"    {fast} is {median(ratios):.2f} times as fast as {slow}" if ratios else f"    {fast}: nothing to compare")
    lines += ["", f"Projection, {len(by_shape)} sets x {ENSEMBLE} networks x {EPOCHS} epochs, {precision}, training only:"]
    for mode in ("eager", "graph", "batched 5"):
        lines.append(f"    {mode:<12}{projected(timings, mode) / 3600:10.2f} h")
    lines.append("Where a mode did not fit into memory, its epochs are those of the mode to its left.")
    return "\n".join(lines)


def projected(timings: Sequence[Timing], mode: str) -> float:
    """Seconds of an ensemble on every set; a pass that does not fit is replaced by the mode to its left."""
    order = list(MODES)
    epochs = {(timing.shape, timing.mode): timing.epoch_seconds for timing in timings}
    total = 0.0
    for shape in {timing.shape for timing in timings}:
        left = [epochs.get((shape, other)) for other in reversed(order[: order.index(mode) + 1])]
        known = [seconds for seconds in left if seconds is not None]
        if not known:
            raise SystemExit(f"{shape.name} does not fit into memory in any mode; there is no projection.")
        total += known[0] * ENSEMBLE * EPOCHS
    return total


def _ms(seconds: float | None) -> str:
    return "no memory" if seconds is None else f"{1000 * seconds:.3f}"


def main() -> int:
    """Measure and write, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for gpu-BACKBONE-PRECISION.txt and .json")
    parser.add_argument("--backbone", default="inception")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "bf16"])
    parser.add_argument("--datasets", help="their shapes, separated by commas; all of UCR by default")
    parser.add_argument("--every", type=int, default=1, help="only every n-th shape, from small to large")
    parser.add_argument("--seconds", type=float, default=0.3, help="at least so long for each step")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device that torch can use here: nothing was measured.", file=sys.stderr)
        return 2
    set_arithmetic("cuda", options.precision)
    backbone = backbones.get(options.backbone)()
    recipe = Recipe().for_backbone(options.backbone)
    device = torch.cuda.get_device_properties(0)
    timings = []
    names = options.datasets.split(",") if options.datasets else catalog.archives()["ucr"]
    for shape in shapes_of(names)[:: options.every]:
        batch_size = recipe.batch(shape.n_cases)
        for mode, members in MODES.items():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            timings.append(measure(backbone, shape, mode, batch_size, "cuda", options.precision, options.seconds))
            peak = torch.cuda.max_memory_allocated() / 2**20
            each = training_bytes(backbone, shape.n_channels, shape.n_timepoints, shape.n_classes, batch_size)
            estimate = members * each / 2**20
            ms = _ms(timings[-1].step_seconds)
            print(f"{shape.name} {mode}: {ms} ms, peak {peak:.0f} MiB, estimated {estimate:.0f} MiB", file=sys.stderr)
    machine = describe() | {"device": device.name, "device_gib": device.total_memory / 2**30, "torch": torch.__version__}
    text = f"{report(timings, options.precision)}\n\n{device.name}, torch {torch.__version__}; {sentence(machine)}\n"
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        place = options.out / f"gpu-{options.backbone}-{options.precision}"
        place.with_suffix(".txt").write_text(text)
        place.with_suffix(".json").write_text(json.dumps({"machine": machine, "timings": [asdict(t) for t in timings]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
