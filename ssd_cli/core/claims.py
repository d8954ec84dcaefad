"""Claims: files that state which process works on what, so that several processes and machines can share a folder.

A claim on a key is the file ``<key>.<generation>.claim``, which a process creates with O_EXCL; the highest generation is valid.
The file names the process (host, process number, start), and its modification time is the heartbeat. A claim is stale if its
process has ended on this host, or if the heartbeat is old by the clock of the file system. A process takes over a stale claim of
generation g by creating generation g + 1 with O_EXCL, and then removes the older files. A process that acts on stale information
fails the exclusive create, or finds other files on its second look, and gives up.
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
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

HEARTBEAT_SECONDS = 30.0
STALE_SECONDS = 300.0
"""Ten missed heartbeats."""

_UNWRITTEN_SECONDS = 10.0
"""Age from which an empty claim file is stale: its process died between creating and writing the file."""

_CLOCK_SECONDS = 2.0
"""Starts are stored in whole seconds. Starts that are not counted from the last boot change when the clock is set."""
VANISHED = (errno.ENOENT, errno.ESTALE)
"""Errors of reading a file that another process has deleted; the second one occurs on network file systems."""


@dataclass(frozen=True)
class Owner:
    """The process that holds a claim, and its work, for messages."""

    host: str
    pid: int
    started: float  # when the process started (`started`); process numbers are reused
    what: str = ""
    token: str = ""  # unique to this taking of the claim

    def is_gone(self) -> bool:
        """Whether the process is known to have ended; always false for a process of another host."""
        if self.host != host():
            return False
        import psutil

        try:
            process = psutil.Process(self.pid)
            return abs(started(self.pid) - self.started) > _CLOCK_SECONDS or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


class Claim:
    """A claim that this process holds until `release`; a thread renews its heartbeat."""

    def __init__(self, path: Path, token: str, heartbeat_seconds: float) -> None:
        self.path = path
        self._token = token
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(heartbeat_seconds,), name="heartbeat", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Release the claim; a second call does nothing."""
        if not self._released.is_set():
            self._released.set()
            self._thread.join()
            file = _look(self.path)
            if file is not None and file.owner is not None and file.owner.token == self._token:
                self.path.unlink(missing_ok=True)

    def _beat(self, seconds: float) -> None:
        while not self._released.wait(seconds):
            # The file is missing only if this process slept for minutes and another process took over.
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


class Claims:
    """The claims of one folder, which is created with the first claim.

    A claim is stale if its last heartbeat is older than `stale_seconds`.
    """

    def __init__(self, folder: Path, heartbeat_seconds: float = HEARTBEAT_SECONDS, stale_seconds: float = STALE_SECONDS) -> None:
        self.folder = Path(folder)
        self._heartbeat_seconds = heartbeat_seconds
        self._stale_seconds = stale_seconds
        self._asked: tuple[float, float] | None = None

    def take(self, key: str, what: str = "") -> Claim | None:
        """Take the claim on `key`, even from a process that has ended; return None if another live process holds it.

        The key is part of a file name and has no dot; `what` describes the work, for messages.
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
        # Between the look and the create, another process may have taken over and released the old claim, and a third one may
        # have claimed the key again from generation 0. The new file is then not valid.
        now = self._files(key)
        if not now or now[-1].path != path or before != [file for file in now if file.path != path]:
            path.unlink(missing_ok=True)
            return None
        for file in before:
            file.path.unlink(missing_ok=True)
        return Claim(path, token, self._heartbeat_seconds)

    def wait(self, key: str, what: str = "", pulse: Callable[[], None] = lambda: None, poll_seconds: float = 0.1) -> Claim:
        """Take the claim on `key` as soon as it is free; `pulse` is called while waiting and may raise to give up."""
        while (claim := self.take(key, what)) is None:
            pulse()
            time.sleep(poll_seconds)
        return claim

    def holder(self, key: str) -> Owner | None:
        """Return the live process that holds the claim on `key`, or None."""
        files = self._files(key)
        return None if not files or self._is_stale(files[-1]) else files[-1].owner

    def live(self) -> list[tuple[str, Owner]]:
        """Return keys and owners of all claims of live processes."""
        held = ((key, self.holder(key)) for key in self._keys())
        return [(key, owner) for key, owner in held if owner is not None]

    def clean(self) -> int:
        """Remove the claims of processes that are known to have ended; return how many.

        Each claim is taken over first, so that a new claim of another process is never removed by mistake.
        """
        taken = [claim for claim in map(self.take, self._keys()) if claim is not None]
        for claim in taken:
            claim.release()
        return len(taken)

    def _keys(self) -> list[str]:
        return sorted({path.name.split(".")[0] for path in self.folder.glob("*.claim")})

    def _files(self, key: str) -> list[_File]:
        """Read the files of a key once, and return them with the highest generation last."""
        found = (_look(path) for path in self.folder.glob(f"{key}.*.claim"))
        return sorted((file for file in found if file is not None), key=lambda file: file.generation)

    def _is_stale(self, file: _File) -> bool:
        patience = _UNWRITTEN_SECONDS if file.owner is None else self._stale_seconds
        if self._now() - file.mtime > patience and self._ask_clock() - file.mtime > patience:
            return True
        return file.owner is not None and file.owner.is_gone()

    def _now(self) -> float:
        """Estimate the time by the clock of the file system from its last reading; `_ask_clock` is exact."""
        steady = time.monotonic()
        if self._asked is None or steady - self._asked[0] > self._stale_seconds:  # the monotonic clock stops while a machine sleeps
            self._asked = steady, self._ask_clock()
        return self._asked[1] + steady - self._asked[0]

    def _ask_clock(self) -> float:
        """Read the clock of the file system, since the clock of a file server may differ from this machine's by hours."""
        probe = self.folder / f".{uuid.uuid4().hex}.clock"
        try:
            probe.touch()
            try:
                return probe.stat().st_mtime
            finally:
                probe.unlink()
        except OSError:  # the folder is read-only
            return time.time()


@dataclass(frozen=True)
class _File:
    path: Path
    generation: int
    inode: int
    mtime: float = field(compare=False)  # the heartbeat changes it
    owner: Owner | None


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
    """Return the name of this host, on Linux with its boot and process namespace, since all three limit process numbers.

    Machines made from one image may have the same name, but not the same boot.
    """
    name = socket.gethostname()
    if sys.platform == "linux":
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{name}/{boot}/{Path('/proc/self/ns/pid').readlink().name}"
    return name


def started(pid: int) -> float:
    """Return when a process started, in seconds: on Linux since the last boot, which the clock does not affect, else since 1970.

    Raises psutil.NoSuchProcess.
    """
    import psutil

    if sys.platform != "linux":
        return psutil.Process(pid).create_time()
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    ticks = text.rpartition(")")[2].split()[19]  # field 22 of proc(5); field 2 is a name that may have spaces
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
