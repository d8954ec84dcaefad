"""Tables with named columns (``.csv``, ``.parquet``), in wide or long form, recognised by the names of the columns.

wide        label, [subject], then one column per step: ``0, 1, 2, ...`` or, for several channels, ``x_0, x_1, ..., y_0, y_1, ...``
long        case, step, label, [subject], then one column per channel; one row per step
long        case, channel, step, label, value, [subject]; one row per value

Steps count from 0 or from 1. An empty cell is a missing value. Only the wide form fills short series.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ssd_cli.archives.dataset import Groups, Part, Series
from ssd_cli.archives.labels import written
from ssd_cli.archives.text import MOST, malformed, shown, whole_number, without_filling
from ssd_cli.errors import SsdBenchError

TEXTS = ("label", "subject", "case", "step", "channel")
_STEP = re.compile(r"(?:(.*)_)?(\d{1,9})", re.ASCII)
_INDEX = re.compile(r"|__index_level_\d+__|Unnamed: \d+", re.ASCII)
EXPECTED = (
    "Expected label and one column per step (0, 1, ... or x_0, x_1, ..., y_0, ...), or case, step, label and one column per "
    "channel, or case, channel, step, label, value."
)


@dataclass(frozen=True)
class Table:
    """A table in memory.

    `first_line` is the line (csv) or row (parquet) of the first record; `texts` holds the columns of `TEXTS`, `values`
    (n_rows, n_columns) those of `columns`.
    """

    path: Path
    first_line: int
    texts: dict[str, Sequence[object]]
    columns: list[str]
    values: np.ndarray

    def wrong(self, row: int, what: str, expected: str = "") -> SsdBenchError:
        """Return the error for a mistake in a row, counted from 0; -1 is the header."""
        return malformed(self.path, self.first_line + row, what, expected)


def check_columns(path: Path, line: int, header: list[str], missing_label: str | None) -> None:
    """Refuse columns, which stand on a line of a file, that are none of the forms; see `ssd_cli.archives.read.read_part`."""
    _refuse_strays(path, header)
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise malformed(path, line, f"the column '{shown(twice[0])}' occurs twice")
    values = [name for name in header if name not in TEXTS]
    long = "case" in header
    if (
        not values
        or ("label" not in header and missing_label is None)
        or long != ("step" in header)
        or ("channel" in header and not (long and values == ["value"]))
    ):
        raise malformed(path, line, f"the columns are {shown(','.join(header))}", EXPECTED)
    if not long and (strange := [name for name in values if not _STEP.fullmatch(name)]):
        raise malformed(path, line, f"the column '{shown(strange[0])}' does not name a step", EXPECTED)


def part_of(table: Table, equal_length: bool | None, missing_label: str | None) -> Part:
    """Convert a table, whose columns were checked, to a part; see `ssd_cli.archives.read.read_part`."""
    if not len(table.values):
        raise table.wrong(-1, "no case")
    given = table.texts.get("label", [None] * len(table.values))
    labels = [written(label, partial(table.wrong, row), missing_label) for row, label in enumerate(given)]
    table = replace(table, texts={**table.texts, "label": labels})
    return _long(table) if "case" in table.texts else _wide(table, equal_length)


def _refuse_strays(path: Path, header: list[str]) -> None:
    """Raise SsdBenchError for columns that cannot be channels, since the long form reads every unknown column as a channel."""
    for name in header:
        plain = name.strip().lower()
        if _INDEX.fullmatch(name.strip()):
            raise SsdBenchError(
                f"{path}: the column '{shown(name)}' has no name.",
                "It is the index that pandas writes, or a line ends with a comma.",
                "Write the file without it: table.to_csv(..., index=False) or table.to_parquet(..., index=False).",
            )
        if plain in TEXTS and name != plain:
            raise SsdBenchError(
                f"{path}: the column '{shown(name)}' is not known. Did you mean '{plain}'?",
                f"Expected {', '.join(TEXTS)} in lower case, or another name for a channel.",
                "Rename the column.",
            )


def _wide(table: Table, equal_length: bool | None) -> Part:
    channels: dict[str, list[int]] = {}
    places: dict[str, list[int]] = {}  # the columns of a channel need not be adjacent
    for place, name in enumerate(table.columns):
        match = _STEP.fullmatch(name)
        assert match is not None  # `check_columns` refuses other names
        channels.setdefault(match[1] or "", []).append(int(match[2]))
        places.setdefault(match[1] or "", []).append(place)
    steps = next(iter(channels.values()))
    for channel, found in channels.items():
        if found != list(range(found[0], found[0] + len(found))) or found[0] not in (0, 1) or found != steps:
            raise table.wrong(-1, f"the steps of the channel '{shown(channel)}' are not 0, 1, 2, ... or 1, 2, 3, ...", EXPECTED)
    cube = table.values[:, [place for found in places.values() for place in found]].reshape(
        len(table.values), len(channels), len(steps)
    )
    return Part(
        without_filling(list(cube), equal_length, str(table.path)),
        np.array(table.texts["label"]),
        _groups(table, range(len(cube))),
        _named(channels),
    )


def _long(table: Table) -> Part:
    """Read cases and channels in the order of their first row; every case must have all channels and all steps."""
    places: dict[object, dict[tuple[str, int], int]] = {}
    channels = dict.fromkeys(table.columns)
    if "channel" in table.texts:
        channels = dict.fromkeys(str(channel) for channel in table.texts["channel"])
    names = [str(channel) for channel in table.texts.get("channel", [""] * len(table.values))]
    steps = [_whole(table, row, "step", step) for row, step in enumerate(table.texts["step"])]
    for row, case in enumerate(table.texts["case"]):
        if case is None or (isinstance(case, float) and math.isnan(case)):
            raise table.wrong(row, "the case is missing", "Expected its number or name.")
        cells = places.setdefault(case, {})
        if (names[row], steps[row]) in cells:
            raise table.wrong(row, f"step {steps[row]} of case '{shown(str(case))}' occurs twice")
        cells[names[row], steps[row]] = row
    X, first_rows = [], []
    for case, cells in places.items():
        first_rows.append(min(cells.values()))
        X.append(_series(table, str(case), cells, list(channels)))
        for text in ("label", "subject"):
            for row in cells.values() if text in table.texts else ():
                if table.texts[text][row] != table.texts[text][first_rows[-1]]:
                    raise table.wrong(row, f"the {text} differs from that of earlier rows of case '{shown(str(case))}'")
    y = np.array([table.texts["label"][row] for row in first_rows])
    return Part(X, y, _groups(table, first_rows), _named(channels))


def _series(table: Table, case: str, cells: dict[tuple[str, int], int], channels: list[str]) -> Series:
    """Return one case (n_channels, n_timepoints) from the rows of its steps."""
    steps = sorted({step for _, step in cells})
    if steps[0] not in (0, 1) or steps[-1] - steps[0] + 1 != len(steps):
        raise SsdBenchError(
            f"{table.path}, case '{shown(case)}': its steps are not 0, 1, 2, ... or 1, 2, 3, ...",
            "Leave a cell empty where a value is missing.",
        )
    if "channel" not in table.texts:
        return np.ascontiguousarray(table.values[[cells["", step] for step in steps]].T)
    for channel in channels:
        for step in steps:
            if (channel, step) not in cells:
                raise SsdBenchError(
                    f"{table.path}, case '{shown(case)}': channel '{shown(channel)}' has no step {step}.",
                    "Expected all channels at every step; leave the cell empty where a value is missing.",
                )
    return np.array([[table.values[cells[channel, step], 0] for step in steps] for channel in channels])


def _named(channels: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the channels; a single channel may have none."""
    names = tuple(channels)
    return names if any(names) else ()


def _groups(table: Table, rows: Sequence[int] | range) -> Groups | None:
    if "subject" not in table.texts:
        return None
    return np.array([_whole(table, row, "subject", table.texts["subject"][row]) for row in rows], dtype=np.int64)


def _whole(table: Table, row: int, column: str, value: object) -> int:
    whole = value if isinstance(value, int) else whole_number(value) if isinstance(value, str) else None
    if whole is None or abs(whole) > MOST:
        raise table.wrong(row, f"the {column} is '{shown(str(value))}'", "Expected a whole number below 2^63.")
    return whole
