"""The table of a dry run, where nobody knows what some cells take."""

from dataclasses import replace

import pytest

from ssd_cli.cli.run import show_plan
from ssd_cli.running.estimate import Estimate
from ssd_cli.running.plan import Plan
from ssd_cli.running.work import Counts, Work
from tests.running.builders import make_planned

WORK = Work("lite", (("net", Counts(steps=1.0)),))


def shown(capsys, cells, done=()):
    show_plan(Estimate(Plan(cells, "cpu", done={cells[k].key: "ok" for k in done}), 1, (), 0.0, (), ("ridge",)))
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_a_dry_run_says_that_the_run_will_refuse_absent_datasets(capsys):
    plan = Estimate(Plan([make_planned("A")], "cpu", absent=("A",)), 1, (), 0.0, (), ())
    show_plan(plan, download=True)
    assert "Not on this machine yet: A." in (text := capsys.readouterr().out) and "refuse" not in text
    show_plan(plan, download=False)
    assert "The run will refuse: --no-download" in capsys.readouterr().out


@pytest.mark.parametrize("many", [False, True])
def test_cells_of_unknown_cost_have_none(capsys, monkeypatch, many):
    monkeypatch.setattr("ssd_cli.cli.run.SHOWN_CELLS", 0 if many else 100)
    known = [replace(make_planned(name, cost=60.0), work=WORK) for name in ("A", "B")]
    unknown = [make_planned("A", "ridge", cost=0.15), make_planned("C", "single", cost=0.15)]
    lines = shown(capsys, [*known, *unknown], done=[1])
    if many:
        assert ["single", "lite", "1", "2", "60", "s", "+", "1", "unknown", "60", "s", "+", "1", "unknown"] in lines
        assert ["ridge", "lite", "0", "1", "–", "–"] in lines
    else:
        assert ["A", "single", "lite", "0", "0", "to", "do", "60", "s", "60", "s"] in lines
        assert ["A", "ridge", "lite", "0", "0", "to", "do", "–", "–"] in lines
        assert ["B", "single", "lite", "0", "0", "ok"] in lines
