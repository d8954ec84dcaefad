"""Folders of tsml results: every line of every file is checked."""

import random

import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.external.files import read_files
from ssd_cli.store.tsml import parse

ROWS = ("0,0,,0.9,0.1", "1,1,,0.2,0.8", "0,0,,0.7,0.3", "1,0,,0.6,0.4")


def put(root, first="D,E,TEST,0,MILLISECONDS,made by hand", parameters="{}", third="0.75,5,2,-1,-1,2,,-1,-1", rows=ROWS, name="0"):
    path = root / "res/E/Predictions/D" / f"testResample{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([first, parameters, third, *rows]) + "\n")
    return root / "res"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"third": "0.75,5,2,-1,-1,2"},  # older files end here
        {"rows": [f"{row},,12" for row in ROWS]},  # with prediction times
        {"rows": [f"{row},,12,,a, b" for row in ROWS]},
        {"rows": [*ROWS, "", ""]},
        {"rows": [row.replace("0,0,", "0.0,0,", 1) for row in ROWS]},
        {"third": "0.750000,5E3,2.5,-1.0,-1,2,N/A,-1,-1"},
        {"first": "D,another name,test,None,NANOSECONDS"},
        {"parameters": "{'alphas': array([0.1, 1.,\n       10.])}"},
        {"parameters": "[1.e-03 2.e-03\n 5.e-03\n 1.e-02]"},
        {"parameters": "{'kernel': array([[0., 1.],\n\n       [2., 3.]]), 'n': 3}\nrest"},
    ],
)
def test_files_of_the_format_are_counted_anew(tmp_path, changes):
    (one,) = read_files(put(tmp_path, **changes), set())
    assert one.scores == {"D": 0.75}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"third": "0.01,5,2,-1,-1,,-1,-1", "rows": ["0.25,0.9", "0.5,0.1"]}, "line 3: 8 values, as in results of regression"),
        ({"third": "0.2,5,2,-1,-1,holdout,-1,-1", "rows": ["112.0,118.5", "132.0,129.0"]}, "regression or forecasting"),
        ({"third": "3.2,5,2,-1,-1,,0,0", "rows": ["1,1", "2,2"]}, "regression or forecasting"),
        ({"third": "0.75,5,2,-1,-1,2,2"}, "line 3: 7 values, as in results of clustering"),
        ({"third": "0,12589,12711,-1,-1,10,10"}, "clustering"),
        ({"third": "0.75"}, "line 3: not the statistics"),
        ({"third": "75,5,2,-1,-1,2,,-1,-1"}, "line 3: not the statistics"),
        ({"third": "0.75,5,2,-1,-1,two,,-1,-1"}, "line 3: not the statistics"),
        ({"third": "0.8,5,2,-1,-1,2,,-1,-1"}, "line 3: the accuracy is 0.8, but 0.75 by the 4 predictions"),
        ({"third": "1,5,2,-1,-1,2,,-1,-1"}, "line 3: the accuracy is 1, but 0.75"),
        ({"parameters": "[1\n2]", "third": "0.5,5,2,-1,-1,2,,-1,-1"}, "line 4: the accuracy is 0.5, but 0.75"),
        ({"third": "0.75,5,2,-1,-1,3,,-1,-1"}, "line 4: '0,0,,0.9,0.1' is not true,predicted,, and 3 probabilities"),
        ({"rows": ["0,0,,0.9,0.1", "1,1,,0.1,0.2,0.7"]}, "line 5: "),
        ({"rows": ["0,0,,0.9,0.1", "", "1,1,,0.2,0.8"]}, "line 5: "),
        ({"rows": ["left,left,,0.9,0.1"]}, "line 4: the class is 'left'"),
        ({"rows": ["0,0,,0.9,0.1", "2,1,,0.2,0.8"]}, "line 5: the class is '2'"),
        ({"rows": ["0,-1,,0.9,0.1"]}, "line 4: the class is '-1'"),
        ({"rows": ["0,0.5,,0.9,0.1"]}, "line 4: the class is '0.5'"),
        ({"rows": ["0,0,,0.9,nan"]}, "line 4: the probabilities are"),
        ({"rows": ["0,0,,0.9,1_0"]}, "line 4: the probabilities are"),
        ({"rows": ["0,0,,1.5,-0.5"]}, "line 4: the probabilities are"),
        ({"rows": ["0,0,7,0.9,0.1"]}, "line 4: "),
        ({"rows": []}, "line 4: no predictions"),
        ({"first": "D,E,TRAIN,0,MILLISECONDS"}, "line 1: the split is 'TRAIN'"),
        ({"first": "Other,E,TEST,0,MILLISECONDS"}, "line 1: the dataset is 'Other'"),
        ({"first": "D,E,TEST,3,MILLISECONDS"}, "line 1: the resample is '3'"),
        ({"first": "D"}, "line 1: the split is ''"),
    ],
)  # fmt: skip
def test_the_first_line_that_differs_from_the_format_is_named(tmp_path, changes, words):
    with pytest.raises(SsdBenchError, match=r"testResample0\.csv, ") as caught:
        read_files(put(tmp_path, **changes), set())
    assert words in str(caught.value)


def test_a_file_of_one_line_and_one_that_is_no_text_are_errors(tmp_path):
    path = put(tmp_path) / "E/Predictions/D/testResample0.csv"
    for content in (b"", b"D,E,TEST,0", b"\xff\xfe\x00\x01"):
        path.write_bytes(content)
        with pytest.raises(SsdBenchError, match=r"testResample0\.csv, line \d"):
            read_files(tmp_path / "res", set())


def test_a_bad_resample_that_is_not_used_does_not_matter(tmp_path):
    put(tmp_path)
    put(tmp_path, first="D,E,TEST,1,MILLISECONDS", third="0.1,5,2,-1,-1,2,,-1,-1", name="1")
    assert read_files(tmp_path / "res", {0})[0].scores == {"D": 0.75}
    with pytest.raises(SsdBenchError, match=r"the accuracy is 0\.1,"):
        read_files(tmp_path / "res", set())


def test_damaged_files_are_errors_or_have_the_accuracy_that_they_state():
    rng = random.Random(0)
    text = "\n".join(["D,E,TEST,0,MS,x", "{}", "0.75,5,2,-1,-1,2,,-1,-1", *ROWS, ""]).encode()
    n_read = 0
    for _ in range(2000):
        content = bytearray(text)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(content))
            content[place : place + rng.randint(0, 1)] = rng.choice([b"", b"0", b"2", b",", b".", b"\n", b"-", b"e", b"_", b"\xff"])
        try:
            found = parse(bytes(content), "f.csv")
        except SsdBenchError as error:
            assert "f.csv, line " in error.what
            continue
        n_read += not found.contradiction()
        assert len(found.true) == len(found.predicted) == len(found.probabilities)
        assert found.true.max() < found.probabilities.shape[1]
    assert n_read > 100  # most of them with a change of the first two lines or of a probability
