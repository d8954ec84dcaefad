"""False pairs and power of the rules that join methods in a critical-difference diagram.

    python benchmarks/clique_study.py [--studies 1000]

Null world: all methods equal. One-winner world: one is better by half of the spread of a difference, all others are equal.
A study has a false pair if any two equal methods are called different; power is the share of the winner's pairs that are found.
All pairs of a study are tested at once; the first studies of every row are also judged by `ssd_cli.statistics.tests.judge`,
pair by pair, and must come out the same.
"""

from __future__ import annotations

import argparse
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import rankdata

from ssd_cli.statistics.friedman import friedman
from ssd_cli.statistics.pairs import holm
from ssd_cli.statistics.ranks import Floats, rank_scores
from ssd_cli.statistics.tests import judge
from ssd_cli.statistics.tests.nemenyi import critical_difference
from ssd_cli.statistics.wilcoxon import EXACT_UP_TO

RULES = (("ssd-bench", 0.05), ("cd-diagram", 0.05), ("nemenyi", 0.05), ("aeon", 0.05), ("aeon", 0.1))
"""aeon's own alpha is 0.1."""
CHECKED = 5
Bools = npt.NDArray[np.bool_]


def study(n_datasets: int, n_methods: int, winner: bool, seed: int) -> tuple[Floats, int]:
    """Scores in the order of the average ranks, and the column of the winner (-1 in the null world)."""
    rng = np.random.default_rng([seed, n_datasets, n_methods, winner])
    scores = 0.75 + rng.normal(0, 0.1, (n_datasets, 1)) + rng.normal(0, 0.02, (n_datasets, n_methods))
    if winner:
        scores[:, 0] += 0.5 * 0.02 * np.sqrt(2)
    order = np.argsort(rank_scores(scores).mean(axis=0), kind="stable")
    return scores[:, order], int(np.flatnonzero(order == 0)[0]) if winner else -1


@cache
def shares(n: int) -> Floats:
    """Share of the 2^n subsets of {1, …, n} with a sum of at most 0, 1, 2, …: the exact distribution of a signed-rank sum."""
    counts = np.zeros(n * (n + 1) // 2 + 1)
    counts[0] = 1
    for rank in range(1, n + 1):
        counts[rank:] += counts[:-rank].copy()
    return np.cumsum(counts) / 2.0**n


def at_most(sums: Floats, n: int) -> Floats:
    """Probability of a rank sum of at most `sums` (n_pairs,) where a pair is equal; no zeros, no ties."""
    if n <= EXACT_UP_TO:
        return shares(n)[sums.astype(np.int64)]
    return ndtr((sums - n * (n + 1) / 4) / np.sqrt(n * (n + 1) * (2 * n + 1) / 24))


def verdicts(scores: Floats) -> dict[tuple[str, float], Bools]:
    """By each of `RULES`, which methods differ: symmetric, shape (n_methods, n_methods)."""
    n, k = scores.shape
    first, second = np.triu_indices(k, k=1)
    differences = scores[:, first] - scores[:, second]
    ranks = rankdata(np.abs(differences), axis=0)
    above, below = np.where(differences > 0, ranks, 0).sum(axis=0), np.where(differences < 0, ranks, 0).sum(axis=0)
    adjusted = holm(np.minimum(1, 2 * at_most(np.minimum(above, below), n)))
    better = at_most(below, n)  # one-sided: the one ranked better against the other
    average, omnibus = rank_scores(scores).mean(axis=0), friedman(scores)
    assert omnibus is not None
    found = {}
    for name, alpha in RULES:
        if name == "nemenyi":
            different = average[second] - average[first] >= cached_difference(n, k, alpha)
        elif name == "aeon":
            different = (better <= alpha / (k - 1)) & (omnibus.p < alpha)
        else:
            different = (adjusted <= alpha) & (name == "ssd-bench" or omnibus.p < alpha)
        found[name, alpha] = np.zeros((k, k), dtype=bool)
        found[name, alpha][first, second] = found[name, alpha][second, first] = different
    return found


cached_difference = cache(critical_difference)


def row(n_datasets: int, n_methods: int, winner: bool, n_studies: int) -> list[str]:
    """The lines of the table for one world: studies with a false pair, and the share of the winner's pairs found, by rule."""
    false, power = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0.0)
    for seed in range(n_studies):
        scores, place = study(n_datasets, n_methods, winner, seed)
        for rule, different in verdicts(scores).items():
            if seed < CHECKED:
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


def main() -> None:
    """Simulate and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    n_studies = parser.parse_args().studies
    print(f"{n_studies} studies a row\n\n| datasets | methods | world | rule | alpha | studies with a false pair | power |")
    print("|--:|--:|---|---|--:|--:|--:|")
    for n_datasets in (30, 112):
        for n_methods in (6, 20):
            for winner in (False, True):
                print("\n".join(row(n_datasets, n_methods, winner, n_studies)), flush=True)


if __name__ == "__main__":
    main()
