"""Labels such as ``ssd[representations=10,dropout_sites=embed+mid]`` and the frozen dataclasses that they configure.

A configuration is a frozen dataclass of plain values. Its label contains only the parameters that differ from the defaults. A
value contains no comma; a list is joined with ``+``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import types
import typing
from typing import Any, TypeVar

from ssd_cli.errors import MisuseError, did_you_mean

C = TypeVar("C")
_LABEL = re.compile(r"^\s*(?P<name>[A-Za-z0-9_.:-]+)\s*(?:\[(?P<parameters>[^\[\]]*)\])?\s*$")


def parse_label(label: str) -> tuple[str, dict[str, str]]:
    """Split ``name[key=value,…]`` into the name and its parameters as text."""
    match = _LABEL.match(label)
    if match is None:
        several = "," in re.sub(r"\[[^\[\]]*\]", "", label)
        raise MisuseError(
            f"Cannot read '{label}'.",
            "Expected a name, or name[parameter=value,parameter=value].",
            "Repeat the option for each name." if several else "",
        )
    parameters: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in (match["parameters"] or "").split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            raise MisuseError(f"Cannot read the parameter '{part}' of '{label}'.", "Expected parameter=value.")
        if key in parameters:
            raise MisuseError(f"The parameter '{key}' is given twice in '{label}'.")
        parameters[key] = value
    return match["name"], parameters


def require(condition: bool, message: str) -> None:
    """Raise ValueError with `message` unless the condition holds; for the ``__post_init__`` of configurations."""
    if not condition:
        raise ValueError(message)


def configure(cls: type[C], name: str, parameters: dict[str, str]) -> C:
    """Build a frozen dataclass from parameters given as text; messages name it by its registered `name`.

    Its fields are bool, int, float, str, a Literal, or a union of these and None. Raises MisuseError if a parameter is unknown, a
    value has the wrong type, or the dataclass refuses it (ValueError in ``__post_init__``).
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, text in parameters.items():
        if key not in fields:
            allowed = ", ".join(f"{k}={_text(f.default)}" for k, f in fields.items()) or "none"
            hint = did_you_mean(key, list(fields))
            raise MisuseError(f"'{name}' has no parameter '{key}'.{hint}", f"Its parameters are: {allowed}.")
        try:
            value, default = _convert(text, hints[key]), fields[key].default
        except ValueError:
            raise MisuseError(f"'{name}': the parameter {key} cannot be '{text}'.", f"Expected {_describe(hints[key])}.") from None
        same = value == default and isinstance(value, bool) == isinstance(default, bool)
        values[key] = default if same else value  # 1 for 1.0, or -0: one label has one identity
    try:
        return cls(**values)
    except ValueError as error:
        raise MisuseError(f"'{name}': {error}.") from error


def changed(configuration: Any) -> dict[str, Any]:
    """Return the parameters whose values differ from the defaults, in the order of declaration."""
    return {
        field.name: getattr(configuration, field.name)
        for field in dataclasses.fields(configuration)
        if field.init and getattr(configuration, field.name) != field.default
    }


def label(name: str, configuration: Any) -> str:
    """Return the label of a configuration; parsing it gives the configuration again."""
    inside = ",".join(f"{key}={_text(value)}" for key, value in changed(configuration).items())
    return f"{name}[{inside}]" if inside else name


def slug(name: str, configuration: Any) -> str:
    """Return a folder name: the bare name, or the changed parameters and eight hex digits of the label's SHA-256.

    Folder names are never parsed; the record holds the full label.
    """
    full = label(name, configuration)
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", full).strip("-.")
    return full if full == safe else f"{safe[:60]}-{hashlib.sha256(full.encode()).hexdigest()[:8]}"


def as_dict(configuration: Any) -> dict[str, Any]:
    """Return all parameters by name, as identities hold them."""
    return dataclasses.asdict(configuration)


def plain(value: Any) -> Any:
    """Return the value with numbers and arrays of numpy, tuples and non-finite floats replaced by what JSON knows."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of a value made of dicts, lists, text, numbers, booleans and None."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _convert(text: str, hint: Any) -> Any:
    for kind in _members(hint):
        if kind is type(None):
            if text.lower() == "none":
                return None
        elif typing.get_origin(kind) is typing.Literal:
            if text in typing.get_args(kind):
                return text
        elif kind is bool:
            if text.lower() in ("true", "false", "yes", "no", "1", "0"):
                return text.lower() in ("true", "yes", "1")
        elif kind in (int, float):
            try:
                number = kind(text)
            except ValueError:
                continue
            if math.isfinite(number):  # an identity is JSON, which has neither infinity nor NaN
                return number
        elif kind is str:
            return text
    raise ValueError(text)


def _describe(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    return " or ".join(
        "one of " + ", ".join(map(str, typing.get_args(kind)))
        if typing.get_origin(kind) is typing.Literal
        else names.get(kind, str(kind))
        for kind in _members(hint)
    )
