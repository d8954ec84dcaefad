"""Files, tables and streams read the same numbers, and refuse the same texts."""

import numpy as np
import pytest

from ssd_cli.archives.read import read_part
from ssd_cli.archives.text import number
from ssd_cli.deployment.stream import read_window
from ssd_cli.errors import SsdBenchError

from . import writers

MISSING = {"?": np.nan, "NaN": np.nan, "nan": np.nan}
NUMBERS = MISSING | {"1": 1, "-2.50": -2.5, "+3.": 3, ".5": 0.5, "1e3": 1000, "2E-2": 0.02, " 7 ": 7}
NO_NUMBERS = ["1_0", "１０", "٣", "\ufeff1", "\xa01", "0x10", "1 2", "--1", "1e", ".", "1,5x", "None", "NA"]
NO_NUMBERS += ["inf", "-Infinity", "1e999"]
TEXTS = [form for form in writers.FORMATS if form != "npz"]


@pytest.mark.parametrize("form", TEXTS)
def test_a_number_is_read_alike(tmp_path, form):
    texts = [text.strip() if form == "txt" else text for text in NUMBERS]
    path = tmp_path / f"Toy.{form}"
    writers.write(path, [[["0", text, "0"]] for text in texts], ["a"] * len(texts))
    values = [part[0, 1] for part in read_part(path).X]
    np.testing.assert_array_equal(values, list(NUMBERS.values()))


@pytest.mark.parametrize("form", TEXTS)
@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused_with_its_line(tmp_path, form, text):
    path = tmp_path / f"Toy.{form}"
    writers.write(path, [[["0", "0", "0"]], [["0", text, "0"]]], ["a", "b"])
    with pytest.raises(SsdBenchError, match=r"Toy\.\w+, line \d+: "):
        read_part(path)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused_in_a_stream(text):
    with pytest.raises(SsdBenchError, match=r"Window 3 (cannot be read|has channels)"):
        read_window(f"1,{text}:3,4", 3)
    for fine, value in NUMBERS.items():
        np.testing.assert_array_equal(read_window(f"1,{fine}", 0), [[1, value]])


@pytest.mark.parametrize("form", ["tsv", "csv", "parquet"])
@pytest.mark.parametrize("empty", ["", " ", "  "])
def test_an_empty_cell_is_missing_in_tables(tmp_path, form, empty):
    path = tmp_path / f"Toy.{form}"
    writers.write(path, [[["1", empty, "2"]], [[empty, "3", "4"]], [["5", "6", empty]]], ["a", "b", "c"])
    part = read_part(path, equal_length=True)
    np.testing.assert_array_equal(np.concatenate(part.X), [[1, np.nan, 2], [np.nan, 3, 4], [5, 6, np.nan]])
    assert read_part(path).lengths.tolist() == [3, 3, 2]


@pytest.mark.parametrize("form", ["ts", "arff"])
def test_an_empty_value_is_refused_where_the_format_has_a_sign_for_it(tmp_path, form):
    path = tmp_path / f"Toy.{form}"
    writers.write(path, [[["1", "", "2"]], [["2", "3", "4"]]], ["a", "b"])
    with pytest.raises(SsdBenchError, match="''"):
        read_part(path)


def test_tables_of_pandas_without_a_header(tmp_path):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame([["walk", 1.5, None, 2.0], ['it\'s "x"', None, 3.0, 4.0]])
    table.to_csv(tmp_path / "Toy.tsv", sep="\t", header=False, index=False)
    part = read_part(tmp_path / "Toy.tsv")
    np.testing.assert_array_equal(np.concatenate(part.X), [[1.5, np.nan, 2], [np.nan, 3, 4]])
    assert part.y.tolist() == ["walk", 'it\'s "x"']
    table.to_csv(tmp_path / "Toy.tsv", sep="\t", header=["label", 0, 1, 2], index=False)
    with pytest.raises(SsdBenchError, match="line 1: a header of column names"):
        read_part(tmp_path / "Toy.tsv")


@pytest.mark.parametrize(
    "text",
    [
        "   1.0000000e+00  -7.9710e-01   5.0e-01\n  -1.0000000e+00   2.5000e+00  NaN\n",
        "1.0 -0.7971 0.5\r\n-1.0 2.5 NaN\r\n",
        "1,-0.7971,0.5\n-1,2.5,\n",
        "1.0, -.7971, 0.5\n-1, 2.5, ?\n\n",
    ],
)
def test_the_old_form_of_the_ucr_archive(tmp_path, text):
    path = tmp_path / "Toy_TRAIN.txt"
    path.write_text(text)
    part = read_part(path, equal_length=True)
    np.testing.assert_array_equal(np.concatenate(part.X), [[-0.7971, 0.5], [2.5, np.nan]])
    assert part.y.tolist() == ["1", "-1"]
    assert read_part(path).lengths.tolist() == [2, 1]


def test_the_error_of_a_number_is_that_of_its_reader():
    class Wrong(Exception):
        pass

    with pytest.raises(Wrong, match="a value is 'x'"):
        number("x", lambda what, expected: Wrong(what))
    assert np.isnan(number("", lambda what, expected: Wrong(what), empty=True))
