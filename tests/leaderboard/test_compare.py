import re
import subprocess
import sys

import numpy as np
import pytest

from ssd_cli.errors import MisuseError, SsdBenchError
from ssd_cli.leaderboard.compare import compare
from ssd_cli.store.results import ResultStore
from tests.leaderboard.builders import compared, fill, put
from tests.store.builders import make_cell
from tests.store.editing import edit

RNG = np.random.default_rng(0)
MANY = {
    "single": RNG.uniform(0.5, 0.7, 12).tolist(),
    "ssd": RNG.uniform(0.6, 0.8, 12).tolist(),
    "ens": RNG.uniform(0.7, 0.9, 12).tolist(),
}


def test_the_best_average_rank_comes_first(tmp_path):
    found = compared(tmp_path, {"a": [0.5, 0.5, 0.5], "b": [0.9, 0.9, 0.4], "c": [0.7, 0.7, 0.5]})
    assert found.names == ["b", "c", "a"]
    assert found.datasets == ("D00", "D01", "D02")
    assert found.ranks.tolist() == [[1, 2, 3], [1, 2, 3], [3, 1.5, 1.5]]
    assert found.average_ranks == pytest.approx([5 / 3, 5.5 / 3, 7.5 / 3])
    assert found.mean_scores == pytest.approx([2.2 / 3, 1.9 / 3, 0.5])
    assert found.n_scores.tolist() == [3, 3, 3]
    assert found.contests.wins.sum(axis=1).tolist() == [4, 3, 1]


def test_equal_ranks_are_ordered_by_accuracy_then_name(tmp_path):
    assert compared(tmp_path, {"b": [0.5, 0.9], "a": [0.6, 0.6], "c": [0.5, 0.9]}).names == ["b", "c", "a"]


def test_resamples_and_seeds_are_averaged_before_they_are_ranked(tmp_path):
    store = ResultStore(tmp_path)
    # a is better in three of four results and worse on average
    for (resample, seed), first, second in [((0, 0), 0.8, 0.7), ((1, 0), 0.8, 0.7), ((0, 1), 0.8, 0.7), ((1, 1), 0.2, 0.9)]:
        put(store, "D", "a", first, resample=resample, seed=seed)
        put(store, "D", "b", second, resample=resample, seed=seed)
    found = compare([tmp_path])
    assert found.names == ["b", "a"]
    assert found.scores.tolist() == [[pytest.approx(0.75), pytest.approx(0.65)]]
    assert (found.resamples, found.seeds, found.n_results) == ((0, 1), (0, 1), 4)


def test_two_methods_need_no_friedman(tmp_path):
    found = compared(tmp_path, {"a": MANY["single"], "b": MANY["ens"]})
    assert found.friedman is None
    assert found.names == ["b", "a"]
    assert found.letters == ["a", "b"]


def test_verdicts_of_three_methods(tmp_path):
    found = compared(tmp_path, MANY)
    assert found.names == ["ens", "ssd", "single"]
    assert found.friedman.p < 0.01
    assert found.tests.different[0, 2]
    assert found.tests.n_pairs == 3


def test_four_datasets_join_all_methods(tmp_path):
    found = compared(tmp_path, {"a": [0.9] * 4, "b": [0.5] * 4, "c": [0.1] * 4})
    assert found.letters == ["a", "a", "a"]
    assert not found.tests.enough


def test_one_dataset_is_ranked_and_not_tested(tmp_path):
    found = compared(tmp_path, {"a": [0.5], "b": [0.9], "c": [0.7]})
    assert found.names == ["b", "c", "a"]
    assert found.friedman is None
    assert not found.tests.different.any()


def test_several_backbones_make_several_contestants(tmp_path):
    fill(tmp_path, {"a": [0.5, 0.6], "b": [0.7, 0.8]}, backbone="lite")
    fill(tmp_path, {"a": [0.9, 0.95]}, backbone="inception")
    found = compare([tmp_path])
    assert found.names == ["a@inception", "b@lite", "a@lite"]
    assert found.rows[0].backbone == "inception"


def test_a_method_without_a_backbone_is_called_by_itself(tmp_path):
    fill(tmp_path, {"a": [0.5, 0.6]}, backbone="lite")
    fill(tmp_path, {"rocket": [0.9, 0.95]}, backbone="none")
    assert set(compare([tmp_path]).names) == {"a", "rocket"}
    fill(tmp_path, {"a": [0.7, 0.8]}, backbone="inception")
    assert set(compare([tmp_path]).names) == {"a@lite", "a@inception", "rocket"}


def test_several_folders_are_one_table(tmp_path):
    fill(tmp_path / "one", {"a": [0.5, 0.6]})
    fill(tmp_path / "two", {"b": [0.7, 0.8]})
    assert compare([tmp_path / "one", tmp_path / "two"]).names == ["b", "a"]
    assert compare([tmp_path / "one", tmp_path / "two", tmp_path / "one"]).names == ["b", "a"]


INCOMPLETE = {"a": [0.5, 0.5, 0.5], "b": [0.9, None, 0.9], "c": [0.7, 0.7, 0.7]}


def test_missing_results_are_refused_with_their_reasons_and_remedies(tmp_path):
    with pytest.raises(SsdBenchError) as caught:
        compared(tmp_path, INCOMPLETE)
    text = str(caught.value)
    assert "D01, b: 0 of 1 results (failed: NaN in epoch 3)" in text
    assert "--missing complete" in text and "--missing worst-rank" in text


def test_what_failed_is_to_be_retried_and_what_was_not_run_is_to_be_run(tmp_path):
    store = fill(tmp_path, {"a": [0.9, None], "b": [0.8, 0.7]})
    with pytest.raises(SsdBenchError) as caught:
        compare([tmp_path])
    assert "--retry-failed" in caught.value.remedy and "not been run" not in caught.value.remedy
    put(store, "D02", "a", 0.9)
    with pytest.raises(SsdBenchError, match="command again for what has not been run"):
        compare([tmp_path])


def test_a_folder_above_or_below_the_results_is_told_where_they_are(tmp_path):
    fill(tmp_path / "runs" / "one", {"a": [0.9], "b": [0.8]})
    for folder in (tmp_path / "runs", tmp_path / "runs" / "one" / "seed0"):
        with pytest.raises(MisuseError, match=f"Did you mean {re.escape(str(tmp_path / 'runs' / 'one'))}"):
            compare([folder])


def test_complete_leaves_the_dataset_out_for_all(tmp_path):
    found = compared(tmp_path, INCOMPLETE, "complete")
    assert found.datasets == ("D00", "D02")
    assert found.left_out == ("D01",)
    assert [(item.dataset, item.name, item.reasons) for item in found.missing] == [("D01", "b", ("failed: NaN in epoch 3",))]


def test_worst_rank_puts_the_missing_one_last(tmp_path):
    found = compared(tmp_path, INCOMPLETE, "worst-rank")
    assert found.names == ["c", "b", "a"]  # b and c have the same average rank
    assert found.ranks[1].tolist() == [1, 3, 2]
    assert found.n_scores.tolist() == [3, 2, 3]
    assert found.mean_scores[1] == pytest.approx(0.9)
    assert found.contests.losses[1].tolist() == [1, 0, 1]


def test_a_missing_result_weighs_more_than_any_difference(tmp_path):
    """Ten small defeats and one absence: the absence has the largest rank among the differences."""
    first = [0.50 + 0.01 * i for i in range(10)]
    table = {"a": [*first, None], "b": [0.5 - 0.01 * (i % 3) for i in range(10)] + [0.1]}
    found = compared(tmp_path, table, "worst-rank")
    without = compared(tmp_path / "without", {name: accuracies[:10] for name, accuracies in table.items()})
    assert found.tests.p[0, 1] > without.tests.p[0, 1]


def test_two_absences_are_a_tie(tmp_path):
    found = compared(tmp_path, {"a": [0.5, None], "b": [0.9, None], "c": [0.7, 0.7]}, "worst-rank")
    assert found.ranks[1][[found.names.index("a"), found.names.index("b")]].tolist() == [2.5, 2.5]


@pytest.mark.parametrize("policy", ["complete", "worst-rank"])
def test_unequal_counts_are_never_averaged(tmp_path, policy):
    store = fill(tmp_path, {"a": [0.5, 0.5], "b": [0.9, 0.9]})
    put(store, "D00", "a", 0.5, resample=1)
    put(store, "D00", "b", 0.9, resample=1)
    put(store, "D01", "a", 0.5, resample=1)
    with pytest.raises(SsdBenchError, match=r"D01, b: 1 of 2 results \(not run\)"):
        compare([tmp_path])
    found = compare([tmp_path], policy)
    if policy == "complete":
        assert found.datasets == ("D00",)
    else:
        assert found.n_scores.tolist() == [2, 1]
        assert found.names == ["a", "b"]  # 1.5 each; a has more results, b is absent on D01


def test_nothing_complete_is_an_error(tmp_path):
    store = fill(tmp_path, {"a": [0.5, 0.5]})
    put(store, "D00", "b", 0.5, resample=1)
    with pytest.raises(SsdBenchError, match="No dataset is left"):
        compare([tmp_path], "complete")


def test_only_failures_are_an_error(tmp_path):
    fill(tmp_path, {"a": [None], "b": [None]})
    for policy in ("complete", "worst-rank"):
        with pytest.raises(SsdBenchError, match="No dataset is left"):
            compare([tmp_path], policy)


def test_one_method_only_is_an_error(tmp_path):
    with pytest.raises(SsdBenchError, match="fewer than two methods: a"):
        compared(tmp_path, {"a": [0.5, 0.5]})


def test_empty_and_absent_folders_are_errors(tmp_path):
    with pytest.raises(SsdBenchError, match="holds no results"):
        compare([tmp_path])
    with pytest.raises(SsdBenchError, match="no folder"):
        compare([tmp_path / "absent"])


@pytest.mark.parametrize(("policy", "alpha"), [("median", 0.05), ("fail", 0.0), ("fail", 1.0), ("fail", float("nan"))])
def test_wrong_options_are_misuse(tmp_path, policy, alpha):
    with pytest.raises(MisuseError):
        compare([tmp_path], policy, alpha)


def test_different_recipes_under_one_name_are_an_error(tmp_path):
    store = fill(tmp_path / "one", {"a": [0.5], "b": [0.6]})
    put(store, "D01", "a", 0.5, recipe="paper", identity={"recipe": {"name": "paper", "parameters": {"epochs": 1500}}})
    with pytest.raises(SsdBenchError, match=r"different configurations(.|\n)*recipe.parameters.epochs: 3 here, 1500 there"):
        compare([tmp_path / "one"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset_digest": "e" * 64}, "different data"),
        ({"preparation": {"length": "pad", "impute": "linear", "scale": "none"}}, "different preparations"),
    ],
)
def test_methods_that_saw_different_data_are_not_compared(tmp_path, changes, words):
    store = fill(tmp_path, {"a": [0.5, 0.5]})
    put(store, "D00", "b", 0.6)
    put(store, "D01", "b", 0.6, identity=changes)
    with pytest.raises(SsdBenchError, match=f"'D01' used {words}"):
        compare([tmp_path])


def test_methods_of_different_protocols_are_not_compared(tmp_path):
    store = fill(tmp_path, {"a": [0.5, 0.5]})
    put(store, "D00", "b", 0.6, identity={"protocol_version": 99})
    with pytest.raises(SsdBenchError, match="version 99 of the protocol"):
        compare([tmp_path])


def test_datasets_may_be_prepared_differently_from_each_other(tmp_path):
    store = fill(tmp_path, {"a": [0.5], "b": [0.6]})
    for method in ("a", "b"):
        put(store, "D01", method, 0.5, identity={"preparation": {"scale": "train"}, "dataset_digest": "e" * 64})
    assert len(compare([tmp_path]).datasets) == 2


def test_the_same_cell_twice_is_counted_once_and_said(tmp_path):
    fill(tmp_path / "one", {"a": [0.5, 0.6], "b": [0.7, 0.8]})
    store = fill(tmp_path / "two", {"b": [0.7], "c": [0.9, 0.9]})
    put(store, "D01", "b", None)  # failed there, fine in the other folder
    found = compare([tmp_path / "two", tmp_path / "one"])
    assert found.names == ["c", "b", "a"]
    assert found.missing == ()
    assert any("2 cells are in more than one folder" in text for text in found.warnings)


def test_the_same_cell_with_two_results_is_an_error(tmp_path):
    fill(tmp_path / "one", {"a": [0.5], "b": [0.7]})
    fill(tmp_path / "two", {"b": [0.8]})
    with pytest.raises(SsdBenchError, match=r"different results: 0\.7 in .*, 0\.8 in "):
        compare([tmp_path / "one", tmp_path / "two"])


def test_the_same_cell_with_two_identities_is_an_error(tmp_path):
    fill(tmp_path / "one", {"a": [0.5], "b": [0.7]})
    fill(tmp_path / "two", {"b": [0.7]}, identity={"threads": 4})
    with pytest.raises(SsdBenchError, match=r"different identities(.|\n)*threads: absent here, 4 there"):
        compare([tmp_path / "one", tmp_path / "two"])


def test_changed_predictions_change_the_table_and_are_named(tmp_path):
    store = fill(tmp_path, {"a": [0.5, 0.5], "b": [0.6, 0.6]})
    assert compare([tmp_path]).names == ["b", "a"]
    path = store.paths(make_cell("D00", "a"))[0]
    path.write_text("\n".join(line.replace("1,,0.25,0.75", "0,,0.75,0.25") for line in path.read_text().splitlines()) + "\n")
    found = compare([tmp_path])
    assert found.scores[0][found.names.index("a")] == 1.0
    assert [text for text in found.warnings if str(path) in text]


def test_predictions_that_are_gone_count_as_missing(tmp_path):
    store = fill(tmp_path, {"a": [0.5, 0.5], "b": [0.6, 0.6]})
    store.paths(make_cell("D00", "a"))[0].unlink()
    with pytest.raises(SsdBenchError, match="the file of its predictions is missing"):
        compare([tmp_path])


def test_a_record_without_accuracy_is_an_error(tmp_path):
    store = fill(tmp_path, {"a": [0.5], "b": [0.6]})
    path = store.paths(make_cell("D00", "a"))[1]
    edit(path, '"accuracy"', '"acc"')
    with pytest.raises(SsdBenchError, match="no accuracy"):
        compare([tmp_path])


def test_permuting_what_was_run_first_changes_nothing(tmp_path):
    names = list(MANY)
    first = compared(tmp_path / "one", {name: MANY[name] for name in names})
    second = compared(tmp_path / "two", {name: MANY[name] for name in reversed(names)})
    assert first.names == second.names
    assert np.array_equal(first.scores, second.scores)
    assert np.array_equal(first.tests.adjusted, second.tests.adjusted)


def test_comparing_imports_neither_torch_nor_the_archives(tmp_path):
    fill(tmp_path, {"a": [0.5, 0.6], "b": [0.7, 0.8]})
    script = (
        "import sys, pathlib; from ssd_cli.cli.compare import compare; "
        "compare([pathlib.Path(sys.argv[1])], None, 'fail', 0.05); "
        "heavy = ('torch', 'aeon', 'sktime', 'sklearn', 'matplotlib.pyplot', 'scipy.stats'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
