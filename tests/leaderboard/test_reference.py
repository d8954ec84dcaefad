"""Damaged references are refused; none hides a regression."""

import csv
import io
import json
import re

import numpy as np
import pandas as pd
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.gate import check
from ssd_cli.leaderboard.reference import ABOUT, CELLS, SCORES, read_reference, write_reference

IMPOSSIBLE = {
    "accuracy": ["nan", "NaN", "inf", "-inf", "5.0", "-0.1", "1.0000001", "good", "", " ", "1_0", "٠.٥", "0,9", "0x1", "1e999",
                 "9" * 400, "None", "null", "0.9\x00"],
    "nll": ["nan", "inf", "-0.2", "17", "1e300", "text", " ", "0.3.1", "--1", "９"],
    "resample": ["", "-1", "0.5", "1e0", "zero", "nan", "1_0", "9" * 30, "０"],
    "seed": ["", "-1", "1.0", "x", "inf", "None", "9" * 19, " 1", "+1"],
    "dataset": [""], "method": [""], "backbone": [""], "recipe": [""],
}  # fmt: skip


def cells(seeds, drop=0.0):
    rows = []
    for d, dataset in enumerate("ABCD"):
        for method in ("single", "ssd"):
            for seed in seeds:
                noise = np.random.default_rng([d, len(method), seed]).normal(0, 0.01)
                fallen = drop * (dataset == "B" and method == "ssd")
                rows.append((dataset, method, "lite", "fast", 0, seed, 0.8 + noise - fallen, 0.5, "e" * 64, "c" * 64, "r", "v"))
    names = ["dataset", "method", "backbone", "recipe", "resample", "seed", *SCORES]
    return pd.DataFrame(rows, columns=[*names, "dataset_digest", "configuration", "revision", "versions"])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    write_reference(cells(range(10)), folder, "command")
    return folder


@pytest.fixture
def damaged(written, tmp_path):
    """A function that writes the reference with other bytes and returns its folder."""

    def put(content, about=None):
        (tmp_path / CELLS).write_bytes(content)
        (tmp_path / ABOUT).write_bytes((written / ABOUT).read_bytes() if about is None else about)
        return tmp_path

    return put


def rows_of(written):
    return list(csv.reader(io.StringIO((written / CELLS).read_text())))


def as_bytes(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def test_what_was_written_is_read(written):
    expected = cells(range(10))
    pd.testing.assert_frame_equal(read_reference(written), expected, check_dtype=True)
    assert not check(cells([20], drop=0.2), read_reference(written)).passed
    assert check(cells([20]), read_reference(written)).passed


def test_a_cell_without_nll_is_read(written, damaged):
    rows = rows_of(written)
    rows[3][rows[0].index("nll")] = ""
    assert np.isnan(read_reference(damaged(as_bytes(rows)))["nll"][2])


@pytest.mark.parametrize("field", IMPOSSIBLE)
def test_impossible_values_are_refused_with_file_line_and_field(written, damaged, field):
    rng = np.random.default_rng(len(field))
    for value in IMPOSSIBLE[field]:
        for line in rng.integers(1, 81, 4):
            rows = rows_of(written)
            rows[line][rows[0].index(field)] = value
            with pytest.raises(SsdBenchError, match=rf"cells\.csv: line {line + 1}, field {field}: ") as caught:
                read_reference(damaged(as_bytes(rows)))
            assert len(str(caught.value)) < 600 and "Expected" in str(caught.value)


def lose_row(rows, rng):
    del rows[rng.integers(1, len(rows))]


def repeat_row(rows, rng):
    rows.insert(rng.integers(1, len(rows)), rows[rng.integers(1, len(rows))])


def lose_field(rows, rng):
    del rows[rng.integers(1, len(rows))][rng.integers(12)]


def add_field(rows, rng):
    rows[rng.integers(1, len(rows))].append("more")


def rename_column(rows, rng):
    rows[0][rng.integers(12)] += "x"


def repeat_column(rows, rng):
    one, other = rng.choice(12, 2, replace=False)
    rows[0][one] = rows[0][other]


def cut(rows, rng):
    del rows[rng.integers(1, len(rows)) :]


@pytest.mark.parametrize("damage", [lose_row, repeat_row, lose_field, add_field, rename_column, repeat_column, cut])
def test_damaged_tables_are_refused(written, damaged, damage):
    rng = np.random.default_rng(0)
    for _ in range(25):
        rows = rows_of(written)
        damage(rows, rng)
        with pytest.raises(SsdBenchError, match=r"(cells\.csv: line|reference\.json: field cells)"):
            read_reference(damaged(as_bytes(rows)))


def test_flipped_bits_never_hide_the_fall_of_one_group(written, damaged):
    """A flipped bit is refused, or the gate still raises an alarm for a group that fell by far."""
    good, rng, run = (written / CELLS).read_bytes(), np.random.default_rng(1), cells([20, 21], drop=0.6)
    refused = 0
    for _ in range(20):
        place = rng.integers(len(good))
        flipped = good[:place] + bytes([good[place] ^ (1 << rng.integers(8))]) + good[place + 1 :]
        try:
            report = check(run, read_reference(damaged(flipped)))
        except SsdBenchError:
            refused += 1
            continue
        assert not report.passed
    assert 0 < refused < 20


@pytest.mark.parametrize("about", [
    b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff",
    *(json.dumps({"cells": value}).encode() for value in (79, "80", None, True, 10**400)),
])  # fmt: skip
def test_a_damaged_description_is_refused(written, damaged, about):
    with pytest.raises(SsdBenchError, match=r"reference\.json: (is no JSON file|field cells)") as caught:
        read_reference(damaged((written / CELLS).read_bytes(), about))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe", b"no,reference\n1,2\n", b'"open\n', b"a" * 200_000])
def test_other_files_are_refused(damaged, content):
    with pytest.raises(SsdBenchError, match=re.escape(CELLS)):
        read_reference(damaged(content))
