"""Write the tables, figures and pages of results/pilot and results/contestants again from their cells.

    make results                        (python benchmarks/results.py [STUDY ...])

A folder ``results/<study>`` holds ``cells.tar.gz`` (records and probabilities of ``ssd-bench run``, without its networks), perhaps
``exports.tar.gz`` (reports of ``ssd-bench export``), and ``board.yaml``: the title of the page and the options of ``ssd-bench
compare``. This script writes tables, figures, ``terminal.svg``, the page ``report.html`` (with the date of the newest cell) and,
if a Chromium is installed, ``page.png``. It recounts all scores from the probabilities. A second run changes no byte.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

RESULTS = Path(__file__).resolve().parents[1] / "results"


def remake(study: Path) -> None:
    """Write tables, figures and page of a study from its cells."""
    board = yaml.safe_load((study / "board.yaml").read_text(encoding="utf-8"))
    if (study / "exports.tar.gz").exists():
        with tarfile.open(study / "exports.tar.gz") as archive:
            archive.extractall(study, filter="data")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(study / "cells.tar.gz") as archive:
        cells = Path(folder) / "cells"
        archive.extractall(cells, filter="data")
        newest = max(member.mtime for member in archive.getmembers())
        ssd_bench("compare", cells, "-o", study, "--screenshot", study / "terminal.svg", "--format", "png", *board["compare"])
        ssd_bench("report", cells, "-o", study / "report.html", "--title", board["title"], SOURCE_DATE_EPOCH=str(int(newest)))
        ssd_bench("recount", cells, "--tables", study)
    screenshot(study / "report.html", study / "page.png")


def ssd_bench(*arguments: object, **environment: str) -> None:
    """Run a command; exit with its output if it fails."""
    command = [sys.executable, "-m", "ssd_cli", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    print(done.stdout.splitlines()[-1])


def screenshot(page: Path, file: Path) -> None:
    """Save the top of the page as a picture."""
    from tests.browser import chromium

    if chromium.find() is None:
        print(f"No Chromium: {file.name} is not written.")
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = chromium.Browser(profile)
        try:
            browser.look(1200, 1300)
            browser.open(page.as_uri())
            browser.screenshot(file)
        finally:
            browser.close()


def main() -> None:
    """Write the named studies, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="*", help="names of folders under results/")
    names = parser.parse_args().study or sorted(path.parent.name for path in RESULTS.glob("*/cells.tar.gz"))
    for name in names:
        print(f"results/{name}", flush=True)
        remake(RESULTS / name)


if __name__ == "__main__":
    sys.path.insert(0, str(RESULTS.parent))  # for the Chromium of the tests
    main()
