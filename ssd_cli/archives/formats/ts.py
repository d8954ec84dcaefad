"""aeon's ``.ts``: a header of tags, then one case per line, channels and label separated by colons.

aeon's parser accepts a flag that is neither true nor false, a label that the header does not declare, ``inf`` and ``1_0`` as
numbers; from time-stamped data it drops signs and whole numbers; it names no line. A benchmark must not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Part, Series
from ssd_cli.archives.labels import written
from ssd_cli.archives.text import NUMBER, malformed, shown, whole_number, without_blank_end

HOLDS_SUBJECTS = False

_VALUE = re.compile(NUMBER, re.ASCII)
_CHANNEL = re.compile(f"{NUMBER}(?:,{NUMBER})*+", re.ASCII)
_FLAGS = ("timestamps", "missing", "univariate", "equallength", "targetlabel")
_SIZES = ("dimension", "dimensions", "serieslength")


@dataclass
class _TsHeader:
    flags: dict[str, bool]
    sizes: dict[str, int]
    words: list[str] = field(default_factory=list)
    """The words of the declared labels, in lower case; a label that contains blanks is several words."""
    unlabelled: bool = False


def read(path: Path, equal_length: bool | None = None, missing_label: str | None = None) -> Part:
    """Read a part as aeon's ``load_from_ts_file`` does; the header declares lengths, so `equal_length` has no effect.

    Labels that contain blanks are read as the writers of aeon and sktime write them. With `missing_label`, files and cases may lack
    labels.
    """
    X: list[Series] = []
    y = []
    # Surrogates carry bytes that are not UTF-8 up to the line that holds them; a decoding error would name no line.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = without_blank_end(enumerate(file, start=1))
        header, data_line = _read_header(path, lines, missing_label is not None)
        for line, text in lines:
            channels, label = _split(path, line, text, header, missing_label)
            series = np.array([list(map(float, channel.replace("?", "nan").split(","))) for channel in channels])
            if np.isinf(series).any():
                raise malformed(path, line, "a value is too large for a 64-bit number")
            _check_shape(path, line, header, series.shape, X[0].shape if X else None)
            X.append(series)
            y.append(label)
    if not X:
        raise malformed(path, data_line, "no case follows @data")
    _check_words(path, data_line, header, {label.lower() for label in y if label != missing_label})
    return Part(X, np.array(y))


def _read_header(path: Path, lines: Iterator[tuple[int, str]], may_lack_labels: bool) -> tuple[_TsHeader, int]:
    # What aeon assumes where a tag is absent.
    header = _TsHeader({"timestamps": False, "missing": False, "univariate": True, "equallength": True, "targetlabel": False}, {})
    seen: set[str] = set()
    line = 0
    for line, text in lines:
        words = text.split()
        if any("\udc80" <= character <= "\udcff" for character in text):
            raise malformed(path, line, "not UTF-8 text")
        if not words or words[0][0] in "#%":
            continue
        tag, values = words[0][1:].lower(), words[1:]
        if words[0][0] != "@":
            raise malformed(path, line, f"'{text.strip()[:40]}' in the header", "Expected a tag (@...), a comment (#...) or @data.")
        if tag == "data":
            if values:
                raise malformed(path, line, "text after @data", "Expected the first case on the next line.")
            header.unlabelled |= not header.words and "targetlabel" in seen  # as aeon writes a file without labels
            if not (header.words or (header.unlabelled and may_lack_labels)):
                raise malformed(path, line, "no classes are declared above @data", "Expected: @classLabel true <labels>.")
            return header, line
        if tag in seen and tag != "problemname":
            raise malformed(path, line, f"a second @{tag}")
        seen.add(tag)
        _read_tag(path, line, header, tag, values)
    raise malformed(path, line, "the file ends before @data")


def _read_tag(path: Path, line: int, header: _TsHeader, tag: str, values: list[str]) -> None:
    if tag in _FLAGS:
        flag = " ".join(values).lower()
        if flag not in ("true", "false"):
            raise malformed(path, line, f"@{tag} is '{shown(flag)}'", "Expected true or false.")
        header.flags[tag] = flag == "true"
        if header.flags["timestamps"]:
            raise malformed(path, line, "the values carry time stamps, which are not supported", "Expected plain values.")
        if header.flags["targetlabel"]:
            raise malformed(path, line, "this is a regression problem", "Expected @classLabel true <labels>.")
    elif tag in _SIZES:
        size = whole_number(values[0]) if len(values) == 1 else None
        if not size:
            raise malformed(path, line, f"@{tag} is '{shown(' '.join(values))}'", "Expected one positive whole number.")
        header.sizes["serieslength" if tag == "serieslength" else "dimensions"] = size
    elif tag == "classlabel":
        _read_classes(path, line, header, values)


def _read_classes(path: Path, line: int, header: _TsHeader, values: list[str]) -> None:
    header.unlabelled = [value.lower() for value in values] == ["false"]
    if header.unlabelled:
        return
    if len(values) < 2 or values[0].lower() != "true":
        raise malformed(path, line, "@classLabel declares no classes", "Expected: @classLabel true <labels>.")
    if any(":" in word for word in values[1:]):
        expected = "Colons separate channels and label; write the label without one, or use a .csv file."
        raise malformed(path, line, "a label contains a colon", expected)
    header.words = [word.lower() for word in values[1:]]


def _split(path: Path, line: int, text: str, header: _TsHeader, missing_label: str | None) -> tuple[list[str], str]:
    """Return the channels of a case, each a checked list of numbers, and its label."""
    *channels, label = text.strip().split(":")
    if header.unlabelled and label:  # the writers of aeon, and of sktime for several channels, end such a line with a colon
        channels, label = [*channels, label], ""
    if not channels:
        what = "no label" if label else "an empty line among the cases"
        raise malformed(path, line, what, "Expected <values of a channel>:...:<label>.")
    label = written(label, partial(malformed, path, line), missing_label)
    if label != missing_label:
        _check_declared(path, line, text, label.lower(), header)
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


def _check_declared(path: Path, line: int, text: str, label: str, header: _TsHeader) -> None:
    """Refuse a label whose words do not follow each other in the header, and one that may be cut off."""
    if not text.endswith("\n") and any(other != label and other.startswith(label) for other in header.words):
        # A file that was cut inside its last label ends with another label: 1 for 10.
        raise malformed(path, line, "the file ends inside a label", "Expected a line break after the last case.")
    if _place(label, header.words) is None:
        expected = f"@classLabel declares: {shown(' '.join(header.words))}."
        raise malformed(path, line, f"the label '{shown(label)}' is not declared", expected)


def _check_words(path: Path, line: int, header: _TsHeader, labels: set[str]) -> None:
    """Refuse labels that the header does not declare one after the other: its blanks do not tell where a label ends."""
    words = list(header.words)
    for label in sorted(labels, key=lambda label: (-len(label.split()), label)):
        place = _place(label, words)
        if place is None:
            raise malformed(
                path,
                line,
                f"the labels contain blanks, and @classLabel does not declare '{shown(label)}' beside them",
                "Expected all labels one after the other; write labels without blanks, or use a .csv file.",
            )
        if len(label.split()) > 1:
            del words[place : place + len(label.split())]


def _place(label: str, words: list[str]) -> int | None:
    """Return where the words of a label follow each other, or None."""
    parts = label.split()
    if len(parts) == 1:
        return words.index(label) if label in words else None
    places = range(len(words) - len(parts) + 1)
    return next((place for place in places if words[place : place + len(parts)] == parts), None)


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
