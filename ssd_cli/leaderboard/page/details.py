"""Details of records that are not in the table of records: provenance, learning curves, tracebacks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

N_POINTS = 32
"""Number of points of a learning curve; the charts of the page are 200 pixels wide."""

_MOST_NETWORKS = 3
_LONGEST_TRACEBACK = 2000


@dataclass(frozen=True)
class Curve:
    """The training loss of one network: at most `N_POINTS` means of consecutive epochs."""

    label: str
    epochs: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Details:
    """Details of one record: provenance, the end of a traceback, curves of the first two and the last of its `n_networks`.

    `finished` is in seconds since the epoch, 0 if unknown; it is not part of `provenance`.
    """

    provenance: dict[str, Any]
    finished: int = 0
    traceback: str = ""
    n_networks: int = 0
    curves: tuple[Curve, ...] = ()


NONE = Details({})


class Reader:
    """Reader of records that reads a record again only if its file has changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], tuple[tuple[int, ...], Details]] = {}

    def read(self, path: Path, with_curves: bool) -> Details:
        """Return the details of the record in a file; `NONE` if there is no readable record."""
        key = (str(path), with_curves)
        try:
            state = path.stat()
            mark = (state.st_mtime_ns, state.st_size, state.st_ino)
            if (known := self._known.get(key)) is not None and known[0] == mark:
                return known[1]
            details = _details(path.read_bytes(), with_curves)
        except (OSError, ValueError):
            return NONE
        self._known[key] = mark, details
        return details


def _details(content: bytes, with_curves: bool) -> Details:
    provenance = dict(_part(content, "provenance") or {})
    curves: list[dict[str, Any]] = [entry for entry in (_part(content, "curves") or []) if _losses(entry)] if with_curves else []
    shown = curves if len(curves) <= _MOST_NETWORKS else [*curves[: _MOST_NETWORKS - 1], curves[-1]]
    traceback = _part(content, "traceback") or ""
    return Details(
        provenance={key: value for key, value in provenance.items() if key != "finished"},
        finished=_seconds(provenance.get("finished")),
        traceback=traceback[-_LONGEST_TRACEBACK:],
        n_networks=len(curves),
        curves=tuple(Curve(str(entry.get("label", "")), len(_losses(entry)), downsampled(_losses(entry))) for entry in shown),
    )


def _part(content: bytes, name: str) -> Any:
    """Return one part of a record. Each part has a separate line, and parsing only this line is ten times as fast."""
    start = content.find(f'\n"{name}": '.encode())
    if start < 0:
        return json.loads(content).get(name)
    end = content.find(b"\n", start + 1)
    return json.loads(content[start + len(name) + 5 : end].rstrip(b","))


def _losses(entry: dict[str, Any]) -> list[float]:
    losses = entry.get("curve", {}).get("loss") or []
    return losses if all(isinstance(loss, int | float) for loss in losses) else []


def downsampled(values: Iterable[float]) -> tuple[float, ...]:
    """Return at most `N_POINTS` values, the means of consecutive values in parts whose sizes differ by at most one."""
    array = np.asarray(list(values), dtype=np.float64)
    if len(array) <= N_POINTS:
        return tuple(array.tolist())
    starts = np.linspace(0, len(array), N_POINTS + 1).astype(int)
    return tuple((np.add.reduceat(array, starts[:-1]) / np.diff(starts)).tolist())


def _seconds(text: Any) -> int:
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp()))
    except (TypeError, ValueError):
        return 0
