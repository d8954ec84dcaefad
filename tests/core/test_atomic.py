"""Files are complete or absent, even if a write fails."""

import errno

import pytest

from ssd_cli.core.atomic import DiskFull, StorageError, content, replacing, write, writing_to


def test_a_draft_takes_its_place_with_its_suffix(tmp_path):
    with replacing(tmp_path / "new" / "model.onnx") as draft:
        assert draft.suffix == ".onnx" and draft.parent == tmp_path / "new"
        draft.write_bytes(b"whole")
        assert not (tmp_path / "new" / "model.onnx").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("durable", [True, False])
def test_an_error_keeps_the_earlier_file(tmp_path, durable):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), replacing(path, durable) as draft:
        draft.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_all_files_or_none(tmp_path):
    (tmp_path / "b").mkdir()  # no file can take its place
    with pytest.raises(OSError):
        write([(tmp_path / "b", b"2")], tmp_path / ".tmp")
    write([(tmp_path / "a", b"1"), (tmp_path / "c" / "d", b"2")], tmp_path / ".tmp")
    assert content(tmp_path / "a") == b"1" and content(tmp_path / "c" / "d") == b"2" and content(tmp_path / "e") is None
    assert list((tmp_path / ".tmp").iterdir()) == []


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, DiskFull), (errno.EACCES, StorageError), (errno.EIO, StorageError)])
def test_the_folder_is_named(tmp_path, code, kind):
    with pytest.raises(StorageError, match=str(tmp_path)) as caught, writing_to(tmp_path, "another folder with --to"):
        raise OSError(code, "words of the system")
    assert type(caught.value) is kind and "--to" in caught.value.remedy
