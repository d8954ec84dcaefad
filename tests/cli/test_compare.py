import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from ssd_cli.cli import compare as command
from ssd_cli.errors import MisuseError, SsdBenchError
from tests.leaderboard.builders import fill
from tests.store.builders import make_cell, make_record

LONG = "ssd[representations=10,dropout_sites=embed+mid,student_init=random,guidance=label]"
TABLE = {"single": [0.5 + 0.01 * i for i in range(12)], LONG: [0.7 + 0.01 * i for i in range(12)]}


@pytest.fixture(autouse=True)
def unsynchronised(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns, and what it shows."""
    screen = io.StringIO()
    monkeypatch.setattr(
        command,
        "new_console",
        lambda: Console(file=screen, width=80, force_terminal=True, color_system=None, highlight=False, markup=False, emoji=False),
    )
    return screen


def run(folders, out=None, missing="fail", alpha=0.05):
    command.compare(folders, out, missing, alpha)


def test_it_prints_the_leaderboard_and_writes_the_files_into_the_first_folder(tmp_path, capsys):
    fill(tmp_path, TABLE)
    run([tmp_path])
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert any(line.split()[:4] == ["1", LONG, "1.000", "0.7550"] for line in lines)
    assert any(line.split()[:4] == ["2", "single", "2.000", "0.5550"] for line in lines)
    for words in ("two-sided", "zeros by Pratt", "Holm", "alpha 0.05", "policy fail", "only two methods"):
        assert words in " ".join(shown.split())
    expected = [
        "cd.png",
        "cd.svg",
        "leaderboard.csv",
        "leaderboard.md",
        "leaderboard.tex",
        "pairwise.csv",
        "per_dataset.csv",
        "per_dataset.tex",
        "variance.csv",
    ]
    assert sorted(path.name for path in (tmp_path / "leaderboard").iterdir()) == expected
    run([tmp_path], tmp_path / "elsewhere")
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == expected


def test_eighty_columns_are_enough_for_many_methods_and_long_names(tmp_path, terminal):
    fill(tmp_path, TABLE | {f"method-{i}": [0.6 + 0.01 * i] * 12 for i in range(18)})
    run([tmp_path])
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    text = "".join(line.strip() for line in lines)
    assert "more in per_dataset.csv" in " ".join(terminal.getvalue().split())
    assert "guidance" in text
    assert not any("…" in line for line in lines)


def test_missing_results_are_listed_with_their_reasons(tmp_path, capsys):
    fill(tmp_path, {"a": [0.5, None, 0.7], "b": [0.6, 0.8, 0.9]})
    with pytest.raises(SsdBenchError, match="NaN in epoch 3"):
        run([tmp_path])
    run([tmp_path], missing="complete")
    shown = " ".join(capsys.readouterr().out.split())
    assert "D01 a 0 of 1 failed: NaN in epoch 3" in shown
    assert "policy complete" in shown
    assert "2 datasets prove nothing" in shown


def test_square_brackets_in_names_are_no_markup(tmp_path, capsys):
    fill(tmp_path, {"ssd[bold]": [0.5, 0.6], "kd[red]": [0.7, 0.8]})
    run([tmp_path])
    shown = capsys.readouterr().out
    assert "ssd[bold]" in shown
    assert "kd[red]" in shown


def test_changed_predictions_are_warned_of_on_standard_error(tmp_path, capsys):
    from tests.store.builders import make_cell

    store = fill(tmp_path, {"a": [0.5, 0.5], "b": [0.6, 0.6]})
    path = store.paths(make_cell("D00", "a"))[0]
    path.write_text(path.read_text().replace("0,1,,0.25,0.75", "0,0,,0.75,0.25", 1))
    run([tmp_path])
    assert f"Warning: {path} was changed" in capsys.readouterr().err


def test_the_screenshot_shows_the_leaderboard_and_fetches_nothing(tmp_path):
    fill(tmp_path, TABLE)
    for name in ("one.svg", "two.svg"):
        command.compare([tmp_path], tmp_path / "out", screenshot=tmp_path / name)
    picture = (tmp_path / "one.svg").read_text()
    assert picture == (tmp_path / "two.svg").read_text()
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "").replace("https://www.textualize.io", "")
    shown = " ".join(text.replace("\xa0", " ") for text in ET.fromstring(picture).itertext())
    for words in ("Leaderboard", "0.7550", "policy fail", "Wilcoxon"):
        assert words in shown
    assert "Accuracy by dataset" not in shown


def test_a_screenshot_in_another_format_is_misuse_and_nothing_is_written(tmp_path):
    fill(tmp_path, TABLE)
    with pytest.raises(MisuseError, match=r"one\.png"):
        command.compare([tmp_path], tmp_path / "out", screenshot=tmp_path / "one.png")
    assert not (tmp_path / "out").exists()


def test_figures_of_an_earlier_comparison_are_named(tmp_path, capsys):
    fill(tmp_path, TABLE)
    command.compare([tmp_path], figures=True)
    assert "earlier" not in capsys.readouterr().err
    command.compare([tmp_path])
    assert (
        "Warning: differences.svg, differences.png, matrix.svg, matrix.png, scatter.svg, scatter.png there"
        in capsys.readouterr().err
    )
    (tmp_path / "leaderboard" / "matrix.svg").unlink()
    command.compare([tmp_path], formats="svg")
    kept = "cd.png, differences.svg, differences.png, matrix.png, scatter.svg, scatter.png"
    assert f"Warning: {kept} there show an earlier" in capsys.readouterr().err


def test_a_terminal_shows_the_telling_costs_in_one_table_and_says_where_the_others_are(tmp_path, terminal):
    costs = dict.fromkeys(("macs", "parameters", "size_bytes", "networks_trained", "networks_stored", "fit_seconds_alone"), 4.0)
    scores = dict.fromkeys(("balanced_accuracy", "macro_f1", "nll", "brier", "ece", "teacher_accuracy", "teacher_agreement"), 0.5)
    store = fill(tmp_path, {})
    for method in ("single", "kd"):
        record = make_record(make_cell("D00", method), scores={"accuracy": 0.5} | scores, costs=costs)
        store.put(record, np.zeros(2, dtype=np.int64), np.tile([0.75, 0.25], (2, 1)))
    run([tmp_path])
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (place,) = (number for number, line in enumerate(lines) if "inference ×single" in line)
    assert {"fit alone ×single", "NLL"} <= set(re.split(r"\s{2,}", lines[place]))
    shown = re.split(r"\s{2,}", lines[place].strip())
    head = (tmp_path / "leaderboard" / "leaderboard.md").read_text().splitlines()[0].strip("|").split("|")
    listed = [title.strip() for title in head if title.strip() not in ("", "method", "rank", "accuracy", "groups")]
    assert shown == [title for title in listed if title in shown]  # in the order of the files
    assert len(listed) > len(shown)
    assert f"{len(listed) - len(shown)} more columns in leaderboard.md" in " ".join("\n".join(lines[:place]).split())
    assert not any(title in line for title in set(listed) - set(shown) for line in lines)
