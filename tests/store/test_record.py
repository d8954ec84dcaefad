import json

import numpy as np
import pytest

from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.errors import SsdBenchError
from ssd_cli.store.record import Cell, CellRecord
from tests.store.builders import make_cell, make_record


def test_a_record_survives_the_round_trip():
    record = make_record(
        make_cell(method="ssd[representations=10,dropout=0.3]", folder="ssd-representations-10-0123abcd@lite"),
        scores={"accuracy": 0.1 + 0.2, "nll": 1e-17},
        costs={"parameters": 12, "fit_seconds_alone": 1.5},
        diagnostics={"α": ["β", None, True]},
        curves=[{"key": "k", "curve": {"loss": [0.1, 0.2]}}],
    )
    assert CellRecord.from_json(record.to_json(), "file") == record


def test_numpy_values_and_non_finite_curves_become_plain_json():
    record = make_record(
        scores={"accuracy": np.float64(0.5)}, costs={"n": np.int64(3)}, curves=[{"loss": np.array([1.0, np.nan, np.inf])}]
    )
    parts = json.loads(record.to_json())
    assert parts["costs"] == {"n": 3}
    assert parts["curves"] == [{"loss": [1.0, None, None]}]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), "0.5", None, True])
def test_a_score_that_is_no_finite_number_is_refused(score):
    with pytest.raises(ValueError, match="accuracy"):
        make_record(scores={"accuracy": score})


@pytest.mark.parametrize(
    "name", ["", "..", ".", "../x", "a/b", "a\\b", "/etc", ".hidden", "a\0b", "a\nb", " a", "a ", "C:x", "x" * 201]
)
@pytest.mark.parametrize("field", ["dataset", "folder"])
def test_no_path_leads_out_of_the_results(field, name):
    parts = {"dataset": "A", "method": "m", "backbone": "b", "recipe": "r", "resample": 0, "seed": 0, "folder": "m@b"}
    with pytest.raises(SsdBenchError):
        Cell(**{**parts, field: name})


@pytest.mark.parametrize("field", ["resample", "seed"])
@pytest.mark.parametrize("value", [-1, "0", "../0", 1.0, True, None])
def test_resample_and_seed_are_whole_numbers(field, value):
    with pytest.raises(SsdBenchError, match=field):
        make_cell(**{field: value})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda parts: parts.pop("scores"),
        lambda parts: parts.update(extra=1),
        lambda parts: parts.update(scores=[]),
        lambda parts: parts.update(status="fine"),
        lambda parts: parts.update(status="failed"),
        lambda parts: parts.update(scores={}),
        lambda parts: parts["identity"].pop("dataset_digest"),
        lambda parts: parts["cell"].pop("seed"),
        lambda parts: parts["cell"].update(dataset="../../etc"),
        lambda parts: parts["cell"].update(colour="red"),
        lambda parts: parts.update(cell=[]),
        lambda parts: parts.update(identity=None),
    ],
)
def test_a_malformed_record_is_an_error_that_names_the_file(spoil):
    parts = json.loads(make_record().to_json())
    spoil(parts)
    with pytest.raises(SsdBenchError, match=r"some/file\.json|cannot be used as the name"):
        CellRecord.from_json(json.dumps(parts), "some/file.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", b"\xff\xfe", '{"cell": NaN}'])
def test_a_file_that_is_no_record_is_an_error_that_names_it(text):
    with pytest.raises(SsdBenchError, match=r"some/file\.json"):
        CellRecord.from_json(text, "some/file.json")


def test_results_of_another_protocol_version_are_refused():
    text = make_record(identity={"protocol_version": PROTOCOL_VERSION + 1}).to_json()
    with pytest.raises(SsdBenchError, match=f"version {PROTOCOL_VERSION + 1} of the protocol"):
        CellRecord.from_json(text, "file")


def test_the_identity_hash_changes_with_every_value_and_with_nothing_else():
    record = make_record()
    assert record.identity_hash == make_record(scores={"accuracy": 0.9}, costs={"macs": 1}).identity_hash
    for key, value in {
        "resample": 1,
        "seed": 1,
        "dataset_digest": "e" * 64,
        "recipe": {"name": "smoke", "parameters": {"epochs": 4}},
    }.items():
        cell = make_cell(**{key: value}) if key in ("resample", "seed") else None
        assert make_record(cell, identity={key: value}).identity_hash != record.identity_hash
