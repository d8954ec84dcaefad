"""Compare an installed dataset with its manifest and with the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.dataset import Dataset, digest_of_parts
from ssd_cli.archives.locate import DatasetFiles, locate
from ssd_cli.archives.manifest import Manifest
from ssd_cli.archives.read import read_source
from ssd_cli.errors import MisuseError, SsdBenchError


@dataclass(frozen=True)
class Finding:
    """The result of verifying one dataset.

    `wrong` has a sentence for every wrong file; `checked` lists the checks ("checksums", "size", "digest"). `digest` is the digest
    of the arrays; it is empty if they could not be read.
    """

    name: str
    folder: Path
    wrong: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    note: str = ""
    digest: str = ""


def verify(name: str, source: DatasetFiles) -> Finding:
    """Read a dataset's files, without the cache, and compare them with the manifest and the catalogue."""
    wrong, checked, note = [], [], ""
    manifest = None
    try:
        manifest = Manifest.read(source.folder, name)
        if manifest is not None:
            wrong += manifest.differences(source.folder)
            checked.append("checksums")
        dataset = read_source(name, source)
        if catalog.size(name) is not None:
            checked.append("size")
        check_size(dataset, source.folder)
    except SsdBenchError as error:
        return Finding(name, source.folder, [*wrong, f"{error.what} {error.expected}".strip()], checked)
    known = catalog.known_digest(name)
    if known:
        checked.append("digest")
        if plain_digest(dataset) != known:
            what = f"the values in {source.folder} differ from those that this release was tested with"
            if manifest is not None and not wrong and manifest.origin.startswith("https://zenodo.org/"):
                note = f"{what}, but the files are as {manifest.origin} published them: the archive may have a new version"
            else:
                wrong.append(f"{what[0].upper()}{what[1:]} (digest {plain_digest(dataset)}, expected {known}).")
    return Finding(name, source.folder, wrong, checked, note, dataset.digest)


def verify_named(name: str, data_dirs: Sequence[Path] = ()) -> Finding | None:
    """Find and verify a dataset; None if it is absent. An incomplete or unreadable folder is a finding."""
    try:
        source = locate(name, data_dirs)
        return None if source is None else verify(name, source)
    except MisuseError:  # the command is wrong, not the dataset
        raise
    except SsdBenchError as error:
        return Finding(name, Path(name), [f"{error.what} {error.expected}".strip()])
    except OSError as error:
        return Finding(name, Path(name), [f"{error.filename or name} cannot be read: {error.strerror or error}."])


def check_size(dataset: Dataset, folder: Path, remedy: str = "") -> None:
    """Raise SsdBenchError if a dataset of an archive has another size than the published one; `remedy` replaces the default.

    A file that was cut at the end of a line is a valid file with fewer cases; only the published size reveals it.
    """
    published = catalog.size(dataset.name)
    if published is None:
        return
    train, test = dataset.train, dataset.test
    lengths = {*train.lengths.tolist(), *test.lengths.tolist()}
    found = {
        "n_train": train.n_cases,
        "n_test": test.n_cases,
        "n_channels": train.n_channels,
        "n_timepoints": max(lengths),
        "n_classes": len(dataset.classes),
        "equal_length": len(lengths) == 1,
        "missing": train.missing or test.missing,
        "shortest": min(lengths),
    }
    for key, value in found.items():
        expected = getattr(published, key)
        if expected is not None and value != expected:
            raise SsdBenchError(
                f"{dataset.name} in {folder}: {key} is {str(value).lower()}.",
                f"The archive's {dataset.name} has {key} {str(expected).lower()}; the files are cut, changed or mixed up.",
                remedy or f"Remove {folder} and get the files again, or rename the folder and its files to a name of no archive.",
            )


def plain_digest(dataset: Dataset) -> str:
    """Return the digest without subjects, as in the catalogue."""
    return digest_of_parts(replace(dataset.train, groups=None), replace(dataset.test, groups=None))
