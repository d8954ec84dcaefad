"""One dataset in every format, and malformed files of each."""

import codecs
import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest

from ssd_cli.archives import formats
from ssd_cli.archives.custom import add
from ssd_cli.archives.dataset import digest_of_parts
from ssd_cli.archives.har import knows_subjects
from ssd_cli.archives.load import load
from ssd_cli.archives.locate import folders
from ssd_cli.archives.read import read_part
from ssd_cli.errors import SsdBenchError

TABLES = [f"{extension} {form}" for extension in ("csv", "parquet") for form in ("wide", "long", "longest")]
FORMATS = ["ts", "tsv", "txt", "arff", "npz", *TABLES]


def _text(value: float, missing: str) -> str:
    return missing if np.isnan(value) else repr(float(value))


def _filled(part) -> np.ndarray:
    cube = np.full((part.n_cases, part.n_channels, part.lengths.max()), np.nan)
    for case, series in enumerate(part.X):
        cube[case, :, : series.shape[1]] = series
    return cube


def _ts(part, path: Path) -> None:
    unequal = len(set(part.lengths.tolist())) > 1
    labels = " ".join(np.unique(part.y))
    flags = f"@univariate {str(part.n_channels == 1).lower()}\n@equalLength {str(not unequal).lower()}\n"
    head = f"{flags}@classLabel true {labels}\n@data\n"
    lines = (":".join(",".join(_text(v, "?") for v in c) for c in s) + f":{y}\n" for s, y in zip(part.X, part.y, strict=True))
    path.write_text(head + "".join(lines))


def _tsv(part, path: Path) -> None:
    lines = ("\t".join([y, *(_text(v, "NaN") for v in s[0])]) + "\n" for s, y in zip(_filled(part), part.y, strict=True))
    path.write_text("".join(lines))


def _txt(part, path: Path) -> None:
    lines = (f"  {y} {' '.join(_text(v, 'NaN') for v in s[0])}\n" for s, y in zip(_filled(part), part.y, strict=True))
    path.write_text("".join(lines))


def _arff(part, path: Path) -> None:
    cube = _filled(part)
    values = "".join(f"@attribute att{step} numeric\n" for step in range(cube.shape[2]))
    if part.n_channels > 1:
        values = f"@attribute rel relational\n{values}@end rel\n"
    head = f"% a comment\n@relation Toy\n\n{values}@attribute class {{{','.join(np.unique(part.y))}}}\n@DATA\n"
    rows = [[",".join(_text(v, "?") for v in channel) for channel in series] for series in cube]
    quoted = [row[0] if len(row) == 1 else "'" + "\\n".join(row) + "'" for row in rows]
    path.write_text(head + "".join(f"{row},{y}\n" for row, y in zip(quoted, part.y, strict=True)))


def _npz(part, path: Path) -> None:
    groups = {} if part.groups is None else {"groups": part.groups}
    np.savez(
        path,
        X=np.nan_to_num(_filled(part), nan=7.0) if not part.missing else _filled(part),
        y=part.y,
        lengths=part.lengths,
        **groups,
    )


def _table(part, form: str) -> dict[str, list]:
    names = ["x", "y", "z", *(f"c{i}" for i in range(20))][: part.n_channels]
    subjects = part.groups if part.groups is not None else [None] * part.n_cases
    rows = []
    cube = _filled(part)
    for case, (series, label, subject) in enumerate(zip(part.X, part.y, subjects, strict=True)):
        if form == "wide":
            values = {f"{n}_{t}": cube[case, c, t] for c, n in enumerate(names) for t in range(cube.shape[2])}
            rows.append({"label": label, "subject": subject, **values})
        for step in range(series.shape[1] if form != "wide" else 0):
            key = {"case": f"no {case}", "step": step + 1, "label": label, "subject": subject}
            if form == "long":
                rows.append({**key, **dict(zip(names, series[:, step], strict=True))})
            else:
                rows += [{**key, "channel": n, "value": series[c, step]} for c, n in enumerate(names)]
    return {k: [row[k] for row in rows] for k in rows[0] if k != "subject" or part.groups is not None}


def _csv(form: str):
    def write(part, path: Path) -> None:
        table = _table(part, form)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            for row in zip(*table.values(), strict=True):
                writer.writerow(
                    "" if isinstance(v, float) and np.isnan(v) else repr(float(v)) if isinstance(v, float) else v for v in row
                )

    return write


def _parquet(form: str):
    def write(part, path: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(
            pa.table({k: [str(v) if isinstance(v, np.str_) else v for v in vs] for k, vs in _table(part, form).items()}), path
        )

    return write


WRITERS = {
    "ts": _ts,
    "tsv": _tsv,
    "txt": _txt,
    "arff": _arff,
    "npz": _npz,
    **{f"csv {form}": _csv(form) for form in ("wide", "long", "longest")},
    **{f"parquet {form}": _parquet(form) for form in ("wide", "long", "longest")},
}


def _write(dataset, form: str, root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    extension = form.split(maxsplit=1)[0]
    WRITERS[form](dataset.train, folder / f"{name}_TRAIN.{extension}")
    WRITERS[form](dataset.test, folder / f"{name}_TEST.{extension}")
    return root


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["ItalyPowerDemand", "PickupGestureWiimoteZ", "JapaneseVowels"])
def test_a_dataset_has_one_digest_in_every_format(name, form, tmp_path):
    if form in ("tsv", "txt") and name == "JapaneseVowels":
        pytest.skip("these files have one channel")
    dataset = load(name, download=False)
    if form in ("csv longest", "parquet longest") and name == "JapaneseVowels":
        pytest.skip("the same code as for one channel and a hundred thousand rows more")
    root = _write(dataset, form, tmp_path, name)
    assert load(name, [root], download=False).digest == dataset.digest


@pytest.mark.parametrize("form", TABLES)
def test_channels_and_gaps_in_tables(form, tmp_path):
    from ssd_cli.archives.dataset import Part, make_dataset

    generator = np.random.default_rng(0)
    X = [generator.normal(size=(2, n)) for n in (4, 3, 4)]
    X[0][1, 1] = np.nan
    part = Part(X, np.array(["1", "2", "up"]), np.array([7, 7, 9]))
    dataset = make_dataset("Toy", part, part)
    read = load("Toy", [_write(dataset, form, tmp_path, "Toy")])
    assert read.digest == dataset.digest and read.train.groups.tolist() == [7, 7, 9]


CHANNELS = {
    "wide": ("label,acc_0,acc_1,gyro_0,gyro_1\na,1,2,3,4\nb,5,6,7,8\n", "label,gyro_0,gyro_1,acc_0,acc_1\na,3,4,1,2\nb,7,8,5,6\n"),
    "long": ("case,step,label,acc,gyro\n0,0,a,1,2\n1,0,b,3,4\n", "case,step,label,gyro,acc\n0,0,a,2,1\n1,0,b,4,3\n"),
    "longest": (
        "case,channel,step,label,value\n0,acc,0,a,1\n0,gyro,0,a,2\n1,acc,0,b,3\n1,gyro,0,b,4\n",
        "case,channel,step,label,value\n0,gyro,0,a,2\n0,acc,0,a,1\n1,acc,0,b,3\n1,gyro,0,b,4\n",
    ),
}


@pytest.mark.parametrize("form", CHANNELS)
@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_channels_are_matched_by_name(tmp_path, extension, form):
    for part, text in zip(("TRAIN", "TEST"), CHANNELS[form], strict=True):
        path = tmp_path / "Toy" / f"Toy_{part}.{extension}"
        path.parent.mkdir(exist_ok=True)
        if extension == "csv":
            path.write_text(text)
        else:
            pytest.importorskip("pandas").read_csv(io.StringIO(text)).to_parquet(path)
    for _ in ("from the files", "from the cache"):
        dataset = load("Toy", [tmp_path])
        assert np.array_equal(dataset.train.X, dataset.test.X)
        assert dataset.train.channels == dataset.test.channels == ("acc", "gyro")


def test_channels_of_other_names_are_refused(tmp_path):
    (tmp_path / "Toy").mkdir()
    (tmp_path / "Toy" / "Toy_TRAIN.csv").write_text(CHANNELS["long"][0])
    (tmp_path / "Toy" / "Toy_TEST.csv").write_text(CHANNELS["long"][1].replace("gyro", "mag"))
    with pytest.raises(SsdBenchError, match=r"Toy_TEST.csv and .*Toy_TRAIN.csv have different channels: 'mag' only .* 'gyro' only"):
        load("Toy", [tmp_path])


def test_a_single_channel_need_not_have_a_name(tmp_path):
    (tmp_path / "Toy").mkdir()
    (tmp_path / "Toy" / "Toy_TRAIN.csv").write_text("label,0,1\na,1,2\nb,3,4\n")
    (tmp_path / "Toy" / "Toy_TEST.csv").write_text("label,x_0,x_1\na,1,2\nb,3,4\n")
    assert load("Toy", [tmp_path]).train.channels == ()


@pytest.mark.parametrize(("extension", "text"), [("tsv", "1\t1\t2\n2\t3\t4\n\n \n"), ("csv", "label,0,1\n1,1,2\n2,3,4\n\n")])
def test_empty_lines_at_the_end_are_no_cases(tmp_path, extension, text):
    path = tmp_path / f"Toy_TRAIN.{extension}"
    path.write_text(text)
    assert np.array(read_part(path).X).tolist() == [[[1, 2]], [[3, 4]]]


@pytest.mark.parametrize("form", ["ts", "tsv", "arff", "csv wide"])
def test_a_byte_order_mark_changes_nothing(tmp_path, form):
    part = load("ItalyPowerDemand", download=False).train
    path = tmp_path / f"Toy_TRAIN.{form.split()[0]}"
    WRITERS[form](part, path)
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert digest_of_parts(read_part(path)) == digest_of_parts(part)


@pytest.mark.parametrize("names", [("00", "01"), ("_0", "_1"), ("x_01", "x_02")])
def test_steps_may_be_written_with_zeros_and_channels_without_a_name(tmp_path, names):
    path = tmp_path / "Toy_TRAIN.csv"
    path.write_text(f"label,{','.join(names)}\n1,1,2\n2,3,4\n")
    assert np.array(read_part(path).X).tolist() == [[[1, 2]], [[3, 4]]]


def test_values_missing_at_the_end_stay_if_the_archive_has_equal_lengths(tmp_path):
    path = tmp_path / "Toy_TRAIN.tsv"
    path.write_text("1\t1\t2\tNaN\n2\t3\tNaN\t4\n")
    assert [series.shape[1] for series in read_part(path).X] == [2, 3]
    assert [series.shape[1] for series in read_part(path, equal_length=True).X] == [3, 3]


def test_whole_numbers_are_labels_without_a_decimal_point(tmp_path):
    path = tmp_path / "Toy_TRAIN.npz"
    np.savez(path, X=np.zeros((2, 3)), y=np.array([1.0, -1.0]))
    assert read_part(path).y.tolist() == ["1", "-1"]


@pytest.mark.parametrize("form", ["wide", "long"])
def test_a_table_of_floats_has_the_same_labels_as_text_and_as_numbers(form, tmp_path):
    pd = pytest.importorskip("pandas")
    table = {"label": [2.0, 2.0, -1.0, -1.0], "0": [1.0, 2.0, 3.0, 4.0]}
    if form == "long":
        table = {"case": [0, 0, 1, 1], "step": [0, 1, 0, 1], "label": table["label"], "x": table["0"]}
    pd.DataFrame(table).to_csv(tmp_path / "Toy.csv", index=False)
    pd.DataFrame(table).to_parquet(tmp_path / "Toy.parquet")
    text, numbers = read_part(tmp_path / "Toy.csv"), read_part(tmp_path / "Toy.parquet")
    assert digest_of_parts(text) == digest_of_parts(numbers) and set(text.y.tolist()) == {"2", "-1"}


def test_labels_of_a_text_are_numbers_only_where_all_are(tmp_path):
    path = tmp_path / "Toy.csv"
    for labels, read in ((("1.0", "v2.0"), ["1.0", "v2.0"]), (("01", "2"), ["01", "2"]), (("1", "2."), ["1", "2"])):
        path.write_text(f"label,0\n{labels[0]},1\n{labels[1]},2\n")
        assert read_part(path).y.tolist() == read


ARFF = "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute class {1,2}\n@data\n1,2,1\n3,4,2\n"
WIDE = "label,0,1\n1,1,2\n2,3,4\n"
LONG = "case,step,label,x\na,0,1,1\na,1,1,2\nb,0,2,3\nb,1,2,4\n"
MALFORMED = [
    ("tsv", "1\t1\t2\n2\t3\n", "line 2: 1 values"),
    ("tsv", "1\t1\t2\n2\t3\tx\n", "line 2: a value is 'x'"),
    ("tsv", "1\t1\t2\n\t3\t4\n", "line 2: the label is ''"),
    ("tsv", "1,1,2\n", "line 1: no values"),
    ("tsv", "1\t1\tinf\n", "line 1: a value is 'inf'"),
    ("tsv", "1\t1\t1e999\n", "line 1: a value is too large"),
    ("tsv", "1\tNaN\tNaN\n", "case 0: the series has no value"),
    ("tsv", "", "no case"),
    ("arff", ARFF.replace("3,4,2", "3,2"), "line 7: channel 1 has 1 values"),
    ("arff", ARFF.replace("3,4,2", "3,4,3"), "line 7: the label '3' is not declared"),
    ("arff", ARFF.replace("a numeric", "a date"), "line 2: the type 'date'"),
    ("arff", ARFF.replace("@data\n", ""), "line 5: '1,2,1' in the header"),
    ("arff", ARFF.replace("@attribute class {1,2}\n", ""), "line 4: the header declares no values or no classes"),
    ("arff", ARFF.replace("1,2,1", "'1,2,1"), "line 6: a value is"),
    ("csv", WIDE.replace("2,3,4", "2,3"), "line 3: 2 cells"),
    ("csv", WIDE.replace("2,3,4", "\n2,3,4"), "line 3: an empty line among the cases"),
    ("tsv", "1\t1\t2\n\n2\t3\t4\n", "line 2: no values"),
    ("csv", WIDE.replace("2,3,4", "2,3,four"), "line 3: a value is 'four'"),
    ("csv", WIDE.replace("label,0,1", "label,0,2"), "line 1: the steps of"),
    ("csv", WIDE.replace("label,0,1", "class,0,1"), "line 1: the columns are"),
    ("csv", WIDE.replace("label,0,1", "label,0,0"), "line 1: the column '0' occurs twice"),
    ("csv", WIDE.replace("\n2,", '\n"2,'), "not comma-separated"),
    ("csv", WIDE.replace("\n2,", "\n2.5,"), "line 3: the label is 2.5"),
    ("csv", "class,0,1\nwalk,1,2\nrun,3,4\n", "line 1: the columns are class,0,1"),
    ("csv", "step,label,0,1\n0,walk,1,2\n", "line 1: the columns are step,label,0,1"),
    ("csv", "label,0,one\nwalk,1,2\n", "line 1: the column 'one' does not name a step"),
    ("tsv", "label\t0\t1\n1\t1\t2\n", "line 1: a header of column names"),
    ("txt", "1 1 2\n2 3\n", "line 2: 1 values"),
    ("txt", "1,1,2\n2 3,4\n", "line 2: 1 values"),
    ("txt", "1 1 2\n\n2 3 4\n", "line 2: no values"),
    ("txt", "1 1 two\n", "line 1: a value is 'two'"),
    ("txt", "", "no case"),
    ("arff", ARFF.replace("1,2,1", "1,2,1 % first"), "line 6: no label"),
    ("arff", ARFF.replace("{1,2}", "{walk fast,2}"), "line 4: the type"),
    ("arff", ARFF.replace("1,2,1", "1,,1"), "line 6: a value is ''"),
    ("csv", "label,0,1\n", "no case"),
    ("csv", WIDE.replace(",", ";"), "line 1: semicolons or tabs separate the cells"),
    ("csv", LONG.replace("b,1,2", "b,2,2"), "case 'b': its steps"),
    ("csv", LONG.replace("b,1,2", "b,0,2"), "line 5: step 0 of case 'b' occurs twice"),
    ("csv", LONG.replace("b,1,2", "b,1,1"), "line 5: the label differs"),
    ("csv", LONG.replace("b,1,2", "b,one,2"), "line 5: the step is 'one'"),
    ("csv", LONG.replace("b,1,2", f"b,{'9' * 5000},2"), "line 5: the step is '9"),
    ("csv", WIDE.replace("label,0,1", f"label,0,{'9' * 5000}"), "line 1: the column '9"),
    ("csv", "label,subject,0\n1,9223372036854775808,1\n", "line 2: the subject is '9223372036854775808'"),
    ("csv", "case,channel,step,label,value\na,x,0,1,1\na,x,1,1,2\na,y,0,1,3\n", "case 'a': channel 'y' has no step 1"),
    ("csv", LONG.replace("case,", ",case,").replace("\n", "\n0,", 4), "the column '' has no name"),
    ("csv", LONG.replace(",x", ",Unnamed: 0"), "the column 'Unnamed: 0' has no name"),
    ("csv", LONG.replace(",x", ",Subject"), "Did you mean 'subject'?"),
    ("csv", WIDE.replace("label", "Label"), "Did you mean 'label'?"),
    ("npz", "not a zip", "cannot be read"),
    ("parquet", "not parquet", "cannot be read"),
]


@pytest.mark.parametrize(("extension", "text", "piece"), MALFORMED)
def test_malformed_files_are_refused_with_the_place(tmp_path, extension, text, piece):
    path = tmp_path / f"Toy_TRAIN.{extension}"
    path.write_text(text)
    with pytest.raises(SsdBenchError) as caught:
        read_part(path)
    assert str(path) in caught.value.what and piece in caught.value.what


def test_the_index_of_pandas_is_no_channel_of_a_parquet_file(tmp_path):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"case": [0, 0, 1], "step": [0, 1, 0], "label": ["a", "a", "b"], "x": [1.0, 2.0, 3.0]}, index=[2, 0, 1])
    table.to_parquet(tmp_path / "Toy.parquet")
    with pytest.raises(SsdBenchError, match="the column '__index_level_0__' has no name"):
        read_part(tmp_path / "Toy.parquet")


@pytest.mark.parametrize(
    "arrays",
    [
        {"X": np.zeros((2, 3))},
        {"X": np.zeros((2, 3)), "y": np.array([1, 2, 3])},
        {"X": np.zeros((2, 3)), "y": np.array([1.5, 2])},
        {"X": np.zeros((2, 3)), "y": np.array([1, 2]), "lengths": np.array([0, 3])},
        {"X": np.zeros((2, 3)), "y": np.array([1, 2]), "lengths": np.array([4, 3])},
        {"X": np.zeros((2, 3)), "y": np.array([1, 2]), "groups": np.array([2**63, 3], dtype=np.uint64)},
        {"X": np.full((2, 3), np.inf), "y": np.array([1, 2])},
        {"X": np.array([["a"], ["b"]]), "y": np.array([1, 2])},
        {"X": np.array([{}, {}], dtype=object), "y": np.array([1, 2])},
    ],
)
def test_arrays_of_different_lengths_are_refused(tmp_path, arrays):
    path = tmp_path / "Toy_TRAIN.npz"
    np.savez(path, **arrays)
    with pytest.raises(SsdBenchError, match="Toy_TRAIN"):
        read_part(path)


def test_the_first_format_of_a_folder_is_read_and_one_part_of_it_refused(tmp_path, write_problem):
    root = write_problem()
    (root / "Toy" / "Toy_TRAIN.tsv").write_text("a\t9\t9\n")
    (root / "Toy" / "Toy_TEST.tsv").write_text("b\t9\t9\n")
    assert load("Toy", [root]).train.n_cases == 3
    (root / "Toy" / "Toy_TEST.ts").unlink()
    with pytest.raises(SsdBenchError, match=r"no Toy_TEST\.ts"):
        load("Toy", [root])


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A format ``.rows`` in one file: a label and values, separated by semicolons."""
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "rows.py").write_text(
        "import numpy as np\nfrom ssd_cli.archives.dataset import Part\nHOLDS_SUBJECTS = False\n"
        "def read(path, equal_length=None, missing_label=None):\n"
        "    rows = [line.split(';') for line in path.read_text().splitlines()]\n"
        "    return Part([np.array([row[1:]], dtype=float) for row in rows], np.array([row[0] for row in rows]))\n"
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path / "formats")])
    formats.extensions.cache_clear()
    yield
    formats.extensions.cache_clear()
    sys.modules.pop("ssd_cli.archives.formats.rows", None)


def test_a_new_format_is_one_file(planted, tmp_path):
    for part, text in (("train", "a;1;2\nb;3;4\n"), ("test", "b;5;6\n")):
        (tmp_path / f"{part}.rows").write_text(text)
    add("Toy", tmp_path / "train.rows", tmp_path / "test.rows", None, tmp_path / "data")
    dataset = load("Toy", [tmp_path / "data"], download=False)
    assert np.stack(dataset.train.X).tolist() == [[[1, 2]], [[3, 4]]] and dataset.classes == ("a", "b")
    assert "Toy" in folders([tmp_path / "data"]) and not knows_subjects("Toy", [tmp_path / "data"])
    (tmp_path / "X.xyz").write_text("")
    for use in (
        lambda: read_part(tmp_path / "X.xyz"),
        lambda: add("Other", tmp_path / "X.xyz", tmp_path / "X.xyz", None, tmp_path / "data"),
        lambda: load("Nowhere", [tmp_path / "data"], download=False),
    ):
        with pytest.raises(SsdBenchError) as caught:
            use()
        assert ".rows" in caught.value.expected


def test_the_formats_and_their_order():
    assert formats.extensions() == (".ts", ".tsv", ".arff", ".npz", ".parquet", ".csv", ".txt")
