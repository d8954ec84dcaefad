"""What is known of one cell, as plain JSON: which cell, what identifies it, what came out, what it cost, where it was made."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from ssd_cli.configuration import digest
from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.errors import SsdBenchError

IDENTITY_KEYS = frozenset(
    {"dataset", "dataset_digest", "preparation", "method", "backbone", "recipe", "resample", "seed", "protocol_version"}
)
"""What every identity holds at least. The writer adds what else can change a result (execution, threads, a plug-in's digest)."""

STATUSES = ("ok", "failed", "skipped")
NO_BACKBONE = "none"
"""What stands for a backbone in the cells of methods that have no network."""
_UNSAFE = re.compile(r"[/\\:\x00-\x1f\x7f]")
_TYPES: dict[str, tuple[type, ...]] = {
    "cell": (dict,),
    "identity": (dict,),
    "status": (str,),
    "reason": (str, type(None)),
    "traceback": (str, type(None)),
    "scores": (dict,),
    "costs": (dict,),
    "diagnostics": (dict,),
    "curves": (list,),
    "networks": (list,),
    "provenance": (dict,),
    "predictions_sha256": (str, type(None)),
}


@dataclass(frozen=True)
class Cell:
    """One dataset × method × backbone × recipe × resample × seed.

    Parameters
    ----------
    dataset : str
    method, backbone, recipe : str
        Full labels, such as ``ssd[representations=10]``.
    resample : int
        0 is the archive's own split.
    seed : int
    folder : str
        ``<method slug>@<backbone slug>``. No name is ever parsed back out of it.

    Raises
    ------
    SsdBenchError
        If the dataset or the folder cannot be the name of a folder: empty, hidden, or with a separator in it.
    """

    dataset: str
    method: str
    backbone: str
    recipe: str
    resample: int
    seed: int
    folder: str

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("resample", "seed"):
                if type(value) is not int or value < 0:
                    raise SsdBenchError(f"The {item.name} of a cell cannot be {value!r}.", "Expected a whole number of at least 0.")
            elif type(value) is not str or not value:
                raise SsdBenchError(f"The {item.name} of a cell cannot be {value!r}.", "Expected a text that is not empty.")
        check_name(self.dataset, "dataset")
        check_name(self.folder, "folder")

    def __str__(self) -> str:
        where = "" if self.backbone == NO_BACKBONE else f" on {self.backbone}"
        return f"{self.dataset}, {self.method}{where}, resample {self.resample}, seed {self.seed}"


def check_name(name: str, what: str) -> str:
    """Return `name` if it is safe as one component of a path; SsdBenchError otherwise."""
    if not name or name.startswith(".") or name != name.strip() or len(name.encode()) > 200 or _UNSAFE.search(name):
        raise SsdBenchError(
            f"The {what} {name!r} cannot be used as the name of a folder.",
            "Expected at most 200 bytes with no /, \\, : or control character in them, not starting with a dot or a space.",
        )
    return name


@dataclass(frozen=True)
class CellRecord:
    """All that is kept of one executed cell.

    Parameters
    ----------
    cell : Cell
    identity : dict
        Everything that decides the numbers; at least `IDENTITY_KEYS`. Resuming compares identities, never names.
    status : {"ok", "failed", "skipped"}
    reason : str, optional
        Why it failed or was skipped; required then.
    traceback : str, optional
        Of a failure.
    scores : dict of str to float
        Finite numbers, computed from the stored probabilities.
    costs : dict
        Plain values, units in the names: ``fit_seconds_alone``, ``latency_ms_p50``, ``parameters``.
    diagnostics : dict
        Plain values that the method wants on the record.
    curves : list of dict
        One entry a trained network, as the workbench's ledger books it.
    networks : list of dict
        The stored networks that the predictor needs.
    provenance : dict
        Versions, revision, hardware, threads, command; no absolute paths, no host names.
    predictions_sha256 : str, optional
        Of the file of predictions; `ResultStore.put` fills it in.
    """

    cell: Cell
    identity: dict[str, Any]
    status: str
    reason: str | None = None
    traceback: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    curves: list[dict[str, Any]] = field(default_factory=list)
    networks: list[dict[str, Any]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    predictions_sha256: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in _TYPES.items():
            if name != "cell" and not isinstance(getattr(self, name), allowed):
                raise ValueError(f"'{name}' is {type(getattr(self, name)).__name__}, not {allowed[0].__name__}")
        missing = sorted(IDENTITY_KEYS - self.identity.keys())
        if missing:
            raise ValueError(f"the identity lacks {', '.join(missing)}")
        if self.status not in STATUSES:
            raise ValueError(f"the status is {self.status!r}, not one of {', '.join(STATUSES)}")
        if self.status == "ok" and not self.scores:
            raise ValueError("a cell that is ok has scores")
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a cell that is {self.status} has a reason")
        for name, score in self.scores.items():
            if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
                raise ValueError(f"the score '{name}' is {score!r}, not a finite number")

    @cached_property
    def identity_hash(self) -> str:
        """SHA-256 (hex) of the identity."""
        return digest(plain(self.identity))

    def to_json(self) -> str:
        """One line per part of the record, keys sorted, numbers of numpy as plain ones, NaN and infinities as null."""
        parts = {name: plain(asdict(self.cell) if name == "cell" else getattr(self, name)) for name in _TYPES}
        lines = (f"{json.dumps(name)}: {json.dumps(part, sort_keys=True, allow_nan=False)}" for name, part in parts.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> CellRecord:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str or bytes
        source : str
            Path of the file, for messages.

        Raises
        ------
        SsdBenchError
            Not JSON, a part missing or of the wrong type, or the record of another protocol version.
        """
        try:
            parts = json.loads(text)
            if not isinstance(parts, dict) or parts.keys() != _TYPES.keys():
                found = sorted(parts.keys() ^ _TYPES.keys()) if isinstance(parts, dict) else [type(parts).__name__]
                raise ValueError(f"missing or unknown parts: {', '.join(found)}")
            _check_version(parts["identity"], source)
            return cls(**{**parts, "cell": Cell(**parts["cell"])})
        except (ValueError, TypeError) as error:
            raise _malformed(source, str(error)) from error


def difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Where two identities differ, one line each: ``recipe.epochs: 1500 before, 100 now``."""
    before, after = dict(_leaves(plain(old))), dict(_leaves(plain(new)))
    lines = []
    for key in [*before, *(key for key in after if key not in before)]:
        left, right = (json.dumps(side[key]) if key in side else "absent" for side in (before, after))
        if left != right and key.endswith(".plugin_sha256") and key in before and key in after:
            lines.append(f"{key}: the file of the plug-in has changed ({before[key][:8]} before, {after[key][:8]} now)")
        elif left != right:
            lines.append(f"{key}: {left} before, {right} now")
    return lines


def plain(value: Any) -> Any:
    """The value with numpy's numbers and arrays, tuples and non-finite floats turned into what JSON knows."""
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
    raise TypeError(f"{type(value).__name__} cannot stand in a record")


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(path, value)]
    return [leaf for key in sorted(value) for leaf in _leaves(value[key], f"{path}.{key}" if path else key)]


def _check_version(identity: Any, source: str) -> None:
    version = identity.get("protocol_version") if isinstance(identity, dict) else None
    if version is not None and version != PROTOCOL_VERSION:
        raise SsdBenchError(
            f"{source} was written under version {version} of the protocol.",
            f"This ssd-bench reads and writes version {PROTOCOL_VERSION}; numbers of different versions cannot be compared.",
            "Use another output folder, or the release of ssd-bench that wrote this one.",
        )


def _malformed(source: str, why: str) -> SsdBenchError:
    return SsdBenchError(
        f"{source} is not a readable record: {why}.",
        "Expected the JSON that 'ssd-bench run' writes beside each file of predictions.",
        "'ssd-bench recount DIR' names all such files; 'run --overwrite', or 'run' without the files, makes them anew.",
    )
