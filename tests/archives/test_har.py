"""Human activity recognition: splits by subject, and a warning if the subjects are unknown."""

import re
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.archives import har
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import locate
from ssd_cli.archives.read import read_part
from ssd_cli.protocol.resample import resample_indices

from .conftest import DATA_FOLDERS

OFFICIAL_TEST_SUBJECTS = {2, 4, 9, 10, 12, 13, 18, 20, 24}
"""Sizes of UCI HAR (Anguita et al. 2013)."""


def test_a_resample_of_windows_with_unknown_subjects_gives_a_warning(write_problem):
    root = write_problem("WISDM")
    assert har.leak_warnings(["WISDM"], [0], [root]) == []
    assert har.leak_warnings(["GunPoint", "Toy"], [0, 1], [root]) == []
    (text,) = har.leak_warnings(["WISDM", "BasicMotions", "WISDM", "Skoda"], [0, 1], [root])
    assert text.startswith("WISDM, BasicMotions: the subjects are unknown")
    assert "leaks" in har.describe_split("WISDM", groups_known=False)
    (root / "WISDM" / "WISDM_subjects_train.csv").write_text("row,subject,label\n0,7,a\n1,7,b\n2,9,a\n")
    (root / "WISDM" / "WISDM_subjects_test.csv").write_text("row,subject,label\n0,3,b\n1,3,a\n")
    assert har.leak_warnings(["WISDM"], [0, 1], [root]) == [] and "leave out" in har.describe_split("WISDM", groups_known=True)


def test_subjects_inside_the_files_count(tmp_path):
    folder = tmp_path / "Skoda"
    folder.mkdir()
    for part in ("TRAIN", "TEST"):
        np.savez(folder / f"Skoda_{part}.npz", X=np.zeros((2, 3)), y=np.array([1, 2]), groups=np.array([1, 2]))
    assert har.knows_subjects("Skoda", [tmp_path])


def test_the_real_uci_har_is_split_by_subjects():
    if locate("UCIHAR", DATA_FOLDERS) is None:
        pytest.skip("no folder in $SSD_BENCH_DATA has UCIHAR, which has no download (docs/data.md tells how to get it)")
    dataset = load("UCIHAR", DATA_FOLDERS, download=False)
    groups = np.concatenate([dataset.train.groups, dataset.test.groups])
    drawn = []
    for resample in range(6):
        train, test = resample_indices(dataset, resample)
        assert sorted([*train, *test]) == list(range(7352 + 2947))
        training, tested = set(groups[train].tolist()), set(groups[test].tolist())
        assert not training & tested and (len(training), len(tested)) == (21, 9)
        drawn.append(frozenset(tested))
    assert drawn[0] == OFFICIAL_TEST_SUBJECTS and len(set(drawn)) == 6


def test_the_recipe_of_the_documentation_reads_uci_hars_own_files(tmp_path, monkeypatch):
    """The layout of the zip in the UCI repository: a text of 128 columns for every signal, one of labels, one of subjects."""
    generator, expected = np.random.default_rng(0), {}
    for part, n_cases in (("train", 5), ("test", 3)):
        signals = tmp_path / "UCI HAR Dataset" / part / "Inertial Signals"
        signals.mkdir(parents=True)
        X, y, subjects = generator.normal(size=(n_cases, 9, 128)), np.arange(n_cases) % 6 + 1, np.arange(n_cases) + 10
        kinds = [f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"]
        for channel, kind in enumerate(kinds):
            np.savetxt(signals / f"{kind}_{part}.txt", X[:, channel], fmt=" %.7e")
        np.savetxt(signals.parent / f"y_{part}.txt", y, fmt="%d")
        np.savetxt(signals.parent / f"subject_{part}.txt", subjects, fmt="%d")
        expected[part] = X, y, subjects
    documentation = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(.*?UCI HAR Dataset.*?)```", documentation, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(recipe, "docs/data.md", "exec"), {})
    for part, (X, y, subjects) in expected.items():
        found = read_part(tmp_path / "UCIHAR" / f"UCIHAR_{part.upper()}.npz")
        np.testing.assert_allclose(np.stack(found.X), X, atol=1e-6)
        assert found.y.tolist() == y.astype(str).tolist() and found.groups.tolist() == subjects.tolist()
