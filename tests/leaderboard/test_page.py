import base64
import gzip
import json
import re
import socket
import struct
import urllib.error
import urllib.request
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from socketserver import BaseServer
from threading import Thread

import numpy as np
import pytest

from ssd_cli.cli.report import about, heading, progress, report, serve
from ssd_cli.cli.status import status
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.external.result import External, default_split
from ssd_cli.leaderboard.external.sources import ExternalSources
from ssd_cli.leaderboard.page.assemble import assemble
from ssd_cli.leaderboard.page.data import pack, payload
from ssd_cli.leaderboard.page.details import NONE, Reader, downsampled
from ssd_cli.leaderboard.page.server import HOST, PageData, open_server
from ssd_cli.running.plan_file import save_plan
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import Given, fill, put
from tests.running.builders import make_plan, make_planned
from tests.running.test_plan import finish
from tests.store.builders import make_cell

KINDS = {"Uint8Array": "<u1", "Uint16Array": "<u2", "Uint32Array": "<u4", "Float32Array": "<f4", "Float64Array": "<f8"}
TABLE = {"single": [0.5, 0.6, None], "ssd": [0.7, 0.8, 0.9]}


def unpacked(block):
    """What the browser makes of it."""
    content = gzip.decompress(block)
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    places = header.pop("arrays")
    read = {
        name: np.frombuffer(content, KINDS[place["type"]], place["length"], 4 + length + place["start"])
        for name, place in places.items()
    }
    assert all((4 + length + place["start"]) % 8 == 0 for place in places.values())
    return header, read


def of(*folders, **options):
    return unpacked(payload(list(folders), **options))


def test_every_number_arrives_as_it_was(tmp_path):
    fill(tmp_path, TABLE)
    header, arrays = of(tmp_path)
    assert [one["name"] for one in header["datasets"]] == ["D00", "D01", "D02"]
    assert [one["name"] for one in header["methods"]] == ["single", "ssd"]
    cells = list(zip(arrays["dataset"].tolist(), arrays["method"].tolist(), strict=True))
    assert cells == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert arrays["status"].tolist() == [0, 0, 0, 0, 1, 0]
    np.testing.assert_array_equal(arrays["accuracy"], [0.5, 0.7, 0.6, 0.8, np.nan, 0.9])
    [(cell, reason, _)] = header["failures"]
    assert cells[cell] == (2, 0)
    assert header["failureTexts"][reason] == "NaN in epoch 3"


def test_every_cell_brings_its_own_costs_so_that_chosen_runs_can_be_averaged(tmp_path):
    store = ResultStore(tmp_path)
    for seed, macs in enumerate((100.0, 300.0)):
        put(store, "D", "ssd", 0.5, seed=seed, costs={"macs": macs, "parameters": 7})
    put(store, "D", "single", 0.5)
    put(store, "D", "single", None, seed=1, costs={"macs": 5.0})
    header, arrays = of(tmp_path)
    assert [one["key"] for one in header["columns"]] == ["macs", "parameters"]
    single, ssd = [np.nan, 5.0], [100.0, 300.0]
    np.testing.assert_array_equal(arrays["columns"], [*single, *ssd, np.nan, np.nan, 7, 7])


def test_results_of_others_go_with_every_choice_of_resamples(tmp_path):
    store = ResultStore(tmp_path)
    for resample in (0, 1):
        put(store, "A", "single", 0.5, resample=resample)
        put(store, "B", "single", 0.5, resample=resample)

    def others(resamples):
        return [External("him (published)", "him", "published", default_split, {"A": 0.25 * len(resamples), "Z": 1.0}, "there")]

    header, arrays = of(tmp_path, externals=Given(others))
    assert [one["name"] for one in header["methods"]] == ["him (published)", "single"]
    assert arrays["method"].tolist() == [1, 1, 1, 1]
    scores = {choice: block["methods"]["him (published)"]["scores"] for choice, block in header["external"].items()}
    assert scores == {"0": [0.25, None], "0,1": [0.5, None], "1": [0.25, None]}
    assert [len(block["warnings"]) for block in header["external"].values()] == [0, 1, 1]
    (tmp_path / "t.csv").write_text("dataset,x\nA,1\n")
    put(store, "A", "x (t)", 0.5)
    with pytest.raises(SsdBenchError, match=r"Two methods are called 'x \(t\)'"):
        of(tmp_path, externals=ExternalSources(files=(tmp_path / "t.csv",)))


def test_provenance_is_kept_once_for_all_its_cells_and_its_time_for_each(tmp_path):
    store = ResultStore(tmp_path)
    for number, dataset in enumerate("ABC"):
        provenance = {"command": "run it", "finished": f"1970-01-01T00:00:0{number}+00:00"}
        put(store, dataset, "single", 0.5, provenance=provenance)
    put(store, "D", "single", 0.5, provenance={"command": "run that"})
    header, arrays = of(tmp_path)
    assert [one["command"] for one in header["provenances"]] == ["run it", "run that"]
    assert arrays["provenance"].tolist() == [0, 0, 0, 1]
    assert arrays["finished"].tolist() == [0, 1, 2, 0]
    first = store.read(make_cell("A", "single"))
    assert bytes(arrays["identity"][:6]).hex() == first.identity_hash[:12]


def test_learning_curves_of_the_first_result_are_near_what_was_recorded(tmp_path):
    store = ResultStore(tmp_path)
    losses = np.exp(-np.linspace(0, 3, 320))
    networks = [
        {"label": f"member {number}", "curve": {"loss": losses.tolist(), "learning_rate": [0.1] * 320}} for number in range(5)
    ]
    for seed in (0, 1):
        put(store, "D", "ens", 0.5, seed=seed, curves=networks)
    header, arrays = of(tmp_path)
    assert [header["curves"]["labels"][row[1]] for row in header["curves"]["rows"]] == ["member 0", "member 1", "member 4"]
    cell, _, epochs, n_points, logarithmic, low, high, n_networks = header["curves"]["rows"][0]
    assert (cell, epochs, n_points, logarithmic, n_networks) == (0, 320, 32, 1, 5)
    read = np.exp(low + (high - low) * arrays["points"][:32] / 255)
    np.testing.assert_allclose(read, losses.reshape(32, 10).mean(axis=1), rtol=0.01)


@pytest.mark.parametrize("n", [1, 5, 32, 33, 100, 1500])
def test_down_sampling_keeps_the_mean_and_the_order(n):
    values = np.linspace(3, 1, n)
    small = downsampled(values)
    assert len(small) == min(n, 32)
    assert list(small) == sorted(small, reverse=True)
    assert np.mean(small) == pytest.approx(np.mean(values), abs=0.05)


def test_a_record_is_read_again_only_when_it_changed(tmp_path, monkeypatch):
    store, reader = ResultStore(tmp_path), Reader()
    put(store, "D", "single", 0.5, provenance={"command": "first"})
    path = store.paths(make_cell("D", "single"))[1]
    assert reader.read(path, False).provenance == {"command": "first"}
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.read_bytes", lambda path: pytest.fail("read again"))
        assert reader.read(path, False).provenance == {"command": "first"}
    put(store, "D", "single", 0.5, provenance={"command": "second"})
    assert reader.read(path, False).provenance == {"command": "second"}
    path.unlink()
    assert reader.read(path, False) == NONE


def test_a_record_in_another_layout_of_lines_is_read_as_well(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"provenance": {"command": "x"}, "curves": [], "traceback": "why"}))
    assert Reader().read(path, True).provenance == {"command": "x"}
    assert Reader().read(path, True).traceback == "why"


def test_the_same_cells_give_the_same_bytes(tmp_path):
    fill(tmp_path, TABLE)
    assert payload([tmp_path]) == payload([tmp_path])
    assert pack({}, {"a": np.zeros(3, np.uint8)}) == pack({}, {"a": np.zeros(3, np.uint8)})


def test_the_page_names_no_address_and_allows_only_its_own_script():
    page = assemble("<T>", b"data").decode()
    assert "<title>&lt;T&gt;</title>" in page
    assert base64.b64encode(b"data").decode() in page
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href)=\"(?!#|data:,)", page)
    assert "default-src 'none'" in page
    assert "unsafe" not in page.split("</head>")[0]


def test_sizes_of_the_catalogue_go_with_the_datasets(tmp_path):
    for dataset in ("GunPoint", "of nobody"):
        put(ResultStore(tmp_path), dataset, "single", 0.5)
    known, unknown = of(tmp_path)[0]["datasets"]
    assert known == {
        "name": "GunPoint",
        "archives": ["ucr", "ucr112", "bundled"],
        "type": "Motion",
        **{"n_train": 50, "n_test": 150, "n_channels": 1, "n_timepoints": 150, "n_classes": 2},
    }
    assert unknown == {"name": "of nobody"}


def test_report_writes_one_file(tmp_path, capsys):
    fill(tmp_path / "cells", TABLE)
    report([tmp_path / "cells"])
    assert (tmp_path / "cells" / "report.html").is_file()
    report([tmp_path / "cells"], tmp_path / "page.html", "Mine")
    assert "<title>Mine</title>" in (tmp_path / "page.html").read_text()
    assert "page.html" in capsys.readouterr().out
    with pytest.raises(MisuseError, match=r"cells is a folder(?s:.*)Use -o .*cells/report.html"):
        report([tmp_path / "cells"], tmp_path / "cells")
    assert heading([tmp_path / "cells"]) == "ssd-bench: cells"


def test_report_takes_the_results_of_others_that_compare_takes(tmp_path, capsys):
    put(ResultStore(tmp_path / "cells"), "GunPoint", "single", 0.5)
    (tmp_path / "mine.csv").write_text("dataset,forest\nGunPoint,0.75\n")
    report([tmp_path / "cells"], tmp_path / "page.html", published="inceptiontime", others=[tmp_path / "mine.csv"])
    block = re.search(r'id="data"[^>]*>([^<]+)<', (tmp_path / "page.html").read_text())[1]
    header, _ = unpacked(base64.b64decode(block))
    assert [one["name"] for one in header["methods"]] == ["forest (mine)", "inceptiontime (published)", "single"]
    assert header["external"]["0"]["methods"]["forest (mine)"]["scores"] == [0.75]
    with pytest.raises(MisuseError, match="no published results 'nobody'"):
        serve([tmp_path / "cells"], published="nobody")


def test_a_dated_page_is_made_again_byte_for_byte(tmp_path, monkeypatch):
    fill(tmp_path / "cells", TABLE)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764000000")
    assert about()["made"] == "2025-11-24 16:00 UTC"
    for name in ("one.html", "two.html"):
        report([tmp_path / "cells"], tmp_path / name, "Mine")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_nothing_to_report_is_an_error(tmp_path):
    with pytest.raises(SsdBenchError, match="holds no results"):
        report([tmp_path])
    with pytest.raises(MisuseError, match="no folder"):
        serve([tmp_path / "nowhere"])


@contextmanager
def served(folder):
    with open_server([folder], 0, "Live", partial(progress, [folder])) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(address, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def test_the_server_gives_the_page_its_data_and_news_only_where_there_are_any(tmp_path, monkeypatch):
    monkeypatch.setattr("ssd_cli.leaderboard.page.server.REST", 0.0)
    with served(tmp_path) as address:
        status, page, _ = ask(f"{address}/")
        assert (status, b"<title>Live</title>" in page) == (200, True)
        status, text, _ = ask(f"{address}/data")
        assert (status, b"holds no results" in text) == (202, True)
        fill(tmp_path, TABLE)
        status, block, headers = ask(f"{address}/data")
        header, _ = unpacked(block)
        assert (status, header["progress"]["ok"], header["progress"]["failed"]) == (200, 5, 1)
        assert ask(f"{address}/data", **{"If-None-Match": headers["ETag"]})[0] == 304
        fill(tmp_path, {"kd": [0.5]})
        status, block, _ = ask(f"{address}/data", **{"If-None-Match": headers["ETag"]})
        assert (status, len(unpacked(block)[0]["methods"])) == (200, 3)


def test_the_server_answers_this_machine_only(tmp_path):
    with served(tmp_path) as address:
        assert ask(f"{address}/", Host="evil.example:80")[0] == 403
        assert ask(f"{address}/", Host="127.0.0.1")[0] == 200  # what a browser sends for port 80
        assert ask(f"{address}/../etc/passwd")[0] == 404
        port = int(address.rpartition(":")[2])
        with pytest.raises(MisuseError, match=f"port {port}"):
            open_server([tmp_path], port, "again", dict)


def test_a_browser_that_leaves_while_it_is_answered_is_no_error(tmp_path, monkeypatch, capsys):
    def answered(get):
        def get_and_leave(source):
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed at once, as by a crash
            browser.close()
            return get(source)

        monkeypatch.setattr(PageData, "get", get_and_leave)
        with socket.create_connection((HOST, server.server_port)) as browser:
            browser.sendall(b"GET /data HTTP/1.1\r\nHost: localhost\r\n\r\n")
            server.handle_request()
        return capsys.readouterr().err

    monkeypatch.setattr(ThreadingHTTPServer, "process_request", BaseServer.process_request)  # in this thread
    with open_server([tmp_path], 0, "Live", dict) as server:
        assert answered(lambda source: (bytes(2**22), '"mark"')) == ""
        assert "ZeroDivisionError" in answered(lambda source: 1 / 0)


def test_progress_counts_cells_without_their_predictions_as_left_as_status_does(tmp_path, capsys):
    cells = [make_planned(name) for name in ("Alpha", "Beta", "Gamma")]
    save_plan(tmp_path, make_plan(cells))
    for cell in cells:
        finish(tmp_path, cell)
    gone, changed, _ = (ResultStore(tmp_path).paths(cell.cell)[0] for cell in cells)
    gone.unlink()
    changed.write_text(changed.read_text().replace("0.1", "0.2"))
    status(tmp_path)
    assert capsys.readouterr().out.startswith("1 done, 0 failed, 0 skipped, 2 left")
    assert progress([tmp_path]) == {"ok": 1, "failed": 0, "skipped": 0, "left": 2, "working": []}


def test_data_are_not_made_anew_at_every_question(tmp_path, monkeypatch):
    fill(tmp_path, TABLE)
    monkeypatch.setattr("ssd_cli.leaderboard.page.server.REST", 1e9)
    source = PageData([tmp_path], dict)
    first = source.get()
    fill(tmp_path, {"kd": [0.5]})
    assert source.get() == first
