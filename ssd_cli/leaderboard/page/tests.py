"""Results of the statistical tests that the page does not compute itself, for its table of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.external.result import External
from ssd_cli.leaderboard.ranking import rank_methods
from ssd_cli.statistics.tests import judge, names

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05
POLICIES = ("complete", "worst-rank")


def other_tests(frame: pd.DataFrame, externals: list[External], methods: list[str], datasets: list[str]) -> list[dict[str, Any]]:
    """Apply every registered test but the default, which the page computes for any selection, to all results.

    Returns
    -------
    list of dict
        "name", "policy", "alpha", "sentence" and "pairs": [method, method, adjusted p, whether they differ]. Without tests that
        need more methods, and without policies that leave no dataset.
    """
    found = []
    for policy in POLICIES if len(methods) > 1 else ():
        try:
            ranking = rank_methods(frame, externals, datasets, policy)
        except SsdBenchError:
            continue
        place = [methods.index(name) for name in ranking.names]
        pairs = list(zip(*(part.tolist() for part in np.triu_indices(len(place), k=1)), strict=True))
        for name in names()[1:]:
            try:
                verdicts = judge(ranking.filled, name, ALPHA)
            except SsdBenchError:
                continue
            p, different = verdicts.tests.adjusted, verdicts.tests.different
            rows = [[place[i], place[j], float(f"{p[i, j]:.6g}"), bool(different[i, j])] for i, j in pairs]
            found.append({"name": name, "policy": policy, "alpha": ALPHA, "sentence": verdicts.test, "pairs": rows})
    return found
