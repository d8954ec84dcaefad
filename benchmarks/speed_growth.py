"""How the cost of an epoch grows with the number of cases, their length and their channels.

    python benchmarks/speed_growth.py --out results/speed         # one thread, the fast execution

An epoch is its steps, batches of at most 64 cases and the short last one, each forward, backward and Adam; noise. One of the three
grows while the others stay as they are. The exponent is the slope of log time over log size between a size and the one before it:
1 is proportional, 0 is for nothing. Lengths that are no power of two, and a prime one, are among them on purpose.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import torch
from machine import describe, sentence
from turns import aligned, milliseconds, steps_of, take_turns

from ssd_cli.backbones.registry import backbones
from ssd_cli.engine.memory import kept_memory
from ssd_cli.engine.planner import bind
from ssd_cli.training.objective import CrossEntropy
from ssd_cli.training.step import Step

BATCH = 64
NEIGHBOURS = 1.1
"""Sizes nearer than that have no exponent between them."""
GROWTH = {
    "cases": [(n_cases, 100, 1) for n_cases in (4, 8, 16, 32, 64, 65, 128, 256)],
    "length": [(16, n_timepoints, 1) for n_timepoints in (16, 32, 64, 128, 200, 256, 509, 512, 1024, 2048)],
    "channels": [(16, 100, n_channels) for n_channels in (1, 2, 3, 6, 12, 24, 64, 144)],
}
"""Cases, time steps, channels."""


def epoch_of(backbone: str, size: tuple[int, int, int]) -> Callable[[], None]:
    """An epoch of a training on noise."""
    n_cases, n_timepoints, n_channels = size
    torch.manual_seed(0)
    network = backbones.get(backbone)().build(n_channels, 2).train()
    x, y = torch.randn(n_cases, n_channels, n_timepoints), torch.arange(n_cases) % 2
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)
    step, batches = Step(bind(network, "fft"), x, y, CrossEntropy(), optimiser), torch.arange(n_cases).split(BATCH)
    return lambda: [step(index) for index in batches] and None


def table(backbone: str, what: str, rounds: int) -> str:
    """All sizes of one growth."""
    place = {"cases": 0, "length": 1, "channels": 2}[what]
    lines = [(what, "ms an epoch", "ns a case and time step", "exponent")]
    before: tuple[int, float] | None = None
    for size in GROWTH[what]:
        n_values = size[0] * size[1]
        time = milliseconds(take_turns({"epoch": epoch_of(backbone, size)}, steps_of(n_values), rounds), "epoch")
        exponent = "–"  # also between neighbours, whose quotient is mostly noise
        if before is not None and size[place] > NEIGHBOURS * before[0]:
            exponent = f"{math.log(time / before[1]) / math.log(size[place] / before[0]):.2f}"
        lines.append((str(size[place]), f"{time:.1f}", f"{time / n_values * 1e6:.0f}", exponent))
        before = size[place], time
    return aligned(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backbones", type=lambda text: text.split(","), default=["inception", "lite"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for growth.txt")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    machine, parts = describe(), []
    with kept_memory():
        for backbone in options.backbones:
            for what in GROWTH:
                fixed = {"cases": "100 steps, 1 channel", "length": "16 cases, 1 channel", "channels": "16 cases, 100 steps"}[what]
                parts.append(f"{backbone}, {what} ({fixed})\n\n{table(backbone, what, options.rounds)}")
                print(parts[-1], flush=True)
    head = f"{machine['command']}\n{sentence(machine)}\ntorch {torch.__version__}, threads: {options.threads}"
    text = "\n\n".join([(__doc__ or "").strip(), head, *parts]) + "\n"
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "growth.txt").write_text(text)


if __name__ == "__main__":
    main()
