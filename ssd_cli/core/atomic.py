"""Write files so that they are complete or absent: a draft, fsync, rename, fsync of the folder."""

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
from typing import IO

from ssd_cli.core.claims import VANISHED, Owner, host, started
from ssd_cli.errors import MisuseError, SsdBenchError

_counter = itertools.count()
_REMOTE_HOURS = 24
"""Age at which a draft of another machine is treated as abandoned."""


class StorageError(SsdBenchError):
    """A folder is not writable; the content is not the cause."""


class DiskFull(StorageError):
    """The disk is full; further writes would fail too."""


def write(files: list[tuple[Path, bytes]], drafts: Path, commit: Path | None = None) -> None:
    """Write all `files`, or none of them; `drafts` is a folder on the same disk.

    Files are renamed in their order, after all drafts are on the disk. The file `commit` is removed before the first rename, so
    that a process killed between two renames never leaves an old commit with new content.
    """
    drafts.mkdir(parents=True, exist_ok=True)
    staged = [(draft_path(drafts, path), path) for path, _ in files]
    try:
        for (draft, _), (_, content) in zip(staged, files, strict=True):
            with draft.open("xb") as file:
                file.write(content)
                _sync_file(file)
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
    """Write all `files` into a folder of tables and figures, or none of them (StorageError); return their paths.

    A file that is a link stays a link, and its target is written.
    """
    with writing_to(folder):
        for path, content in files:
            if path.is_symlink():
                with replacing(path) as draft:
                    draft.write_bytes(content)
        write([(_regular(path), content) for path, content in files if not path.is_symlink()], folder)
    return [path for path, _ in files]


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield the path of a draft, which becomes `path` if the block ends without an error and is removed otherwise.

    The draft is a hidden file with the same suffix in the same folder, which is created if it is missing. If `path` is a link, its
    target is replaced. With `durable` the content survives a loss of power; a cache does not need this. A device or a pipe raises
    MisuseError.
    """
    path = _regular(path)
    make_folder(path.parent)
    draft = draft_path(path.parent, path, hidden=True)
    try:
        yield draft
        if durable:
            with draft.open("rb+") as file:
                _sync_file(file)
        draft.replace(path)
        if durable:
            _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _regular(path: Path) -> Path:
    """Return the target of a link, or the path itself; raise MisuseError for a device or a pipe, which a file would replace."""
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not target.is_file() and not target.is_dir():
        raise MisuseError(f"{path} is a device or a pipe.", "Expected the name of a file.", "Write a file, and copy it there.")
    return target


def make_folder(folder: Path) -> None:
    """Create the folder and its missing parents, and sync each of their entries."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def content(path: Path) -> bytes | None:
    """Return the content of a file; None if it does not exist."""
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno not in VANISHED:
            raise
        return None


def clean(drafts: Path) -> int:
    """Remove the drafts of processes that have ended; return how many."""
    dead = [draft for draft in (drafts.iterdir() if drafts.is_dir() else ()) if not _alive(draft)]
    for draft in dead:
        draft.unlink(missing_ok=True)
    return len(dead)


@contextmanager
def writing_to(root: Path, other: str = "another folder with --out", kept: str = "finished cells are kept") -> Iterator[None]:
    """Raise a `StorageError` that names the folder if the operating system refuses to write.

    `other` says how the user chooses another folder, and `kept` which work a second run does not repeat.
    """
    again = f"run the same command again: {kept}."
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"The disk of {root} is full.", "", f"Free some space, or choose {other}, and {again}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            remedy = f"Make it writable or choose {other}, and {again}"
            raise StorageError(f"Cannot write in {root}: {error.strerror}.", "", remedy) from error
        raise StorageError(
            f"Cannot write in {root}: {error.strerror or error} ({error.filename}).",
            "Expected a folder that can be written.",
            f"Choose {other}, or repair this one, and {again}",
        ) from error


def draft_path(folder: Path, path: Path, hidden: bool = False) -> Path:
    """Return a new path for a draft of `path`: machine, process, its start (process numbers are reused), a number, the name."""
    pid = os.getpid()
    return folder / f"{'.' * hidden}{_machine()}-{pid}-{_start(pid)}-{next(_counter)}-{path.name}"


def _sync_file(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder, and does not need an fsync of it
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
            return time.time() - draft.stat().st_mtime < _REMOTE_HOURS * 3600
        return not Owner(host(), int(pid), float(start)).is_gone()
    except (ValueError, FileNotFoundError):
        return False
