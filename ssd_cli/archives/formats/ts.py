"""aeon's ``.ts``: a header of tags, then one case per line, channels and label separated by colons.

aeon's parser accepts a flag that is neither true nor false, a label that the header does not declare, ``inf`` and ``1_0`` as
numbers; from time-stamped data it drops signs and whole numbers; it names no line. A benchmark must not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part, Series
from ssd_cli.archives.text import NUMBER, malformed, shown, without_blank_end

HOLDS_SUBJECTS = False

_VALUE = re.compile(NUMBER, re.ASCII)
_CHANNEL = re.compile(f"{NUMBER}(?:,{NUMBER})*+", re.ASCII)
_FLAGS = ("timestamps", "missing", "univariate", "equallength", "targetlabel")
_SIZES = ("dimension", "dimensions", "serieslength")


@dataclass
class _TsHeader:
    flags: dict[str, bool]
    sizes: dict[str, int]
    labels: frozenset[str] = frozenset()


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part as aeon's ``load_from_ts_file`` does; the header declares lengths and labels, so the options have no effect."""
    X: list[Series] = []
    y = []
    # Surrogates carry bytes that are not UTF-8 up to the line that holds them; a decoding error would name no line.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = without_blank_end(enumerate(file, start=1))
        header, data_line = _read_header(path, lines)
        for line, text in lines:
            channels, label = _split(path, line, text, header)
            series = np.array([list(map(float, channel.replace("?", "nan").split(","))) for channel in channels])
            if np.isinf(series).any():
                raise malformed(path, line, "a value is too large for a 64-bit number")
            _check_shape(path, line, header, series.shape, X[0].shape if X else None)
            X.append(series)
            y.append(label)
    if not X:
        raise malformed(path, data_line, "no case follows @data")
    return Part(X, np.array(y))


def _read_header(path: Path, lines: Iterator[tuple[int, str]]) -> tuple[_TsHeader, int]:
    # What aeon assumes where a tag is absent.
    header = _TsHeader({"timestamps": False, "missing": False, "univariate": True, "equallength": True, "targetlabel": False}, {})
    seen: set[str] = set()
    line = 0
    for line, text in lines:
        words = text.lower().split()
        if any("\udc80" <= character <= "\udcff" for character in text):
            raise malformed(path, line, "not UTF-8 text")
        if not words or words[0][0] in "#%":
            continue
        tag, values = words[0][1:], words[1:]
        if words[0][0] != "@":
            raise malformed(path, line, f"'{text.strip()[:40]}' in the header", "Expected a tag (@...), a comment (#...) or @data.")
        if tag == "data":
            if values:
                raise malformed(path, line, "text after @data", "Expected the first case on the next line.")
            if not header.labels:
                raise malformed(path, line, "no classes are declared above @data", "Expected: @classLabel true <labels>.")
            return header, line
        if tag in seen and tag != "problemname":
            raise malformed(path, line, f"a second @{tag}")
        seen.add(tag)
        _read_tag(path, line, header, tag, values)
    raise malformed(path, line, "the file ends before @data")


def _read_tag(path: Path, line: int, header: _TsHeader, tag: str, values: list[str]) -> None:
    if tag in _FLAGS:
        if values not in (["true"], ["false"]):
            raise malformed(path, line, f"@{tag} is '{' '.join(values)}'", "Expected true or false.")
        header.flags[tag] = values == ["true"]
        if header.flags["timestamps"]:
            raise malformed(path, line, "the values carry time stamps, which are not supported", "Expected plain values.")
        if header.flags["targetlabel"]:
            raise malformed(path, line, "this is a regression problem", "Expected @classLabel true <labels>.")
    elif tag in _SIZES:
        if len(values) != 1 or not values[0].isdecimal() or int(values[0]) < 1:
            raise malformed(path, line, f"@{tag} is '{' '.join(values)}'", "Expected one positive whole number.")
        header.sizes["serieslength" if tag == "serieslength" else "dimensions"] = int(values[0])
    elif tag == "classlabel":
        if values[:1] != ["true"] or len(values) < 2:
            raise malformed(path, line, "@classLabel declares no classes", "Expected: @classLabel true <labels>.")
        header.labels = frozenset(values[1:])


def _split(path: Path, line: int, text: str, header: _TsHeader) -> tuple[list[str], str]:
    """Return the channels of a case, each a checked list of numbers, and its label."""
    *channels, label = text.strip().split(":")
    if not channels:
        what = "no label" if label else "an empty line among the cases"
        raise malformed(path, line, what, "Expected <values of a channel>:...:<label>.")
    label = label.strip().lower()
    if not text.endswith("\n") and any(other != label and other.startswith(label) for other in header.labels):
        # A file that was cut inside its last label ends with another label: 1 for 10.
        raise malformed(path, line, "the file ends inside a label", "Expected a line break after the last case.")
    if label not in header.labels:
        expected = f"@classLabel declares: {' '.join(sorted(header.labels)[:20])}."
        raise malformed(path, line, f"the label '{shown(label)}' is not declared", expected)
    if header.flags["univariate"] and len(channels) > 1:
        raise malformed(path, line, f"{len(channels)} channels", "@univariate is true or absent.")
    n_timepoints = channels[0].count(",") + 1
    for index, channel in enumerate(channels, start=1):
        if not _CHANNEL.fullmatch(channel):
            at, token = next((at, token) for at, token in enumerate(channel.split(","), 1) if not _VALUE.fullmatch(token))
            what = f"value {at} of channel {index} is '{shown(token)}'"
            raise malformed(path, line, what, "Expected a number, or ? or NaN where it is missing.")
        if channel.count(",") + 1 != n_timepoints:
            what = f"channel {index} has {channel.count(',') + 1} values, channel 1 has {n_timepoints}"
            raise malformed(path, line, what, "All channels of a case must be equally long.")
    return channels, label


def _check_shape(path: Path, line: int, header: _TsHeader, shape: tuple[int, ...], first: tuple[int, ...] | None) -> None:
    """Compare the shape (n_channels, n_timepoints) of a case with that of the first case, or the first with the header."""
    n_channels, n_timepoints = shape
    equal, sizes = header.flags["equallength"], header.sizes
    if first is None:
        expected = sizes.get("dimensions", n_channels), sizes.get("serieslength", n_timepoints)
        declared = f"The header declares {expected[0]}.", f"The header declares @seriesLength {expected[1]}."
    else:
        expected = first[0], first[1]
        declared = f"The cases before it have {first[0]}.", f"@equalLength is true and the cases before it have {first[1]}."
    if n_channels != expected[0]:
        raise malformed(path, line, f"{n_channels} channels", declared[0])
    if equal and n_timepoints != expected[1]:
        raise malformed(path, line, f"{n_timepoints} values a channel", declared[1])
