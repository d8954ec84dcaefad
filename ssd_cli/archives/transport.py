"""HTTP for files that must arrive whole: retries, resume, rate limits, checksums; nothing but a complete file gets its name."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd_cli.archives.http_errors import Temporary, TransferError, asked_wait, on_the_way
from ssd_cli.core.version import __version__

_CHUNK = 2**17
_JSON_BYTES = 2**24
_MOST_TRIES = 200
"""Of one file, however small the progress of each."""


class Stopped(Exception):
    """The program was asked to end."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    Parameters
    ----------
    name : str
    url : str
        ``http``, ``https`` or, for a mirror on a disk, ``file``.
    size : int, optional
    md5 : str, optional
        Hexadecimal.
    """

    name: str
    url: str
    size: int | None = None
    md5: str | None = None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects within the web only, and never from https to http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise TransferError(f"{req.full_url} redirects to {ascii(newurl)[1:-1]}.", "Expected a redirect that stays as safe.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Transport:
    """Fetches files; one object serves several threads.

    Parameters
    ----------
    attempts : int
        Failures in a row, without a byte of progress, after which to give up.
    first_pause : float
        Seconds before the second attempt; doubled from one to the next.
    patience : float
        Longest pause in seconds that a server may ask for.
    timeout : float
        Seconds without an answer after which a connection counts as dropped.
    """

    def __init__(self, attempts: int = 5, first_pause: float = 0.5, patience: float = 600.0, timeout: float = 60.0) -> None:
        self.attempts, self.first_pause, self.patience, self.timeout = attempts, first_pause, patience, timeout
        self._opener = urllib.request.build_opener(_Redirects())
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._not_before = 0.0

    def stop(self) -> None:
        """Make all transfers end soon, with `Stopped`; what has arrived is kept for the next time."""
        self._stop.set()

    def check(self) -> None:
        """Raise `Stopped` after `stop`."""
        if self._stop.is_set():
            raise Stopped

    def json(self, url: str) -> Any:
        """The JSON document at a URL.

        Raises
        ------
        TransferError
        """

        def attempt() -> Any:
            with self._open(url, {"Accept": "application/json"}) as response, on_the_way(url):
                text = response.read(_JSON_BYTES + 1)
            announced = response.headers.get("Content-Length")
            if announced is not None and announced.isdecimal() and len(text) < min(int(announced), _JSON_BYTES + 1):
                raise Temporary("the connection was dropped")
            return text

        text = self._persistently(url, attempt, lambda: 0)
        try:
            if len(text) > _JSON_BYTES:
                raise ValueError("it is too large")
            return json.loads(text)
        except ValueError as error:
            raise TransferError(f"{url} did not answer with a JSON document ({error}).", "", "Try again later.") from error

    def download(self, file: RemoteFile, target: Path, on_bytes: Callable[[int], None] = lambda n: None) -> None:
        """Fetch a file; `target` appears only when it is complete and has the announced size and checksum.

        A partial file beside it, named after the checksum, is where an interrupted transfer goes on.

        Parameters
        ----------
        file : RemoteFile
        target : Path
        on_bytes : callable
            Told every change of the number of bytes that are there; negative where a transfer starts again.

        Raises
        ------
        TransferError
            It could not be fetched, or arrived twice with another checksum.
        OSError
            It cannot be written.
        """
        if file.md5 is not None and target.is_file() and not _difference(target, file):
            on_bytes(_size(target))
            return
        part = target.with_name(f"{target.name}.{(file.md5 or 'unknown')[:8]}.part")
        if file.md5 is None:
            part.unlink(missing_ok=True)  # nothing tells whether it belongs to the same file
        on_bytes(_size(part))
        for _ in range(2):
            self._persistently(file.url, lambda: self._resume(file, part, on_bytes), lambda: _size(part))
            wrong = _difference(part, file)
            if not wrong:
                part.replace(target)
                return
            on_bytes(-_size(part))
            part.unlink()
        raise TransferError(
            f"{file.url} arrived twice, but not as announced: {wrong}.",
            "Expected the size and the MD5 that the archive publishes.",
            "Nothing was kept. Try again later, or use another --mirror.",
        )

    # ---- one attempt ----------------------------------------------------------------------------------------------------------

    def _resume(self, file: RemoteFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        """Fetch what is missing of a file."""
        have = _size(part)
        if file.size is not None and have == file.size:
            return
        if file.url.startswith("file:"):
            _copy(file, part, on_bytes)
            return
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with self._open(file.url, headers) as response:
            continues = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if have and not continues:
                on_bytes(-have)
                have = 0
            announced = response.headers.get("Content-Length", "")
            end = file.size if file.size is not None else have + int(announced) if announced.isdecimal() else None
            with part.open("ab" if continues else "wb") as out:
                for chunk in _chunks(response, file.url):
                    self.check()
                    out.write(chunk)
                    have += len(chunk)
                    on_bytes(len(chunk))
                    if end is not None and have > end:
                        return  # more than announced: the checksum will refuse it
        if end is not None and have < end:
            raise Temporary(f"the connection was dropped after {have} of {end} bytes")

    def _open(self, url: str, headers: Mapping[str, str]) -> Any:
        """The beginning of the server's answer, to be read `on_the_way` and closed."""
        self._pause(self._not_before - time.monotonic())
        request = urllib.request.Request(url, headers={"User-Agent": f"ssd-bench/{__version__}", **headers})
        with on_the_way(url):
            response = self._opener.open(request, timeout=self.timeout)
        if response.headers.get("X-RateLimit-Remaining") == "0":
            self._hold(asked_wait(response.headers) or 0.0)
        return response

    # ---- patience -------------------------------------------------------------------------------------------------------------

    def _persistently(self, url: str, attempt: Callable[[], Any], progress: Callable[[], int]) -> Any:
        """The result of `attempt`, which is repeated while it fails temporarily."""
        failures = 0
        for _ in range(_MOST_TRIES):
            before = progress()
            try:
                return attempt()
            except Temporary as error:
                failures = 1 if progress() > before else failures + 1
                self._hold(error.wait or 0.0)
                if error.wait is not None and error.wait > self.patience:
                    raise TransferError(
                        f"{url}: {error}, and asks to wait {error.wait / 60:.0f} minutes.", "", "Try again then, or use --mirror."
                    ) from error
                if failures >= (self.attempts if error.resolved else 2):
                    remedy = "Check the network and run the same command again: it goes on where it stopped. Or use --mirror."
                    raise TransferError(f"{url} could not be fetched: {error}.", f"Tried {failures} times.", remedy) from error
                if error.wait is None:
                    # A little chance, so that many clients do not return together.
                    self._pause(self.first_pause * 2 ** (failures - 1) * random.uniform(0.75, 1.25))
        raise TransferError(f"{url} could not be fetched: {_MOST_TRIES} attempts brought too little.", "", "Try again later.")

    def _hold(self, seconds: float) -> None:
        """Let no thread ask for anything for some seconds."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + min(seconds, self.patience))

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(max(0.0, seconds)):
            raise Stopped


def _chunks(response: Any, url: str) -> Iterator[bytes]:
    """The body of an answer; what fails while it is written somewhere is none of the network's."""
    while True:
        with on_the_way(url):
            chunk = response.read(_CHUNK)
        if not chunk:
            return
        yield chunk


def _copy(file: RemoteFile, part: Path, on_bytes: Callable[[int], None]) -> None:
    on_bytes(-_size(part))
    source = Path(urllib.request.url2pathname(urllib.parse.urlsplit(file.url).path))
    with source.open("rb") as there, part.open("wb") as here:
        shutil.copyfileobj(there, here)
    on_bytes(_size(part))


def _difference(path: Path, file: RemoteFile) -> str:
    """What is wrong with a file, or an empty text."""
    size = _size(path)
    if file.size is not None and size != file.size:
        return f"it has {size} bytes, not {file.size}"
    if file.md5 is not None:
        with path.open("rb") as stream:
            md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != file.md5.lower():
            return f"its MD5 is {md5}, not {file.md5}"
    return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
