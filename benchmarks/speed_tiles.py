"""Convolutions over tiles against direct ones: what the rules of the execution `bilinear` stand on.

    python benchmarks/speed_tiles.py --out results/speed/xeon       # one thread, some minutes

Both with channels last, forward and backward with all gradients; columns take turns, and quotients are over the direct one's time.
`best` is the number of tiles a series that was quickest of those tried, `chosen` the one with the smallest `cost` among them;
`predicted` is its cost over the direct convolution's multiplications, and from `WORTH` on the direct one is used. The last two
columns are the chosen tiling's times with 64 and with 256 tiles at once over that with 128.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from machine import describe, sentence
from torch import Tensor
from turns import aligned, milliseconds, quotient, steps_of, take_turns

from ssd_cli.backbones.convolution import padding_around
from ssd_cli.training.engine import kept_memory, tiles
from ssd_cli.training.engine.tiles import WORTH, Tiling, by_tiles, cost

BATCHES = ((50, 150), (64, 24), (16, 24), (5, 150), (64, 80), (64, 427))
KERNELS = ((64, 64, 3), (128, 128, 3), (64, 64, 5), (128, 128, 5), (64, 128, 8), (128, 128, 8), (128, 256, 5), (256, 128, 3))
"""Inputs, filters, taps: all of ResNet's and FCN's with many channels."""
STEPS = (10, 14, 18, 22, 26, 32, 40, 56)
"""Outputs of a tile, about."""
ROUNDS = 3
HEAD = ("batch", "kernel", "direct ms", "GFLOP/s", "best", "quotient", "chosen", "quotient", "predicted", "used", "64", "256")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine, lines = describe(), [HEAD]
    with kept_memory():
        for batch in BATCHES:
            for kernel in KERNELS:
                lines.append(row(*batch, *kernel))
                print(*lines[-1], flush=True)
    text = "\n".join([__doc__ or "", machine["command"], sentence(machine), f"WORTH {WORTH}", "", aligned(lines)]) + "\n"
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "tiles.txt").write_text(text)


def row(n_cases: int, n_timepoints: int, inputs: int, filters: int, taps: int) -> tuple[str, ...]:
    """One kernel on one batch."""
    torch.manual_seed(0)
    maps = torch.randn(n_cases, n_timepoints, inputs, requires_grad=True)
    kernel, bias = torch.randn(filters, inputs, taps, requires_grad=True), torch.randn(filters, requires_grad=True)
    gradient = torch.randn(n_cases, n_timepoints, filters)

    def step(convolution: Callable[[], Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(convolution(), (maps, kernel, bias), gradient)

    counts = {max(1, round((n_timepoints + taps) / length)) for length in STEPS} | ({1} if n_timepoints <= 80 else set())
    columns, costs = {"direct": step(lambda: direct(maps, kernel, bias))}, {}
    for tiling in (Tiling(n_timepoints, taps, count) for count in sorted(counts)):
        columns[str(tiling.tiles)] = step(lambda tiling=tiling: by_tiles(maps, kernel, bias, tiling))  # type: ignore[misc]
        costs[str(tiling.tiles)] = cost(tiling, n_cases, inputs, filters)
    steps = steps_of(n_cases * n_timepoints)
    rounds = take_turns(columns, steps, ROUNDS)
    quotients = {name: quotient(rounds, name, "direct") for name in costs}
    best, chosen = min(quotients, key=quotients.__getitem__), min(costs, key=costs.__getitem__)
    multiplications = 3 * n_cases * n_timepoints * inputs * filters * taps
    predicted = costs[chosen] / multiplications
    at_once = take_turns({number: with_tiles(int(number), columns[chosen]) for number in ("64", "128", "256")}, steps, ROUNDS)
    plain = milliseconds(rounds, "direct")
    return (
        f"{n_cases}x{n_timepoints}",
        f"{inputs}->{filters}, {taps}",
        f"{plain:.2f}",
        f"{2e-6 * multiplications / plain:.0f}",
        *(best, f"{quotients[best]:.2f}", chosen, f"{quotients[chosen]:.2f}", f"{predicted:.2f}"),
        "tiles" if predicted < WORTH else "direct",
        *(f"{quotient(at_once, number, '128'):.2f}" for number in ("64", "256")),
    )


def with_tiles(number: int, step: Callable[[], object]) -> Callable[[], object]:
    """The step with so many tiles at once."""

    def run() -> None:
        before, tiles.TILES_AT_ONCE = tiles.TILES_AT_ONCE, number
        step()
        tiles.TILES_AT_ONCE = before

    return run


def direct(maps: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """The library's convolution, channels last, padded as the engine pads."""
    images, padding = maps.transpose(1, 2).unsqueeze(2), padding_around(kernel.shape[2])
    images = F.pad(images, padding) if padding[0] != padding[1] else images
    weight = kernel.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    inside = padding[0] if padding[0] == padding[1] else 0
    return F.conv2d(images, weight, bias, padding=(0, inside)).squeeze(2).transpose(1, 2)


if __name__ == "__main__":
    main()
