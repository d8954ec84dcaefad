"""Who works on what: claim files, so that several processes and machines share one folder without doing anything twice.

A claim on a key is the file ``<key>.<generation>.claim``, created with O_EXCL by the process that takes it; the highest generation
holds. The file names the process (host, process number, when it started) and its modification time is the heartbeat. A claim is
stale when its process is gone from this host, or when the heartbeat is old by the clock of the file system.

A stale claim of generation g is never deleted to make room: taking over means creating generation g + 1 with O_EXCL, which exactly
one process can do, and only then are the older files removed. Whoever looked before that and acts after it fails to create the file
or finds, looking again, that the world has changed, and withdraws.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

import psutil

HEARTBEAT_SECONDS = 30.0
STALE_SECONDS = 300.0
"""Ten missed heartbeats."""

_UNWRITTEN_SECONDS = 10.0
"""A claim file without content belongs to a process that died between creating and writing it, once it is this old."""

_CLOCK_SECONDS = 2.0
"""Starts are kept in whole seconds, and where they are not counted from the last boot they move when the clock is set."""
VANISHED = (errno.ENOENT, errno.ESTALE)
"""What reading a file says that another process has deleted; the second on a network file system."""


@dataclass(frozen=True)
class Owner:
    """The process behind a claim.

    Parameters
    ----------
    host : str
    pid : int
    started : float
        When the process started (`started`); process numbers are used again.
    what : str
        What is claimed, for people.
    token : str
        Unique to this taking of the claim.
    """

    host: str
    pid: int
    started: float
    what: str = ""
    token: str = ""

    def is_gone(self) -> bool:
        """Whether the process is known to be dead; of another host nothing is known."""
        if self.host != host():
            return False
        try:
            process = psutil.Process(self.pid)
            return abs(started(self.pid) - self.started) > _CLOCK_SECONDS or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


class Claim:
    """A claim that this process holds until `release`; a thread keeps its heartbeat."""

    def __init__(self, path: Path, token: str, heartbeat_seconds: float) -> None:
        self.path = path
        self._token = token
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(heartbeat_seconds,), name="heartbeat", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the claim back; a second call does nothing."""
        if not self._released.is_set():
            self._released.set()
            self._thread.join()
            file = _look(self.path)
            if file is not None and file.owner is not None and file.owner.token == self._token:
                self.path.unlink(missing_ok=True)

    def _beat(self, seconds: float) -> None:
        while not self._released.wait(seconds):
            # Gone only if this process slept for minutes and another took over; what both write is the same.
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class Claims:
    """The claims of one folder.

    Parameters
    ----------
    folder : Path
        Created when the first claim is taken.
    heartbeat_seconds, stale_seconds : float
        How often a claim shows life, and after how long a silent one is taken over.
    """

    def __init__(self, folder: Path, heartbeat_seconds: float = HEARTBEAT_SECONDS, stale_seconds: float = STALE_SECONDS) -> None:
        self.folder = Path(folder)
        self._heartbeat_seconds = heartbeat_seconds
        self._stale_seconds = stale_seconds
        self._asked: tuple[float, float] | None = None

    def take(self, key: str, what: str = "") -> Claim | None:
        """Take the claim on `key`, also from a process that is gone; None if another live process holds it.

        Parameters
        ----------
        key : str
            Safe as part of a file name, without a dot.
        what : str
            Shown to people who ask what is claimed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self._files(key)
        if before and not self._is_stale(before[-1]):
            return None
        generation = before[-1].generation + 1 if before else 0
        path = self.folder / f"{key}.{generation}.claim"
        token = uuid.uuid4().hex
        if not _create(path, Owner(host(), os.getpid(), started(os.getpid()), what, token)):
            return None
        # Between looking and creating, the old claim may have been taken over, finished and released, and the key claimed anew
        # from generation 0: then the file just created means nothing.
        now = self._files(key)
        older = [file.same for file in now if file.path != path]
        if not now or now[-1].path != path or older != [file.same for file in before]:
            path.unlink(missing_ok=True)
            return None
        for file in before:
            file.path.unlink(missing_ok=True)
        return Claim(path, token, self._heartbeat_seconds)

    def holder(self, key: str) -> Owner | None:
        """The live process that holds the claim on `key`, or None."""
        files = self._files(key)
        return None if not files or self._is_stale(files[-1]) else files[-1].owner

    def live(self) -> list[tuple[str, Owner]]:
        """Keys and owners of all claims of live processes."""
        held = ((key, self.holder(key)) for key in self._keys())
        return [(key, owner) for key, owner in held if owner is not None]

    def clean(self) -> int:
        """Remove the claims of processes that are known to be gone; return how many.

        Each is taken over first, so that no other process's new claim can be removed by mistake.
        """
        taken = [claim for claim in map(self.take, self._keys()) if claim is not None]
        for claim in taken:
            claim.release()
        return len(taken)

    def _keys(self) -> list[str]:
        return sorted({path.name.split(".")[0] for path in self.folder.glob("*.claim")})

    def _files(self, key: str) -> list[_File]:
        """The files of a key, the highest generation last; each is looked at once and judged by what was seen then."""
        found = (_look(path) for path in self.folder.glob(f"{key}.*.claim"))
        return sorted((file for file in found if file is not None), key=lambda file: file.generation)

    def _is_stale(self, file: _File) -> bool:
        patience = _UNWRITTEN_SECONDS if file.owner is None else self._stale_seconds
        if self._now() - file.mtime > patience and self._ask_clock() - file.mtime > patience:
            return True
        return file.owner is not None and file.owner.is_gone()

    def _now(self) -> float:
        """By the clock that heartbeats have their times from, which is asked rarely and counted on from; not to be relied on."""
        steady = time.monotonic()
        if self._asked is None or steady - self._asked[0] > self._stale_seconds:  # it stands still while a machine sleeps
            self._asked = steady, self._ask_clock()
        return self._asked[1] + steady - self._asked[0]

    def _ask_clock(self) -> float:
        """What the file system's clock shows: a file server's may be hours apart from this machine's, ahead or behind."""
        probe = self.folder / f".{uuid.uuid4().hex}.clock"
        try:
            probe.touch()
            try:
                return probe.stat().st_mtime
            finally:
                probe.unlink()
        except OSError:  # a folder that may only be read
            return time.time()


@dataclass(frozen=True)
class _File:
    path: Path
    generation: int
    inode: int
    mtime: float
    owner: Owner | None

    @property
    def same(self) -> tuple[Path, int, Owner | None]:
        """What tells this file from any other that ever has its name."""
        return self.path, self.inode, self.owner


def _look(path: Path) -> _File | None:
    try:
        with path.open("rb") as file:
            stat, content = os.fstat(file.fileno()), file.read()
        generation = int(path.name.split(".")[1])
    except ValueError:
        return None
    except OSError as error:
        if error.errno not in VANISHED:
            raise
        return None
    try:
        owner = Owner(**json.loads(content))
    except (ValueError, TypeError):
        owner = None
    return _File(path, generation, stat.st_ino, stat.st_mtime, owner)


@cache
def host() -> str:
    """Name of this host, and on Linux its boot and the process namespace: numbers of processes mean nothing across any of them.

    Machines made from one image may have one name; no two have the same boot.
    """
    name = socket.gethostname()
    if sys.platform == "linux":
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{name}/{boot}/{Path('/proc/self/ns/pid').readlink().name}"
    return name


def started(pid: int) -> float:
    """When a process started, in seconds: on Linux since the last boot, which setting the clock does not move, else since 1970.

    Raises
    ------
    psutil.NoSuchProcess
    """
    if sys.platform != "linux":
        return psutil.Process(pid).create_time()
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    ticks = text.rpartition(")")[2].split()[19]  # field 22 of proc(5); the second one is a name that may hold spaces
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def _create(path: Path, owner: Owner) -> bool:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(owner), file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True
