"""Labels are read as their writers write them, alike in every format; what may be another class is refused."""

import numpy as np
import pytest

from ssd_cli.archives.custom import add
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import DatasetFiles
from ssd_cli.archives.read import read_part, read_source
from ssd_cli.errors import SsdBenchError

from . import writers
from .writers import FORMATS


def series(n_cases: int, n_channels: int = 1) -> list[list[list[str]]]:
    return [[[f"{case}.5", f"-{channel}e-1", "3"] for channel in range(n_channels)] for case in range(n_cases)]


def part(tmp_path, form: str, labels: list[str], name: str = "Toy", n_channels: int = 1):
    path = tmp_path / f"{name}.{form}"
    writers.write(path, series(len(labels), n_channels), labels)
    return path


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("pair", ["Mm", ("Walk", "WALK"), ("é", "É"), ("1.0", "1"), ("-3", "-3.00")])
def test_two_spellings_of_one_class_are_refused(tmp_path, form, pair):
    first, second = pair
    difference = "case" if first.lower() == second.lower() else "a decimal point"
    path = part(tmp_path, form, [first, "z", second])
    with pytest.raises(SsdBenchError, match=rf"Toy\.\w+, case 2: the label .* earlier label .* by {difference} only"):
        read_part(path)
    paths = [part(tmp_path, form, [label, "z"], name) for label, name in zip(pair, ("A", "B"), strict=True)]
    with pytest.raises(SsdBenchError, match=rf"B\.\w+, case 0: the label .* of .*A\.\w+ by {difference} only"):
        read_source("Toy", DatasetFiles(*paths))
    assert read_part(paths[0]).y.tolist() == [first.lower(), "z"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("missing", ["?", "NaN", "nan", "NAN", ""])
def test_a_missing_label_is_no_class(tmp_path, form, missing):
    if form == "txt" and not missing:
        pytest.skip("blanks separate the cells")
    path = part(tmp_path, form, ["walk", missing, "sit"])
    with pytest.raises(SsdBenchError, match=rf"Toy\.\w+, (line|case) \d+: the label is '{missing.replace('?', '[?]')}'"):
        read_part(path)
    assert read_part(path, missing_label="?").y.tolist() == ["walk", "?", "sit"]


def test_missing_labels_of_numbers_and_tables(tmp_path):
    pd = pytest.importorskip("pandas")
    np.savez(tmp_path / "a.npz", X=np.ones((3, 2)), y=np.array([1.0, np.nan, 2.0]))
    pd.DataFrame({"label": [1.0, None, 2.0], "0": 1.0}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"label": [1.0, None, 2.0], "0": 1.0}).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame({"label": ["a", None, "b"], "0": 1.0}).to_parquet(tmp_path / "b.parquet")
    long = pd.DataFrame({"case": [0, 0, 1, 1], "step": [0, 1, 0, 1], "label": [1.0, 1.0, None, None], "x": 1.0})
    long.to_parquet(tmp_path / "c.parquet")
    for path in tmp_path.iterdir():
        with pytest.raises(SsdBenchError, match="the label is ''"):
            read_part(path)
        assert read_part(path, missing_label="?").y.tolist()[1] == "?"


LABELS = {
    "blanks": ["walk fast", "run", "walk"],
    "several blanks": ["sit down now", "sit", "down", "stand up"],
    "quotes": ["it's", 'say "hi"', "'both\"", "none"],
    "commas": ["a,b", "a", "b"],
    "backslashes": ["a\\b", "\\n", "c\\", "n"],
    "signs": ["50%", "{x}", "#1", "@home", "a;b", "a=b"],
    "other scripts": ["gehen", "läuft", "走る", "бег"],
    "words of tables": ["label", "0", "true", "class"],
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_labels_are_read_as_they_were_written(tmp_path, form, kind, n_channels):
    if form in writers.ONE_CHANNEL and n_channels > 1:
        pytest.skip("these files have one channel")
    labels = LABELS[kind]
    path = part(tmp_path, form, labels, n_channels=n_channels)
    if form == "txt" and any(sign in label for label in labels for sign in " ,"):
        with pytest.raises(SsdBenchError, match=r"line \d: (a value is|\d values)"):
            read_part(path)
        return
    read = read_part(path)
    assert read.y.tolist() == labels
    np.testing.assert_array_equal(read.X, np.array(series(len(labels), n_channels), dtype=float))


@pytest.mark.parametrize("labels", [["walk fast", "run"], ["it's", 'a "b"'], ["a,b", "c\\d"], ["1", "2"]])
@pytest.mark.parametrize("library", ["aeon", "sktime"])
def test_the_writers_of_aeon_and_sktime(tmp_path, labels, library):
    X = np.arange(12.0).reshape(2, 2, 3)
    if library == "aeon":
        from aeon.datasets import save_to_ts_file

        save_to_ts_file(X, np.array(labels), label_type="classification", path=str(tmp_path), problem_name="Toy")
        save_to_ts_file(X, path=str(tmp_path), problem_name="Bare")
        paths = [tmp_path / "Toy.ts", tmp_path / "Bare.ts"]
    else:
        from sktime.datasets import write_ndarray_to_tsfile

        common = {"equal_length": True, "series_length": 3}
        write_ndarray_to_tsfile(X, tmp_path, "Toy", class_value_list=np.array(labels), **common)
        write_ndarray_to_tsfile(X, tmp_path, "Bare", **common)
        write_ndarray_to_tsfile(X[:, :1], tmp_path, "One", **common)
        assert np.array_equal(read_part(tmp_path / "One" / "One.ts", missing_label="?").X, X[:, :1])
        write_ndarray_to_tsfile(X, tmp_path, "New", class_label=labels, **common)
        assert read_part(tmp_path / "New" / "New.ts", missing_label="?").y.tolist() == ["?", "?"]
        paths = [tmp_path / "Toy" / "Toy.ts", tmp_path / "Bare" / "Bare.ts"]
    assert np.array_equal(read_part(paths[0]).X, X) and read_part(paths[0]).y.tolist() == labels
    with pytest.raises(SsdBenchError, match="no classes are declared"):
        read_part(paths[1])
    bare = read_part(paths[1], missing_label="?")
    assert np.array_equal(bare.X, X) and bare.y.tolist() == ["?", "?"]


@pytest.mark.parametrize(
    ("declared", "labels", "piece"),
    [
        ("walk fast", ["walk fast", "walk"], "does not declare 'walk' beside them"),
        ("a b c", ["a b", "b c"], "does not declare 'b c' beside them"),
        ("walk run", ["walk slow", "run"], "the label 'walk slow' is not declared"),
        ("fast walk run", ["walk fast", "run"], "the label 'walk fast' is not declared"),
        ("1 2 3", ["1 2", "2"], "does not declare '2' beside them"),
    ],
)
def test_words_of_labels_must_be_declared_one_after_the_other(tmp_path, declared, labels, piece):
    path = tmp_path / "Toy.ts"
    path.write_text(writers.ts(series(len(labels)), labels, declared.split()))
    with pytest.raises(SsdBenchError, match=piece):
        read_part(path)


@pytest.mark.parametrize("label", ["a b", "a,b", "it's", 'say "x', "{a}", "5%"])
def test_labels_of_arff_without_their_quotes_are_refused(tmp_path, label):
    path = tmp_path / "Toy.arff"
    path.write_text(f"@relation r\n@attribute t0 numeric\n@attribute class {{'x y',z}}\n@data\n1,{label}\n")
    with pytest.raises(SsdBenchError, match=r"line 5: .*") as caught:
        read_part(path)
    assert "quotes" in caught.value.expected or "number" in caught.value.expected


@pytest.mark.parametrize("quoted", ["'x y'", '"x y"', "'x\\ y'"])
def test_quotes_and_escapes_of_weka(tmp_path, quoted):
    path = tmp_path / "Toy.arff"
    path.write_text(f"@relation r\n@attribute 't 0' numeric\n@attribute class {{{quoted}, z}}\n@data\n1, {quoted}\n2,z\n")
    assert read_part(path).y.tolist() == ["x y", "z"]


@pytest.mark.parametrize("n_channels", [2, 3, 5])
@pytest.mark.parametrize("quote", "'\"")
def test_a_line_break_after_the_last_channel_is_none(tmp_path, n_channels, quote):
    path = tmp_path / "Toy.arff"
    path.write_text(writers.arff(series(3, n_channels), ["a", "b", "c"], end="\\n").replace("'", quote))
    np.testing.assert_array_equal(read_part(path).X, np.array(series(3, n_channels), dtype=float))
    path.write_text(writers.arff(series(3, n_channels), ["a", "b", "c"], end="\\n\\n").replace("'", quote))
    with pytest.raises(SsdBenchError, match="line"):
        read_part(path)


@pytest.mark.parametrize("form", FORMATS)
def test_a_dataset_with_any_labels_is_added_and_loaded(tmp_path, form):
    labels = ["It's", "50%", "läuft"]
    paths = [part(tmp_path, form, labels, name) for name in ("a", "b")]
    add("Toy", *paths, None, tmp_path / "data")
    for _ in ("from the files", "from the cache"):
        assert load("Toy", [tmp_path / "data"]).classes == ("50%", "it's", "läuft")
