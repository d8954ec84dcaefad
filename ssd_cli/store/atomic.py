"""Files that are either there and whole, or not there: temporary file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ssd_cli.errors import SsdBenchError
from ssd_cli.store.claims import VANISHED, Owner, host, started

_counter = itertools.count()


class StorageError(SsdBenchError):
    """The output folder cannot be written: no fault of what was to be kept there."""


_FOREIGN_HOURS = 24
"""A temporary file of another machine cannot be told from a live one by its process; after a day it is dead."""


def write(files: list[tuple[Path, bytes]], temporary: Path, commit: Path | None = None) -> None:
    """Put all `files` in place, or none of them.

    Parameters
    ----------
    files : list of (Path, bytes)
        Renamed in this order, once all of them are safely on the disk.
    temporary : Path
        Folder for the temporary files, on the same disk.
    commit : Path, optional
        Removed before the first rename, so that a process killed between two renames leaves no old commit beside new content.
    """
    temporary.mkdir(parents=True, exist_ok=True)
    staged = [(temporary / f"{_owner()}-{next(_counter)}-{path.name}", path) for path, _ in files]
    try:
        for (draft, _), (_, content) in zip(staged, files, strict=True):
            _write_synced(draft, content)
        for parent in dict.fromkeys(path.parent for path, _ in files):
            make_folder(parent)
        if commit is not None:
            commit.unlink(missing_ok=True)
        for draft, path in staged:
            draft.replace(path)
        for parent in dict.fromkeys(path.parent for path, _ in files):
            _sync_folder(parent)
    finally:
        for draft, _ in staged:
            draft.unlink(missing_ok=True)


def write_into(folder: Path, files: list[tuple[Path, bytes]]) -> list[Path]:
    """Put all `files` in place in a folder of tables and figures, or none of them; return their paths.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    with writing_to(folder):
        write(files, folder)
    return [path for path, _ in files]


def make_folder(folder: Path) -> None:
    """Create the folder and what is missing above it, each safely entered in the folder that holds it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def content(path: Path) -> bytes | None:
    """What a file holds; None where it is not there, or not any more."""
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno not in VANISHED:
            raise
        return None


def clean(temporary: Path) -> int:
    """Remove the temporary files of processes that no longer live; return how many."""
    removed = 0
    for draft in temporary.iterdir() if temporary.is_dir() else ():
        if not _alive(draft):
            draft.unlink(missing_ok=True)
            removed += 1
    return removed


@contextmanager
def writing_to(root: Path) -> Iterator[None]:
    """Turn what the operating system says about a full or forbidden disk into a sentence that names the folder."""
    try:
        yield
    except OSError as error:
        again = "run the same command again: finished cells are kept."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"The disk of {root} is full.", "", f"Free some space, or move the folder, and {again}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                f"Cannot write in {root}: {error.strerror}.",
                "",
                f"Make it writable or choose another folder with --out, and {again}",
            ) from error
        raise StorageError(
            f"Cannot write in {root}: {error.strerror} ({error.filename}).",
            "Expected a folder that can be written.",
            f"Choose another folder with --out, or mend this one and {again}",
        ) from error


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder, and needs no fsync of it
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _owner() -> str:
    """Machine, process and the second it started: process numbers are used again."""
    return f"{_machine()}-{os.getpid()}-{_start(os.getpid())}"


@cache
def _start(pid: int) -> int:
    return round(started(pid))


@cache
def _machine() -> str:
    return hashlib.sha256(host().encode()).hexdigest()[:8]


def _alive(draft: Path) -> bool:
    try:
        machine, pid, start, _ = draft.name.split("-", 3)
        if machine != _machine():
            return time.time() - draft.stat().st_mtime < _FOREIGN_HOURS * 3600
        return not Owner(host(), int(pid), float(start)).is_gone()
    except (ValueError, FileNotFoundError):
        return False
