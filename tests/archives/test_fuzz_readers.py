"""Generated files, damaged at random: an error for the user, or the arrays that a plain reader of the format finds."""

import contextlib
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssd_cli.archives.read import read_part
from ssd_cli.deployment.stream import read_window, windows
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.suite import parse_suite

from . import plain, writers

N_INPUTS = {"ts": 220, "arff": 170, "csv": 170, "tsv": 110, "txt": 90, "npz": 50, "parquet": 50}
N_INPUTS |= {"subjects": 50, "stream": 60, "suite": 30}
"""1,000 inputs; ``make torture`` takes ten times as many."""

VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-999, 999).map(str),
    st.sampled_from(["?", "NaN", ".5", "4.", "-1e-3", "1E+2"]),
)
STRANGE_VALUES = ["", " ", "x", "1_0", "inf", "1e999", "0x1f", "１", "1 2", "(0,1)", "nanx", "9" * 400, "--1", '"1"', "'1'"]
LABELS = ["1", "2", "10", "1.0", "-1", "a", "b", "Up", "up", "walk fast", "walk", "it's", 'a "b"', "a,b", "c\\d", "5%", "é", "01"]
STRANGE_LABELS = ["?", "NaN", "", " ", "1.5", "a:b", "\x00", "\t", "\udcff", "x" * 50]
PIECES = [",", ":", "\t", " ", "\n", "\r", "\n\n", "'", '"', "\\", "\\n", "%", "#", "{", "}", "?", "_", "-", "1", ".", "e"]
PIECES += ["@data", "@end", "NaN", "\ufeff", "\x00", "label", "case", "false", "true", "９", "0" * 30, "x_0"]


@st.composite
def problems(draw, form):
    """Series as texts of numbers, and labels; some are no numbers and no labels."""
    n_cases, n_timepoints = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    n_channels = 1 if form in writers.ONE_CHANNEL else draw(st.integers(1, 3))
    size = n_cases * n_channels * n_timepoints
    values = draw(st.lists(VALUES, min_size=size, max_size=size))
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=n_cases, max_size=n_cases))
    if draw(st.integers(0, 3)) == 0 and form != "npz":
        values[draw(st.integers(0, size - 1))] = draw(st.sampled_from(STRANGE_VALUES))
    if draw(st.integers(0, 3)) == 0:
        labels[draw(st.integers(0, n_cases - 1))] = draw(st.sampled_from(STRANGE_LABELS))
    cube = np.array(values, dtype=object).reshape(n_cases, n_channels, n_timepoints)
    return cube.tolist(), labels


@st.composite
def damages(draw, content: bytes):
    """Damage a file up to three times: cut it, or replace, insert, remove or double a piece or a line."""
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        kind = draw(st.sampled_from(["piece", "piece", "byte", "remove", "cut", "line", "double", "swap"]))
        piece = draw(st.sampled_from(PIECES)).encode()
        rows = content.splitlines(keepends=True) or [b""]
        row, other = (draw(st.integers(0, len(rows) - 1)) for _ in range(2))
        if kind == "line":
            del rows[row]
        elif kind == "double":
            rows.insert(other, rows[row])
        elif kind == "swap":
            rows[row], rows[other] = rows[other], rows[row]
        content = {
            "piece": content[:at] + piece + content[at + draw(st.integers(0, 2)) :],
            "byte": content[:at] + draw(st.binary(min_size=1, max_size=2)) + content[at:],
            "remove": content[:at] + content[min(end, at + 5) :],
            "cut": content[:at],
        }.get(kind, b"".join(rows))
    return content


@st.composite
def files(draw, form):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"Toy.{form}"
        X, labels = draw(problems(form))
        try:
            writers.write(path, X, labels)
        except (UnicodeEncodeError, ValueError):  # the format cannot hold it
            writers.write(path, [[["1"] * len(X[0][0])] * len(X[0])] * len(X), ["a"] * len(X))
        content = path.read_bytes()
    if form == "csv":
        content = draw(st.sampled_from([content, long_form(X, labels), interleaved_form(X, labels)]))
    damaged = form not in ("npz", "parquet") or draw(st.booleans())  # hardly any damage to these leaves a readable file
    return draw(damages(content)) if damaged else content


def long_form(X, labels) -> bytes:
    rows = [["case", "step", "label", *(f"c{channel}" for channel in range(len(X[0])))]]
    for case, (series, label) in enumerate(zip(X, labels, strict=True)):
        rows += [[f"no {case}", str(step), label, *texts] for step, texts in enumerate(zip(*series, strict=True))]
    return writers.separated(rows, ",").encode("utf-8", "surrogateescape")


def interleaved_form(X, labels) -> bytes:
    """Write the wide form with the label last, and with the columns in the order of the steps."""
    order = [(channel, step) for step in range(len(X[0][0])) for channel in range(len(X[0]))]
    rows = [[*(series[channel][step] for channel, step in order), label] for series, label in zip(X, labels, strict=True)]
    names = [*(f"c{channel}_{step}" for channel, step in order), "label"]
    return writers.separated([names, *rows], ",").encode("utf-8", "surrogateescape")


def read(content: bytes, form: str, subjects: bytes | None = None, missing_label: str | None = None):
    """Read a file, or return None for an error that the user can correct."""
    with tempfile.TemporaryDirectory() as folder:
        path, beside = Path(folder) / f"Toy.{form}", Path(folder) / "subjects.csv"
        path.write_bytes(content)
        beside.write_bytes(subjects or b"")
        try:
            return read_part(path, beside if subjects is not None else None, missing_label=missing_label)
        except SsdBenchError as error:
            assert str(error).isprintable() or "\n" in str(error)
            assert len(str(error)) < 2000, len(str(error))
            return None


def check_file(data, form: str) -> bool:
    """Read a damaged file with both readers; return whether it was read without an error."""
    content = data.draw(files(form))
    part = read(content, form, missing_label=data.draw(st.sampled_from([None, "?"])))
    if part is None:
        return False
    X, y = plain.READERS[form](content)
    assert part.y.tolist() == [label.lower() for label in y], content
    assert len(set(part.y.tolist())) == len(set(y)), content  # no two labels became one class
    assert len(part.X) == len(X), content
    for series, expected in zip(part.X, X, strict=True):
        whole = np.array(expected, dtype=np.float64)
        np.testing.assert_array_equal(series, whole[:, : series.shape[1]], err_msg=str(content))
        assert form not in ("ts", "npz") or series.shape == whole.shape
        assert np.isnan(whole[:, series.shape[1] :]).all(), content
    return True


def check_subjects(data, form: str) -> bool:
    labels = data.draw(st.lists(st.sampled_from(["1", "2", "up"]), min_size=1, max_size=4))
    subjects = data.draw(st.lists(st.integers(0, 2**64), min_size=len(labels), max_size=len(labels)))
    rows = [["row", "subject", "label"], *([str(n), str(s), y] for n, (s, y) in enumerate(zip(subjects, labels, strict=True)))]
    content = data.draw(damages(writers.separated(rows, ",").encode()))
    part = read(writers.ts([[["1", "2"]]] * len(labels), labels).encode(), "ts", subjects=content)
    if part is None:
        return False
    read_rows = [row for row in plain.cells(content, ",")[1:] if any(cell.strip() for cell in row)]
    assert part.groups.tolist() == [int(row[1]) for row in read_rows], content
    return True


def check_stream(data, form: str) -> bool:
    X, _ = data.draw(problems("ts"))
    content = data.draw(damages("".join(":".join(",".join(channel) for channel in case) + "\n" for case in X).encode()))
    lines = content.split(b"\n")
    texts = [line.decode("utf-8", "replace").removeprefix("" if at else "\ufeff") for at, line in enumerate(lines)]
    expected = [text for text in texts if text.strip()]
    found = dict(windows(lines))
    assert len(found) == len(expected)
    n_read = 0
    for at, text in found.items():
        with contextlib.suppress(SsdBenchError):
            window = read_window(text, at)
            plainly = [[plain.value(value) for value in channel.split(",")] for channel in expected[at].split(":")]
            np.testing.assert_array_equal(window, plainly, err_msg=text)
            n_read += 1
    return n_read > 0


def check_suite(data, form: str) -> bool:
    text = "dataset: [GunPoint, 'Uni*']\nmethod: [single, 'ssd[representations=3]']\nseeds: 0,1\nresamples: 5\nscale: train\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suite.yaml"
        path.write_bytes(data.draw(damages(text.encode())))
        try:
            parse_suite(path, {})
        except SsdBenchError:
            return False
    return True


CHECKS = dict.fromkeys(plain.READERS, check_file) | {"subjects": check_subjects, "stream": check_stream, "suite": check_suite}


def fuzz(kind: str, n_inputs: int) -> None:
    outcomes = []

    @settings(
        max_examples=n_inputs,
        deadline=timedelta(seconds=20),
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data):
        outcomes.append(CHECKS[kind](data, kind))

    check()
    assert set(outcomes) == {False, True}, kind  # files of both kinds occurred


@pytest.mark.parametrize("kind", CHECKS)
def test_generated_inputs_are_read_right_or_refused(kind):
    fuzz(kind, N_INPUTS[kind])


@pytest.mark.torture
@pytest.mark.parametrize("kind", CHECKS)
def test_many_generated_inputs_are_read_right_or_refused(kind):
    fuzz(kind, 10 * N_INPUTS[kind])
