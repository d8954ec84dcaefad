"""Install a dataset's files into a data folder in one step, after they have been checked; one process at a time."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.cache import entry_path, write_entry
from ssd_cli.archives.locate import check_name, source_in
from ssd_cli.archives.manifest import Manifest, check_of, file_names, manifest_name, subject_names
from ssd_cli.archives.read import read_source
from ssd_cli.archives.verify import check_size, plain_digest
from ssd_cli.core.atomic import writing_to
from ssd_cli.core.claims import Claims
from ssd_cli.errors import SsdBenchError


def work_folder(root: Path) -> Path:
    """Return the folder for incomplete files inside a data folder. Its dot keeps it apart from the names of datasets."""
    return root / ".ssd-bench"


def install(
    name: str,
    root: Path,
    fill: Callable[[Path], str],
    force: bool = False,
    checksummed: Callable[[], bool] = lambda: True,
    pulse: Callable[[], None] = lambda: None,
    download: bool = False,
) -> bool:
    """Install a dataset in the data folder `root`; return False if it was already installed. Other files in its folder stay.

    Parameters
    ----------
    fill : callable
        Puts the files into the given folder and returns their origin. The folder may hold parts of an interrupted download.
    force : bool
        Replace an installed dataset, or other files with its file names. Without it such files raise an SsdBenchError.
    checksummed : callable
        Called after `fill`: whether it checked published checksums. If not, the arrays must have the known digest, if any.
    pulse : callable
        Called repeatedly while another process holds the lock; it may raise to give up.
    download : bool
        Whether the files come from an archive. Then `fill` can resume, half a dataset (as aeon's failed downloads leave it) is
        replaced without `force`, and installed files of subjects stay if they match the cases.
    """
    target, staging = root / check_name(name), work_folder(root) / name
    with on_disk(root), locked(root, name, pulse):
        _recover(target, name)
        if not force and _is_whole(target, name):
            return False
        _refuse_loss(target, name, force, download)
        if not download and staging.exists():
            shutil.rmtree(staging)  # a failed attempt may have left files of other data
        staging.mkdir(parents=True, exist_ok=True)
        origin = fill(staging)
        for path in staging.iterdir():
            if path.name not in file_names(name):
                path.unlink()  # partial files, or an old manifest
        keep_subjects = download and (not force or name in catalog.names())  # the cases are the same under these conditions
        carried = _carry_subjects(target, staging, name) if keep_subjects else []
        with _undone(staging, target, carried):
            _check(name, staging, origin, checksummed())
        _exchange(staging, target, name)
    return True


@contextlib.contextmanager
def locked(root: Path, name: str, pulse: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of one dataset of a data folder; `pulse` is called repeatedly while another process or thread holds it."""
    key = name.replace(".", "_")  # two names with one key only wait for each other
    with Claims(work_folder(root) / ".locks").wait(key, name, pulse):  # names of datasets do not begin with a dot
        yield


def on_disk(root: Path) -> contextlib.AbstractContextManager[None]:
    """Raise a `StorageError` that names the data folder if the operating system refuses to write."""
    return writing_to(root, "another folder (--to or $AEON_DATA)", "what has arrived is kept")


def _carry_subjects(target: Path, staging: Path, name: str) -> list[str]:
    """Copy the installed files of subjects, which are then checked against the new cases; return their names."""
    carried = [file for file in subject_names(name) if (target / file).is_file() and not (staging / file).exists()]
    for file in carried:
        shutil.copy2(target / file, staging)
    return carried


def _check(name: str, folder: Path, origin: str, checksummed: bool) -> None:
    """Read the files, compare them with the catalogue, and write the manifest."""
    source = source_in(folder, name)
    if source is None:
        raise SsdBenchError(f"{origin} has no files of {name}.")
    dataset = read_source(name, source)
    check_size(dataset, folder)
    known = catalog.known_digest(name)
    if not checksummed and known and plain_digest(dataset) != known:
        raise SsdBenchError(
            f"The values of {name} from {origin} differ from those that this release knows.", f"Expected the digest {known}."
        )
    write_entry(entry_path(name, source), dataset)  # the entry depends on the content, so it is valid in the final folder too
    files = {path.name: check_of(path) for path in source.files}
    Manifest(name, origin, date.today().isoformat(), dataset.digest, files).write(folder)
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _exchange(staging: Path, target: Path, name: str) -> None:
    """Rename the finished folder to its final name; after a kill at any moment `_recover` can finish or undo the exchange."""
    if target.is_symlink():
        target.unlink()  # removes a link only; its target stays
    if not target.exists():
        staging.rename(target)
        return
    target.rename(_replaced(target))
    staging.rename(target)
    _bring_back(target, name)


def _recover(target: Path, name: str) -> None:
    """Undo or finish an interrupted exchange."""
    old = _replaced(target)
    if old.exists() and not target.exists():
        old.rename(target)
    elif old.exists():
        _bring_back(target, name)


def _replaced(target: Path) -> Path:
    """Return the temporary name of a folder that is being replaced; the lock permits one such folder."""
    return work_folder(target.parent) / f".{target.name}.old"


def _bring_back(target: Path, name: str) -> None:
    """Remove the dataset's files from the replaced folder and move all others to the new one."""
    old = _replaced(target)
    replaced = {path for path in map(old.joinpath, (*file_names(name), manifest_name(name))) if path.is_file() or path.is_symlink()}
    others = [path for path in old.iterdir() if path not in replaced]
    if not _is_whole(target, name) or any((target / path.name).exists() for path in others):  # the user changed it after the kill
        raise SsdBenchError(
            f"{old} holds the content of {target} before an interrupted replacement, and {target} has changed since.",
            "Nothing was removed.",
            f"Move the files that you need from {old} to {target}, delete {old}, and run the same command again.",
        )
    for path in replaced:
        path.unlink()
    for path in others:
        path.rename(target / path.name)
    old.rmdir()


def _refuse_loss(target: Path, name: str, force: bool, download: bool) -> None:
    """Raise SsdBenchError if the installation would replace files that may be the only copy of a dataset."""
    if target.exists() and not target.is_dir():
        raise SsdBenchError(f"{target} is a file.", f"Expected a folder of {name}, or nothing.", "Move the file to another place.")
    there = file_names(name) & {path.name for path in target.iterdir()} if target.exists() else set()
    parts = {f"{name}_TRAIN.ts", f"{name}_TEST.ts"}
    if download and not parts <= there:  # aeon's failed downloads leave one part
        there -= {*parts, *subject_names(name)}
    if there and not force:
        raise SsdBenchError(
            f"{target} holds {', '.join(sorted(there))}, but not a complete dataset.",
            "Nothing was changed.",
            "Complete the folder, move its files to another place, or use --force to replace them.",
        )


def _is_whole(folder: Path, name: str) -> bool:
    try:
        return source_in(folder, name) is not None
    except SsdBenchError:  # one part only, as aeon's failed downloads leave it
        return False


@contextlib.contextmanager
def _undone(staging: Path, target: Path, carried: list[str]) -> Iterator[None]:
    """Remove complete but unusable files after an error, whose text then names `carried` files by their path in `target`."""
    try:
        yield
    except SsdBenchError as error:
        shutil.rmtree(staging, ignore_errors=True)
        texts = [error.what, error.expected, error.remedy]
        for file in carried:
            texts = [text.replace(str(staging / file), str(target / file)) for text in texts]
        raise SsdBenchError(*texts) from error
