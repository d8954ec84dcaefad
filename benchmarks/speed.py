"""Measure the speed of ssd-bench. The compared programs take turns in one run, and the result is a ratio.

    python benchmarks/speed.py engine --out results/speed        # or another subject; --quick for a short look
    python benchmarks/speed.py against OLD_CHECKOUT              # this version beside another one

Subjects:

engine     training steps on one thread: the textbook loop (textbook.py), the plain execution, the planned one
methods    training steps of the students of `ssd` and of an ensemble in joint training, relative to the steps of `single`
inference  prediction of test sets, relative to the textbook's network in evaluation mode
harness    seconds of a cell beside its training, and whole commands with several workers
growth     how a training step grows with cases, length and channels
start      starting the command line
load       loading a dataset: from its text, and from the cache
compare    `ssd-bench compare` on 67,200 records
report     `ssd-bench report` on the same
memory     peak memory of a training, relative to the textbook loop's
gpu        training steps on a CUDA device: plain, captured as a graph, and five networks in joint training
against    training steps, `compare` and `--help` of this checkout, relative to another one

Step times come from the records of ``ssd-bench run`` on datasets of noise (processor time, on a GPU wall time). Run it on an idle
machine.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import many_records
import numpy as np
from machine import describe, sentence
from runs import Checkout, Values, aligned, epochs_of, recipe, table, take_turns, timed, train
from speed_training import engine, gpu, growth, memory, methods, noise, steps

BACKBONES = ("inception", "resnet", "lite")
SHAPES = ("50x150", "64x427", "64x24", "64x150", "40x100x6")
TEST_SETS = {"GunPoint": (150, 150), "ItalyPowerDemand": (1029, 24), "OSULeaf": (242, 427)}
"""Cases and time steps of the archive's test sets."""
COMMANDS = (("--help",), ("run", "--help"), ("ls", "methods"))
LOAD = "from ssd_cli.archives.load import load; load({!r}, download=False)"


def inference(options: argparse.Namespace) -> str:
    """Compare the prediction of a test set with that of the textbook's network."""
    import textbook as loop
    import torch

    from ssd_cli import MethodClassifier

    torch.set_num_threads(1)
    tables = []
    for backbone in options.backbones:
        network = loop.build(backbone, 1, 2).eval().requires_grad_(False)
        for title, (n_cases, n_timepoints) in TEST_SETS.items():
            X = np.random.default_rng(0).standard_normal((n_cases, 1, n_timepoints))
            ours = MethodClassifier(method="single", backbone=backbone, recipe="smoke", epochs=1, random_state=0)
            ours.fit(X[:8], np.arange(8) % 2)
            batches = torch.as_tensor(X, dtype=torch.float32).split(64)
            calls: dict[str, Callable[[], object]] = {
                "textbook": lambda network=network, batches=batches: [network(batch).softmax(-1) for batch in batches],
                "ssd-bench": partial(ours.predict_proba, X),
            }
            columns = {name: partial(_milliseconds, call, f"{backbone} {title}") for name, call in calls.items()}
            tables.append(table(take_turns(columns, options.rounds), columns, "ssd-bench", "ms", "a test set"))
    return "\n".join(tables)


def _milliseconds(call: Callable[[], object], key: str) -> Values:
    call()
    started = time.process_time()
    call()
    return {key: 1000 * (time.process_time() - started)}


def harness(options: argparse.Namespace) -> str:
    """Measure the time of a cell besides its training, and complete commands with one and two workers."""
    n_cells = 1 if options.quick else 4

    def command(data: Path, backbone: str, cells: int, **chosen: object) -> tuple[float, float]:
        started = time.perf_counter()
        label = recipe(epochs_of("50x150", options.quick))
        records = train(Checkout(), data, "50x150", recipe=label, backbone=backbone, method="single", seeds=cells, **chosen)
        return time.perf_counter() - started, statistics.median(record["costs"]["fit_seconds_alone"] for record in records)

    lines = [["backbone", "cell s", "training s", "cell/training", "1 worker s", "2 workers s", "1 worker of 2 threads s"]]
    with noise("50x150") as data:
        for backbone in options.backbones:
            (few, _), (many, fit) = command(data, backbone, n_cells), command(data, backbone, 2 * n_cells)
            cell = (many - few) / n_cells  # work that is done once per command cancels out
            two, threaded = command(data, backbone, 2 * n_cells, workers=2)[0], command(data, backbone, 2 * n_cells, threads=2)[0]
            lines.append([backbone, f"{cell:.2f}", f"{fit:.2f}", f"{cell / fit:.3f}", *(f"{s:.1f}" for s in (many, two, threaded))])
    return aligned(lines)


def starting(checkout: Checkout) -> Values:
    """Return the processor seconds of commands that train nothing."""
    return {f"ssd-bench {' '.join(words)}": checkout.run(*words).cpu for words in COMMANDS}


def start(options: argparse.Namespace) -> str:
    """Measure the start of the command line, relative to that of Python."""
    python = [sys.executable, "-c", "import numpy"]
    columns: dict[str, Callable[[], Values]] = {
        "ssd-bench": partial(starting, Checkout()),
        "python and numpy": lambda: {f"ssd-bench {' '.join(words)}": timed(python, Path.cwd(), {}).cpu for words in COMMANDS},
    }
    return table(take_turns(columns, options.rounds), columns, "python and numpy", "s")


def load(options: argparse.Namespace) -> str:
    """Measure the first and the second load of a dataset, each in a new process, and a process that loads nothing."""
    names = options.datasets.split(",")

    def column(kind: str) -> Values:
        found = {}
        for name in names:
            with tempfile.TemporaryDirectory() as cache:
                command, here = [sys.executable, "-c", LOAD.format(name)], Checkout().folder
                if kind == "nothing":
                    command[-1] = LOAD.partition(";")[0]
                if kind == "second":
                    timed(command, here, {"SSD_BENCH_CACHE": cache})
                usage = timed(command, here, {"SSD_BENCH_CACHE": cache})
                found |= {f"{name}, s": usage.wall, f"{name}, MB": usage.peak_mb}
        return found

    columns = {kind: partial(column, kind) for kind in ("first", "second", "nothing")}
    return table(take_turns(columns, options.rounds), columns, "second", "")


@contextmanager
def many(options: argparse.Namespace) -> Iterator[Path]:
    """Yield an output folder with 67,200 records: the folder that --folder names is kept and used again."""
    root = options.folder.resolve() if options.folder else Path(tempfile.mkdtemp(prefix="speed-records-"))
    try:
        if not any(root.glob("seed*")):
            print(f"{many_records.write(root, (4, 3, 2) if options.quick else many_records.SIZE)} records written", flush=True)
        yield root
    finally:
        if options.folder is None:
            shutil.rmtree(root, ignore_errors=True)


def reading(checkout: Checkout, root: Path, command: str) -> Values:
    """Return the processor seconds and the memory of `compare` or `report` on a folder."""
    with tempfile.TemporaryDirectory() as out:
        usage = checkout.run(command, root, "-o", Path(out) / ("report.html" if command == "report" else "tables"))
    return {f"{command}, s": usage.cpu, f"{command}, MB": usage.peak_mb}


def _three_ways(options: argparse.Namespace, command: str) -> str:
    def first(root: Path) -> Values:
        shutil.rmtree(root / ".index", ignore_errors=True)
        return reading(Checkout(), root, command)

    def warm(root: Path) -> Values:
        reading(Checkout(), root, command)
        return reading(Checkout(), root, command)

    def changed(root: Path) -> Values:
        reading(Checkout(), root, command)
        many_records.change(root)
        return reading(Checkout(), root, command)

    with many(options) as root:
        columns = {
            "without an index": partial(first, root),
            "warm": partial(warm, root),
            "one file changed": partial(changed, root),
        }
        return table(take_turns(columns, options.rounds), columns, "warm", "")


def against(options: argparse.Namespace) -> str:
    """Compare this checkout with another one: training steps, `compare` and the start of the command line."""
    checkouts = {"old": Checkout(options.checkout.resolve()), "new": Checkout()}
    with ExitStack() as stack:
        data, folders = stack.enter_context(noise(*options.shapes)), {}
        if "compare" in options.only:
            root = stack.enter_context(many(options))
            copy = stack.enter_context(tempfile.TemporaryDirectory(dir=root.parent))
            folders = {"old": Path(copy) / "records", "new": root}  # each version writes a separate index
            subprocess.run(["cp", "-al", str(root), str(folders["old"])], check=True)
            for name, checkout in checkouts.items():
                reading(checkout, folders[name], "compare")
        parts: dict[str, Callable[[str], Values]] = {
            "steps": lambda name: steps(options, data, checkouts[name]),
            "compare": lambda name: reading(checkouts[name], folders[name], "compare"),
            "start": lambda name: starting(checkouts[name]),
        }
        tables = []
        for part in options.only.split(","):
            columns = {name: partial(parts[part], name) for name in checkouts}
            tables.append(table(take_turns(columns, options.rounds), columns, "old", "ms" if part == "steps" else "", part))
            print(tables[-1], flush=True)
    return "\n\n".join(tables)


SUBJECTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "engine": engine,
    "methods": methods,
    "inference": inference,
    "harness": harness,
    "growth": growth,
    "start": start,
    "load": load,
    "compare": partial(_three_ways, command="compare"),
    "report": partial(_three_ways, command="report"),
    "memory": memory,
    "gpu": gpu,
    "against": against,
}


def main() -> None:
    """Measure a subject, print the table, and write it to the folder --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=SUBJECTS, metavar="WHAT")
    parser.add_argument("checkout", type=Path, nargs="?", help="for against: the other working tree")
    listed = lambda text: tuple(text.split(","))  # noqa: E731
    parser.add_argument("--backbones", type=listed, default=BACKBONES, help="comma-separated")
    parser.add_argument("--shapes", type=listed, default=SHAPES, help="cases x time steps [x channels], comma-separated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--datasets", default="UCIHAR", help="for load")
    parser.add_argument("--folder", type=Path, help="for compare, report and against: keep the records here and use them again")
    parser.add_argument("--precision", default="fp32", help="for gpu: fp32, tf32 or bf16")
    parser.add_argument("--only", default="steps,compare,start", help="for against: a part of these")
    parser.add_argument("--quick", action="store_true", help="one epoch, few records; says that it works, not how fast it is")
    parser.add_argument("--out", type=Path, help="folder for WHAT.txt")
    options = parser.parse_args()
    if (options.what == "against") != (options.checkout is not None):
        parser.error("'against' needs another working tree, and only 'against' takes one: speed.py against DIR")
    machine = describe()
    text = "\n".join([machine["command"], sentence(machine), "", SUBJECTS[options.what](options)]) + "\n"
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"{options.what}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
