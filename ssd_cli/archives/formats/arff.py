"""Weka's ``.arff`` as in the UEA archive: the class is the last attribute; several channels form one relational attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part
from ssd_cli.archives.labels import written
from ssd_cli.archives.text import malformed, numbers, shown, without_filling

HOLDS_SUBJECTS = False

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_LABEL = rf"{_QUOTED}|[^\s,'\"{{}}%]+"
"""A label as Weka writes it: in quotes if it contains a blank, a comma, a quote, a brace or a percent sign."""
_ATTRIBUTE = re.compile(rf"@attribute\s+(?:{_QUOTED}|\S+)\s+(.+)", re.IGNORECASE)
_CLASSES = re.compile(rf"\{{\s*(?:{_LABEL})\s*(?:,\s*(?:{_LABEL})\s*)*\}}")
_CASE = re.compile(rf"(.*),\s*({_LABEL})")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_EXPECTED = "Expected numeric values, then one class: {label,...}, with quotes around a label with blanks or signs."
_NUMERIC = ("numeric", "real", "integer")


@dataclass
class _ArffHeader:
    n_values: int = 0
    relational: bool = False
    labels: frozenset[str] = frozenset()


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part; short series are filled with ``?`` at the end, as in the archive. The error names the first malformed line."""
    X, y, n_channels = [], [], 0
    line = 0
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = enumerate(file, start=1)
        header = _read_header(path, lines)
        for line, text in lines:
            if not text.strip() or text.startswith("%"):
                continue
            channels, last = _split(path, line, text.strip(), header)
            n_channels = n_channels or len(channels)
            if len(channels) != n_channels:
                raise malformed(path, line, f"{len(channels)} channels", f"The cases before it have {n_channels}.")
            series = [numbers(path, line, channel.split(",")) for channel in channels]
            for index, values in enumerate(series, start=1):
                if len(values) != header.n_values:
                    expected = f"The header declares {header.n_values}."
                    raise malformed(path, line, f"channel {index} has {len(values)} values", expected)
            X.append(np.array(series))
            y.append(written(_unquoted(last), partial(malformed, path, line), missing_label))
            if y[-1] != missing_label and y[-1].lower() not in header.labels:
                expected = f"The header declares: {shown(' '.join(sorted(header.labels)))}."
                raise malformed(path, line, f"the label '{shown(y[-1])}' is not declared", expected)
    if not X:
        raise malformed(path, line, "no case follows @data")
    return Part(without_filling(X, equal_length, str(path)), np.array(y))


def _read_header(path: Path, lines: Iterator[tuple[int, str]]) -> _ArffHeader:
    header, inside, number_of_line = _ArffHeader(), False, 0
    for number_of_line, line in lines:
        text = line.strip()
        word = text.lower().split(None, 1)[0] if text else ""
        if not text or text.startswith("%") or word == "@relation":
            continue
        if word == "@data":
            if not header.labels or not header.n_values or inside:
                raise malformed(path, number_of_line, "the header declares no values or no classes")
            return header
        if word == "@end" and inside:
            inside = False
            continue
        match = _ATTRIBUTE.fullmatch(text)
        if match is None:
            raise malformed(
                path, number_of_line, f"'{shown(text)}' in the header", "Expected @attribute, a comment (%...) or @data."
            )
        kind = match[1].strip()
        if header.labels:
            raise malformed(path, number_of_line, "an attribute after the class", "Expected the class as the last attribute.")
        if kind.lower() == "relational" and not header.n_values:
            header.relational = inside = True
        elif kind.lower() in _NUMERIC and header.relational == inside:
            header.n_values += 1
        elif _CLASSES.fullmatch(kind) and not inside:
            header.labels = frozenset(_unquoted(text).lower() for text in re.findall(_LABEL, kind))
        else:
            raise malformed(path, number_of_line, f"the type '{shown(kind)}'", _EXPECTED)
    raise malformed(path, number_of_line, "the file ends before @data")


def _split(path: Path, line: int, text: str, header: _ArffHeader) -> tuple[list[str], str]:
    """Return the channels of a case and its label, as they are written."""
    match = _CASE.fullmatch(text)
    if match is None:
        raise malformed(
            path, line, "no label", "Expected values, then a label, with quotes around a label with blanks or signs: 'a b'."
        )
    values, last = match.groups()
    if not header.relational:
        return [values], last
    values = values.rstrip()
    if len(values) < 2 or values[0] != values[-1] or values[0] not in "'\"":
        raise malformed(path, line, "not a relational value", r"Expected '<channel>\n<channel>...',<label>.")
    # UEA's SpokenArabicDigits has a line break after the last channel too.
    return values[1:-1].removesuffix("\\n").split("\\n"), last


def _unquoted(text: str) -> str:
    """Return the text of a label, without the quotes and backslashes that Weka adds."""
    if text[0] not in "'\"":
        return text
    return re.sub(r"\\(.)", lambda match: _ESCAPED.get(match[1], match[1]), text[1:-1])
