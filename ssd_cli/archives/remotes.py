"""Remotes: sources of dataset files, namely Zenodo, its mirrors and MONSTER."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np

from ssd_cli.archives import catalog
from ssd_cli.archives.locate import check_name, source_in
from ssd_cli.archives.manifest import Manifest, manifest_name, parse_manifest
from ssd_cli.archives.request_errors import RemoteFileMissing, TransferError
from ssd_cli.archives.transport import RemoteFile, Transport
from ssd_cli.errors import MisuseError, SsdBenchError

ZENODO = "https://zenodo.org"


class Remote(ABC):
    """A source of datasets."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @abstractmethod
    def files(self, name: str) -> list[RemoteFile]:
        """List the files of a dataset; raise SsdBenchError if there are none."""

    @abstractmethod
    def page(self, name: str) -> str:
        """Return the address to cite as the origin of a dataset."""

    def download(self, file: RemoteFile, target: Path, on_bytes: Callable[[int], None]) -> None:
        """Fetch one of `files`; the arguments are those of `Transport.download`."""
        self.transport.download(file, target, on_bytes)


class Zenodo(Remote):
    """The records of Zenodo at the address `base`, which defaults to ``$SSD_BENCH_ZENODO`` or zenodo.org."""

    def __init__(self, transport: Transport, base: str | None = None) -> None:
        super().__init__(transport)
        self._base = (base or os.environ.get("SSD_BENCH_ZENODO") or ZENODO).rstrip("/")

    def files(self, name: str) -> list[RemoteFile]:
        """List ``NAME_TRAIN.ts`` and ``NAME_TEST.ts`` of the record, not its ``_eq`` and ``_nmv`` variants."""
        record = catalog.record_of(check_name(name))
        if record is None:
            raise SsdBenchError(
                f"The catalogue lists no Zenodo record for the dataset '{name}'.",
                "Expected a dataset with a download.",
                "Get the files by hand, and name the folder that holds them with --data-dir.",
            )
        recorded = self.record(record)
        wanted = [f"{name}_TRAIN.ts", f"{name}_TEST.ts"]
        for file in wanted:
            if file not in recorded:
                listed = ", ".join(sorted(recorded)[:10]) or "no usable file"
                raise TransferError(
                    f"The Zenodo record of {name} ({self.page_of(record)}) holds no {file}.", f"The record holds: {listed}."
                )
        return [recorded[file] for file in wanted]

    def page(self, name: str) -> str:
        """Return the address of the record."""
        return self.page_of(catalog.record_of(name) or 0)

    def page_of(self, record: int) -> str:
        """Return the address of a record."""
        return f"{self._base}/records/{record}"

    def record(self, number: int) -> dict[str, RemoteFile]:
        """Return the files of a record by name, except those whose names are not plain file names."""
        url = f"{self._base}/api/records/{number}"
        answer = self.transport.json(url)
        listed = answer.get("files") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise TransferError(f"{url} does not describe a Zenodo record.", "Expected a list of files.", "Try again later.")
        files = (_remote_file(item, url) for item in listed)
        return {file.name: file for file in files if file is not None}


class WebMirror(Remote):
    """A data folder on a web server: ``URL/NAME/NAME_checksums.json`` and the files that this manifest lists."""

    def __init__(self, transport: Transport, base: str) -> None:
        super().__init__(transport)
        self._base = base.rstrip("/")

    def files(self, name: str) -> list[RemoteFile]:
        """List the files in the dataset's manifest."""
        url = f"{self._base}/{check_name(name)}/{manifest_name(name)}"
        try:
            manifest = parse_manifest(self.transport.json(url), name, self._base)
        except RemoteFileMissing as error:
            raise SsdBenchError(
                f"The mirror {self._base} has no {name}.",
                f"Expected the file {url}.",
                f"Fill the folder of the mirror with: ssd-bench data download --dataset {name} --to FOLDER",
            ) from error
        return [
            RemoteFile(file, f"{self._base}/{name}/{quote(file)}", check.size, check.md5) for file, check in manifest.files.items()
        ]

    def page(self, name: str) -> str:
        """Return the address of the dataset's folder."""
        return f"{self._base}/{name}"


class FolderMirror(Remote):
    """A data folder on a disk."""

    def __init__(self, transport: Transport, root: Path) -> None:
        super().__init__(transport)
        self._root = root

    def files(self, name: str) -> list[RemoteFile]:
        """List the files of the dataset, with checksums if the folder has a manifest."""
        folder = self._root / check_name(name)
        source = source_in(folder, name)
        if source is None:
            raise SsdBenchError(
                f"The mirror {self._root} has no {name}.",
                f"Expected {folder}/{name}_TRAIN.ts and {name}_TEST.ts.",
                "Name another folder or address with --mirror.",
            )
        manifest = Manifest.read(folder, name)
        checks = {} if manifest is None else manifest.files
        found = []
        for path in source.files:
            check = checks.get(path.name)
            url = path.absolute().as_uri()
            found.append(RemoteFile(path.name, url, check.size, check.md5) if check else RemoteFile(path.name, url))
        return found

    def page(self, name: str) -> str:
        """Return the folder."""
        return str(self._root / name)


class Monster(Remote):
    """Folds of MONSTER's datasets (Dempster et al. 2025), fetched through aeon's loader."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._loaded: dict[str, dict[str, tuple[Any, Any]]] = {}

    @staticmethod
    def dataset(name: str, fold: int) -> str:
        """Return the name of the dataset that a fold becomes. MONSTER keeps the cases of a known subject in one fold."""
        return f"MONSTER-{name}-fold{fold}"

    def files(self, name: str) -> list[RemoteFile]:
        """List the two parts of a fold."""
        return [RemoteFile(f"{name}_{part}.npz", self.page(name)) for part in ("TRAIN", "TEST")]

    def page(self, name: str) -> str:
        """Return the address of the dataset, and the fold."""
        return f"https://huggingface.co/datasets/monster-monash/{catalog.monster_name(name)}, fold {_fold(name)}"

    def download(self, file: RemoteFile, target: Path, on_bytes: Callable[[int], None]) -> None:
        """Write one part of a fold; raise SsdBenchError if huggingface-hub or the data are not available."""
        name, _, part = target.stem.rpartition("_")
        if name not in self._loaded:
            self._loaded = {name: _load_monster(catalog.monster_name(name), _fold(name))}
        X, y = self._loaded[name][part]
        np.savez(target, X=X, y=y)
        on_bytes(target.stat().st_size)


def _load_monster(name: str | None, fold: int) -> dict[str, tuple[Any, Any]]:
    from aeon.datasets import load_monster_dataset

    try:
        X_train, y_train, X_test, y_test = load_monster_dataset(name, fold)
    except ModuleNotFoundError as error:
        raise SsdBenchError(
            "Downloads from MONSTER need huggingface-hub, which is not installed.", "", "pip install 'ssd-bench[har]'"
        ) from error
    except Exception as error:  # the hub, the network and the loader have no common error
        raise SsdBenchError(
            f"Fold {fold} of MONSTER's dataset {name} could not be downloaded: {type(error).__name__}: {error}.",
            "Expected one of the datasets listed at https://huggingface.co/monster-monash.",
            "Check the name and the network, then run the same command again.",
        ) from error
    return {"TRAIN": (X_train, y_train), "TEST": (X_test, y_test)}


def _fold(name: str) -> int:
    return int(name.rpartition("-fold")[2])


def choose_remote(mirror: str | None = None, transport: Transport | None = None) -> Remote:
    """Return the remote for `mirror` (a URL or a folder), else for ``$SSD_BENCH_MIRROR``, else Zenodo."""
    transport = transport or Transport()
    mirror = mirror or os.environ.get("SSD_BENCH_MIRROR")
    if not mirror:
        return Zenodo(transport)
    address = _web_address(mirror)
    if address is not None:
        return WebMirror(transport, address)
    folder = Path(os.path.expanduser(mirror))  # noqa: PTH111 - the method of paths fails for an unknown user
    if folder.is_dir():
        return FolderMirror(transport, folder)
    raise MisuseError(
        f"The mirror {mirror} is neither a web address nor a folder.",
        "Expected http://..., https://... or a folder.",
        "Correct --mirror or $SSD_BENCH_MIRROR.",
    )


def offline() -> bool:
    """Return whether ``$SSD_BENCH_OFFLINE`` forbids the network."""
    return os.environ.get("SSD_BENCH_OFFLINE", "") not in ("", "0")


def _web_address(text: str) -> str | None:
    """Return a web address with blanks and non-ASCII letters quoted, or None if the text is not a web address."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:  # urlsplit rejects brackets without an address, and a port that is not a number
        return None
    return urlunsplit(parts._replace(path=quote(parts.path, safe="/%:@!$&'()*+,;=~"))) if usable else None


def _remote_file(item: Any, record: str) -> RemoteFile | None:
    """Convert a file's description in the `record` at an address; return None if it cannot be a file of a dataset."""
    links = item.get("links") if isinstance(item, dict) else None
    if not isinstance(links, dict):
        return None
    name, url = item.get("key") or item.get("filename"), links.get("self") or links.get("download")
    if not isinstance(name, str) or not isinstance(url, str) or Path(name).name != name or "\\" in name or not name.isprintable():
        return None
    address = _web_address(url)
    if address is None:
        return None
    size, checksum = item.get("size", item.get("filesize")), str(item.get("checksum", "")).lower()
    md5 = re.fullmatch(r"(?:md5:)?([0-9a-f]{32})", checksum)
    if not isinstance(size, int) or size < 0 or md5 is None:
        raise TransferError(
            f"The Zenodo record {record} gives no size or MD5 of {ascii(name)[1:-1]}.", "Both are needed to check the download."
        )
    return RemoteFile(name, address, size, md5[1])
