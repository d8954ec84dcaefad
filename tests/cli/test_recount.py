import csv

import pytest
import typer

from ssd_cli.cli.compare import compare
from ssd_cli.cli.recount import recount
from ssd_cli.errors import MisuseError, SsdBenchError
from tests.cli.helpers import failing, ssd_bench
from tests.leaderboard.builders import fill, put
from tests.store.editing import edit

TABLE = {"a": [0.5 + 0.01 * i for i in range(8)], "b": [0.7, None, *(0.6 + 0.02 * i for i in range(6))]}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    fill(tmp_path, TABLE)
    compare([tmp_path], None, "worst-rank", 0.1)
    return tmp_path


def test_records_that_cannot_be_read_are_all_named_although_the_tables_cannot_be_recounted(results, capsys):
    damaged = sorted(results.glob("seed*/*/Predictions/*/testResample*.json"))[:3]
    for path in damaged:
        path.write_text("{")
    with pytest.raises(typer.Exit):
        recount([results])
    shown = capsys.readouterr().err
    assert all(str(path) in shown for path in damaged) and "its tables cannot be recounted" in shown


def test_what_compare_wrote_matches(results, capsys):
    recount([results])
    shown = capsys.readouterr().out
    assert "15 scores of 15 cells recounted (16 records in all)" in shown
    assert f"Tables recounted: {results / 'leaderboard'}" in shown
    assert "Everything matches." in shown


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("per_dataset.csv", "D03,a,0.53,", "D03,a,0.59,", "accuracy is '0.59' in the table, '0.53' by the recount"),
        ("leaderboard.csv", "a,lite,smoke,1.8", "a,lite,smoke,1.2", "average_rank"),
        ("pairwise.csv", "a,7,0,1", "a,8,0,0", "wins is '8' in the table, '7'"),
        ("per_dataset.csv", "D03,a,", "D99,a,", "the results do not give the row D99, a"),
    ],
)
def test_a_table_that_was_touched_is_named(results, name, old, new, words, capsys):
    path = results / "leaderboard" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(typer.Exit) as caught:
        recount([results])
    assert caught.value.exit_code == 1
    assert words in capsys.readouterr().err


def test_a_repeated_row_is_named(results, capsys):
    path = results / "leaderboard" / "leaderboard.csv"
    head, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([head, first.replace("a,", "a,", 1), first, *rest]) + "\n")
    with pytest.raises(typer.Exit):
        recount([results])
    assert "occurs 2 times" in capsys.readouterr().err


def test_a_column_that_nothing_gives_again_is_named(results, capsys):
    path = results / "leaderboard" / "leaderboard.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},invented", *(f"{row},0.99" for row in rows)]) + "\n")
    recount([results])
    assert "leaderboard.csv: invented" in capsys.readouterr().out


@pytest.mark.parametrize("named", [True, False])
def test_intervals_of_a_method_that_is_not_named_are_not_recounted(results, capsys, named):
    """Tables of earlier versions hold bootstrap intervals."""
    path = results / "leaderboard" / "pairwise.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [column for column in rows[0] if named or column != "interval"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"low_95": "-0.9"} for row in rows)
    if named:
        with pytest.raises(typer.Exit):
            recount([results])
        assert "low_95 is '-0.9' in the table" in capsys.readouterr().err
    else:
        recount([results])
        assert "pairwise.csv: low_95, pairwise.csv: high_95" in capsys.readouterr().out


def test_without_the_policy_nothing_is_recounted(results):
    (results / "leaderboard" / "leaderboard.csv").unlink()
    with pytest.raises(SsdBenchError, match="how missing results were treated"):
        recount([results])


def test_a_folder_without_tables_is_misuse_and_a_table_without_its_alpha_an_error(results, tmp_path_factory):
    with pytest.raises(MisuseError, match="holds no tables"):  # not the exit code of a mismatch
        recount([results], [tmp_path_factory.mktemp("empty")])
    path = results / "leaderboard" / "pairwise.csv"
    path.write_text(path.read_text().replace(",0.1,ssd-bench", ",,ssd-bench"))
    with pytest.raises(SsdBenchError, match=r"pairwise\.csv does not say how"):
        recount([results])


def test_the_command_line(results, tmp_path_factory):
    assert "Everything matches." in ssd_bench("recount", results).stdout
    record = next((results / "seed0").rglob("*.json"))
    edit(record, '"accuracy": 0.5', '"accuracy": 0.9')
    assert "in the record" in failing("recount", results, code=1)
    out = tmp_path_factory.mktemp("tsml")
    assert "15 files of 2 estimators" in ssd_bench("export-tsml", results, out).stdout


def test_tables_with_published_results_are_recounted_too(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    store = fill(tmp_path, {})
    for dataset in ("GunPoint", "Beef", "Coffee"):
        for method, accuracy in (("a", 0.7), ("b", 0.9)):
            put(store, dataset, method, accuracy)
    compare([tmp_path], published="resnet, fcn")
    shown = capsys.readouterr().out
    assert "resnet (published): default split; ResNet, one network: mean of 5 initialisations" in " ".join(shown.split())
    recount([tmp_path])
    assert "Everything matches." in capsys.readouterr().out


def test_published_results_alone_and_nothing_at_all(tmp_path):
    done = ssd_bench("compare", "--published", "inceptiontime,resnet,fcn", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "0.8436" in done.stdout
    assert "nothing to compare" in failing("compare", code=2)
