"""Find the columns of a table of results by their names: in wide form a column per method, in long form a line per result."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ssd_cli.errors import SsdBenchError, shortened
from ssd_cli.leaderboard.external.names import (
    ACCURACY,
    ACCURACY_WORDS,
    COUNTS,
    DATASET,
    METHOD,
    NO_METHOD,
    NOT_TEST,
    OTHER_MEASURES,
    SPREAD,
    is_accuracy,
    is_one_of,
    run_word,
    words,
)

FORMS = (
    "Expected the line 'dataset,NAME OF A METHOD,NAME OF ANOTHER,…' and a line for every dataset, or the line "
    "'dataset,method,accuracy' and a line for every result."
)
_ENDS_WITH_NUMBER = re.compile(r"(.*?)([-_ #]*)(\d{1,4})", re.ASCII)
_ENDS_WITH_ACCURACY = re.compile(rf"(?:[-_ ]+(?:{'|'.join(ACCURACY_WORDS)}))+", re.IGNORECASE)
_ENDS_WITH_RUN = re.compile(r"(?:^|[-_ ]+)[A-Za-z]+$")
_UNNAMED = re.compile(r"|Unnamed: \d+", re.ASCII)


@dataclass(frozen=True)
class Accuracies:
    """A column of accuracies: its place, its method (empty: in another column, or that of the file), and its run."""

    place: int
    method: str = ""
    run: str = ""


@dataclass(frozen=True)
class Columns:
    """The places of the columns of a table; `axis` is the word of `RUN` for its first runs, empty without runs.

    The axis "resample" comes first; its numbers are those of tsml, 0 is the archive's own split.
    """

    dataset: int
    method: int | None
    runs: tuple[int, ...]
    accuracies: tuple[Accuracies, ...]
    axis: str
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """The first line of a table, its number, and the `rows` below it, for what names alone do not decide."""

    names: list[str]
    rows: list[list[str]]
    path: Path
    line: int

    def columns(self) -> Columns:
        """Find the columns; an SsdBenchError says what cannot be decided, and what to write instead."""
        twice = [name for name, n in Counter(filter(None, self.names)).items() if n > 1]
        if twice:
            raise self._error(f"the column '{twice[0]}' occurs twice", "Expected each method once.")
        axis, dataset = self._dataset()
        others = [place for place in range(len(self.names)) if place != dataset]
        runs = tuple(sorted((place for place in others if run_word(self.names[place])), key=self._is_not_resample))
        methods = [place for place in others if is_one_of(self.names[place], METHOD | {"name"})]
        accuracies = [place for place in others if is_accuracy(self.names[place])]
        if len(methods) > 1 or len(accuracies) > 1:
            what, places = ("methods", methods) if len(methods) > 1 else ("accuracies", accuracies)
            raise self._error(f"two columns of {what}, '{self.names[places[0]]}' and '{self.names[places[1]]}'", "Expected one.")
        unknown = [place for place in others if place not in (*methods, *runs, *accuracies) and not self._is_no_method(place)]
        method = methods[0] if methods else None
        if method is not None and not accuracies:
            raise self._error(f"no column of accuracies beside '{self.names[method]}'", f"{FORMS} Known names: accuracy, acc.")
        if accuracies and unknown and method is None:
            raise self._error(
                f"the column '{self.names[accuracies[0]]}' beside '{self.names[unknown[0]]}'",
                f"{FORMS} A line of accuracies says of which method they are.",
                f"Name one column 'method', or leave out {shortened([self.names[place] for place in unknown])}.",
            )
        axis = run_word(self.names[runs[0]]) if runs else axis
        if accuracies:
            found = Columns(dataset, method, runs, (Accuracies(accuracies[0]),), axis, ())
        else:
            found = self._wide(dataset, runs, unknown, axis)
        used = {dataset, method, *runs, *(one.place for one in found.accuracies)}
        unused = tuple(name for place, name in enumerate(self.names) if place not in used and not _UNNAMED.fullmatch(name))
        return replace(found, unused=unused)

    def _dataset(self) -> tuple[str, int]:
        """The axis where the heading of the datasets tells it (``Resamples:,0,1,…``, ``folds:,0,1,…``), and their place."""
        named = [place for place, name in enumerate(self.names) if is_one_of(name, DATASET)]
        if len(named) == 1:
            return "", named[0]
        if not named and run_word(self.names[0]) in ("resample", "fold") and all(map(_is_whole, self.names[1:])):
            return "resample", 0
        if not named and _UNNAMED.fullmatch(self.names[0]) and not any(_is_number(row[0]) for row in self.rows):
            return "", 0
        raise self._error(
            f"{'no' if not named else len(named)} column{'s' * (len(named) > 1)} of datasets among {shortened(self.names)}",
            f"Results are matched by the names of their datasets. {FORMS}",
            "Name one column 'dataset': the name of the dataset of each line.",
        )

    def _wide(self, dataset: int, runs: tuple[int, ...], places: list[int], axis: str) -> Columns:
        """A column per method, or per run of a method."""
        found, axes = [], {axis} if axis else set()
        for place in places:
            method, word, run = _split(self.names[place])
            found.append(Accuracies(place, method if run else self.names[place], run))
            axes |= {word} if word else set()
        if not found:
            raise self._error(f"no column of accuracies among {shortened(self.names)}", FORMS)
        unnamed = [one for one in found if not one.method]
        if unnamed and len(unnamed) < len(found):
            other = next(one for one in found if one.method)
            raise self._error(
                f"the column '{self.names[unnamed[0].place]}' has only a number, beside '{self.names[other.place]}'",
                "Expected runs of one method, or names of methods.",
                "Write the name of the method before it, such as ROCKET-run0.",
            )
        if len(axes) > 1 or (runs and any(one.run for one in found)):
            raise self._error(f"runs of several kinds among {shortened(self.names)}", "Expected one kind, such as resample0.")
        self._refuse_numbered([self.names[one.place] for one in found if not one.run])
        return Columns(dataset, None, runs, tuple(found), next(iter(axes), "run" if unnamed else ""), ())

    def _refuse_numbered(self, names: list[str]) -> None:
        """Refuse X-0, X-1, … : they may be runs of X or methods."""
        parts = [match.groups() for name in names if (match := _ENDS_WITH_NUMBER.fullmatch(name)) and match[2]]
        for base, group in groupby(sorted(parts), key=lambda part: part[0]):
            numbers = sorted(int(part[2]) for part in group)
            consecutive = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            if len(numbers) > 1 and numbers[0] in (0, 1) and consecutive and not is_one_of(base, METHOD):
                raise self._error(
                    f"the columns of '{base}' with the numbers {numbers[0]} to {numbers[-1]} may be its runs, or several methods",
                    "Runs are averaged, methods are compared.",
                    f"Name them {base}-run{numbers[0]}, {base}-run{numbers[1]}, … if they are runs, else {base}({numbers[0]}), ….",
                )

    def _is_no_method(self, place: int) -> bool:
        """Whether a column is one of other numbers (a spread, time, count or other measure) by its name."""
        name = self.names[place]
        parts = words(name)
        if _UNNAMED.fullmatch(name):
            self._check_index(place)
            return True
        if _split(name)[2]:
            return False
        if set(parts) <= NO_METHOD:
            if set(parts) <= COUNTS and self._has_fractions(place):
                raise self._unsure(name)
            return True
        known = 0
        while parts[len(parts) - 1 - known] in NO_METHOD:
            known += 1
        base, tail = parts[: len(parts) - known], set(parts[len(parts) - known :])
        if tail & SPREAD or (tail & ACCURACY and tail & NOT_TEST):
            return True
        beside = [words(_ENDS_WITH_ACCURACY.sub("", other)) for k, other in enumerate(self.names) if k != place]
        if tail <= ACCURACY_WORDS or base not in beside:
            return False
        if tail == {"time"} and self._has_fractions(place):
            raise self._unsure(name)
        return True

    def _is_not_resample(self, place: int) -> bool:
        return run_word(self.names[place]) != "resample"

    def _check_index(self, place: int) -> None:
        """Refuse a column without a name unless it is empty or counts the lines, as pandas writes it."""
        values = [row[place] for row in self.rows if len(row) == len(self.names)]
        if any(values) and values != [str(k) for k in range(len(values))]:
            raise self._error(f"column {place + 1} has no name", "Expected a name for every column.", "Name it, or leave it out.")

    def _has_fractions(self, place: int) -> bool:
        """Whether the numbers of a column look like accuracies: from 0 to 1, and not all whole."""
        values = [float(row[place]) for row in self.rows if place < len(row) and _is_number(row[place])]
        return all(0 <= value <= 1 for value in values) and not all(value.is_integer() for value in values)

    def _unsure(self, name: str) -> SsdBenchError:
        return self._error(
            f"the column '{name}' has the name of a count or a time, and values like accuracies",
            "Expected a name that shows whether it is a method.",
            "Rename the column, or leave it out.",
        )

    def _error(self, what: str, expected: str, remedy: str = "") -> SsdBenchError:
        return SsdBenchError(f"{self.path}, line {self.line}: {what}.", expected, remedy)


def check_measure(path: Path) -> None:
    """Refuse a file whose name ends with another measure than accuracy, such as ``HC2_rmse.csv``."""
    parts = words(path.stem)
    if len(parts) > 1 and parts[-1] in SPREAD | OTHER_MEASURES:
        raise SsdBenchError(
            f"{path}: by its name the file holds '{parts[-1]}', not accuracies.",
            "Expected accuracies.",
            "Rename the file if it does.",
        )


def _split(name: str) -> tuple[str, str, str]:
    """Return method, word and number of a column such as ``FCN_fold0``, ``itr3``, ``acc_1`` or ``2``; no number for other names."""
    match = _ENDS_WITH_NUMBER.fullmatch(_ENDS_WITH_ACCURACY.sub("", name))
    if not match:
        return name, "", ""
    parts = words(match[1])
    if not parts or (set(parts) <= ACCURACY_WORDS and set(parts) & ACCURACY):
        return "", "", match[3]
    word = run_word(parts[-1])
    return (_ENDS_WITH_RUN.sub("", match[1]), word, match[3]) if word else (name, "", "")


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_number(text: str) -> bool:
    try:
        return float(text) is not None
    except ValueError:
        return False
