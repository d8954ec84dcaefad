"""False pairs and power of the rules that join methods in a critical-difference diagram.

    python benchmarks/clique_study.py [--studies 300]

Null world: all methods equal. One-winner world: one is better by half of the spread of a difference, all others are equal.
A study has a false pair if any two equal methods are called different; power is the share of the winner's pairs that are found.
"""

from __future__ import annotations

import argparse

import numpy as np

from ssd_cli.statistics.conventions import judge
from ssd_cli.statistics.ranks import rank_scores

RULES = (("ssd-bench", 0.05), ("cd-diagram", 0.05), ("nemenyi", 0.05), ("aeon", 0.05), ("aeon", 0.1))
"""aeon's own alpha is 0.1."""


def study(n_datasets: int, n_methods: int, winner: bool, seed: int) -> tuple[np.ndarray, int]:
    """Scores in the order of the average ranks, and the column of the winner (-1 in the null world)."""
    rng = np.random.default_rng([seed, n_datasets, n_methods, winner])
    scores = 0.75 + rng.normal(0, 0.1, (n_datasets, 1)) + rng.normal(0, 0.02, (n_datasets, n_methods))
    if winner:
        scores[:, 0] += 0.5 * 0.02 * np.sqrt(2)
    order = np.argsort(rank_scores(scores).mean(axis=0), kind="stable")
    return scores[:, order], int(np.flatnonzero(order == 0)[0]) if winner else -1


def main() -> None:
    """Simulate and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300)
    n_studies = parser.parse_args().studies
    print(f"{n_studies} studies a row\n\n| datasets | methods | world | rule | alpha | studies with a false pair | power |")
    print("|--:|--:|---|---|--:|--:|--:|")
    for n_datasets in (30, 112):
        for n_methods in (6, 20):
            for winner in (False, True):
                false, found = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0.0)
                for seed in range(n_studies):
                    scores, place = study(n_datasets, n_methods, winner, seed)
                    for rule in RULES:
                        different = judge(scores, rule[0], rule[1]).tests.different.copy()
                        if winner:
                            found[rule] += different[place].sum() / (n_methods - 1)
                            different[place] = different[:, place] = False
                        false[rule] += bool(different.any())
                for rule in RULES:
                    power = f"{found[rule] / n_studies:.1%}" if winner else ""
                    world = "one winner" if winner else "all equal"
                    cells = [n_datasets, n_methods, world, *rule, f"{false[rule] / n_studies:.1%}", power]
                    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
