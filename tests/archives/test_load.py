"""Data folders and their order, published sizes, the cache of arrays, and automatic downloads."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.archives import cache, catalog
from ssd_cli.archives import load as loading
from ssd_cli.archives.cache import cache_root
from ssd_cli.archives.load import digest_of, load
from ssd_cli.archives.locate import bundled_root, locate
from ssd_cli.archives.remotes import Zenodo
from ssd_cli.archives.transport import Transport
from ssd_cli.errors import MisuseError, SsdBenchError

from .conftest import TEST, TRAIN


def _copy_bundled(name: str, root: Path) -> Path:
    (root / name).mkdir(parents=True)
    for path in (bundled_root() / name).glob(f"{name}_T*.ts"):
        (root / name / path.name).write_bytes(path.read_bytes())
    return root


@pytest.mark.parametrize("name", ["GunPoint", "BasicMotions", "PickupGestureWiimoteZ", "JapaneseVowels"])
def test_arrays_and_labels_are_those_of_aeon(name):
    from aeon.datasets import load_classification

    dataset = load(name, download=False)
    for part, which in ((dataset.train, "train"), (dataset.test, "test")):
        X, y = load_classification(name, split=which, load_equal_length=False, load_no_missing=False)
        assert part.y.tolist() == y.tolist()
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(part.X, X, strict=True))
    assert dataset.classes == tuple(np.unique(dataset.train.y))


def test_bundled_problems_are_found_without_importing_aeon():
    import aeon

    assert bundled_root() == Path(aeon.__file__).parent / "datasets" / "data"


def test_the_users_folder_comes_first(write_problem, tmp_path, monkeypatch):
    first = write_problem(root=tmp_path / "first")
    second = write_problem(train=TRAIN.replace("7,8,9", "0,0,0"), root=tmp_path / "second")
    assert load("Toy", [first, second]).train.X[2].tolist() == [[7, 8, 9]]
    monkeypatch.setenv("SSD_BENCH_DATA", str(second))
    assert load("Toy").train.X[2].tolist() == [[0, 0, 0]]
    assert load("Toy", [first]).train.X[2].tolist() == [[7, 8, 9]]


def test_aeons_data_folder_is_searched(write_problem, tmp_path):
    write_problem(root=tmp_path / "aeon_data")
    assert load("Toy", download=False).train.n_cases == 3


@pytest.mark.parametrize("name", ["../Toy", "a/b", "a\\b", "..", ".", "", "a..b", ".hidden", "a\0b", "~", "C:x"])
def test_a_name_never_leads_out_of_a_folder(name, write_problem):
    with pytest.raises(MisuseError):
        load(name, [write_problem()])


def test_half_a_dataset_is_never_replaced_by_another_source(tmp_path):
    root = _copy_bundled("GunPoint", tmp_path / "data")
    (root / "GunPoint" / "GunPoint_TEST.ts").unlink()
    with pytest.raises(SsdBenchError, match="holds GunPoint_TRAIN"):
        load("GunPoint", [root])


def test_a_data_folder_that_does_not_exist_is_misuse(tmp_path):
    with pytest.raises(MisuseError, match="does not exist"):
        load("GunPoint", [tmp_path / "typo"])


def test_parts_with_different_channels_are_refused(write_problem):
    multivariate = (
        TEST.replace("univariate true", "univariate false").replace("1,1,1", "1,1,1:1,1,1").replace("2,2,2", "2,2,2:2,2,2")
    )
    with pytest.raises(SsdBenchError, match=r"TRAIN\.ts has 1 channels, .*TEST\.ts has 2"):
        load("Toy", [write_problem(test=multivariate)])


@pytest.mark.parametrize("part", ["TRAIN", "TEST"])
def test_a_file_cut_at_the_end_of_a_line_is_refused_by_the_published_size(tmp_path, part):
    root = _copy_bundled("ItalyPowerDemand", tmp_path / "data")
    path = root / "ItalyPowerDemand" / f"ItalyPowerDemand_{part}.ts"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    with pytest.raises(SsdBenchError) as caught:
        load("ItalyPowerDemand", [root])
    assert f"n_{part.lower()} is {dict(TRAIN=66, TEST=1028)[part]}" in str(caught.value)
    assert not list(cache_root().rglob("*.npz"))  # nothing wrong is ever kept


def test_another_datasets_files_under_an_archives_name_are_refused(write_problem):
    with pytest.raises(SsdBenchError, match="The archive's GunPoint has n_train 50"):
        load("GunPoint", [write_problem("GunPoint")])


def test_missing_values_where_the_archive_has_none_are_refused(tmp_path):
    root = _copy_bundled("ItalyPowerDemand", tmp_path / "data")
    path = root / "ItalyPowerDemand" / "ItalyPowerDemand_TEST.ts"
    head, data = path.read_text().split("@data\n")
    path.write_text(head + "@data\n?" + data[data.index(",") :])
    with pytest.raises(SsdBenchError, match="missing is true"):
        load("ItalyPowerDemand", [root])


# --- subjects


def test_subjects_are_read_and_enter_the_digest(write_problem):
    plain = load("Toy", [write_problem()]).digest
    root = write_problem()
    (root / "Toy" / "Toy_subjects_train.csv").write_text("row,subject,label\n0,7,a\n1,7,b\n2,9,A\n")
    (root / "Toy" / "Toy_subjects_test.csv").write_text("row,subject,label\n0,3,b\n1,3,a\n")
    dataset = load("Toy", [root])
    assert dataset.train.groups.tolist() == [7, 7, 9] and dataset.test.groups.tolist() == [3, 3]
    assert dataset.digest != plain
    assert load("Toy", [root]).train.groups.tolist() == [7, 7, 9]  # from the cache


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("row,label,subject\n0,a,7\n", 1),
        ("row,subject,label\n0,7,a\n1,7,a\n2,9,a\n", 3),  # a label that is not the case's
        ("row,subject,label\n0,7,a\n2,7,b\n1,9,a\n", 3),  # another order
        ("row,subject,label\n0,7,a\n1,x,b\n2,9,a\n", 3),
        ("row,subject,label\n0,7,a\n1,7\n2,9,a\n", 3),
        ("row,subject,label\n0,7,a\n1,7,b\n", 3),  # too few rows
        ("row,subject,label\n0,7,a\n1,7,b\n2,9,a\n3,9,a\n", 5),  # too many
        ("row,subject,label\n0,7,a\n1,9223372036854775808,b\n2,9,a\n", 3),
        (f"row,subject,label\n0,7,a\n1,{'9' * 5000},b\n2,9,a\n", 3),
        (f'row,subject,label\n0,7,a\n1,"7,b\n2,9,a\n{"x" * 200_000}', 5),
    ],
)
def test_subjects_that_do_not_match_the_data_are_an_error_with_the_line(write_problem, text, line):
    root = write_problem()
    (root / "Toy" / "Toy_subjects_train.csv").write_text(text)
    (root / "Toy" / "Toy_subjects_test.csv").write_text("row,subject,label\n0,3,b\n1,3,a\n")
    with pytest.raises(SsdBenchError, match=rf"Toy_subjects_train.csv, line {line}: "):
        load("Toy", [root])


def test_subjects_of_one_part_only_are_refused(write_problem):
    root = write_problem()
    (root / "Toy" / "Toy_subjects_train.csv").write_text("row,subject,label\n0,7,a\n1,7,b\n2,9,a\n")
    with pytest.raises(SsdBenchError, match="holds Toy_subjects_train"):
        load("Toy", [root])


# --- the cache of arrays


def _never(*_args):
    raise AssertionError("the text was read again")


def test_the_second_load_does_not_parse(write_problem, monkeypatch):
    root = write_problem()
    first = load("Toy", [root])
    monkeypatch.setattr(loading, "read_source", _never)
    second = load("Toy", [root])
    assert second.digest == first.digest == digest_of("Toy", [root])
    assert second.train.y.tolist() == first.train.y.tolist() and second.classes == first.classes
    assert all(np.array_equal(a, b) for a, b in zip(first.test.X, second.test.X, strict=True))


def test_unequal_lengths_and_missing_values_come_back_from_the_cache(write_problem):
    train = TRAIN.replace("@equalLength true", "@equalLength false").replace("4,5,6", "4,?").replace("7,8,9", "7")
    root = write_problem(train=train)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(load("Toy", [root]).train.X, axis=1), [[1, 2, 3, 4, np.nan, 7]])


def test_a_changed_file_is_never_served_from_the_cache(write_problem):
    root = write_problem()
    before = digest_of("Toy", [root])
    write_problem(test=TEST.replace("2,2,2", "2,2,3"))
    assert digest_of("Toy", [root]) != before
    assert load("Toy", [root]).test.X[1].tolist() == [[2, 2, 3]]


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_a_damaged_cache_entry_is_read_from_the_files_again(write_problem, suffix):
    root = write_problem()
    whole = load("Toy", [root])
    (entry,) = cache_root().rglob(f"*.{suffix}")
    content = entry.read_bytes()
    for position in range(0, len(content), 23):
        entry.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        again = load("Toy", [root])
        assert again.digest == whole.digest, position
        assert np.array_equal(np.stack(again.train.X), np.stack(whole.train.X)), position
    for damaged in (b"", content[: len(content) // 2]):
        entry.write_bytes(damaged)
        assert load("Toy", [root]).digest == digest_of("Toy", [root]) == whole.digest
        assert entry.stat().st_size == len(content)  # mended


def test_a_forged_cache_entry_is_not_used(write_problem):
    root = write_problem()
    whole = load("Toy", [root])
    (entry,) = cache_root().rglob("*.npz")
    with np.load(entry) as stored:
        arrays = dict(stored)
    arrays["train_y"] = arrays["train_y"][::-1]
    np.savez(entry, **arrays)
    assert load("Toy", [root]).train.y.tolist() == whole.train.y.tolist()
    values = entry.with_suffix(".npy")
    np.save(values, np.load(values) + 1)
    assert np.array_equal(np.stack(load("Toy", [root]).train.X), np.stack(whole.train.X))


def test_a_cache_that_cannot_be_written_is_no_error(write_problem, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "file"))
    root = write_problem()
    assert load("Toy", [root]).digest == load("Toy", [root]).digest == digest_of("Toy", [root])


def test_no_temporary_file_is_left(write_problem):
    load("Toy", [write_problem()])
    assert sorted(path.suffix for path in cache_root().rglob("*") if path.is_file()) == [".npy", ".npz"]


def test_a_large_dataset_is_mapped_and_the_same(write_problem, monkeypatch):
    root = write_problem()
    whole = load("Toy", [root])
    monkeypatch.setattr(cache, "MAPPED_BYTES", 1)
    mapped = load("Toy", [root])
    assert mapped.digest == whole.digest and not mapped.train.X[0].flags.writeable
    assert all(np.array_equal(a, b) for a, b in zip(whole.test.X, mapped.test.X, strict=True))


def test_an_unchanged_file_is_not_hashed_again(write_problem, monkeypatch):
    root = write_problem()
    path = root / "Toy" / "Toy_TRAIN.ts"
    digest = load("Toy", [root]).digest
    assert not list(cache_root().glob("files/*"))  # changed a moment ago: it could change again unseen
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -1)
    load("Toy", [root])
    monkeypatch.setattr(cache.hashlib, "file_digest", _never)
    assert load("Toy", [root]).digest == digest
    path.write_text(path.read_text().replace("1,2,3", "1,2,4"))
    with pytest.raises(AssertionError, match="read again"):
        load("Toy", [root])


def test_cached_arrays_need_no_aeon(write_problem):
    root = write_problem()
    load("Toy", [root])
    code = (
        "import sys; from pathlib import Path; from ssd_cli.archives.load import load; "
        f"load('Toy', [Path({str(root)!r})]); print('aeon' in sys.modules, 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["False"] * 2


# --- absent datasets and aeon's download


def test_the_error_for_an_absent_dataset_names_the_searched_folders_and_remedies(write_problem, tmp_path, monkeypatch):
    nowhere = Zenodo(Transport(attempts=1), "http://127.0.0.1:9")
    monkeypatch.setattr("ssd_cli.archives.load.choose_remote", lambda: nowhere)
    root = write_problem()
    with pytest.raises(SsdBenchError) as caught:
        load("Coffee", [root])
    message = str(caught.value)
    assert "'Coffee' is not on this machine" in message and "could not be fetched" in message
    for place in (root, bundled_root(), tmp_path / "aeon_data"):
        assert str(place) in message
    assert "--data-dir" in message and "Coffee/Coffee_TRAIN.* and" in message
    assert locate("Coffee", [root]) is None


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("Coffee", "(?s)data download --dataset Coffee.*timeseriesclassification"),
        ("UCIHAR", r"docs/data\.md"),
        ("Mine", r"use --data-dir DIR \(or SSD_BENCH_DATA=DIR\)\.$"),
    ],
)
def test_the_error_names_the_download_of_each_kind_of_dataset(monkeypatch, name, way):
    monkeypatch.setattr(loading, "fetch_one", _never)
    with pytest.raises(SsdBenchError, match=way) as caught:
        load(name, download=False)
    assert caught.value.what == f"The dataset '{name}' is not on this machine."


def test_the_folder_of_a_dataset_is_no_data_folder(write_problem):
    root = write_problem("Mine")
    for command in (lambda folder: load("Mine", [folder], download=False), lambda folder: catalog.select([], ["Mine"], [folder])):
        with pytest.raises(MisuseError, match=f"Name its parent: --data-dir {root}"):
            command(root / "Mine")
    (root / "Mine").rename(root / "files")
    with pytest.raises(MisuseError, match=f"Move the files into {root}/files/Mine/"):
        load("Mine", [root / "files"], download=False)


def test_a_dataset_without_a_record_is_an_error():
    with pytest.raises(SsdBenchError, match="there is no download for it"):
        load("UCIHAR")
