import csv

import pytest

from ssd_cli.cli.compare import compare as command
from ssd_cli.cli.recount import recount
from ssd_cli.errors import MisuseError
from ssd_cli.leaderboard.caption import caption
from ssd_cli.leaderboard.collect import Selection
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.external.result import External, default_split
from tests.leaderboard.builders import Given, fill, put

TABLE = {"single": [0.5, 0.6, 0.7], "ssd": [0.6, 0.7, 0.6], "ssd[x=1]": [0.55, 0.65, 0.8], "broken": [0.5, None, 0.4]}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    fill(tmp_path, TABLE)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("single", "ssd*"), {"single", "ssd", "ssd[x=1]"}),
        (("ssd", "single"), {"ssd", "single"}),
        (("ssd[x=1]", "singl?"), {"ssd[x=1]", "single"}),
    ],
)
def test_chosen_methods_are_compared_as_if_they_were_alone(results, tmp_path_factory, patterns, names):
    found = compare([results], selection=Selection(methods=patterns))
    alone = compare([fill(tmp_path_factory.mktemp("alone"), {name: TABLE[name] for name in names}).root])
    assert set(found.names) == names
    assert found.names == alone.names and found.average_ranks.tolist() == alone.average_ranks.tolist()
    assert found.tests.adjusted.tolist() == alone.tests.adjusted.tolist()
    assert any("left out: methods broken" in text for text in caption(found))


def test_chosen_datasets_are_those_that_are_ranked(results):
    found = compare([results], selection=Selection(datasets=("D00", "D02")))
    assert found.datasets == ("D00", "D02") and len(found.names) == 4


def test_a_backbone_can_be_chosen_where_there_are_several(results):
    for method in ("single", "ssd"):
        put(fill(results, {}), "D00", method, 0.9, backbone="resnet")
    assert compare([results], selection=Selection(("*@resnet",))).names == ["single@resnet", "ssd@resnet"]
    assert set(compare([results], "complete", selection=Selection(("single",))).names) == {"single@lite", "single@resnet"}


def test_datasets_of_others_can_be_chosen_without_own_results():
    others = [External(name, name, "foreign", default_split, {"A": 0.5, "B": 0.6, "C": 0.7}, "a file") for name in "xy"]
    found = compare([], externals=Given(lambda resamples: others), selection=Selection(datasets=("A", "B")))
    assert found.datasets == ("A", "B")


def test_a_pattern_that_fits_nothing_is_misuse_with_a_suggestion(results):
    with pytest.raises(MisuseError, match=r"No method of these results matches 'singel'\. Did you mean 'single'"):
        compare([results], selection=Selection(methods=("singel",)))
    with pytest.raises(MisuseError, match="No dataset"):
        compare([results], selection=Selection(datasets=("GunPoint",)))


def test_a_table_of_chosen_results_says_so_and_is_recounted(results, capsys):
    command([results], method=["ssd[x=1]", "single"], dataset=["D0?"])
    with (results / "leaderboard" / "leaderboard.csv").open(newline="") as file:
        assert {row["selection"] for row in csv.DictReader(file)} == {"--method 'ssd[x=1]' --method single --dataset 'D0?'"}
    recount([results])
    assert "Everything matches." in capsys.readouterr().out


@pytest.mark.parametrize("chosen", [Selection(), Selection(("a b", "c[d='e']"), ("*",))])
def test_the_text_of_a_selection_gives_it_back(chosen):
    assert Selection.parse(chosen.text) == chosen
