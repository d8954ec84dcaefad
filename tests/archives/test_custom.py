"""Verifying datasets, bundles, and datasets of the user."""

import codecs
import json
import shutil
import zipfile

import numpy as np
import pytest

from ssd_cli.archives import catalog, custom, har
from ssd_cli.archives.bundle import bundle, unbundle
from ssd_cli.archives.fetch import fetch_one
from ssd_cli.archives.install import install
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import bundled_root, locate
from ssd_cli.archives.manifest import Manifest
from ssd_cli.archives.prepare import default_preparation
from ssd_cli.archives.remotes import Monster
from ssd_cli.archives.transport import Transport
from ssd_cli.archives.verify import verify
from ssd_cli.errors import MisuseError, SsdBenchError

from .conftest import TEST


@pytest.fixture
def placed(tmp_path):
    """Install GunPoint with a manifest, as a download does."""
    root = tmp_path / "placed"

    def fill(folder):
        for part in ("TRAIN", "TEST"):
            shutil.copy(bundled_root() / "GunPoint" / f"GunPoint_{part}.ts", folder)
        return "https://zenodo.org/records/0"

    assert install("GunPoint", root, fill)
    return root


def _found(root, name="GunPoint"):
    return verify(name, locate(name, [root]))


@pytest.mark.parametrize("name", catalog.archives()["bundled"])
def test_bundled_problems_are_verified(name):
    finding = verify(name, locate(name))
    assert finding.wrong == [] and finding.checked == ["size", "digest"]


def test_a_changed_byte_is_found_with_its_file(placed):
    assert _found(placed).wrong == [] and _found(placed).checked == ["checksums", "size", "digest"]
    path = placed / "GunPoint" / "GunPoint_TEST.ts"
    text = path.read_text()
    path.write_text(text.replace("@data\n-", "@data\n+"))
    wrong = _found(placed).wrong
    assert f"{path} has another checksum: the file differs from the downloaded one." in wrong
    assert any("differ from those that this release was tested with" in text for text in wrong)
    path.write_text(text[:-1])
    assert "bytes, not" in _found(placed).wrong[0]


def test_a_file_cut_at_a_line_is_found_without_a_manifest(placed):
    (placed / "GunPoint" / "GunPoint_checksums.json").unlink()
    path = placed / "GunPoint" / "GunPoint_TRAIN.ts"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    finding = _found(placed)
    assert "n_train is 49" in finding.wrong[0] and finding.digest == ""


def test_values_that_the_archive_changed_are_a_note_not_an_error(placed):
    path = placed / "GunPoint" / "GunPoint_TRAIN.ts"
    head, data = path.read_text().split("@data\n")
    path.write_text(f"{head}@data\n0{data[data.index(',') :]}")
    manifest = Manifest.read(placed / "GunPoint", "GunPoint")
    from ssd_cli.archives.manifest import check_of

    files = manifest.files | {path.name: check_of(path)}
    Manifest("GunPoint", manifest.origin, manifest.date, manifest.digest, files).write(placed / "GunPoint")
    finding = _found(placed)
    assert finding.wrong == [] and "may have a new version" in finding.note


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format": 2}', '{"format": 1, "dataset": "GunPoint", "files": {"x": 1}}']
)
def test_a_damaged_manifest_is_wrong(placed, text):
    (placed / "GunPoint" / "GunPoint_checksums.json").write_text(text)
    assert "manifest" in _found(placed).wrong[0]


# --- bundles


def test_a_bundle_brings_datasets_to_another_machine(placed, write_problem, tmp_path):
    root = write_problem("MyOwn")
    packed = tmp_path / "out" / "all.zip"
    bundle(["GunPoint", "JapaneseVowels", "MyOwn"], packed, [placed, root])
    assert sorted(path.name for path in packed.parent.iterdir()) == ["all.zip"]
    (tmp_path / "plain").touch()
    assert packed.stat().st_mode == (tmp_path / "plain").stat().st_mode  # it can be read by whoever may read other files
    told = []
    assert unbundle(packed, tmp_path / "new", on_installed=lambda *news: told.append(news)) == [
        "GunPoint",
        "JapaneseVowels",
        "MyOwn",
    ]
    for name in ("GunPoint", "JapaneseVowels", "MyOwn"):
        assert load(name, [tmp_path / "new"], download=False).digest == load(name, [placed, root], download=False).digest
        assert _found(tmp_path / "new", name).wrong == []
    assert Manifest.read(tmp_path / "new" / "GunPoint", "GunPoint").origin == "https://zenodo.org/records/0"
    unbundle(packed, tmp_path / "new", on_installed=lambda *news: told.append(news))
    assert told[0] == ("GunPoint", True) and told[-1] == ("MyOwn", False)


def test_the_same_datasets_make_the_same_bundle(placed, tmp_path):
    for number in (1, 2):
        bundle(["GunPoint"], tmp_path / f"{number}.zip", [placed])
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_an_unverified_dataset_is_not_packed(placed, tmp_path):
    path = placed / "GunPoint" / "GunPoint_TEST.ts"
    path.write_text(path.read_text().replace("@data\n-", "@data\n+"))
    with pytest.raises(SsdBenchError, match="another checksum"):
        bundle(["GunPoint"], tmp_path / "all.zip", [placed])
    with pytest.raises(SsdBenchError, match="not on this machine"):
        bundle(["Coffee"], tmp_path / "all.zip", [placed])
    with pytest.raises(SsdBenchError, match=r"2 of 3 datasets(.|\n)*another checksum(.|\n)*Coffee is not on this machine"):
        bundle(["GunPoint", "JapaneseVowels", "Coffee"], tmp_path / "all.zip", [placed])
    assert not list(tmp_path.glob("*all.zip*"))


def _repacked(packed, edit):
    with zipfile.ZipFile(packed) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    edit(members)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _another_byte(members):
    members["GunPoint/GunPoint_TEST.ts"] = members["GunPoint/GunPoint_TEST.ts"].replace(b"@data\n-", b"@data\n+")


def _another_file(members):
    manifest = json.loads(members["GunPoint/GunPoint_checksums.json"])
    manifest["files"]["../../x"] = manifest["files"]["GunPoint_TEST.ts"]
    members["GunPoint/GunPoint_checksums.json"] = json.dumps(manifest).encode()


HOSTILE = {
    "another byte": (_another_byte, "has another checksum"),
    "a file outside in the manifest": (_another_file, "is not the name of a file of GunPoint"),
    "a path outside": (lambda members: members.update({"../x": b"x"}), "would be written outside"),
    "a missing file": (lambda members: members.pop("GunPoint/GunPoint_TEST.ts"), "lacks GunPoint/GunPoint_TEST.ts"),
    "a member without a name": (
        lambda members: members.update({"./": b"", ".": b"", "GunPoint/GunPoint_TEST.ts": b"x"}),
        "bytes, not",
    ),
    "no manifest": (lambda members: members.pop("GunPoint/GunPoint_checksums.json"), "is not a bundle"),
    "a manifest that is none": (lambda members: members.update({"GunPoint/GunPoint_checksums.json": b"{"}), "is damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_bundle_installs_nothing(placed, tmp_path, kind):
    edit, piece = HOSTILE[kind]
    packed = tmp_path / "all.zip"
    bundle(["GunPoint"], packed, [placed])
    _repacked(packed, edit)
    with pytest.raises(SsdBenchError, match=piece):
        unbundle(packed, tmp_path / "new")
    assert not (tmp_path / "new" / "GunPoint").exists() and not (tmp_path / "x").exists()


def test_a_truncated_bundle_is_refused(placed, tmp_path):
    packed = tmp_path / "all.zip"
    bundle(["GunPoint"], packed, [placed])
    packed.write_bytes(packed.read_bytes()[:-50])
    with pytest.raises(SsdBenchError, match="is damaged"):
        unbundle(packed, tmp_path / "new")


# --- the user's own


def test_a_users_dataset_is_added_with_its_subjects(files, tmp_path):
    custom.add("Mine", files / "a.ts", files / "b.ts", files / "g.csv", tmp_path / "root")
    dataset = load("Mine", [tmp_path / "root"])
    assert dataset.train.groups.tolist() == [7, 7, 8] and dataset.test.groups.tolist() == [9, 9]
    assert catalog.select([], ["Mine*"], [tmp_path / "root"]) == ["Mine"] and _found(tmp_path / "root", "Mine").wrong == []
    with pytest.raises(SsdBenchError, match="There is a dataset Mine"):
        custom.add("Mine", files / "a.ts", files / "b.ts", None, tmp_path / "root")
    custom.add("Mine", files / "a.ts", files / "b.ts", None, tmp_path / "root", force=True)
    assert load("Mine", [tmp_path / "root"]).train.groups is None  # the subjects were those of the other series


def test_subjects_may_be_written_by_a_spreadsheet(files, tmp_path):
    path = files / "g.csv"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes() + b"\r\n,,,\r\n")
    custom.add("Mine", files / "a.ts", files / "b.ts", path, tmp_path / "root")
    folder = tmp_path / "root" / "Mine"
    for subjects in folder.glob("Mine_subjects_*.csv"):
        subjects.write_bytes(codecs.BOM_UTF8 + subjects.read_bytes() + b"\n")
    assert load("Mine", [tmp_path / "root"]).train.groups.tolist() == [7, 7, 8]


def test_labels_with_a_decimal_point_fit_in_the_table_of_subjects_too(tmp_path):
    for part in ("train", "test"):
        (tmp_path / f"{part}.csv").write_text("label,0,1\n1.0,1,2\n2.0,2,3\n")
    rows = "".join(f"{part},{row},{row},{row + 1}.0\n" for part in ("train", "test") for row in (0, 1))
    (tmp_path / "g.csv").write_text(f"part,row,subject,label\n{rows}")
    custom.add("Mine", tmp_path / "train.csv", tmp_path / "test.csv", tmp_path / "g.csv", tmp_path / "root")
    assert load("Mine", [tmp_path / "root"]).train.groups.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("old", "new", "piece"),
    [
        ("part,row", "row,part", "line 1: the columns"),
        ("test,0,9,b", "tset,0,9,b", "line 4: the row is 'tset"),
        ("train,1,7,b", "train,1,7,a", "subjects_train.csv, line 3: label a"),
        ("train,2,8,a\n", "", "ends after 2 rows"),
        ("test,0,9,b", 'test,0,"9,b' + "x" * 200_000, "g.csv, line 4: not comma-separated text"),
    ],
)
def test_subjects_that_do_not_match_add_nothing(files, tmp_path, old, new, piece):
    path = files / "g.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SsdBenchError, match=piece):
        custom.add("Mine", files / "a.ts", files / "b.ts", path, tmp_path / "root")
    assert not (tmp_path / "root" / "Mine").exists()


def test_unsuitable_files_add_nothing(files, tmp_path):
    (tmp_path / "c.tsv").write_text("a\t1\t2\n")
    (tmp_path / "d.ts").write_text(TEST.replace("2,2,2", "2,2,x"))
    for train, test, error in (("a.ts", "c.tsv", MisuseError), ("a.ts", "none.ts", MisuseError), ("a.ts", "d.ts", SsdBenchError)):
        with pytest.raises(error) as caught:
            custom.add("Mine", files / train, files / test, None, tmp_path / "root")
        assert ".ssd-bench" not in str(caught.value) and "fetch" not in str(caught.value)
    assert str(files / "d.ts") in str(caught.value)
    with pytest.raises(SsdBenchError, match=r"n_train is 3(?s:.*)Choose another NAME"):
        custom.add("Coffee", files / "a.ts", files / "b.ts", None, tmp_path / "root")
    (tmp_path / "one.csv").write_text("label,0,1\na,1,2\na,2,3\n")
    with pytest.raises(SsdBenchError, match="all cases are of the class a"):
        custom.add("Mine", files / "one.csv", files / "one.csv", None, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_fold_of_monster_becomes_a_dataset(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(6, 3, 5)).astype(np.float32), np.array([0, 1] * 3)
    monkeypatch.setattr("aeon.datasets.load_monster_dataset", lambda name, fold: (X, y, X[:2] + fold, y[:2]))
    assert fetch_one(Monster.dataset("WISDM", 2), tmp_path / "root", Monster(Transport()))
    dataset = load("MONSTER-WISDM-fold2", [tmp_path / "root"])
    assert dataset.classes == ("0", "1") and np.array_equal(np.stack(dataset.train.X), X)
    assert np.array_equal(np.stack(dataset.test.X), X[:2] + 2)
    assert default_preparation("MONSTER-WISDM-fold2").scale == "train" and har.is_har("MONSTER-WISDM-fold2")


def test_monster_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    def lacking(name, fold):
        raise ModuleNotFoundError("huggingface_hub")

    monkeypatch.setattr("aeon.datasets.load_monster_dataset", lacking)
    with pytest.raises(SsdBenchError, match=r"ssd-bench\[har\]"):
        fetch_one("MONSTER-WISDM-fold0", tmp_path / "root", Monster(Transport()))
    monkeypatch.setattr("aeon.datasets.load_monster_dataset", lambda name, fold: 1 / 0)
    with pytest.raises(SsdBenchError, match="could not be downloaded: ZeroDivisionError"):
        fetch_one("MONSTER-WISDM-fold0", tmp_path / "root", Monster(Transport()))


def test_the_case_of_an_extension_does_not_matter(files, tmp_path):
    for name in ("a", "b"):
        (files / f"{name}.ts").rename(files / f"{name}.TS")
    custom.add("Mine", files / "a.TS", files / "b.TS", None, tmp_path / "root")
    assert load("Mine", [tmp_path / "root"]).train.n_cases == 3


def _swapped(n_channels, n_timepoints, tmp_path):
    for name in ("a", "b"):
        X = np.random.default_rng(0).normal(size=(4, n_channels, n_timepoints))
        np.savez(tmp_path / f"{name}.npz", X=X, y=np.array([0, 1, 0, 1]))
    return X


@pytest.mark.parametrize(("n_channels", "n_timepoints", "warned"), [(20, 3, True), (4, 3, True), (3, 3, False), (1, 1, False)])
def test_more_channels_than_steps_draw_a_warning(tmp_path, n_channels, n_timepoints, warned):
    from tests.cli.helpers import ssd_bench

    _swapped(n_channels, n_timepoints, tmp_path)
    text = custom.swapped_axes("Mine", n_channels, n_timepoints)
    assert bool(text) == warned and ("the last two axes may be swapped" in text) == warned
    if n_timepoints > 1:
        added = ssd_bench("data", "add", "Mine", "--train", tmp_path / "a.npz", "--test", tmp_path / "b.npz", "--to", tmp_path)
        assert added.returncode == 0 and (text in added.stderr if warned else "Warning: Mine" not in added.stderr), added.stderr
        planned = ("run", "--dry-run", "--dataset", "Mine", "--data-dir", tmp_path, "--method", "single", "--out", tmp_path / "out")
        done = ssd_bench(*planned)
        assert done.returncode == 0 and (text in done.stderr if warned else "axes" not in done.stderr), done.stderr


@pytest.mark.parametrize("name", ["PEMS-SF", "DuckDuckGeese", catalog.archives()["eeg"][0], "MONSTER-WISDM-fold0"])
def test_datasets_of_archives_draw_no_warning(name):
    assert custom.swapped_axes(name, 963, 144) == "" != custom.swapped_axes(f"My{name}", 963, 144)


@pytest.mark.parametrize("library", ["aeon", "sktime"])
def test_an_array_with_more_channels_than_steps_draws_a_warning(tmp_path, library):
    classifier = pytest.importorskip(f"ssd_cli.estimators.{library}").MethodClassifier
    X, y = _swapped(12, 5, tmp_path), np.array(["a", "b", "a", "b"])
    with pytest.warns(UserWarning, match="The array has 12 channels and only 5 steps"):
        classifier(backbone="lite[width=2]", recipe="smoke").fit(X, y)
