"""Find the files of a dataset: the data folders in the order of the search, and the names of the files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ssd_cli.archives.formats import extensions
from ssd_cli.errors import MisuseError, SsdBenchError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class DatasetFiles:
    """The files of a dataset in one known format; the files of subjects are both present or both absent."""

    train: Path
    test: Path
    train_subjects: Path | None = None
    test_subjects: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder that holds the files."""
        return self.train.parent

    @property
    def files(self) -> list[Path]:
        """All files, in a fixed order."""
        return [path for path in (self.train, self.test, self.train_subjects, self.test_subjects) if path is not None]


def check_name(name: str) -> str:
    """Return `name` if it is a safe name of a folder, since paths of data and results include it."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise MisuseError(
            f"{name!a} cannot be the name of a dataset.",
            "Expected letters, digits and _ . + - only, beginning with a letter or digit.",
        )
    return name


def bundled_root() -> Path | None:
    """Return the folder of the problems that aeon ships; aeon is not imported."""
    specification = find_spec("aeon")
    if specification is None or not specification.submodule_search_locations:
        return None
    return Path(specification.submodule_search_locations[0]) / "datasets" / "data"


def aeon_home() -> Path:
    """Return the folder into which aeon downloads: ``$AEON_DATA``, else ``~/aeon_data``."""
    return Path(os.path.expanduser(os.environ.get("AEON_DATA") or os.path.join("~", "aeon_data")))  # noqa: PTH111, PTH118


def user_roots(data_dirs: Sequence[Path] = ()) -> list[Path]:
    """Return the folders that the user named: `data_dirs`, then ``$SSD_BENCH_DATA``."""
    for folder in data_dirs:
        if not Path(folder).is_dir():
            raise MisuseError(f"The data folder {folder} does not exist.", "Expected a folder that holds NAME/NAME_TRAIN.*.")
    named = [Path(entry) for entry in os.environ.get("SSD_BENCH_DATA", "").split(os.pathsep) if entry]
    return [*map(Path, data_dirs), *named]


def roots(data_dirs: Sequence[Path] = ()) -> list[Path]:
    """Return all data folders in the order of the search: the user's, aeon's bundled problems, aeon's downloads."""
    bundled = bundled_root()
    return [*user_roots(data_dirs), *([bundled] if bundled else []), aeon_home()]


def folders(data_dirs: Sequence[Path] = (), whole: bool = True) -> list[str]:
    """Return the sorted names of the datasets in the user's folders and aeon's downloads, with incomplete ones unless `whole`."""
    found: set[str] = set()
    for root in [*user_roots(data_dirs), aeon_home()]:
        if root.is_dir():
            found.update(entry.name for entry in root.iterdir() if _NAME.fullmatch(entry.name) and _is_dataset(entry, whole))
    return sorted(found)


def locate(name: str, data_dirs: Sequence[Path] = ()) -> DatasetFiles | None:
    """Return the files of a dataset from the first folder that has them, or None; a missing part raises an SsdBenchError."""
    check_name(name)
    for root in roots(data_dirs):
        source = source_in(root / name, name)
        if source is not None:
            return source
    return None


def source_in(folder: Path, name: str) -> DatasetFiles | None:
    """Return the files of a dataset in one folder, or None; a missing part raises an SsdBenchError."""
    for extension in extensions():
        train, test = folder / f"{name}_TRAIN{extension}", folder / f"{name}_TEST{extension}"
        if not train.is_file() and not test.is_file():
            continue
        train_subjects, test_subjects = folder / f"{name}_subjects_train.csv", folder / f"{name}_subjects_test.csv"
        for here, there in ((train, test), (test, train), (train_subjects, test_subjects), (test_subjects, train_subjects)):
            if here.is_file() and not there.is_file():
                raise SsdBenchError(
                    f"{folder} holds {here.name} but no {there.name}.",
                    f"Expected both files of {name}.",
                    f"Complete the folder, or move {here.name} to another place.",
                )
        return DatasetFiles(train, test, train_subjects, test_subjects) if train_subjects.is_file() else DatasetFiles(train, test)
    return None


def misplaced(name: str, roots: Sequence[Path]) -> MisuseError | None:
    """Return the error for a data folder that holds the files of a dataset directly, not in a folder NAME; else None."""
    for root in roots:
        if any((root / f"{name}_TRAIN{extension}").is_file() for extension in extensions()):
            is_dataset_folder = root.resolve().name == name
            return MisuseError(
                f"The data folder {root} holds the files of {name} directly.",
                f"Expected a folder per dataset: {name}/{name}_TRAIN.*.",
                f"Name its parent: --data-dir {root.resolve().parent}"
                if is_dataset_folder
                else f"Move the files into {root / name}/.",
            )
    return None


def _is_dataset(folder: Path, whole: bool) -> bool:
    enough = all if whole else any
    return any(
        enough((folder / f"{folder.name}_{part}{extension}").is_file() for part in ("TRAIN", "TEST")) for extension in extensions()
    )
