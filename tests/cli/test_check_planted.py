"""The gate of this repository against real regressions, planted into real trainings.

What a regression does not touch is taken from the reference as it is, so that every test has its full correction.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import ssd_cli.protocol.split as splitting
from ssd_cli.backbones.base import DropoutSite
from ssd_cli.leaderboard.collect import collect
from ssd_cli.leaderboard.gate import check
from ssd_cli.leaderboard.reference import made_with, read_reference
from ssd_cli.running.execute import execute
from ssd_cli.running.job import Job
from ssd_cli.running.plan import make_plan
from ssd_cli.running.suite import parse_suite
from ssd_cli.training import run as training_run
from ssd_cli.training import workbench

ROOT = Path(__file__).parents[2]
ALL = ("GunPoint", "ItalyPowerDemand", "BasicMotions")
DROPOUT = "single-dropout[dropout=0.8]"


@pytest.fixture(scope="module")
def reference():
    return read_reference(ROOT / "results" / "reference")


@pytest.fixture
def gate(reference, tmp_path, monkeypatch):
    """Train cells of the gate's suite with a new seed, and check a run that has them in the place of the reference's."""
    monkeypatch.delenv("SSD_BENCH_DATA", raising=False)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)

    def gate(datasets, method):
        options = {"dataset": datasets, "method": (method,), "seeds": "200,", "out": tmp_path / "run", "workers": 1}
        plan = make_plan(parse_suite(ROOT / "benchmarks" / "gate.yaml", options), dry_run=False)
        for cell in plan.cells:
            assert execute(Job(cell, tmp_path / "run", keep_networks=False), lambda progress: None).status == "ok"
        new, old = made_with(collect([tmp_path / "run"])), reference[reference["seed"] == 0]
        untouched = ~(old["dataset"].isin(datasets) & (old["method"] == method))
        return check(pd.concat([old[untouched].assign(seed=200), new]), reference, two_sided=True)

    return gate


@pytest.mark.parametrize(("datasets", "method"), [(ALL, "single"), (ALL[1:2], "swa"), (ALL[1:2], DROPOUT)])
def test_without_a_regression_it_passes(gate, datasets, method):
    assert gate(datasets, method).passed


def test_batch_norm_statistics_that_are_not_refreshed_after_averaging(gate, monkeypatch):
    original = workbench.refresh_batch_norm  # without a batch they stay as they were reset
    monkeypatch.setattr(workbench, "refresh_batch_norm", lambda network, batches, modules: original(network, [], modules))
    fallen = {(moved.dataset, moved.name.split("@")[0]) for moved in gate(ALL[1:2], "swa").fallen}
    assert ("ItalyPowerDemand", "swa") in fallen


def test_dropout_that_is_left_on_at_prediction(gate, monkeypatch):
    def always(self, maps):
        return maps * self.mask(*maps.shape, like=maps) if self.rate and maps.ndim == 2 else maps

    monkeypatch.setattr(DropoutSite, "forward", always)
    assert ("", "accuracy") in {(moved.dataset, moved.score) for moved in gate(ALL, DROPOUT).fallen}


def test_test_series_scaled_with_the_wrong_statistics(gate, monkeypatch):
    def split(dataset, resample, preparation):
        """Test series by the mean and spread of the training part, training series each by its own."""
        training_set, _ = original(dataset, resample, preparation)
        return training_set, original(dataset, resample, replace(preparation, scale="train"))[1]

    original = splitting.split
    monkeypatch.setattr(splitting, "split", split)
    assert "BasicMotions" in {moved.dataset for moved in gate(ALL[2:], "single").fallen}


def test_a_learning_rate_ten_times_too_high(gate, monkeypatch):
    """With cosine decay these networks lose no accuracy by it: what shows is an NLL better than it may be."""

    def ten_times(specs, step, **options):
        schedules = [replace(spec.schedule, learning_rate=10 * spec.schedule.learning_rate) for spec in specs]
        return original(
            [replace(spec, schedule=schedule) for spec, schedule in zip(specs, schedules, strict=True)], step, **options
        )

    original = training_run.train
    monkeypatch.setattr(training_run, "train", ten_times)
    report = gate(ALL, "single")
    assert not report.passed
    assert ("", "nll") in {(moved.dataset, moved.score) for moved in report.risen}
