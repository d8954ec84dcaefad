"""All tables and figures of the study, from its cells or from the archives of them.

    python benchmarks/study/analyse.py --cells results/study/cells --out results/study

A suite is looked for in <cells>/<suite>; where there is nothing, <out>/<suite>.tar.xz is unpacked there (`pack.py`). Whatever
suites and cells are there are analysed; coverage and missing say what is not. The questions, tests and tables were fixed before
the results.

Written for each suite: in <suite>/ the tables and the diagram of ``ssd-bench compare --missing complete`` (a dataset that lacks
any result is left out for all methods) and the figure cost_accuracy; what an earlier analysis wrote there is removed first. For
all together: coverage, missing, verdicts, costs, sharpening, fitting, robustness, ablation, proposals, controls, rivals,
teacher_free, equal_one, equal_five, small_inception, small_lite, small_lite_long, h, p, as .csv with all digits and as .md, and
README.md and details.md with these tables in their places. small/ has two backbones in one leaderboard.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import ablation
import costs
import fitting
import numpy as np
import published_runs
import robustness
import sharpening
import suites
import tables
import verdicts

from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.collect import collect
from ssd_cli.leaderboard.compare import compare_cells
from ssd_cli.leaderboard.diagram import write_figures
from ssd_cli.leaderboard.figures import save
from ssd_cli.leaderboard.publish import write_published
from ssd_cli.leaderboard.selection import Selection
from ssd_cli.leaderboard.table import write_csv

if TYPE_CHECKING:
    from suites import Loaded

POLICY = "complete"
NETWORKS = ("a", "b", "c", "h_lite", "h_resnet", "h_resnet_gpu", "g", "long")
ON_A_GPU = ("h_resnet_gpu", "g")
"""Where CPU seconds are no measure of a training, and processes share the device: no table and figure of costs."""
CHANGES = ("ablation", "proposals", "controls", "rivals", "teacher_free", "equal_one", "equal_five")
"""Suites that are compared with `ssd` one by one."""
SMALL = ("small_inception", "small_lite", "small_lite_long")
"""Suites that are compared with `single-small` one by one; the first two of one recipe, so that they stand in one table too."""
PAGES = ("README.md", "details.md")
TESTED = "a"
"""The study with enough datasets for a test; the others are described."""


def leaderboard(one: Loaded, out: Path) -> str:
    """What ``ssd-bench compare`` writes about a suite, or why there is nothing to write; no older table stays in its place."""
    assert one.cells is not None
    shutil.rmtree(out / one.name, ignore_errors=True)
    finished, run = one.finished(), set(one.frame["method"])
    chosen = Selection(methods=tuple(finished)) if finished and run > set(finished) else Selection()
    try:
        comparison = compare_cells(one.cells, POLICY, rope=verdicts.MARGIN, selection=chosen)
    except SsdBenchError as error:
        return f"{one.name}: no leaderboard yet. {error.what}"
    for write in (write_csv, write_published, write_figures):
        write(comparison, out / one.name)
    return f"{one.name}: {len(comparison.names)} methods ranked on {len(comparison.datasets)} datasets"


def both_backbones(loaded: dict[str, Loaded], out: Path) -> None:
    """Small networks of Inception and of LITE in one leaderboard."""
    both = [loaded[name] for name in SMALL[:2]]
    if any(one.cells is None for one in both):
        return
    shutil.rmtree(out / "small", ignore_errors=True)
    comparison = compare_cells(collect([one.folder for one in both]), POLICY, rope=verdicts.MARGIN)
    for write in (write_csv, write_published, write_figures):
        write(comparison, out / "small")


def draw_costs(one: Loaded, out: Path) -> None:
    """The cost of each method, and the figure of accuracy against it, on the datasets that all finished methods completed."""
    table = costs.costs(one, one.finished())
    if not table[1]:
        return
    timed, completed = table[1][0][-2:]
    which = "those all cells of which ran on one kind of processor"
    if any(np.isnan(row[costs.TRAINING]) for row in table[1]):  # type: ignore[call-overload]
        which = "for methods whose cells ran on the kind of processor of `single`; others have no time"
    note = (
        f"Datasets: {completed}, of which {timed} are timed, {which}. Training: CPU seconds, not wall-clock, since the machine was "
        "shared. Ratios: geometric means over datasets. Written by analyse.py."
    )
    tables.write_csv(out, f"costs_{one.name}", table)
    tables.write_markdown(out, f"costs_{one.name}", costs.short(table), 3, note)
    save(costs.draw(table, suites.TITLES[one.name]), "cost_accuracy", out / one.name, ("svg", "png"))


def judge(loaded: dict[str, Loaded], out: Path) -> None:
    """The five questions about `ssd` and about `ssd-mid`; tested on study A, described elsewhere."""
    rows = {
        name: [
            row
            for family in verdicts.FAMILIES
            for row in verdicts.judge(name, family, scores(loaded[name], family), tested=name == TESTED)
        ]
        for name in NETWORKS
    }
    described = [row for name in NETWORKS if name != TESTED for row in rows[name]]
    tables.write_csv(out, "verdicts", verdicts.table([row for part in rows.values() for row in part]))
    tables.write_markdown(out, "verdicts", verdicts.short(rows[TESTED]), 4, verdicts.NOTE)
    tables.write_markdown(out, "verdicts_described", verdicts.described(described), 4)


def scores(one: Loaded, family: verdicts.Family) -> dict[str, np.ndarray]:
    """Mean accuracies by method, NaN where a dataset is not complete, for the methods of a family."""
    if one.cells is None:
        return {}
    found: dict[str, np.ndarray] = {}
    for method in (family.method, *family.others):
        datasets, values = one.done([method], "accuracy")
        if datasets:
            known = dict(zip(datasets, values[:, 0].tolist(), strict=True))
            # in the order of the other tables, so that a difference has one bootstrap interval everywhere
            found[method] = np.array([known.get(dataset, np.nan) for dataset in sorted(one.suite.dataset)])
    return found


def answer_sharpening(loaded: dict[str, Loaded], out: Path) -> None:
    """Whether `ssd` is a mild sharpening: agreement with its controls, confidence, calibration, length of embeddings."""
    pairs, levels, heads = [], [], {}
    for name in NETWORKS:
        if loaded[name].cells is None:
            continue
        datasets, methods, measures = sharpening.measure(loaded[name])
        if not datasets:
            continue
        heads["pairs"], rows = sharpening.against(name, methods, measures)
        pairs += rows
        heads["levels"], rows = sharpening.levels(name, methods, measures)
        levels += rows
    if pairs:
        table = (heads["pairs"], pairs)
        tables.write_csv(out, "sharpening", table)
        tables.write_markdown(out, "sharpening", sharpening.short(table), 4)
        tables.write(out, "sharpening_levels", (heads["levels"], levels), 4, sharpening.NOTE)
    if loaded["a"].cells is not None:
        tables.write_csv(out, "sharpening_epochs", sharpening.epochs(loaded["a"]))


def answer_fitting(loaded: dict[str, Loaded], out: Path) -> None:
    """What comes from networks that have not fitted their training cases."""
    table = fitting.compare(loaded["a"], loaded["long"])
    tables.write_csv(out, "fitting", table)
    tables.write_markdown(out, "fitting", fitting.short(table))


def answer_robustness(loaded: dict[str, Loaded], out: Path) -> None:
    """How much single datasets carry."""
    table = robustness.check(loaded)
    tables.write_csv(out, "robustness", table)
    tables.write_markdown(out, "robustness", robustness.short(table), 4)


def ablate(one: Loaded, base: str, out: Path) -> None:
    """Differences to one method of a suite, as a table and as a figure."""
    if one.cells is None:
        return
    table = ablation.differences(one, one.methods, base)
    tables.write(out, one.name, table, 4)
    if any(np.isfinite(float(row[4])) for row in table[1]):  # type: ignore[arg-type]
        save(ablation.draw(table, suites.TITLES[one.name], base), one.name, out, ("svg", "png"))


def answer_p(one: Loaded, out: Path) -> str:
    """Ours beside the published runs; only datasets with all their seeds."""
    frame = None if one.cells is None else one.frame[one.frame["status"] == "ok"]
    ours = (
        {}
        if frame is None
        else {str(name): group["accuracy"].to_numpy() for name, group in frame.groupby("dataset", observed=True)}
    )
    complete = {name: values for name, values in ours.items() if len(values) == len(one.suite.seeds)}
    table, sentence = published_runs.compare(complete, len(one.suite.dataset))
    tables.write(out, "p", table, 4, sentence)
    return sentence


def list_h(loaded: dict[str, Loaded], out: Path) -> None:
    """Accuracy on UCIHAR by draw of subjects: one dataset is no test of anything, so every number is shown."""
    rows: list[list[object]] = []
    for name in ("h_lite", "h_resnet", "h_resnet_gpu"):
        one = loaded[name]
        for method in one.methods if one.cells is not None else ():
            found = one.frame[(one.frame["method"] == method) & (one.frame["status"] == "ok")]
            known = dict(zip(found["resample"].tolist(), found["accuracy"].tolist(), strict=True))
            values = [known.get(resample, np.nan) for resample in one.suite.resamples]
            rows.append([name, method, *values, float(np.mean(values))])
    draws = [f"draw {resample}" for resample in loaded["h_lite"].suite.resamples]
    tables.write(out, "h", (["suite", "method", *draws, "mean"], rows), 4)


def main() -> int:
    """Write everything that the cells allow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cells", type=Path, default=Path("results/study/cells"), help="Folder with a folder of results for each suite."
    )
    parser.add_argument("--out", type=Path, default=Path("results/study"))
    options = parser.parse_args()
    out: Path = options.out
    if options.cells.resolve() == out.resolve():
        parser.error("--cells and --out are one folder: tables would be written over cells")
    loaded = suites.load(options.cells, out)
    tables.write(out, "coverage", suites.coverage(loaded), 0)
    tables.write(out, "missing", suites.missing(loaded), 0)
    for one in loaded.values():
        if one.cells is not None and one.name != "p":
            print(leaderboard(one, out))
            if one.name not in ("ablation", *ON_A_GPU):
                draw_costs(one, out)
    judge(loaded, out)
    answer_sharpening(loaded, out)
    for names, base in ((CHANGES, ablation.BASE), (SMALL, "single-small")):
        for name in names:
            ablate(loaded[name], base, out)
    both_backbones(loaded, out)
    answer_fitting(loaded, out)
    answer_robustness(loaded, out)
    list_h(loaded, out)
    print(f"p: {answer_p(loaded['p'], out)}")
    for page in (out / name for name in PAGES):
        if page.is_file():
            print(f"{page}: {len(tables.fill(page, out))} tables filled in")
    return 0


if __name__ == "__main__":
    sys.exit(main())
