"""What torch.compile adds to a training step of Inception, on top of the plain network and of the fast execution.

    python benchmarks/compile_look.py --out results/speed

A step is forward, backward and a fused Adam on a batch that is there. Columns take turns; times are medians. "compile s" is what
the first step of the compiled column took: compilation happens once for each shape of a batch in each process, and a training has
two shapes where its last batch is short. The difference from the plain loss is that after all timed steps, from equal weights: it
grows with every step, as between any two orders of summation.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import describe, sentence
from torch import nn

from ssd_cli.backbones import backbones
from ssd_cli.training.engine import bind, kept_memory

CASES = ((1, 50, 150), (1, 64, 24), (2, 50, 150))
"""Threads, cases, steps."""
ROUNDS, STEPS = 3, 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for compile.txt")
    options = parser.parse_args()
    machine = describe()
    lines = [__doc__ or "", sentence(machine), f"torch {torch.__version__}. Command: {machine['command']}", ""]
    lines.append("threads    batch  column                 ms  plain/this  fast/this  compile s  difference")
    print(lines[-1])
    for case in CASES:
        for line in measure(*case):
            lines.append(line)
            print(line, flush=True)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "compile.txt").write_text("\n".join(lines) + "\n")


def measure(threads: int, n_cases: int, n_timepoints: int) -> list[str]:
    """The columns of one batch."""
    torch.set_num_threads(threads)
    torch._dynamo.reset()
    torch.manual_seed(0)
    x, y = torch.randn(n_cases, 1, n_timepoints), torch.randint(2, (n_cases,))
    first = backbones.get("inception")().build(1, 2)
    steps: dict[str, Callable[[], float]] = {}
    compiling, failed = {}, {}
    for column in ("plain", "fast", "compiled plain", "compiled fast"):
        network = copy.deepcopy(first)
        execution = bind(network, column.split()[-1])
        step = stepper(network, lambda x, execution=execution: execution(x).logits, x, y, "compiled" in column)
        started = time.perf_counter()
        try:
            step()
        except Exception as error:  # the compiler's own, of many kinds
            failed[column] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
            continue
        compiling[column], steps[column] = time.perf_counter() - started, step
    times: dict[str, list[float]] = {column: [] for column in steps}
    losses = {}
    with kept_memory():
        for _ in range(ROUNDS):
            for column, step in steps.items():
                for _ in range(STEPS):
                    started = time.perf_counter()
                    losses[column] = step()
                    times[column].append(time.perf_counter() - started)
    ms = {column: statistics.median(found) * 1e3 for column, found in times.items()}
    batch = f"{n_cases}x{n_timepoints}"
    lines = []
    for column, one in ms.items():
        compile_seconds = f"{compiling[column]:.0f}" if "compiled" in column else "-"
        difference = abs(losses[column] - losses["plain"]) / losses["plain"]
        lines.append(
            f"{threads:>7}{batch:>9}  {column:<16}{one:>9.1f}{ms['plain'] / one:>12.2f}{ms['fast'] / one:>11.2f}"
            f"{compile_seconds:>11}{difference:>12.1e}"
        )
    return lines + [f"{threads:>7}{batch:>9}  {column:<16}  does not compile: {reason}" for column, reason in failed.items()]


def stepper(
    network: nn.Module, logits: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, y: torch.Tensor, compiled: bool
) -> Callable[[], float]:
    """A training step that returns its loss."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)
    forward = torch.compile(logits) if compiled else logits

    def step() -> float:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(forward(x), y)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
