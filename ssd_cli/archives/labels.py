"""Labels of cases: which texts are labels, which are missing, and which are the same class.

A format passes each label through `written`. `alike` compares the labels of all files of a dataset, so the rules do not depend on
the format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from ssd_cli.archives.dataset import Labels
from ssd_cli.archives.text import shown
from ssd_cli.errors import SsdBenchError

Spellings = dict[str, tuple[str, str]]
"""How each class was written first, and in which file."""

_MISSING = ("", "?", "nan")
_NUMBER_LABEL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE_LABEL = re.compile(r"([+-]?\d+)\.0*", re.ASCII)


def written(value: object, wrong: Callable[[str, str], SsdBenchError], missing_label: str | None = None) -> str:
    """Return a label as text, without blanks around it and whole numbers without a decimal point.

    An empty text, ``?`` and ``NaN`` are missing labels, which become `missing_label` if it is given. `wrong` makes the error from
    what happened and what was expected.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        value = ""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(whole, str | int) or isinstance(whole, bool):
        raise wrong(f"the label is {shown(repr(value))}", "Expected a text or a whole number.")
    text = str(whole).strip()
    if text.lower() in _MISSING:
        if missing_label is None:
            raise wrong(
                f"the label is '{shown(text)}'",
                "Expected a class; an empty text, ? and NaN are missing labels. Leave such cases out.",
            )
        return missing_label
    if not text.isprintable():
        raise wrong(f"the label is '{shown(text)}'", "Expected a printable text.")
    return text


def alike(labels: Sequence[str], where: str, spelled: Spellings) -> Labels:
    """Return labels in lower case, as aeon does, shape (n_cases,); two spellings of one class raise an SsdBenchError.

    The files of a dataset share `spelled`. Spellings differ by case, or by a decimal point after a whole number.
    """
    for case, text in enumerate(labels):
        first, there = spelled.setdefault(plain(text), (text, where))
        if first != text:
            earlier = f"earlier label '{shown(first)}'" if there == where else f"label '{shown(first)}' of {there}"
            difference = "case" if first.lower() == text.lower() else "a decimal point"
            raise SsdBenchError(
                f"{where}, case {case}: the label '{shown(text)}' differs from the {earlier} by {difference} only.",
                "Labels are read in lower case, as in aeon, and 1.0 is the number 1, so both would be one class.",
                "Rename one of the two labels, or write both in the same way.",
            )
    return np.array([text.lower() for text in labels], dtype=np.str_)


def typed(texts: Sequence[str]) -> Sequence[object]:
    """Convert untyped labels to numbers if all are numbers and one has a decimal point, as a column of floats is written."""
    if any("." in text for text in texts) and all(map(_NUMBER_LABEL.fullmatch, texts)):
        return [float(text) for text in texts]
    return texts


def plain(text: str) -> str:
    """Return the form in which labels of different files are compared: ``1.0`` in one is ``1`` in another."""
    text = text.strip().lower()
    whole = _WHOLE_LABEL.fullmatch(text)
    return whole[1] if whole else text
