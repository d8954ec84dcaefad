"""Each rule of preparation follows its definition and learns from the training part only."""

import numpy as np
import pytest

from ssd_cli.archives.prepare import Preparation, default_preparation
from ssd_cli.configuration import configure
from ssd_cli.errors import MisuseError, SsdBenchError

NAN = np.nan
LENGTHS = ["pad", "zeros", "edge", "noise", "truncate", "resize"]
IMPUTES = ["linear", "mean", "forward", "mask"]


def series(*channels):
    return np.array(channels, dtype=np.float64)


def prepared(training, test=(), **rules):
    fitted = Preparation(**rules).fit(training)
    return fitted.transform(training), fitted.transform(list(test))


def test_equal_complete_series_only_change_type_without_scaling():
    training = [series([1, 2, 3], [4, 5, 6]), series([7, 8, 9], [0, 1, 0])]
    for length in LENGTHS:
        X, empty = prepared(training, length=length, scale="none")
        assert X.dtype == np.float32 and X.shape == (2, 2, 3) and empty.shape == (0, 2, 3)
        np.testing.assert_array_equal(X, np.stack(training))


def test_scale_series_is_per_series_and_channel_with_the_population_deviation():
    generator = np.random.default_rng(0)
    training = [generator.normal(3, 5, (2, 40)) for _ in range(3)]
    X, _ = prepared(training, scale="series")
    raw = np.stack(training)
    expected = (raw - raw.mean(-1, keepdims=True)) / raw.std(-1, ddof=0, keepdims=True)
    np.testing.assert_allclose(X, expected, rtol=1e-5, atol=1e-6)


def test_scale_train_uses_the_training_part_for_both_parts():
    training = [series([0, 2], [5, 5]), series([4, 6], [7, 7])]  # means 3 and 6, deviations sqrt(5) and 1
    X, T = prepared(training, [series([3, 3 + 2 * 5**0.5], [6, 4])], scale="train")
    np.testing.assert_allclose(T, [[[0, 2], [0, -2]]], atol=1e-6)
    np.testing.assert_allclose(X.mean((0, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(X.std((0, 2)), 1, rtol=1e-6)


@pytest.mark.parametrize("scale", ["series", "train"])
@pytest.mark.parametrize("level", [0.0, 0.1, -1e9, 1e-300])
def test_a_constant_channel_becomes_zero(scale, level):
    # 0.1 summed many times does not average to 0.1: the deviation is rounding noise, which must not be blown up.
    X, _ = prepared([np.full((1, 999), level)] * 3, scale=scale)
    np.testing.assert_allclose(X, 0, atol=1e-6)


def test_a_weak_signal_on_a_high_level_is_no_constant():
    wave = 1e6 + 1e-3 * np.sin(np.arange(200))
    X, _ = prepared([wave[None]], scale="series")
    np.testing.assert_allclose(X.std(), 1, rtol=1e-5)


def test_padding_is_zero_at_the_end_and_comes_after_scaling():
    X, T = prepared([series([1, 3]), series([1, 2, 3, 4])], [series([5])], length="zeros", scale="series")
    np.testing.assert_allclose(X[0], [[-1, 1, 0, 0]])
    np.testing.assert_allclose(T[0], [[0, 0, 0, 0]])


def test_padded_steps_do_not_enter_the_training_mean():
    X, _ = prepared([series([10, 12]), series([10, 10, 12, 12])], length="zeros", scale="train")
    np.testing.assert_allclose(X, [[[-1, 1, 0, 0]], [[-1, -1, 1, 1]]])


def test_the_length_is_the_training_parts():
    training, long = [series([1, 2]), series([1, 2, 3])], series([1, 2, 3, 4, 5])
    for length, expected in {
        "pad": [1, 2, 3],
        "zeros": [1, 2, 3],
        "edge": [1, 2, 3],
        "noise": [1, 2, 3],
        "truncate": [1, 2],
        "resize": [1, 3, 5],
    }.items():
        _, T = prepared(training, [long], length=length, scale="none")
        np.testing.assert_array_equal(T, [[expected]])


def test_truncate_pads_a_test_series_shorter_than_all_training_series():
    X, T = prepared([series([1, 2, 3]), series([4, 5, 6, 7])], [series([9])], length="truncate", scale="none")
    np.testing.assert_array_equal(X, [[[1, 2, 3]], [[4, 5, 6]]])
    np.testing.assert_array_equal(T, [[[9, 0, 0]]])


def test_padding_marks_the_steps_after_a_series_end():
    X, T = prepared([series([1, 3], [0, 1]), series([1, 2, 3, 4], [0, 0, 1, 1])], [series([5], [6])], length="pad", scale="none")
    np.testing.assert_array_equal(X[0], [[1, 3, NAN, NAN], [0, 1, NAN, NAN]])
    np.testing.assert_array_equal(T[0], [[5, NAN, NAN, NAN], [6, NAN, NAN, NAN]])
    assert not np.isnan(X[1]).any()


def test_a_short_test_series_among_equal_training_series_is_filled_with_zeros():
    for length in LENGTHS[:5]:  # no network was trained to see marks
        _, T = prepared([series([1, 2, 3]), series([4, 5, 6])], [series([9])], length=length, scale="none")
        np.testing.assert_array_equal(T, [[[9, 0, 0]]])


def test_padding_with_the_last_value_and_with_noise():
    training = [series([1, 3]), series([1, 2, 3, 4])]
    X, _ = prepared(training, length="edge", scale="none")
    np.testing.assert_array_equal(X[0], [[1, 3, 3, 3]])
    X, T = prepared(training, [training[0]], length="noise", scale="none")
    assert (X[0, 0, 2:] >= 2).all() and (X[0, 0, 2:] <= 2.001).all() and len(set(X[0, 0, 2:].tolist())) == 2
    assert np.array_equal(X[0], T[0])  # it depends on the series and on nothing else


def test_truncated_series_are_scaled_by_what_is_left():
    X, _ = prepared([series([1, 3]), series([2, 4, 100])], length="truncate", scale="series")
    np.testing.assert_allclose(X, [[[-1, 1]], [[-1, 1]]])


def test_resize_interpolates_between_first_and_last_step():
    X, _ = prepared([series([0, 10], [1, 1]), series([0, 1, 2, 3, 4], [9, 8, 7, 6, 5])], length="resize", scale="none")
    np.testing.assert_allclose(X[0], [[0, 2.5, 5, 7.5, 10], [1, 1, 1, 1, 1]])
    np.testing.assert_array_equal(X[1], [[0, 1, 2, 3, 4], [9, 8, 7, 6, 5]])


def test_linear_imputation_stays_within_the_series_and_channel():
    X, _ = prepared([series([NAN, 2, NAN, NAN, 8, NAN], [1, 1, 1, 1, 1, 1])], impute="linear", scale="none")
    np.testing.assert_allclose(X[0], [[2, 2, 4, 6, 8, 8], [1, 1, 1, 1, 1, 1]])


def test_mean_imputation_uses_the_training_mean_of_the_channel():
    X, T = prepared([series([1, NAN, 3]), series([5, 7, NAN])], [series([100, NAN, 100])], impute="mean", scale="none")
    np.testing.assert_allclose(X, [[[1, 4, 3]], [[5, 7, 4]]])
    np.testing.assert_allclose(T, [[[100, 4, 100]]])


def test_forward_imputation_repeats_the_last_value():
    X, _ = prepared([series([NAN, 2, NAN, NAN, 8, NAN], [1, 1, 1, 1, 1, 1])], impute="forward", scale="none")
    np.testing.assert_array_equal(X[0], [[2, 2, 2, 2, 8, 8], [1, 1, 1, 1, 1, 1]])


@pytest.mark.parametrize("scale", ["series", "train", "none"])
def test_a_mask_channel_tells_what_was_there(scale):
    training = [series([1, 2, 3, 4], [1, NAN, 2, 5]), series([5, 1, 7, 8], [1, 2, 4, 4])]
    X, T = prepared(training, [series([1, NAN, 3, 1], [NAN, 2, 2, 4])], impute="mask", scale=scale)
    assert X.shape == (2, 3, 4)  # only the second channel misses values in training
    np.testing.assert_array_equal(X[:, 2], [[1, 0, 1, 1], [1, 1, 1, 1]])
    np.testing.assert_array_equal(T[0, 2], [0, 1, 1, 1])
    linear, _ = prepared(training, impute="linear", scale=scale)
    np.testing.assert_array_equal(X[:, :2], linear)


def test_a_mask_channel_ends_with_its_series():
    training = [series([1, NAN, 3]), series([5, 1, 7, 8])]
    for length, expected in {"pad": [1, 0, 1, NAN], "edge": [1, 0, 1, 0], "resize": [1, 1 / 3, 1 / 3, 1]}.items():
        X, _ = prepared(training, impute="mask", length=length, scale="none")
        np.testing.assert_allclose(X[0, 1], expected)


@pytest.mark.parametrize("impute", IMPUTES)
def test_a_channel_missing_in_a_whole_series_gets_the_training_mean(impute):
    X, T = prepared([series([1, 3], [NAN, NAN]), series([5, 7], [2, 4])], [series([NAN, NAN], [0, 0])], impute=impute, scale="none")
    np.testing.assert_allclose(X[0, 1], [3, 3])
    np.testing.assert_allclose(T[0, 0], [4, 4])


def test_a_channel_without_any_training_value_is_an_error():
    with pytest.raises(SsdBenchError, match="Channel 2 has no value"):
        Preparation().fit([series([1, 2], [NAN, NAN])])


def test_values_beyond_32_bits_are_an_error_not_infinity():
    with pytest.raises(SsdBenchError, match="Case 0, channel 1: values up to inf"):
        prepared([series([0, np.inf])], scale="series")
    with pytest.raises(SsdBenchError, match=r"Case 1, channel 2: values up to 1e\+300 are beyond the range of 32-bit"):
        prepared([series([0, 1], [0, 1]), series([0, 1], [2, -1e300])], scale="none")
    X, _ = prepared([series([0, 1e100])], scale="series")
    np.testing.assert_allclose(X, [[[-1, 1]]])


@pytest.mark.parametrize("value", [1.7976931348623157e308, -1e300, 1e160])
@pytest.mark.parametrize("scale", ["series", "train"])
def test_values_whose_squares_overflow_are_refused_with_case_and_channel(scale, value):
    training = [series([1, 2, 4], [1, 3, 2]) for _ in range(4)]
    spoilt = series([1, 2, 3], [1, value, 3])
    with pytest.raises(SsdBenchError, match=r"Case 2, channel 2: values up to .* too large for a standard deviation"):
        Preparation(scale=scale).fit([*training[:2], spoilt, *training[2:]]).transform([training[0], training[0], spoilt])
    with pytest.raises(SsdBenchError, match="Case 1, channel 2: values up to"):
        prepared(training, [training[0], spoilt], scale=scale)


@pytest.mark.parametrize("unit", [1e-170, 1e-200, 5e-324])
@pytest.mark.parametrize("scale", ["series", "train", "none"])
def test_values_whose_squares_underflow_are_refused_with_the_channel(scale, unit):
    training = [series([1, 2, 4], [unit, 3 * unit, 2 * unit]) for _ in range(4)]
    with pytest.raises(SsdBenchError, match=r", channel 2: .* too small for"):
        prepared(training, scale=scale)
    X, _ = prepared([series([0, 3 * 2.0**-400, 2.0**-400])], scale="series")  # squares are above 1e-300
    np.testing.assert_allclose(X, prepared([series([0, 3, 1])], scale="series")[0], rtol=1e-6)


def test_a_value_that_cannot_be_scaled_is_named_by_its_part_and_row():
    from ssd_cli.archives.dataset import Part, make_dataset
    from ssd_cli.protocol.split import split

    generator = np.random.default_rng(0)
    for place in (3, 11):
        X = [generator.normal(size=(2, 5)) for _ in range(16)]
        X[place][1, 2] = 1e200
        parts = [Part(X[start : start + 8], np.array(["a", "b"] * 4)) for start in (0, 8)]
        where = f"Toy, case {place % 8} of the {'training' if place < 8 else 'test'} part, channel 2: values up to 1e\\+200"
        for resample in (0, 1, 2):
            with pytest.raises(SsdBenchError, match=where):
                split(make_dataset("Toy", *parts), resample, Preparation())


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("impute", IMPUTES)
@pytest.mark.parametrize("scale", ["series", "train", "none"])
def test_nothing_is_learnt_from_the_test_part_and_no_input_is_changed(length, impute, scale):
    generator = np.random.default_rng(1)
    training = [generator.normal(size=(2, n)) for n in (5, 9, 7)]
    training[1][0, 3] = NAN
    tests = [[generator.normal(size=(2, 12))], [1e3 * generator.normal(size=(2, 3))]]
    before = [one.copy() for one in training]
    (X, _), (again, _) = (prepared(training, test, length=length, impute=impute, scale=scale) for test in tests)
    assert np.array_equal(X, again, equal_nan=True) and np.isfinite(X).all() == (length != "pad")
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(training, before, strict=True))


@pytest.mark.parametrize("name", ["GunPoint", "ItalyPowerDemand"])
def test_the_default_makes_every_series_of_equal_scale(name):
    from ssd_cli.archives.load import load

    dataset = load(name, download=False)
    X = default_preparation(name).fit(dataset.train.X).transform(dataset.train.X)
    np.testing.assert_allclose(X.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(X.std(-1), 1, atol=1e-4)


def test_defaults_by_archive():
    assert default_preparation("UCIHAR").scale == default_preparation("WISDM").scale == "train"
    assert default_preparation("GunPoint") == default_preparation("BasicMotions") == default_preparation("MyOwn") == Preparation()


def test_the_rules_are_plain_values_and_checked():
    rules = {"length": "pad", "impute": "linear", "scale": "series"}
    assert Preparation().identity() == rules  # as older records have it
    assert Preparation(label_noise=0.2).identity() == rules | {"label_noise": 0.2}
    for share in (-0.1, 1.0):
        with pytest.raises(MisuseError, match=f"label_noise cannot be {share}"):
            Preparation(label_noise=share)
    assert configure(Preparation, "preparation", {"scale": "none"}) == Preparation(scale="none")
    with pytest.raises(MisuseError, match=r"scale cannot be 'both'\.\nExpected one of series, train, none\."):
        Preparation(scale="both")
    with pytest.raises(MisuseError):
        configure(Preparation, "preparation", {"length": "stretch"})
