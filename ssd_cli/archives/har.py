"""Human activity recognition: how a dataset is split, and warnings about splits that leak.

Most of these datasets cut long recordings of few people into overlapping windows. If windows of one recording are in both parts,
the accuracy is too high.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.formats import holds_subjects
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import locate

WITH_SUBJECTS = ("UCIHAR",)
"""Datasets whose files, made as described in docs/data.md, hold the subjects."""


def is_har(name: str) -> bool:
    """Return whether a dataset, or the dataset of a MONSTER fold, is one of human activity recognition."""
    return (catalog.monster_name(name) or name) in catalog.archives()["har"]


def describe_split(name: str, groups_known: bool) -> str:
    """Return a sentence on how a dataset of human activity recognition is split."""
    first = "one of MONSTER's folds" if catalog.monster_name(name) else "the archive's split"
    if groups_known:
        return f"Resample 0 is {first}. Other resamples leave out the same number of subjects, drawn at random."
    return f"Resample 0 is {first}. The subjects are unknown, so other resamples split windows at random, which leaks."


def leak_warnings(names: Iterable[str], resamples: Sequence[int], data_dirs: Sequence[Path] = ()) -> list[str]:
    """Return a warning if HAR datasets with unknown subjects are to be resampled, except absent ones and resample 0."""
    leaking = [name for name in dict.fromkeys(names) if any(resamples) and is_har(name) and not knows_subjects(name, data_dirs)]
    if not leaking:
        return []
    return [
        f"{', '.join(leaking)}: the subjects are unknown, so resamples other than 0 may put windows of one recording into both "
        "parts, which makes the accuracy too high. Use --resamples 1, or add NAME_subjects_train.csv and NAME_subjects_test.csv "
        "(docs/data.md)."
    ]


def knows_subjects(name: str, data_dirs: Sequence[Path] = ()) -> bool:
    """Return whether the subject of every case is known; true for an absent dataset."""
    source = locate(name, data_dirs)
    if source is None or source.train_subjects is not None:
        return True
    if not holds_subjects(source.train.suffix):
        return False
    return load(name, data_dirs, download=False).train.groups is not None
