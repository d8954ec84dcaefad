"""Downloads from a local server install the right dataset, or raise a clear error and install nothing."""

import email.utils
import errno
import hashlib
import http.client
import io
import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ssd_cli.archives import catalog, install, transport
from ssd_cli.archives import fetch as fetching
from ssd_cli.archives.fetch import Watcher, fetch_many, fetch_one
from ssd_cli.archives.load import load
from ssd_cli.archives.manifest import Manifest
from ssd_cli.archives.remotes import Zenodo
from ssd_cli.archives.transport import TransferStopped
from ssd_cli.errors import SsdBenchError

from .conftest import TEST, TRAIN
from .wisdm import LONG, RECORD, entries, is_right, quick, zenodo


def test_a_download_is_installed_with_a_manifest_and_fetches_two_files_only(archive, root):
    assert fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root) and entries(root) == ["WISDM"]
    manifest = Manifest.read(root / "WISDM", "WISDM")
    assert manifest.differences(root / "WISDM") == [] and manifest.origin == f"{archive.url}/records/{RECORD}"
    assert manifest.files["WISDM_TEST.ts"].md5 == hashlib.md5(TEST.encode()).hexdigest()
    assert len(archive.requests) == 3
    assert not fetch_one("WISDM", root, zenodo(archive)) and len(archive.requests) == 3  # it is there
    assert not list((root / ".ssd-bench").rglob("*.part"))


def test_load_downloads_into_aeons_cache_and_reads_it(archive, tmp_path):
    assert load("WISDM").train.n_cases == 2003
    n_requests = len(archive.requests)
    assert load("WISDM").test.n_cases == 2 and len(archive.requests) == n_requests
    assert is_right(tmp_path / "aeon_data")


def test_a_dropped_connection_resumes(archive, root):
    path = archive.path(RECORD, "WISDM_TRAIN.ts")
    archive.faults[path] = ["drop", "drop", ("status", 503, {})]
    fetch_one("WISDM", root, zenodo(archive))
    half = len(LONG) // 2
    assert is_right(root)
    asked = archive.hits(path)
    assert asked[:2] == [None, f"bytes={half}-"] and len(asked) == 4 and asked[3] == asked[2]


@pytest.mark.parametrize("moment", [0, 1], ids=["in the record", "in a file"])
@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN])
def test_a_lost_network_is_tried_again(archive, root, monkeypatch, number, moment):
    real, reads = http.client.HTTPResponse.read, itertools.count()

    def read(self, *arguments):
        if next(reads) == moment:
            raise OSError(number, os.strerror(number))
        return real(self, *arguments)

    monkeypatch.setattr(http.client.HTTPResponse, "read", read)
    fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root) and len(archive.requests) == 4


def test_an_interrupted_program_resumes(archive, root):
    path = archive.path(RECORD, "WISDM_TRAIN.ts")
    archive.faults[path] = ["drop", *[("status", 500, {})] * 9]
    with pytest.raises(SsdBenchError, match=r"could not be fetched: the server answered 500"):
        fetch_one("WISDM", root, zenodo(archive, attempts=2))
    assert entries(root) == []
    archive.faults.clear()
    fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root) and archive.hits(path)[-1] == f"bytes={len(LONG) // 2}-"


def test_a_partial_file_of_an_older_version_is_not_resumed(archive, root):
    archive.faults[archive.path(RECORD, "WISDM_TRAIN.ts")] = ["drop", *[("status", 500, {})] * 9]
    with pytest.raises(SsdBenchError):
        fetch_one("WISDM", root, zenodo(archive, attempts=2))
    archive.faults.clear()
    archive.add(RECORD, WISDM_TRAIN=TRAIN, WISDM_TEST=TEST)
    fetch_one("WISDM", root, zenodo(archive))
    assert (root / "WISDM" / "WISDM_TRAIN.ts").read_text() == TRAIN
    assert not list((root / "WISDM").glob("*.part"))


def test_a_file_that_changes_on_the_server_while_it_is_fetched_is_fetched_again(archive, root):
    path = archive.path(RECORD, "WISDM_TRAIN.ts")
    archive.faults[path] = ["drop", "wrong"]  # the second half is of another version
    fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root) and archive.hits(path) == [None, f"bytes={len(LONG) // 2}-", None]


def test_a_server_without_ranges_starts_again(archive, root):
    archive.faults[archive.path(RECORD, "WISDM_TRAIN.ts")] = ["drop", "no-range"]
    fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root)


@pytest.mark.parametrize("fault", ["wrong", "short", "endless"])
def test_wrong_bytes_are_fetched_once_more(archive, root, fault):
    archive.faults[archive.path(RECORD, "WISDM_TEST.ts")] = [fault]
    fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root)


@pytest.mark.parametrize("fault", ["wrong", "endless"])
def test_repeatedly_wrong_bytes_are_an_error_and_nothing_is_kept(archive, root, fault):
    archive.faults[archive.path(RECORD, "WISDM_TEST.ts")] = [fault] * 9
    with pytest.raises(SsdBenchError, match="arrived twice, but not as announced"):
        fetch_one("WISDM", root, zenodo(archive))
    assert entries(root) == [] and not list((root / ".ssd-bench").rglob("WISDM_TEST*"))


def test_a_file_that_stays_truncated_is_an_error(archive, root):
    archive.edit = lambda document: {"files": [{**file, "size": file["size"] + 5} for file in document["files"]]}
    with pytest.raises(SsdBenchError, match="could not be fetched"):
        fetch_one("WISDM", root, zenodo(archive, attempts=3))
    assert entries(root) == []


def test_a_rate_limit_is_waited_for(archive, root):
    path = f"/api/records/{RECORD}"
    archive.faults[path] = [("status", 429, {"Retry-After": "1"})]
    archive.faults[archive.path(RECORD, "WISDM_TRAIN.ts")] = [("status", 429, {"X-RateLimit-Reset": str(int(time.time()) + 3)})]
    fetch_one("WISDM", root, zenodo(archive))
    times = [when for requested, _, when in archive.requests if requested == path]
    assert is_right(root) and times[1] - times[0] >= 0.95
    assert len(archive.requests) == 5  # nobody asks again before the time


def test_a_rate_limit_may_name_a_time_of_day(archive, root):
    path = f"/api/records/{RECORD}"
    archive.faults[path] = [("status", 429, {"Retry-After": email.utils.formatdate(time.time() + 2, usegmt=True)})]
    fetch_one("WISDM", root, zenodo(archive))
    first, second = (when for requested, _, when in archive.requests if requested == path)
    assert is_right(root) and second - first >= 0.9  # such a time has whole seconds


def test_all_threads_wait_for_a_rate_limit(archive, root):
    for name in ("PAMAP2", "Skoda", "USCActivity"):
        archive.add(catalog.record_of(name), **{f"{name}_TRAIN": TRAIN, f"{name}_TEST": TEST})
    archive.faults[f"/api/records/{RECORD}"] = [("status", 429, {"Retry-After": "1"})]
    assert fetch_many(["WISDM", "PAMAP2", "Skoda", "USCActivity"], root, zenodo(archive), Watcher(), jobs=1) == {}
    when = [when for _, _, when in archive.requests]
    assert when[1] - when[0] >= 0.95 and entries(root) == ["PAMAP2", "Skoda", "USCActivity", "WISDM"]


def test_a_rate_limit_of_hours_is_an_immediate_error(archive, root):
    archive.faults[f"/api/records/{RECORD}"] = [("status", 429, {"Retry-After": "7200"})]
    with pytest.raises(SsdBenchError, match="asks to wait 120 minutes"):
        fetch_one("WISDM", root, zenodo(archive))


def test_redirects_are_followed_to_web_addresses_only(archive, root):
    path = archive.path(RECORD, "WISDM_TRAIN.ts")
    archive.statics["/elsewhere"] = LONG.encode()
    archive.faults[path] = [("redirect", f"{archive.url}/elsewhere")]
    fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root)
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        archive.faults[path] = [("redirect", url)]
        with pytest.raises(SsdBenchError, match=r"(?i)redirect"):
            fetch_one("WISDM", root, zenodo(archive), force=True)
    archive.faults[path] = [("redirect", archive.url + path)] * 30
    with pytest.raises(SsdBenchError, match="302"):
        fetch_one("WISDM", root, zenodo(archive), force=True)
    assert is_right(root)  # what was there stays


@pytest.mark.parametrize("key", ["../../x", "/etc/x", "..", "a/b_TRAIN.ts", "..\\x", "WISDM_TRAIN.ts/../../x", "", None, 7])
def test_a_hostile_file_name_is_never_written(archive, root, tmp_path, key):
    before = sorted(tmp_path.rglob("*"))
    archive.edit = lambda document: {"files": [{**document["files"][0], "key": key}, *document["files"][1:]]}
    with pytest.raises(SsdBenchError, match=r"holds no WISDM_TRAIN\.ts"):
        fetch_one("WISDM", root, zenodo(archive))
    assert entries(root) == []
    assert [path for path in sorted(tmp_path.rglob("*")) if root not in path.parents and path != root] == before


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"files": 3},
        {"files": [3, None, {"key": "WISDM_TRAIN.ts"}, {"key": "WISDM_TRAIN.ts", "links": 4}]},
        {"files": [{"key": "WISDM_TRAIN.ts", "links": {"self": "file:///etc/passwd"}, "size": 1, "checksum": "md5:" + "0" * 32}]},
        {"files": [{"key": "WISDM_TRAIN.ts", "links": {"self": "http://x/"}, "size": 1}]},
        {"files": [{"key": "WISDM_TRAIN.ts", "links": {"self": "http://x/"}, "size": -1, "checksum": "md5:" + "0" * 32}]},
    ],
)
def test_a_record_that_is_no_record_is_an_error(archive, root, document):
    archive.edit = lambda _: document
    with pytest.raises(SsdBenchError):
        fetch_one("WISDM", root, zenodo(archive))
    assert entries(root) == []


def test_an_answer_that_is_no_json_and_a_missing_record_are_errors(archive, root):
    archive.statics["/api/records/x"] = b"<html>"
    with pytest.raises(SsdBenchError, match="did not answer with a JSON"):
        quick().json(f"{archive.url}/api/records/x")
    del archive.records[RECORD]
    with pytest.raises(SsdBenchError, match="404"):
        fetch_one("WISDM", root, zenodo(archive))


def test_a_malformed_file_with_the_right_checksum_is_not_installed(archive, root):
    archive.add(RECORD, WISDM_TRAIN=LONG + "1,2,x:a\n", WISDM_TEST=TEST)
    with pytest.raises(SsdBenchError, match="line 2009: value 3"):
        fetch_one("WISDM", root, zenodo(archive))
    assert entries(root) == [] and not (root / ".ssd-bench" / "WISDM").exists()


def test_a_file_with_fewer_cases_than_published_is_not_installed(archive, root):
    archive.add(catalog.record_of("Coffee"), Coffee_TRAIN=TRAIN, Coffee_TEST=TEST)
    with pytest.raises(SsdBenchError, match="n_train is 3"):
        fetch_one("Coffee", root, zenodo(archive))
    assert entries(root) == []


def test_a_failed_download_of_aeon_is_replaced_and_subjects_are_kept(archive, root):
    (root / "WISDM").mkdir(parents=True)
    (root / "WISDM" / "WISDM_TRAIN.ts").write_text("half")
    rows = "".join(f"{row},{row // 9},{'b' if row == 1 else 'a'}\n" for row in range(2003))
    (root / "WISDM" / "WISDM_subjects_train.csv").write_text("row,subject,label\n" + rows)
    (root / "WISDM" / "WISDM_subjects_test.csv").write_text("row,subject,label\n0,900,b\n1,900,a\n")
    fetch_one("WISDM", root, zenodo(archive))
    assert (root / "WISDM" / "WISDM_TRAIN.ts").read_text() == LONG
    assert load("WISDM", [root]).test.groups.tolist() == [900, 900]
    assert entries(root) == ["WISDM"]


def test_subjects_that_do_not_match_a_new_download_keep_the_old_files(archive, root):
    fetch_one("WISDM", root, zenodo(archive))
    rows = "".join(f"{row},{row // 9},{'b' if row == 1 else 'a'}\n" for row in range(2003))
    (root / "WISDM" / "WISDM_subjects_train.csv").write_text("row,subject,label\n" + rows)
    (root / "WISDM" / "WISDM_subjects_test.csv").write_text("row,subject,label\n0,900,b\n1,900,a\n")
    fetch_one("WISDM", root, zenodo(archive), force=True)
    assert load("WISDM", [root]).test.groups.tolist() == [900, 900]
    archive.add(RECORD, WISDM_TRAIN=TRAIN, WISDM_TEST=TEST)  # a new version with fewer cases
    with pytest.raises(SsdBenchError, match=f"^{root}/WISDM/WISDM_subjects_train.csv, line 5: more rows than the 3 cases"):
        fetch_one("WISDM", root, zenodo(archive), force=True)
    assert load("WISDM", [root]).train.n_cases == 2003 and entries(root) == ["WISDM"]


def test_a_download_keeps_other_files_and_single_parts_in_other_formats(archive, root):
    folder = root / "WISDM"
    folder.mkdir(parents=True)
    for name in ("WISDM_eq_TRAIN.ts", "my_labels.csv"):
        (folder / name).write_text("mine")
    fetch_one("WISDM", root, zenodo(archive))
    assert (folder / "WISDM_eq_TRAIN.ts").read_text() == (folder / "my_labels.csv").read_text() == "mine"
    assert (folder / "WISDM_TRAIN.ts").read_text() == LONG
    for path in folder.glob("WISDM_T*.ts"):
        path.unlink()
    (folder / "WISDM_TRAIN.csv").write_text("mine")
    with pytest.raises(SsdBenchError, match=r"WISDM holds WISDM_TRAIN\.csv, but not a complete dataset"):
        fetch_one("WISDM", root, zenodo(archive))
    assert (folder / "WISDM_TRAIN.csv").read_text() == "mine"


def test_a_failure_does_not_stop_the_others(archive, root):
    archive.add(catalog.record_of("PAMAP2"), PAMAP2_TRAIN=TRAIN, PAMAP2_TEST=TEST)
    failed = fetch_many(["Skoda", "WISDM", "UCIHAR", "PAMAP2"], root, zenodo(archive), Watcher())
    assert sorted(failed) == ["Skoda", "UCIHAR"] and entries(root) == ["PAMAP2", "WISDM"]


def test_two_processes_at_once_download_once(archive, root):
    archive.faults[archive.path(RECORD, "WISDM_TRAIN.ts")] = [("status", 429, {"Retry-After": "2"})]
    code = (
        "import sys; from pathlib import Path; from ssd_cli.archives.fetch import *\n"
        "from ssd_cli.archives.remotes import choose_remote; print(fetch_one('WISDM', Path(sys.argv[1]), choose_remote()))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate(timeout=60)[0].strip() for process in both) == ["False", "True"]
    assert is_right(root) and len(archive.hits(archive.path(RECORD, "WISDM_TEST.ts"))) == 1


def test_a_killed_process_installs_nothing_and_its_lock_is_free(archive, root):
    archive.faults[archive.path(RECORD, "WISDM_TEST.ts")] = [("status", 503, {"Retry-After": "60"})]
    code = (
        "import sys, pathlib; from ssd_cli.archives.fetch import *\n"
        "from ssd_cli.archives.remotes import choose_remote; fetch_one('WISDM', pathlib.Path(sys.argv[1]), choose_remote())"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(root)])
    while not archive.hits(archive.path(RECORD, "WISDM_TEST.ts")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert entries(root) == []
    fetch_one("WISDM", root, zenodo(archive))
    assert is_right(root) and len(archive.hits(archive.path(RECORD, "WISDM_TRAIN.ts"))) == 1  # it had arrived


class _Full(io.FileIO):
    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["download", "manifest"])
def test_a_full_disk_is_an_error_and_nothing_is_installed(archive, root, monkeypatch, where):
    if where == "download":
        real = Path.open

        def full(self, mode="r", *arguments, **options):
            return _Full(self, "wb") if self.suffix == ".part" and mode != "rb" else real(self, mode, *arguments, **options)

        monkeypatch.setattr(transport.Path, "open", full)
    else:
        monkeypatch.setattr(install.os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(SsdBenchError, match=r"The disk of .* is full"):
        fetch_one("WISDM", root, zenodo(archive))
    assert entries(root) == []
    monkeypatch.undo()
    fetch_one("WISDM", root, Zenodo(quick(), archive.url))
    assert is_right(root)


def test_a_disk_without_room_is_an_error_before_the_download(archive, root, monkeypatch):
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: os.terminal_size((0, 0)) and type("U", (), {"free": 10}))
    with pytest.raises(SsdBenchError, match="the files need"):
        fetch_one("WISDM", root, zenodo(archive))
    assert len(archive.requests) == 1


def test_no_network_is_reported_soon(root):
    with pytest.raises(SsdBenchError, match="could not be fetched"):
        fetch_one("WISDM", root, Zenodo(quick(attempts=2), "http://127.0.0.1:9"))
    with pytest.raises(SsdBenchError, match="Tried 2 times"):
        fetch_one("WISDM", root, Zenodo(quick(attempts=99), "http://name.invalid"))


def test_ctrl_c_ends_the_waiting_of_all_threads(archive, root):
    source = zenodo(archive)
    archive.faults[f"/api/records/{RECORD}"] = [("status", 429, {"Retry-After": "300"})]
    threading.Timer(0.3, source.transport.stop).start()
    with pytest.raises(TransferStopped):
        fetch_many(["WISDM"], root, source, Watcher())
