import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sktime.classification.model_selection import TSCGridSearchCV
from sktime.transformations.series.exponent import ExponentTransformer

import ssd_cli
from ssd_cli.archives.load import load
from ssd_cli.core.executions import Execution
from ssd_cli.estimators import aeon, sktime
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.plan import make_plan
from ssd_cli.running.suite import Suite
from ssd_cli.store.results import ResultStore

TINY = {"recipe": "smoke", "epochs": 2, "device": "cpu", "random_state": 3}
CASES = [
    ("MethodClassifier", {"method": "swa", "backbone": "lite[width=4]"}, "swa", "lite[width=4]"),
    ("SSDClassifier", {"representations": 4, "backbone": "lite[width=4]"}, "ssd[representations=4]", "lite[width=4]"),
    ("InceptionTimeClassifier", {"n_classifiers": 2, "width": 4}, "ens-avg[members=2]", "inception[width=4]"),
    ("LITETimeClassifier", {"n_classifiers": 2, "width": 4}, "ens-avg[members=2]", "lite[width=4]"),
    ("ResNetClassifier", {"width": 4}, "single", "resnet[width=4]"),
]


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("SSD_BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("SSD_BENCH_DATA", raising=False)


def waves(n_cases=12, n_channels=1, n_timepoints=20):
    random = np.random.default_rng(0)
    y = np.array(["slow", "fast"])[np.arange(n_cases) % 2]
    frequency = np.where(y == "fast", 2.0, 0.5)[:, None, None]
    X = np.sin(frequency * np.arange(n_timepoints)) + 0.1 * random.standard_normal((n_cases, n_channels, n_timepoints))
    return X, y


def probabilities_of_the_command(out, dataset, method, backbone):
    names = {"dataset": (dataset,), "method": (method,), "backbone": (backbone,)}
    suite = Suite(**names, recipe="smoke[epochs=2]", seeds=(3,), device="cpu", out=out)
    (planned,) = make_plan(suite, dry_run=False).cells
    assert execute(Job(planned, out, keep_networks=False), lambda progress: None).status == "ok"
    return ResultStore(out).predictions(planned.cell)[1]


@pytest.mark.parametrize(("name", "parameters", "method", "backbone"), CASES)
def test_probabilities_are_those_of_the_command_bit_for_bit(name, parameters, method, backbone, tmp_path):
    expected = probabilities_of_the_command(tmp_path, "ItalyPowerDemand", method, backbone)
    dataset = load("ItalyPowerDemand", download=False)
    X_train, X_test = np.stack(dataset.train.X), np.stack(dataset.test.X)
    for library in (aeon, sktime):
        classifier = getattr(library, name)(**parameters, **TINY, dataset="ItalyPowerDemand")
        found = classifier.fit(X_train, dataset.train.y).predict_proba(X_test)
        assert np.array_equal(found, expected)


def test_probabilities_are_those_of_the_command_for_unequal_lengths_and_several_channels_too(tmp_path):
    expected = probabilities_of_the_command(tmp_path, "JapaneseVowels", "ema", "lite[width=4]")
    dataset = load("JapaneseVowels", download=False)
    for library, container in ((aeon, list), (sktime, lambda X: [pd.DataFrame(series.T) for series in X])):
        classifier = library.MethodClassifier(method="ema", backbone="lite[width=4]", **TINY, dataset="JapaneseVowels")
        found = classifier.fit(container(dataset.train.X), dataset.train.y).predict_proba(container(dataset.test.X))
        assert np.array_equal(found, expected)


def test_a_grid_of_numpy_numbers_and_of_parameters_without_effect_is_searched():
    X, y = waves()
    classifier = aeon.SSDClassifier(**{**TINY, "epochs": 1}, student_share=1.0, backbone="lite[width=2]")
    grid = {
        "epochs": np.arange(1, 3),
        "representations": np.array([10, 30]),
        "temperature": [1.0, 5.0],
        "dropout": [np.float32(0.5)],
    }
    search = GridSearchCV(classifier, grid, cv=2, refit=False, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    alike = [classifier.set_params(representations=10, temperature=value).fit(X, y).predict_proba(X) for value in (1.0, 5.0)]
    assert np.array_equal(*alike)  # of ten representations one is kept, so that the temperature has no effect


def test_the_execution_is_that_of_the_command_where_series_are_cut(tmp_path, monkeypatch):
    executions = []
    monkeypatch.setattr(
        "ssd_cli.estimators.core.plan", lambda network, n_timepoints, **_: executions.append(n_timepoints) or Execution()
    )
    X, y = waves(n_timepoints=100)
    series = [one[:, : 60 + 4 * case] for case, one in enumerate(X)]
    aeon.MethodClassifier(backbone="lite[width=2]", length="truncate", **TINY).fit(series, y)
    assert executions == [100]  # as `running.plan` takes it from the archive


@pytest.mark.parametrize("library", [aeon, sktime])
def test_a_recipe_in_bfloat16_is_trained_by_an_execution_that_has_it(library):
    X, y = waves()
    classifier = library.MethodClassifier(method="single", backbone="lite[width=2]", **{**TINY, "recipe": "smoke[precision=bf16]"})
    assert np.isfinite(classifier.fit(X, y).predict_proba(X)).all()


def test_the_package_offers_the_classifiers_of_aeon_without_loading_torch():
    code = "import sys, ssd_cli; assert 'SSDClassifier' in dir(ssd_cli) and not {'torch', 'aeon'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert ssd_cli.SSDClassifier is aeon.SSDClassifier
    with pytest.raises(AttributeError, match="NoSuchClassifier"):
        _ = ssd_cli.NoSuchClassifier


@pytest.mark.parametrize("library", [aeon, sktime])
def test_pickle_pipeline_and_grid_search(library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = waves()
    classifier = library.MethodClassifier(backbone="lite[width=2]", **TINY)
    # scikit-learn 1.9 does not take sktime 1.2's classifiers into its pipeline and grid search: sktime has its own
    pipeline = make_pipeline(classifier) if library is aeon else ExponentTransformer(power=1) * classifier
    fitted = pipeline.fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(fitted.predict_proba(X), again.predict_proba(X))
    grid_search = GridSearchCV if library is aeon else TSCGridSearchCV
    search = grid_search(classifier, {"method": ["single", "ema"]}, cv=StratifiedKFold(2)).fit(X, y)
    assert search.best_params_["method"] in ("single", "ema") and search.predict(X).shape == (12,)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", [aeon, sktime])
def test_unequal_length_and_missing_values(library):
    X, y = waves(n_channels=2)
    X[1, 0, 3] = np.nan
    classifier = library.MethodClassifier(backbone="lite[width=2]", **TINY).fit(X, y)
    shorter = X[:4, :, :15]
    assert classifier.predict_proba(shorter).shape == (4, 2)
    assert set(classifier.predict(shorter)) <= {"slow", "fast"}


def test_what_does_not_fit_is_said():
    X, y = waves(n_channels=2)
    classifier = aeon.MethodClassifier(backbone="lite[width=2]", **TINY).fit(X, y)
    with pytest.raises(ValueError, match="channels"):
        classifier.predict(X[:, :1])
    with pytest.raises(ValueError, match="trained on series of 2 channels; these have 1"):
        classifier.fitted_.predict_proba([X[0, :1]], 1)
    for parameters, words in (
        ({"backbone": "incepton"}, "Did you mean 'inception'"),
        ({"method": "ssd[temprature=3]"}, "Did you mean 'temperature'"),
        ({"scale": "sideways"}, "scale cannot be 'sideways'"),
        ({"device": "tpu"}, "tpu"),
        ({"threads": 0}, "threads must be at least 1"),
    ):
        with pytest.raises(ValueError, match=words):
            aeon.MethodClassifier(**{**TINY, **parameters}).fit(X, y)


def test_what_was_random_stays_as_it_was():
    X, y = waves()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    threads = torch.get_num_threads()
    aeon.MethodClassifier(backbone="lite[width=2]", **TINY).fit(X, y)
    assert torch.equal(torch.rand(3), expected) and torch.get_num_threads() == threads
    differ = [
        aeon.MethodClassifier(backbone="lite[width=2]", **{**TINY, "random_state": s}).fit(X, y).predict_proba(X) for s in (1, 2)
    ]
    assert not np.array_equal(*differ)
