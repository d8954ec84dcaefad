"""The manifest of a dataset: ``NAME_checksums.json`` in its folder, with the checksums for later checks of the files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ssd_cli.archives.formats import extensions
from ssd_cli.errors import SsdBenchError

_FORMAT = 1


@dataclass(frozen=True)
class Check:
    """Size of a file in bytes, its MD5 (which archives publish) and its SHA-256 (safe against forgery), both hexadecimal."""

    size: int
    md5: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a dataset, their origin (address of the record or mirror), download date and digest of the arrays."""

    dataset: str
    origin: str
    date: str
    digest: str
    files: dict[str, Check] = field(default_factory=dict)

    @staticmethod
    def read(folder: Path, name: str) -> Manifest | None:
        """Read the manifest of a dataset's folder; return None if there is none, and raise SsdBenchError if it is damaged."""
        path = folder / manifest_name(name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SsdBenchError(f"{path} cannot be read: {error}.", "Expected a readable JSON file.") from error
        try:
            return parse_manifest(json.loads(text), name, str(folder))
        except ValueError as error:
            raise SsdBenchError(f"{path} is not a manifest: {error}.", "", f"Remove it, or fetch {name} again.") from error

    def write(self, folder: Path) -> None:
        """Write the manifest into a dataset's folder."""
        (folder / manifest_name(self.dataset)).write_text(self.to_json(), encoding="utf-8")

    def to_json(self) -> str:
        """Return the manifest as text."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n"

    def differences(self, folder: Path) -> list[str]:
        """Return a sentence for every file that differs."""
        wrong = []
        for name, check in self.files.items():
            path = folder / name
            if not path.is_file():
                wrong.append(f"{path} is missing.")
                continue
            found = check_of(path)
            if found != check:
                what = f"has {found.size} bytes, not {check.size}" if found.size != check.size else "has another checksum"
                wrong.append(f"{path} {what}: the file differs from the downloaded one.")
        return wrong


def manifest_name(name: str) -> str:
    """Return the file name of a dataset's manifest."""
    return f"{name}_checksums.json"


def file_names(name: str) -> set[str]:
    """Return all names that a file of a dataset may have."""
    parts = {f"{name}_{part}{extension}" for part in ("TRAIN", "TEST") for extension in extensions()}
    return {*parts, *subject_names(name)}


def subject_names(name: str) -> list[str]:
    """Return the names of the files of subjects."""
    return [f"{name}_subjects_train.csv", f"{name}_subjects_test.csv"]


def check_of(path: Path) -> Check:
    """Read a file once and return its size and checksums."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            md5.update(chunk)
            sha256.update(chunk)
    return Check(path.stat().st_size, md5.hexdigest(), sha256.hexdigest())


def parse_manifest(document: Any, name: str, where: str) -> Manifest:
    """Convert the JSON of a manifest from `where`, perhaps another machine; raise SsdBenchError unless it fits the dataset."""
    try:
        if document["format"] != _FORMAT or document["dataset"] != name:
            raise ValueError("it is of another dataset or format")
        files = {file: Check(check["size"], check["md5"], check["sha256"]) for file, check in document["files"].items()}
        for file, check in files.items():
            if file not in file_names(name):
                raise ValueError(f"'{ascii(file)[1:-1]}' is not the name of a file of {name}")
            sums = re.fullmatch(r"[0-9a-f]{32} [0-9a-f]{64}", f"{check.md5} {check.sha256}")
            if type(check.size) is not int or check.size < 0 or sums is None:
                raise ValueError(f"the size or checksum of {file} is malformed")
        texts = {key: str(document.get(key, "")) for key in ("origin", "date", "digest")}
        return Manifest(name, files=files, **texts)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SsdBenchError(
            f"The manifest of {name} in {where} cannot be used: {error}.", "Expected a manifest that ssd-bench wrote."
        ) from error
