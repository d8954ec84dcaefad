"""Small synthetic cells of a study."""

from ssd_cli.metrics import all_scores
from ssd_cli.store.results import ResultStore
from tests.store.builders import make_cell, make_predictions, make_record


def put(root, method, dataset="Chinatown", seed=0, resample=0, sharper=1.0, status="ok", **changes):
    """Write a cell; all methods have the probabilities of the dataset and resample, to the power of `sharper`."""
    cell = make_cell(dataset, method, resample=resample, seed=seed, folder=f"{method.replace('[', '-').replace(']', '')}@lite")
    if status != "ok":
        return ResultStore(root).put(make_record(cell, status, **changes))
    y, p = make_predictions(60, 3, seed=1000 * sum(map(ord, dataset)) + resample)
    p = p**sharper / (p**sharper).sum(axis=1, keepdims=True)
    costs = {"cpu_seconds": 2.0, "macs": 100, "networks_trained": 1, "networks_stored": 1, "fit_seconds_alone": 2.0}
    changes["costs"] = costs | changes.pop("costs", {})
    return ResultStore(root).put(make_record(cell, scores=all_scores(y, p), **changes), y, p)
