"""Human activity recognition: which protocol a dataset has, and what a random split of it would be worth.

Most of these datasets cut long recordings of few people into overlapping windows. A split that puts windows of one recording on
both sides measures memory, not recognition; what can be compared is the archive's split, MONSTER's folds, or leaving subjects out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.formats import holds_subjects
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import locate

WITH_SUBJECTS = ("UCIHAR",)
"""Datasets whose files, made as docs/data.md says, hold the subjects."""


def is_har(name: str) -> bool:
    """Whether a dataset is one of human activity recognition; folds of MONSTER are what their dataset is."""
    return (catalog.monster_name(name) or name) in catalog.archives()["har"]


def protocol(name: str, groups_known: bool) -> str:
    """How a dataset of human activity recognition is split, in a sentence."""
    first = "one of MONSTER's folds" if catalog.monster_name(name) else "the archive's split"
    if groups_known:
        return f"Resample 0 is {first}; later ones leave out as many subjects as it does, drawn at random."
    return f"Resample 0 is {first}; subjects are unknown, so that later resamples split windows at random, which leaks."


def leak_warnings(names: Iterable[str], resamples: Sequence[int], data_dirs: Sequence[Path] = ()) -> list[str]:
    """A warning where a dataset of human activity recognition whose subjects are unknown is to be resampled.

    Parameters
    ----------
    names : iterable of str
        Datasets that are on this machine; others are passed over.
    resamples : sequence of int
        0 alone needs no warning.
    data_dirs : sequence of Path
    """
    if not any(resamples):
        return []
    leaking = [name for name in dict.fromkeys(names) if is_har(name) and not knows_subjects(name, data_dirs)]
    if not leaking:
        return []
    return [
        f"{', '.join(leaking)}: the subjects are unknown, so that resamples other than 0 may put windows of one recording on both "
        "sides of the split and look better than they are. Use resample 0, or give NAME_subjects_train.csv and _test.csv "
        "(docs/data.md)."
    ]


def knows_subjects(name: str, data_dirs: Sequence[Path] = ()) -> bool:
    """Whether the subject of every case is known; a dataset that is not here counts as known, since nothing can be said of it."""
    source = locate(name, data_dirs)
    if source is None or source.train_subjects is not None:
        return True
    if not holds_subjects(source.train.suffix):
        return False
    return load(name, data_dirs, download=False).train.groups is not None
