"""Label noise: some training labels are replaced; test labels never are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ssd_cli.protocol.containers import TrainingSet


def with_label_noise(training_set: TrainingSet, share: float, seed: int) -> TrainingSet:
    """Return the training set with each label replaced, with probability `share`, by another class, drawn uniformly.

    A class may be left without cases.
    """
    draws, y, n_classes = np.random.default_rng(seed), training_set.y, training_set.n_classes
    replaced = draws.random(len(y)) < share
    others = (y + draws.integers(1, n_classes, len(y))) % n_classes
    return replace(training_set, y=np.where(replaced, others, y))
