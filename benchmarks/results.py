"""Tables, figures and pages of results/pilot and results/contestants again, from their cells; a second run changes no byte.

    make results                        (python benchmarks/results.py [STUDY ...])

A study is a folder ``results/<study>`` that holds ``cells.tar.gz`` (records and probabilities of ``ssd-bench run``, without its
networks) and ``board.yaml``: the title of its page and the options of its ``ssd-bench compare``. Written are tables, figures, what
the terminal shows (``terminal.svg``), the page (``report.html``, dated like the newest cell) and, where there is a Chromium, a
picture of it (``page.png``). Every score is recounted from the probabilities, and every table from these scores.
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
    """Write everything that follows from the cells of a study."""
    board = yaml.safe_load((study / "board.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as place, tarfile.open(study / "cells.tar.gz") as archive:
        cells = Path(place) / "cells"
        archive.extractall(cells, filter="data")
        newest = max(member.mtime for member in archive.getmembers())
        options = ["-o", study, "--screenshot", study / "terminal.svg", *board["compare"]]
        ssd_bench("compare", cells, *options)
        ssd_bench("report", cells, "-o", study / "report.html", "--title", board["title"], SOURCE_DATE_EPOCH=str(int(newest)))
        ssd_bench("recount", cells, "--tables", study)
    picture(study / "report.html", study / "page.png")


def ssd_bench(*arguments: object, **environment: str) -> None:
    """Run a command; end with its exit code where it fails."""
    command = [sys.executable, "-m", "ssd_cli", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    print(done.stdout.splitlines()[-1])


def picture(page: Path, file: Path) -> None:
    """What the page shows first, on a wide light screen."""
    from tests.browser import chromium

    if chromium.find() is None:
        print(f"No Chromium: {file.name} is left as it is.")
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
    """Remake the studies that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="*", help="names of folders under results/")
    names = parser.parse_args().study or sorted(path.parent.name for path in RESULTS.glob("*/cells.tar.gz"))
    for name in names:
        print(f"results/{name}", flush=True)
        remake(RESULTS / name)


if __name__ == "__main__":
    sys.path.insert(0, str(RESULTS.parent))  # for the Chromium of the tests
    main()
