"""Is a dataset on this machine what it claims to be? Files against their manifest, arrays against the shipped table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssd_cli.archives import catalog
from ssd_cli.archives.check import check_size
from ssd_cli.archives.dataset import Dataset, digest_of_parts
from ssd_cli.archives.locate import Source, locate
from ssd_cli.archives.manifest import Manifest
from ssd_cli.archives.read import read_source
from ssd_cli.errors import MisuseError, SsdBenchError


@dataclass(frozen=True)
class Finding:
    """What was found of one dataset.

    Parameters
    ----------
    name : str
    folder : Path
    wrong : list of str
        What is wrong with which file; empty where all is well.
    checked : list of str
        Against what it was compared: "checksums", "size", "digest".
    note : str
        What is worth knowing without being wrong.
    digest : str
        Of the arrays, as records have it; empty where they could not be read.
    """

    name: str
    folder: Path
    wrong: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    note: str = ""
    digest: str = ""


def verify(name: str, source: Source) -> Finding:
    """Read a dataset's files anew, whatever the cache holds, and compare them with all that is known of it."""
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
            what = f"the values in {source.folder} are not those that this release was tested with"
            if manifest is not None and not wrong and manifest.origin.startswith("https://zenodo.org/"):
                note = f"{what}, but the files are as {manifest.origin} published them: the archive may have a new version"
            else:
                wrong.append(f"{what[0].upper()}{what[1:]} (digest {plain_digest(dataset)}, expected {known}).")
    return Finding(name, source.folder, wrong, checked, note, dataset.digest)


def verify_named(name: str, data_dirs: Sequence[Path] = ()) -> Finding | None:
    """Find a dataset and verify it; None where it is absent. An incomplete folder, or one that cannot be read, is a finding too."""
    try:
        source = locate(name, data_dirs)
        return None if source is None else verify(name, source)
    except MisuseError:  # of the command, not of the dataset
        raise
    except SsdBenchError as error:
        return Finding(name, Path(name), [f"{error.what} {error.expected}".strip()])
    except OSError as error:
        return Finding(name, Path(name), [f"{error.filename or name} cannot be read: {error.strerror or error}."])


def plain_digest(dataset: Dataset) -> str:
    """The digest without subjects, which is the one that the table has."""
    return digest_of_parts(replace(dataset.train, groups=None), replace(dataset.test, groups=None))
