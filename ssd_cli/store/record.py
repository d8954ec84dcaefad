"""The record of a cell as JSON: name, identity, scores, costs, networks, provenance."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ssd_cli.configuration import plain
from ssd_cli.core.cell_spec import WITHOUT_BACKBONE, CellSpec
from ssd_cli.core.version import PROTOCOL_VERSION
from ssd_cli.errors import SsdBenchError
from ssd_cli.metrics import check_bounds

STATUSES = ("ok", "failed", "skipped")
_UNSAFE = re.compile(r"[/\\:\x00-\x1f\x7f]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SEAL = re.compile(rb',\n"sha256": "([0-9a-f]{64})"\n}\n')
"""The end of a record: the SHA-256 of everything before it."""
_SEAL_BYTES = 81


@dataclass(frozen=True)
class Cell:
    """One dataset × method × backbone × recipe × resample × seed.

    Method, backbone and recipe are full labels, such as ``ssd[dropout=0.3]``. `folder` is ``<method slug>@<backbone slug>``; no
    name is ever parsed back out of it. A dataset or folder that is not a safe name of a folder raises an SsdBenchError.
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
        where = "" if self.backbone == WITHOUT_BACKBONE else f" on {self.backbone}"
        return f"{self.dataset}, {self.method}{where}, resample {self.resample}, seed {self.seed}"


def check_name(name: str, what: str) -> str:
    """Return `name` if it is safe as one component of a path; raise SsdBenchError otherwise."""
    if not name or name.startswith(".") or name != name.strip() or len(name.encode()) > 200 or _UNSAFE.search(name):
        raise SsdBenchError(
            f"The {what} {name!r} cannot be used as the name of a folder.",
            "Expected at most 200 bytes with no /, \\, : or control character in them, not starting with a dot or a space.",
        )
    return name


_TYPES: dict[str, tuple[type, ...]] = {
    "cell": (Cell,),
    "identity": (CellSpec,),
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
class CellRecord:
    """The record of a computed cell. Resuming compares identities (`spec`), not names."""

    cell: Cell
    spec: CellSpec
    status: str
    reason: str | None = None
    traceback: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    """Finite numbers, computed from the stored probabilities."""
    costs: dict[str, Any] = field(default_factory=dict)
    """Plain values, units in the names: ``fit_seconds_alone``, ``latency_ms_p50``, ``parameters``."""
    diagnostics: dict[str, Any] = field(default_factory=dict)
    """Plain values that the method adds."""
    curves: list[dict[str, Any]] = field(default_factory=list)
    """One entry for each trained network, from the workbench's ledger."""
    networks: list[dict[str, Any]] = field(default_factory=list)
    """The stored networks that the predictor needs."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Versions, revision, hardware, threads, command; no absolute paths, no host names."""
    predictions_sha256: str | None = None
    """Digest of the file of predictions; `ResultStore.put` fills it in."""
    has_digest: bool = field(default=True, compare=False)
    """False for a file of an earlier version, without a digest of itself: whether it was changed is unknown."""

    def __post_init__(self) -> None:
        for name, allowed in _TYPES.items():
            value = self.spec if name == "identity" else getattr(self, name)
            if not isinstance(value, allowed):
                raise ValueError(f"'{name}' is {type(value).__name__}, not {allowed[0].__name__}")
        if self.status not in STATUSES:
            raise ValueError(f"the status is {self.status!r}, not one of {', '.join(STATUSES)}")
        if self.status == "ok" and not self.scores:
            raise ValueError("a cell that is ok has scores")
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a cell that is {self.status} has a reason")
        for name, score in self.scores.items():
            if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
                raise ValueError(f"the score '{name}' is {score!r}, not a finite number")
        check_bounds(self.costs | self.scores)
        self._check_names()

    def _check_names(self) -> None:
        """Raise ValueError unless cell and identity agree; a label begins with the name that the identity holds."""
        for name in ("dataset", "resample", "seed"):
            mine, its = getattr(self.cell, name), getattr(self.spec, name)
            if mine != its:
                raise ValueError(f"the {name} of the cell is {mine!r}, that of its identity {its!r}")
        for name in ("method", "backbone", "recipe"):
            label, known = getattr(self.cell, name), getattr(self.spec, name).name
            if known not in (label, label.partition("[")[0]):
                raise ValueError(f"the {name} of the cell is {label!r}, that of its identity {known!r}")

    @property
    def identity_hash(self) -> str:
        """SHA-256 (hex) of the identity."""
        return self.spec.identity_hash

    def to_json(self) -> str:
        """Return one line for each part, with sorted keys, plain numbers, null for NaN and infinities, and a SHA-256."""
        own = {"cell": asdict(self.cell), "identity": self.spec.to_identity()}
        parts = {name: plain(own[name] if name in own else getattr(self, name)) for name in _TYPES}
        lines = (f"{json.dumps(name)}: {json.dumps(part, sort_keys=True, allow_nan=False)}" for name, part in parts.items())
        body = "{\n" + ",\n".join(lines)
        return f'{body},\n"sha256": "{hashlib.sha256(body.encode()).hexdigest()}"\n}}\n'

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> CellRecord:
        """Read what `to_json` wrote; `source` is the path of the file, for messages.

        Raise SsdBenchError if it is not JSON, was changed, lacks a part, has one of the wrong type, contradicts itself, or is of
        another protocol version.
        """
        content = text.encode() if isinstance(text, str) else text
        try:
            seal = _SEAL.fullmatch(content[-_SEAL_BYTES:])
            if seal is not None and hashlib.sha256(content[:-_SEAL_BYTES]).hexdigest().encode() != seal[1]:
                raise ValueError("it was changed after it was written, since its SHA-256 is not the recorded one")
            parts = json.loads(content)
            if seal is not None:
                del parts["sha256"]
            if not isinstance(parts, dict) or parts.keys() != _TYPES.keys():
                found = sorted(parts.keys() ^ _TYPES.keys()) if isinstance(parts, dict) else [type(parts).__name__]
                raise ValueError(f"missing or unknown parts: {', '.join(found)}")
            _check_version(parts["identity"], source)
            if (parts["status"] == "ok") != bool(_SHA256.fullmatch(parts["predictions_sha256"] or "")):
                raise ValueError("a cell that is ok, and no other, has the SHA-256 of its predictions")
            cell, spec = Cell(**parts.pop("cell")), CellSpec.from_identity(parts.pop("identity"))
            return cls(cell, spec, **parts, has_digest=seal is not None)
        except (ValueError, TypeError) as error:
            raise SsdBenchError(
                f"{source} is not a readable record: {error}.",
                "Expected the JSON that 'ssd-bench run' writes beside each file of predictions.",
                "'ssd-bench recount DIR' names all such files; 'run --overwrite', or 'run' without the files, computes the cells "
                "again.",
            ) from error


def _check_version(identity: Any, source: str) -> None:
    version = identity.get("protocol_version") if isinstance(identity, dict) else None
    if version is not None and version != PROTOCOL_VERSION:
        raise SsdBenchError(
            f"{source} was written under version {version} of the protocol.",
            f"This ssd-bench reads and writes version {PROTOCOL_VERSION}; numbers of different versions cannot be compared.",
            "Use another output folder, or the release of ssd-bench that wrote this one.",
        )
