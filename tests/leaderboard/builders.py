import numpy as np

from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.external.sources import ExternalSources
from ssd_cli.store.results import ResultStore
from tests.store.builders import make_cell, make_record


def put(store, dataset, method, accuracy=None, n_cases=100, **changes):
    """A record whose predictions have the accuracy (rounded to a case); a failure where it is None."""
    options = {key: changes.pop(key) for key in ("resample", "seed", "recipe", "backbone", "folder") if key in changes}
    cell = make_cell(dataset, method, **options)
    if accuracy is None:
        return store.put(make_record(cell, status="failed", reason=changes.pop("reason", "NaN in epoch 3"), **changes))
    n_right = round(accuracy * n_cases)
    y = np.zeros(n_cases, dtype=np.int64)
    p = np.tile([0.75, 0.25], (n_cases, 1))
    p[n_right:] = [0.25, 0.75]
    scores = {"accuracy": n_right / n_cases} | changes.pop("extra", {})
    return store.put(make_record(cell, scores=scores, **changes), y, p)


def fill(root, table, **changes):
    """Records from {method: [accuracy on D0, D1, …]}."""
    store = ResultStore(root)
    for method, accuracies in table.items():
        for number, accuracy in enumerate(accuracies):
            put(store, f"D{number:02}", method, accuracy, **changes)
    return store


def compared(root, table, missing="fail", **changes):
    fill(root, table, **changes)
    return compare([root], missing)


class Given(ExternalSources):
    """External results that a function returns for the resamples of the own results."""

    def __init__(self, function):
        super().__init__(("given",))
        object.__setattr__(self, "read", lambda resamples: function(set(resamples)))
