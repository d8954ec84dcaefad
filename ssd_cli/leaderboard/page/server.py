"""HTTP server of the page and its data, for browsers of this machine only."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ssd_cli.core.version import __version__
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.external.sources import NONE, ExternalSources
from ssd_cli.leaderboard.page.assemble import assemble
from ssd_cli.leaderboard.page.data import payload
from ssd_cli.leaderboard.page.details import Reader

HOST = "127.0.0.1"

REST = 4.0
"""Minimum pause before the data are computed again, in multiples of the computing time: this uses a fifth of one core."""

Progress = Callable[[], dict[str, Any]]
"""Function that returns the counts of cells by state, "left", and "working" (labels of the cells in progress)."""


def open_server(
    folders: list[Path], port: int, title: str, progress: Progress, externals: ExternalSources = NONE
) -> ThreadingHTTPServer:
    """Return a server on the loopback interface; port 0 selects a free port, and a used port raises MisuseError."""
    try:
        return _Server((HOST, port), partial(_Handler, assemble(title, None), PageData(folders, progress, externals)))
    except OSError as error:
        raise MisuseError(
            f"Cannot listen on port {port}: {error.strerror}.", "", "Choose another port with --port, or a free one with --port 0."
        ) from error


class PageData:
    """The data of the page, computed on request, but not at every request."""

    def __init__(self, folders: list[Path], progress: Progress, externals: ExternalSources = NONE) -> None:
        self._folders, self._progress, self._externals = folders, progress, externals
        self._reader = Reader()
        self._lock = threading.Lock()
        self._content, self._mark = b"", ""
        self._good_until = 0.0

    def get(self) -> tuple[bytes, str]:
        """Return the data and a tag that changes with them; absent or incomparable results raise an SsdBenchError."""
        with self._lock:
            started = time.monotonic()
            if started >= self._good_until:
                self._renew()
                self._good_until = time.monotonic() + REST * (time.monotonic() - started)
            return self._content, self._mark

    def _renew(self) -> None:
        header = {"version": __version__, "progress": self._progress()}  # no time of day: unchanged data are not sent again
        self._content = payload(self._folders, reader=self._reader, about=header, externals=self._externals)
        self._mark = f'"{hashlib.sha256(self._content).hexdigest()[:32]}"'


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that closed the connection before the answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, page: bytes, source: PageData, *rest: Any) -> None:
        self._page, self._source = page, source
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer the browser."""
        # A foreign site may resolve its own name to this machine; the Host header then contains that name.
        if self.headers.get("Host", "").partition(":")[0] not in (HOST, "localhost"):
            self._answer(HTTPStatus.FORBIDDEN, b"This server answers to 127.0.0.1 and localhost only.")
        elif self.path == "/":
            self._answer(HTTPStatus.OK, self._page, "text/html; charset=utf-8")
        elif self.path == "/data":
            self._data()
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"There is only / here.")

    def _data(self) -> None:
        try:
            content, mark = self._source.get()
        except SsdBenchError as error:
            self._answer(HTTPStatus.ACCEPTED, str(error).encode())
            return
        if self.headers.get("If-None-Match") == mark:
            self._answer(HTTPStatus.NOT_MODIFIED, b"", mark=mark)
        else:
            self._answer(HTTPStatus.OK, content, "application/octet-stream", mark)

    def _answer(self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8", mark: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if mark:
            self.send_header("ETag", mark)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing, since the page sends a request every few seconds."""
