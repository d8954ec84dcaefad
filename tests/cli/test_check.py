import xml.etree.ElementTree as ET

import numpy as np
import pytest
import typer

from ssd_cli.cli.check import check
from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.store.results import ResultStore
from tests.cli.helpers import ssd_bench
from tests.leaderboard.builders import put

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
    root = cells(tmp_path / "new", (20,), drop=0.05, identity={"recipe": {"name": "smoke", "epochs": 30}})
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
    check(cells(tmp_path / "same", (21, 22)), reference, two_sided=True)
    assert "nothing is different from the reference" in capsys.readouterr().out


def test_the_same_cells_are_equal_and_nothing_changed(reference, tmp_path, capsys):
    check(tmp_path / "old", reference)
    assert "120 of 120 cells with a seed of the reference have exactly its accuracy" in capsys.readouterr().out


def test_missing_cells_and_other_data_are_alarms(reference, tmp_path, capsys):
    failing(cells(tmp_path / "new", (20,), methods=("single",)), reference)
    assert "Not in the run: ssd@lite (smoke) on D0." in capsys.readouterr().out
    failing(cells(tmp_path / "other", (20,), identity={"dataset_digest": "e" * 64}), reference)
    assert "Other data than in the reference: D0." in capsys.readouterr().out


def test_github_gets_annotations_and_a_summary(reference, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    failing(cells(tmp_path / "new", (20,), drop=0.1), reference)
    assert "::error title=Accuracy gate::" in capsys.readouterr().out
    assert "| what | score |" in (tmp_path / "summary.md").read_text()


def test_bad_references_and_rates_are_errors(reference, tmp_path):
    new = cells(tmp_path / "new", (20,))
    with pytest.raises(SsdBenchError, match="no reference"):
        check(new, tmp_path / "absent")
    with pytest.raises(MisuseError, match="false-alarm rate"):
        check(new, reference, alpha=0.9)
    with pytest.raises(SsdBenchError, match=r"at least 3 seeds.* has 1"):
        check(cells(tmp_path / "one", (0,)), tmp_path / "thin", update=True)
    assert not (tmp_path / "thin").exists()
    stored = (reference / "cells.csv").read_text().splitlines()
    column = stored[0].split(",").index("seed")
    (reference / "cells.csv").write_text("\n".join([stored[0], *(row for row in stored[1:] if row.split(",")[column] == "0")]))
    with pytest.raises(SsdBenchError, match="fewer than 3 seeds"):
        check(new, reference)
    (reference / "cells.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SsdBenchError, match="is not a reference"):
        check(new, reference)


def test_exit_codes_of_the_command(reference, tmp_path):
    good, bad = cells(tmp_path / "good", (20,)), cells(tmp_path / "bad", (20,), drop=0.2)
    assert ssd_bench("check", good, "--reference", reference).returncode == 0
    assert ssd_bench("check", bad, "--reference", reference).returncode == 1
    assert ssd_bench("check", bad, "--reference", reference, "--false-alarms", "7").returncode == 2
