import xml.etree.ElementTree as ET

import numpy as np
import pytest
import typer

from ssd_cli.cli.check import check
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.store.results import ResultStore
from tests.cli.helpers import ssd_bench
from tests.leaderboard.builders import put
from tests.store.builders import make_cell, make_predictions, make_record

DATASETS = [f"D{i}" for i in range(6)]


@pytest.fixture(autouse=True)
def unsynchronised(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def cells(root, seeds, drop=0.0, methods=("single", "ssd"), where=DATASETS, **changes):
    store = ResultStore(root)
    for d, dataset in enumerate(where):
        for m, method in enumerate(methods):
            for seed in seeds:
                accuracy = 0.7 + 0.02 * d + np.random.default_rng([d, m, seed]).integers(-10, 11) / 1000
                put(store, dataset, method, accuracy - drop, 1000, seed=seed, **changes)
    return root


@pytest.fixture
def reference(tmp_path):
    check(cells(tmp_path / "old", range(10)), tmp_path / "reference", update=True)
    return tmp_path / "reference"


def failing(*arguments, **options):
    with pytest.raises(typer.Exit) as caught:
        check(*arguments, **options)
    assert caught.value.exit_code == 1


def test_new_seeds_pass(reference, tmp_path, capsys):
    check(cells(tmp_path / "new", (20, 21)), reference)
    shown = capsys.readouterr().out
    assert "PASSED" in shown
    assert "at most 1.0%" in shown
    assert "found with a probability of 80%" in shown


def test_a_drop_everywhere_fails_and_says_what_else_changed(reference, tmp_path, capsys):
    root = cells(tmp_path / "new", (20,), drop=0.05, identity={"recipe": {"name": "smoke", "parameters": {"epochs": 30}}})
    failing(root, reference, markdown=tmp_path / "gate.md", junit=tmp_path / "gate.xml")
    shown = capsys.readouterr().out
    assert "FAILED" in shown
    assert "single@lite (smoke), mean over all datasets" in shown
    assert "configuration" in shown
    assert "## Accuracy gate: failed" in (tmp_path / "gate.md").read_text()
    suite = ET.parse(tmp_path / "gate.xml").getroot()
    assert int(suite.get("failures")) == len(suite.findall(".//failure")) > 0
    assert int(suite.get("tests")) == len(suite.findall("testcase")) == 14  # 12 groups and 2 means


def test_a_collapse_on_one_dataset_fails(reference, tmp_path, capsys):
    cells(tmp_path / "new", (20, 21), where=DATASETS)
    store = ResultStore(tmp_path / "new")
    for seed in (20, 21):
        put(store, "D3", "ssd", 0.5, 1000, seed=seed)
    failing(tmp_path / "new", reference)
    assert "ssd@lite (smoke) on D3" in capsys.readouterr().out


def test_an_improvement_passes_and_is_said(reference, tmp_path, capsys):
    check(cells(tmp_path / "new", (20,), drop=-0.1), reference)
    assert "Better than the reference" in capsys.readouterr().out


def test_an_improvement_fails_where_both_sides_are_guarded(reference, tmp_path, capsys):
    better = cells(tmp_path / "new", (20,), drop=-0.1)
    failing(better, reference, two_sided=True, junit=tmp_path / "gate.xml")
    shown = capsys.readouterr().out
    assert "Better than the reference" in shown and "two-sided" in shown
    assert int(ET.parse(tmp_path / "gate.xml").getroot().get("failures")) > 0
    assert "e-0" in shown and "e+0" not in shown  # an alarm is improbable, whichever its side
    check(cells(tmp_path / "same", (21, 22)), reference, two_sided=True)
    assert "nothing is different from the reference" in capsys.readouterr().out


def test_the_same_cells_are_equal_and_nothing_changed(reference, tmp_path, capsys):
    check(tmp_path / "old", reference)
    assert "120 of 120 cells with a seed of the reference have exactly its accuracy" in capsys.readouterr().out


def test_fractions_are_read_as_they_were_written(tmp_path, capsys):
    store = ResultStore(tmp_path / "sevenths")
    for seed in range(10):
        put(store, "D0", "single", seed % 7 / 7, 7, seed=seed)
    check(tmp_path / "sevenths", tmp_path / "reference", update=True)
    check(tmp_path / "sevenths", tmp_path / "reference")
    assert "10 of 10 cells with a seed of the reference have exactly its accuracy" in capsys.readouterr().out


def test_a_gate_that_can_find_nothing_says_so(tmp_path, capsys):
    store = ResultStore(tmp_path / "wild")
    for seed in range(10):
        put(store, "D0", "single", float(seed % 2), seed=seed)
    check(tmp_path / "wild", tmp_path / "reference", update=True)
    check(tmp_path / "wild", tmp_path / "reference")
    shown = capsys.readouterr().out
    assert "none on a single dataset" in shown and "run more seeds" in shown


def test_nothing_in_common_is_misuse_that_names_both_sides(reference, tmp_path):
    with pytest.raises(MisuseError, match=r"ssd@lite \(smoke\) on D0.*the run has single@lite \(smoke\) on Other"):
        check(cells(tmp_path / "new", (20,), methods=("single",), where=["Other"]), reference)


def test_a_reason_with_control_characters_leaves_the_report_readable(reference, tmp_path, capsys):
    put(ResultStore(cells(tmp_path / "new", (20,))), "D3", "ssd", None, seed=21, reason="\x1b[31mred\x1b[0m \x00 end")
    failing(tmp_path / "new", reference, junit=tmp_path / "gate.xml")
    names = [case.get("name") for case in ET.parse(tmp_path / "gate.xml").getroot()]
    assert "ssd@lite (smoke) on D3, seed 21, resample 0 (failed: [31mred [0m end)" in names
    assert "\x1b" not in capsys.readouterr().out


def test_missing_cells_and_other_data_are_alarms(reference, tmp_path, capsys):
    failing(cells(tmp_path / "new", (20,), methods=("single",)), reference)
    assert "Not in the run: ssd@lite (smoke) on D0." in capsys.readouterr().out
    failing(cells(tmp_path / "other", (20,), identity={"dataset_digest": "e" * 64}), reference)
    assert "Other data than in the reference: D0." in capsys.readouterr().out


def with_nll(root, seeds, nll, methods=("single",)):
    """Cells of two methods, of which these have probabilities."""
    store, (y, p) = ResultStore(root), make_predictions()
    for dataset in DATASETS:
        for method in ("single", "ssd"):
            for seed in seeds:
                noise = np.random.default_rng([seed, len(dataset)]).normal(0, 0.02)
                scores = {"accuracy": 0.9 + noise} | ({"nll": nll * np.exp(noise)} if method in methods else {})
                store.put(make_record(make_cell(dataset, method, seed=seed), scores=scores), y, p)
    return root


def test_a_method_without_probabilities_does_not_excuse_the_others(tmp_path, capsys):
    check(with_nll(tmp_path / "old", range(10), 0.3), tmp_path / "reference", update=True)
    check(with_nll(tmp_path / "same", (20, 21), 0.3), tmp_path / "reference")
    failing(with_nll(tmp_path / "worse", (20, 21), 0.9), tmp_path / "reference")
    shown = capsys.readouterr().out
    assert "FAILED" in shown and "nll" in shown.lower()
    failing(with_nll(tmp_path / "none", (20, 21), 0.3, methods=()), tmp_path / "reference")
    assert "Not in the run: single@lite (smoke) on D0, nll of some cells." in capsys.readouterr().out


def test_cells_that_failed_are_alarms_and_named_with_their_reason(reference, tmp_path, capsys):
    """Nine of ten seeds crash on one dataset, and one seed everywhere: what is left must not pass for the whole."""
    store = ResultStore(cells(tmp_path / "new", range(20, 30)))
    for seed in range(21, 30):
        put(store, "D3", "ssd", None, seed=seed, reason="NaN in epoch 3")
    for dataset in DATASETS:
        for method in ("single", "ssd"):
            put(store, dataset, method, None, seed=30, reason="out of memory")
    failing(tmp_path / "new", reference, junit=tmp_path / "gate.xml")
    shown = " ".join(capsys.readouterr().out.split())
    for seed in range(21, 30):
        assert f"Not in the run: ssd@lite (smoke) on D3, seed {seed}, resample 0 (failed: NaN in epoch 3)." in shown
    for dataset in DATASETS:
        assert f"Not in the run: single@lite (smoke) on {dataset}, seed 30, resample 0 (failed: out of memory)." in shown
    assert int(ET.parse(tmp_path / "gate.xml").getroot().get("failures")) == 9 + 12


def test_a_run_of_failures_alone_fails_and_says_why(reference, tmp_path, capsys):
    store = ResultStore(tmp_path / "new")
    for dataset in DATASETS:
        for method in ("single", "ssd"):
            put(store, dataset, method, None, seed=20)
    failing(tmp_path / "new", reference)
    assert "Not in the run: ssd@lite (smoke) on D3 (failed: NaN in epoch 3)." in capsys.readouterr().out


def test_a_cell_that_was_not_run_is_an_alarm(reference, tmp_path, capsys):
    cells(cells(tmp_path / "new", (20,)), (21,), where=DATASETS[1:])
    failing(tmp_path / "new", reference)
    assert "Not in the run: single@lite (smoke) on D0, seed 21, resample 0." in capsys.readouterr().out


def resampled(root, seeds, drop=0.0, lost=()):
    """Resample 0 is easy, resample 1 hard; (dataset, seed, resample) that are lost fail."""
    store = ResultStore(root)
    for d, dataset in enumerate(DATASETS):
        for seed in seeds:
            for resample, level in ((0, 0.95), (1, 0.8)):
                noise = np.random.default_rng([d, seed, resample]).integers(-4, 5) / 1000
                accuracy = None if (dataset, seed, resample) in lost else level + noise - drop * (dataset == "D0")
                put(store, dataset, "ssd", accuracy, 1000, seed=seed, resample=resample)
    return root


def test_a_lost_hard_resample_does_not_hide_a_drop(tmp_path, capsys):
    """Two of three seeds lose the hard resample where the accuracy fell by four points: their mean is higher than before."""
    check(resampled(tmp_path / "old", range(10)), tmp_path / "reference", update=True)
    lost = {("D0", 21, 1), ("D0", 22, 1)}
    failing(resampled(tmp_path / "new", (20, 21, 22), 0.04, lost), tmp_path / "reference")
    assert "ssd@lite (smoke) on D0, seed 22, resample 1 (failed: NaN in epoch 3)" in capsys.readouterr().out
    check(resampled(tmp_path / "same", (20, 21, 22)), tmp_path / "reference")


def test_a_resample_that_the_reference_lacks_is_not_compared(reference, tmp_path, capsys):
    store = ResultStore(cells(tmp_path / "new", (20, 21)))
    put(store, "D0", "ssd", 0.99, 1000, seed=20, resample=1)
    check(tmp_path / "new", reference, two_sided=True)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 dataset × method of the run, or resamples of them, are not in the reference" in shown


def test_a_reference_has_the_same_resamples_of_every_seed(tmp_path, capsys):
    uneven = resampled(tmp_path / "uneven", range(4), lost={("D2", 3, 1)})
    with pytest.raises(SsdBenchError, match=r"different resamples of ssd@lite .* on D2"):
        check(uneven, tmp_path / "reference", update=True)
    check(resampled(tmp_path / "old", range(4), lost={("D2", 3, 0), ("D2", 3, 1)}), tmp_path / "reference", update=True)
    assert "2 failed or were skipped and are not in it" in capsys.readouterr().out
    stored = (tmp_path / "reference" / "cells.csv").read_text().splitlines()
    (tmp_path / "reference" / "cells.csv").write_text("\n".join(stored[:-1]) + "\n")
    about = tmp_path / "reference" / "reference.json"
    about.write_text(about.read_text().replace(f'"cells": {len(stored) - 1}', f'"cells": {len(stored) - 2}'))
    with pytest.raises(SsdBenchError, match="different resamples of ssd@lite"):
        check(resampled(tmp_path / "new", (20,)), tmp_path / "reference")


def test_github_gets_annotations_and_a_summary(reference, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    failing(cells(tmp_path / "new", (20,), drop=0.1), reference)
    assert "::error title=Accuracy gate::" in capsys.readouterr().out
    assert "| what | score |" in (tmp_path / "summary.md").read_text()


def test_reports_make_their_folders_and_an_empty_page_is_none(reference, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    reports = {name: tmp_path / "no" / "such" / name for name in ("gate.md", "gate.xml")}
    check(tmp_path / "old", reference, markdown=reports["gate.md"], junit=reports["gate.xml"])
    assert "Accuracy gate: passed" in reports["gate.md"].read_text()
    assert ET.parse(reports["gate.xml"]).getroot().get("failures") == "0"


def test_bad_references_and_rates_are_errors(reference, tmp_path):
    new = cells(tmp_path / "new", (20,))
    with pytest.raises(MisuseError, match="no reference"):  # not the exit code of a fallen accuracy
        check(new, tmp_path / "absent")
    with pytest.raises(MisuseError, match="false-alarm rate"):
        check(new, reference, alpha=0.9)
    with pytest.raises(MisuseError, match="fewer than 3 seeds"):
        check(cells(tmp_path / "one", (0,)), tmp_path / "thin", update=True)
    assert not (tmp_path / "thin").exists()
    stored = (reference / "cells.csv").read_text().splitlines()
    column = stored[0].split(",").index("seed")
    (reference / "cells.csv").write_text("\n".join([stored[0], *(row for row in stored[1:] if row.split(",")[column] == "0")]))
    with pytest.raises(SsdBenchError, match="12, the number of cells"):
        check(new, reference)
    (reference / "reference.json").unlink()
    with pytest.raises(SsdBenchError, match="fewer than 3 seeds"):
        check(new, reference)
    (reference / "cells.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SsdBenchError, match="lacks the columns accuracy"):
        check(new, reference)


def test_exit_codes_of_the_command(reference, tmp_path):
    good, bad = cells(tmp_path / "good", (20,)), cells(tmp_path / "bad", (20,), drop=0.2)
    assert ssd_bench("check", good, "--reference", reference).returncode == 0
    assert ssd_bench("check", bad, "--reference", reference).returncode == 1
    assert ssd_bench("check", bad, "--reference", reference, "--false-alarms", "7").returncode == 2


def swapped(root, count):
    """Exchange the predictions of pairs of cells, in place, and return the files."""
    store = ResultStore(root)
    files = sorted(store.paths(record.cell)[0] for record in store.records())
    chosen = np.random.default_rng(0).permutation(len(files))[: 2 * count].reshape(-1, 2)
    for first, second in chosen:
        before = files[first].read_bytes()
        files[first].write_bytes(files[second].read_bytes())
        files[second].write_bytes(before)
    return [files[place] for place in chosen.ravel()]


@pytest.mark.parametrize("count", [1, 3, 8])
def test_exchanged_predictions_fail_the_gate_and_make_no_reference(reference, tmp_path, capsys, count):
    root = cells(tmp_path / "new", (20, 21))
    files = swapped(root, count)
    failing(root, reference, markdown=tmp_path / "gate.md", junit=tmp_path / "gate.xml", two_sided=True)
    shown = capsys.readouterr()
    assert all(str(file) in shown.out and str(file) in shown.err for file in files)
    assert "Changed after it was written" in (tmp_path / "gate.md").read_text()
    suite = ET.parse(tmp_path / "gate.xml").getroot()
    assert len(suite.findall(".//failure[@message='changed after it was written']")) == 2 * count
    assert int(suite.get("failures")) == len(suite.findall(".//failure"))
    before = {path.name: path.read_bytes() for path in reference.iterdir()}
    with pytest.raises(SsdBenchError, match="no reference was written"):
        check(root, reference, update=True)
    assert {path.name: path.read_bytes() for path in reference.iterdir()} == before


def test_edited_predictions_of_one_case_fail_the_gate(reference, tmp_path):
    root = cells(tmp_path / "new", (20, 21))
    check(root, reference)
    path = ResultStore(root).paths(make_cell("D2", "ssd", seed=21))[0]
    path.write_text(path.read_text().replace("0.75,0.25", "0.74,0.26", 1))
    failing(root, reference)


@pytest.mark.parametrize("command", ["compare", "report", "check", "status", "recount"])
def test_every_command_names_the_changed_predictions(reference, tmp_path, command):
    root = cells(tmp_path / "new", (20, 21), where=DATASETS[:2])
    (one, other) = swapped(root, 1)
    more = {"check": ["--reference", reference], "compare": ["-o", tmp_path / "tables"], "report": ["-o", tmp_path / "page.html"]}
    done = ssd_bench(command, root, *more.get(command, []))
    for file in (one, other):
        assert file.relative_to(root).as_posix() in done.stdout + done.stderr
