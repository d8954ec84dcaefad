"""An output folder of the golden revision: every command reads it, and ``run`` goes on with what is missing."""

import re

import numpy as np
import pytest

from tests.golden import folder as golden_folder
from tests.golden.results import BITS, EXACT, TOLERANCE, differences, far, load, read
from tests.golden.runs import call

GOLDEN, OTHER_MACHINE = load("folder")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder as it was written; no test changes it."""
    return golden_folder.unpack(tmp_path_factory.mktemp("written"))


def files(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def results_of(everything):
    return {name: content for name, content in everything.items() if name.startswith("seed")}


@pytest.mark.parametrize("name", golden_folder.COMPARISONS)
def test_compare_writes_the_golden_tables(name, out, tmp_path):
    tables = golden_folder.compare(name, out, tmp_path / "tables")
    golden = {path.name: path.read_bytes() for path in sorted((golden_folder.TABLES / name).glob("*.csv"))}
    assert len(golden) > 1
    assert {path.name: path.read_bytes() for path in sorted(tables.glob("*.csv"))} == golden


def test_compare_refuses_missing_cells(out, tmp_path):
    assert call("compare", out, "-o", tmp_path / "tables").returncode == 1


def test_status_counts_the_cells(out):
    done = call("status", out, "--all")
    assert done.returncode == 0
    assert re.findall(r"\d+", done.stdout.splitlines()[0]) == ["110", "1", "6", "4", "0"]
    left = done.stdout.partition("Left")[2]
    assert len(re.findall(r"^\W*Gaps\b", left, re.M)) == 4


def test_recount_finds_nothing_and_then_a_changed_prediction(out, tmp_path):
    assert call("recount", out).returncode == 0
    copy = golden_folder.unpack(tmp_path)
    predictions = next(iter(sorted(copy.glob("seed0/*/Predictions/Waves/testResample0.csv"))))
    lines = predictions.read_text().splitlines()
    lines[3] = ",".join([str((int(lines[3][0]) + 1) % 3), *lines[3].split(",")[1:]])
    predictions.write_text("\n".join(lines) + "\n")
    assert call("recount", copy).returncode == 1


def test_report_knows_the_golden_cells(out, tmp_path):
    found, golden = golden_folder.page(out, tmp_path / "page.html"), GOLDEN["cells of the page"]
    assert found.keys() == golden.keys()
    changed = [name for name in golden if {key: found[name].get(key) for key in golden[name]} != golden[name]]
    assert changed == []


def test_export_tsml_writes_the_golden_files(out, tmp_path):
    assert golden_folder.tsml(out, tmp_path / "tsml") == GOLDEN["files for tsml"]


@pytest.mark.parametrize("method", golden_folder.EXPORTED)
def test_exported_predictors_say_what_they_said(method, out, data, tmp_path):
    found, golden = golden_folder.predict(out, data, method, tmp_path), GOLDEN["predictions of exported files"][method]
    assert [row[0] for row in found] == [row[0] for row in golden]
    np.testing.assert_allclose([row[1:] for row in found], [row[1:] for row in golden], atol=2e-4, rtol=0)


def test_run_goes_on_with_the_missing_cells_only_and_check_passes(data, tmp_path):
    out = golden_folder.unpack(tmp_path)
    before = files(out)
    stamps = {name: (out / name).stat().st_mtime_ns for name in before}
    done = golden_folder.go_on(out, data)
    assert done.returncode == 0, done.stderr
    after = files(out)
    assert {name: after.get(name) for name in results_of(before)} == results_of(before)
    assert [name for name in results_of(before) if (out / name).stat().st_mtime_ns != stamps[name]] == []
    new = {name: read(out).get(name) for name in golden_folder.MISSING}
    assert len(results_of(after)) - len(results_of(before)) == 2 * len(new)
    golden = GOLDEN["missing cells"]
    assert differences(new, golden, EXACT) == []
    if OTHER_MACHINE:
        assert far(new, golden) == [], f"beyond the tolerance of {TOLERANCE}. {OTHER_MACHINE}"
        pytest.skip(f"Only probabilities were compared. {OTHER_MACHINE}")
    assert differences(new, golden, BITS) == []
    assert all(after.get(name) == content for name, content in before.items() if name.endswith(".safetensors"))
    assert call("check", out, "--reference", tmp_path / "reference").returncode == 0
    assert call("check", out, "--reference", tmp_path / "reference-above").returncode == 1
    again = golden_folder.go_on(out, data)
    assert again.returncode == 0 and results_of(files(out)) == results_of(after)


def test_a_failed_cell_is_kept_and_computed_again_on_demand(data, tmp_path):
    out = golden_folder.unpack(tmp_path)
    before = files(out)
    options = [*golden_folder.FAILING, "--data-dir", data, "--out", out, "--device", "cpu", "--workers", 1, "--no-download"]
    assert call("run", *options).returncode == 1
    assert results_of(files(out)) == results_of(before)
    assert call("run", *options, "--retry-failed").returncode == 1
    changed = {name for name, content in results_of(files(out)).items() if before[name] != content}
    assert len(changed) == 1 and "/Lacking/" in changed.pop()


def test_another_configuration_is_refused(data, tmp_path):
    out = golden_folder.unpack(tmp_path)
    before = files(out)
    assert golden_folder.go_on(out, data, "--scale", "none").returncode == 2
    assert results_of(files(out)) == results_of(before)
