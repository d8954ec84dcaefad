"""A strict look at a ``.ts`` file before it is parsed: the first thing wrong is reported with its line.

aeon's parser is lenient where a benchmark must not be: it accepts a flag that is neither true nor false, a label that the header
does not declare, ``inf`` and ``1_0`` as numbers; from time-stamped data it drops signs and whole numbers; it names no line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ssd_cli.errors import SsdBenchError

_NUMBER = r"\s*(?:[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?|\?|[nN][aA][nN])\s*"
_VALUE = re.compile(_NUMBER, re.ASCII)
_CHANNEL = re.compile(f"{_NUMBER}(?:,{_NUMBER})*+", re.ASCII)
_FLAGS = ("timestamps", "missing", "univariate", "equallength", "targetlabel")
_SIZES = ("dimension", "dimensions", "serieslength")


@dataclass(frozen=True)
class Layout:
    """What a well-formed file holds.

    Parameters
    ----------
    data_line : int
        Line of ``@data`` (the first line is 1); case i, counted from 0, stands on line data_line + 1 + i.
    n_channels : int
    lengths : list of int
        Number of steps of every case.
    """

    data_line: int
    n_channels: int
    lengths: list[int]


@dataclass
class _Header:
    flags: dict[str, bool]
    sizes: dict[str, int]
    labels: frozenset[str] = frozenset()


def malformed(path: Path, line: int, what: str, expected: str = "") -> SsdBenchError:
    """The error for a file that cannot be trusted."""
    remedy = "Correct the line."
    if path.stem in (f"{path.parent.name}_TRAIN", f"{path.parent.name}_TEST"):  # as archives are laid out
        remedy = f"Correct the line, or remove {path.parent} and fetch the dataset again."
    return SsdBenchError(f"{path}, line {line}: {what}.", expected, remedy)


def without_blank_end(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Numbered lines without the blank ones that follow the last; blank lines before it stay."""
    blank: list[tuple[int, str]] = []
    for number, line in lines:
        blank.append((number, line))
        if line.strip():
            yield from blank
            blank.clear()


def scan(path: Path) -> Layout:
    """Check the whole text of a classification problem in aeon's ``.ts`` format.

    Parameters
    ----------
    path : Path
        The file, UTF-8; with or without a byte order mark, as Windows programs write.

    Returns
    -------
    Layout
        Number of cases, channels and steps that a parser must find.

    Raises
    ------
    SsdBenchError
        The first malformed line, by number.
    """
    # Surrogates carry bytes that are not UTF-8 up to the line that holds them; a decoding error would name no line.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = without_blank_end(enumerate(file, start=1))
        header, data_line = _scan_header(path, lines)
        lengths: list[int] = []
        n_channels = 0
        for number, line in lines:
            channels, n_timepoints = _scan_case(path, number, line, header)
            if not lengths:
                n_channels = channels
                _check_sizes(path, number, header, channels, n_timepoints)
            elif channels != n_channels:
                raise malformed(path, number, f"{channels} channels", f"The cases before it have {n_channels}.")
            elif header.flags["equallength"] and n_timepoints != lengths[0]:
                expected = f"@equalLength is true and the cases before it have {lengths[0]}."
                raise malformed(path, number, f"{n_timepoints} values a channel", expected)
            lengths.append(n_timepoints)
    if not lengths:
        raise malformed(path, data_line, "no case follows @data")
    return Layout(data_line, n_channels, lengths)


def _scan_header(path: Path, lines: Iterator[tuple[int, str]]) -> tuple[_Header, int]:
    # What aeon assumes where a tag is absent.
    header = _Header({"timestamps": False, "missing": False, "univariate": True, "equallength": True, "targetlabel": False}, {})
    seen: set[str] = set()
    number = 0
    for number, line in lines:
        words = line.lower().split()
        if not line.isascii() and not _is_utf8(line):
            raise malformed(path, number, "not UTF-8 text")
        if not words or words[0][0] in "#%":
            continue
        tag, values = words[0][1:], words[1:]
        if words[0][0] != "@":
            raise malformed(
                path, number, f"'{line.strip()[:40]}' in the header", "Expected a tag (@...), a comment (#...) or @data."
            )
        if tag == "data":
            if values:
                raise malformed(path, number, "text after @data", "Expected the first case on the next line.")
            if not header.labels:
                raise malformed(path, number, "no classes are declared above @data", "Expected: @classLabel true <labels>.")
            return header, number
        if tag in seen and tag != "problemname":
            raise malformed(path, number, f"a second @{tag}")
        seen.add(tag)
        _scan_tag(path, number, header, tag, values)
    raise malformed(path, number, "the file ends before @data")


def _scan_tag(path: Path, number: int, header: _Header, tag: str, values: list[str]) -> None:
    if tag in _FLAGS:
        if values not in (["true"], ["false"]):
            raise malformed(path, number, f"@{tag} is '{' '.join(values)}'", "Expected true or false.")
        header.flags[tag] = values == ["true"]
        if header.flags["timestamps"]:
            raise malformed(path, number, "the values carry time stamps, which are not supported", "Expected plain values.")
        if header.flags["targetlabel"]:
            raise malformed(path, number, "this is a regression problem", "Expected @classLabel true <labels>.")
    elif tag in _SIZES:
        if len(values) != 1 or not values[0].isdecimal() or int(values[0]) < 1:
            raise malformed(path, number, f"@{tag} is '{' '.join(values)}'", "Expected one positive whole number.")
        header.sizes["serieslength" if tag == "serieslength" else "dimensions"] = int(values[0])
    elif tag == "classlabel":
        if values[:1] != ["true"] or len(values) < 2:
            raise malformed(path, number, "@classLabel declares no classes", "Expected: @classLabel true <labels>.")
        header.labels = frozenset(values[1:])


def _scan_case(path: Path, number: int, line: str, header: _Header) -> tuple[int, int]:
    """Number of channels and of values a channel of one line of data."""
    *channels, label = line.strip().split(":")
    if not channels:
        what = "no label" if label else "an empty line among the cases"
        raise malformed(path, number, what, "Expected <values of a channel>:...:<label>.")
    label = label.strip().lower()
    if not line.endswith("\n") and any(other != label and other.startswith(label) for other in header.labels):
        # A file that was cut inside its last label ends with another label: 1 for 10.
        raise malformed(path, number, "the file ends inside a label", "Expected a line break after the last case.")
    if label not in header.labels:
        expected = f"@classLabel declares: {' '.join(sorted(header.labels)[:20])}."
        raise malformed(path, number, f"the label '{_shown(label)}' is not declared", expected)
    if header.flags["univariate"] and len(channels) > 1:
        raise malformed(path, number, f"{len(channels)} channels", "@univariate is true or absent.")
    n_timepoints = channels[0].count(",") + 1
    for index, channel in enumerate(channels, start=1):
        if not _CHANNEL.fullmatch(channel):
            at, token = next((at, token) for at, token in enumerate(channel.split(","), 1) if not _VALUE.fullmatch(token))
            what = f"value {at} of channel {index} is '{_shown(token)}'"
            raise malformed(path, number, what, "Expected a number, or ? or NaN where it is missing.")
        if channel.count(",") + 1 != n_timepoints:
            what = f"channel {index} has {channel.count(',') + 1} values, channel 1 has {n_timepoints}"
            raise malformed(path, number, what, "All channels of a case must be equally long.")
    return len(channels), n_timepoints


def _check_sizes(path: Path, number: int, header: _Header, n_channels: int, n_timepoints: int) -> None:
    """The first case against the sizes that the header declares."""
    if header.sizes.get("dimensions", n_channels) != n_channels:
        raise malformed(path, number, f"{n_channels} channels", f"The header declares {header.sizes['dimensions']}.")
    if header.flags["equallength"] and header.sizes.get("serieslength", n_timepoints) != n_timepoints:
        expected = f"The header declares @seriesLength {header.sizes['serieslength']}."
        raise malformed(path, number, f"{n_timepoints} values a channel", expected)


def _is_utf8(line: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in line)


def _shown(text: str) -> str:
    """A piece of the file that is safe to print."""
    return ascii(text.strip()[:40])[1:-1]
