import numpy as np
import pytest

from ssd_cli.leaderboard.caption import caption
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.publish import markdown
from ssd_cli.leaderboard.table import csv_tables
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import put

CPU = {"device": "cpu", "execution": "fast", "threads": 1}
GPU = {"device": "cuda", "execution": "graph", "threads": 1}


def studied(root, conditions, **changes):
    """Two datasets with LITE; seconds of training are 10 for `single` and 1 for the others, whatever they were trained on."""
    store = ResultStore(root)
    for method, identity in conditions.items():
        seconds = 10.0 if method == "single" else 1.0
        costs = {"macs": 2e6, "fit_seconds_alone": seconds, "fit_seconds_spent": seconds}
        for number in range(2):
            put(store, f"D{number}", method, 0.6 + 0.1 * number, identity=dict(identity), costs=costs, **changes)
    return compare([root])


def times_single(found, method, kind="fit_alone"):
    return found.summary.values[f"{kind}_relative_to_single"][found.names.index(method)]


def test_seconds_of_a_gpu_are_not_divided_by_those_of_a_cpu_and_it_is_said(tmp_path):
    found = studied(tmp_path, {"single": CPU, "ema": CPU, "kd": GPU, "ens-avg": GPU})
    assert [times_single(found, name) for name in ("single", "ema")] == pytest.approx([1.0, 0.1])
    assert np.isnan([times_single(found, name, kind) for name in ("kd", "ens-avg") for kind in ("fit_alone", "fit_spent")]).all()
    assert times_single(found, "kd", "inference") == pytest.approx(1.0)
    [warning] = found.warnings
    assert "different devices: cpu (ema, single); cuda (ens-avg, kd)." in warning and "--device" in warning
    assert warning in caption(found) and "cuda (ens-avg, kd)" in markdown(found)


def test_nobody_is_on_the_front_of_training_where_seconds_do_not_compare(tmp_path):
    def on_front(found):
        head, *rows = csv_tables(found)["leaderboard.csv"]
        return [row[head.index("pareto_training")] for row in rows]

    assert on_front(studied(tmp_path / "one", {"single": CPU, "kd": CPU})) == ["yes", "no"]
    assert on_front(studied(tmp_path / "two", {"single": CPU, "kd": GPU})) == ["", ""]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"threads": 4}, "different numbers of threads: 1 (single); 4 (kd)."),
        ({"execution": "plain"}, "different executions of one backbone: fast (single); plain (kd)."),
        (
            {"together": {"resamples": [0, 1], "seeds": [0]}},
            "different executions of one backbone: fast (single); fast, together (kd).",
        ),
    ],
)
def test_other_threads_and_executions_leave_the_ratios_of_times_empty(tmp_path, other, said):
    found = studied(tmp_path, {"single": CPU, "kd": CPU | other})
    assert np.isnan(times_single(found, "kd")) and times_single(found, "single") == pytest.approx(1.0)
    [warning] = found.warnings
    assert said in warning and "Accuracies may be compared" in warning


def test_executions_may_differ_with_the_dataset_and_the_backbone(tmp_path):
    store = ResultStore(tmp_path)
    executions = {("A", "lite"): "fast", ("B", "lite"): "plain", ("A", "resnet"): "bilinear", ("B", "resnet"): "fast"}
    for (dataset, backbone), execution in executions.items():
        for method, seconds in (("single", 10.0), ("kd", 20.0)):
            costs = {"fit_seconds_alone": seconds}
            put(store, dataset, method, 0.5, backbone=backbone, identity=CPU | {"execution": execution}, costs=costs)
    found = compare([tmp_path])
    assert found.warnings == () and found.summary.times_compare
    assert times_single(found, "kd@lite") == times_single(found, "kd@resnet") == pytest.approx(2.0)


def test_one_run_on_another_device_is_enough_to_leave_the_ratio_empty(tmp_path):
    store = ResultStore(tmp_path)
    for method in ("single", "kd"):
        for seed in range(3):
            identity = GPU if (method, seed) == ("kd", 2) else CPU
            put(store, "A", method, 0.5, seed=seed, identity=identity, costs={"fit_seconds_alone": 10.0})
    found = compare([tmp_path])
    assert np.isnan(times_single(found, "kd"))
    assert "cpu (kd, single); cuda (kd)" in found.warnings[0]


def test_what_failed_elsewhere_differs_in_nothing(tmp_path):
    store = ResultStore(tmp_path)
    for method in ("single", "kd"):
        put(store, "A", method, 0.5, identity=CPU, costs={"fit_seconds_alone": 10.0})
    put(store, "B", "single", 0.5, identity=CPU, costs={"fit_seconds_alone": 10.0})
    put(store, "B", "kd", None, identity=GPU)
    found = compare([tmp_path], "complete")
    assert found.warnings == () and times_single(found, "kd") == pytest.approx(1.0)


def test_cells_that_have_not_fitted_are_counted_by_method_in_a_warning_and_a_column(tmp_path):
    store = ResultStore(tmp_path)
    for method, fitted in {"single": (1, 1, 0), "kd": (0, 0, 1), "ens-avg": (1, 1, 1), "match": (None, None, None)}.items():
        for number, one in enumerate(fitted):
            extra = {} if one is None else {"training_accuracy": 0.99 if one else 0.5, "converged": float(one)}
            put(store, f"D{number}", method, 0.6 + 0.1 * number, extra=extra)
    found = compare([tmp_path])
    [warning] = found.warnings
    assert warning.startswith("In 3 of 9 cells a network has not fitted its training cases: kd (2), single (1).")
    shares = dict(zip(found.names, found.summary.values["converged"], strict=True))
    assert [shares[name] for name in ("single", "kd", "ens-avg")] == pytest.approx([2 / 3, 1 / 3, 1.0])
    assert np.isnan(shares["match"])
    assert "fitted" in markdown(found) and "converged" in csv_tables(found)["leaderboard.csv"][0]


def test_records_of_older_versions_say_nothing_of_fitting(tmp_path):
    found = studied(tmp_path, {"single": CPU, "kd": CPU})
    assert not found.warnings and "fitted" not in markdown(found)


@pytest.mark.parametrize(("wall", "cpu"), [(25.0, 0.06), (3.2, 1.0), (8000.0, 3000.0)])
def test_cells_that_waited_while_they_trained_are_named_and_others_are_not(tmp_path, wall, cpu):
    def of(folder, *costs):
        store = ResultStore(tmp_path / folder)
        for method, (wall_seconds, cpu_seconds) in zip(("single", "kd"), costs, strict=True):
            for number in range(2):
                seconds = {"wall_seconds": wall_seconds, "cpu_seconds": cpu_seconds}
                put(store, f"D{number}", method, 0.5, identity=CPU, costs=seconds if number else {})
        return compare([tmp_path / folder])

    found = of("waited", (0.5, 0.4), (wall, cpu))
    [warning] = found.warnings
    assert "1 of 4 cells waited or were stopped" in warning and "kd (1)" in warning and "single" not in warning
    assert warning in caption(found)
    assert of("busy", (0.9, 0.05), (wall, 0.6 * wall)).warnings == ()


@pytest.mark.parametrize("programs", [2, 3])
def test_cells_with_networks_of_several_versions_are_named(tmp_path, programs):
    store = ResultStore(tmp_path)
    for method, counts in {"single": (1, 1), "ens-avg": (1, programs)}.items():
        for number, count in enumerate(counts):
            put(store, f"D{number}", method, 0.5, identity=CPU, costs={"programs": count})
    [warning] = compare([tmp_path]).warnings
    assert "1 of 4 cells hold networks that other versions" in warning and "ens-avg (1)" in warning and "single (" not in warning


def test_records_without_a_digest_are_counted(tmp_path):
    store = ResultStore(tmp_path)
    for method in ("single", "kd"):
        for number in range(3):
            put(store, f"D{number}", method, 0.5, identity=CPU)
    assert compare([tmp_path]).warnings == ()
    for record in list(store.records())[:2]:
        path = store.paths(record.cell)[1]
        path.write_text(path.read_text().rpartition(",\n")[0] + "\n}\n")
    [warning] = compare([tmp_path]).warnings
    assert "2 of 6 records hold no digest of themselves" in warning
