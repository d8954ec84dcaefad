import json

import numpy as np
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.store import tsml
from ssd_cli.store.results import ResultStore
from tests.store.builders import make_cell, make_predictions, make_record


def tsml_eval_reads(path):
    """Validate and load a file as tsml-eval does (utils/results_validation, evaluation/storage)."""
    lines = path.read_text().splitlines(keepends=True)
    first, third = lines[0].split(","), lines[2].split(",")
    assert len(first) >= 5
    assert len(third) == 9
    for position in (0, 1, 2, 3, 4, 5, 7, 8):
        float(third[position])
    n_classes = int(third[5])
    y, guess, probabilities = [], [], []
    for line in lines[3:]:
        parts = line.split(",")
        assert len(parts) == 3 + n_classes  # more would be read as prediction times
        assert parts[2] == ""
        y.append(int(parts[0]))
        guess.append(int(parts[1]))
        row = [float(part) for part in parts[3:]]
        assert 0.99999 <= sum(row) <= 1.00001
        probabilities.append(row)
    assert abs(np.mean(np.equal(y, guess)) - float(third[0])) < 1e-12
    return first, lines[1].strip(), third, np.array(y), np.array(guess), np.array(probabilities)


def test_tsml_eval_reads_what_is_written(tmp_path):
    store = ResultStore(tmp_path)
    y, p = make_predictions(50, 4)
    cell = make_cell("Beef", "ssd[representations=10,dropout=0.3]", resample=5, seed=2, folder="ssd-representations-10@lite")
    store.put(make_record(cell, costs={"fit_seconds_alone": 1.5, "predict_seconds": 0.25, "peak_memory_bytes": 1024}), y, p)
    path = tmp_path / "seed2" / "ssd-representations-10@lite" / "Predictions" / "Beef" / "testResample5.csv"
    first, second, third, true, guess, probabilities = tsml_eval_reads(path)
    assert first[:5] == ["Beef", "ssd-representations-10@lite", "TEST", "5", "MILLISECONDS"]
    assert json.loads(second)["method"] == "ssd[representations=10,dropout=0.3]"
    assert [float(value) for value in third[1:6]] == [1500.0, 250.0, -1.0, 1024.0, 4.0]
    assert np.array_equal(true, y)
    assert np.array_equal(guess, p.argmax(axis=1))
    assert np.array_equal(probabilities, p)


def test_unknown_costs_are_minus_one():
    third = tsml.write(make_record(), *make_predictions()).decode().splitlines()[2].split(",")
    assert third[1:5] == ["-1", "-1", "-1", "-1"]


def test_probabilities_of_every_magnitude_read_back_to_the_same_bits():
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [10.0 ** rng.uniform(-320, 0, (200, 3)), np.float32(rng.random((50, 3))).astype(float), [[0.0, 1.0, 5e-324]]]
    )
    y = np.zeros(len(p), dtype=np.int64)
    assert np.array_equal(tsml.read(tsml.write(make_record(), y, p), "x")[1], p)


def test_predictions_of_another_length_or_without_numbers_are_refused():
    y, p = make_predictions()
    with pytest.raises(ValueError, match="have different lengths"):
        tsml.write(make_record(), y[:-1], p)
    p[3, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        tsml.write(make_record(), y, p)


@pytest.mark.parametrize(
    ("number", "line"),
    [(3, "0.5,1"), (3, "0.5,1,1,1,1,x,,-1,-1"), (7, "0,1,,0.5"), (7, "0,1,0,0.1,0.2,0.7"), (7, "0,1,,0.1,0.2,x"),
     (7, "3,1,,0.1,0.2,0.7"), (7, "0,1,,0.1,0.2,nan"), (7, "")],
)  # fmt: skip
def test_a_malformed_file_is_an_error_with_its_line(number, line):
    lines = tsml.write(make_record(), *make_predictions()).decode().splitlines()
    lines[number - 1] = line
    with pytest.raises(SsdBenchError, match=f"some/file.csv, line {number}:"):
        tsml.read("\n".join(lines).encode(), "some/file.csv")


@pytest.mark.parametrize("content", [b"", b"a\nb\n", b"\xff\xfe\x00"])
def test_a_file_of_another_format_is_an_error(content):
    with pytest.raises(SsdBenchError, match=r"some/file\.csv"):
        tsml.read(content, "some/file.csv")
