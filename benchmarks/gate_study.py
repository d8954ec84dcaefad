"""How often ``ssd-bench check`` raises a false alarm, and what drop it finds: simulated runs against simulated references.

    python benchmarks/gate_study.py [--studies 2000] [--seeds 10]

Test accuracies are shares of 30 to 600 cases, drawn for every seed around the accuracy of a dataset, with a spread between seeds
of 0.5 to 2 points, normal or with heavy tails (Student's t, 4 degrees of freedom). Each study draws a new reference and a new run.
"""

from __future__ import annotations

import argparse

import numpy as np

from ssd_cli.statistics.gate import group_falls, mean_fall

ALPHA = 0.01
N_DATASETS, N_METHODS = 8, 3


def scores(rng: np.random.Generator, tails: str, n_seeds: int, drop: float, world: int) -> list[np.ndarray]:
    """Accuracies over seeds of each dataset × method; the world fixes the datasets."""
    fixed = np.random.default_rng(world)
    found = []
    for _ in range(N_DATASETS):
        level, spread, n_cases = fixed.uniform(0.65, 0.95), fixed.uniform(0.005, 0.02), fixed.integers(30, 600)
        for _ in range(N_METHODS):
            noise = rng.standard_t(4, n_seeds) / np.sqrt(2) if tails == "heavy" else rng.normal(size=n_seeds)
            accuracy = np.clip(level - drop + spread * noise, 0, 1)
            found.append(np.round(accuracy * n_cases) / n_cases)
    return found


def alarm(reference: list[np.ndarray], new: list[np.ndarray]) -> bool:
    """Whether the gate, with the shares of `leaderboard.gate.check` for one score, raises an alarm."""
    falls = group_falls(reference, new, ALPHA / 2 / len(reference))
    for method in range(N_METHODS):
        falls.append(mean_fall(reference[method::N_METHODS], new[method::N_METHODS], ALPHA / 2 / N_METHODS))
    return any(fall.fell for fall in falls)


def main() -> None:
    """Simulate and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=10, help="of the reference")
    options = parser.parse_args()
    print(f"{options.studies} studies a row, {N_DATASETS} datasets × {N_METHODS} methods,", end=" ")
    print(f"{options.seeds} reference seeds, false-alarm rate {ALPHA:.0%}\n")
    print("| noise | seeds of the run | drop | runs that fail |")
    print("|---|--:|--:|--:|")
    for tails in ("normal", "heavy"):
        for n_new in (1, 3):
            for drop in (0.0, 0.005, 0.01, 0.02, 0.05):
                fails = 0
                for study in range(options.studies):
                    rng = np.random.default_rng([study, n_new, int(drop * 1000), tails == "heavy"])
                    reference = scores(rng, tails, options.seeds, 0.0, study)
                    fails += alarm(reference, scores(rng, tails, n_new, drop, study))
                print(f"| {tails} | {n_new} | {drop:.3f} | {fails / options.studies:.1%} |", flush=True)


if __name__ == "__main__":
    main()
