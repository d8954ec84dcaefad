"""Extract files from a zip that may be hostile: it must hold no outside path, no link, and no more bytes than allowed."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ssd_cli.errors import SsdBenchError

MOST_BYTES = 2**36
"""Limit for one unpacked file (64 GiB); the largest file of the archives has a few GiB."""
_MOST_RATIO = 200
"""Limit of the compression ratio: text of numbers has ratios of 2 to 10; deflate can reach 1032."""
_SMALL = 2**20
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; raise SsdBenchError if it is damaged, or holds an outside path, a link, or an encrypted or too large file."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                _check(path, info)
            yield archive
    except _DAMAGES as error:
        raise SsdBenchError(f"{path} is damaged: {error}.", "Expected a complete zip file.") from error


def members(archive: zipfile.ZipFile, names: Iterable[str]) -> dict[str, zipfile.ZipInfo]:
    """Return the members with these file names, in any folder, except names that occur twice."""
    wanted = set(names)
    found: dict[str, zipfile.ZipInfo] = {}
    twice: set[str] = set()
    for info in archive.infolist():
        name = PurePosixPath(info.filename).name
        if name in wanted and not info.is_dir():
            twice |= {name} & found.keys()
            found[name] = info
    return {name: info for name, info in found.items() if name not in twice}


def extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one member to `target`; its path in the zip is not used."""
    try:
        with archive.open(info) as packed, target.open("wb") as out:
            # `open_zip` has checked the announced size. Reading ends at that size, and a wrong size fails the zip's checksum.
            shutil.copyfileobj(packed, out, 2**20)
    except _DAMAGES as error:
        raise SsdBenchError(f"{archive.filename}: the member {_shown(info)} is damaged: {error}.") from error


def _check(path: Path, info: zipfile.ZipInfo) -> None:
    name = PurePosixPath(info.orig_filename.replace("\\", "/"))
    mode = info.external_attr >> 16
    if name.is_absolute() or ".." in name.parts or ":" in "".join(name.parts[:1]) or "\0" in info.orig_filename:
        what = "would be written outside"
    elif stat.S_ISLNK(mode) or (mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)):
        what = "is a link or a device"
    elif info.flag_bits & 1:
        what = "is encrypted"
    elif info.file_size > MOST_BYTES or info.file_size > max(_SMALL, _MOST_RATIO * info.compress_size):
        what = f"announces {info.file_size} bytes in {info.compress_size}"
    else:
        return
    raise SsdBenchError(f"{path}: the member {_shown(info)} {what}.", "Nothing was unpacked.", "Get the file from another source.")


def _shown(info: zipfile.ZipInfo) -> str:
    return ascii(info.orig_filename[:60])
