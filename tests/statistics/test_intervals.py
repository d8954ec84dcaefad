import numpy as np
import pytest
import scipy.stats

from ssd_cli.statistics.intervals import mean_interval

EXAMPLES = {
    "normal": lambda rng, shape: rng.normal(0.3, 1, shape),
    "ties": lambda rng, shape: np.round(rng.normal(0.3, 1, shape)) / 30,
    "outlier": lambda rng, shape: rng.standard_t(2, shape) - 1,
}


@pytest.mark.parametrize("kind", EXAMPLES)
@pytest.mark.parametrize("n", [2, 3, 4, 9, 60])
def test_the_interval_is_that_of_scipy_with_fewer_degrees(kind, n):
    values = EXAMPLES[kind](np.random.default_rng(n), (n, 4))
    low, high = mean_interval(values)
    for column, one in enumerate(values.T):
        if np.ptp(one) == 0:
            assert np.isnan([low[column], high[column]]).all()
            continue
        expected = scipy.stats.t.interval(0.95, max(1, (n - 1) / 2), one.mean(), scipy.stats.sem(one))
        assert [low[column], high[column]] == pytest.approx(expected, rel=1e-9)


def test_missing_values_count_for_nothing():
    values = np.random.default_rng(0).normal(size=(9, 2))
    values[[1, 4], 0] = np.nan
    low, high = mean_interval(values)
    alone = mean_interval(values[np.isfinite(values[:, 0]), :1])
    assert (low[0], high[0]) == pytest.approx((alone[0][0], alone[1][0]), rel=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[], [0.2], [np.nan, 0.2], [np.nan] * 3, [0.1, 0.1], [0.0] * 40, [0.3, 0.1 + 0.2, np.nan]])
def test_without_a_spread_there_is_no_interval(values):
    column = np.array(values, dtype=np.float64).reshape(-1, 1)
    beside = np.hstack([column, np.arange(len(values), dtype=np.float64).reshape(-1, 1)])
    for table in (column, beside):
        low, high = mean_interval(table)
        assert np.isnan([low[0], high[0]]).all()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_other_sign_mirrors_the_interval(kind):
    """A metric of which lower is better has the same interval with exchanged ends."""
    values = EXAMPLES[kind](np.random.default_rng(1), (12, 3))
    (low, high), (mirrored_low, mirrored_high) = mean_interval(values), mean_interval(-values)
    assert np.array_equal(low, -mirrored_high) and np.array_equal(high, -mirrored_low)


@pytest.mark.parametrize("n", [5, 10, 40])
@pytest.mark.parametrize("draw", [
    lambda rng, shape: (rng.normal(0.3, 1, shape), 0.3),
    lambda rng, shape: (rng.standard_t(3, shape), 0.0),
    lambda rng, shape: (rng.lognormal(0, 0.75, shape), np.exp(0.75**2 / 2)),
    lambda rng, shape: (np.where(rng.random(shape) < 0.4, 0, np.round(rng.normal(0.5, 2, shape))), 0.3),
], ids=["normal", "t3", "skewed", "zeros"])  # fmt: skip
def test_the_interval_covers_the_mean(draw, n):
    values, mean = draw(np.random.default_rng(n), (n, 4000))
    low, high = mean_interval(values)
    known = np.isfinite(low)
    assert ((low <= mean) & (mean <= high))[known].mean() > 0.905
