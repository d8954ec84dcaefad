import csv
import json

import numpy as np
import pytest

from ssd_cli.cli.compare import compare as command
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.caption import caption
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.deployed import with_deployed
from ssd_cli.leaderboard.publish import latex, markdown
from ssd_cli.store.results import ResultStore
from tests.cli.helpers import ssd_bench
from tests.leaderboard.builders import fill

SCORES = {"dummy": [0.4, 0.4, 0.4], "single": [0.7, 0.7, 0.7], "ssd": [0.8, 0.8, 0.8]}
CONVENTION = "onnxruntime, CPU, batch 1, one thread"


def figures(kb, ms):
    return {"accuracy": 0.75, "size_bytes": 1000 * kb, "latency_ms_p50": ms, "latency_ms_p95": 2 * ms} | {
        "latency_convention": CONVENTION, "processor": "Z80"
    }  # fmt: skip


def export(record, path, kb, ms, int8=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = {name: getattr(record.cell, name) for name in ("dataset", "method", "backbone", "recipe", "resample", "seed")}
    report = {"cell": cell, "identity_sha256": record.identity_hash, "float": figures(kb, ms)}
    path.write_text(json.dumps(report | ({"int8": figures(kb / 4, ms / 2)} if int8 else {})))


@pytest.fixture
def results(tmp_path):
    fill(tmp_path / "cells", SCORES)
    return tmp_path / "cells"


@pytest.fixture
def exports(results, tmp_path):
    """Files of ssd on all three datasets, of single on two; int8 of ssd alone."""
    for record in ResultStore(results).records():
        place = int(record.cell.dataset[1:])
        path = tmp_path / "exports" / record.cell.dataset / f"{record.cell.method}.onnx.json"
        if record.cell.method == "ssd":
            export(record, path, 10 * (place + 1), 2.0, int8=True)
        elif record.cell.method == "single" and place < 2:
            export(record, path, 8, 1.0)
    return tmp_path / "exports"


def test_size_and_latency_are_means_over_the_datasets_that_all_exported_methods_share(results, exports):
    found = with_deployed(compare([results]), [exports], [results])
    means = dict(zip(found.names, found.summary.values["deployed_float_size_bytes"], strict=True))
    assert means["ssd"] == 15_000 and means["single"] == 8_000 and np.isnan(means["dummy"])
    means = dict(zip(found.names, found.summary.values["deployed_int8_size_bytes"], strict=True))
    assert means["ssd"] == 5_000 and np.isnan(means["single"])
    text = "\n".join(caption(found))
    assert "ONNX: exported files of resample 0 with seed 0, mean over 2 of 3 datasets (D00, D01)." in text
    assert "int8: exported files of resample 0 with seed 0, mean over all datasets." in text and f"{CONVENTION}; Z80" in text


def test_they_stand_in_every_table(results, exports, tmp_path, capsys):
    command([results], out=tmp_path / "out", deployed=[exports], missing="fail", alpha=0.05, formats="png")
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("ONNX kB", "ONNX p50 [ms]", "int8 acc.", "int8 p95 [ms]"))
    with (tmp_path / "out" / "leaderboard.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["ssd"]["deployed_float_latency_ms_p50"] == "2.0" and rows["ssd"]["deployed_int8_size_bytes"] == "5000.0"
    assert rows["dummy"]["deployed_float_size_bytes"] == ""
    found = with_deployed(compare([results]), [exports], [results])
    assert "| 15 |" in markdown(found) and "ONNX kB" in latex(found)


def test_a_file_is_named_by_itself_or_by_its_report(results, exports):
    for name in ("ssd.onnx", "ssd.onnx.json"):
        found = with_deployed(compare([results]), [exports / "D02" / name], [results])
        assert "mean over 1 of 3 datasets (D02)" in "\n".join(caption(found))


def test_exports_of_another_training_are_left_out_with_a_warning(results, exports):
    path = exports / "D00" / "single.onnx.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"identity_sha256": "f" * 64}))
    found = with_deployed(compare([results]), [exports], [results])
    assert found.warnings[-1] == "Not of these results, and left out: single.onnx.json."
    assert "mean over 1 of 3 datasets (D01)" in "\n".join(caption(found))


def test_what_cannot_be_read_or_joined_is_said(results, exports, tmp_path):
    comparison = compare([results])
    with pytest.raises(MisuseError, match="holds no"):
        with_deployed(comparison, [results], [results])
    with pytest.raises(MisuseError, match="There is no file"):
        with_deployed(comparison, [tmp_path / "model.onnx"], [results])
    (tmp_path / "broken.onnx.json").write_text('{"float": {}}')
    with pytest.raises(SsdBenchError, match="is not a report of 'ssd-bench export'"):
        with_deployed(comparison, [tmp_path / "broken.onnx.json"], [results])
    fill(tmp_path / "others", {"single": [0.1], "ssd": [0.2]}, resample=1)
    with pytest.raises(SsdBenchError, match="None of the 5 exported files"):
        with_deployed(compare([tmp_path / "others"]), [exports], [tmp_path / "others"])
    apart = [exports / "D02" / "ssd.onnx", exports / "D00" / "single.onnx"]
    with pytest.raises(SsdBenchError, match="on the same datasets"):
        with_deployed(comparison, apart, [results])


@pytest.fixture
def resampled(tmp_path):
    """An easy and a hard resample of two datasets, `single` and ssd; accuracy in the file tells which resample it is of."""
    for resample in (0, 3):
        fill(tmp_path / "cells", {"single": [0.7, 0.7], "ssd": [0.7, 0.7]}, resample=resample)
    records = {(r.cell.method, r.cell.dataset, r.cell.resample): r for r in ResultStore(tmp_path / "cells").records()}

    def exported(*cells):
        for method, dataset, resample in cells:
            path = tmp_path / "exports" / f"{method}-{dataset}-{resample}.onnx.json"
            export(records[method, dataset, resample], path, 8, 1.0 + resample)
        return with_deployed(compare([tmp_path / "cells"]), [tmp_path / "exports"], [tmp_path / "cells"])

    return exported


def test_files_of_different_resamples_do_not_stand_beside_each_other(resampled):
    with pytest.raises(SsdBenchError, match="from the same resample and seed") as error:
        resampled(("single", "D00", 0), ("ssd", "D00", 3))
    assert "single: D00 resample 0 seed 0\n  ssd: D00 resample 3 seed 0" in str(error.value)
    assert "--resample" in str(error.value)


def test_only_resamples_that_all_methods_were_exported_from_count(resampled):
    found = resampled(("single", "D00", 0), ("single", "D01", 0), ("ssd", "D00", 0), ("ssd", "D00", 3), ("ssd", "D01", 3))
    latency = dict(zip(found.names, found.summary.values["deployed_float_latency_ms_p50"], strict=True))
    assert latency == {"single": 1.0, "ssd": 1.0}  # of resample 0 of D00; resample 3 takes 4 ms
    [warning] = found.warnings
    assert "(single: D01 resample 0 seed 0; ssd: D00 resample 3 seed 0, D01 resample 3 seed 0)" in warning
    text = "\n".join(caption(found))
    assert "ONNX: exported files of resample 0 with seed 0, mean over 1 of 2 datasets (D00)." in text
    assert "The accuracy that is ranked is the mean of 2 results." in text


def test_the_resamples_of_a_dataset_are_averaged_before_the_datasets(resampled):
    cells = [("D00", 0), ("D00", 3), ("D01", 0)]
    found = resampled(*((method, *cell) for method in ("single", "ssd") for cell in cells))
    assert found.summary.values["deployed_float_latency_ms_p50"].tolist() == [(2.5 + 1.0) / 2] * 2
    assert found.warnings == ()
    text = "\n".join(caption(found))
    assert "exported files of resamples 0, 3 with seed 0, not all of them on every dataset, mean over all datasets." in text


def test_leaderboard_is_another_name_of_compare(results, exports, tmp_path):
    done = ssd_bench("leaderboard", results, "--deployed", exports, "--out", tmp_path / "out")
    assert done.returncode == 0 and "ONNX kB" in done.stdout, done.stderr
