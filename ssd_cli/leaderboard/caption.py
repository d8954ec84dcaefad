"""The caption of tables and figures: averages, missing results, tests, noise, recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.leaderboard.missing import POLICIES, numbers
from ssd_cli.statistics.intervals import LEVEL, METHOD
from ssd_cli.statistics.variance import POWER, Variability

if TYPE_CHECKING:
    from ssd_cli.leaderboard.compare import Comparison

_SHOWN = 5
FEW = 6
"""With fewer datasets no two-sided signed-rank test reaches p <= .05, since 2^(1 - 5) is .0625."""


def caption(comparison: Comparison) -> list[str]:
    """Return sentences: the data, the policy for missing results, the tests, the rule of the groups, noise, the recipes."""
    lines = [_data(comparison), _missing(comparison), _friedman(comparison), comparison.verdicts.test]
    lines.append(comparison.verdicts.rule)
    apart = comparison.unjoined
    if apart:
        shown = [f"{comparison.names[i]} and {comparison.names[j]}" for i, j in apart[:_SHOWN]]
        more = f"; {len(apart) - _SHOWN} more in pairwise.csv" if len(apart) > _SHOWN else ""
        lines.append(f"Not different either, though not joined: {'; '.join(shown)}{more}.")
    if comparison.rope is not None:
        lines.append(f"Bayesian signed-rank test with a rope of ±{comparison.rope:g} in accuracy: in pairwise.csv.")
    if len(comparison.matched_backbones) > 1:
        lines.append("rank at 1×: within each backbone, among the methods that cost no more at inference than its single.")
    return [*lines, *_intervals(comparison), *_noise(comparison), *_recipes(comparison), *comparison.notes, *comparison.sources]


def warning(comparison: Comparison) -> list[str]:
    """Return a sentence that precedes the caption if there are too few datasets for any significant difference."""
    n, tests = len(comparison.datasets), comparison.tests
    datasets = "1 dataset proves" if n == 1 else f"{n} datasets prove"
    if n < FEW and not tests.enough:
        return [f"{datasets} nothing: with fewer than {tests.needed} no difference between these methods can be significant."]
    if not tests.enough:
        return [
            f"{n} datasets are too few for {tests.n_pairs} pairs: with fewer than {tests.needed} no difference can be significant "
            "after the correction."
        ]
    return []


def _data(comparison: Comparison) -> str:
    n = len(comparison.datasets)
    if not comparison.resamples:
        return f"Accuracy on {n} dataset{'s' * (n != 1)}, as published by others; ranked by dataset, 1 is best."
    runs = f"resample {numbers(set(comparison.resamples))}, seed {numbers(set(comparison.seeds))}"
    results = "one result" if comparison.n_results == 1 else f"mean of {comparison.n_results} results"
    each = "each of our own" if any(one.external for one in comparison.rows) else "each"
    return f"Accuracy on {n} dataset{'s' * (n != 1)}, {results} {each} ({runs}); averaged first, then ranked, 1 is best."


def _missing(comparison: Comparison) -> str:
    policy = f"Missing results (policy {comparison.policy}: {POLICIES[comparison.policy]}): "
    if not comparison.missing:
        return policy + "none."
    names = [*comparison.left_out[:_SHOWN], *([f"{n} more"] if (n := len(comparison.left_out) - _SHOWN) > 0 else [])]
    left_out = f"; left out: {', '.join(names)}" if names else ""
    n_scores = len(comparison.rows) * (len(comparison.datasets) + len(comparison.left_out))
    return f"{policy}{len(comparison.missing)} of {n_scores}{left_out}."


def _friedman(comparison: Comparison) -> str:
    result = comparison.friedman
    if result is None:
        few = "two methods" if len(comparison.rows) < 3 else "one dataset"
        return f"Friedman's test is not computed: there {'is' if few == 'one dataset' else 'are'} only {few}."
    gate = "" if comparison.verdicts.gated else "; reported, not a gate for the pairs"
    return (
        f"Friedman's test over all methods: chi-squared {result.statistic:.2f}, {result.degrees} degrees of freedom, "
        f"p {p_text(result.p)}; Iman and Davenport's F {result.f:.2f} ({result.f_degrees[0]}, {result.f_degrees[1]}), "
        f"p {p_text(result.f_p)}{gate}."
    )


def _noise(comparison: Comparison) -> list[str]:
    """The smallest detectable difference, the variance components, and the gaps within seed noise."""
    noise = comparison.noise
    if noise is None:
        return []
    lines = []
    if np.isfinite(noise.detectable_score) and comparison.verdicts.power_known:
        possible = 0 < noise.detectable_rank <= len(comparison.names) - 1
        rank = f", or by {noise.detectable_rank:.2f} in average rank," if possible else ""
        lines.append(
            f"A typical pair must differ by {noise.detectable_score:.4f} in mean accuracy{rank} to be found different with a "
            f"probability of {POWER:.0%}."
        )
    lines.append(_split(noise))
    if not noise.seeds_known:
        return [
            *lines,
            "Whether a gap is within seed noise is unknown: there is one seed only, or not every resample with every seed.",
        ]
    pairs = [(i, j) for i, j in zip(*np.triu_indices(len(comparison.names), k=1), strict=True) if noise.within[i, j]]
    if not pairs:
        known = "known " if any(one.external for one in comparison.rows) else ""
        return [*lines, f"No {known}gap of two mean accuracies is within seed noise."]
    shown = [
        f"{comparison.names[i]} and {comparison.names[j]} (gap {noise.gap[i, j]:.4f}, noise ±{noise.seed_noise[i, j]:.4f})"
        for i, j in pairs[:_SHOWN]
    ]
    more = f"; {len(pairs) - _SHOWN} more in pairwise.csv" if len(pairs) > _SHOWN else ""
    return [*lines, f"THIS GAP IS WITHIN SEED NOISE: {'; '.join(shown)}{more}."]


def _split(noise: Variability) -> str:
    mean = [_mean([split[axis] for split in noise.splits]) for axis in range(3)]
    total = float(np.nansum(mean))
    parts = [
        f"{what} {'unknown' if np.isnan(value) else f'{value / total:.1%}' if total else '0 %'}"
        + ("" if np.isnan(value) else f" (standard deviation {np.sqrt(value):.4f})")
        for what, value in zip(("datasets", "resamples", "seeds"), mean, strict=True)
    ]
    return (
        f"Variance of the single results, mean over the methods: {', '.join(parts)}; what is unknown counts with the larger unit."
    )


def _mean(values: list[float]) -> float:
    """Mean over the methods with known single results; NaN if there are none."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def effects_note() -> str:
    """Return a sentence that explains the effect sizes of pairs."""
    return (
        f"Differences are first minus second, with {LEVEL:.0%} intervals over datasets ({METHOD}); the effect is the matched-pairs "
        "rank-biserial correlation."
    )


def _intervals(comparison: Comparison) -> list[str]:
    """Return why some pairs have no interval of their difference."""
    pairs = np.triu_indices(len(comparison.names), k=1)
    lacking = int(np.isnan(comparison.effects.low[pairs]).sum())
    if not lacking:
        return []
    if len(comparison.datasets) == 1:
        return ["The differences have no intervals: one dataset shows no variation between datasets."]
    return [
        f"{lacking} of {len(pairs[0])} pairs {'has' if lacking == 1 else 'have'} no interval of the difference: there are fewer "
        "than two common datasets, or the difference is the same on all of them."
    ]


def _recipes(comparison: Comparison) -> list[str]:
    recipes: dict[str, list[str]] = {}
    for row in comparison.rows:
        if row.external:
            continue  # the sources state their protocols
        recipes.setdefault(row.recipe, []).append(row.name)
    if not recipes:
        return []
    if len(recipes) == 1:
        return [f"Recipe: {next(iter(recipes))}."]
    return ["The recipes differ: " + "; ".join(f"{recipe} ({', '.join(names)})" for recipe, names in recipes.items()) + "."]


def p_text(p: float) -> str:
    """Return p as ``= .012``, or ``< .001``."""
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("= 0.", "= .")
