"""Split a dataset by one resample into a training set for methods and a sealed test set for the runner."""

from __future__ import annotations

import numpy as np

from ssd_cli.archives.dataset import Dataset
from ssd_cli.archives.prepare import Preparation
from ssd_cli.errors import SsdBenchError
from ssd_cli.protocol.containers import SealedTest, TrainingSet
from ssd_cli.protocol.resample import resample_indices


def split(dataset: Dataset, resample: int, preparation: Preparation) -> tuple[TrainingSet, SealedTest]:
    """Resample, then prepare; the preparation is fitted on the training cases of this resample only.

    The training set has the order of the resample (sorted by class for k > 0); training shuffles it. A training set that lacks a
    class, or has only one, raises an SsdBenchError.
    """
    train, test = dataset.train, dataset.test
    train_index, test_index = resample_indices(dataset, resample)
    X, labels = train.X + test.X, np.concatenate([train.y, test.y])
    _check_classes(dataset, resample, labels[train_index])
    y = np.searchsorted(np.array(dataset.classes), labels).astype(np.int64)
    groups = None
    if train.groups is not None and test.groups is not None:
        groups = np.concatenate([train.groups, test.groups])[train_index]
    training = [X[case] for case in train_index]

    def named(case: int) -> str:
        part, row = ("training", case) if case < train.n_cases else ("test", case - train.n_cases)
        return f"{dataset.name}, case {row} of the {part} part"

    fitted = preparation.fit(training, lambda index: named(train_index[index]))
    training_set = TrainingSet(
        X=fitted.transform(training, lambda index: named(train_index[index])),
        y=y[train_index],
        n_classes=len(dataset.classes),
        dataset=dataset.name,
        resample=resample,
        groups=groups,
    )
    sealed = fitted.transform([X[case] for case in test_index], lambda index: named(test_index[index]))
    return training_set, SealedTest(sealed, y[test_index])


def _check_classes(dataset: Dataset, resample: int, y_train: np.ndarray) -> None:
    present = np.unique(y_train).tolist()
    where = f"The training set of {dataset.name}, resample {resample},"
    if len(present) < 2:
        raise SsdBenchError(f"{where} has one class only ({present[0]}).", "Classification needs at least two classes.")
    lacking = sorted(set(dataset.classes) - set(present))
    if lacking:
        raise SsdBenchError(
            f"{where} has no case of {', '.join(lacking[:10])}.",
            "Every class of the test set must occur in the training set.",
            "Use another resample, or remove the class from the files.",
        )
