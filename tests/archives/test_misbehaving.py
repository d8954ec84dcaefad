"""Servers that never finish, or answer with nonsense: the transfer ends, and the other datasets are downloaded."""

import _thread
import itertools
import json
import random
import threading
import time

import pytest

from ssd_cli.archives import catalog
from ssd_cli.archives.fetch import Watcher, fetch_many, fetch_one
from ssd_cli.archives.transport import RemoteFile, TransferStopped
from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.external import reference

from .conftest import TEST, TRAIN
from .wisdm import entries, is_right, zenodo

OTHER = catalog.record_of("Skoda")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def dripping(*pieces):
    """Send pieces, then blanks for as long as the client listens; a pause keeps the socket's timeout from ending it."""
    yield from pieces
    for _ in range(2000):
        time.sleep(0.02)
        yield b" "


def silent(*pieces):
    """Send pieces, and nothing more for almost a second."""
    yield from pieces
    yield b""
    time.sleep(0.9)


def continuing():
    yield from itertools.repeat(b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 500 + b"\r\n\r\n", 100_000)


def endless(head, piece):
    yield head
    yield from itertools.repeat(piece, 100_000)


def whole(body, *headers):
    return [HEAD + b"".join(header + b"\r\n" for header in headers) + b"\r\n", body]


def document(**changes):
    file = {"key": "Skoda_TRAIN.ts", "size": 3, "checksum": "md5:" + "0" * 32, "links": {"self": "http://127.0.0.1:9/x"}}
    return json.dumps({"files": [file | changes, file | {"key": "Skoda_TEST.ts"} | changes]}).encode()


NEVER = {
    "continue": continuing,
    "status line": lambda: dripping(b"HTTP/1.1 2"),
    "header": lambda: dripping(HEAD, b"X-Slow: "),
    "body": lambda: dripping(HEAD, b"Content-Length: 100000\r\n\r\n", b"{"),
    "body without size": lambda: dripping(HEAD, b"\r\n", b"{"),
    "chunks": lambda: dripping(HEAD, b"Transfer-Encoding: chunked\r\n\r\n", b"fffff\r\n"),
    "headers": lambda: endless(HEAD, b"X-More: 1\r\n"),
    "long header": lambda: endless(HEAD + b"X: ", b"y" * 1000),
}

NONSENSE = {
    "nothing": [],
    "blank": [b"\r\n\r\n"],
    "no protocol": [b"hello\r\n\r\n"],
    "status": [b"HTTP/1.1 999 What\r\n\r\n"],
    "status text": [b"HTTP/1.1 abc\r\n\r\n"],
    "huge size": whole(b"{}", b"Content-Length: " + b"9" * 5000),
    "negative size": whole(b"{}", b"Content-Length: -5"),
    "size of digits from elsewhere": whole(b"{}", "Content-Length: ²".encode("latin-1")),
    "two sizes": whole(b"{}", b"Content-Length: 2, 3"),
    "chunk size": whole(b"zz\r\n{}", b"Transfer-Encoding: chunked"),
    "negative chunk": whole(b"-5\r\n{}", b"Transfer-Encoding: chunked"),
    "redirect to a bracket": [b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n"],
    "redirect to a port": [b"HTTP/1.1 302 Found\r\nLocation: http://h:999999/\r\n\r\n"],
    "redirect to text": [b"HTTP/1.1 302 Found\r\nLocation: http://a b\x07/\xff\r\n\r\n"],
    "redirect to nothing": [b"HTTP/1.1 302 Found\r\n\r\n"],
    "wait of ages": [b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 400 + b"\r\n\r\n"],
    "wait until a strange day": [b"HTTP/1.1 503 No\r\nRetry-After: Mon, 01 Jan 0001 00:00:00 GMT\r\n\r\n"],
    "wait until no day": [b"HTTP/1.1 503 No\r\nRetry-After: Mon, 99 Foo 2020\r\n\r\n"],
    "limit of ages": whole(b"{}", b"X-RateLimit-Remaining: 5", b"X-RateLimit-Reset: " + b"9" * 400),
    "deep": whole(b"[" * 100_000),
    "not UTF-8": whole(b"\xff\xfe{}"),
    "long number": whole(b'{"files": ' + b"9" * 10_000 + b"}"),
    "number": whole(b"7"),
    "no files": whole(b'{"files": []}'),
    "files of null": whole(b'{"files": [null, 1, "x", {"links": 5}]}'),
    "negative file": whole(document(size=-1)),
    "size of a file in words": whole(document(size="large")),
    "endless size of a file": whole(document(size=1e999)),
    "size of a file in many digits": whole(document(size=10**300)),
    "size of a file is true": whole(document(size=True)),
    "checksum": whole(document(checksum=["x"])),
    "address": whole(document(links={"self": "http://[::1"})),
    "address of a file": whole(document(links={"self": "file:///etc/passwd"})),
    "no body": whole(document()),
    "control characters": whole(document(key="Skoda\x1b[2J_TRAIN.ts")),
    "lone surrogate": whole(document(key="\ud800_TRAIN.ts")),
}


@pytest.fixture
def both(archive):
    archive.add(OTHER, Skoda_TRAIN=TRAIN, Skoda_TEST=TEST)
    return archive


def fail(both, root, path, pieces):
    """The error of Skoda, one of whose answers is bad, beside WISDM, whose answers are good."""
    both.faults[path] = [("raw", pieces() if callable(pieces) else pieces) for _ in range(3)]
    failed = fetch_many(["Skoda", "WISDM"], root, zenodo(both, attempts=1, timeout=0.3, patience=0.5), Watcher())
    assert list(failed) == ["Skoda"] and isinstance(failed["Skoda"], SsdBenchError)
    assert is_right(root) and entries(root) == ["WISDM"]
    text = str(failed["Skoda"])
    assert len(text) < 2000 and "cannot be installed" not in text, text  # an error that the code expects
    return text


@pytest.mark.parametrize("name", NEVER)
def test_a_document_that_never_ends_is_an_error(both, root, name):
    assert "could not be fetched" in fail(both, root, f"/api/records/{OTHER}", NEVER[name])


@pytest.mark.parametrize("name", NONSENSE)
def test_a_nonsensical_document_ends_one_dataset_only(both, root, name):
    fail(both, root, f"/api/records/{OTHER}", NONSENSE[name])


@pytest.mark.parametrize("name", [name for name in NEVER if "body" not in name and name != "chunks"])
def test_a_file_that_never_begins_is_an_error(both, root, name):
    assert "could not be fetched" in fail(both, root, both.path(OTHER, "Skoda_TRAIN.ts"), NEVER[name])


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(4, 200))])
def test_generated_answers_end_one_dataset_only(both, root, seed):
    """Random changes of a good answer, 25 for each seed."""
    source = random.Random(seed)
    body = json.dumps(both.document(OTHER)).encode()
    good = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for _ in range(25):
        content = bytearray(good)
        for _ in range(source.choice((1, 3, 10))):
            at = source.randrange(len(content))
            content[at : at + source.choice((0, 1, 20))] = source.randbytes(source.choice((0, 1, 5)))
        both.faults[f"/api/records/{OTHER}"] = [("raw", [bytes(content)])]
        target = root / str(len(both.requests))
        failed = fetch_many(["Skoda", "WISDM"], target, zenodo(both, attempts=1, timeout=0.3, patience=0), Watcher())
        assert set(failed) <= {"Skoda"} and is_right(target)
        assert not failed or "cannot be installed" not in str(failed["Skoda"]), failed


@pytest.mark.parametrize("error", [ValueError("odd"), RecursionError(), MemoryError(), KeyError("x"), OSError(5, "odd")])
def test_an_error_that_no_code_expects_ends_one_dataset_only(both, root, monkeypatch, error):
    real = type(zenodo(both)).files

    def files(self, name):
        if name == "Skoda":
            raise error
        return real(self, name)

    monkeypatch.setattr(type(zenodo(both)), "files", files)
    failed = fetch_many(["Skoda", "WISDM"], root, zenodo(both), Watcher())
    assert list(failed) == ["Skoda"] and is_right(root)


@pytest.mark.parametrize("name", [name for name in NEVER if name not in ("continue", "headers", "long header")])  # these end soon
@pytest.mark.parametrize("where", ["document", "file"])
def test_ctrl_c_ends_a_transfer_that_does_not_end(both, root, name, where):
    path = f"/api/records/{OTHER}" if where == "document" else both.path(OTHER, "Skoda_TRAIN.ts")
    both.faults[path] = [("raw", NEVER[name]()) for _ in range(9)]
    remote = zenodo(both, attempts=9, timeout=60, first_pause=60)  # nothing but Ctrl-C ends it
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fetch_many(["Skoda"], root, remote, Watcher())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("download")]
    assert entries(root) == []
    with pytest.raises((TransferStopped, SsdBenchError)):
        fetch_one("Skoda", root, remote)


@pytest.mark.parametrize("body", [[], [b"x" * 100]])
def test_a_stopped_transfer_without_size_and_checksum_is_not_taken_for_complete(both, tmp_path, body):
    transport = zenodo(both).transport
    both.statics["/free"] = b"x"
    both.faults["/free"] = [("raw", silent(HEAD, b"\r\n", *body))]
    threading.Timer(0.2, transport.stop).start()
    with pytest.raises(TransferStopped):
        transport.download(RemoteFile("free", f"{both.url}/free"), tmp_path / "free")
    assert not (tmp_path / "free").exists()


@pytest.mark.parametrize("announced", [True, False])
def test_reference_results_have_a_size_limit(both, tmp_path, monkeypatch, announced):
    monkeypatch.setattr(reference, "MOST_BYTES", 10_000)
    monkeypatch.setenv("SSD_BENCH_REFERENCE_RESULTS", both.url)
    both.statics["/table.csv"] = b"x"
    size = b"Content-Length: 10001\r\n" if announced else b""
    both.faults["/table.csv"] = [("raw", endless(HEAD + size + b"\r\n", b"0" * 1000)) for _ in range(9)]
    with pytest.raises(SsdBenchError, match=r"table\.csv sends more than 10000 bytes"):
        reference.fetch("table.csv")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
