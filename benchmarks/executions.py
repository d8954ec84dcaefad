"""Whether the fast execution changes accuracy: the same cells by both executions, through the tool itself.

    python benchmarks/executions.py --out results/speed           # 100 cells; goes on where it stopped
    python benchmarks/executions.py --out results/speed/bilinear --backbones inception,resnet

An execution adds the same numbers in another order, and a training may make of a rounding error another network: the question is
whether one of them is better. Fast is what is planned, or `--engine`. Method `single`, recipe `fast`, resample 0. The five
datasets were fixed before the first training: of the problems at hand those that are cheap to train and have many test cases.

The mean difference is over all pairs of dataset and seed, its 90 % interval Student's; that it lies within half a point either way
is a test of equivalence by two one-sided tests at 5 % (Schuirmann 1987). Stricter, as if datasets were drawn at random: the same
interval of the datasets' means.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from machine import describe, sentence

from ssd_cli.leaderboard.figures import save
from ssd_cli.store.results import ResultStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATASETS = ("Chinatown", "ItalyPowerDemand", "SonyAIBORobotSurface2", "TwoLeadECG", "SmoothSubspace")
BACKBONES = ("inception", "lite")
ENGINES = ("plain", "fast")
N_SEEDS = 5
BOUND = 0.5
"""Points of accuracy."""


class Pair(NamedTuple):
    """One cell by both executions; accuracies in percent."""

    backbone: str
    dataset: str
    seed: int
    plain: float
    fast: float
    execution: str
    """What the fast one was."""

    @property
    def difference(self) -> float:
        """Of the fast execution, in points."""
        return self.fast - self.plain


def main() -> None:
    """Run what is not there yet; write the pairs, the table and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="auto", help="of the fast cells (default auto)")
    parser.add_argument("--backbones", type=lambda text: text.split(","), default=list(BACKBONES))
    options = parser.parse_args()
    machine, cells = describe(), options.out / "executions" / "cells"
    for engine, option in zip(ENGINES, ("plain", options.engine), strict=True):
        subprocess.run(command(option, cells / engine, options.backbones, options.workers), check=True)
    pairs = collect(cells, options.backbones)
    with (options.out / "executions.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([Pair._fields, *([*pair[:3], f"{pair.plain:.4f}", f"{pair.fast:.4f}", pair.execution] for pair in pairs)])
    title = f"# Accuracy by both executions\n\n`{machine['command']}`\n\n{sentence(machine)}\n\n"
    (options.out / "executions.md").write_text(title + table(pairs))
    save(draw(pairs), "executions", options.out, ("svg", "png"))
    print(table(pairs))


def command(engine: str, out: Path, backbones: list[str], workers: int) -> list[str]:
    """The command line of all cells by one execution."""
    options = {"engine": engine, "out": out, "workers": workers, "method": "single", "recipe": "fast", "seeds": N_SEEDS}
    names = [("dataset", name) for name in DATASETS] + [("backbone", name) for name in backbones]
    words = [word for name, value in [*options.items(), *names] for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "ssd_cli", "run", *words, "--no-download", "--discard-networks"]


def collect(cells: Path, backbones: list[str]) -> list[Pair]:
    """Accuracies of all pairs; the executions are what the records say."""
    found = {}
    for engine in ENGINES:
        for record in ResultStore(cells / engine).records():
            if record.status != "ok" or (record.identity["execution"] == "plain") != (engine == "plain"):
                raise SystemExit(f"{record.cell} by {engine}: {record.status}, {record.identity['execution']}. Delete {cells}.")
            key = record.cell.backbone, record.cell.dataset, record.cell.seed, engine
            found[key] = 100 * record.scores["accuracy"], record.identity["execution"]
    keys = [(backbone, name, seed) for backbone in backbones for name in DATASETS for seed in range(N_SEEDS)]
    return [Pair(*key, found[*key, "plain"][0], *found[*key, "fast"]) for key in keys]


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean, and the ends of its 90 % interval."""
    from scipy.stats import t

    mean = float(np.mean(values))
    half = float(t.ppf(0.95, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def backbones_of(pairs: list[Pair]) -> list[str]:
    """The backbones of the pairs, in their order."""
    return list(dict.fromkeys(pair.backbone for pair in pairs))


def by_dataset(pairs: list[Pair]) -> dict[str, list[float]]:
    """Differences of each dataset, seed by seed."""
    return {name: [pair.difference for pair in pairs if pair.dataset == name] for name in DATASETS}


def table(pairs: list[Pair]) -> str:
    """Mean accuracies, differences and intervals, in Markdown."""
    lines = ["| backbone | dataset | plain % | fast % | difference, points | 90 % interval |", "|---|---|--:|--:|--:|---|"]
    verdicts = []
    for backbone in backbones_of(pairs):
        own = [pair for pair in pairs if pair.backbone == backbone]
        groups = {**{name: [pair for pair in own if pair.dataset == name] for name in DATASETS}, "**all**": own}
        for name, group in groups.items():
            mean, low, high = interval([pair.difference for pair in group])
            levels = [f"{np.mean([getattr(pair, engine) for pair in group]):.2f}" for engine in ENGINES]
            lines.append(f"| {backbone} | {name} | {' | '.join(levels)} | {mean:+.2f} | {low:+.2f} to {high:+.2f} |")
        inside = low > -BOUND and high < BOUND
        strict = interval([float(np.mean(values)) for values in by_dataset(own).values()])
        verdicts.append(
            f"- {backbone}: the 90 % interval of the mean over {len(own)} pairs {'lies' if inside else 'does NOT lie'} within "
            f"{BOUND} points; of the datasets' means it is {strict[1]:+.2f} to {strict[2]:+.2f}."
        )
    return "\n".join([*lines, "", *verdicts]) + "\n"


def draw(pairs: list[Pair]) -> Figure:
    """Every difference, and the mean with its interval, for each backbone."""
    from matplotlib.figure import Figure

    names = backbones_of(pairs)
    figure = Figure(figsize=(2.4 + 3 * len(names), 3.1), layout="constrained")
    panels = figure.subplots(1, len(names), sharex=True, sharey=True, squeeze=False)[0]
    for axes, backbone in zip(panels, names, strict=True):
        own = [pair for pair in pairs if pair.backbone == backbone]
        axes.axvspan(-BOUND, BOUND, color="#eeeeee", zorder=0)
        axes.axvline(0, color="#555555", linewidth=0.8, zorder=1)
        for row, values in enumerate(by_dataset(own).values()):
            spread = np.linspace(-0.2, 0.2, len(values))
            axes.scatter(values, row + spread, s=16, color="#0072B2", zorder=2)
        mean, low, high = interval([pair.difference for pair in own])
        axes.errorbar(mean, len(DATASETS), xerr=[[mean - low], [high - mean]], fmt="D", color="#D55E00", capsize=4, zorder=3)
        axes.set_yticks(range(len(DATASETS) + 1), [*DATASETS, "mean, 90 % interval"])
        axes.set_title(backbone)
        axes.set_xlabel("accuracy, fast minus plain (points)")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()
    return figure


if __name__ == "__main__":
    main()
