"""HTTP connections that end: another thread can cut them, and an answer must begin within limits of time and size."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import urllib.request
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

_HEAD_BYTES = 2**18
"""Largest size of all status lines and headers before a body; http.client permits an endless number of "100 Continue"."""


class Connections:
    """The open connections of a transport."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def handlers(self) -> list[urllib.request.BaseHandler]:
        """Return the handlers for an opener, which register each connection here."""
        return [_HTTPHandler(self), _HTTPSHandler(self)]

    def add(self, sock: socket.socket) -> None:
        """Register a socket; cut it if the connections were already cut."""
        with self._lock:
            self._sockets.add(sock)
            if self._closed:
                cut(sock)

    def cut(self) -> None:
        """Cut all connections, and those that are opened later; threads that read from them get an error or the end of the data."""
        with self._lock:
            self._closed = True
            for sock in self._sockets:
                cut(sock)


def cut(sock: socket.socket) -> None:
    """End both directions of a connection; the thread that uses it closes it."""
    with contextlib.suppress(OSError):  # closed already
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # the method of TLS sockets is not safe while another thread reads


@contextlib.contextmanager
def time_limit(sock: socket.socket, seconds: float) -> Iterator[None]:
    """Cut the connection and raise TimeoutError if the enclosed block takes longer. A socket's own timeout only limits silence."""
    late = threading.Event()

    def end() -> None:
        late.set()
        cut(sock)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"no complete answer within {seconds:g} s")


class _Head:
    """Reader of status lines and headers that raises HTTPException beyond `_HEAD_BYTES`."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, _HEAD_BYTES

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.HTTPException(f"the answer begins with more than {_HEAD_BYTES} bytes of headers")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Response(http.client.HTTPResponse):
    """A response with a limited head."""

    limited: Any = None
    """Context manager that limits the seconds of the enclosed block."""

    def begin(self) -> None:
        file, self.fp = self.fp, _Head(self.fp)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = file


class _HTTPConnection(http.client.HTTPConnection):
    """A registered connection; the head of an answer must arrive within the connection's timeout."""

    response_class = _Response

    def __init__(self, connections: Connections, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections = connections

    def connect(self) -> None:
        super().connect()
        self._connections.add(self.sock)

    def getresponse(self) -> Any:
        limited = partial(time_limit, self.sock)
        with limited(self.timeout or 60.0):
            response: Any = super().getresponse()
            response.limited = limited
        return response


class _HTTPSConnection(_HTTPConnection, http.client.HTTPSConnection):
    """The same with TLS."""


class _HTTPHandler(urllib.request.HTTPHandler):
    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(partial(_HTTPConnection, self._connections), req)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(partial(_HTTPSConnection, self._connections), req)
