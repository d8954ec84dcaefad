"""Restore a finished cell of a results folder: its networks and its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.load import load
from ssd_cli.archives.prepare import FittedPreparation, Preparation
from ssd_cli.backbones import backbones
from ssd_cli.backbones.base import Network
from ssd_cli.backbones.masked import MaskedNetwork
from ssd_cli.configuration import configure, label, parse_label
from ssd_cli.errors import MisuseError, SsdBenchError, did_you_mean, shortened
from ssd_cli.methods import methods
from ssd_cli.protocol.containers import Ints
from ssd_cli.protocol.resample import resample_indices
from ssd_cli.registry import Registry
from ssd_cli.store.networks import NetworkStore
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import ResultStore
from ssd_cli.training.networks import load_arrays
from ssd_cli.training.predict import freeze

_SHOWN = 12


@dataclass(eq=False)
class Trained:
    """The input of an export: the record, frozen networks on the CPU, and the raw data of the cell's resample.

    Series have shapes (n_channels, n_timepoints_i); channels have names if the dataset has channel names.
    """

    record: CellRecord
    networks: list[Network]
    preparation: FittedPreparation
    classes: tuple[str, ...]
    train: list[Series]
    test: list[Series]
    y_test: Ints
    channels: tuple[str, ...] = ()

    @property
    def any_length(self) -> bool:
        """Whether some series of the data differ from the common length, so that the export must accept any length."""
        return self.preparation.unequal or any(series.shape[1] != self.preparation.n_timepoints for series in self.test)


def find(folder: Path, dataset: str, method: str, backbone: str | None, resample: int | None, seed: int | None) -> CellRecord:
    """Find the record of one finished cell in an output folder of ``ssd-bench run``.

    The method's label may have any spelling that ``run`` accepts. The backbone is required if there are several. By default
    resample and seed are the lowest ones. Raises MisuseError if no cell matches, or cells of several backbones match.
    """
    if not folder.is_dir():
        raise MisuseError(f"There is no folder {folder}.", "Expected the output folder of 'ssd-bench run'.")
    finished = [record for record in ResultStore(folder).records() if record.status == "ok"]
    method = _as_recorded(methods, method, {record.cell.method for record in finished})
    of_both = [record for record in finished if (record.cell.dataset, record.cell.method) == (dataset, method)]
    if not of_both:
        raise _no_such_method(folder, dataset, method, finished)
    if backbone is not None:
        backbone = _as_recorded(backbones, backbone, {record.cell.backbone for record in of_both})
    wanted = {name: value for name, value in (("backbone", backbone), ("resample", resample), ("seed", seed)) if value is not None}
    found = [record for record in of_both if all(getattr(record.cell, name) == value for name, value in wanted.items())]
    if not found:
        known = sorted({record.cell.backbone for record in of_both})
        there = sorted((record.cell.backbone, record.cell.resample, record.cell.seed) for record in of_both)
        asked = ", ".join(f"{name} {value}" for name, value in wanted.items())
        hint = did_you_mean(backbone, known) if backbone is not None and backbone not in known else ""
        raise MisuseError(
            f"{folder} has no finished cell of {dataset} with {method} that has {asked}.{hint}",
            f"There are: {shortened([f'{of}, resample {drawn}, seed {begun}' for of, drawn, begun in there], _SHOWN, '; ')}.",
        )
    several = sorted({record.cell.backbone for record in found})
    if len(several) > 1:
        raise MisuseError(
            f"{folder} has cells of {method} on {' and '.join(several)}.", "Expected one backbone.", "Name one with --backbone."
        )
    return min(found, key=lambda record: (record.cell.resample, record.cell.seed))


def _as_recorded(registry: Registry[Any], text: str, recorded: set[str]) -> str:
    """Return the label in the spelling of the records, or unchanged if it is not registered, as for a plug-in."""
    if text in recorded:
        return text
    try:
        name, parameters = parse_label(text)
        return label(name, configure(registry.get(name), name, parameters))
    except SsdBenchError:
        return text


def _no_such_method(folder: Path, dataset: str, method: str, finished: list[CellRecord]) -> MisuseError:
    """Return the error that lists the finished cells, those of this dataset first, and suggests the nearest name."""
    pairs = sorted({(record.cell.dataset, record.cell.method) for record in finished})
    here = [pair for pair in pairs if pair[0] == dataset]
    names = [f"{of} with {by}" for of, by in [*here, *(pair for pair in pairs if pair not in here)]]
    hint = did_you_mean(method, [by for _, by in here]) if here else did_you_mean(dataset, [of for of, _ in pairs])
    known = shortened(names, _SHOWN, "; ") or "none"
    return MisuseError(f"{folder} has no finished cell of {dataset} with {method}.{hint}", f"There are: {known}.")


def restore(folder: Path, record: CellRecord, data_dirs: Sequence[Path] = ()) -> Trained:
    """Load the networks of a cell and the data that it was trained on.

    Raises SsdBenchError if the networks were not kept, a file is damaged, or the dataset differs from the one of the training.
    """
    if not record.networks:
        expected = "Expected a method that deploys networks, such as ssd."
        raise MisuseError(f"{record.cell.method} has no networks: it cannot be exported.", expected)
    networks = [_rebuild(folder, record, entry) for entry in record.networks]
    dataset = load(record.cell.dataset, data_dirs, download=False)
    if dataset.digest != record.spec.dataset_digest:
        raise SsdBenchError(
            f"The dataset {dataset.name} differs from the one that the cell was trained on.",
            "Expected the same values and labels.",
            "Name the folder of the right dataset with --data-dir.",
        )
    train_cases, test_cases = resample_indices(dataset, record.cell.resample)
    X, labels = dataset.train.X + dataset.test.X, np.concatenate([dataset.train.y, dataset.test.y])
    train, test = [X[case] for case in train_cases], [X[case] for case in test_cases]
    y_test = np.searchsorted(np.array(dataset.classes), labels[test_cases]).astype(np.int64)
    preparation = Preparation(**record.spec.preparation).fit(train)
    return Trained(record, networks, preparation, dataset.classes, train, test, y_test, dataset.train.channels)


def _rebuild(folder: Path, record: CellRecord, entry: dict) -> Network:
    if not entry.get("kept"):
        remedy = "Run the cell again into another folder, without --discard-networks."
        raise SsdBenchError(f"The networks of {record.cell} were not kept.", "", remedy)
    if "backbone" not in entry:
        raise SsdBenchError(
            f"The record of {record.cell} does not state how to rebuild its networks.",
            "An older version wrote it, or a plug-in that defines a combination rule or networks itself.",
            "Run a cell of an older version again, into another folder; only the author of a plug-in can export it.",
        )
    backbone = backbones.get(entry["backbone"]["name"])(**entry["backbone"]["parameters"])
    network = backbone.build_for(entry.get("n_timepoints", 1), entry["n_channels"], entry["n_classes"])  # older: for any length
    if entry.get("masked"):
        network = MaskedNetwork(network)
    load_arrays(network, NetworkStore(folder).load(entry["sha256"]))
    return freeze(network)
