"""Results of others, as the page has them: for every choice of resamples the numbers that belong beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssd_cli.leaderboard.external import External, Externals, check_names, matched, protocol_warnings


def elsewhere(
    externals: Externals | None, names: list[str], datasets: list[str], runs: Sequence[tuple[int, int]]
) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The contestants from elsewhere, and their numbers.

    Parameters
    ----------
    externals : callable or None
    names : list of str
        Of one's own contestants.
    datasets : list of str
    runs : sequence of (int, int)
        Resamples and seeds of one's own results.

    Returns
    -------
    contestants : list of dict
        As the page has its methods; empty where there are none.
    choices : dict
        By the resamples of chosen runs ("0,1,2"), for every choice of a page: "warnings", and "methods", by name with "scores"
        (by dataset, None where there is none), "protocol", "source" and "gaps" (by dataset, where the source gives a reason).

    Raises
    ------
    SsdBenchError
        What is wrong with them, or two contestants of one name.
    """
    if externals is None:
        return [], {}
    resamples, seeds = ({run[k] for run in runs} for k in (0, 1))
    every = {frozenset(resamples), *(frozenset([k]) for k in resamples)}
    every |= {frozenset(k for k, seed in runs if seed == one) for one in seeds}
    choices, contestants = {}, []
    for chosen in sorted(map(sorted, every)):
        found, renamed = matched(externals(set(chosen)), datasets)
        check_names(found, names)
        contestants = [{"name": one.name, "method": one.label, "backbone": one.kind} for one in found]
        choices[",".join(map(str, chosen))] = {
            "methods": {one.name: _numbers(one, datasets) for one in found},
            "warnings": [*renamed, *protocol_warnings(found, set(chosen))],
        }
    return contestants, choices


def _numbers(one: External, datasets: list[str]) -> dict[str, Any]:
    return {
        "scores": [one.scores.get(dataset) for dataset in datasets],
        "protocol": one.protocol.text,
        "source": one.source,
        "gaps": {dataset: reason for dataset, reason in one.gaps.items() if dataset in datasets},
    }
