"""Read and check the metadata of an exported file: classes, shapes and the rule for missing values."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from ssd_cli.archives.rules import imputation_rules, scaling_rules
from ssd_cli.errors import SsdBenchError

METADATA_KEY = "ssd_bench"
INPUT, OUTPUT = "series", "probabilities"
_MOST = 2**31 - 1
"""Largest number of channels or steps."""


def read_metadata(text: str, path: Any) -> dict[str, Any]:
    """Return the metadata of the file `path`; raise SsdBenchError that names the file and the field if a value is impossible."""

    def wrong(field: str, expected: str) -> NoReturn:
        place = f"the field '{field}' of its metadata" if field else "its metadata"
        raise SsdBenchError(f"{path}: {place} is missing or wrong.", f"Expected {expected}.", "Export the model again.")

    try:
        about = json.loads(text, parse_constant=lambda name: wrong("", f"JSON without {name}"))
    except (ValueError, RecursionError):  # numbers of thousands of digits, deep nesting
        wrong("", "a JSON object")
    if not isinstance(about, dict):
        wrong("", "a JSON object")
    if not _names(about.get("classes")) or not about["classes"]:
        wrong("classes", "a list of different names")
    for field in ("n_channels", "n_timepoints"):
        if type(about.get(field)) is not int or not 1 <= about[field] <= _MOST:
            wrong(field, f"a whole number from 1 to {_MOST}")
    n_channels = about["n_channels"]
    channels = about.get("channels", [])  # absent from old files
    if not _names(channels) or len(channels) not in (0, n_channels):
        wrong("channels", f"{n_channels} different names, or an empty list")
    if type(about.get("equal_length")) is not bool:
        wrong("equal_length", "true or false")
    fill = about.get("fill")
    if not isinstance(fill, list) or len(fill) != n_channels or not all(map(_is_finite, fill)):
        wrong("fill", f"a list of finite numbers, one for each channel ({n_channels})")
    preparation = about.get("preparation")
    for rules in (imputation_rules, scaling_rules):
        known = [name for name in rules.names() if rules.get(name).exported]
        if not isinstance(preparation, dict) or preparation.get(rules.option) not in known:
            wrong(f"preparation.{rules.option}", f"one of {', '.join(known)}")
    return about


Signature = list[tuple[str, str, list[Any]]]
"""Name, type and shape of the inputs or outputs of a graph; a size is a number, a name, or None."""


def check_signature(inputs: Signature, outputs: Signature, about: dict[str, Any], path: Any) -> None:
    """Raise SsdBenchError if inputs or outputs of the graph do not agree with the metadata of the file `path`."""
    steps = about["n_timepoints"] if about["equal_length"] else None
    for kind, values, name, sizes in (
        ("input", inputs, INPUT, (None, about["n_channels"], steps)),
        ("output", outputs, OUTPUT, (None, len(about["classes"]))),
    ):
        found_name, dtype, shape = values[0] if len(values) == 1 else ("", "", [])
        if (
            found_name != name
            or dtype not in ("tensor(float)", "tensor(double)")
            or len(shape) != len(sizes)
            or any(isinstance(size, int) and wanted not in (None, size) for size, wanted in zip(shape, sizes, strict=True))
        ):
            found = "; ".join(f"{name} {dtype} {shape}" for name, dtype, shape in values)[:200]
            expected = ", ".join("any" if size is None else str(size) for size in sizes)
            raise SsdBenchError(
                f"{path}: the {kind} of the graph does not agree with the metadata: {found or 'none'}.",
                f"Expected one {kind} '{name}' of floating-point numbers with the shape ({expected}).",
                "Export the model again.",
            )


def _names(value: Any) -> bool:
    """Return whether a value is a list of different names that can be written as UTF-8."""
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        return False
    lone_surrogates = any("\ud800" <= sign <= "\udfff" for name in value for sign in name)
    return len(set(value)) == len(value) and not lone_surrogates


def _is_finite(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False
