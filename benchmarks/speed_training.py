"""Measure training steps and their memory: the subjects engine, methods, growth, memory and gpu of speed.py."""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from runs import Checkout, Values, aligned, epochs_of, recipe, step_ms, table, take_turns, textbook, train, write_noise

GROWTH = {
    "cases": [f"{n}x100" for n in (4, 8, 16, 32, 64)],
    "length": [f"16x{n}" for n in (16, 64, 200, 509, 1024, 2048)],
    "channels": [f"16x100x{n}" for n in (1, 3, 12, 64, 144)],
}
LARGE = ("200x427", "1000x2709", "30x17984x8")
"""Shapes of OSULeaf and HandOutlines, and the length of EigenWorms in one batch of 30."""


@contextmanager
def noise(*shapes: str) -> Iterator[Path]:
    """Yield a folder with datasets of noise."""
    with tempfile.TemporaryDirectory(prefix="speed-data-") as folder:
        write_noise(Path(folder), shapes)
        yield Path(folder)


def steps(
    options: argparse.Namespace, data: Path, checkout: Checkout, method: str = "single", wall: bool = False, **chosen: object
) -> Values:
    """Return the milliseconds of a step of a method's last training, for every backbone and shape."""
    found: Values = {}
    for shape in options.shapes:
        chosen["recipe"] = recipe(epochs_of(shape, options.quick), f",precision={options.precision}" if wall else "")
        for record in train(checkout, data, shape, backbone=options.backbones, method=method, **chosen):
            found[f"{record['cell']['backbone']} {shape}"] = step_ms(record["curves"][-1], wall)
    return found


def engine(options: argparse.Namespace) -> str:
    """Compare executions with the textbook loop."""
    pairs = [(backbone, shape) for shape in options.shapes for backbone in sorted(options.backbones)]
    with noise(*options.shapes) as data:
        columns: dict[str, Callable[[], Values]] = {
            "textbook": lambda: {f"{b} {s}": textbook(data, s, b, options.quick)[0] for b, s in pairs},
            "plain": partial(steps, options, data, Checkout(), engine="plain"),
            "planned": partial(steps, options, data, Checkout()),
        }
        return table(take_turns(columns, options.rounds), columns, "planned", "ms", "a step of")


def methods(options: argparse.Namespace) -> str:
    """Compare the steps of students, and of networks in joint training, with those of `single`."""
    with noise(*options.shapes) as data:
        columns = {name: partial(steps, options, data, Checkout(), name) for name in ("single", "ssd", "ssd-mid")}
        columns["ens-avg, joint"] = partial(steps, options, data, Checkout(), "ens-avg", engine="batched")
        return table(take_turns(columns, options.rounds), columns, "single", "ms", "a step of")


def growth(options: argparse.Namespace) -> str:
    """Measure how a step grows; the exponent 1 is proportional growth."""
    lines = [["backbone", "grows", "shape", "ms a step", "exponent"]]
    for backbone in options.backbones:
        for what, shapes in list(GROWTH.items())[: 1 if options.quick else None]:
            chosen = argparse.Namespace(**vars(options))
            chosen.shapes, chosen.backbones = shapes[: 2 if options.quick else None], (backbone,)
            with noise(*chosen.shapes) as data:
                turns = [steps(chosen, data, Checkout()) for _ in range(options.rounds)]
            before: tuple[int, float] | None = None
            for shape in chosen.shapes:
                milliseconds = statistics.median(turn[f"{backbone} {shape}"] for turn in turns)
                size = int([*shape.split("x"), 1][list(GROWTH).index(what)])
                exponent = math.log(milliseconds / before[1]) / math.log(size / before[0]) if before else math.nan
                lines.append([backbone, what, shape, f"{milliseconds:.2f}", f"{exponent:.2f}"])
                before = size, milliseconds
    return aligned(lines)


def memory(options: argparse.Namespace) -> str:
    """Compare the peak memory of a training with the textbook loop's, on two batches, since epochs do not change the peak."""
    shapes = options.shapes if options.quick else LARGE

    def ours(data: Path) -> Values:
        found = {}
        for shape in shapes:
            for backbone in options.backbones:
                (record,) = train(Checkout(), data, shape, recipe=recipe(2), backbone=backbone, method="single")
                found[f"{backbone} {shape}"] = record["costs"]["peak_memory_bytes"] / 1e6
        return found

    with noise(*shapes) as data:
        columns: dict[str, Callable[[], Values]] = {
            "textbook": lambda: {f"{b} {s}": textbook(data, s, b, quick=True)[1] for s in shapes for b in options.backbones},
            "ssd-bench": partial(ours, data),
        }
        return table(take_turns(columns, 1), columns, "ssd-bench", "MB")


def gpu(options: argparse.Namespace) -> str:
    """Compare executions on a CUDA device, in wall time; joint training counts for each of its five networks."""
    with noise(*options.shapes) as data:
        run = partial(steps, options, data, Checkout(), wall=True, device="cuda")
        columns = {name: partial(run, engine=name) for name in ("plain", "graph")}
        columns["joint"] = partial(run, method="ens-avg", engine="graph")
        return table(take_turns(columns, options.rounds), columns, "graph", "ms", f"a step of, {options.precision}")
