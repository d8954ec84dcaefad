"""How often ``ssd-bench check`` raises a false alarm, and what drop it finds: simulated runs against simulated references.

    python benchmarks/gate_study.py [--studies 2000] [--seeds 10]

Test accuracies are shares of 30 to 600 cases, drawn for every seed around the accuracy of a dataset, with a spread between seeds
of 0.5 to 2 points, normal or with heavy tails (Student's t, 4 degrees of freedom). Each study draws new datasets, a new reference
and a new run. All studies of a row are computed at once; the first are also judged by `ssd_cli.statistics.gate`, test by test, and
must come out the same.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import stdtrit

from ssd_cli.statistics.gate import GROUP_DEGREES, MEAN_DEGREES, PRIOR_DEGREES, group_falls, mean_fall

ALPHA = 0.01
N_DATASETS, N_METHODS = 8, 3
CHECKED = 100
Floats = np.ndarray


def draw(rng: np.random.Generator, tails: str, n_studies: int, n_reference: int, n_new: int, drop: float) -> tuple[Floats, Floats]:
    """Accuracies of the references and of the runs, both (n_studies, N_DATASETS, N_METHODS, n_seeds)."""
    shape = (n_studies, N_DATASETS, 1, 1)
    level, spread, n_cases = rng.uniform(0.65, 0.95, shape), rng.uniform(0.005, 0.02, shape), rng.integers(30, 600, shape)

    def scores(n_seeds: int, fall: float) -> Floats:
        size = (n_studies, N_DATASETS, N_METHODS, n_seeds)
        noise = rng.standard_t(4, size) / np.sqrt(2) if tails == "heavy" else rng.normal(size=size)
        return np.round(np.clip(level - fall + spread * noise, 0, 1) * n_cases) / n_cases

    return scores(n_reference, 0.0), scores(n_new, drop)


def alarms(reference: Floats, new: Floats, caps: tuple[float, float] = (GROUP_DEGREES, MEAN_DEGREES)) -> Floats:
    """Whether each study fails, with the shares of `leaderboard.gate.check` for one score; `caps` of the degrees of freedom."""
    n, degrees = N_DATASETS * N_METHODS, reference.shape[-1] - 1
    variance = reference.var(axis=-1, ddof=1)
    mixed = (PRIOR_DEGREES * variance.mean(axis=(1, 2), keepdims=True) + degrees * variance) / (PRIOR_DEGREES + degrees)
    squares = np.maximum(variance, mixed) * (1 / reference.shape[-1] + 1 / new.shape[-1])
    change = new.mean(axis=-1) - reference.mean(axis=-1)
    fallen = change < -stdtrit(min(degrees, caps[0]), 1 - ALPHA / 2 / n) * np.sqrt(squares)
    # The spread of a method's mean: mixed with the mean over its own datasets alone, as `mean_fall` sees no others.
    own = (PRIOR_DEGREES * variance.mean(axis=1, keepdims=True) + degrees * variance) / (PRIOR_DEGREES + degrees)
    squares = np.maximum(variance, own) * (1 / reference.shape[-1] + 1 / new.shape[-1])
    welch = squares.sum(axis=1) ** 2 / (squares**2 / degrees).sum(axis=1)
    error = np.sqrt(squares.sum(axis=1)) / N_DATASETS
    means_fell = change.mean(axis=1) < -stdtrit(np.minimum(welch, caps[1]), 1 - ALPHA / 2 / N_METHODS) * error
    return fallen.any(axis=(1, 2)) | means_fell.any(axis=1)


def alarm(reference: Floats, new: Floats) -> bool:
    """The same for one study, by the functions of the package."""
    groups = [list(part.reshape(-1, part.shape[-1])) for part in (reference, new)]
    falls = group_falls(*groups, ALPHA / 2 / len(groups[0]))
    for method in range(N_METHODS):
        falls.append(mean_fall(*(list(part[:, method]) for part in (reference, new)), ALPHA / 2 / N_METHODS))
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
                rng = np.random.default_rng([n_new, int(drop * 1000), tails == "heavy"])
                reference, new = draw(rng, tails, options.studies, options.seeds, n_new, drop)
                failed = alarms(reference, new)
                assert failed[:CHECKED].tolist() == [alarm(*pair) for pair in zip(reference[:CHECKED], new[:CHECKED], strict=True)]
                print(f"| {tails} | {n_new} | {drop:.3f} | {failed.mean():.1%} |", flush=True)
    print("\nUnchanged runs that would fail without the caps of the degrees of freedom:", end=" ")
    for n_new in (1, 3):
        pair = draw(np.random.default_rng([n_new, 0, True]), "heavy", options.studies, options.seeds, n_new, 0.0)
        print(f"{alarms(*pair, (np.inf, np.inf)).mean():.1%} (heavy, seeds of the run: {n_new})", end="; " if n_new == 1 else ".\n")


if __name__ == "__main__":
    main()
