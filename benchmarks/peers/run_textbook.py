"""Serve the textbook loop (textbook.py)."""

import sys
from pathlib import Path

from serve import Laps, Stopwatch, serve

sys.path.insert(0, str(Path(__file__).parents[1]))
import textbook


def fit(network: str, X, y, batch_size: int, epochs: int) -> Laps:
    """Train one network; see serve.py."""
    built = textbook.build(network, X.shape[1], int(y.max()) + 1)
    watch = Stopwatch()
    textbook.train(built, X, y, batch_size, epochs, watch.lap)
    return {"textbook": watch.laps}


serve(fit, textbook.NETWORKS, ("torch",))
