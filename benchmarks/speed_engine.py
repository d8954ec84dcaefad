"""Training steps and predictions of every execution, beside the textbook's step and the floor that a matrix product sets.

    python benchmarks/speed_engine.py --out results/speed               # one thread, the whole table
    python benchmarks/speed_engine.py --threads 2 --backbones inception,resnet --shapes 50x150,64x427,64x24 --out results/speed
    python benchmarks/speed_engine.py --quick                           # a look, in under two minutes

A step is forward, backward and Adam, on a batch that is already there; quotients are those of the execution that is planned;
where it is another, the execution "fast" stands beside it. The textbook's step is that of textbook.py with torch's default Adam
(for backbones that it lacks: the plain network's, marked); ours have the fused one, and keep freed memory as trainings do.
Columns take turns of a few steps, each after one that is not counted, and every round has another order. A turn's time is the
median of its steps; quotients are medians over rounds. Wall time is what a user waits for; CPU time is the process's own, which
other processes on a shared machine disturb less (with several threads it counts waiting as well).

Floor: the step's multiplications and additions, as torch counts them for the plain network, at the rate of a float32 product of two
2048 x 2048 matrices measured in the same round. An execution that needs fewer operations can be below it.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import textbook
import torch
from machine import describe, sentence
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from turns import steps_of, turn

from ssd_cli.backbones import backbones
from ssd_cli.core.executions import Execution
from ssd_cli.engine.deployed import Deployed
from ssd_cli.engine.memory import kept_memory
from ssd_cli.engine.planner import bind, plan

BACKBONES = ("inception", "h-inception", "resnet", "fcn", "lite")
SHAPES = ("50x150", "64x427", "64x24", "5x150", "16x427", "64x1460", "64x150", "40x100x6", "40x100x24")
QUICK = ("50x150", "64x24")
N_CLASSES = 6


@dataclass(frozen=True)
class Turn:
    """Median times of a turn's steps.

    Parameters
    ----------
    round : int
    backbone, shape, kind, column : str
        `kind` is "train" or "predict".
    wall_ms, cpu_ms : float
    floor_ms : float
        Of the same round.
    """

    round: int
    backbone: str
    shape: str
    kind: str
    column: str
    wall_ms: float
    cpu_ms: float
    floor_ms: float


def main() -> None:
    """Measure and print."""
    options = read_options()
    torch.set_num_threads(options.threads)
    machine = describe() | {"torch": torch.__version__, "threads": options.threads}
    turns: list[Turn] = []
    for backbone in options.backbones:
        for shape in options.shapes:
            turns += measure(backbone, shape, options)
            print(*row([turn for turn in turns if (turn.backbone, turn.shape) == (backbone, shape)]), flush=True)
            text = page(machine, turns)
            if options.out:  # after every row: a run that is cut off leaves what it has measured
                write(options, text, {"machine": machine, "turns": [asdict(turn) for turn in turns]})
    print("\n" + text)


def page(machine: dict[str, Any], turns: list[Turn]) -> str:
    """What was done, where, and the table."""
    where = [sentence(machine), f"torch {machine['torch']}, threads: {machine['threads']}"]
    return "\n".join([__doc__ or "", machine["command"], *where, "", *table(turns)]) + "\n"


def write(options: argparse.Namespace, text: str, record: dict[str, Any]) -> None:
    """The page and all turns."""
    options.out.mkdir(parents=True, exist_ok=True)
    place = options.out / f"engine_{options.threads}_thread{'s' if options.threads > 1 else ''}"
    place.with_suffix(".txt").write_text(text)
    place.with_suffix(".json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


def measure(backbone: str, shape: str, options: argparse.Namespace) -> list[Turn]:
    """All rounds of a backbone on a shape: training steps, then predictions."""
    n_cases, n_timepoints, n_channels = [*map(int, shape.split("x")), 1][:3]
    steps = steps_of(n_cases * n_timepoints)
    torch.manual_seed(0)
    x, y = torch.randn(n_cases, n_channels, n_timepoints), torch.randint(N_CLASSES, (n_cases,))
    turns = []
    for kind in ("train", "predict"):
        columns = training_columns(backbone, x, y) if kind == "train" else prediction_columns(backbone, x)
        flops = count(backbone, x, training=kind == "train")
        for number in range(1 if options.quick else options.rounds):
            floor = flops / gemm_rate() * 1e3
            for column in random.sample(list(columns), len(columns)):
                with kept_memory() if column != "textbook" else nullcontext():
                    wall, cpu = turn(columns[column], steps)
                turns.append(Turn(number, backbone, shape, kind, column, wall, cpu, floor))
    del columns
    gc.collect()
    return turns


def training_columns(backbone: str, x: Tensor, y: Tensor) -> dict[str, Callable[[], None]]:
    """A step of each column; all start from networks of their own."""
    columns = {}
    planned = plan(backbones.get(backbone)().build(x.shape[1], N_CLASSES), x.shape[2]).label
    for column in ("textbook", "plain", "planned", *(["fast"] if planned == "bilinear" else [])):
        if column == "textbook" and backbone in textbook.NETWORKS:
            network: nn.Module = textbook.build(backbone, x.shape[1], N_CLASSES)
            logits: Callable[[Tensor], Tensor] = network
        else:
            network = backbones.get(backbone)().build(x.shape[1], N_CLASSES)
            execution = bind(network, Execution.of({"planned": planned, "textbook": "plain"}.get(column, column)).convolution)
            logits = lambda x, execution=execution: execution(x).logits  # noqa: E731
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=column != "textbook" or None)

        def step(logits: Callable[[Tensor], Tensor] = logits, optimiser: torch.optim.Optimizer = optimiser) -> None:
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits(x), y).backward()
            optimiser.step()

        columns[column] = step
    return columns


def prediction_columns(backbone: str, x: Tensor) -> dict[str, Callable[[], None]]:
    """A prediction of the plain network in evaluation mode, and of the deployed one."""
    network = backbones.get(backbone)().build(x.shape[1], N_CLASSES).eval().requires_grad_(False)
    deployed = Deployed(network)
    return {"plain": lambda: network(x).logits, "deployed": lambda: deployed(x).logits}


def count(backbone: str, x: Tensor, training: bool) -> float:
    """Floating-point operations of a step, or of a prediction, of the plain network."""
    network = backbones.get(backbone)().build(x.shape[1], N_CLASSES)
    with FlopCounterMode(display=False) as counter:
        logits = network(x).logits
        if training:
            logits.sum().backward()
    return float(counter.get_total_flops())


def gemm_rate() -> float:
    """Floating-point operations a second of a float32 matrix product: the best of three."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    times = []
    for _ in range(4):
        start = time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()
        a @ b
        times.append((time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()) - start)
    return 2 * 2048**3 / min(times[1:])


HEAD = ("backbone", "batch", "planned", "textbook ms", "plain", "it", "textbook/it", "(CPU)", "plain/it", "(CPU)", "fast/it",
        "(CPU)", "floor ms", "floor/it", "predict: plain", "deployed", "quotient", "(CPU)")  # fmt: skip


def table(turns: list[Turn]) -> list[str]:
    """All rows under their head, in columns."""
    groups = list(dict.fromkeys((turn.backbone, turn.shape) for turn in turns))
    cells = [HEAD, *(row([turn for turn in turns if (turn.backbone, turn.shape) == group]) for group in groups)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def row(turns: list[Turn]) -> tuple[str, ...]:
    """Medians over rounds; a star marks a textbook column that is the plain network with torch's default Adam."""
    backbone, shape = turns[0].backbone, turns[0].shape

    def of(kind: str, column: str, value: str) -> list[float]:
        return [getattr(turn, value) for turn in sorted(turns, key=lambda t: t.round) if (turn.kind, turn.column) == (kind, column)]

    def ms(kind: str, column: str, mark: str = "") -> str:
        return f"{statistics.median(of(kind, column, 'wall_ms')):.1f}{mark}"

    def quotients(kind: str, a: str, b: str) -> list[str]:
        values = ("wall_ms", "cpu_ms")
        pairs = [zip(of(kind, a, value), of(kind, b, value), strict=True) for value in values]
        return [f"{statistics.median(first / second for first, second in pair):.2f}" for pair in pairs]

    _, n_timepoints, n_channels = [*map(int, shape.split("x")), 1][:3]
    network = backbones.get(backbone)().build(n_channels, N_CLASSES)
    threads = torch.get_num_threads()
    floors, own = of("train", "planned", "floor_ms"), of("train", "planned", "cpu_ms" if threads == 1 else "wall_ms")
    return (
        backbone,
        shape,
        plan(network, n_timepoints).label,
        ms("train", "textbook", "" if backbone in textbook.NETWORKS else "*"),
        ms("train", "plain"),
        ms("train", "planned"),
        *quotients("train", "textbook", "planned"),
        *quotients("train", "plain", "planned"),
        *(quotients("train", "fast", "planned") if of("train", "fast", "wall_ms") else "––"),
        f"{statistics.median(floors):.1f}",
        f"{statistics.median(a / b for a, b in zip(floors, own, strict=True)):.0%}",
        ms("predict", "plain"),
        ms("predict", "deployed"),
        *quotients("predict", "plain", "deployed"),
    )


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backbones", type=lambda text: text.split(","), default=list(BACKBONES))
    parser.add_argument("--shapes", type=lambda text: text.split(","), help="cases x steps [x channels], with commas between")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.shapes = options.shapes or list(QUICK if options.quick else SHAPES)
    return options


if __name__ == "__main__":
    main()
