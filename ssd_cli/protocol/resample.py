"""The training and test cases of resample k: the archive's split, a stratified resample as in tsml, or a draw of subjects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.dataset import Dataset, Groups, Labels
from ssd_cli.errors import MisuseError, SsdBenchError

Index = npt.NDArray[np.intp]


def resample_indices(dataset: Dataset, resample: int) -> tuple[Index, Index]:
    """Return the positions of the training and of the test cases among all cases (first the training part, then the test part).

    Resample 0 is the archive's split. Resample k > 0 is tsml's: aeon's ``stratified_resample_data`` on the original labels with
    ``random_state=k``. If the subjects are known, it draws whole subjects instead, as many for the test as in the archive's split.
    """
    if resample < 0:
        raise MisuseError(f"Resample {resample} does not exist.", "Expected 0 (the archive's split) or a positive whole number.")
    train, test = dataset.train, dataset.test
    if resample == 0:
        everything = np.arange(train.n_cases + test.n_cases)
        return everything[: train.n_cases], everything[train.n_cases :]
    if train.groups is not None and test.groups is not None:
        return _by_subject(dataset.name, train.groups, test.groups, resample)
    return stratified(train.y, test.y, resample)


def stratified(y_train: Labels, y_test: Labels, seed: int) -> tuple[Index, Index]:
    """Return the indices of aeon's ``stratified_resample_data_indices`` (BSD-3-Clause), without importing aeon.

    The cases of every class, in the sorted order of the labels, are shuffled by one ``RandomState``; the training class counts are
    kept. Labels must be the original ones: another order of the classes gives another resample.
    """
    generator = np.random.RandomState(seed)
    labels = np.concatenate([y_train, y_test])
    train, test = [], []
    for label in np.unique(labels):
        index = np.flatnonzero(labels == label)
        generator.shuffle(index)
        n_train = np.count_nonzero(y_train == label)
        train.append(index[:n_train])
        test.append(index[n_train:])
    return np.concatenate(train), np.concatenate(test)


def _by_subject(name: str, train_groups: Groups, test_groups: Groups, seed: int) -> tuple[Index, Index]:
    groups = np.concatenate([train_groups, test_groups])
    subjects, n_test = np.unique(groups), len(np.unique(test_groups))
    if n_test == len(subjects):
        raise SsdBenchError(
            f"{name}: all {n_test} subjects occur in the archive's test part, so none would be left for training.",
            "A resample by subjects needs a split by subjects.",
            "Use resample 0, or remove the files of subjects to resample by cases.",
        )
    drawn = np.random.RandomState(seed).permutation(subjects)[:n_test]
    in_test = np.isin(groups, drawn)
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)
