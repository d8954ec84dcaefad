import os
import subprocess
import sys

import pytest

from ssd_cli.archives import catalog
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import bundled_root, locate, source_in
from ssd_cli.errors import MisuseError

from .conftest import DATA_FOLDERS

BUNDLED = (
    "ArrowHead",
    "BasicMotions",
    "Covid3Month_disc",
    "GunPoint",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "PickupGestureWiimoteZ",
)


def test_names_are_those_of_aeon():
    from aeon.datasets import tsc_datasets

    archives = catalog.archives()
    assert {archive: len(names) for archive, names in archives.items()} == {
        "ucr": 128,
        "ucr112": 112,
        "uea": 30,
        "har": 18,
        "bundled": 7,
        "redux": 30,
        "multiverse": 133,
        "multiverse-core": 66,
        "eeg": 28,
        "rehab-pile": 38,
    }
    assert archives["ucr"] == tuple(sorted(tsc_datasets.univariate))
    assert archives["ucr112"] == tuple(sorted(tsc_datasets.univariate_equal_length))
    assert archives["uea"] == tuple(sorted(tsc_datasets.UEA))
    assert set(archives["har"]) - {"UCIHAR"} <= set(tsc_datasets.tsc_zenodo)
    shipped = [name for name in catalog.names() if source_in(bundled_root() / name, name) is not None]
    leaving = {"ACSF1", "OSULeaf"}  # aeon 1.6 announces that they leave the package in 1.7
    assert archives["bundled"] == BUNDLED == tuple(name for name in shipped if name not in leaving)
    for archive, theirs in {"redux": "redux", "multiverse": "multiverse2026", "multiverse-core": "multiverse_core"}.items():
        assert archives[archive] == tuple(sorted(getattr(tsc_datasets, theirs)))
    assert archives["eeg"] == tuple(sorted(tsc_datasets.eeg2026))
    assert archives["rehab-pile"] == tuple(sorted(tsc_datasets.rehab_pile))


def test_record_numbers_and_zips_are_those_of_aeon():
    from urllib.parse import quote

    from aeon.datasets.dataset_collections import tsml_archives, tsml_zip_names
    from aeon.datasets.tsc_datasets import tsc_zenodo

    assert {name: catalog.record_of(name) for name in tsc_zenodo} == tsc_zenodo
    assert [name for name in catalog.names() if catalog.record_of(name) is None] == ["UCIHAR"]
    theirs = {"ucr": "UCR", "uea": "UEA", "redux": "Redux", "eeg": "EEG"}
    assert {archive: (record, quote(file)) for archive, (record, file) in catalog.ZENODO_ZIPS.items()} == {
        ours: (tsml_archives[name], tsml_zip_names[name]) for ours, name in theirs.items()
    }


def test_the_table_agrees_with_aeons_lists():
    from aeon.datasets import tsc_datasets

    unequal = {*tsc_datasets.univariate_variable_length, *tsc_datasets.multivariate_unequal_length}
    for name in catalog.archives()["ucr"] + catalog.archives()["uea"]:
        size = catalog.size(name)
        assert size.equal_length is (name not in unequal), name
        assert size.missing in (None, name in tsc_datasets.univariate_missing_values), name
        assert size.n_channels == 1 or name in tsc_datasets.UEA, name
    for name in catalog.archives()["ucr"]:
        assert None not in vars(catalog.size(name)).values(), name


def test_sizes_and_archives_of_single_names():
    assert catalog.size("GunPoint") == catalog.Size(50, 150, 1, 150, 2, True, False, 150)
    assert catalog.size("PLAID").shortest == 100 and catalog.type_of("PLAID") == "Device" and catalog.type_of("MyOwn") == ""
    assert len(catalog.known_digest("GunPoint")) == 64 and catalog.known_digest("Symbols") == catalog.known_digest("MyOwn") == ""
    assert catalog.size("UCIHAR").n_train == 7352
    assert catalog.size("PAMAP2") is None and catalog.size("MyOwn") is None
    assert [catalog.archive_of(name) for name in ("GunPoint", "BasicMotions", "UCIHAR", "MyOwn")] == ["ucr", "uea", "har", None]


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_problems_load_with_the_published_size(name):
    size, dataset = catalog.size(name), load(name, download=False)
    assert (dataset.train.n_cases, dataset.test.n_cases) == (size.n_train, size.n_test)


@pytest.mark.parametrize(
    "name", ["Chinatown", "DodgerLoopGame", "ERing", "Fungi", "GesturePebbleZ1", "MelbournePedestrian", "PLAID", "PenDigits"]
)
def test_problems_of_the_data_folder_load_with_the_published_size(name):
    if locate(name, DATA_FOLDERS) is None:
        pytest.skip(f"no folder in $SSD_BENCH_DATA has {name}")
    size, dataset = catalog.size(name), load(name, DATA_FOLDERS, download=False)
    assert len(dataset.classes) == size.n_classes
    assert max(dataset.train.lengths.max(), dataset.test.lengths.max()) == size.n_timepoints
    assert catalog.known_digest(name) in ("", dataset.digest)


def test_select_joins_archives_and_globs():
    assert catalog.select(["bundled"]) == list(BUNDLED)
    assert catalog.select([], ["GunPoint*", "Coffee"]) == [
        "Coffee",
        "GunPoint",
        "GunPointAgeSpan",
        "GunPointMaleVersusFemale",
        "GunPointOldVersusYoung",
    ]
    assert catalog.select(["bundled"], ["Coffee", "GunPoint"]) == sorted([*BUNDLED, "Coffee"])
    assert catalog.select() == []


def test_select_knows_the_users_folders(write_problem, monkeypatch):
    root = write_problem("MyOwn")
    assert catalog.select([], ["MyO*"], [root]) == ["MyOwn"]
    monkeypatch.setenv("SSD_BENCH_DATA", f"{root.parent / 'nothing'}{os.pathsep}{root}")
    assert catalog.select([], ["MyOwn"]) == ["MyOwn"]


@pytest.mark.parametrize(
    ("archives", "patterns", "piece"),
    [
        (["ucl"], [], "Did you mean 'ucr'?"),
        ([], ["gunpoint"], "Did you mean 'GunPoint'?"),
        ([], ["ItalyPowerDemnd"], "Did you mean 'ItalyPowerDemand'?"),
        ([], ["Italy"], "Did you mean 'ItalyPowerDemand'?"),
        ([], ["Nope"], "aeon_data"),
        ([], ["Zebra*"], "No dataset matches 'Zebra*'."),
        ([], ["Coffee,GunPoint"], "Name each separately: --dataset Coffee --dataset GunPoint"),
        ([], ["../GunPoint"], "cannot be the name"),
    ],
)
def test_unknown_names_are_misuse_with_the_nearest_one(archives, patterns, piece):
    with pytest.raises(MisuseError) as caught:
        catalog.select(archives, patterns)
    assert piece in str(caught.value)


def test_listing_imports_nothing_heavy():
    code = "import sys; from ssd_cli.archives import catalog; catalog.select(['ucr'], ['G*']); print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert "ssd_cli.archives.catalog" in loaded
    assert not loaded & {"numpy", "pandas", "aeon", "sktime", "torch", "sklearn"}
