"""How long ``ssd-bench compare`` takes on a whole study: 112 datasets × 20 methods × 30 resamples, 635 test cases on average.

    python benchmarks/compare_speed.py [--folder DIR] [--keep]

Writes 67,200 records with the real writer (about 3.2 GB, deleted afterwards), then times the installed command: first without an
index and without the files in the page cache, then again and again, then after one prediction was changed in place.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ssd_cli import PROTOCOL_VERSION
from ssd_cli.core.cell_spec import CellSpec
from ssd_cli.metrics import all_scores
from ssd_cli.store.record import Cell, CellRecord
from ssd_cli.store.results import ResultStore

N_CASES = 635
EPOCHS = 100
REPEATS = 7


def sizes(n_datasets: int) -> list[tuple[int, int]]:
    """(n_cases, n_classes) of each dataset: skewed as in the archive, N_CASES cases on average."""
    rng = np.random.default_rng(0)
    n_cases = rng.lognormal(0, 1, n_datasets)
    n_cases = np.maximum(20, n_cases / n_cases.mean() * N_CASES).round().astype(int)
    n_cases[n_cases.argmax()] += N_CASES * n_datasets - n_cases.sum()
    return list(zip(n_cases.tolist(), rng.choice([2, 2, 2, 3, 3, 5], n_datasets).tolist(), strict=True))


def record_of(dataset: int, method: int, resample: int, n_cases: int, n_classes: int) -> tuple[CellRecord, np.ndarray, np.ndarray]:
    """A record like those of a real run, with a learning curve, and its predictions."""
    rng = np.random.default_rng([dataset, method, resample])
    y = rng.integers(0, n_classes, n_cases)
    logits = rng.normal(size=(n_cases, n_classes)) + (1 + 0.1 * method) * np.eye(n_classes)[y]
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    cell = Cell(f"Dataset{dataset:03}", f"method-{method:02}", "lite", "fast", resample, 0, f"method-{method:02}@lite")
    identity = {
        "dataset": cell.dataset,
        "dataset_digest": f"{dataset:064x}",
        "preparation": {"length": "pad", "impute": "linear", "scale": "series"},
        "method": {"name": cell.method, "parameters": {}},
        "backbone": {"name": cell.backbone, "parameters": {"width": 32}},
        "recipe": {"name": "fast", "parameters": {"epochs": EPOCHS}},
        "resample": resample,
        "seed": 0,
        "protocol_version": PROTOCOL_VERSION,
    }
    costs = {"parameters": 10_000, "macs": 1_000_000, "latency_ms_p50": 1.5, "fit_seconds_alone": 10.5, "fit_seconds_spent": 10.5}
    curve = {"loss": rng.random(EPOCHS).tolist(), "learning_rate": np.cos(np.linspace(0, 1.57, EPOCHS)).tolist()}
    curves = [{"label": "member 0", "key": f"{resample:064x}", "epochs": EPOCHS, "curve": curve}]
    provenance = {"ssd_bench": "0.1.0", "torch": "2.13.0", "python": platform.python_version(), "threads": 1}
    scores = all_scores(y, p)
    spec = CellSpec.from_identity(identity)
    return CellRecord(cell, spec, "ok", scores=scores, costs=costs, curves=curves, provenance=provenance), y, p


def write(store: ResultStore, n_datasets: int, n_methods: int, n_resamples: int) -> None:
    """All records, four at a time: the writer waits for the disk most of the time."""

    def put(cell: tuple[int, int, int, int, int]) -> None:
        store.put(*record_of(*cell))

    cells = [
        (dataset, method, resample, *size)
        for dataset, size in enumerate(sizes(n_datasets))
        for method in range(n_methods)
        for resample in range(n_resamples)
    ]
    with ThreadPoolExecutor(4) as pool:
        for number, _ in enumerate(pool.map(put, cells), 1):
            if number % 5000 == 0:
                print(f"  {number} written", flush=True)


def forget(root: Path) -> None:
    """Ask the system to drop the files from its page cache; without that a first reading looks faster than it is."""
    for path in root.rglob("testResample*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one run of the command; they differ where the machine is shared or waits for the disk."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def change(store: ResultStore) -> None:
    """Change one true class in a file of predictions, in place and without changing its size."""
    path = store.paths(record_of(0, 0, 0, *sizes(1)[0])[0].cell)[0]
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = ("1" if lines[3].startswith("0") else "0") + lines[3][1:]
    with path.open("r+") as file:
        file.write("".join(lines))


def read_options(description: str | None) -> argparse.Namespace:
    """Where the study is written, whether it is kept, and how large it is."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder otherwise")
    parser.add_argument("--keep", action="store_true", help="do not delete the records, and use those that are there")
    parser.add_argument("--datasets", type=int, default=112)
    parser.add_argument("--methods", type=int, default=20)
    parser.add_argument("--resamples", type=int, default=30)
    return parser.parse_args()


def main() -> None:
    """Write, time, report, delete."""
    options = read_options(__doc__)
    root = options.folder or Path(tempfile.mkdtemp(prefix="ssd-bench-speed-"))
    store, out = ResultStore(root / "results"), root / "out"
    command = [str(Path(sys.executable).parent / "ssd-bench"), "compare", str(store.root), "-o", str(out)]
    try:
        n_records = options.datasets * options.methods * options.resamples
        if not store.root.exists():
            start = time.perf_counter()
            write(store, options.datasets, options.methods, options.resamples)
            print(f"written: {n_records} records in {time.perf_counter() - start:.0f} s")
        shutil.rmtree(store.root / ".index", ignore_errors=True)
        usage = subprocess.run(["du", "-sh", str(store.root)], capture_output=True, text=True, check=True).stdout.split()[0]
        machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
        print(f"{n_records} records, {usage} on disk; {machine}")
        forget(store.root)
        time.sleep(3)
        print("first, without index: {:.1f} s ({:.1f} s of processor time)".format(*timed(command)))
        index = (store.root / ".index" / "records.npz").stat().st_size
        print(f"index: {index / 2**20:.1f} MiB")
        warm, processor = zip(*(timed(command) for _ in range(REPEATS)), strict=True)
        print(
            f"warm: median {statistics.median(warm):.2f} s, fastest {min(warm):.2f} s, slowest {max(warm):.2f} s of {REPEATS} ",
            end="",
        )
        print(f"(processor time {statistics.median(processor):.2f} s; load of the machine {os.getloadavg()[0]:.1f})")
        before = (out / "per_dataset.csv").read_bytes()
        change(store)
        print("after one file was changed in place: {:.2f} s ({:.2f} s of processor time); ".format(*timed(command)), end="")
        print("the table changed" if (out / "per_dataset.csv").read_bytes() != before else "THE TABLE DID NOT CHANGE")
        print(f"peak memory: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10:.0f} MiB")
    finally:
        if not options.keep:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
