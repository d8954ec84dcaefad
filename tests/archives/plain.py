"""Plain readers of every format, which share no code with the package: what a well-formed file holds, without any check.

Each returns the series as lists of channels, and the labels as they are written, ``?`` where one is missing.
"""

import io
import re

import numpy as np


def value(text: str) -> float:
    text = text.strip()
    return np.nan if text in ("", "?") else float(text)


def label(text: str) -> str:
    text = text.strip()
    return "?" if text.lower() in ("", "nan") else text


def whole(texts: list[str]) -> list[str]:
    """Return labels as they are, but numbers without a decimal point if all are numbers and one has a point."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return texts
    return [str(int(number)) for number in numbers] if any("." in text for text in texts) else texts


def lines(content: bytes) -> list[str]:
    text = content.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    return text.rstrip().split("\n")


def after_data(content: bytes) -> tuple[list[str], list[str]]:
    """Split a file into its header and its cases."""
    every = lines(content)
    at = next(at for at, line in enumerate(every) if line.strip().lower() == "@data")
    return every[:at], every[at + 1 :]


def ts(content: bytes):
    head, cases = after_data(content)
    declared = [line.split()[1:2] for line in head if line.strip().lower().startswith("@classlabel")]
    labelled = bool(declared) and declared[-1][0].lower() == "true"
    X, y = [], []
    for case in cases:
        parts = case.strip().split(":")
        channels = parts[:-1] if labelled or not parts[-1] else parts
        y.append(label(parts[-1] if labelled else ""))
        X.append([[value(text) for text in channel.split(",")] for channel in channels])
    return X, y


def tokens(line: str) -> list[str]:
    """Split a line of Weka at the commas outside quotes; a backslash inside quotes protects the next character."""
    found, token, quote, at = [], "", "", 0
    while at < len(line):
        sign = line[at]
        if quote and sign == "\\" and at + 1 < len(line):
            at += 1
            token += {"n": "\n", "r": "\r", "t": "\t"}.get(line[at], line[at])
        elif quote:
            quote, token = ("", token) if sign == quote else (quote, token + sign)
        elif sign in "'\"":
            quote = sign
        elif sign == ",":
            found.append(token)
            token = ""
        elif not sign.isspace():
            token += sign
        at += 1
    return [*found, token]


def arff(content: bytes):
    head, cases = after_data(content)
    relational = any(line.strip().lower().endswith("relational") for line in head)
    X, y = [], []
    for case in cases:
        if case.strip() and not case.startswith("%"):
            *values, last = tokens(case)
            channels = [channel.split(",") for channel in values[0].removesuffix("\n").split("\n")] if relational else [values]
            X.append([[value(text) for text in channel] for channel in channels])
            y.append(label(last))
    return X, y


def txt(content: bytes):
    rows = [line.split(",") if "," in line else line.split() for line in lines(content)]
    return [[[value(text) for text in row[1:]]] for row in rows], whole([label(row[0]) for row in rows])


def cells(content: bytes, separator: str) -> list[list[str]]:
    """Split separated text into rows of cells; quotes protect separators and line ends, two of them are one."""
    text = content.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    rows, row, cell, quoted, at = [], [], "", False, 0
    while at < len(text):
        sign = text[at]
        if quoted and text[at : at + 2] == '""':
            cell, at = cell + '"', at + 1
        elif sign == '"' and (quoted or not cell):
            quoted = not quoted
        elif sign in (separator, "\n") and not quoted:
            row.append(cell)
            cell = ""
            if sign == "\n":
                rows.append(row)
                row = []
        else:
            cell += sign
        at += 1
    rows.append([*row, cell])
    while rows and len(rows[-1]) == 1 and not rows[-1][0].strip():
        rows.pop()
    return rows


def tsv(content: bytes):
    rows = cells(content, "\t")
    return [[[value(text) for text in row[1:]]] for row in rows], whole([label(row[0]) for row in rows])


def csv(content: bytes):
    head, *rows = cells(content, ",")
    return table([name.strip() for name in head], rows, whole)


def table(head: list[str], rows: list[list[str]], converted=list):
    """Read the wide form, or the long form with a column per channel; `converted` converts the labels."""
    labels = converted([label(row[head.index("label")]) if "label" in head else "?" for row in rows])
    names = [name for name in head if name not in ("label", "subject", "case", "step", "channel")]
    at = {name: head.index(name) for name in names}
    if "case" not in head:
        channels: dict[str, list[str]] = {}
        for name in names:
            channels.setdefault(re.sub(r"_?\d+$", "", name), []).append(name)
        return [[[value(row[at[name]]) for name in group] for group in channels.values()] for row in rows], labels
    cases: dict[str, dict[int, int]] = {}
    for index, row in enumerate(rows):
        cases.setdefault(row[head.index("case")].strip(), {})[int(row[head.index("step")])] = index
    order = [[steps[step] for step in sorted(steps)] for steps in cases.values()]
    X = [[[value(rows[index][at[name]]) for index in indices] for name in names] for indices in order]
    return X, [labels[min(indices)] for indices in order]


def npz(content: bytes):
    stored = np.load(io.BytesIO(content))
    X = stored["X"].reshape(len(stored["X"]), -1, stored["X"].shape[-1]).astype(float)
    return X.tolist(), [label(text) for text in stored["y"]]


def parquet(content: bytes):
    from pyarrow import parquet

    read = parquet.read_table(io.BytesIO(content)).to_pydict()
    rows = [["" if cell is None else str(cell) for cell in row] for row in zip(*read.values(), strict=True)]
    return table(list(read), rows)


READERS = {"ts": ts, "tsv": tsv, "txt": txt, "arff": arff, "csv": csv, "npz": npz, "parquet": parquet}
