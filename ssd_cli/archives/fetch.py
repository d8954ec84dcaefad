"""Download datasets, one or several at once, from Zenodo or a mirror; files are checked before they are installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from zipfile import ZipInfo

from ssd_cli.archives import catalog
from ssd_cli.archives.install import install, locked, on_disk, work_folder
from ssd_cli.archives.remotes import Remote, Zenodo
from ssd_cli.archives.request_errors import TransferError
from ssd_cli.archives.transport import TransferStopped
from ssd_cli.archives.unpack import extract, members, open_zip
from ssd_cli.core.atomic import DiskFull
from ssd_cli.errors import SsdBenchError


class Watcher:
    """Observer of downloads that shows nothing; several threads call its methods."""

    def started(self, name: str, n_bytes: int | None) -> None:
        """Receive the start of a download."""

    def advanced(self, name: str, n_bytes: int) -> None:
        """Receive the number of new bytes; negative if a transfer starts again."""

    def finished(self, name: str, error: SsdBenchError | None) -> None:
        """Receive the end of a download, with its error, if any."""


def fetch_one(name: str, root: Path, remote: Remote, force: bool = False, watcher: Watcher | None = None) -> bool:
    """Install one dataset from a remote; return False if it was already installed."""
    watcher = watcher or Watcher()
    checksummed = True

    def fill(folder: Path) -> str:
        nonlocal checksummed
        files = remote.files(name)
        checksummed = all(file.md5 for file in files)
        _keep_only(folder, [file.name for file in files])
        sizes = [file.size for file in files if file.size is not None]
        _check_room(root, sum(sizes) - sum(path.stat().st_size for path in folder.iterdir()))
        watcher.started(name, sum(sizes) if len(sizes) == len(files) else None)
        for file in files:
            remote.download(file, folder / file.name, lambda n: watcher.advanced(name, n))
        return remote.page(name)

    return install(name, root, fill, force, lambda: checksummed, remote.transport.check, download=True)


def fetch_many(
    names: Iterable[str], root: Path, remote: Remote, watcher: Watcher, jobs: int = 4, force: bool = False
) -> dict[str, SsdBenchError]:
    """Install datasets from a remote, several at once; return the errors by dataset."""
    failed: dict[str, SsdBenchError] = {}

    def one(name: str) -> None:
        try:
            fetch_one(name, root, remote, force, watcher)
        except SsdBenchError as error:
            failed[name] = error
        except TransferStopped:
            raise
        except Exception as error:  # whatever one answer or file does, the other datasets are downloaded
            failed[name] = _unexpected(name, error)
        watcher.finished(name, failed.get(name))

    with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="download") as pool:
        waiting: set[Future[None]] = {pool.submit(one, name) for name in names}
        try:
            while waiting:  # short steps let Ctrl-C interrupt the wait
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        except BaseException:
            remote.transport.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


def zip_path(archive: str, root: Path) -> Path:
    """Return the path of an archive's zip, which exists until its datasets are unpacked."""
    return work_folder(root) / f"{archive}.zip"


def fetch_zip(archive: str, names: Sequence[str], root: Path, remote: Zenodo, watcher: Watcher) -> list[str]:
    """Install datasets from the zip of a whole archive; return the datasets that the zip lacks or holds in unusable form.

    A full disk raises `DiskFull`, and the download stays; a zip that is not safe to unpack raises another SsdBenchError.
    """
    record, key = catalog.ZENODO_ZIPS[archive]
    label = f"{archive} (zip)"
    path = zip_path(archive, root)
    with on_disk(root), locked(root, path.name, remote.transport.check):
        file = remote.record(record).get(key)
        if file is None:
            raise TransferError(f"Zenodo's record {record} holds no file '{key}'.")
        have = sum(there.stat().st_size for there in path.parent.glob(f"{path.name}*"))
        _check_room(root, (file.size or 0) - have, " Or use --no-zip: single datasets need less room.")
        watcher.started(label, file.size)
        remote.transport.download(file, path, lambda n: watcher.advanced(label, n))
        try:
            left = _unpack(path, names, root, f"{remote.page_of(record)} ({key})", watcher)
        except DiskFull:
            raise  # keep the zip, which is complete
        except SsdBenchError:
            path.unlink()
            raise
        path.unlink()
        watcher.finished(label, None)
    return left


def _unpack(path: Path, names: Sequence[str], root: Path, page: str, watcher: Watcher) -> list[str]:
    left = []
    with open_zip(path) as archive:
        for name in names:
            files = members(archive, [f"{name}_TRAIN.ts", f"{name}_TEST.ts"])
            if len(files) < 2:
                left.append(name)
                continue

            def fill(folder: Path, files: dict[str, ZipInfo] = files) -> str:
                _keep_only(folder, files)
                _check_room(root, sum(info.file_size for info in files.values()))
                for file, info in files.items():
                    extract(archive, info, folder / file)
                return page

            try:
                install(name, root, fill, download=True)
                watcher.finished(name, None)
            except DiskFull:
                raise
            except TransferStopped:
                raise
            except Exception:  # the single download names the cause
                left.append(name)
    return left


def _unexpected(name: str, error: Exception) -> SsdBenchError:
    what = f"{name} cannot be installed: {type(error).__name__}: {str(error)[:200]}."
    return SsdBenchError(what, "Expected a dataset in the form of its archive.", "Report this, or use another --mirror.")


def _keep_only(folder: Path, names: Iterable[str]) -> None:
    """Remove other files of a failed attempt. Partial files stay, since their names include their checksums."""
    for path in folder.iterdir():
        if path.name not in names and path.suffix != ".part":
            path.unlink()


def _check_room(root: Path, n_bytes: int, otherwise: str = "") -> None:
    folder = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise DiskFull(
            f"The disk of {root} has {free / 1e6:.0f} MB left, the files need {n_bytes / 1e6:.0f} MB.",
            "",
            f"Free some space, or choose another folder.{otherwise}",
        )
