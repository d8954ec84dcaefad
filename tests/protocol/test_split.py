"""Resamples equal aeon's, subjects are never divided, and nothing is learned from the test part."""

from dataclasses import replace

import numpy as np
import pytest

from ssd_cli.archives.dataset import Part, make_dataset
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import bundled_root
from ssd_cli.archives.prepare import Preparation
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.protocol.containers import SealedTest
from ssd_cli.protocol.resample import resample_indices
from ssd_cli.protocol.split import split

RAW = Preparation(scale="none")


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SSD_BENCH_DATA", raising=False)


def toy(y_train, y_test, train_groups=None, test_groups=None):
    def part(y, groups, start):
        X = [np.array([[start + case, 0.0, 1.0]]) for case in range(len(y))]
        return Part(X, np.array(list(y)), None if groups is None else np.array(groups, dtype=np.int64))

    return make_dataset("Toy", part(y_train, train_groups, 0), part(y_test, test_groups, 100))


def numbers(X):
    """Return the first value of every toy series, which identifies the case."""
    return X[:, 0, 0].tolist()


def test_resample_0_is_the_archives_split():
    dataset = load("GunPoint", download=False)
    training_set, sealed = split(dataset, 0, RAW)
    np.testing.assert_array_equal(training_set.X, np.stack(dataset.train.X).astype(np.float32))
    assert [dataset.classes[index] for index in training_set.y] == dataset.train.y.tolist()
    assert (training_set.dataset, training_set.resample, training_set.n_classes) == ("GunPoint", 0, 2)
    X, y = sealed.unseal(frozen=True)
    np.testing.assert_array_equal(X, np.stack(dataset.test.X).astype(np.float32))
    assert [dataset.classes[index] for index in y] == dataset.test.y.tolist()


@pytest.mark.parametrize("name", ["GunPoint", "ArrowHead", "BasicMotions"])
@pytest.mark.parametrize("resample", [1, 2, 29])
def test_later_resamples_are_aeons(name, resample):
    from aeon.benchmarking.resampling import stratified_resample_data
    from aeon.datasets import load_classification

    parts = [array for which in ("train", "test") for array in load_classification(name, split=which)]
    X_train, y_train, X_test, y_test = stratified_resample_data(*parts, random_state=resample)
    dataset = load(name, download=False)
    training_set, sealed = split(dataset, resample, RAW)
    X, y = sealed.unseal(frozen=True)
    np.testing.assert_array_equal(training_set.X, X_train.astype(np.float32))
    np.testing.assert_array_equal(X, X_test.astype(np.float32))
    assert [dataset.classes[index] for index in training_set.y] == y_train.tolist()
    assert [dataset.classes[index] for index in y] == y_test.tolist()


@pytest.mark.parametrize("name", ["PickupGestureWiimoteZ", "JapaneseVowels"])
def test_unequal_lengths_are_resampled_as_aeon_does(name):
    from aeon.benchmarking.resampling import stratified_resample_data
    from aeon.datasets import load_classification

    parts = [part for which in ("train", "test") for part in load_classification(name, split=which)]
    X_train, _, X_test, _ = stratified_resample_data(*parts, random_state=3)
    dataset = load(name, download=False)
    series = dataset.train.X + dataset.test.X
    train, test = resample_indices(dataset, 3)
    for index, expected in ((train, X_train), (test, X_test)):
        assert all(np.array_equal(series[case], theirs) for case, theirs in zip(index, expected, strict=True))


def test_labels_of_several_digits_are_resampled_in_aeons_order():
    from aeon.benchmarking.resampling import stratified_resample_data_indices

    y_train, y_test = np.array(["1", "10", "2", "-1"] * 7), np.array(["2", "10", "-1", "1", "10"] * 5)
    dataset = toy(y_train, y_test)
    assert dataset.classes == ("-1", "1", "10", "2")  # as np.unique sorts text
    for ours, theirs in zip(
        resample_indices(dataset, 5), stratified_resample_data_indices(y_train, y_test, random_state=5), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_negative_resample_is_misuse():
    with pytest.raises(MisuseError):
        split(toy("abab", "ab"), -1, RAW)


# --- subjects

GROUPED = toy("aabbaabb", "abab", train_groups=[1, 1, 1, 1, 2, 2, 2, 2], test_groups=[3, 3, 4, 4])


def test_the_archives_split_keeps_its_subjects():
    training_set, _ = split(GROUPED, 0, RAW)
    assert training_set.groups.tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_known_subjects_are_never_divided():
    drawn = set()
    for resample in range(1, 25):
        training_set, sealed = split(GROUPED, resample, RAW)
        X, _ = sealed.unseal(frozen=True)
        subject_of = dict(zip([0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 102, 103], [1] * 4 + [2] * 4 + [3] * 2 + [4] * 2, strict=True))
        test_subjects = {subject_of[case] for case in numbers(X)}
        assert len(test_subjects) == 2  # as many as the archive's test part has
        assert not test_subjects & set(training_set.groups.tolist())
        assert [subject_of[case] for case in numbers(training_set.X)] == training_set.groups.tolist()
        assert sorted(numbers(training_set.X) + numbers(X)) == sorted(subject_of)
        drawn.add(frozenset(test_subjects))
    assert len(drawn) == 6  # every pair of the four subjects comes up


def test_the_draw_of_subjects_depends_on_the_resample_only():
    first, second = (split(GROUPED, 7, RAW)[0] for _ in range(2))
    assert first.digest == second.digest
    assert numbers(first.X) == numbers(split(GROUPED, 7, Preparation(scale="none", length="resize"))[0].X)


def test_subjects_that_the_archive_divides_cannot_be_drawn():
    dataset = toy("aabb", "abab", train_groups=[1, 1, 2, 2], test_groups=[1, 1, 2, 2])
    split(dataset, 0, RAW)
    with pytest.raises(SsdBenchError, match="all 2 subjects occur"):
        split(dataset, 1, RAW)


# --- classes


@pytest.mark.parametrize("resample", [0, 1])
def test_a_training_set_of_one_class_is_an_error(resample):
    with pytest.raises(SsdBenchError, match="has one class only"):
        split(toy("aaaa", "aab"), resample, RAW)


@pytest.mark.parametrize("resample", [0, 1])
def test_a_class_that_only_the_test_part_has_is_an_error(resample):
    with pytest.raises(SsdBenchError, match="has no case of c"):
        split(toy("abab", "abc"), resample, RAW)


def test_a_draw_of_subjects_that_lacks_a_class_is_an_error():
    dataset = toy("ccab", "abab", train_groups=[1, 1, 2, 2], test_groups=[3, 3, 4, 4])  # only subject 1 has class c
    outcomes = set()
    for resample in range(1, 25):
        left_out = 0 in resample_indices(dataset, resample)[1]
        outcomes.add(left_out)
        if left_out:
            with pytest.raises(SsdBenchError, match=f"resample {resample}, has no case of c"):
                split(dataset, resample, RAW)
        else:
            split(dataset, resample, RAW)
    assert outcomes == {True, False}


def test_one_case_a_class_is_legal():
    training_set, _ = split(toy("abc", "aabbcc"), 1, RAW)
    assert training_set.class_counts == (1, 1, 1)


def test_a_class_without_test_cases_is_legal():
    for resample in (0, 1):
        training_set, sealed = split(toy("abcabc", "ab"), resample, RAW)
        assert training_set.n_classes == 3 and training_set.class_counts == (2, 2, 2)
        assert sealed.n_cases == 2


# --- the seal


def test_preparation_is_fitted_after_the_resample_on_the_training_cases():
    dataset = toy("abababab", "abababab")
    for resample in (0, 4):
        training_set, _ = split(dataset, resample, Preparation(scale="train"))
        np.testing.assert_allclose(training_set.X.mean(), 0, atol=1e-6)
        np.testing.assert_allclose(training_set.X.std(), 1, rtol=1e-5)


def test_the_test_set_is_sealed_until_the_predictor_is_frozen():
    _, sealed = split(toy("abab", "ab"), 0, RAW)
    assert isinstance(sealed, SealedTest) and sealed.n_cases == 2
    for frozen in (False, None, 1, "yes"):
        with pytest.raises(RuntimeError, match="sealed"):
            sealed.unseal(frozen)
    assert "0." not in repr(sealed)
    X, y = sealed.unseal(frozen=True)
    assert X.dtype == np.float32 and y.dtype == np.int64 and y.tolist() == [0, 1]


def test_permuting_the_test_labels_leaves_the_training_set_bit_identical():
    dataset = load("ItalyPowerDemand", download=False)
    permuted = np.random.RandomState(0).permutation(dataset.test.y)
    other = make_dataset(dataset.name, dataset.train, replace(dataset.test, y=permuted))
    assert other.digest != dataset.digest
    for preparation in (Preparation(), Preparation(scale="train")):
        (first, sealed), (second, other_sealed) = split(dataset, 0, preparation), split(other, 0, preparation)
        assert first.digest == second.digest and first.n_classes == second.n_classes
        assert not np.array_equal(sealed.unseal(True)[1], other_sealed.unseal(True)[1])


def test_a_permuted_test_file_leaves_the_training_set_bit_identical(tmp_path):
    folder = tmp_path / "data" / "GunPoint"
    folder.mkdir(parents=True)
    original = bundled_root() / "GunPoint"
    (folder / "GunPoint_TRAIN.ts").write_bytes((original / "GunPoint_TRAIN.ts").read_bytes())
    head, data = (original / "GunPoint_TEST.ts").read_text().split("@data\n")
    series, labels = zip(*(line.rsplit(":", 1) for line in data.splitlines()), strict=True)
    permuted = np.random.RandomState(1).permutation(labels)
    lines = "".join(f"{one}:{label}\n" for one, label in zip(series, permuted, strict=True))
    (folder / "GunPoint_TEST.ts").write_text(f"{head}@data\n{lines}")

    dataset, other = load("GunPoint", download=False), load("GunPoint", [tmp_path / "data"], download=False)
    (first, sealed), (second, other_sealed) = (split(one, 0, Preparation()) for one in (dataset, other))
    assert dataset.digest != other.digest
    assert first.digest == second.digest and first.X.tobytes() == second.X.tobytes()
    assert sealed.unseal(True)[1].tolist() != other_sealed.unseal(True)[1].tolist()
