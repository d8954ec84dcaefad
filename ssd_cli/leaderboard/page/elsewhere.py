"""Results of others, as the page has them: for every choice of resamples the numbers that belong beside it."""

from __future__ import annotations

from typing import Any

from ssd_cli.leaderboard.external import External, Externals, check_names, matched, protocol_warnings


def elsewhere(
    externals: Externals | None, names: list[str], datasets: list[str], resamples: set[int]
) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The contestants from elsewhere, and their numbers.

    Parameters
    ----------
    externals : callable or None
    names : list of str
        Of one's own contestants.
    datasets : list of str
    resamples : set of int
        Of one's own results.

    Returns
    -------
    contestants : list of dict
        As the page has its methods; empty where there are none.
    choices : dict
        By choice of the page, "" for all resamples together or the number of one: "warnings", and "methods", by name with "scores"
        (by dataset, None where there is none), "protocol", "source" and "gaps" (by dataset, where the source gives a reason).

    Raises
    ------
    SsdBenchError
        What is wrong with them, or two contestants of one name.
    """
    if externals is None:
        return [], {"": {"methods": {}, "warnings": []}}
    single = {str(resample): {resample} for resample in sorted(resamples)} if len(resamples) > 1 else {}
    choices, contestants = {}, []
    for choice, chosen in {"": resamples, **single}.items():
        found, renamed = matched(externals(chosen), datasets)
        check_names(found, names)
        contestants = [{"name": one.name, "method": one.label, "backbone": one.kind} for one in found]
        choices[choice] = {
            "methods": {one.name: _numbers(one, datasets) for one in found},
            "warnings": [*renamed, *protocol_warnings(found, chosen)],
        }
    return contestants, choices


def _numbers(one: External, datasets: list[str]) -> dict[str, Any]:
    return {
        "scores": [one.scores.get(dataset) for dataset in datasets],
        "protocol": one.protocol.text,
        "source": one.source,
        "gaps": {dataset: reason for dataset, reason in one.gaps.items() if dataset in datasets},
    }
