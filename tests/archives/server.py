"""A local server with Zenodo's API and configurable faults."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote


class Archive:
    """Records by number, each a dict of file name to content.

    ``faults[path]`` is a list of things to do, one a request to that path, before it is answered as it should be:
    "drop" (half of the body, then the connection is cut), "wrong" (other bytes of the same length), "short" (half of the body, as
    if it were all), "endless", "no-range" (the whole body whatever range is asked), ("redirect", url), ("status", code, headers),
    ("raw", pieces) (these bytes, piece by piece, instead of an answer).
    """

    def __init__(self) -> None:
        self.records: dict[int, dict[str, bytes]] = {}
        self.faults: dict[str, list] = defaultdict(list)
        self.statics: dict[str, bytes] = {}
        self.edit = lambda document: document
        self.requests: list[tuple[str, str | None, float]] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, record: int, **files: bytes | str) -> None:
        """``add(7, Toy_TRAIN=...)`` adds ``Toy_TRAIN.ts``; the values may be text."""
        self.records[record] = {f"{name}.ts": text.encode() if isinstance(text, str) else text for name, text in files.items()}

    def path(self, record: int, file: str) -> str:
        return f"/api/records/{record}/files/{quote(file)}/content"

    def hits(self, path: str) -> list[str | None]:
        """The ranges that were asked for."""
        return [asked for requested, asked, _ in self.requests if requested == path]

    def document(self, record: int) -> dict:
        files = [
            {
                "key": name,
                "size": len(content),
                "checksum": "md5:" + hashlib.md5(content).hexdigest(),
                "links": {"self": self.url + self.path(record, name)},
            }
            for name, content in self.records[record].items()
        ]
        return self.edit({"id": record, "files": files})

    def body(self, path: str) -> bytes | None:
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "records"] and parts[2].isdecimal() and int(parts[2]) in self.records:
            if len(parts) == 3:
                return json.dumps(self.document(int(parts[2]))).encode()
            return self.records[int(parts[2])].get(unquote(parts[4]))
        return self.statics.get(path)


def _handler(archive: Archive):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            asked = self.headers.get("Range")
            with archive.lock:
                archive.requests.append((self.path, asked, time.monotonic()))
                fault = archive.faults[self.path].pop(0) if archive.faults[self.path] else None
            body = archive.body(self.path)
            if isinstance(fault, tuple) and fault[0] == "redirect":
                self._head(302, {"Location": fault[1], "Content-Length": "0"})
            elif isinstance(fault, tuple) and fault[0] == "raw":
                self._raw(fault[1])
            elif isinstance(fault, tuple):
                self._head(fault[1], {"Content-Length": "0", **fault[2]})
            elif body is None:
                self._head(404, {"Content-Length": "0"})
            else:
                self._send(body, asked, fault)

        def _send(self, body, asked, fault):
            start = 0
            if asked and fault != "no-range":
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body) and start:
                return self._head(416, {"Content-Length": "0"})
            rest = body[start:]
            if fault == "wrong":
                rest = bytes(byte ^ 1 for byte in rest)
            headers = {"Content-Length": str(len(rest))}
            if asked and fault != "no-range":
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            if fault == "short":
                rest = rest[: len(rest) // 2]
                headers["Content-Length"] = str(len(rest))
            if fault == "endless":
                del headers["Content-Length"]
                rest = rest * 1000
            self._head(206 if "Content-Range" in headers else 200, headers)
            self.wfile.write(rest[: len(rest) // 2] if fault == "drop" else rest)
            self.wfile.flush()
            if fault == "drop":
                self.connection.close()

        def _raw(self, pieces):
            try:
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                self.wfile.flush()
                self.connection.close()
            except OSError:
                pass  # the client has left

        def _head(self, status, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    return Handler
