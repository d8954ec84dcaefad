"""Exports of a dataset of one's own, with what the archives do not have."""

import numpy as np
import pytest
import torch

from ssd_cli.deployment.export import export_onnx, export_torch, reference
from ssd_cli.deployment.runtime import Model, load_model, read_series
from ssd_cli.deployment.trained import find, restore
from ssd_cli.errors import SsdBenchError
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.plan import make_plan
from ssd_cli.running.suite import Suite
from tests.cli.helpers import ssd_bench


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A cell of a dataset of one's own, trained in a second: its function gives the restored cell."""

    def train(name, train, test, channels=("",), **options):
        base = tmp_path_factory.mktemp(name)
        (base / name).mkdir()
        for part, X in (("TRAIN", train), ("TEST", test)):
            _write_table(base / name / f"{name}_{part}.csv", X, channels)
        suite = Suite(
            dataset=(name,),
            method=("single",),
            backbone=("lite[width=4]",),
            recipe="smoke",
            device="cpu",
            out=base / "out",
            data_dir=(base,),
            **options,
        )
        (planned,) = make_plan(suite, dry_run=False).cells
        assert execute(Job(planned, base / "out", data_dirs=(base,)), lambda progress: None).status == "ok"
        return restore(base / "out", find(base / "out", name, "single", None, None, None), [base])

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSD_BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield train


def _write_table(path, X, channels):
    """Alternating labels, and the channels as columns in the order of their names; a short series leaves cells empty."""
    steps = range(max(series.shape[1] for series in X))
    header = ["label", *(f"{channel}_{step}" for channel in channels for step in steps)]
    rows = [
        [str(case % 2), *(repr(values[step]) if step < len(values) else "" for values in series.tolist() for step in steps)]
        for case, series in enumerate(X)
    ]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")


def test_a_large_level_does_not_hide_a_small_variation(own, tmp_path):
    random = np.random.default_rng(0)
    series = [101325 + np.round(random.normal(0, 0.05, (1, 30)), 2) for _ in range(20)]  # Pa, as a barometer gives them
    report = export_onnx(own("Barometer", series[:10], series[10:]), tmp_path / "model.onnx")
    assert report["float"]["largest_difference"] < 1e-5


def test_networks_that_are_not_numbers_are_not_exported(own, tmp_path):
    random = np.random.default_rng(0)
    series = [random.normal(0, 1, (1, 30)) for _ in range(20)]
    cell = own("Diverged", series[:10], series[10:])
    export_onnx(cell, tmp_path / "good.onnx")
    with torch.no_grad():
        next(cell.networks[0].parameters()).fill_(torch.nan)
    for write, name in ((export_onnx, "model.onnx"), (export_torch, "model.pt2")):
        with pytest.raises(SsdBenchError, match=r"^Diverged, single on lite.*: the networks give no probabilities"):
            write(cell, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.onnx", "good.onnx.json"]


def test_a_model_that_gives_no_probabilities_is_an_error_not_a_class(own, tmp_path):
    random = np.random.default_rng(0)
    series = [random.normal(0, 1, (1, 30)) for _ in range(20)]
    cell = own("Unscaled", series[:10], series[10:], scale="none")
    export_onnx(cell, tmp_path / "model.onnx")
    with pytest.raises(SsdBenchError, match=r"Case 1: .*model.onnx gives no probabilities"):
        load_model(tmp_path / "model.onnx").predict_proba([series[0], np.full((1, 30), 1e39)])


def test_channels_of_new_series_are_matched_by_name(own, tmp_path):
    random = np.random.default_rng(0)
    series = [random.normal(0, 1, (2, 30)) for _ in range(20)]
    cell = own("Two", series[:10], series[10:], channels=("acc", "gyro"))
    export_onnx(cell, tmp_path / "model.onnx")
    _write_table(tmp_path / "X.csv", [one[::-1] for one in series[10:]], ("gyro", "acc"))
    done = ssd_bench("predict", tmp_path / "model.onnx", tmp_path / "X.csv")
    found = [[float(value) for value in line.split(",")[2:]] for line in done.stdout.splitlines()[1:]]
    np.testing.assert_allclose(found, reference(cell), atol=1e-5)
    _write_table(tmp_path / "X.csv", series[10:], ("acc", "mag"))
    done = ssd_bench("predict", tmp_path / "model.onnx", tmp_path / "X.csv")
    assert done.returncode == 1 and "X.csv and the model have different channels: 'mag' only the first" in done.stderr


def test_labels_of_new_series_are_those_of_the_model_but_for_a_decimal_point(tmp_path):
    np.savez(tmp_path / "X.npz", X=np.zeros((3, 4)), y=np.array([0.0, 1.0, 2.0]))
    model = Model(None, {"classes": ["0.0", "1"], "equal_length": True})
    assert read_series(tmp_path / "X.npz", model)[1] == ["0.0", "1", "2"]


@pytest.mark.parametrize("length", ["pad", "resize"])
def test_test_series_of_other_lengths_than_the_training_series(own, tmp_path, length):
    random = np.random.default_rng(0)
    train = [random.normal(0, 1, (1, 30)) for _ in range(10)]
    test = [random.normal(0, 1, (1, n)) for n in (30, 28, 30, 34, 9)]
    cell = own("Ragged", train, test, length=length)
    for write, name in ((export_onnx, "model.onnx"), (export_torch, "model.pt2")):
        assert write(cell, tmp_path / name)["float"]["largest_difference"] < 1e-5
    rows = [[*map(repr, series[0].tolist()), *[""] * (34 - series.shape[1])] for series in test]
    (tmp_path / "X.csv").write_text("\n".join(",".join(row) for row in [map(str, range(34)), *rows]) + "\n")
    done = ssd_bench("predict", tmp_path / "model.onnx", tmp_path / "X.csv")
    found = [[float(value) for value in line.split(",")[2:]] for line in done.stdout.splitlines()[1:]]
    np.testing.assert_allclose(found, reference(cell), atol=1e-5)


def test_cases_without_a_label_are_predicted_and_not_counted(own, tmp_path):
    random = np.random.default_rng(0)
    series = [random.normal(0, 1, (1, 30)) for _ in range(20)]
    export_onnx(own("Partly", series[:10], series[10:]), tmp_path / "model.onnx")
    values = [",".join(map(repr, one[0].tolist())) for one in series[:4]]
    for labels, n_labelled in (("? ? ? ?", 0), ("? 0 1 ?", 2), ("0 nan NaN 1", 2), ("0 1 0 1", 4)):
        lines = [f"{text}:{label}" for text, label in zip(values, labels.split(), strict=True)]
        (tmp_path / "X.ts").write_text("\n".join(["@univariate true", "@classLabel true 0 1", "@data", *lines]) + "\n")
        done = ssd_bench("predict", tmp_path / "model.onnx", tmp_path / "X.ts")
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 5, done.stderr
        assert (f"of {n_labelled} as labelled" in done.stderr) == bool(n_labelled)
    lines = ["@univariate true", "@classLabel false", "@data", *values]
    (tmp_path / "bare.ts").write_text("\n".join(lines) + "\n")
    bare = ssd_bench("predict", tmp_path / "model.onnx", tmp_path / "bare.ts")
    assert bare.stdout == done.stdout and "labelled" not in bare.stderr


@pytest.mark.parametrize(("value", "size"), [(1e200, "large"), (1.7e308, "large"), (1e-200, "small")])
def test_a_series_that_cannot_be_scaled_is_refused(own, tmp_path, value, size):
    random = np.random.default_rng(0)
    series = [random.normal(0, 1, (1, 30)) for _ in range(20)]
    export_onnx(own("Scaled", series[:10], series[10:]), tmp_path / "model.onnx")
    model = load_model(tmp_path / "model.onnx")
    spoilt = series[0] * (value if size == "small" else 1)
    spoilt[0, 3] = value
    with pytest.raises(SsdBenchError, match=f"Case 1, channel 1: .* too {size} for a standard deviation"):
        model.predict_proba([series[0], spoilt])
