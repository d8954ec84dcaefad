"""The page and its data over HTTP, for browsers of this machine only."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections import Counter
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd_cli.core.version import __version__
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.page.assemble import assemble
from ssd_cli.leaderboard.page.data import payload
from ssd_cli.leaderboard.page.details import Reader

if TYPE_CHECKING:
    from ssd_cli.leaderboard.external import Externals

HOST = "127.0.0.1"

_REST = 4.0
"""After the data were made they are given out again for this many times as long as the making took: at most a fifth of one core."""


def open_server(folders: list[Path], port: int, title: str, externals: Externals | None = None) -> ThreadingHTTPServer:
    """A server that listens on the loopback interface; 0 takes a free port. Results of others stand beside those of the folders.

    Raises
    ------
    MisuseError
        If the port is taken or forbidden.
    """
    try:
        return _Server((HOST, port), partial(_Handler, assemble(title, None), Source(folders, externals)))
    except OSError as error:
        raise MisuseError(
            f"Cannot listen on port {port}: {error.strerror}.", "", "Choose another one with --port, or --port 0."
        ) from error


class Source:
    """The data of the page, made anew when asked for, but not all the time.

    Parameters
    ----------
    folders : list of Path
    externals : callable, optional
        Results of others; see `payload`.
    """

    def __init__(self, folders: list[Path], externals: Externals | None = None) -> None:
        self._folders, self._externals = folders, externals
        self._reader = Reader()
        self._lock = threading.Lock()
        self._content, self._mark = b"", ""
        self._good_until = 0.0

    def get(self) -> tuple[bytes, str]:
        """The data and a mark that changes with them.

        Raises
        ------
        SsdBenchError
            If there is nothing to show yet, or nothing that can stand in one table.
        """
        with self._lock:
            started = time.monotonic()
            if started >= self._good_until:
                self._renew()
                self._good_until = time.monotonic() + _REST * (time.monotonic() - started)
            return self._content, self._mark

    def _renew(self) -> None:
        header = {"version": __version__, "progress": _progress(self._folders)}  # no time: what did not change is not sent again
        self._content = payload(self._folders, reader=self._reader, about=header, externals=self._externals)
        self._mark = f'"{hashlib.sha256(self._content).hexdigest()[:32]}"'


def _progress(folders: list[Path]) -> dict[str, Any]:
    """How far the runs are: counts of cells, and what is worked on."""
    from ssd_cli.core.claims import Claims
    from ssd_cli.running.plan_file import planned_cells
    from ssd_cli.running.resume import record_path, whole
    from ssd_cli.store.index import load_index
    from ssd_cli.store.results import ResultStore

    counts: Counter[str] = Counter()
    working: list[str] = []
    for folder in folders:
        records, store = whole(load_index(folder)), ResultStore(folder)
        counts.update(records["status"].tolist())
        there = set(records["path"].tolist())
        counts["left"] += sum(record_path(store, cell) not in there for cell in planned_cells(folder))
        working += [owner.what for key, owner in Claims(folder / ".claims").live() if key.startswith("cell-")]
    return {**{key: counts[key] for key in ("ok", "failed", "skipped", "left")}, "working": sorted(working)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that left before it had its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Two addresses: the page and its data."""

    def __init__(self, page: bytes, source: Source, *rest: Any) -> None:
        self._page, self._source = page, source
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer the browser."""
        # A foreign site may point its own name at this machine; the name that the browser asked for gives it away.
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
        """Say nothing: a line every few seconds helps nobody."""
