"""One file for a machine without a network: a zip of dataset folders with their receipts."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from ssd_cli.archives.place import place
from ssd_cli.archives.receipt import Receipt, check_of, parse_receipt, receipt_name
from ssd_cli.archives.sources import Source, check_name, locate, roots
from ssd_cli.archives.unpack import extract, open_zip
from ssd_cli.archives.verify import verify
from ssd_cli.core.atomic import replacing
from ssd_cli.errors import SsdBenchError

_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The same datasets make the same file."""
_SHOWN = 10


def bundle(
    names: Sequence[str], out: Path, data_dirs: Sequence[Path] = (), tell: Callable[[str], None] = lambda name: None
) -> None:
    """Verify datasets, all of them before the first is written, and write them into one file.

    Parameters
    ----------
    names : sequence of str
    out : Path
        A ``.zip``; it appears when it is complete.
    data_dirs : sequence of Path
        Folders of datasets, searched first.
    tell : callable
        Told the name of every dataset that is in the file.

    Raises
    ------
    SsdBenchError
        Datasets are absent or not what they claim to be.
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
            "Only datasets that are here and verified go into a bundle.",
            "See: ssd-bench data download, ssd-bench data verify",
        )
    with replacing(out) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source, receipt in ready:
            _add(archive, name, source, receipt)
            tell(name)


def unbundle(path: Path, root: Path, force: bool = False, tell: Callable[[str, bool], None] = lambda name, new: None) -> list[str]:
    """Bring the datasets of a bundle into a data folder, each checked before it appears there.

    Parameters
    ----------
    path : Path
    root : Path
    force : bool
        Replace datasets that are there.
    tell : callable
        Told every name, and whether the dataset is new.

    Returns
    -------
    list of str
        The datasets of the bundle.

    Raises
    ------
    SsdBenchError
        It is no bundle, is damaged, or tries to write elsewhere.
    """
    with open_zip(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        names = sorted(folder for folder, _, file in (name.partition("/") for name in infos) if file == receipt_name(folder))
        if not names:
            raise SsdBenchError(f"{path} is no bundle.", "Expected a file that 'ssd-bench data bundle' wrote.")
        for name in names:
            member = infos[f"{name}/{receipt_name(check_name(name))}"]
            try:
                receipt = parse_receipt(json.loads(archive.read(member)), name, str(path))
            except ValueError as error:
                raise SsdBenchError(f"{path}: the receipt of {name} is damaged: {error}.") from error

            def fill(folder: Path, name: str = name, receipt: Receipt = receipt) -> str:
                for file in receipt.files:
                    if f"{name}/{file}" not in infos:
                        raise SsdBenchError(f"{path} lacks {name}/{file}.")
                    extract(archive, infos[f"{name}/{file}"], folder / file)
                wrong = receipt.differences(folder)
                if wrong:
                    shutil.rmtree(folder)
                    raise SsdBenchError(f"{path}: {wrong[0]}", "Expected the bytes that the bundle's receipt names.")
                return receipt.origin

            tell(name, place(name, root, fill, force))
    return names


def _verified(name: str, data_dirs: Sequence[Path]) -> tuple[Source, Receipt]:
    source = locate(name, data_dirs)
    if source is None:
        places = ", ".join(map(str, roots(data_dirs)))
        raise SsdBenchError(f"{name} is not on this machine.", f"Looked in {places}.", "See: ssd-bench data download")
    finding = verify(name, source)
    if finding.wrong:
        raise SsdBenchError(finding.wrong[0], "Only verified datasets go into a bundle.", f"See: ssd-bench data verify {name}")
    receipt = Receipt.read(source.folder, name)
    if receipt is None or set(receipt.files) != {path.name for path in source.files}:
        files = {path.name: check_of(path) for path in source.files}
        receipt = Receipt(name, "a folder without a receipt", date.today().isoformat(), finding.digest, files)
    return source, receipt


def _add(archive: zipfile.ZipFile, name: str, source: Source, receipt: Receipt) -> None:
    for path in source.files:
        info = zipfile.ZipInfo(f"{name}/{path.name}", _NO_TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.file_size = path.stat().st_size  # tells zipfile whether it needs the format of large files
        with path.open("rb") as content, archive.open(info, "w") as packed:
            shutil.copyfileobj(content, packed, 2**20)
    archive.writestr(zipfile.ZipInfo(f"{name}/{receipt_name(name)}", _NO_TIME), receipt.to_json())
