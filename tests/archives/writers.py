"""Plain writers of every format, independent of the readers: series (n_channels, n_timepoints) as texts of numbers, and labels."""

import csv
import io

import numpy as np

FORMATS = ("ts", "tsv", "txt", "arff", "csv", "parquet", "npz")
ONE_CHANNEL = ("tsv", "txt")


def weka(label: str) -> str:
    """Quote a label as Weka's ``Utils.quote`` does."""
    if not any(sign in label for sign in "\n\r\t'\"\\% {},") and label not in ("", "?"):
        return label
    for sign, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ('"', '\\"'), ("%", "\\%")):
        label = label.replace(sign, escaped)
    return f"'{label}'"


def ts(X: list[list[list[str]]], labels: list[str] | None, classes: list[str] | None = None) -> str:
    """Write as aeon and sktime do: the declared labels with blanks between them; without labels, as sktime."""
    univariate, equal = len(X[0]) == 1, len({len(series[0]) for series in X}) == 1
    declared = "false" if labels is None else f"true {' '.join(classes or sorted(set(labels)))}"
    head = [f"@univariate {str(univariate).lower()}", f"@equalLength {str(equal).lower()}", f"@classLabel {declared}"]
    series = [":".join(",".join(channel) for channel in case) for case in X]
    lines = series if labels is None else [f"{text}:{label}" for text, label in zip(series, labels, strict=True)]
    return "\n".join([*head, "@data", *lines]) + "\n"


def arff(X: list[list[list[str]]], labels: list[str], end: str = "") -> str:
    """Write as Weka does; `end` follows the last channel of a relational value."""
    attributes = [f"@attribute t{step} numeric" for step in range(len(X[0][0]))]
    if len(X[0]) > 1:
        attributes = ["@attribute rel relational", *attributes, "@end rel"]
        cells = ["'" + "\\n".join(",".join(channel) for channel in case) + end + "'" for case in X]
    else:
        cells = [",".join(case[0]) for case in X]
    classes = ",".join(weka(label) for label in sorted(set(labels)))
    lines = [f"{text},{weka(label)}" for text, label in zip(cells, labels, strict=True)]
    return "\n".join(["@relation r", *attributes, f"@attribute class {{{classes}}}", "@data", *lines]) + "\n"


def separated(rows: list[list[str]], separator: str) -> str:
    """Write cells as Python's ``csv`` and pandas do."""
    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator="\n").writerows(rows)
    return file.getvalue()


def columns(n_channels: int, n_timepoints: int) -> list[str]:
    """Return the names of the columns of the wide form."""
    return [f"c{channel}_{step}" for channel in range(n_channels) for step in range(n_timepoints)]


def write(path, X: list[list[list[str]]], labels: list[str]) -> None:
    """Write series of equal length, given as texts, in the format of the path's extension."""
    form = path.suffix[1:]
    if form == "ts":
        text = ts(X, labels)
    elif form == "arff":
        text = arff(X, labels)
    elif form == "txt":
        text = "".join(f"{label} {' '.join(case[0])}\n" for case, label in zip(X, labels, strict=True))
    elif form == "tsv":
        text = separated([[label, *case[0]] for case, label in zip(X, labels, strict=True)], "\t")
    else:
        flat = [[value for channel in case for value in channel] for case in X]
        names = columns(len(X[0]), len(X[0][0]))
        if form == "npz":
            values = np.array(flat, dtype=np.float64).reshape(len(X), len(X[0]), -1)
            np.savez(path, X=values, y=np.array(labels, dtype=str))
            return
        if form == "parquet":
            import pyarrow as pa
            from pyarrow import parquet

            table = {"label": labels} | {name: [row[at] for row in flat] for at, name in enumerate(names)}
            parquet.write_table(pa.table(table), path)
            return
        text = separated([["label", *names], *([label, *row] for label, row in zip(labels, flat, strict=True))], ",")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
