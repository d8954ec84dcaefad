"""Downloads with retries, resume, rate limits and checksums."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd_cli.archives.connections import Connections
from ssd_cli.archives.request_errors import Temporary, TransferError, asked_wait, translated_errors
from ssd_cli.core.version import __version__

_CHUNK = 2**17
_JSON_BYTES = 2**24
_MOST_TRIES = 200
"""Attempts for one file, even if each makes progress."""


class TransferStopped(Exception):
    """The transfer ended because `Transport.stop` was called."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a remote. The scheme of `url` is ``http``, ``https`` or, for a folder, ``file``; `md5` is hexadecimal.

    `most` limits the number of bytes if the size is not known.
    """

    name: str
    url: str
    size: int | None = None
    md5: str | None = None
    most: int | None = None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https only, and never from https to http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise TransferError(f"{req.full_url} redirects to {ascii(newurl)[1:-1]}.", "Expected a redirect to https.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Transport:
    """Downloader that several threads share.

    A transfer ends after `attempts` failures without progress. The first pause takes `first_pause` seconds, and each further pause
    is twice as long. A server may ask for at most `patience` seconds. A connection is dropped after `timeout` seconds of silence.
    """

    def __init__(self, attempts: int = 5, first_pause: float = 0.5, patience: float = 600.0, timeout: float = 60.0) -> None:
        self.attempts, self.first_pause, self.patience, self.timeout = attempts, first_pause, patience, timeout
        self._connections = Connections()
        self._opener = urllib.request.build_opener(_Redirects(), *self._connections.handlers())
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._not_before = 0.0

    def stop(self) -> None:
        """End all transfers soon with `TransferStopped`; partial files are kept."""
        self._stop.set()
        self._connections.cut()

    def check(self) -> None:
        """Raise `TransferStopped` after `stop`."""
        if self._stop.is_set():
            raise TransferStopped

    def json(self, url: str) -> Any:
        """Fetch a JSON document, which must arrive within the timeout; raise TransferError if the request fails."""

        def attempt() -> Any:
            with (
                self._open(url, {"Accept": "application/json"}) as response,
                translated_errors(url),
                response.limited(self.timeout),
            ):
                text = response.read(_JSON_BYTES + 1)
            self.check()
            announced = _announced(response)
            if announced is not None and len(text) < min(announced, _JSON_BYTES + 1):
                raise Temporary("the connection was dropped")
            return text

        text = self._persistently(url, attempt, lambda: 0)
        try:
            if len(text) > _JSON_BYTES:
                raise ValueError("it is too large")
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TransferError(f"{url} did not answer with a JSON document ({error}).", "", "Try again later.") from error

    def download(self, file: RemoteFile, target: Path, on_bytes: Callable[[int], None] = lambda n: None) -> None:
        """Fetch a file; `target` is created once the file is complete and has the announced size and checksum.

        An interrupted transfer resumes from a partial file in the same folder. `on_bytes` gets each change of the number of bytes;
        it is negative if a transfer starts again. A file that has the wrong checksum twice raises a `TransferError`.
        """
        if file.md5 is not None and target.is_file() and not _difference(target, file):
            on_bytes(_size(target))
            return
        part = target.with_name(f"{target.name}.{(file.md5 or 'unknown')[:8]}.part")
        if file.md5 is None:
            part.unlink(missing_ok=True)  # without a checksum, the part may belong to another file
        on_bytes(_size(part))
        for _ in range(2):
            try:
                self._persistently(file.url, lambda: self._resume(file, part, on_bytes), lambda: _size(part))
            except TransferError:
                if file.md5 is None:
                    part.unlink(missing_ok=True)  # nothing can continue it
                raise
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

    def _resume(self, file: RemoteFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        """Fetch the missing part of a file."""
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
            announced = _announced(response)
            end = file.size if file.size is not None else None if announced is None else have + announced
            most = file.most if file.size is None else None
            if most is not None and (end or 0) > most:
                raise _too_large(file)
            with part.open("ab" if continues else "wb") as out:
                for chunk in _chunks(response, file.url):
                    self.check()
                    out.write(chunk)
                    have += len(chunk)
                    on_bytes(len(chunk))
                    if most is not None and have > most:
                        raise _too_large(file)
                    if end is not None and have > end:
                        return  # more bytes than announced: the check of size and checksum fails
        self.check()  # a transfer that was stopped looks like the end of a file
        if end is not None and have < end:
            raise Temporary(f"the connection was dropped after {have} of {end} bytes")

    def _open(self, url: str, headers: Mapping[str, str]) -> Any:
        """Send a request; the caller reads the response inside `translated_errors` and closes it."""
        self._pause(self._not_before - time.monotonic())
        request = urllib.request.Request(url, headers={"User-Agent": f"ssd-bench/{__version__}", **headers})
        with translated_errors(url):
            response = self._opener.open(request, timeout=self.timeout)
        if response.headers.get("X-RateLimit-Remaining") == "0":
            self._hold(asked_wait(response.headers) or 0.0)
        return response

    def _persistently(self, url: str, attempt: Callable[[], Any], progress: Callable[[], int]) -> Any:
        """Return the result of `attempt`; repeat it after temporary failures."""
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
                        f"{url}: {error}, and asks to wait {error.wait / 60:.0f} minutes.", "", "Try again later, or use --mirror."
                    ) from error
                if failures >= (self.attempts if error.resolved else 2):
                    remedy = "Check the network and run the same command again: it resumes. Or use --mirror."
                    raise TransferError(f"{url} could not be fetched: {error}.", f"Tried {failures} times.", remedy) from error
                if error.wait is None:
                    # A random pause prevents many clients from retrying at the same time.
                    self._pause(self.first_pause * 2 ** (failures - 1) * random.uniform(0.75, 1.25))
        raise TransferError(f"{url} could not be fetched: {_MOST_TRIES} attempts were not enough.", "", "Try again later.")

    def _hold(self, seconds: float) -> None:
        """Delay the requests of all threads by some seconds."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + min(seconds, self.patience))

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(max(0.0, seconds)):
            raise TransferStopped


def _chunks(response: Any, url: str) -> Iterator[bytes]:
    """Yield the body of a response; only errors of the network are translated."""
    while True:
        with translated_errors(url):
            chunk = response.read(_CHUNK)
        if not chunk:
            return
        yield chunk


def _announced(response: Any) -> int | None:
    """Return the size of the body that the server announces; None if it announces none, or one that no file has."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _too_large(file: RemoteFile) -> TransferError:
    return TransferError(
        f"{file.url} sends more than {file.most} bytes.", "Expected a smaller file.", "Check the address, and any proxy."
    )


def _copy(file: RemoteFile, part: Path, on_bytes: Callable[[int], None]) -> None:
    on_bytes(-_size(part))
    source = Path(urllib.request.url2pathname(urllib.parse.urlsplit(file.url).path))
    with source.open("rb") as there, part.open("wb") as here:
        shutil.copyfileobj(there, here)
    on_bytes(_size(part))


def _difference(path: Path, file: RemoteFile) -> str:
    """Return what is wrong with a file, or an empty text."""
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
