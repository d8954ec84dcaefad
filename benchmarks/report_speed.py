"""How long ``ssd-bench report`` takes on a whole study, how large the page is, and how much memory it takes to make.

    python benchmarks/report_speed.py [--folder DIR] [--keep]

112 datasets × 20 methods × 30 resamples, as `compare_speed` writes them (about 3.2 GB, deleted afterwards): first without an index,
then again and again. Where there is a Chromium, also how long it takes to open the page and to compute all of it anew.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.compare_speed import read_options, timed, write
from ssd_cli.store.results import ResultStore

REPEATS = 5


def browse(page: Path) -> tuple[float, float] | None:
    """Seconds to open the page and to compute and draw everything once more; None without a Chromium."""
    from tests.browser import chromium

    if chromium.find() is None:
        return None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = chromium.Browser(profile)
        try:
            start = time.perf_counter()
            browser.open(page.as_uri())
            opened = time.perf_counter()
            browser.evaluate("ssdBench.update()")
            return opened - start, time.perf_counter() - opened
        finally:
            browser.close()


def main() -> None:
    """Write, time, report, delete."""
    options = read_options(__doc__)
    root = options.folder or Path(tempfile.mkdtemp(prefix="ssd-bench-speed-"))
    store, page = ResultStore(root / "results"), root / "report.html"
    command = [str(Path(sys.executable).parent / "ssd-bench"), "report", str(store.root), "-o", str(page)]
    try:
        if not store.root.exists():
            write(store, options.datasets, options.methods, options.resamples)
        shutil.rmtree(store.root / ".index", ignore_errors=True)
        print("first, without index: {:.1f} s ({:.1f} s of processor time)".format(*timed(command)), flush=True)
        wall, processor = zip(*(timed(command) for _ in range(REPEATS)), strict=True)
        print(
            f"warm: median {statistics.median(wall):.1f} s, fastest {min(wall):.1f} s, slowest {max(wall):.1f} s of {REPEATS} ",
            end="",
        )
        print(f"(processor time {statistics.median(processor):.1f} s; load of the machine {os.getloadavg()[0]:.1f})")
        print(f"page: {page.stat().st_size / 1e6:.2f} MB")
        print(f"peak memory: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10:.0f} MiB")
        seconds = browse(page)
        if seconds is not None:
            print("in Chromium: open {:.2f} s, compute and draw all of it {:.2f} s".format(*seconds))
    finally:
        if not options.keep:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
