"""Datasets from the zip of a whole archive; a hostile zip is refused."""

import errno
import io
import os
import stat
import zipfile

import pytest

from ssd_cli.archives import catalog
from ssd_cli.archives.fetch import Watcher, fetch_zip, zip_path
from ssd_cli.archives.load import load
from ssd_cli.archives.manifest import Manifest
from ssd_cli.cli.data import download_datasets
from ssd_cli.core.atomic import DiskFull
from ssd_cli.errors import SsdBenchError

from .wisdm import entries, zenodo


def _zip(members: dict[str, bytes], edit=lambda info: info) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(edit(info), content)
    return packed.getvalue()


def _publish(archive, content: bytes) -> None:
    record, key = catalog.ZENODO_ZIPS["ucr"]
    archive.records[record] = {key: content}


def _bundled_files(*names: str) -> dict[str, bytes]:
    from ssd_cli.archives.locate import bundled_root

    paths = [bundled_root() / name / f"{name}_{part}.ts" for name in names for part in ("TRAIN", "TEST")]
    return {f"Some folder/{path.parent.name}/{path.name}": path.read_bytes() for path in paths}


def test_datasets_come_out_of_the_zip_of_an_archive(archive, root):
    files = _bundled_files("GunPoint", "ItalyPowerDemand")
    broken = {key.replace("GunPoint", "Coffee"): content for key, content in _bundled_files("GunPoint").items()}
    _publish(archive, _zip({**files, **broken, "readme.txt": b"x"}))
    left = fetch_zip("ucr", ["Coffee", "GunPoint", "ItalyPowerDemand", "Wine"], root, zenodo(archive), Watcher())
    assert left == ["Coffee", "Wine"]  # another dataset's files; not there
    assert entries(root) == ["GunPoint", "ItalyPowerDemand"]
    assert "2018.zip" in Manifest.read(root / "GunPoint", "GunPoint").origin
    assert load("GunPoint", [root]).digest == catalog.known_digest("GunPoint")
    assert not list((root / ".ssd-bench").glob("*.zip"))


def _interrupt(*arguments):
    raise KeyboardInterrupt


def _fill_up(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fault", [_interrupt, _fill_up, None], ids=["Ctrl-C", "a full disk", "too little room"])
def test_a_zip_whose_unpacking_was_interrupted_is_kept_and_used_again(archive, root, monkeypatch, fault):
    content = _zip(_bundled_files("GunPoint"))
    _publish(archive, content)
    with monkeypatch.context() as patch:
        if fault:
            patch.setattr("ssd_cli.archives.fetch.extract", fault)
        else:  # for the zip, but not for what is in it
            patch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": len(content)}))
        with pytest.raises((KeyboardInterrupt, DiskFull)):
            download_datasets(["GunPoint"], ["ucr"], root, zenodo(archive), 1, True, False)
    assert len(archive.requests) == 2 and zip_path("ucr", root).read_bytes() == content
    room = [0, 10**9]  # none is needed for a zip that is there
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": room.pop(0)}))
    assert download_datasets(["GunPoint"], ["ucr"], root, zenodo(archive), 1, None, False) == {}
    assert len(archive.requests) == 3 and entries(root) == ["GunPoint"] and not zip_path("ucr", root).exists()


def _as_link(info):
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


HOSTILE = {
    "a path outside": (_zip({"../../GunPoint_TRAIN.ts": b"x"}), "would be written outside"),
    "an absolute path": (_zip({"/tmp/GunPoint_TRAIN.ts": b"x"}), "would be written outside"),
    "a path of Windows": (_zip({"..\\..\\GunPoint_TRAIN.ts": b"x"}), "would be written outside"),
    "a drive": (_zip({"C:/GunPoint_TRAIN.ts": b"x"}), "would be written outside"),
    "a link": (_zip({"GunPoint/GunPoint_TRAIN.ts": b"/etc/passwd"}, _as_link), "is a link"),
    "a bomb": (_zip({"GunPoint/GunPoint_TRAIN.ts": b"0" * 2**26}), "announces 67108864 bytes"),
    "no zip": (b"PK\x03\x04 not a zip at all", "is damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_whole(archive, root, tmp_path, kind):
    content, piece = HOSTILE[kind]
    _publish(archive, content)
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(SsdBenchError, match=piece):
        fetch_zip("ucr", ["GunPoint"], root, zenodo(archive), Watcher())
    assert entries(root) == [] and not list((root / ".ssd-bench").glob("*.zip"))
    assert [path for path in sorted(tmp_path.rglob("*")) if root not in path.parents and path != root] == before


def test_a_member_with_a_false_size_is_refused(archive, root):
    files = _bundled_files("GunPoint")
    content = bytearray(_zip(files))
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")  # the size of the first member, in the list of members
    _publish(archive, bytes(content))
    assert fetch_zip("ucr", ["GunPoint"], root, zenodo(archive), Watcher()) == ["GunPoint"]
    assert entries(root) == []
