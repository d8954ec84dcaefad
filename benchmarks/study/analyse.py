"""Write all tables and figures of the study from its cells, or from their archives.

    python benchmarks/study/analyse.py --cells results/study/cells --out results/study

Cells are read from <cells>/<suite>; <out>/<suite>.tar.xz is unpacked there if they are missing (pack.py). Written are

- <suite>/: what ``ssd-bench compare --missing complete`` writes, and cost_accuracy.png for lite40;
- coverage, verdicts, fitting, costs_<suite>, differences_<suite>, uci_har and inception8_published, as .csv with all digits and
  as .md;
- these tables in README.md, at the places marked for them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import costs
import fitting
import numpy as np
import published_runs
import suites
import tables
import verdicts
from differences import differences

if TYPE_CHECKING:
    from suites import Loaded

TESTED = "lite40"
"""The suite with enough datasets for a test; the others are described."""
PUBLISHED = "inception8_published"
JUDGED = (TESTED, "inception10", "resnet10", "lite_uci_har", "resnet_uci_har")
BASES = {
    "lite15_mixup": "ssd",
    "lite15_teacher_free": "ssd",
    "inception15_small": "single-small",
    "lite15_small": "single-small",
    "lite15_small_long": "single-small",
}
"""Suites whose methods are compared with one of them."""


def leaderboard(one: Loaded, out: Path) -> None:
    """Write the leaderboard of a suite by the command line."""
    command = [sys.executable, "-m", "ssd_cli", "compare", one.folder, "-o", out / one.name, "--missing", "complete"]
    command += ["--rope", str(verdicts.MARGIN), "--format", "png"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def judge(loaded: dict[str, Loaded], out: Path) -> None:
    """Write the verdicts about `ssd` and `ssd-mid`."""
    rows = [
        row
        for name in JUDGED
        if name in loaded
        for method in verdicts.FAMILIES
        for row in verdicts.judge(name, method, verdicts.scores(loaded[name], method), tested=name == TESTED)
    ]
    tested = verdicts.short([row for row in rows if row["suite"] == TESTED])
    tables.write(out, "verdicts", verdicts.table(rows), 4, verdicts.NOTE, tested)
    tables.write_markdown(out, "verdicts_described", verdicts.described([row for row in rows if row["suite"] != TESTED]), 4)


def compare_published(one: Loaded, out: Path) -> None:
    """Write our accuracies beside the published ones, for datasets with all their seeds."""
    done = one.frame[one.frame["status"] == "ok"]
    ours = {str(name): group["accuracy"].to_numpy() for name, group in done.groupby("dataset") if len(group) == one.n_results}
    table, sentence = published_runs.compare(ours)
    tables.write(out, PUBLISHED, table, 4, sentence)


def list_uci_har(loaded: dict[str, Loaded], out: Path) -> None:
    """Write the accuracy on UCIHAR by draw of subjects: one dataset allows no test."""
    head, rows = ["suite", "method"], []
    for one in (loaded[name] for name in ("lite_uci_har", "resnet_uci_har") if name in loaded):
        head = ["suite", "method", *(f"draw {resample}" for resample in one.resamples), "mean"]
        table = one.frame.pivot_table(index="method", columns="resample", values="accuracy")
        for method in one.methods:
            values = table.loc[method].reindex(one.resamples).tolist()
            rows.append([one.name, method, *values, float(np.mean(values))])
    tables.write(out, "uci_har", (head, rows), 4)


def main() -> None:
    """Write everything that the cells allow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cells", type=Path, default=Path("results/study/cells"), help="folder with an output folder for each suite"
    )
    parser.add_argument("--out", type=Path, default=Path("results/study"))
    options = parser.parse_args()
    out: Path = options.out
    if options.cells.resolve() == out.resolve():
        parser.error("--cells and --out are one folder: tables would be written over cells")
    loaded = suites.load(options.cells, out)
    tables.write(out, "coverage", suites.coverage(loaded), 0)
    for one in loaded.values():
        print(one.name, flush=True)
        if one.name != PUBLISHED:
            leaderboard(one, out)
            costs.write(one, out)
        if one.name in BASES:
            tables.write(out, f"differences_{one.name}", differences(one, BASES[one.name]), 4)
    judge(loaded, out)
    list_uci_har(loaded, out)
    if TESTED in loaded:
        costs.draw(loaded[TESTED]).savefig(out / TESTED / "cost_accuracy.png")
        table = fitting.compare(loaded[TESTED])
        tables.write(out, "fitting", table, shown=fitting.short(table))
    if PUBLISHED in loaded:
        compare_published(loaded[PUBLISHED], out)
    if (page := out / "README.md").is_file():
        print(f"{page}: {len(tables.fill(page, out))} tables filled in")


if __name__ == "__main__":
    main()
