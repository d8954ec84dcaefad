"""Bundles: zips of dataset folders with their manifests, for machines without a network."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from ssd_cli.archives.install import install
from ssd_cli.archives.locate import DatasetFiles, check_name, locate, roots
from ssd_cli.archives.manifest import Manifest, check_of, manifest_name, parse_manifest
from ssd_cli.archives.unpack import extract, open_zip
from ssd_cli.archives.verify import verify
from ssd_cli.core.atomic import replacing
from ssd_cli.errors import SsdBenchError

_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""Time stamp of all members; a fixed one, so that the same datasets give the same file."""
_SHOWN = 10


def bundle(
    names: Sequence[str], out: Path, data_dirs: Sequence[Path] = (), on_written: Callable[[str], None] = lambda name: None
) -> None:
    """Verify datasets and write them into one file; `on_written` is called with the name of each.

    An absent dataset, or one that fails the verification, raises an SsdBenchError, and nothing is written.
    """
    ready, wrong = [], []
    for name in names:
        try:
            ready.append((name, *_verified(name, data_dirs)))
        except SsdBenchError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise SsdBenchError(
            f"{len(wrong)} of {len(names)} datasets cannot go into a bundle:\n"
            + "\n".join(f"  {error.what}" for error in wrong[:_SHOWN])
            + (f"\n  … and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""),
            "A bundle holds verified datasets only.",
            "See: ssd-bench data download, ssd-bench data verify",
        )
    with replacing(out) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source, manifest in ready:
            _add(archive, name, source, manifest)
            on_written(name)


def unbundle(
    path: Path, root: Path, force: bool = False, on_installed: Callable[[str, bool], None] = lambda name, new: None
) -> list[str]:
    """Check and install each dataset of a bundle, and return their names.

    `on_installed` is called with every name and whether the dataset is new; `force` replaces installed datasets. A damaged or
    hostile file raises an SsdBenchError.
    """
    with open_zip(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        names = sorted(folder for folder, _, file in (name.partition("/") for name in infos) if file == manifest_name(folder))
        if not names:
            raise SsdBenchError(f"{path} is not a bundle.", "Expected a file that 'ssd-bench data bundle' wrote.")
        for name in names:
            member = infos[f"{name}/{manifest_name(check_name(name))}"]
            try:
                manifest = parse_manifest(json.loads(archive.read(member)), name, str(path))
            except ValueError as error:
                raise SsdBenchError(f"{path}: the manifest of {name} is damaged: {error}.") from error

            def fill(folder: Path, name: str = name, manifest: Manifest = manifest) -> str:
                for file in manifest.files:
                    if f"{name}/{file}" not in infos:
                        raise SsdBenchError(f"{path} lacks {name}/{file}.")
                    extract(archive, infos[f"{name}/{file}"], folder / file)
                wrong = manifest.differences(folder)
                if wrong:
                    shutil.rmtree(folder)
                    raise SsdBenchError(f"{path}: {wrong[0]}", "Expected the bytes that the bundle's manifest names.")
                return manifest.origin

            on_installed(name, install(name, root, fill, force))
    return names


def _verified(name: str, data_dirs: Sequence[Path]) -> tuple[DatasetFiles, Manifest]:
    source = locate(name, data_dirs)
    if source is None:
        places = ", ".join(map(str, roots(data_dirs)))
        raise SsdBenchError(f"{name} is not on this machine.", f"Searched {places}.", "See: ssd-bench data download")
    finding = verify(name, source)
    if finding.wrong:
        raise SsdBenchError(finding.wrong[0], "A bundle holds verified datasets only.", f"See: ssd-bench data verify {name}")
    manifest = Manifest.read(source.folder, name)
    if manifest is None or set(manifest.files) != {path.name for path in source.files}:
        files = {path.name: check_of(path) for path in source.files}
        manifest = Manifest(name, "a folder without a manifest", date.today().isoformat(), finding.digest, files)
    return source, manifest


def _add(archive: zipfile.ZipFile, name: str, source: DatasetFiles, manifest: Manifest) -> None:
    for path in source.files:
        info = zipfile.ZipInfo(f"{name}/{path.name}", _NO_TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.file_size = path.stat().st_size  # zipfile needs it to choose the format of large files
        with path.open("rb") as content, archive.open(info, "w") as packed:
            shutil.copyfileobj(content, packed, 2**20)
    archive.writestr(zipfile.ZipInfo(f"{name}/{manifest_name(name)}", _NO_TIME), manifest.to_json())
