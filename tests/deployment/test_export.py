import json
import os
import subprocess

import numpy as np
import pytest
import torch

from ssd_cli.archives.load import load
from ssd_cli.archives.prepare import Preparation
from ssd_cli.deployment.export import export_onnx, export_torch, reference
from ssd_cli.deployment.graph import DeployedPredictor
from ssd_cli.deployment.reduce import calibration_cases
from ssd_cli.deployment.runtime import load_model
from ssd_cli.deployment.trained import find, restore
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.running.execute import Job, execute
from ssd_cli.running.plan import make_plan
from ssd_cli.running.suite import Suite
from ssd_cli.store.results import ResultStore
from tests.cli.helpers import failing, ssd_bench
from tests.deployment import environment

BACKBONES = ("lite[width=4]", "inception[width=4]", "h-inception[width=4]", "resnet[width=4]", "fcn[width=4]", "mlp[width=8]")
METHODS = ("ens-avg[members=2]", "swa", "ssd", "embed-distill", "ens-vote[members=3]")
LITE = BACKBONES[0]
WITH_MID = tuple(f"{name}[dropout_sites=embed+mid]" for name in ("ssd-random-k", "feat-kd", "finetune", "single-dropout"))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Cells of every backbone and of every kind of predictor."""
    out = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSD_BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.delenv("SSD_BENCH_DATA", raising=False)
        for dataset, methods, backbones in (
            ("ItalyPowerDemand", ("single",), BACKBONES),
            ("ItalyPowerDemand", (*METHODS, *WITH_MID), (LITE,)),
            ("ItalyPowerDemand", ("ssd-weight",), ("mlp[width=8]",)),
            ("JapaneseVowels", ("single",), (LITE, "mlp[width=8]")),
            ("ItalyPowerDemand", ("single",), ("lite[width=2]",)),
        ):
            suite = Suite(dataset=(dataset,), method=methods, backbone=backbones, recipe="smoke", device="cpu", out=out)
            for planned in make_plan(suite, dry_run=False).cells:
                job = Job(planned, out, keep_networks="width=2" not in planned.cell.backbone)
                assert execute(job, lambda progress: None).status == "ok"
        yield out


def trained(results, method="single", backbone=LITE, dataset="ItalyPowerDemand"):
    return restore(results, find(results, dataset, method, backbone, None, None))


@pytest.mark.parametrize(
    ("method", "backbone"),
    [
        *(("single", backbone) for backbone in BACKBONES),
        *((method, LITE) for method in ("ens-avg[members=2]", "ssd", "swa", *WITH_MID)),
        ("ssd-weight", "mlp[width=8]"),
    ],
)
def test_the_graph_computes_what_the_run_stored(results, tmp_path, method, backbone):
    cell = trained(results, method, backbone)
    _, stored = ResultStore(results).predictions(cell.record.cell)
    np.testing.assert_allclose(reference(cell), stored, rtol=0, atol=1e-7)
    report = export_onnx(cell, tmp_path / "model.onnx")
    assert report["float"]["largest_difference"] < 1e-5 and report["float"]["agreement"] == 1
    # a shortcut of ResNet normalises what another layer takes too
    assert (report["batch_norms_left"] == 0) == (not backbone.startswith("resnet"))
    assert report["networks"] == len(cell.networks) and report["macs"] > 0 and report["float"]["latency_ms_p50"] > 0
    assert report["float"]["size_bytes"] == (tmp_path / "model.onnx").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.json"]
    content = (tmp_path / "model.onnx").read_bytes()
    assert b"site-packages" not in content and b"graph.py" not in content  # notes of the exporter name folders
    model = load_model(tmp_path / "model.onnx")
    assert tuple(model.classes) == cell.classes and model.about["cell"]["method"] == method
    np.testing.assert_allclose(model.predict_proba(cell.test[:1]), stored[:1], atol=1e-5)


@pytest.mark.parametrize("method", ["embed-distill", "ens-vote[members=3]", "swa"])
def test_the_module_computes_what_the_run_stored(results, method):
    cell = trained(results, method)
    _, stored = ResultStore(results).predictions(cell.record.cell)
    module = DeployedPredictor(cell.preparation, cell.networks, vote="vote" in method).eval()
    found = module(torch.from_numpy(np.stack(cell.test).astype(np.float32)))
    np.testing.assert_allclose(found.detach().numpy(), stored, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backbone", [LITE, "mlp[width=8]"])
def test_series_of_unequal_length(results, tmp_path, backbone):
    cell = trained(results, "single", backbone, "JapaneseVowels")
    assert len({series.shape[1] for series in cell.test}) > 5
    report = export_onnx(cell, tmp_path / "model.onnx")
    assert report["float"]["largest_difference"] < 1e-5


@pytest.mark.parametrize("length", ["pad", "zeros", "edge", "truncate", "resize"])
@pytest.mark.parametrize("scale", ["series", "train", "none"])
@pytest.mark.parametrize("lengths", [(9, 12, 7), (9, 9, 9)])
def test_the_graph_prepares_as_the_run_does(length, scale, lengths):
    random = np.random.default_rng(0)
    series = [random.normal(50, 3, (2, n)) for n in lengths]
    fitted = Preparation(length=length, scale=scale).fit(series)
    graph = DeployedPredictor(fitted, [], any_length=True)
    for one in [*series, np.full((2, 8), 3.0), random.normal(0, 1, (2, 15))]:
        prepared, _ = graph.prepare(torch.from_numpy(one[None].astype(np.float32)))
        expected = np.nan_to_num(fitted.transform([one]))  # NaN marks the steps after the end; the graph takes zeros
        np.testing.assert_allclose(prepared.numpy(), expected, atol=1e-4)


def test_eight_bits_and_torch_export(results, tmp_path):
    cell = trained(results)
    report = export_onnx(cell, tmp_path / "model.onnx", int8=True)
    assert report["float"]["largest_difference"] < 1e-5 < report["int8"]["largest_difference"]
    assert abs(report["int8"]["accuracy"] - report["float"]["accuracy"]) < 0.2
    assert json.loads((tmp_path / "model.onnx.json").read_text())["int8"] == report["int8"]
    assert export_torch(cell, tmp_path / "model.pt2")["float"]["largest_difference"] < 1e-5


@pytest.mark.parametrize("n_cases", [1, 2, 255, 256, 257, 500, 511, 512, 767, 30_000])
def test_calibration_sees_cases_from_all_over_the_training_set(n_cases):
    cases = calibration_cases(n_cases)
    assert len(set(cases)) == len(cases) == min(n_cases, 256) and cases[0] == 0 and cases[-1] == n_cases - 1
    assert max(np.diff(cases), default=1) <= n_cases / 255 + 1  # no class of more cases than that is passed over


def test_what_cannot_be_exported_is_said(results):
    with pytest.raises(MisuseError, match=r"There are: .*ItalyPowerDemand with ssd"):
        find(results, "ItalyPowerDemand", "finetune", None, None, None)
    with pytest.raises(MisuseError, match=r"(?s)JapaneseVowels with singl. Did you mean 'single'.*There are: JapaneseVowels with"):
        find(results, "JapaneseVowels", "singl", None, None, None)
    with pytest.raises(MisuseError, match="Did you mean 'ItalyPowerDemand'"):
        find(results, "ItalyPower", "single", None, None, None)
    with pytest.raises(MisuseError, match=r"(?s)resample 1, seed 7\..*There are: lite\[width=4\], resample 0, seed 0\."):
        find(results, "ItalyPowerDemand", "ssd", None, 1, 7)
    with pytest.raises(MisuseError, match=r"backbone lite\[width=4\], seed 7\.\nThere are"):
        find(results, "ItalyPowerDemand", "ssd", LITE, None, 7)
    with pytest.raises(MisuseError, match="--backbone"):
        find(results, "ItalyPowerDemand", "single", None, None, None)
    with pytest.raises(SsdBenchError, match="not kept"):
        trained(results, backbone="lite[width=2]")
    with pytest.raises(SsdBenchError, match="impute=mask"):
        series = [np.array([[1.0, np.nan, 2.0]])]
        DeployedPredictor(Preparation(impute="mask").fit(series), [])


def test_a_method_may_be_spelled_as_the_run_was_given_it(results):
    for spelled, recorded in (("ssd[dropout=0.2]", "ssd"), (" ens-avg[ members = 02 ]", "ens-avg[members=2]")):
        assert find(results, "ItalyPowerDemand", spelled, "lite[ width=4 ]", None, None).cell.method == recorded


@pytest.fixture(scope="module")
def model(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    arguments = ("--dataset", "ItalyPowerDemand", "--method", "swa", "-o", path)
    done = ssd_bench("export", results, *arguments)
    assert done.returncode == 0 and "agreement of predictions" in done.stdout, done.stderr
    return path


@pytest.fixture(scope="module")
def predict(tmp_path_factory):
    """The command in an environment that has onnxruntime, numpy and typer, and nothing else."""
    python = environment.make(tmp_path_factory.mktemp("bare") / "venv", "onnxruntime", "numpy", "typer")
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments, text=None):
        command = [python, "-m", "ssd_cli", "predict", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, input=text, timeout=120, env=outside, check=False)

    absent = ("torch", "aeon", "sktime", "pandas", "scipy", "sklearn", "onnx", "yaml")
    for name in absent:
        tried = subprocess.run([python, "-c", f"import {name}"], capture_output=True, text=True, env=outside, check=False)
        assert "ModuleNotFoundError" in tried.stderr
    return run


def test_predict_needs_no_torch(results, model, predict, tmp_path):
    test = load("ItalyPowerDemand", download=False).test
    X = np.stack(test.X[:5])
    np.savez(tmp_path / "X.npz", X=X)
    done = predict(model, tmp_path / "X.npz")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header == "case,class,p_1,p_2" and len(rows) == 5
    expected = reference(trained(results, "swa"))[:5]
    np.testing.assert_allclose([[float(part) for part in row.split(",")[2:]] for row in rows], expected, atol=1e-5)
    lines = "".join(",".join(map(repr, series[0].tolist())) + "\n" for series in X)
    streamed = predict(model, "--stream", text=lines)
    assert streamed.stdout == done.stdout and streamed.stderr.count(" ms") == 5


def test_every_format_gives_the_same_with_and_without_labels(model, predict, tmp_path):
    import pandas as pd

    test = load("ItalyPowerDemand", download=False).test
    X, y = np.stack(test.X[:5]), test.y[:5]
    np.savez(tmp_path / "bare.npz", X=X)
    expected = predict(model, tmp_path / "bare.npz").stdout
    np.savez(tmp_path / "labelled.npz", X=X[:, 0], y=y)
    np.savez(tmp_path / "numbers.npz", X=X[:, 0], y=y.astype(float))
    table = pd.DataFrame(X[:, 0], columns=[str(step) for step in range(24)])
    table.to_csv(tmp_path / "bare.csv", index=False)
    table.to_parquet(tmp_path / "bare.parquet")
    table.insert(0, "label", y)
    table.to_csv(tmp_path / "labelled.csv", index=False)
    table.assign(label=y.astype(float)).to_csv(tmp_path / "floats.csv", index=False)
    table.to_parquet(tmp_path / "labelled.parquet")
    rows = [",".join(map(repr, series[0].tolist())) + f":{label}" for series, label in zip(X, y, strict=True)]
    (tmp_path / "labelled.ts").write_text("\n".join(["@problemName P", "@univariate true", "@classLabel true 1 2", "@data", *rows]))
    for path in sorted(tmp_path.iterdir()):
        done = ssd_bench("predict", model, path) if path.suffix == ".parquet" else predict(model, path)
        assert done.stdout == expected, (path, done.stderr)
        assert ("of 5 as labelled (accuracy" in done.stderr) == (path.stem != "bare")
    assert "ssd-bench[parquet]" in predict(model, tmp_path / "bare.parquet").stderr
    classes = tmp_path / "new" / "folder" / "classes.csv"
    assert predict(model, tmp_path / "bare.npz", "-o", classes).returncode == 0 and classes.read_text() == expected


def test_predict_says_what_does_not_fit(model, predict, tmp_path):
    def message(*arguments, code, text=None):
        done = predict(*arguments, text=text)
        assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
        return " ".join(done.stderr.split())

    np.savez(tmp_path / "long.npz", X=np.zeros((2, 1, 30)))
    said = message(model, tmp_path / "long.npz", code=1)
    assert "long.npz, case 0 has the shape (1, 30). The model expects 1 channel and 24 steps." in said
    np.savez(tmp_path / "wide.npz", X=np.zeros((2, 3, 24)))
    assert "(3, 24)" in message(model, tmp_path / "wide.npz", code=1)
    np.savez(tmp_path / "text.npz", X=np.array([["a", "b"]]))
    assert "Expected numbers" in message(model, tmp_path / "text.npz", code=1)
    np.savez(tmp_path / "classes.npz", X=np.ones((1, 1, 24)), y=np.array(["walrus"]))
    assert "walrus" in message(model, tmp_path / "classes.npz", code=1)
    assert "Window 0 cannot be read" in message(model, "--stream", text="1,2,apple\n", code=1)
    windows = [",".join("1" * length) for length in (24, 24, 23)]
    assert "Window 2 has the shape (1, 23)" in message(model, "--stream", text="\n".join(windows), code=1)
    half = tmp_path / "half.onnx"
    for part in (0, 0.01, 0.5, 0.99):
        half.write_bytes(model.read_bytes()[: int(model.stat().st_size * part)])
        assert "damaged or cut off" in message(half, tmp_path / "long.npz", code=1)
    (tmp_path / "model.pkl").write_bytes(b"")
    assert "Pickled models are refused" in message(tmp_path / "model.pkl", tmp_path / "long.npz", code=2)
    assert "Remote models are refused" in message("https://example.org/model.onnx", tmp_path / "long.npz", code=2)
    assert "There is no file" in message(tmp_path / "none.onnx", tmp_path / "long.npz", code=2)
    assert "either a file of series or --stream" in message(model, code=2)


def test_values_beyond_all_bounds_are_refused_and_missing_ones_are_filled(model, predict, tmp_path):
    fine = ",".join(["1", "2", *["3"] * 22])
    for value in ("inf", "-inf", "1e999"):
        done = predict(model, "--stream", text=f"{fine}\n{value},{fine[2:]}\n")
        assert done.returncode == 1 and "Window 1 cannot be read: a value is" in done.stderr
        assert done.stdout.splitlines()[2:] == ["1,,,"] and "nan" not in done.stdout
    done = predict(model, "--stream", text="".join(f"{missing},{fine[2:]}\n" for missing in ("?", "nan", "")))
    assert done.returncode == 0 and len({line.split(",", 1)[1] for line in done.stdout.splitlines()[1:]}) == 1
    assert "nan" not in done.stdout


def test_a_stream_goes_on_after_a_window_that_cannot_be_answered(model, predict):
    fine = ",".join(["1", "2", *["3"] * 22])
    done = predict(model, "--stream", text="\n".join([fine, f"apple,{fine[2:]}", "1,2:3", "", fine]))
    first, *wrong, last = done.stdout.splitlines()[1:]
    assert wrong == ["1,,,", "2,,,"] and last == f"3{first[1:]}" and done.returncode == 1
    for text in (
        "Window 1 cannot be read: a value is 'apple'",
        "Window 2 has channels of 2, 1 steps",
        "2 windows without an answer",
    ):
        assert text in done.stderr
    done = predict(model, "--stream", "-o", "answers.csv", text=fine)
    assert done.returncode == 2 and "add > answers.csv" in done.stderr and not done.stdout


@pytest.mark.parametrize(("write", "name"), [(export_onnx, "model.onnx"), (export_torch, "model.pt2")])
def test_a_file_that_differs_from_the_predictor_leaves_what_was_there(results, tmp_path, monkeypatch, write, name):
    (tmp_path / name).write_text("an earlier export")
    cell = trained(results)
    monkeypatch.setattr("ssd_cli.deployment.export.reference", lambda cell: np.full((len(cell.test), 2), 0.5))
    with pytest.raises(SsdBenchError, match=r"^ItalyPowerDemand, single .*: the exported graph differs from the predictor by 0"):
        write(cell, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "an earlier export"


def test_an_operator_that_the_runtime_lacks(model, tmp_path):
    import onnx

    strange = onnx.load(model)
    strange.graph.node[0].op_type = "Telepathy"
    onnx.save(strange, tmp_path / "strange.onnx")
    with pytest.raises(SsdBenchError, match="lacks an operator"):
        load_model(tmp_path / "strange.onnx")


def test_export_refuses_wrong_files_and_says_what_it_measured(results, tmp_path):
    arguments = ("export", results, "--dataset", "ItalyPowerDemand", "--method", "swa")
    assert "does not end in .onnx" in failing(*arguments, "-o", tmp_path / "model.bin", code=2)
    done = ssd_bench(*arguments, "--format", "torch", "-o", tmp_path / "model.pt2")
    assert done.returncode == 0 and "size in bytes" in done.stdout and "latency" not in done.stdout
    assert "--int8 cannot be combined" in failing(*arguments, "--int8", "--format", "torch", "-o", tmp_path / "model.pt2", code=2)
