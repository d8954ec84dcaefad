"""The options of ``ssd-bench run``, from a YAML file and from the command line."""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd_cli.archives.rules import imputation_rules, length_rules, scaling_rules
from ssd_cli.core.executions import labels
from ssd_cli.core.options import DEVICES, FITTED, option, option_of, require_choice
from ssd_cli.errors import MisuseError, did_you_mean

Numbers = tuple[int, ...]
_KINDS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "Path": "a path"}


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_NUMBERS = "5 means 0 to 4; 0,3,7 these; 3, only 3."


@dataclass(frozen=True)
class Suite:
    """Options of ``ssd-bench run``: every field is an option of the command line and a key of a suite file."""

    archive: tuple[str, ...] = option((), "Archive of datasets; repeatable.", names="archive")
    dataset: tuple[str, ...] = option((), "Dataset, or Gun*; repeatable.", names="dataset")
    method: tuple[str, ...] = option((), "As ssd[dropout=0.3]; repeatable.", names="method")
    backbone: tuple[str, ...] = option(("inception",), "Default inception; repeatable.", names="backbone")
    recipe: str = option("standard", "Of training; default standard.", names="recipe")
    resamples: Numbers = option((0,), f"Default 1, the archive's split. {_NUMBERS}")
    seeds: Numbers = option((0,), f"Default 1, which is seed 0. {_NUMBERS}")
    workers: int = option(0, "Processes; default as many as there are cores for.")
    threads: int = option(1, "Of each worker; default 1.")
    device: str = option("auto", "{choices}; default auto.", choices=lambda: DEVICES)
    engine: str = option("auto", "Execution of networks: {choices}; default auto.", choices=lambda: ("auto", *labels()))
    together: bool = option(False, "Train resamples and seeds in common passes (batched, graph).", flags=("--together",))
    out: Path = option(Path("runs"), "Output folder; default runs.")
    data_dir: tuple[Path, ...] = option((), "Folder of datasets, searched before $SSD_BENCH_DATA; repeatable.")
    plugin: tuple[Path, ...] = option((), "File with methods or backbones; repeatable.")
    length: str | None = option(None, "Unequal lengths: {choices}; default pad.", choices=length_rules.names)
    impute: str | None = option(None, "Missing values: {choices}; default linear.", choices=imputation_rules.names)
    scale: str | None = option(None, "{choices}; default by archive.", choices=scaling_rules.names)
    label_noise: float | None = option(None, "Share of training labels replaced by another class; default 0.")
    fitted: float = option(FITTED, f"Training accuracy from which a network has fitted; default {FITTED:g}.")
    retry_failed: bool = option(False, "Compute failed cells again.", flags=("--retry-failed",))
    overwrite: bool = option(False, "Replace results of another configuration.", flags=("--overwrite",))
    discard_networks: bool = option(False, "Keep no trained networks.", flags=("--discard-networks",))
    download: bool = option(True, "Whether to download absent datasets.", flags=("--download/--no-download", " /--offline"))
    only_present: bool = option(False, "Leave out, and name, datasets that are not on this machine.", flags=("--only-present",))
    wait: bool = option(True, "Whether to stay until cells of other runs here are done.", flags=("--wait/--no-wait",))

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):
            choices = option_of(one).choices
            if choices is not None:
                require_choice(f"--{one.name}", getattr(self, one.name), choices())
        if self.threads < 1 or self.workers < 0:
            raise MisuseError(
                f"--threads cannot be {self.threads} with --workers {self.workers}.",
                "Expected --threads of at least 1, and --workers of at least 0 (0 uses all cores).",
            )
        if not 0 < self.fitted <= 1:
            raise MisuseError(f"--fitted must be above 0 and at most 1, not {self.fitted:g}.")
        if not self.archive and not self.dataset:
            expected = "Expected --dataset NAME or --archive NAME, or a suite that names them."
            raise MisuseError("No dataset is named.", expected, "See: ssd-bench ls datasets")
        if not self.method:
            expected = "Expected --method NAME, or a suite that names one."
            raise MisuseError("No method is named.", expected, "See: ssd-bench ls methods")
        if not self.backbone:
            raise MisuseError("No backbone is named.", "Expected --backbone NAME, or a suite without 'backbone: []'.")

    @property
    def n_workers(self) -> int:
        """Number of worker processes."""
        return self.workers or max(1, available_cores() // self.threads)


def parse_suite(file: Path | None, flags: Mapping[str, Any]) -> Suite:
    """Combine a YAML suite and the options of the command line, which replace those of the file.

    Keys of the file are names of options (``data-dir``). Repeatable options take a list, and null is the default. `flags` are
    the options as typed, by field name; None or an empty list means not given. Raise MisuseError, which names the line, if the
    file cannot be read, a key is unknown, or a value has the wrong type.
    """
    values = {} if file is None else _read(file)
    values |= {
        name: _value(name, flag, f"--{name.replace('_', '-')}") for name, flag in flags.items() if flag not in (None, [], ())
    }
    return Suite(**values)


def parse_numbers(text: str | int | list[Any], where: str) -> Numbers:
    """Return the numbers of a text, sorted, each once: ``5`` is 0 to 4, ``0,3,7`` are these three, ``3,`` is only 3.

    A list holds the numbers themselves. Errors begin with `where`: an option, perhaps after file and line.
    """
    parts = text if isinstance(text, list) else str(text).split(",")
    try:
        numbers = [int(part) for part in parts if str(part).strip()]
        if isinstance(text, bool) or any(isinstance(part, bool | float) for part in parts) or not numbers or min(numbers) < 0:
            raise ValueError
        count_only = not isinstance(text, list) and len(parts) == 1
        if count_only and numbers[0] == 0:
            raise ValueError
    except (ValueError, TypeError):
        raise MisuseError(
            f"{where} cannot be '{text}'.", "Expected 5 (for 0 to 4), 0,3,7 (for these) or 3, with a comma (for only 3)."
        ) from None
    return tuple(range(numbers[0])) if count_only else tuple(sorted(set(numbers)))


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MisuseError(
            f"Cannot read the suite {file}: {getattr(error, 'strerror', None) or 'it is not a text file'}.",
            "Expected a YAML file with one option of 'ssd-bench run' per line.",
            "" if file.suffix in (".yaml", ".yml") else f"For a dataset: --dataset {file}",
        ) from error
    try:
        tree, values = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise MisuseError(f"{file}{line}: the text is not valid YAML ({getattr(error, 'problem', error)}).") from error
    except ValueError as error:  # an invalid date
        raise MisuseError(f"{file}: the text is not valid YAML ({error}).") from error
    if not isinstance(values, dict) or not isinstance(tree, yaml.MappingNode):
        raise MisuseError(f"{file} is not a suite.", "Expected one option per line, such as 'dataset: [GunPoint]'.")
    known = {name.replace("_", "-"): name for name in _fields()}
    suite: dict[str, Any] = {}
    for node, _ in tree.value:
        line = node.start_mark.line + 1
        key = str(node.value)
        if key not in known:
            raise MisuseError(
                f"{file}, line {line}: unknown option '{key}'.{did_you_mean(key, list(known))}",
                f"Known options: {', '.join(known)}.",
            )
        if known[key] in suite:
            raise MisuseError(f"{file}, line {line}: the option '{key}' is given twice.")
        value = values[key]  # null is the option's default
        suite[known[key]] = None if value is None else _value(known[key], value, f"{file}, line {line}: {key}")
    return {name: value for name, value in suite.items() if value is not None}


def _fields() -> dict[str, Any]:
    hints = typing.get_type_hints(Suite)
    return {field.name: hints[field.name] for field in dataclasses.fields(Suite)}


def _value(name: str, value: Any, where: str) -> Any:
    """Return a value with the type of its field."""
    hint = _fields()[name]
    if hint == Numbers:
        return parse_numbers(value, where)
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        return tuple(_scalar(item, kind, where) for item in (value if isinstance(value, list | tuple) else [value]))
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return _scalar(value, kinds[0] if kinds else hint, where)


def _scalar(value: Any, kind: type, where: str) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(os.path.expanduser(value))  # noqa: PTH111 - the method of paths fails for an unknown user
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise MisuseError(f"{where} cannot be {value!r}.", f"Expected {_KINDS[kind.__name__]}.")
    return value
