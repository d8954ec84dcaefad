"""Verdicts, equivalence and the table of published runs, on numbers whose answers are known."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from ssd_cli.running.suite import parse_suite

STUDY = Path(__file__).parents[2] / "benchmarks" / "study"
RNG = np.random.default_rng(0)


def scores(n=40, **shifts):
    """Accuracies of `ssd` and of the five others, which lie `shifts` below it."""
    rng = np.random.default_rng(n)
    ssd = rng.uniform(0.7, 0.95, n)
    found = {"ssd": ssd}
    for other in ("finetune", "single-dropout", "feat-kd", "ssd-random-k", "ens-avg"):
        found[other] = ssd - shifts.get(other.replace("-", "_"), 0.0) + rng.normal(0, 0.002, n)
    return found


def judged(found, tested=True):
    verdicts = importlib.import_module("verdicts")
    return {row["other"]: row for row in verdicts.judge("lite40", "ssd", found, tested)}


def test_better_worse_and_equivalent():
    rows = judged(scores(finetune=0.02, feat_kd=-0.02))
    assert rows["finetune"]["verdict"] == "better"
    assert rows["feat-kd"]["verdict"] == "worse"
    assert rows["ens-avg"]["verdict"] == "equivalent"
    assert rows["ens-avg"]["p_same"] > 0.99
    assert rows["finetune"]["difference"] == pytest.approx(0.02, abs=0.002)
    assert rows["finetune"]["low"] < rows["finetune"]["difference"] < rows["finetune"]["high"]
    assert (rows["finetune"]["wins"], rows["finetune"]["losses"]) == (40, 0)


def test_noise_is_neither_a_difference_nor_an_equivalence():
    rng = np.random.default_rng(3)
    found = {name: rng.normal(0.8, 0.05, 20) for name in scores()}
    rows = judged(found)
    assert rows["finetune"]["verdict"] == "no difference found"
    assert rows["ens-avg"]["verdict"] == "equivalence not shown"
    assert rows["ens-avg"]["detectable"] > 0.005


def test_five_p_values_agree_with_scipy_and_holm_with_statsmodels():
    found = scores(finetune=0.0012, single_dropout=0.0008, feat_kd=0.0005, ssd_random_k=0.0, ens_avg=0.004)
    rows = judged(found)
    raw = []
    for other, row in rows.items():
        difference = found["ssd"] - found[other]
        options = {"zero_method": "pratt", "method": "exact"}
        if other == "ens-avg":
            above = scipy.stats.wilcoxon(difference + 0.005, alternative="greater", **options).pvalue
            below = scipy.stats.wilcoxon(difference - 0.005, alternative="less", **options).pvalue
            expected = max(above, below)
        else:
            expected = scipy.stats.wilcoxon(difference, **options).pvalue
        assert row["p"] == pytest.approx(expected, rel=1e-9), other
        raw.append(row["p"])
    adjusted = multipletests(raw, method="holm")[1]
    assert [row["p_holm"] for row in rows.values()] == pytest.approx(adjusted.tolist(), rel=1e-12)


def test_a_control_without_results_counts_in_the_correction():
    found = scores(finetune=0.0012)
    found["feat-kd"][:] = found["ssd-random-k"][:] = np.nan
    rows = judged(found)
    assert rows["feat-kd"]["verdict"] == "no complete dataset"
    assert rows["feat-kd"]["datasets"] == 0
    smallest = min(rows.values(), key=lambda row: row["p"] if row["p"] == row["p"] else 2)
    assert smallest["p_holm"] == pytest.approx(5 * smallest["p"])


def test_incomplete_datasets_are_left_out_of_a_pair():
    found = scores(12, finetune=0.02)
    found["finetune"][:3] = np.nan
    rows = judged(found)
    assert rows["finetune"]["datasets"] == 9
    assert rows["single-dropout"]["datasets"] == 12


def test_too_few_datasets_give_no_verdict_and_small_studies_are_described():
    assert "too few" in judged(scores(7, finetune=0.02))["finetune"]["verdict"]
    row = judged(scores(10, finetune=0.02), tested=False)["finetune"]
    assert row["verdict"] == "described only"
    assert np.isnan(row["p"]) and np.isnan(row["p_same"])
    assert row["difference"] == pytest.approx(0.02, abs=0.002)
    alone = judged(scores(1), tested=False)["finetune"]
    assert np.isnan(alone["low"])


def test_the_families_are_in_every_suite_that_is_judged():
    verdicts, analyse = importlib.import_module("verdicts"), importlib.import_module("analyse")
    for name in analyse.JUDGED:
        methods = parse_suite(STUDY / f"{name}.yaml", {}).method
        for method, others in verdicts.FAMILIES.items():
            assert {method, *others} <= set(methods)


def test_welch_agrees_with_statsmodels():
    runs = importlib.import_module("published_runs")
    ours, theirs = RNG.normal(0.95, 0.01, 5), RNG.normal(0.96, 0.004, 5)
    found = runs.welch(ours, theirs)
    means = CompareMeans(DescrStatsW(ours), DescrStatsW(theirs))
    assert (found.low, found.high) == pytest.approx(means.tconfint_diff(usevar="unequal"), rel=1e-9)
    assert found.p == pytest.approx(means.ttest_ind(usevar="unequal")[1], rel=1e-9)
    assert found.difference == pytest.approx(ours.mean() - theirs.mean())


def test_five_published_runs_of_eight_datasets():
    runs = importlib.import_module("published_runs")
    published = runs.published()
    assert set(published) == set(parse_suite(STUDY / "inception8_published.yaml", {}).dataset)
    assert {len(values) for values in published.values()} == {5}
    assert published["Chinatown"].mean() == pytest.approx(0.9831, abs=1e-4)


def test_equal_runs_pass_and_shifted_ones_fail():
    runs = importlib.import_module("published_runs")
    published = runs.published()
    (_, rows), sentence = runs.compare(published)
    assert len(rows) == 8
    assert "Both hold." in sentence
    (_, rows), sentence = runs.compare({name: values - 0.05 for name, values in published.items()})
    assert "NOT BOTH HOLD" in sentence
    p = np.array([row[-2] for row in rows])
    assert [row[-1] for row in rows] == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_no_spread_at_all():
    runs = importlib.import_module("published_runs")
    equal = runs.welch(np.ones(5), np.ones(5))
    assert (equal.difference, equal.p) == (0, 1) and np.isnan([equal.low, equal.high]).all()
    assert runs.welch(np.ones(5), np.full(5, 0.9)).p == 0


def test_rounding_is_no_difference():
    runs = importlib.import_module("published_runs")
    n = 343
    counts = np.round(runs.published()["Chinatown"] * n) / n
    (_, rows), _ = runs.compare({"Chinatown": counts})
    assert rows[0][4] == 0
