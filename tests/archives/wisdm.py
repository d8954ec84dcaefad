"""WISDM on the server of `server.Archive`, and helpers of download tests."""

from __future__ import annotations

from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.remotes import Zenodo
from ssd_cli.archives.transport import Transport

from .conftest import TEST, TRAIN

RECORD = catalog.record_of("WISDM")
LONG = TRAIN + "1,2,3:a\n" * 2000


def quick(**options) -> Transport:
    return Transport(**{"first_pause": 0.01, "timeout": 5, **options})


def zenodo(archive, **options) -> Zenodo:
    return Zenodo(quick(**options), archive.url)


def entries(root: Path) -> list[str]:
    """Return the names in a data folder except its work folder."""
    return sorted(path.name for path in root.iterdir() if path.name != ".ssd-bench") if root.exists() else []


def is_right(root: Path) -> bool:
    folder = root / "WISDM"
    return (
        sorted(path.name for path in folder.iterdir()) == ["WISDM_TEST.ts", "WISDM_TRAIN.ts", "WISDM_checksums.json"]
        and (folder / "WISDM_TRAIN.ts").read_text() == LONG
        and (folder / "WISDM_TEST.ts").read_text() == TEST
    )
