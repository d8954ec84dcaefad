import numpy as np

from ssd_cli.core.cell_spec import CellSpec
from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.store.record import Cell, CellRecord


def make_cell(dataset="GunPoint", method="single", backbone="lite", *, resample=0, seed=0, recipe="smoke", folder=None):
    return Cell(dataset, method, backbone, recipe, resample, seed, folder or f"{method}@{backbone}")


def make_record(cell=None, status="ok", **changes):
    cell = cell or make_cell()
    identity = {
        "dataset": cell.dataset,
        "dataset_digest": "d" * 64,
        "preparation": {"length": "pad", "impute": "linear", "scale": "series"},
        "method": {"name": cell.method, "parameters": {}},
        "backbone": {"name": cell.backbone, "parameters": {}},
        "recipe": {"name": cell.recipe, "parameters": {"epochs": 3}},
        "resample": cell.resample,
        "seed": cell.seed,
        "protocol_version": PROTOCOL_VERSION,
    }
    identity.update(changes.pop("identity", {}))
    fields = {"scores": {"accuracy": 0.5} if status == "ok" else {}, "reason": None if status == "ok" else "it rained"}
    if status == "ok":
        fields["predictions_sha256"] = "e" * 64  # `ResultStore.put` replaces it
    return CellRecord(cell, CellSpec.from_identity(identity), status, **(fields | changes))


def make_predictions(n_cases=20, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n_cases - n_classes)])
    logits = rng.normal(size=(n_cases, n_classes)) + 1.5 * np.eye(n_classes)[y]
    p = np.exp(logits)
    return y, p / p.sum(axis=1, keepdims=True)
