"""Peak resident memory of a training, beside the textbook loop's, up to the largest problem of the archive and beyond.

    python benchmarks/memory.py --out results/speed               # the whole table: some minutes
    python benchmarks/memory.py --shapes osuleaf --backbones lite

Every figure is the peak of a process of its own (`ru_maxrss`), interpreter and torch included: that of a process which only imports
them stands under the table. ssd-bench trains as a cell does (its recipe `fast`, the planner's execution, freed memory kept where a
cell keeps it), then predicts as many series as it was trained on. The textbook loop (textbook.py) trains the same network on the
same batches. All cases are in memory; two batches of them are trained, twice, since a peak does not grow with further epochs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import describe, sentence

SHAPES = {
    "osuleaf": (200, 1, 427, 6),
    "handoutlines": (1000, 1, 2709, 2),
    "eigenworms": (30, 8, 17_984, 5),
}
"""Cases, channels, steps, classes. The last has the length of EigenWorms, in one batch of 30."""
BACKBONES = ("inception", "h-inception", "resnet", "fcn", "lite")
LIMIT_MB = 6000
"""What a training may take on a CPU."""
EPOCHS = 2


def main() -> None:
    """Measure every case in a process of its own and print a table."""
    options = read_options()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    machine = describe()
    empty = run("nothing", "nothing", "osuleaf")
    rows = []
    for shape in options.shapes:
        for backbone in options.backbones:
            ours = run("ssd-bench", backbone, shape)
            # On the longest series the textbook keeps every map and would need most of a small machine.
            compared = shape != "eigenworms" and backbone in ("inception", "resnet", "lite")
            textbook = run("textbook", backbone, shape) if compared else {}
            rows.append((shape, backbone, ours, textbook))
            print(*row(*rows[-1]), flush=True)
    text = "\n".join([__doc__ or "", sentence(machine), f"Command: {machine['command']}", "", *table(rows), "", note(empty)])
    print("\n" + text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "memory.txt").write_text(text + "\n")


def run(program: str, backbone: str, shape: str) -> dict[str, Any]:
    """One measurement in a fresh process."""
    command = [sys.executable, __file__, "--one", program, backbone, shape]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} {backbone} {shape} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(program: str, backbone: str, shape: str) -> dict[str, Any]:
    """Train, and return the peaks in MB: of training, and of training and prediction."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    if program == "nothing":
        import ssd_cli.training.workbench  # noqa: F401

        return {"train": peak_mb()}
    n_cases, n_channels, n_timepoints, n_classes = SHAPES[shape]
    random = np.random.default_rng(0)
    X = random.standard_normal((n_cases, n_channels, n_timepoints), dtype=np.float32)
    y = np.arange(n_cases) % n_classes
    return (of_textbook if program == "textbook" else of_ssd_bench)(backbone, X, y, n_classes)


def of_ssd_bench(backbone: str, X: Any, y: Any, n_classes: int) -> dict[str, Any]:
    """As a worker fits a cell."""
    from dataclasses import replace

    from ssd_cli.backbones import backbones
    from ssd_cli.engine.memory import kept_memory
    from ssd_cli.engine.planner import plan
    from ssd_cli.protocol.containers import TrainingSet
    from ssd_cli.training.predict import freeze, predict_proba
    from ssd_cli.training.recipe import Fast
    from ssd_cli.training.workbench import Workbench

    configured = backbones.get(backbone)()
    recipe = Fast(epochs=EPOCHS).for_backbone(backbone)
    size = recipe.batch(len(X))
    recipe = replace(recipe, batch_size=size, batch_divisor=0)
    execution = plan(configured.build(X.shape[1], n_classes), X.shape[2]).label
    part = TrainingSet(X[: 2 * size], y[: 2 * size], n_classes, "synthetic")
    with kept_memory(min(64, len(X)) * X.shape[2]):
        network = Workbench(part, configured, {"name": backbone}, recipe, 0, execution=execution).base_network()
        trained = peak_mb()
        predict_proba(freeze(network), X[: 2 * size])
    return {"batch": size, "execution": execution, "train": trained, "predict": peak_mb()}


def of_textbook(backbone: str, X: Any, y: Any, n_classes: int) -> dict[str, Any]:
    """The loop of textbook.py."""
    import textbook

    from ssd_cli.training.recipe import Fast

    size = Fast().for_backbone(backbone).batch(len(X))
    textbook.train(textbook.build(backbone, X.shape[1], n_classes), X[: 2 * size], y[: 2 * size], size, EPOCHS)
    return {"batch": size, "train": peak_mb()}


def peak_mb() -> float:
    """Of this process, in megabytes (10**6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


HEAD = ("shape", "backbone", "batch", "execution", "training MB", "and prediction", "textbook MB", "quotient", f"under {LIMIT_MB}")


def row(shape: str, backbone: str, ours: dict[str, Any], textbook: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    other = textbook.get("train")
    size = "x".join(map(str, SHAPES[shape][:3]))
    return (
        f"{shape} {size}",
        backbone,
        str(ours["batch"]),
        ours["execution"],
        f"{ours['train']:.0f}",
        f"{ours['predict']:.0f}",
        f"{other:.0f}" if other else "-",
        f"{ours['train'] / other:.2f}" if other else "-",
        "yes" if ours["predict"] < LIMIT_MB else "NO",
    )


def table(rows: list[tuple[Any, ...]]) -> list[str]:
    """All rows under their head, in columns."""
    lines = [HEAD, *(row(*one) for one in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return ["  ".join(value.rjust(width) for value, width in zip(line, widths, strict=True)) for line in lines]


def note(empty: dict[str, Any]) -> str:
    """What the process itself takes."""
    import torch

    return f"A process that imports torch {torch.__version__} and ssd-bench and trains nothing: {empty['train']:.0f} MB."


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", type=lambda text: text.split(","), default=list(BACKBONES))
    parser.add_argument("--shapes", type=lambda text: text.split(","), default=list(SHAPES))
    parser.add_argument("--out", type=Path, help="folder for memory.txt")
    parser.add_argument("--one", nargs=3, metavar=("PROGRAM", "BACKBONE", "SHAPE"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
