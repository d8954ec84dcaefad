from dataclasses import replace

import numpy as np
import pytest

from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.figures.cost import draw as cost
from ssd_cli.leaderboard.publish import columns, latex, latex_per_dataset, markdown
from ssd_cli.leaderboard.table import csv_tables
from ssd_cli.metrics import METRICS
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import compared, fill, put
from tests.store.builders import make_cell, make_predictions, make_record

COSTS = {
    "single": {"macs": 1e6, "fit_seconds_alone": 10.0, "fit_seconds_spent": 10.0, "networks_trained": 1, "networks_stored": 1},
    "ens-avg": {"macs": 5e6, "fit_seconds_alone": 50.0, "fit_seconds_spent": 40.0, "networks_trained": 5, "networks_stored": 5},
    "ssd": {"macs": 1e6, "fit_seconds_alone": 12.5, "fit_seconds_spent": 2.5, "networks_trained": 2, "networks_stored": 1},
}
ACCURACY = {"single": [0.5, 0.6, 0.7], "ens-avg": [0.6, 0.7, 0.9], "ssd": [0.55, 0.65, 0.6]}


@pytest.fixture
def found(tmp_path):
    store = ResultStore(tmp_path)
    for method, accuracies in ACCURACY.items():
        for d, accuracy in enumerate(accuracies):
            costs = COSTS[method] | {"macs": COSTS[method]["macs"] * (d + 1)}
            put(store, f"D{d}", method, accuracy, costs=costs)
    return compare([tmp_path])


def of(found, values):
    return dict(zip(found.names, values.tolist(), strict=True))


def test_costs_are_relative_to_single(found):
    assert of(found, found.summary.values["fit_alone_relative_to_single"]) == pytest.approx(
        {"single": 1, "ens-avg": 5, "ssd": 1.25}
    )
    assert of(found, found.summary.values["fit_spent_relative_to_single"]) == pytest.approx(
        {"single": 1, "ens-avg": 4, "ssd": 0.25}
    )
    assert of(found, found.summary.values["inference_relative_to_single"]) == pytest.approx({"single": 1, "ens-avg": 5, "ssd": 1})
    assert of(found, found.summary.values["macs"]) == pytest.approx({"single": 2e6, "ens-avg": 1e7, "ssd": 2e6})


def test_ranks_at_matched_inference_cost_are_among_single_networks_only(found):
    ranks = of(found, found.summary.values["average_rank_at_matched_inference"])
    assert np.isnan(ranks["ens-avg"])
    assert ranks["ssd"] == pytest.approx(4 / 3)
    assert ranks["single"] == pytest.approx(5 / 3)


def test_a_backbone_forty_times_as_expensive_is_not_ranked_at_the_same_cost(tmp_path):
    """Inception's networks are the best on every dataset, yet LITE's are ranked among each other, and the other way round."""
    store = ResultStore(tmp_path)
    table = {
        ("single", "lite"): (0.5, 0.6, 1e6),
        ("kd", "lite"): (0.6, 0.7, 1e6),
        ("ens-avg", "lite"): (0.7, 0.8, 5e6),
        ("single", "inception"): (0.8, 0.8, 4e7),
        ("kd", "inception"): (0.9, 0.7, 4e7),
    }
    for (method, backbone), (*accuracies, macs) in table.items():
        for d, accuracy in enumerate(accuracies):
            put(store, f"D{d}", method, accuracy, backbone=backbone, costs={"macs": macs})
    found = compare([tmp_path])
    ranks = of(found, found.summary.values["average_rank_at_matched_inference"])
    assert np.isnan(ranks.pop("ens-avg@lite"))
    assert ranks == {"kd@lite": 1, "single@lite": 2, "kd@inception": 1.5, "single@inception": 1.5}
    text = markdown(found)
    assert "rank at 1×: within each backbone" in text
    assert "**1.000**" not in text and "<u>1.500</u>" not in text  # ranks within different backbones have no common best


def test_what_records_call_networks_trained_is_shown_as_trainings(tmp_path):
    """Of `swa`, which stops its one network at three quarters and trains it further, every record says 2."""
    store = ResultStore(tmp_path)
    for method, n in (("single", 1), ("swa", 2)):
        put(store, "D0", method, 0.5, costs={"networks_trained": n})
    found = compare([tmp_path])
    assert of(found, found.summary.values["trainings"]) == {"single": 1, "swa": 2}
    head, *rows = csv_tables(found)["leaderboard.csv"]
    assert {row[1]: row[head.index("trainings")] for row in rows} == {"single": 1, "swa": 2}
    described = [text for metric in METRICS.values() for text in (metric.key, metric.title, metric.about)]
    shown = [*head, *(column.title for column in columns(found)), *described]
    assert "trainings" in [column.title for column in columns(found)]
    assert not [text for text in shown if "networks_trained" in text or "nets trained" in text or "networks trained" in text]


def test_the_fronts(found):
    assert of(found, found.summary.pareto_inference) == {"single": True, "ens-avg": True, "ssd": True}
    assert of(found, found.summary.pareto_training) == {"single": True, "ens-avg": True, "ssd": False}


def test_without_costs_or_single_the_columns_are_not_there(tmp_path):
    found = compared(tmp_path, {"a": [0.5, 0.6], "b": [0.7, 0.8]})
    assert [column.title for column in columns(found)] == ["rank", "accuracy"]
    assert csv_tables(found)["leaderboard.csv"][1][-3:] == ["", "no", "no"]


def test_distillation_columns(tmp_path):
    store = ResultStore(tmp_path)
    y, p = make_predictions()
    for method, extra in (("single", {}), ("kd", {"teacher_accuracy": 0.75, "teacher_agreement": 0.9, "ece": 0.1})):
        store.put(make_record(make_cell(method=method), scores={"accuracy": 0.8, "nll": 0.5} | extra), y, p)
    found = compare([tmp_path])
    assert of(found, found.summary.values["gap"])["kd"] == pytest.approx(0.05)
    titles = [column.title for column in columns(found)]
    assert {"teacher acc.", "gap to teacher", "agreement", "NLL", "ECE"} <= set(titles)


def test_means_are_over_the_same_datasets_for_all(tmp_path):
    store = ResultStore(tmp_path)
    for d, macs in enumerate((1e6, 9e6)):
        put(store, f"D{d}", "single", 0.5, costs={"macs": macs})
    put(store, "D0", "b", 0.6, costs={"macs": 1e6})
    found = compare([tmp_path], "worst-rank")
    assert of(found, found.summary.values["macs"]) == {"single": 1e6, "b": 1e6}


def test_means_over_different_datasets_have_no_best(tmp_path):
    store = fill(tmp_path, {"single": [0.9, 0.9, 0.4], "c": [0.8, 0.8, 0.5]})
    for d in (0, 1):
        put(store, f"D{d:02}", "b", 0.89)
    found = compare([tmp_path], "worst-rank")
    assert of(found, found.mean_scores)["b"] == pytest.approx(0.89)
    text = markdown(found)
    assert "| 0.8900 | 2 |" in text and "| 0.7333 | 3 |" in text
    assert r"mean & 0.733" in latex_per_dataset(found)
    summary = replace(found.summary, values={**found.summary.values, "macs": np.ones(3)})
    assert cost(replace(found, summary=summary)).axes[0].get_ylabel() == "mean accuracy, 2 datasets"


def test_latex_marks_the_best_and_the_second_and_escapes(tmp_path):
    fill(tmp_path, {"a_b": [0.9, 0.8], "c&d": [0.7, 0.6], "e": [0.5, 0.4]})
    text = latex(compare([tmp_path]))
    assert r"a\_b & \textbf{1.000} & \textbf{0.8500}" in text
    assert r"c\&d & \underline{2.000} & \underline{0.6500}" in text
    assert "e & 3.000 & 0.4500" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    by_dataset = latex_per_dataset(compare([tmp_path]))
    assert r"D00 & \textbf{0.900} & \underline{0.700} & 0.500 \\" in by_dataset


def test_ties_share_the_mark(tmp_path):
    text = latex_per_dataset(compared(tmp_path, {"a": [0.9, 0.9], "b": [0.9, 0.1], "c": [0.5, 0.0]}))
    assert r"D00 & \textbf{0.900} & \textbf{0.900} & 0.500 \\" in text


def test_markdown_has_a_row_a_method_and_escapes_pipes(tmp_path):
    text = markdown(compared(tmp_path, {"a|b": [0.9, 0.8], "ssd[x=1]": [0.7, 0.6]}))
    assert r"| 1 | a\|b | **1.000** | **0.8500** |" in text
    assert r"| 2 | ssd\[x=1\] | <u>2.000</u> | <u>0.6500</u> |" in text
    assert "Wilcoxon" in text
