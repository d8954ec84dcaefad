"""Simulate how often 95 % intervals of a mean difference over datasets cover the true mean, and how wide they are.

    python benchmarks/intervals.py [--studies 2000]

A study draws n differences and computes one interval of each kind: the percentile bootstrap (Efron 1979), BCa (Efron 1987),
bootstrap-t (Efron 1981), Student's t with n - 1 degrees of freedom, and the interval of the package, t with (n - 1) / 2. The
differences come from:

normal, t3: symmetric, with light and with heavy tails (Student's t, 3 degrees of freedom)
skewed: lognormal, sigma 0.75 (skewness 3.3)
ties: whole numbers of cases, 40 % zeros
published: two methods of the shipped published accuracies, drawn for each study; their differences are drawn with replacement
gate: two methods of results/reference; differences of single seeds on single datasets in the same way

Widths are medians, as multiples of the normal interval 2 · 1.96 · s / √n. Studies in which all differences are equal count for no
interval: the package gives none.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

import ssd_cli
from ssd_cli.statistics.intervals import LEVEL, mean_interval
from ssd_cli.statistics.ranks import TIE, Floats

SIZES = (5, 8, 10, 15, 20, 30, 40, 50, 100)
KINDS = ("percentile", "BCa", "bootstrap-t", "t", "package")
N_DRAWS = 1000
LEAST_DATASETS = 60
"""Pairs of published columns with fewer common datasets are left out."""
PUBLISHED = Path(ssd_cli.__file__).parent / "leaderboard" / "external" / "accuracies.csv"
REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference" / "cells.csv"
TAIL = (1 - LEVEL) / 2
Draw = Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]


def published() -> list[Floats]:
    """Return the differences of each pair of published methods on their common datasets."""
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name != "dataset"]
    scores = np.array([[float(row[name] or "nan") for name in columns] for row in rows])
    pairs = [scores[:, i] - scores[:, j] for i, j in combinations(range(len(columns)), 2)]
    known = [pair[np.isfinite(pair)] for pair in pairs]
    return [pair for pair in known if len(pair) >= LEAST_DATASETS]


def of_the_reference() -> list[Floats]:
    """Return the differences of each pair of methods of the reference of the gate, with the same dataset, resample and seed."""
    with REFERENCE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    scores: dict[str, dict[tuple[str, ...], float]] = {}
    for row in rows:
        scores.setdefault(row["method"], {})[row["dataset"], row["resample"], row["seed"]] = float(row["accuracy"])
    pairs = combinations(scores.values(), 2)
    return [np.array([one[key] - other[key] for key in one.keys() & other.keys()]) for one, other in pairs]


def resampled(populations: list[Floats]) -> Draw:
    """Return a function that draws one population for each study, and its values with replacement."""

    def draw(rng: np.random.Generator, n: int, n_studies: int) -> tuple[Floats, Floats]:
        chosen = [populations[place] for place in rng.integers(len(populations), size=n_studies)]
        return np.array([rng.choice(one, n) for one in chosen]), np.array([one.mean() for one in chosen])

    return draw


def simple(sample: Callable[[np.random.Generator, tuple[int, int]], Floats], mean: float) -> Draw:
    """Return a function that draws every study from one distribution with this mean."""
    return lambda rng, n, n_studies: (sample(rng, (n_studies, n)), np.full(n_studies, mean))


def worlds() -> dict[str, Draw]:
    """Return where differences come from: functions of (generator, n, n_studies) to (n_studies, n) and (n_studies,)."""
    return {
        "normal": simple(lambda rng, size: rng.normal(0.5, 1, size), 0.5),
        "t3": simple(lambda rng, size: rng.standard_t(3, size), 0.0),
        "skewed": simple(lambda rng, size: rng.lognormal(0, 0.75, size), float(np.exp(0.75**2 / 2))),
        "ties": simple(lambda rng, size: np.where(rng.random(size) < 0.4, 0, np.round(rng.normal(0.5, 2, size))), 0.3),
        "published": resampled(published()),
        "gate": resampled(of_the_reference()),
    }


def bootstraps(values: Floats, weights: Floats) -> Floats:
    """Return percentile, BCa and bootstrap-t intervals of one sample (n,), from weights (n_draws, n) of sum 1: (3, 2)."""
    n, mean = len(values), values.mean()
    centred = values - mean
    means = weights @ centred
    ordered = np.sort(means)
    percentile = mean + np.quantile(ordered, [TAIL, 1 - TAIL])
    below = (means < -TIE).mean() + (np.abs(means) <= TIE).mean() / 2
    bias = ndtri(np.clip(below, 1 / N_DRAWS, 1 - 1 / N_DRAWS))
    acceleration = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    shifted = bias + ndtri([TAIL, 1 - TAIL])
    bca = mean + np.quantile(ordered, ndtr(bias + shifted / (1 - acceleration * shifted)))
    spread = np.sqrt(np.maximum(weights @ centred**2 - means**2, 0) * n / (n - 1))
    ratios = np.divide(means, spread, out=np.copysign(np.inf, means), where=spread > TIE)  # a draw without spread is extreme
    high, low = np.sort(ratios)[[int((1 - TAIL) * N_DRAWS), int(TAIL * N_DRAWS)]]
    error = values.std(ddof=1)
    return np.array([percentile, bca, (mean - high * error, mean - low * error)])


def coverage(draw: Draw, n: int, n_studies: int) -> tuple[Floats, Floats]:
    """Return the share of the studies whose interval covers the mean, and the median relative width, both by kind."""
    rng = np.random.default_rng(n)
    values, means = draw(rng, n, n_studies)
    varied = np.ptp(values, axis=1) > TIE
    values, means = values[varied], means[varied]
    error = values.std(axis=1, ddof=1) / np.sqrt(n)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=N_DRAWS) / n
    half = stdtrit(n - 1, 1 - TAIL) * error
    center = values.mean(axis=1)
    found = np.empty((len(values), len(KINDS), 2))
    found[:, :3] = [bootstraps(one, weights) for one in values]
    found[:, 3] = np.stack([center - half, center + half], axis=1)
    found[:, 4] = np.stack(mean_interval(values.T), axis=1)
    covered = (found[..., 0] <= means[:, None] + TIE) & (found[..., 1] >= means[:, None] - TIE)
    widths = (found[..., 1] - found[..., 0]) / (2 * ndtri(1 - TAIL) * error[:, None])
    return covered.mean(axis=0), np.median(widths, axis=0)


def main() -> None:
    """Simulate and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    n_studies = parser.parse_args().studies
    print(f"{n_studies} studies a row; coverage and, in brackets, width\n")
    print(f"| differences | n | {' | '.join(KINDS)} |\n|---|--:|{'--:|' * len(KINDS)}")
    for name, draw in worlds().items():
        for n in SIZES:
            cells = [f"{share:.1%} ({width:.2f})" for share, width in zip(*coverage(draw, n, n_studies), strict=True)]
            print(f"| {name} | {n} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
