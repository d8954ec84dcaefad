"""Serve ssd-bench by its command line, with the execution that a run would plan: seconds of an epoch come from the record."""

import os
import sys
import tempfile
from pathlib import Path

from serve import Laps, serve

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from runs import Checkout, recipe, train


def fit(network: str, X, y, batch_size: int, epochs: int) -> Laps:
    """Train one network; see serve.py."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "set"
        data.mkdir()
        for part, places in (("TRAIN", np.arange(len(y))), ("TEST", np.unique(y, return_index=True)[1])):
            np.savez(data / f"set_{part}.npz", X=X[places], y=y[places])
        threads = os.environ["OMP_NUM_THREADS"]
        (record,) = train(
            Checkout(), Path(folder), "set", recipe=recipe(epochs), backbone=network, method="single", threads=threads
        )
    return {"ssd-bench": [record["curves"][0]["fit_seconds"] / epochs]}


serve(fit, ("inception", "resnet", "lite"), ("ssd-bench", "torch"))
