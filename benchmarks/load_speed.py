"""How long a large dataset takes to load, the first time and afterwards, and how much memory; each load in a process of its own.

    python benchmarks/load_speed.py --dataset UCIHAR --out results/load_speed.json

"parse" is the first load, from text with an empty cache; "load" is a later one, from the cache; "prepare" is a later one with the
preparation of the archive's split. Seconds are those of the call, without the start of Python and imports; memory is the largest
resident set of the whole process, mapped pages included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

REPEATS = 7


def main() -> None:
    """Measure in processes of their own, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="UCIHAR")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", choices=("parse", "load", "prepare"), help="measure this in the present process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.dataset, options.one)))
        return
    found: dict[str, Any] = {"dataset": options.dataset, "machine": machine.describe()}
    with tempfile.TemporaryDirectory() as cache:
        for kind, repeats in (("parse", 1), ("load", REPEATS), ("prepare", 1)):
            runs = [_in_a_process(options.dataset, kind, Path(cache)) for _ in range(repeats)]
            found["values_mb"] = runs[0]["values_mb"]
            found[kind] = {
                "seconds": round(statistics.median(run["seconds"] for run in runs), 3),
                "seconds_each": [run["seconds"] for run in runs],
                "peak_mb": max(run["peak_mb"] for run in runs),
                "peak_over_values": round(max(run["peak_mb"] for run in runs) / runs[0]["values_mb"], 2),
            }
            print(f"{kind}: {found[kind]}")
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def measure(name: str, kind: str) -> dict[str, float]:
    """One load in this process."""
    from ssd_cli.archives.load import load
    from ssd_cli.archives.prepare import default_preparation
    from ssd_cli.protocol.split import split

    started = time.perf_counter()
    dataset = load(name, download=False)
    if kind == "prepare":
        split(dataset, 0, default_preparation(name))
    seconds = time.perf_counter() - started
    # ru_maxrss is in KiB, but on macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    n_bytes = sum(series.nbytes for part in (dataset.train, dataset.test) for series in part.X)
    return {"seconds": round(seconds, 3), "peak_mb": round(peak / 1e6, 1), "values_mb": round(n_bytes / 1e6, 1)}


def _in_a_process(name: str, kind: str, cache: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--dataset", name, "--one", kind]
    environment = os.environ | {"SSD_BENCH_CACHE": str(cache)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    numbers: dict[str, float] = json.loads(done.stdout)
    return numbers


if __name__ == "__main__":
    main()
