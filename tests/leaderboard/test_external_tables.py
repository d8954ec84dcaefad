"""Tables of accuracies as other projects write them; the files are of the same form as theirs, the numbers are invented."""

import random

import numpy as np
import pytest

from ssd_cli.archives.catalog import names as catalogued
from ssd_cli.errors import SsdBenchError
from ssd_cli.leaderboard.compare import compare
from ssd_cli.leaderboard.external.files import read_files
from ssd_cli.leaderboard.external.names import is_aggregate
from ssd_cli.leaderboard.external.sources import ExternalSources, published


def write(path, text):
    path.write_text(text)
    return path


def scores(path, resamples=()):
    return {one.label: one.scores for one in read_files(path, set(resamples))}


A_AND_B = {"A": {"Beef": 0.9, "Car": 0.7}, "B": {"Beef": 0.8, "Car": 0.6}}


@pytest.mark.parametrize(
    "text",
    [
        "dataset,A,B\nBeef,0.9,0.8\nCar,0.7,0.6\n",
        "dataset_name,A,B\nBeef,0.9,0.8\nCar,0.7,0.6\n",  # Multi-Comparison Matrix
        ",A,B\nBeef,0.9,0.8\nCar,0.7,0.6\n",  # dl-4-tsc: the index of pandas
        "Unnamed: 0,A,B\nBeef,0.9,0.8\nCar,0.7,0.6\n",
        "A,Problem Name,B\n0.9,Beef,0.8\n0.7,Car,0.6\n",
        "\ufeffDatasets:;A;B\nBeef;0.9;0.8\nCar;0.7;0.6\n",
        "Data set\tA\tB\nBeef\t0.9\t0.8\nCar\t0.7\t0.6\n",
        "classifier_name,dataset_name,accuracy\nA,Beef,0.9\nA,Car,0.7\nB,Beef,0.8\nB,Car,0.6\n",  # cd-diagram
        "accuracy,model,dataset\n0.9,A,Beef\n0.7,A,Car\n0.8,B,Beef\n0.6,B,Car\n",
        "Estimator,Test-Acc,Problem\nA,0.9,Beef\nA,0.7,Car\nB,0.8,Beef\nB,0.6,Car\n",
        "dataset,name,accuracy,rank,n_results,ranked,reason\nBeef,A,0.9,1,3,yes,\nBeef,B,0.8,2,3,yes,\nCar,A,0.7,1,3,yes,\n"
        "Car,B,0.6,2,3,yes,\n",  # per_dataset.csv of this program
    ],
)
def test_columns_are_found_by_name_in_any_order(tmp_path, text):
    assert scores(write(tmp_path / "t.csv", text)) == A_AND_B


def test_results_of_inceptiontime_are_averaged_over_their_iterations(tmp_path):
    """hfawaz/InceptionTime and dl-4-tsc: an index, times and other measures beside accuracy, a line per initialisation."""
    rows = [
        f"{k},{method},UCRArchive_2018,{dataset},{iteration}.0,0.5,{accuracy},0.4,26288.4,41.5"
        for k, (method, dataset, iteration, accuracy) in enumerate(
            [("fcn", "Crop", 0, 0.7), ("fcn", "Crop", 1, 0.8), ("fcn", "Meat", 0, 0.9), ("fcn", "Meat", 1, 1.0),
             ("mlp", "Crop", 0, 0.5), ("mlp", "Crop", 1, 0.6), ("mlp", "Meat", 0, 0.4)]
        )
    ]  # fmt: skip
    head = ",classifier_name,archive_name,dataset_name,iteration,precision,accuracy,recall,train_time,test_time"
    path = write(tmp_path / "results-128.csv", "\n".join([head, *rows]))
    fcn, mlp = read_files(path, {0})
    assert fcn.scores == pytest.approx({"Crop": 0.75, "Meat": 0.95})
    assert fcn.protocol.text == "mean of 2 iterations" and fcn.protocol.default is None
    assert mlp.scores == pytest.approx({"Crop": 0.55})
    assert mlp.gaps == {"Meat": "no number for iteration 1.0 in results-128.csv"}
    assert "train_time" in mlp.notes[0]


def test_a_table_of_rocket_is_one_method_without_its_spread_and_times(tmp_path):
    head = "dataset,accuracy_mean,accuracy_standard_deviation,time_training_seconds,time_test_seconds"
    path = write(tmp_path / "ROCKET_results.csv", f"{head}\nACSF1,0.886,0.01,14.93,13.9\nAdiac,0.78337596,0.006,9.13,7.07\n")
    (one,) = read_files(path, set())
    assert (one.label, one.scores, one.decimals) == ("ROCKET", {"ACSF1": 0.886, "Adiac": 0.78337596}, 8)
    assert one.notes == (
        "Not read from ROCKET_results.csv: columns accuracy_standard_deviation, time_training_seconds, time_test_seconds.",
    )


@pytest.mark.parametrize(
    ("name", "text", "label"),
    [
        ("HC2_TESTFOLDS.csv", "folds:,0,1,2\nBeef,0.9,0.8,0.7\nCar,0.6,0.5,0.4\n", "HC2"),  # tsml-eval
        ("MultiROCKET_ACC.csv", "Resamples:,0,1,2\nBeef,0.9,0.8,0.7\nCar,0.6,0.5,0.4\n", "MultiROCKET"),
        ("x.csv", "dataset,A_resample0,A_resample1,A_resample2\nBeef,0.9,0.8,0.7\nCar,0.6,0.5,0.4\n", "A"),
        ("y.csv", "dataset,resample 0,resample 1,resample 2\nBeef,0.9,0.8,0.7\nCar,0.6,0.5,0.4\n", "y"),
        ("z.csv", "problem,resample,acc\nBeef,0,0.9\nBeef,1,0.8\nBeef,2,0.7\nCar,0,0.6\nCar,1,0.5\nCar,2,0.4\n", "z"),
        ("w.csv", "resample,problem,A\n0,Beef,0.9\n1,Beef,0.8\n2,Beef,0.7\n0,Car,0.6\n1,Car,0.5\n2,Car,0.4\n", "A"),
    ],
)
def test_columns_of_resamples_are_one_method_averaged_over_the_own_resamples(tmp_path, name, text, label):
    path = write(tmp_path / name, text)
    (every,), (split,) = read_files(path, set()), read_files(path, {0})
    assert every.label == split.label == label
    assert every.scores == pytest.approx({"Beef": 0.8, "Car": 0.5})
    assert split.scores == {"Beef": 0.9, "Car": 0.6} and split.protocol.text == "default split"
    (absent,) = read_files(path, {0, 7})
    assert absent.scores == {} and "no number for resample 7" in absent.gaps["Beef"]


@pytest.mark.parametrize(
    "head",
    ["dataset,itr0,itr1", "dataset,0,1", "dataset,LITE_run1,LITE_run2", "dataset,acc_0,acc_1",
     "dataset,LITE-fold0_acc,LITE-fold1_acc", "dataset,LITE seed 3,LITE seed 9"],
)  # fmt: skip
def test_columns_of_runs_are_no_methods(tmp_path, head):
    (one,) = read_files(write(tmp_path / "LITE.csv", f"{head}\nBeef,0.9,0.8\nCar,0.7,0.5\n"), {0})
    assert one.label == "LITE" and one.scores == pytest.approx({"Beef": 0.85, "Car": 0.6})
    assert one.protocol.default is None


@pytest.mark.parametrize(
    ("unused", "values"),
    [("A_std,B_std", "0.01,0.02"), ("mean,best", "0.85,0.9"), ("A_seconds,n_test", "14,30"), ("A_rank,B time", "1,2.5"),
     ("wins,number of classes", "1,5"), ("A-stdev,F1", "0.1,0.8"), ("train size,A train acc", "30,1.0"),
     ("duration,val_accuracy", "9,0.7")],
)  # fmt: skip
def test_columns_of_other_numbers_are_named_and_not_compared(tmp_path, unused, values):
    path = write(tmp_path / "t.csv", f"dataset,A,B,{unused}\nBeef,0.9,0.8,{values}\nCar,0.7,0.6,{values}\n")
    assert scores(path) == A_AND_B
    assert read_files(path, set())[0].notes == (f"Not read from t.csv: columns {unused.replace(',', ', ')}.",)


@pytest.mark.parametrize(
    "method", ["Time-CNN", "t-LeNet", "InceptionTime", "HC1", "WEASEL-2.0", "H-Inception-mean", "clf1", "ResNet-50", "TSF"]
)
def test_names_of_methods_are_not_taken_for_other_numbers(tmp_path, method):
    path = write(tmp_path / "t.csv", f"dataset,{method},B\nBeef,0.9,0.8\nCar,0.7,0.6\n")
    assert scores(path) == {method: A_AND_B["A"], "B": A_AND_B["B"]}
    assert read_files(path, set())[0].notes == ()


@pytest.mark.parametrize(
    "line",
    ["Average,85.2,81.0", "Average_Rank,1.2,1.8", "Wins,41,18", "Mean accuracy,0.8,0.7", "total,-,-", "avg. rank,2,1", "STD,7,8"],
)
def test_lines_of_averages_ranks_and_wins_are_no_datasets(tmp_path, line):
    path = write(tmp_path / "t.csv", f"dataset,A,B\nBeef,0.9,0.8\nCar,0.7,0.6\n{line}\n")
    assert scores(path) == A_AND_B
    assert line.partition(",")[0] in read_files(path, set())[0].notes[0]


def test_no_dataset_of_the_catalogue_has_the_name_of_such_a_line():
    assert [name for name in catalogued() if is_aggregate(name)] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A,B,C\n0.9,0.8,0.7\n0.8,0.7,0.6\n", "line 1: no column of datasets among A, B, C"),
        ("clf1,clf2\n1.0,0.5\n0.25,0.75\n", "no column of datasets among clf1, clf2"),
        (",A,B\n0,0.9,0.8\n1,0.7,0.6\n", "no column of datasets"),
        ("Accuracy,A,B\nBeef,0.9,0.8\n", "no column of datasets"),
        ("method,Beef,Car\nA,0.9,0.8\nB,0.7,0.6\n", "no column of datasets"),
        ("dataset,problem,A\nBeef,Beef,0.9\n", "2 columns of datasets"),
        ("dataset,method,score\nBeef,A,0.9\n", "no column of accuracies beside 'method'"),
        ("dataset,model,classifier,acc\nBeef,A,B,0.9\n", "two columns of methods, 'model' and 'classifier'"),
        ("dataset,method,accuracy,test_acc\nBeef,A,0.9,0.8\n", "two columns of accuracies"),
        ("dataset,network,accuracy\nBeef,A,0.9\nBeef,B,0.8\n", "the column 'accuracy' beside 'network'"),
        ("dataset,accuracy,A\nBeef,0.9,0.8\n", "the column 'accuracy' beside 'A'"),
        ("dataset,A_std,B_stdev\nBeef,0.01,0.02\n", "no column of accuracies among"),
        ("dataset,mean,std\nBeef,0.9,0.1\n", "no column of accuracies among"),
        ("dataset,ROCKET_0,ROCKET_1,ROCKET_2\nBeef,0.9,0.8,0.7\n", "'ROCKET' with the numbers 0 to 2 may be its runs"),
        ("dataset,LITETime-1,LITETime-2\nBeef,0.9,0.8\n", "'LITETime' with the numbers 1 to 2 may be its runs"),
        ("dataset,0,1,A\nBeef,0.9,0.8,0.7\n", "the column '0' has only a number, beside 'A'"),
        ("dataset,A_fold0,A_seed0\nBeef,0.9,0.8\n", "runs of several kinds"),
        ("dataset,Inception,Inception Time\nBeef,0.9,0.8\n", "'Inception Time' has the name of a count or a time"),
        ("dataset,A,\nBeef,0.9,0.8\n", "column 3 has no name"),
        ("dataset,method,accuracy,split\nBeef,A,0.9,test\nBeef,A,1.0,train\n", "line 3: a second result of A on Beef"),
        ("dataset,resample,A\nBeef,first,0.9\n", "the resample 'first' is no whole number"),
        ("dataset,A\nBeef,1_0\n", "line 2: '1_0' is no number"),
        ("dataset,A\nBeef,０.９\n", "is no number"),
        ("dataset,A\nBeef,68.4(7.1)\n", "is no number"),
        ("dataset;A\nBeef;0,9\n", "is no number"),
        ("dataset,A\nAverage,0.9\n", "no line of a dataset"),
    ],
)  # fmt: skip
def test_what_is_unsure_is_refused(tmp_path, text, words):
    with pytest.raises(SsdBenchError, match=words.replace("(", r"\(")):
        read_files(write(tmp_path / "t.csv", text), set())


@pytest.mark.parametrize("name", ["ResNet_rmse.csv", "results-uea-std.csv", "HC2_AUROC.csv", "all_ranks.csv"])
def test_a_file_of_another_measure_is_refused_by_its_name(tmp_path, name):
    with pytest.raises(SsdBenchError, match="not accuracies"):
        read_files(write(tmp_path / name, "dataset,A\nBeef,0.9\n"), set())


def test_warnings_name_what_was_not_read_once_for_a_file(tmp_path):
    text = "dataset,A,B,A_std\n" + "".join(f"D{k},0.{k}1,0.{k},0.01\n" for k in range(1, 8)) + "Average,0.5,0.4,0\n"
    found = compare([], externals=ExternalSources(files=(write(tmp_path / "t.csv", text),)))
    assert sum("Not read from t.csv: columns A_std and lines Average." in text for text in found.warnings) == 1


def test_rounded_and_full_numbers_of_one_accuracy_are_a_tie_in_the_table(tmp_path):
    """149 of 150 test cases of BME, and a dataset that the catalogue does not know."""
    text = "dataset,A,B\nBME,0.9933333333333333,0.993333\nMine,0.8571428571428571,0.857143\nCar,0.9,0.916667\n"
    found = compare([], externals=ExternalSources(files=(write(tmp_path / "t.csv", text),)))
    assert found.contests.ties[0, 1] == 2
    assert found.scores[0].tolist() in ([0.9933333333333333, 0.993333], [0.993333, 0.9933333333333333])
    assert any("round(accuracy × n_test)" in note and "B (t)" in note and "A (t)" not in note for note in found.notes)


@pytest.mark.parametrize(("name", "dataset"), [("inception", "DodgerLoopDay"), ("resnet", "Fungi"), ("fcn", "DodgerLoopDay")])
def test_shipped_numbers_that_are_errors_of_their_source_are_warned_of(tmp_path, name, dataset):
    value = published([name])[0].scores[dataset]
    assert value < 0.2 and published(["litetime"])[0].scores[dataset] > 0.5
    rows = [f"{other},0.5\n" for other in ("Beef", "Car", dataset)]
    path = write(tmp_path / "t.csv", "dataset,A\n" + "".join(rows))
    found = compare([], "complete", externals=ExternalSources((name,), (path,)))
    assert any(dataset in text and f"{name} (published)" in text for text in found.warnings)


def test_no_warning_of_such_numbers_where_they_are_not_used():
    found = compare([], externals=ExternalSources(("litetime", "rocket")))
    assert not any("Fungi" in text or "DodgerLoopDay" in text for text in found.warnings)
    assert np.isfinite(found.scores).all()


HEADINGS = ["A", "B", "FCN", "FCN_std", "0", "1", "itr0", "Resamples:", "", "accuracy", "acc_mean", "method", "time", "n", "A-1",
            "A-2", "id", "seed", "Inception", "Inception Time", "é", "X_fold0_acc", "-", "_", " 3", "#",
            "resample", "dataset"]  # fmt: skip
VALUES = ["GunPoint", "A", "", "nan", "1e400", "-", "1_0", "7", "0,5", "\x00", '"', "Average", "²", "½", "0.5e", "1e-99999999",
          "inf", "+.5", "train"]  # fmt: skip


def test_no_table_ends_in_a_traceback_or_a_score_that_it_does_not_have(tmp_path):
    rng, n_read = random.Random(0), 0
    for _ in range(2000):
        n = rng.randint(1, 4)
        rows = [["dataset", *rng.sample(HEADINGS, n)]]
        for k in range(rng.randint(1, 3)):
            rows.append([f"D{k}", *(rng.choice(VALUES) if rng.random() < 0.1 else f"0.{rng.randint(1, 9)}" for _ in range(n))])
        path = write(tmp_path / "t.csv", "\n".join(map(",".join, rows)))
        try:
            found = read_files(path, set(rng.sample(range(3), rng.randint(0, 2))))
        except SsdBenchError:
            continue
        n_read += 1
        assert all(0 <= score <= 1 for one in found for score in one.scores.values())
        assert len({one.label for one in found}) == len(found)
    assert n_read > 200
