"""Describe a dataset on the terminal: numbers, class balance, a small plot of one series of each class."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssd_cli.archives.text import shown
from ssd_cli.cli.console import plural, say, table
from ssd_cli.errors import shortened

if TYPE_CHECKING:
    from ssd_cli.archives.dataset import Dataset, Series

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60
_MOST_CLASSES = 30


def describe_table(name: str, folder: Path | None) -> None:
    """Print the catalogue's entry of a dataset."""
    from ssd_cli.archives import catalog
    from ssd_cli.archives.har import WITH_SUBJECTS, describe_split, is_har, knows_subjects

    size = catalog.size(name) or catalog.Size()
    archives = [archive for archive, names in catalog.archives().items() if name in names]
    record = catalog.record_of(name)
    rows = [
        ("archives", " ".join(archives) or "own folder"),
        ("type", catalog.type_of(name)),
        ("cases", _both("{} training, {} test", size.n_train, size.n_test)),
        ("channels", size.n_channels),
        ("steps", size.n_timepoints if size.equal_length else _both("{} to {}", size.shortest, size.n_timepoints)),
        ("classes", size.n_classes),
        ("missing values", {True: "yes", False: "no", None: None}[size.missing]),
        ("digest", catalog.known_digest(name)),
        ("record", f"https://zenodo.org/records/{record}" if record else None),
        ("folder", folder or "not on this machine"),
    ]
    if is_har(name):
        known = name in WITH_SUBJECTS if folder is None else knows_subjects(name, [folder.parent])
        rows.append(("protocol", describe_split(name, known)))
    table(["", name], [(key, str(value)) for key, value in rows if value not in (None, "")])


def describe_dataset(dataset: Dataset) -> None:
    """Print shape, digest, class balance, and the first training series of every class."""
    train, test = dataset.train, dataset.test
    lengths = np.concatenate([train.lengths, test.lengths])
    steps = str(lengths.min()) if lengths.min() == lengths.max() else f"{lengths.min()} to {lengths.max()}"
    n_missing = sum(int(np.isnan(series).sum()) for series in train.X + test.X)
    normalised = all(_is_normalised(series) for series in train.X)
    say(
        f"\n{train.n_cases} training and {test.n_cases} test cases, "
        f"{plural(train.n_channels, 'channel')}, {steps} steps, {n_missing} missing values."
    )
    if train.channels:
        say(f"Channels: {shortened([shown(name) for name in train.channels], most=20)}.")
    say(f"{'Every' if normalised else 'Not every'} training series is z-normalised as it comes.")
    if train.groups is not None and test.groups is not None:
        say(f"Subjects: {len(np.unique(train.groups))} in training, {len(np.unique(test.groups))} in test.")
    say(f"Digest {dataset.digest}\n")
    rows = []
    width = _room_for_plots(dataset)
    for label in dataset.classes[:_MOST_CLASSES]:
        (cases,) = np.nonzero(train.y == label)
        drawn = sparkline(train.X[cases[0]][0], width) if len(cases) else ""
        rows.append((f"{label}", len(cases), int(np.count_nonzero(test.y == label)), drawn))
    table(["class", "train", "test", "the first training series" + (", channel 1" if train.n_channels > 1 else "")], rows)
    if len(dataset.classes) > _MOST_CLASSES:
        say(f"and {len(dataset.classes) - _MOST_CLASSES} classes more")


def _room_for_plots(dataset: Dataset) -> int:
    """Return the width, in characters, that remains for plots beside the other columns of the table."""
    taken = max(len("class"), *map(len, dataset.classes)) + len("  train  test  ")
    return max(20, min(_WIDTH, shutil.get_terminal_size().columns - taken))


def sparkline(values: np.ndarray, width: int = _WIDTH) -> str:
    """Draw a series as a line of blocks: the mean of each of `width` parts, from the lowest (▁) to the highest (█)."""
    parts = [part[~np.isnan(part)] for part in np.array_split(values, min(width, len(values)))]
    means = np.array([part.mean() if len(part) else np.nan for part in parts])
    low, high = np.nanmin(means), np.nanmax(means)
    levels = np.full(len(means), 4.0) if high == low else 1 + np.round(7 * (means - low) / (high - low))
    return "".join(" " if np.isnan(level) else _BLOCKS[int(level)] for level in np.where(np.isnan(means), np.nan, levels))


def _is_normalised(series: Series) -> bool:
    """Return whether every channel has mean 0 and standard deviation 1, within the rounding of the archives."""
    mean, spread = np.nanmean(series, axis=1), np.nanstd(series, axis=1)
    n_timepoints = series.shape[1]
    sample = spread * np.sqrt(n_timepoints / max(1, n_timepoints - 1))
    return bool(np.all(np.abs(mean) < 1e-2) and np.all((np.abs(spread - 1) < 1e-2) | (np.abs(sample - 1) < 1e-2)))


def _both(template: str, *numbers: int | None) -> str | None:
    return None if None in numbers else template.format(*numbers)
