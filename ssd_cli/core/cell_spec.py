"""The identity of a cell: everything that determines its numbers. Results are matched by their identity, not by names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ssd_cli.configuration import digest, plain
from ssd_cli.core.version import PROTOCOL_VERSION

WITHOUT_BACKBONE = "none"
"""Name of the backbone in cells of methods without a network."""

_TEXTS, _NUMBERS = ("dataset", "dataset_digest"), ("resample", "seed", "protocol_version")
_OPTIONAL = {"device": "", "execution": "", "threads": 0, "batch_norm": ""}
"""Entries that an identity may lack, with the values of absent entries."""


@dataclass(frozen=True)
class NamedConfiguration:
    """A registered method, backbone or recipe with all its parameters, defaults included."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    plugin_sha256: str = ""  # digest of the plug-in file that defines it; empty for one of this package
    versions: dict[str, str] = field(default_factory=dict)  # of other libraries that determine its numbers

    def to_identity(self) -> dict[str, Any]:
        """Return the plain dict that an identity holds, without empty entries."""
        optional = {"plugin_sha256": self.plugin_sha256, "versions": self.versions}
        return {"name": self.name, "parameters": self.parameters} | {key: value for key, value in optional.items() if value}

    @classmethod
    def from_identity(cls, identity: Any, what: str) -> NamedConfiguration:
        """Read a result of `to_identity`; anything else raises a ValueError that names `what`."""
        if not isinstance(identity, dict) or not {"name", "parameters"} <= identity.keys():
            raise ValueError(f"the {what} of the identity is {identity!r}, not a name with parameters")
        if unknown := identity.keys() - {"name", "parameters", "plugin_sha256", "versions"}:
            raise ValueError(f"the {what} of the identity has unknown entries: {', '.join(sorted(unknown))}")
        return cls(**identity)


NO_BACKBONE = NamedConfiguration(WITHOUT_BACKBONE)
"""The backbone in cells of methods without a network."""


@dataclass(frozen=True)
class JointCells:
    """Resamples and seeds whose networks are trained jointly."""

    resamples: tuple[int, ...]
    seeds: tuple[int, ...]

    def to_identity(self) -> dict[str, list[int]]:
        """Return the plain dict that an identity holds."""
        return {"resamples": list(self.resamples), "seeds": list(self.seeds)}


@dataclass(frozen=True)
class CellSpec:
    """Everything that determines the numbers of a cell."""

    dataset: str
    dataset_digest: str  # SHA-256 of the arrays; empty in a dry run for a dataset that is not on this machine
    preparation: dict[str, Any]  # rule by kind: "length", "impute", "scale"; "label_noise", a share, where there is any
    method: NamedConfiguration
    backbone: NamedConfiguration
    recipe: NamedConfiguration
    resample: int = 0
    seed: int = 0
    device: str = ""  # "cpu", "cuda" or "mps"
    execution: str = ""  # label of an `Execution`
    threads: int = 0  # threads of a worker
    protocol_version: int = PROTOCOL_VERSION
    together: JointCells | None = None  # only if networks of several resamples and seeds are trained jointly
    batch_norm: str = ""  # "shuffled": statistics are estimated from several batches in random order; older records lack it
    other: dict[str, Any] = field(default_factory=dict)  # entries that this version does not know; they are stored and compared

    @property
    def has_backbone(self) -> bool:
        """Return whether the method trains networks of a backbone."""
        return self.backbone.name != WITHOUT_BACKBONE

    @cached_property
    def identity_hash(self) -> str:
        """SHA-256 (hex) of the identity."""
        return digest(plain(self.to_identity()))

    def to_identity(self) -> dict[str, Any]:
        """Return the identity as a record stores it: a dict of plain values."""
        optional = {name: getattr(self, name) for name, absent in _OPTIONAL.items() if getattr(self, name) != absent}
        return {
            **{name: getattr(self, name) for name in (*_TEXTS, "preparation", *_NUMBERS)},
            **{name: getattr(self, name).to_identity() for name in ("method", "backbone", "recipe")},
            **optional,
            **({"together": self.together.to_identity()} if self.together else {}),
            **self.other,
        }

    @classmethod
    def from_identity(cls, identity: Mapping[str, Any]) -> CellSpec:
        """Read a result of `to_identity`; raise ValueError if an entry is missing or has the wrong type."""
        if not isinstance(identity, Mapping):
            raise ValueError(f"the identity is {type(identity).__name__}, not a dict")
        required = (*_TEXTS, "preparation", "method", "backbone", "recipe", *_NUMBERS)
        if missing := sorted(set(required) - identity.keys()):
            raise ValueError(f"the identity lacks {', '.join(missing)}")
        known: dict[str, Any] = {name: identity[name] for name in (*required, *_OPTIONAL) if name in identity}
        kinds = dict.fromkeys((*_TEXTS, "device", "execution", "batch_norm"), str) | dict.fromkeys((*_NUMBERS, "threads"), int)
        for name, kind in ({"preparation": dict} | kinds).items():
            if name in known and type(known[name]) is not kind:
                raise ValueError(f"'{name}' of the identity is {known[name]!r}, not {kind.__name__}")
        for name in ("method", "backbone", "recipe"):
            known[name] = NamedConfiguration.from_identity(known[name], name)
        if "together" in identity:
            known["together"] = JointCells(**{name: tuple(numbers) for name, numbers in identity["together"].items()})
        return cls(**known, other={name: identity[name] for name in identity if name not in known})


def differences(before: CellSpec, after: CellSpec, only: tuple[str, ...] | None = None) -> list[str]:
    """Return a line per difference of two identities (of their entries `only`): ``recipe.epochs: 1500 before, 100 now``."""
    old, new = ({k: v for k, v in spec.to_identity().items() if only is None or k in only} for spec in (before, after))
    left, right = dict(_leaves(old)), dict(_leaves(new))
    lines = []
    for key in [*left, *(key for key in right if key not in left)]:
        was, now = (json.dumps(plain(side[key])) if key in side else "absent" for side in (left, right))
        if was != now and key.endswith(".plugin_sha256") and key in left and key in right:
            lines.append(f"{key}: the file of the plug-in has changed ({left[key][:8]} before, {right[key][:8]} now)")
        elif was != now:
            lines.append(f"{key}: {was} before, {now} now")
    return lines


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or (path and not value):
        return [(path, value)]
    return [leaf for key in sorted(value) for leaf in _leaves(value[key], f"{path}.{key}" if path else key)]
