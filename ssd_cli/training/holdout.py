"""A validation part, taken from the training cases."""

from __future__ import annotations

import numpy as np
import torch

from ssd_cli.protocol.containers import TrainingSet


def holdout_split(training_set: TrainingSet, stream: torch.Generator) -> tuple[TrainingSet, TrainingSet] | None:
    """Split into a training and a validation part: ceil(0.2 n_c) validation cases of each class, at least one case on each side.

    Parameters
    ----------
    training_set : TrainingSet
    stream : torch.Generator
        On the CPU; draws the validation cases.

    Returns
    -------
    tuple of TrainingSet, or None
        None where a class has a single case.
    """
    if min(count for count in training_set.class_counts if count) < 2:
        return None
    chosen = np.zeros(training_set.n_cases, dtype=bool)
    for label in np.unique(training_set.y):
        cases = np.flatnonzero(training_set.y == label)
        n_validation = -(-len(cases) // 5)  # the ceiling of a fifth: below n_c for all n_c of at least 2
        chosen[cases[torch.randperm(len(cases), generator=stream)[:n_validation].numpy()]] = True
    return training_set.subset(np.flatnonzero(~chosen)), training_set.subset(np.flatnonzero(chosen))
