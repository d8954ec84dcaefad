import csv

import numpy as np
import pytest

from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.caption import caption, warning
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.table import leaderboard_rows, pairwise_rows, per_dataset_rows, write_csv
from tests.leaderboard.builders import compared, fill, put

RNG = np.random.default_rng(1)
MANY = {name: RNG.uniform(0.5, 0.6, 30).tolist() for name in ("a", "b", "c")} | {"d": RNG.uniform(0.8, 0.9, 30).tolist()}


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_terminal_rows(tmp_path):
    found = compared(tmp_path, {"a": [0.5, 0.5, 0.5], "b": [0.9, None, 0.9], "c": [0.7, 0.7, 0.9]}, "worst-rank")
    assert leaderboard_rows(found) == [
        ["1", "c", "1.500", "0.7667", "3", "4/1/1", "a"],
        ["2", "b", "1.833", "0.9000", "2", "3/1/2", "a"],
        ["3", "a", "2.667", "0.5000", "3", "1/0/5", "a"],
    ]
    assert per_dataset_rows(found)[1:] == [["D01", "0.700*", "–", "0.500 "], ["D02", "0.900*", "0.900*", "0.500 "]]


def test_files_hold_what_the_comparison_says(tmp_path):
    found = compared(tmp_path, MANY)
    assert [path.name for path in write_csv(found, tmp_path / "out")] == [
        "leaderboard.csv",
        "per_dataset.csv",
        "pairwise.csv",
        "variance.csv",
    ]
    board, cells, pairs = (read(tmp_path / "out" / f"{name}.csv") for name in ("leaderboard", "per_dataset", "pairwise"))
    assert [row["name"] for row in board] == found.names
    assert [float(row["average_rank"]) for row in board] == found.average_ranks.tolist()
    assert [float(row["mean_accuracy"]) for row in board] == found.mean_scores.tolist()
    assert board[0]["name"] == "d" and board[0]["groups"] == "a"
    assert len(cells) == 120
    assert [float(row["accuracy"]) for row in cells] == found.scores.ravel().tolist()
    assert [float(row["rank"]) for row in cells] == found.ranks.ravel().tolist()
    assert len(pairs) == 6
    assert [row["different"] for row in pairs] == ["yes"] * 3 + ["no"] * 3
    assert float(pairs[0]["p_holm"]) == found.tests.adjusted[0, 1]
    assert len(pairwise_rows(found)) == 6
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "leaderboard.csv",
        "pairwise.csv",
        "per_dataset.csv",
        "variance.csv",
    ]


def test_missing_and_left_out_results_stand_in_the_file_with_their_reason(tmp_path):
    found = compared(tmp_path, {"a": [0.5, None], "b": [0.9, 0.9]}, "complete")
    write_csv(found, tmp_path)
    rows = {(row["dataset"], row["name"]): row for row in read(tmp_path / "per_dataset.csv")}
    assert rows["D01", "a"]["reason"] == "failed: NaN in epoch 3"
    assert rows["D01", "a"]["n_results"] == "0"
    assert rows["D01", "b"]["ranked"] == "no"
    assert rows["D00", "a"]["ranked"] == "yes"
    assert [row["n_missing"] for row in read(tmp_path / "leaderboard.csv")] == ["0", "1"]


def test_two_methods_without_a_common_dataset_have_no_difference_to_show(tmp_path):
    fill(tmp_path, {"a": [0.9, None, 0.5, None], "b": [None, 0.7, None, 0.5], "c": [0.8, 0.6, 0.3, 0.5]})
    found = compare([tmp_path], "worst-rank", rope=0.01)
    write_csv(found, tmp_path)
    pairs = [{row["first"], row["second"]} for row in read(tmp_path / "pairwise.csv")]
    apart = pairs.index({"a", "b"})
    assert pairwise_rows(found)[apart][3:6] == ["–", "–", "–"]
    row = read(tmp_path / "pairwise.csv")[apart]
    columns = ("mean_difference", "low_95", "high_95", "rank_biserial", "p_worse", "p_same", "p_better")
    assert [row[column] for column in columns] == [""] * 7
    others = [row for place, row in enumerate(read(tmp_path / "pairwise.csv")) if place != apart]
    assert all(np.isfinite(float(row[column])) for row in others for column in columns)


@pytest.mark.parametrize(("table", "n_known", "words"), [
    ({"a": [0.5], "b": [0.9], "c": [0.7]}, 0, "one dataset shows no variation"),
    ({"a": [0.5, 0.6], "b": [0.7, 0.8], "c": [0.9, 0.8]}, 2, "1 of 3 pairs has no interval"),
    ({"a": [0.5, 0.6, None], "b": [None, 0.8, None], "c": [0.9, 0.8, 0.4]}, 1, "2 of 3 pairs have no interval"),
    ({"a": [0.5, 0.6, 0.9], "b": [0.7, 0.7, 0.5], "c": [0.9, 0.8, 0.4]}, 3, ""),
])  # fmt: skip
def test_the_caption_says_why_there_is_no_interval(tmp_path, table, n_known, words):
    found = compared(tmp_path, table, "worst-rank")
    write_csv(found, tmp_path / "out")
    pairs = read(tmp_path / "out" / "pairwise.csv")
    assert sum(bool(row["low_95"] and row["high_95"]) for row in pairs) == n_known
    assert sum(row[4] != "–" for row in pairwise_rows(found)) == n_known
    assert all(row["mean_difference"] for row in pairs)
    text = " ".join(caption(found))
    assert words in text if words else "interval" not in text


def test_names_with_commas_and_quotes_survive(tmp_path):
    found = compared(tmp_path, {"ssd[a=1,b=2]": [0.5], 'x"y': [0.9]})
    write_csv(found, tmp_path)
    assert [row["name"] for row in read(tmp_path / "leaderboard.csv")] == ['x"y', "ssd[a=1,b=2]"]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    found = compared(tmp_path / "in", {"a": [0.5], "b": [0.9]})
    (tmp_path / "file").write_text("")
    with pytest.raises(SsdBenchError, match="--out"):
        write_csv(found, tmp_path / "file")


def test_the_caption_states_data_policy_test_sides_zeros_correction_and_alpha(tmp_path):
    text = "\n".join(caption(compared(tmp_path, MANY)))
    for words in ("30 datasets", "policy fail", "Wilcoxon signed-rank", "two-sided", "Pratt, exact;", "Holm", "6 pairs",
                  "alpha 0.05", "Friedman", "3 degrees of freedom", "Recipe: smoke", "A bar"):  # fmt: skip
        assert words in text


def test_the_caption_says_where_the_normal_distribution_was_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("ssd_cli.statistics.wilcoxon.EXACT_UP_TO", 50)  # fewer records to write
    many = {name: RNG.uniform(0, 0.9, 70).tolist() for name in ("a", "b")}
    few = [value + 0.05 * (d < 30) for d, value in enumerate(many["b"])]
    text = "\n".join(caption(compared(tmp_path, many | {"c": few})))
    assert "Pratt, exact for 1 of the pairs, for the others normal approximation without continuity correction" in text


@pytest.mark.parametrize(("n", "n_methods", "words"), [
    (1, 2, "1 dataset proves nothing: with fewer than 6"),
    (4, 3, "4 datasets prove nothing: with fewer than 7"),
    (5, 2, "5 datasets prove nothing: with fewer than 6"),
    (6, 2, None),
    (7, 5, "7 datasets are too few for 10 pairs: with fewer than 9"),
    (9, 5, None),
])  # fmt: skip
def test_too_few_datasets_are_said_to_be_too_few(tmp_path, n, n_methods, words):
    found = compared(tmp_path, {f"m{i}": [0.5 + 0.01 * i] * n for i in range(n_methods)})
    assert [words in text for text in warning(found)] == ([] if words is None else [True])


def test_the_caption_says_why_there_is_no_friedman_and_what_is_missing(tmp_path):
    assert any("only two methods" in text for text in caption(compared(tmp_path / "1", {"a": [0.5] * 7, "b": [0.6] * 7})))
    assert any("only one dataset" in text for text in caption(compared(tmp_path / "2", {"a": [0.5], "b": [0.6], "c": [0.7]})))
    left = caption(compared(tmp_path / "3", {"a": [0.5, None], "b": [0.9, 0.9]}, "complete"))
    assert any("policy complete" in text and "1 of 4" in text and "left out: D01" in text for text in left)


def test_different_recipes_side_by_side_are_said(tmp_path):
    store = fill(tmp_path, {"a": [0.5]})
    put(store, "D00", "b", 0.6, recipe="paper")
    assert any("recipes differ: paper (b); smoke (a)" in text for text in caption(compare([tmp_path])))
