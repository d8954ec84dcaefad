import re

import numpy as np
import pytest

from ssd_cli.configuration import configure, label, parse_label
from ssd_cli.errors import MisuseError
from ssd_cli.leaderboard.compare import compare
from ssd_cli.methods import methods
from ssd_cli.methods.external_classifiers import inputs_of
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.plan import make_plan
from ssd_cli.running.resume import look
from ssd_cli.running.suite import Suite
from ssd_cli.store.index import load_index
from ssd_cli.store.results import ResultStore
from tests.cli.helpers import ssd_bench
from tests.running.builders import write_dataset
from tests.small import waves, waves_training_set, workbench


def chosen(text):
    name, parameters = parse_label(text)
    return configure(methods.get(name), name, parameters)


@pytest.mark.parametrize(
    ("text", "floor"),
    [
        ("dummy", 0.0),
        ("1nn-dtw", 0.8),
        ("hydra[n_groups=4]", 0.8),
        ("sktime:KNeighborsTimeSeriesClassifier[distance=euclidean]", 0.6),
        ("sklearn:RidgeClassifier", 0.2),
        ("sklearn:RandomForestClassifier[n_estimators=20,features=summary]", 0.6),
    ],
)
def test_learns_and_repeats(text, floor):
    training_set = waves_training_set(45)
    X, y = waves(60, seed=1)
    found = [chosen(text).fit(training_set, workbench(training_set)).predict_proba(X) for _ in range(2)]
    assert np.array_equal(*found) and found[0].shape == (60, 3)
    np.testing.assert_allclose(found[0].sum(1), 1)
    assert (found[0].argmax(1) == y).mean() >= floor


def test_cells_are_cells_like_all_others(tmp_path, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path / "cache"))
    write_dataset(tmp_path / "data", "Waves")
    options = {"dataset": ("Waves",), "backbone": ("lite", "fcn"), "recipe": "smoke", "device": "cpu", "out": tmp_path / "out"}
    broken = "sklearn:KNeighborsClassifier[n_neighbors=500]"  # there are 8 training cases
    suite = Suite(**options, method=("dummy", "1nn-dtw", broken, "single"), data_dir=(tmp_path / "data",))
    plan = look(make_plan(suite, dry_run=False), suite)
    folders = {planned.cell.folder for planned in plan.cells if planned.cell.method != broken}
    assert folders == {"1nn-dtw@none", "dummy@none", "single@fcn", "single@lite"} and len(plan.cells) == 5
    for planned in plan.cells:
        status = execute(Job(planned, suite.out, suite.data_dir), lambda progress: None).status
        assert status == ("failed" if planned.cell.method == broken else "ok")
    (failed,) = [record for record in ResultStore(suite.out).records() if record.status == "failed"]
    assert "n_neighbors" in failed.reason
    assert not look(make_plan(suite, dry_run=False), suite).pending
    record = next(record for record in ResultStore(suite.out).records() if record.cell.method == "1nn-dtw")
    assert re.fullmatch(r"1\.\d+\.\d+", record.spec.method.versions["aeon"])
    assert record.networks == [] and record.costs["fit_seconds_alone"] > 0 and record.costs["latency_ms_p50"] > 0
    assert record.costs["peak_memory_bytes"] > 0
    for empty in ("parameters", "macs", "size_bytes", "networks_stored", "networks_trained", "optimiser_steps"):
        assert record.costs[empty] is None
    assert len(load_index(suite.out)) == 5
    assert len(compare([suite.out], missing="worst-rank").names) == 5


def test_parameters_are_those_of_the_signature():
    method = chosen("sklearn:RandomForestClassifier[max_depth=3,class_weight=balanced,bootstrap=false]")
    assert chosen("aeon:MultiRocketHydraClassifier[n_kernels=10000]").n_kernels == 10000
    assert chosen("sktime:TimeSeriesForestClassifier").uses_backbone is False
    assert (method.max_depth, method.class_weight, method.bootstrap) == (3, "balanced", False)
    assert set(label("m", method)[2:-1].split(",")) == {"bootstrap=false", "class_weight=balanced", "max_depth=3"}
    for text, words in (
        ("aeon:MiniRocketClassifier[kernels=100]", "Did you mean 'n_kernels'"),
        ("aeon:MiniRocketClassifier[random_state=1]", "has no parameter 'random_state'"),
        ("aeon:MiniRoketClassifier", "Did you mean 'MiniRocketClassifier'"),
        ("weka:J48", "Unknown library 'weka'"),
        ("aeon:InceptionTimeClassifier", "needs TensorFlow"),
        ("sktime:InceptionTimeClassifier", "needs TensorFlow"),
        ("aeon:MultiRocketHydraClassifier[n_kernel=10000]", "Did you mean 'n_kernels'"),
    ):
        with pytest.raises(MisuseError, match=words):
            chosen(text)


def test_a_missing_dependency_is_named_with_the_command(monkeypatch):
    from ssd_cli.methods import external_classifiers

    monkeypatch.setattr(external_classifiers, "is_installed", lambda package: False)
    external_classifiers.external_class.cache_clear()
    with pytest.raises(MisuseError) as caught:
        external_classifiers.external_class("aeon", "HydraClassifier")
    assert caught.value.remedy == "pip install torch"


def test_inputs():
    X = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    X[0, :, 2] = np.nan
    assert inputs_of(X, "series")[0, 0].tolist() == [0, 1, 0]
    assert inputs_of(X, "flat").shape == (2, 6) and inputs_of(X, "summary").shape == (2, 14)


def test_the_named_ones_are_listed():
    assert {entry.name for entry in methods.external_classifiers()} == {"dummy", "1nn-dtw", "minirocket", "hydra"}
    assert all(entry.summary.endswith(".") for entry in methods.external_classifiers())
    assert "minirocket" in ssd_bench("ls", "methods").stdout
