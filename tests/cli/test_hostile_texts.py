"""Commands with hostile texts: names of files and methods, reasons of failures; closed streams, ASCII output, devices and links."""

import csv
import io
import itertools
import os
import random
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from ssd_cli.cli.app import main
from ssd_cli.cli.console import say
from ssd_cli.core.text import printable, spreadsheet_cell
from ssd_cli.leaderboard.table import as_csv
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import put

from .helpers import command

TEXTS = [
    "\x1b[2J\x1b[31mred",
    "a\x07b\x08",
    "\x9b5n",
    "x\u202egnp.exe",
    "line\u2028break",
    "back\\slash\\",
    "pi|pe`code`",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "é–χ√",
    "<b>&amp;",
    "\ufeffmark",
    "\x7f\x00null",
]
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2066-\u2069\ufeff\ud800-\udfff]")
"""What no output may contain."""
PATHS = ["bad\udcff", "\x1b[2Jfolder", "ünï–", "=1", "a\u202eb", "~nosuchuser", "two\nlines", " blank ", "-dash"]


class Screen:
    """Calls the command in this process, with streams of an encoding."""

    def __init__(self, monkeypatch):
        self._patch = monkeypatch

    def __call__(self, *arguments, encoding="utf-8"):
        streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for name in ("stdout", "stderr")}
        with self._patch.context() as patch:
            patch.setattr(sys, "argv", ["ssd-bench", *map(str, arguments)])
            for name, stream in streams.items():
                patch.setattr(sys, name, stream)
            try:
                main()
                code = 0
            except SystemExit as error:
                code = error.code or 0
        texts = []
        for stream in streams.values():
            stream.flush()
            texts.append(stream.buffer.getvalue().decode(encoding))
        shown = "".join(texts)
        assert not RAW.search(shown), (arguments, ascii(shown))
        assert "Traceback" not in shown and "Unexpected error" not in shown, (arguments, shown)
        assert code in (0, 1, 2), (arguments, code)
        return code, *texts


@pytest.fixture
def screen(monkeypatch, tmp_path):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SSD_BENCH_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return Screen(monkeypatch)


def results(folder, texts):
    """Two methods on two datasets for each text, one of which has failed on the second dataset."""
    store = ResultStore(folder)
    for number, text in enumerate(texts):
        for again in ("", " again"):
            for dataset, accuracy in (("D1", 0.5 + number / 100), ("D2", 0.6 - number / 100)):
                put(store, dataset, f"{text}{again}", accuracy, folder=f"method {number}{again}")
        put(store, "D3", text, None, reason=f"it {text} failed", folder=f"method {number}")
    return folder


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [("ascii", TEXTS[:5]), ("utf-8", TEXTS[5:10]), ("latin-1", TEXTS[10:-1])],
    ids=["controls", "formulas", "others"],
)
def test_texts_of_records_are_escaped(screen, tmp_path, texts, encoding):
    folder = results(tmp_path / "out", texts)
    code, out, _ = screen("status", folder, encoding=encoding)
    assert code == 0 and all(printable(text).encode(encoding, "backslashreplace").decode(encoding) in out for text in texts)
    assert (
        screen(
            "compare",
            folder,
            "--missing",
            "complete",
            "--figures",
            "--format",
            "svg",
            "--out",
            tmp_path / "tables",
            encoding=encoding,
        )[0]
        == 0
    )
    assert screen("report", folder, encoding=encoding)[0] == 0
    screen("recount", folder, encoding=encoding)
    screen("check", folder, "--reference", folder, encoding=encoding)
    for arguments in (("export", folder, "--dataset", text, "--method", text, "-o", "x.onnx") for text in texts):
        assert screen(*arguments, encoding=encoding)[0] in (1, 2)
    for path in sorted((tmp_path / "tables").iterdir()):
        content = path.read_bytes().decode() if path.suffix in (".csv", ".md", ".tex", ".svg") else ""
        assert not RAW.search(content), (path, ascii(content))
        if path.suffix == ".svg":
            ET.fromstring(content)
        if path.suffix == ".csv":
            for cell in (cell for row in csv.reader(io.StringIO(content)) for cell in row):
                assert cell[:1] not in tuple("=+@\t\r"), cell
    for line in (tmp_path / "tables" / "leaderboard.md").read_text().splitlines():
        if line.startswith("|"):  # the number of cells is that of the header: no name opens or closes one
            assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == len(re.findall(r"\|", _header(tmp_path)))


def _header(tmp_path):
    return (tmp_path / "tables" / "leaderboard.md").read_text().splitlines()[0]


@pytest.mark.parametrize(("name", "encoding"), zip(PATHS, itertools.cycle(["ascii", "utf-8"])))
def test_paths_are_shown_and_used(screen, tmp_path, name, encoding):
    missing, path = tmp_path / "none" / name, tmp_path / "here" / name
    results(path, ["single"])
    for arguments in (
        ("status", missing),
        ("compare", missing),
        ("report", missing),
        ("recount", missing),
        ("check", missing),
        ("export-tsml", missing, missing),
        ("predict", f"{missing}.onnx", missing),
        ("predict", missing, missing),
        ("data", "info", name.lstrip("-")),
        ("data", "download", "--dataset", f"={name}"),
        ("data", "import", missing),
        ("data", "add", "Toy", "--train", missing, "--test", missing),
        ("run", "--dataset", "ItalyPowerDemand", "--data-dir", missing, "--method", name.lstrip("-"), "--dry-run"),
        ("run", missing),
    ):
        assert screen(*arguments, encoding=encoding)[0] in (1, 2), arguments
    for arguments in (("status", path), ("report", path), ("export-tsml", path, path / "tsml"), ("recount", path)):
        code, _, err = screen(*arguments, encoding=encoding)
        assert code == 0 or (name == "bad\udcff" and code == 2 and "is not UTF-8" in err), arguments
    assert name == "bad\udcff" or ((path / "report.html").is_file() and (path / "tsml").is_dir())


@pytest.mark.parametrize("user", ["~nosuchuser", "~nosuchuser/folder", "~no such user"])
def test_the_home_of_an_unknown_user_is_a_path_like_any_other(screen, monkeypatch, user):
    code, _, err = screen("data", "download", "--dataset", "WISDM", "--mirror", user)
    assert code == 2 and f"The mirror {user} is neither" in err
    code, _, err = screen("run", "--dataset", "ItalyPowerDemand", "--method", "single", "--data-dir", user, "--dry-run")
    assert code in (1, 2) and user in err
    monkeypatch.setenv("AEON_DATA", user)
    monkeypatch.setenv("SSD_BENCH_DATA", user)
    screen("data", "info", "GunPoint")


def generated(seed, n):
    """Texts of plain and of hostile characters."""
    source = random.Random(seed)
    signs = "ab1 =+-@,;|\\`*_<>[]&\"'\t\n" + "".join(
        map(chr, [0, 7, 8, 13, 27, 127, 155, 0xE9, 0x202E, 0x2028, 0xFEFF, 0xDCFF, 0x1F600])
    )
    return ["".join(source.choices(signs, k=source.randrange(1, 12))) for _ in range(n)]


@pytest.mark.parametrize(("seed", "n"), [(0, 500), pytest.param(1, 50_000, marks=pytest.mark.torture)])
def test_generated_texts_reach_no_terminal_spreadsheet_or_table_raw(monkeypatch, seed, n):
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdout", screen)
    texts = generated(seed, n)
    for text in texts:
        say(text)
    screen.flush()
    shown = screen.buffer.getvalue().decode()
    assert not RAW.search(shown) and shown.count("\n") == n + sum(text.count("\n") for text in texts)
    rows = list(csv.reader(io.StringIO(as_csv([[text] for text in texts]).decode())))
    for text, (cell,) in zip(texts, rows, strict=True):
        assert cell == printable(text) or (cell == f"'{printable(text)}" and text[0] in "=+@\t")
        assert cell[0] not in "=+@\t" or float(cell) is not None


@pytest.mark.parametrize("text", TEXTS)
def test_cells_of_spreadsheets_and_printable_texts(text):
    assert not RAW.search(printable(text)) and printable(printable(text)) == printable(text)
    cell = spreadsheet_cell(text)
    assert cell == (f"'{text}" if text[0] in "=+@" else text)


@pytest.mark.parametrize("text", ["-1", "+1", "-1.5e-3", "+.5", "1", "a=b", "", "–"])
def test_numbers_and_plain_texts_stay(text):
    assert spreadsheet_cell(text) == text == printable(text)


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path, closed):
    """A file that the command opens must not get the number of a closed stream."""
    folder = results(tmp_path / "out", ["single"])
    line = f'"$@" {closed}'
    done = subprocess.run(["bash", "-c", line, "x", *command("report", folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr + done.stdout, done.stderr
    assert (folder / "report.html").read_bytes().startswith(b"<!")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
def test_an_output_that_cannot_be_written_is_an_error_in_a_sentence(tmp_path):
    line = '"$@" > /dev/full'
    done = subprocess.run(["bash", "-c", line, "x", *command("ls", "methods")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "No space left" in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_report_through_a_link_and_onto_a_device_or_a_pipe(screen, tmp_path):
    folder = results(tmp_path / "out", ["single"])
    (tmp_path / "elsewhere").mkdir()
    target, link, dangling = tmp_path / "elsewhere" / "page.html", tmp_path / "link.html", tmp_path / "dangling.html"
    target.write_text("old")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "elsewhere" / "new.html")
    for path in (link, dangling):
        assert screen("report", folder, "-o", path)[0] == 0
        assert path.is_symlink() and path.read_bytes().startswith(b"<!")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-null").symlink_to(os.devnull)
    for path in ("/dev/null", tmp_path / "pipe", tmp_path / "to-null"):
        code, _, err = screen("report", folder, "-o", path)
        assert code == 2 and "is a device or a pipe" in err
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode) and stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)  # noqa: PTH116
