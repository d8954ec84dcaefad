import numpy as np
import pytest
import scipy.stats

from ssd_cli.statistics.gate import GROUP_DEGREES, group_falls, mean_fall, spreads


def world(rng, n_datasets=8, n_reference=10, n_new=2, drop=0.0, noise=None):
    noise = noise or rng.standard_normal
    spread = np.repeat([0.005, 0.02], n_datasets // 2)
    reference = [0.8 + s * noise(size=n_reference) for s in spread]
    return reference, [0.8 - drop + s * noise(size=n_new) for s in spread]


def test_one_group_is_the_t_test_of_scipy():
    rng = np.random.default_rng(0)
    before, now = rng.normal(0.8, 0.02, 10), rng.normal(0.7, 0.02, 1)
    (fall,) = group_falls([before], [now], 0.01)
    # a single new value against a sample: the prediction interval
    t = (now[0] - before.mean()) / (before.std(ddof=1) * np.sqrt(1 / 10 + 1))
    assert fall.p == pytest.approx(scipy.stats.t.cdf(t, GROUP_DEGREES), rel=1e-9)
    (fall,) = group_falls([before[:4]], [now], 0.01)
    t = (now[0] - before[:4].mean()) / (before[:4].std(ddof=1) * np.sqrt(1 / 4 + 1))
    assert fall.p == pytest.approx(scipy.stats.t.cdf(t, 3), rel=1e-9)
    assert fall.fell and not fall.rose


def test_a_rise_is_as_improbable_as_a_fall_of_its_size():
    before = np.random.default_rng(0).normal(0.8, 0.02, 10)
    (fall,), (rise,) = (group_falls([before], [before.mean() + np.full(1, change)], 0.01) for change in (-0.1, 0.1))
    assert rise.rose and rise.change == pytest.approx(-fall.change, abs=1e-12)
    assert rise.p == pytest.approx(fall.p, rel=1e-6) and rise.p < 0.01


def test_a_reference_that_never_varies_borrows_the_spread_of_the_others():
    steady, lively = np.full(10, 0.9), np.random.default_rng(0).normal(0.8, 0.02, 10)
    found = spreads([steady, lively])
    assert 0 < found[0] < found[1]
    assert found[1] == pytest.approx(lively.std(ddof=1))


@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_false_alarms_stay_at_most_as_stated(tails):
    rng, alarms, studies, alpha = np.random.default_rng(1), 0, 1000, 0.02
    noise = (lambda size: rng.standard_t(4, size) / np.sqrt(2)) if tails == "heavy" else rng.standard_normal
    for _ in range(studies):
        reference, new = world(rng, noise=noise)
        falls = [*group_falls(reference, new, alpha / 2 / 8), mean_fall(reference, new, alpha / 2)]
        alarms += any(fall.fell for fall in falls)
    assert alarms / studies <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / studies)


def test_the_stated_drop_is_found_as_often_as_stated():
    rng, found, studies = np.random.default_rng(2), 0, 400
    size = np.mean([mean_fall(*world(rng), 0.005).detectable for _ in range(50)])
    for _ in range(studies):
        found += mean_fall(*world(rng, drop=size), 0.005).fell
    assert found / studies == pytest.approx(0.8, abs=0.1)
