"""Every metric is shown everywhere, with the right best."""

import csv
import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from ssd_cli.cli import compare as command
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.page.data import payload
from ssd_cli.leaderboard.publish import columns, latex, markdown
from ssd_cli.leaderboard.table import write_csv
from ssd_cli.metrics import METRICS, Metric, all_scores, register
from ssd_cli.store.index import load_index
from ssd_cli.store.results import ResultStore
from tests.golden.folder import unpack
from tests.leaderboard.node import evaluate, requires_node
from tests.store.builders import make_cell, make_record

UP = {"accuracy", "balanced_accuracy", "macro_f1"}
DOWN = {"nll", "brier", "ece"}


def predictions(confident):
    """60 cases of two classes: a well calibrated classifier, and one that is wrong more often and as confident."""
    y = np.arange(60) % 2
    right = np.arange(60) % 10 != 0 if confident else np.arange(60) % 3 != 0
    p = np.full((60, 2), 0.1)
    p[np.arange(60), np.where(right, y, 1 - y)] = 0.9
    return y, p


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The method `better` is better in every score on three datasets."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    store = ResultStore(tmp_path / "cells")
    for dataset in "ABC":
        for method in ("better", "worse"):
            y, p = predictions(method == "better")
            costs = {"macs": 1e6, "steps_per_case": 2.0 if method == "better" else 5.0}
            store.put(make_record(make_cell(dataset, method), scores=all_scores(y, p), costs=costs), y, p)
    return store.root


def marked(row, head):
    """The columns whose value is bold in a row of a table."""
    return {title.strip() for title, value in zip(head, row, strict=True) if value.strip().startswith(("**", r"\textbf"))}


def test_every_score_has_a_direction_and_is_in_one_of_the_two_lists():
    scores = {key: metric.direction for key, metric in METRICS.items() if metric.kind == "score" and metric.source == "record"}
    assert scores == dict.fromkeys(UP, "up") | dict.fromkeys(DOWN, "down")
    assert {key for key, metric in METRICS.items() if metric.compute} == set(scores)


@pytest.mark.parametrize("wrong", [{"direction": "none"}, {"direction": "higher"}, {"kind": "other"}, {"places": {"cvs"}}])
def test_a_metric_with_a_wrong_direction_kind_or_place_raises(wrong):
    with pytest.raises(ValueError, match="'nll2'"):
        Metric(**{"key": "nll2", "title": "NLL", "about": "", "direction": "down", "kind": "score"} | wrong)


def test_a_key_is_registered_once():
    with pytest.raises(ValueError, match="two metrics have the key 'nll'"):
        register(Metric("nll", "NLL", "", "up", "score"))


def test_the_better_method_is_marked_in_every_score(folder, tmp_path):
    found = compare([folder])
    assert found.names == ["better", "worse"]
    titles = {METRICS[key].heading for key in UP | DOWN}
    head, _, better, worse = [line.strip("|").split("|") for line in markdown(found).splitlines()[:4]]
    assert marked(better, head) == titles | {"rank"} and marked(worse, head) == set()
    lines = latex(found).splitlines()
    start = lines.index(r"\toprule")
    head, better, worse = [lines[start + place].removesuffix(r" \\").split(" & ") for place in (1, 3, 4)]
    assert marked(better, head) == titles | {"rank"} and marked(worse, head) == set()
    write_csv(found, tmp_path)
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    for key in (UP | DOWN) - {"accuracy"}:
        assert (float(first[key]) > float(second[key])) == (key in UP), key


@requires_node
def test_the_page_sorts_the_better_method_first_in_every_score(folder):
    block = payload([folder])
    ends = "((values) => values.indexOf((descends(one) ? Math.max : Math.min)(...values)))(one.values)"
    first = evaluate(f"Object.fromEntries(besides(data, comparison).map((one) => [one.key, comparison.names[{ends}]]))", block)
    assert {key for key in first if METRICS[key].kind == "score"} == (UP | DOWN) - {"accuracy"}
    assert {first[key] for key in (UP | DOWN) - {"accuracy"}} == {"better"}
    directions = evaluate("Object.fromEntries([data.score, ...data.columns].map((one) => [one.key, one.direction]))", block)
    assert {key: directions[key] for key in UP | DOWN} == dict.fromkeys(UP, "up") | dict.fromkeys(DOWN, "down")


@pytest.fixture
def planted(monkeypatch):
    """A score and a record column, each registered once."""
    for metric in (
        Metric("top_margin", "margin", "mean margin of the true class", "up", "score", compute=lambda y, p: float(p.max(1).mean())),
        Metric("steps_per_case", "steps", "optimiser steps for each case", "down", "cost", format=".2f", on_page=True),
    ):
        monkeypatch.setitem(METRICS, metric.key, metric)


def test_a_registered_metric_appears_everywhere(planted, folder, tmp_path, capsys, monkeypatch):
    found = compare([folder])
    assert found.summary.values["top_margin"].tolist() == pytest.approx([0.9, 0.9])  # the API
    assert found.summary.values["steps_per_case"].tolist() == [2.0, 5.0]
    assert {"margin", "steps"} <= {column.title for column in columns(found)}
    assert re.search(r"margin \|.* steps \|", markdown(found).splitlines()[0])
    assert "margin & " in latex(found) and "steps & " in latex(found)
    write_csv(found, tmp_path)
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        assert [(row["steps_per_case"], float(row["top_margin"])) for row in csv.DictReader(file)] == [
            ("2.0", pytest.approx(0.9)),
            ("5.0", pytest.approx(0.9)),
        ]
    screen = io.StringIO()
    monkeypatch.setattr(command, "new_console", lambda: Console(file=screen, width=400, force_terminal=True, color_system=None))
    command.compare([folder], tmp_path / "out")
    assert re.search(r"margin +.*steps", screen.getvalue())


@requires_node
def test_a_registered_metric_appears_on_the_page(planted, folder):
    block = payload([folder])
    shown = evaluate("besides(data, comparison).map((one) => [one.title, one.values.map((value) => formatted(value, one))])", block)
    assert dict(shown)["margin"] == ["0.9000", "0.9000"]
    assert dict(shown)["steps"] == ["2.00", "5.00"]
    assert evaluate("data.columns.filter((one) => one.shown).map((one) => one.key)", block) == ["nll", "ece", "steps_per_case"]


NOT_SHOWN = {"busy_workers", "cases_seen", "cpu_seconds", "networks_reused", "optimiser_steps", "predict_seconds", "programs",
             "wall_seconds"}  # fmt: skip


def test_every_number_that_a_run_records_is_a_metric_or_known_not_to_be_shown(tmp_path):
    """The golden folder was written by ``ssd-bench run``, with teachers and ensembles; `tests/golden` runs go on with it."""
    records = list(ResultStore(unpack(tmp_path)).records())
    columns = set(load_index(tmp_path / "results").select_dtypes("float").columns)
    assert len(records) > 5 and {"nll", "teacher_accuracy", "disagreement"} <= columns
    assert columns - METRICS.keys() == NOT_SHOWN


@requires_node
@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (METRICS["nll"], 1.25, "1.2500"),
        (METRICS["gap"], 0.01, "+0.0100"),
        (METRICS["latency_ms_p50"], 12.345, "12.3 ms"),
        (METRICS["macs"], 1234567.0, "1.23 M"),
        (METRICS["trainings"], 5.0, "5"),
        (METRICS["size_bytes"], 2048.0, "2.05 kB"),
        (METRICS["fit_alone_relative_to_single"], 5.25, "5.25×"),
        (METRICS["nll"], None, "–"),
    ],
)
def test_the_page_formats_a_value_by_its_metric(metric, value, text):
    assert evaluate(f"formatted({json.dumps(value)}, {json.dumps(metric.to_json())})") == text
