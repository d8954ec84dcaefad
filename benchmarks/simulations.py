"""Simulate the error rates of the rules of docs/statistics.md.

    python benchmarks/simulations.py pairs [--studies 1000]
    python benchmarks/simulations.py gate [--studies 2000]

pairs: false pairs and power of the rules that join methods in a critical-difference diagram. "All equal": all methods are equal.
"One winner": one method is better by half of the spread of a difference. A study has a false pair if the rule separates two equal
methods; power is the share of the winner's pairs that are found.

gate: how often ``ssd-bench check`` raises a false alarm, and which drops it finds. Test accuracies are shares of 30 to 600 cases,
around the accuracy of a dataset with a spread between seeds of 0.5 to 2 points, normal or heavy-tailed (Student's t, 4 degrees of
freedom). Every study draws new datasets, a new reference and a new run. Drops are
in all cells, then in a part of them. At last datasets, means and spreads are those of results/reference.

Many studies are computed at once; the functions of the package must give the same result for the first of them.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, stdtrit
from scipy.stats import rankdata

from ssd_cli.statistics.friedman import friedman
from ssd_cli.statistics.gate import GROUP_DEGREES, MEAN_DEGREES, PRIOR_DEGREES, group_falls, mean_fall
from ssd_cli.statistics.pairs import holm
from ssd_cli.statistics.ranks import Floats, rank_scores
from ssd_cli.statistics.tests import judge
from ssd_cli.statistics.tests.nemenyi import critical_difference
from ssd_cli.statistics.wilcoxon import EXACT_UP_TO

SCIPY_EXACT_UP_TO = 50
"""Number of differences up to which ``scipy.stats.wilcoxon`` is exact, and so are the rules that use it."""
RULES = (("ssd-bench", 0.05), ("cd-diagram", 0.05), ("nemenyi", 0.05), ("aeon", 0.05), ("aeon", 0.1))
"""aeon's own alpha is 0.1."""
CHECKED_PAIRS = 5
Bools = npt.NDArray[np.bool_]


def study(n_datasets: int, n_methods: int, winner: bool, seed: int) -> tuple[Floats, int]:
    """Return scores in the order of the average ranks, and the column of the winner (-1 if all methods are equal)."""
    rng = np.random.default_rng([seed, n_datasets, n_methods, winner])
    scores = 0.75 + rng.normal(0, 0.1, (n_datasets, 1)) + rng.normal(0, 0.02, (n_datasets, n_methods))
    if winner:
        scores[:, 0] += 0.5 * 0.02 * np.sqrt(2)
    order = np.argsort(rank_scores(scores).mean(axis=0), kind="stable")
    return scores[:, order], int(np.flatnonzero(order == 0)[0]) if winner else -1


@cache
def shares(n: int) -> Floats:
    """Return the share of the 2^n subsets of {1, …, n} with a sum of at most 0, 1, 2, … (exact signed-rank distribution)."""
    counts = np.zeros(n * (n + 1) // 2 + 1)
    counts[0] = 1
    for rank in range(1, n + 1):
        counts[rank:] += counts[:-rank].copy()
    return np.cumsum(counts) / 2.0**n


def at_most(sums: Floats, n: int, exact_up_to: int = EXACT_UP_TO) -> Floats:
    """Return the probability of a rank sum of at most `sums` (n_pairs,) for equal methods; no zeros, no ties."""
    if n <= exact_up_to:
        return shares(n)[sums.astype(np.int64)]
    return ndtr((sums - n * (n + 1) / 4) / np.sqrt(n * (n + 1) * (2 * n + 1) / 24))


def verdicts(scores: Floats) -> dict[tuple[str, float], Bools]:
    """Return which methods differ by each of `RULES`: symmetric, shape (n_methods, n_methods)."""
    n, k = scores.shape
    first, second = np.triu_indices(k, k=1)
    differences = scores[:, first] - scores[:, second]
    ranks = rankdata(np.abs(differences), axis=0)
    above, below = np.where(differences > 0, ranks, 0).sum(axis=0), np.where(differences < 0, ranks, 0).sum(axis=0)
    least = np.minimum(above, below)
    adjusted, by_scipy = (holm(np.minimum(1, 2 * at_most(least, n, most))) for most in (EXACT_UP_TO, SCIPY_EXACT_UP_TO))
    better = at_most(below, n, SCIPY_EXACT_UP_TO)  # one-sided: the better ranked method against the other
    average, omnibus = rank_scores(scores).mean(axis=0), friedman(scores)
    assert omnibus is not None
    found = {}
    for name, alpha in RULES:
        if name == "nemenyi":
            different = average[second] - average[first] >= cached_difference(n, k, alpha)
        elif name == "aeon":
            different = (better <= alpha / (k - 1)) & (omnibus.p < alpha)
        elif name == "cd-diagram":
            different = (by_scipy <= alpha) & (omnibus.p < alpha)
        else:
            different = adjusted <= alpha
        found[name, alpha] = np.zeros((k, k), dtype=bool)
        found[name, alpha][first, second] = found[name, alpha][second, first] = different
    return found


cached_difference = cache(critical_difference)


def row(n_datasets: int, n_methods: int, winner: bool, n_studies: int) -> list[str]:
    """Return the lines of the table for one world."""
    false, power = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0.0)
    for seed in range(n_studies):
        scores, place = study(n_datasets, n_methods, winner, seed)
        for rule, different in verdicts(scores).items():
            if seed < CHECKED_PAIRS:
                np.testing.assert_array_equal(different, judge(scores, *rule).tests.different)
            if winner:
                power[rule] += different[place].sum() / (n_methods - 1)
                different[place] = different[:, place] = False
            false[rule] += bool(different.any())
    world = "one winner" if winner else "all equal"
    return [
        f"| {n_datasets} | {n_methods} | {world} | {name} | {alpha} | {false[name, alpha] / n_studies:.1%} | "
        + (f"{power[name, alpha] / n_studies:.1%} |" if winner else "|")
        for name, alpha in RULES
    ]


ALPHA = 0.01
N_DATASETS, N_METHODS, N_SEEDS = 8, 3, 10
CHECKED_RUNS = 25
PLACES = {
    "one method": np.s_[:, :1],
    "one dataset": np.s_[:1],
    "one dataset of one method": np.s_[:1, :1],
}
"""Where scores drop, as indices of (N_DATASETS, N_METHODS)."""
REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference" / "cells.csv"
N_SHIPPED = 20_000


def draw(
    rng: np.random.Generator, tails: str, n_studies: int, n_reference: int, n_new: int, drop: float | Floats
) -> tuple[Floats, Floats]:
    """Draw accuracies of the references and of the runs, both (n_studies, N_DATASETS, N_METHODS, n_seeds).

    `drop` is one number, or an array (N_DATASETS, N_METHODS, 1).
    """
    shape = (n_studies, N_DATASETS, 1, 1)
    level, spread, n_cases = rng.uniform(0.65, 0.95, shape), rng.uniform(0.005, 0.02, shape), rng.integers(30, 600, shape)

    def scores(n_seeds: int, fall: float | Floats) -> Floats:
        size = (n_studies, N_DATASETS, N_METHODS, n_seeds)
        return np.round(np.clip(level - fall + spread * noise_of(rng, tails, size), 0, 1) * n_cases) / n_cases

    return scores(n_reference, 0.0), scores(n_new, drop)


def noise_of(rng: np.random.Generator, tails: str, size: tuple[int, ...]) -> Floats:
    """Return noise with standard deviation 1: normal, or "heavy", Student's t with 4 degrees of freedom."""
    return rng.standard_t(4, size) / np.sqrt(2) if tails == "heavy" else rng.normal(size=size)


def shipped(rng: np.random.Generator, tails: str, n_studies: int, n_new: int) -> Floats:
    """Return whether unchanged runs fail, where datasets, means and spreads are those of results/reference; both scores."""
    cells = pd.read_csv(REFERENCE)
    cells["nll"] = -np.log(cells["nll"])
    failed = np.zeros(n_studies, dtype=bool)
    for score in ("accuracy", "nll"):
        groups = cells.groupby(["dataset", "method"])[score]
        mean, spread = (part.unstack().to_numpy()[..., None] for part in (groups.mean(), groups.std()))
        drawn = mean + spread * noise_of(rng, tails, (n_studies, *mean.shape[:2], N_SEEDS + n_new))
        if score == "accuracy":
            drawn = np.clip(drawn, 0, 1)
        failed |= alarms(drawn[..., :N_SEEDS], drawn[..., N_SEEDS:], alpha=ALPHA / 2)
    return failed


def alarms(
    reference: Floats, new: Floats, caps: tuple[float, float] = (GROUP_DEGREES, MEAN_DEGREES), alpha: float = ALPHA
) -> Floats:
    """Return whether each study fails, for one score; `caps` limits the degrees of freedom of the two tests."""
    (n_datasets, n_methods), degrees = reference.shape[1:3], reference.shape[-1] - 1
    variance = reference.var(axis=-1, ddof=1)
    mixed = (PRIOR_DEGREES * variance.mean(axis=(1, 2), keepdims=True) + degrees * variance) / (PRIOR_DEGREES + degrees)
    squares = np.maximum(variance, mixed) * (1 / reference.shape[-1] + 1 / new.shape[-1])
    change = new.mean(axis=-1) - reference.mean(axis=-1)
    fallen = change < -stdtrit(min(degrees, caps[0]), 1 - alpha / 2 / (n_datasets * n_methods)) * np.sqrt(squares)
    # The spread of a method's mean is mixed with the mean over the datasets of this method only, as in `mean_fall`.
    own = (PRIOR_DEGREES * variance.mean(axis=1, keepdims=True) + degrees * variance) / (PRIOR_DEGREES + degrees)
    squares = np.maximum(variance, own) * (1 / reference.shape[-1] + 1 / new.shape[-1])
    welch = squares.sum(axis=1) ** 2 / (squares**2 / degrees).sum(axis=1)
    error = np.sqrt(squares.sum(axis=1)) / n_datasets
    means_fell = change.mean(axis=1) < -stdtrit(np.minimum(welch, caps[1]), 1 - alpha / 2 / n_methods) * error
    return fallen.any(axis=(1, 2)) | means_fell.any(axis=1)


def alarm(reference: Floats, new: Floats) -> bool:
    """Return whether one study fails, by the functions of the package."""
    groups = [list(part.reshape(-1, part.shape[-1])) for part in (reference, new)]
    falls = group_falls(*groups, ALPHA / 2 / len(groups[0]))
    for method in range(N_METHODS):
        falls.append(mean_fall(*(list(part[:, method]) for part in (reference, new)), ALPHA / 2 / N_METHODS))
    return any(fall.fell for fall in falls)


def pairs(n_studies: int) -> None:
    """Print a Markdown table of false pairs and power."""
    print(f"{n_studies} studies a row\n\n| datasets | methods | world | rule | alpha | studies with a false pair | power |")
    print("|--:|--:|---|---|--:|--:|--:|")
    for n_datasets in (30, 112):
        for n_methods in (6, 20):
            for winner in (False, True):
                print("\n".join(row(n_datasets, n_methods, winner, n_studies)), flush=True)


def gate(n_studies: int) -> None:
    """Print a Markdown table of runs that fail."""
    print(f"{n_studies} studies a row, {N_DATASETS} datasets × {N_METHODS} methods, {N_SEEDS} reference seeds, alpha {ALPHA:.0%}\n")
    print("| noise | seeds of the run | drop | runs that fail |")
    print("|---|--:|--:|--:|")
    for tails in ("normal", "heavy"):
        for n_new in (1, 3):
            for drop in (0.0, 0.005, 0.01, 0.02, 0.05):
                rng = np.random.default_rng([n_new, int(drop * 1000), tails == "heavy"])
                reference, new = draw(rng, tails, n_studies, N_SEEDS, n_new, drop)
                failed, checked = alarms(reference, new), slice(CHECKED_RUNS)
                assert failed[checked].tolist() == [alarm(*pair) for pair in zip(reference[checked], new[checked], strict=True)]
                print(f"| {tails} | {n_new} | {drop:.3f} | {failed.mean():.1%} |", flush=True)
    print("\nUnchanged runs that would fail without the caps of the degrees of freedom:", end=" ")
    for n_new in (1, 3):
        pair = draw(np.random.default_rng([n_new, 0, True]), "heavy", n_studies, N_SEEDS, n_new, 0.0)
        print(f"{alarms(*pair, (np.inf, np.inf)).mean():.1%} (heavy, seeds of the run: {n_new})", end="; " if n_new == 1 else ".\n")


def smaller_drops(n_studies: int) -> None:
    """Print a Markdown table of runs that fail where only a part of the scores drops; normal noise."""
    print("\n| drop in | seeds of the run | drop | runs that fail |\n|---|--:|--:|--:|")
    for where, index in PLACES.items():
        for n_new in (1, 3):
            for size in (0.02, 0.05, 0.1):
                drop = np.zeros((N_DATASETS, N_METHODS, 1))
                drop[index] = size
                pair = draw(np.random.default_rng([n_new, int(size * 1000)]), "normal", n_studies, N_SEEDS, n_new, drop)
                print(f"| {where} | {n_new} | {size:.2f} | {alarms(*pair).mean():.1%} |", flush=True)


def false_alarms(n_studies: int) -> None:
    """Print a Markdown table of unchanged runs that fail with the shipped reference."""
    print("\nresults/reference, accuracy and NLL, nothing changed:\n\n| noise | seeds of the run | runs that fail |\n|---|--:|--:|")
    for tails in ("normal", "heavy"):
        for n_new in (1, 3):
            failed = shipped(np.random.default_rng([n_new, tails == "heavy"]), tails, n_studies, n_new)
            print(f"| {tails} | {n_new} | {failed.mean():.1%} |", flush=True)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pairs", "gate"))
    parser.add_argument("--studies", type=int, default=1000)
    options = parser.parse_args()
    if options.what == "pairs":
        pairs(options.studies)
        return
    gate(options.studies)
    smaller_drops(options.studies)
    false_alarms(N_SHIPPED)


if __name__ == "__main__":
    main()
