"""Mirrors on a disk and on the web, and a missing network."""

import json
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.archives.fetch import fetch_one
from ssd_cli.archives.load import load
from ssd_cli.archives.remotes import FolderMirror, WebMirror, Zenodo, choose_remote
from ssd_cli.errors import MisuseError, SsdBenchError

from .conftest import TEST
from .wisdm import entries, is_right, quick, zenodo


def _mirror(archive, root, tmp_path) -> Path:
    fetch_one("WISDM", root, zenodo(archive))
    return root


def test_a_downloaded_folder_is_a_mirror_on_a_disk_and_on_the_web(archive, root, tmp_path):
    mirror = _mirror(archive, root, tmp_path)
    for number, kind in enumerate((FolderMirror(quick(), mirror), WebMirror(quick(), f"{archive.url}/mirror"))):
        for path in (mirror / "WISDM").iterdir():
            archive.statics[f"/mirror/WISDM/{path.name}"] = path.read_bytes()
        assert fetch_one("WISDM", tmp_path / str(number), kind)
        assert is_right(tmp_path / str(number))


def test_a_changed_file_on_a_mirror_is_refused(archive, root, tmp_path):
    mirror = _mirror(archive, root, tmp_path)
    (mirror / "WISDM" / "WISDM_TEST.ts").write_text(TEST.replace("2,2,2", "2,2,3"))
    with pytest.raises(SsdBenchError, match="its MD5 is"):
        fetch_one("WISDM", tmp_path / "new", FolderMirror(quick(), mirror))
    assert entries(tmp_path / "new") == []


def test_partial_files_of_two_mirrors_are_not_mixed(archive, root, tmp_path):
    mirror = _mirror(archive, root, tmp_path)
    npz = tmp_path / "npz" / "WISDM"
    npz.mkdir(parents=True)
    for part, X in (("TRAIN", np.zeros((2, 3))), ("TEST", np.ones((1, 4)))):
        np.savez(npz / f"WISDM_{part}.npz", X=X, y=["a", "b"][: len(X)])
    (mirror / "WISDM" / "WISDM_TEST.ts").write_text(TEST.replace("2,2,2", "2,2,3"))
    with pytest.raises(SsdBenchError, match="its MD5 is"):  # the training part had arrived
        fetch_one("WISDM", tmp_path / "new", FolderMirror(quick(), mirror))
    fetch_one("WISDM", tmp_path / "new", FolderMirror(quick(), npz.parent))
    assert load("WISDM", [tmp_path / "new"]).train.n_cases == 2


def test_a_mirror_without_checksums_must_have_the_known_values(tmp_path):
    from ssd_cli.archives.locate import bundled_root

    mirror = tmp_path / "mirror" / "GunPoint"
    mirror.mkdir(parents=True)
    for path in (bundled_root() / "GunPoint").glob("GunPoint_T*.ts"):
        (mirror / path.name).write_bytes(path.read_bytes())
    assert fetch_one("GunPoint", tmp_path / "new", FolderMirror(quick(), mirror.parent))
    train = mirror / "GunPoint_TRAIN.ts"
    head, data = train.read_text().split("@data\n")
    train.write_text(f"{head}@data\n1{data[data.index('.') :]}")
    with pytest.raises(SsdBenchError, match="differ from those that this release knows"):
        fetch_one("GunPoint", tmp_path / "other", FolderMirror(quick(), mirror.parent))


def test_a_dataset_missing_on_a_web_mirror_is_an_error_that_names_the_file(archive, root):
    with pytest.raises(SsdBenchError, match=r"The mirror .*/mirror has no WISDM") as caught:
        fetch_one("WISDM", root, WebMirror(quick(), f"{archive.url}/mirror"))
    assert "/mirror/WISDM/WISDM_checksums.json" in caught.value.expected and entries(root) == []


@pytest.mark.parametrize("name", ["../../x", "WISDM_TRAIN.ts/../x", "x.ts", "WISDM_checksums.json"])
def test_a_hostile_manifest_on_a_mirror_is_refused(archive, root, tmp_path, name):
    mirror = _mirror(archive, root, tmp_path)
    manifest = json.loads((mirror / "WISDM" / "WISDM_checksums.json").read_text())
    manifest["files"][name] = manifest["files"]["WISDM_TEST.ts"]
    archive.statics["/mirror/WISDM/WISDM_checksums.json"] = json.dumps(manifest).encode()
    with pytest.raises(SsdBenchError, match="is not the name of a file of WISDM"):
        fetch_one("WISDM", tmp_path / "new", WebMirror(quick(), f"{archive.url}/mirror"))


def test_the_choice_of_the_remote(tmp_path, monkeypatch):
    assert isinstance(choose_remote(), Zenodo) and isinstance(choose_remote("https://x.org/a"), WebMirror)
    monkeypatch.setenv("SSD_BENCH_MIRROR", str(tmp_path))
    assert isinstance(choose_remote(), FolderMirror)
    for wrong in ("ftp://x.org", "http://[bad", "http://", "http://host:port/x"):
        with pytest.raises(MisuseError, match="neither"):
            choose_remote(wrong)


def test_the_address_of_a_mirror_may_contain_blanks_and_non_ascii_letters(archive, root, tmp_path):
    mirror = _mirror(archive, root, tmp_path)
    for path in (mirror / "WISDM").iterdir():
        archive.statics[f"/d%C3%A4t%C3%A4%20x/WISDM/{path.name}"] = path.read_bytes()
    for number, name in enumerate(("dätä x", "d%C3%A4t%C3%A4%20x")):
        assert fetch_one("WISDM", tmp_path / str(number), choose_remote(f"{archive.url}/{name}", quick()))


@pytest.mark.parametrize("url", ["http://[bad", "http://127.0.0.1:port/x", "http://127.0.0.1:9/x?ä"])
def test_a_record_with_an_invalid_address_is_an_error(archive, root, url):
    archive.edit = lambda document: {"files": [{**file, "links": {"self": url}} for file in document["files"]]}
    with pytest.raises(SsdBenchError, match=r"holds no WISDM_TRAIN|is not a valid web address"):
        fetch_one("WISDM", root, zenodo(archive))


def test_offline_sends_no_request(archive, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_OFFLINE", "1")
    with pytest.raises(SsdBenchError, match="SSD_BENCH_OFFLINE"):
        load("WISDM")
    assert archive.requests == []
