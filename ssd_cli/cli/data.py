"""``ssd-bench data``: download, verify, describe, pack, unpack and add datasets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssd_cli.archives.formats import extensions
from ssd_cli.cli.console import plural, say, table, warn
from ssd_cli.cli.options import Archives, DataDirs, Datasets, completing
from ssd_cli.core.options import Option
from ssd_cli.errors import MisuseError, SsdBenchError, shortened

if TYPE_CHECKING:
    from ssd_cli.archives.locate import DatasetFiles
    from ssd_cli.archives.remotes import Remote

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

To = Annotated[Path | None, typer.Option("--to", help="Data folder; default $AEON_DATA or ~/aeon_data.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


@app.command(short_help="Fetch datasets, checked, into a data folder.")
def download(
    archive: Archives = None,
    dataset: Datasets = None,
    to: To = None,
    mirror: Annotated[str | None, typer.Option(help="URL or folder to fetch from; default $SSD_BENCH_MIRROR or Zenodo.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never touch the network; name what is absent.")] = False,
    jobs: Annotated[int, typer.Option(help="Downloads at once.", min=1, max=16)] = 4,
    zip_: Annotated[
        bool | None, typer.Option("--zip/--no-zip", help="The zip of the whole archive; default where most of it is absent.")
    ] = None,
    monster: Annotated[str | None, typer.Option(help="Dataset of MONSTER (needs the extra 'har').")] = None,
    fold: Annotated[int | None, typer.Option(help="Fold of MONSTER; default 0.", min=0, max=4, show_default=False)] = None,
    force: Force = False,
) -> None:
    """Download datasets; what is there already is left alone, what was interrupted goes on where it stopped."""
    from ssd_cli.archives import remotes
    from ssd_cli.archives.locate import aeon_home

    root = to or aeon_home()
    offline = offline or remotes.offline()
    if monster is not None:
        others = {"--archive": archive, "--dataset": dataset, "--mirror": mirror, "--zip/--no-zip": zip_}
        given = [option for option, value in others.items() if value not in (None, [])]
        if given:
            raise MisuseError(
                f"--monster cannot be combined with {' and '.join(given)}.", "Expected one dataset of MONSTER.", "Use two commands."
            )
        _download_monster(monster, fold or 0, root, offline, force)
        return
    if fold is not None:
        raise MisuseError("--fold has no effect without --monster.", "Expected --monster NAME, which has five folds.")
    wanted = _chosen(archive, dataset, [])
    names = wanted if force else [name for name in wanted if _source(name, to) is None]
    if len(names) < len(wanted):
        say(f"{plural(len(wanted) - len(names), 'dataset')} already here.")
    remote = remotes.choose_remote(mirror)
    if offline and not isinstance(remote, remotes.FolderMirror):
        if names:
            raise SsdBenchError(
                f"{plural(len(names), 'dataset')} not on this machine: {shortened(names)}.",
                "",
                "Without --offline they are downloaded; --mirror FOLDER and 'data import' need no network.",
            )
        return
    if isinstance(remote, remotes.Zenodo):
        names = _with_records(names, named=bool(dataset))
    failed = download_datasets(names, archive or [], root, remote, jobs, zip_, force)
    for names_of_one_error, error in _grouped(failed):
        warn(f"\n{names_of_one_error}: {error}")
    say(f"{plural(len(names) - len(failed), 'dataset')} in {root}{f', {len(failed)} failed' if failed else ''}.")
    if failed:
        raise typer.Exit(1)


@app.command(short_help="Compare datasets on this machine with what they should be.")
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Default: all that are here.", show_default=False)
    ] = None,
    archive: Archives = None,
    data_dir: DataDirs = None,
) -> None:
    """Check checksums, shapes, class counts and digests; name what is wrong with which file."""
    from ssd_cli.archives import catalog
    from ssd_cli.archives.locate import folders
    from ssd_cli.archives.verify import verify_named

    here = [*folders(data_dir or [], whole=False), *catalog.archives()["bundled"]]
    wanted = _chosen(archive, names, data_dir or []) if archive or names else sorted(set(here))
    rows, absent, n_wrong = [], [], 0
    for name in wanted:
        finding = verify_named(name, data_dir or [])
        if finding is None:
            absent.append(name)
            rows.append((name, "ABSENT", ""))
            continue
        n_wrong += bool(finding.wrong)
        rows.append((name, "WRONG" if finding.wrong else "ok", ", ".join(finding.checked) or "format only"))
        for text in finding.wrong:
            warn(f"{name}: {text}")
        if finding.note:
            warn(f"{name}: note: {finding.note}.")
    table(["dataset", "", "compared with"], rows)
    n_ok = len(rows) - n_wrong - len(absent)
    say(f"\n{plural(len(rows), 'dataset')}: {n_ok} ok, {n_wrong} wrong{f', {len(absent)} absent' if absent else ''}.")
    if absent:
        warn(f"Not on this machine: {shortened(absent)}. See: ssd-bench data download")
    if n_wrong or absent:
        raise typer.Exit(1)


@app.command(short_help="Show size, classes and example series of a dataset.")
def info(
    name: Annotated[str, typer.Argument(help="Dataset.", autocompletion=completing("dataset"))],
    data_dir: DataDirs = None,
) -> None:
    """Show what the table knows of a dataset, and where it is on this machine its classes and a series of each."""
    from ssd_cli.archives import catalog
    from ssd_cli.archives.load import load
    from ssd_cli.archives.locate import locate
    from ssd_cli.cli.describe import describe_dataset, describe_table

    catalog.select([], [name], data_dir or [])
    source = locate(name, data_dir or [])
    describe_table(name, None if source is None else source.folder)
    if source is not None:
        describe_dataset(load(name, data_dir or [], download=False))


@app.command(short_help="Write verified datasets into one file.")
def bundle(
    out: Annotated[Path, typer.Argument(metavar="OUT.zip", help="File to write.")],
    archive: Archives = None,
    dataset: Datasets = None,
    data_dir: DataDirs = None,
) -> None:
    """Write datasets of this machine into one file, for 'data import' on a machine without a network."""
    from ssd_cli.archives.bundle import bundle as write_bundle
    from ssd_cli.archives.locate import locate

    wanted = _chosen(archive, dataset, data_dir or [])
    absent = [name for name in wanted if locate(name, data_dir or []) is None]
    if absent and (dataset or len(absent) == len(wanted)):
        raise SsdBenchError(f"Not on this machine: {shortened(absent)}.", "", "See: ssd-bench data download")
    if absent:
        warn(f"Not on this machine, and left out: {shortened(absent)}.")
    names = [name for name in wanted if name not in absent]
    write_bundle(names, out, data_dir or [], lambda name: warn(f"packed {name}"))
    say(f"{plural(len(names), 'dataset')} in {out} ({out.stat().st_size / 1e6:.1f} MB).")


@app.command("import", short_help="Read a file that 'bundle' wrote.")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="Bundle.")],
    to: To = None,
    force: Force = False,
) -> None:
    """Bring the datasets of a bundle into a data folder; every byte is checked before it counts."""
    from ssd_cli.archives.bundle import unbundle
    from ssd_cli.archives.locate import aeon_home

    if not file.is_file():
        raise MisuseError(f"There is no file {file}.")
    root = to or aeon_home()
    names = unbundle(file, root, force, lambda name, new: warn(f"{name}: {'imported' if new else 'already here'}"))
    say(f"{plural(len(names), 'dataset')} in {root}.")


@app.command(short_help="Add a dataset of your own.")
def add(
    name: Annotated[str, typer.Argument(help="Name that it shall have.")],
    train: Annotated[Path, typer.Option(help=Option("Training part: {choices}.", choices=extensions).text)],
    test: Annotated[Path, typer.Option(help="Test part, in the same format.")],
    groups: Annotated[Path | None, typer.Option(help="Subjects: a CSV with part,row,subject,label.")] = None,
    to: To = None,
    force: Force = False,
) -> None:
    """Check a dataset of your own and copy it into a data folder, where every command finds it."""
    from ssd_cli.archives.custom import add as add_own
    from ssd_cli.archives.custom import parts_are_equal, swapped_axes
    from ssd_cli.archives.load import load
    from ssd_cli.archives.locate import aeon_home
    from ssd_cli.cli.describe import describe_dataset

    folder = add_own(name, train, test, groups, to or aeon_home(), force)
    dataset = load(name, [folder.parent], download=False)
    describe_dataset(dataset)
    unseen = sorted(set(dataset.test.y.tolist()) - set(dataset.train.y.tolist()))
    if unseen:
        warn(f"Warning: test cases have the label {', '.join(unseen)}, but no training case has it, so no method can learn it.")
    if parts_are_equal(dataset):
        warn("Warning: both parts hold the same series, so accuracy does not measure generalisation.")
    if text := swapped_axes(name, dataset.train.n_channels, int(dataset.train.lengths.max())):
        warn(f"Warning: {text}")
    say(f"\n{name} is in {folder}.")
    root = to
    found = _source(name)
    if to is None and (found is None or found.folder.resolve() != folder.resolve()):
        root = folder.parent
        warn(f"Warning: another folder with a {name} is searched before {folder}. Use --data-dir {root} for this one.")
    say(f"Next: ssd-bench run --dataset {name} --method single{f' --data-dir {root}' if root is not None else ''}")


def _chosen(archives: list[str] | None, patterns: list[str] | None, data_dirs: list[Path]) -> list[str]:
    from ssd_cli.archives import catalog

    names = catalog.select(archives or [], patterns or [], data_dirs)
    if not names:
        raise MisuseError("No dataset is named.", "Expected --archive NAME or --dataset NAME.", "See: ssd-bench ls archives")
    return names


def _source(name: str, to: Path | None = None) -> DatasetFiles | None:
    """Find a dataset in the given folder, or else in all folders that `run` searches; None if it is absent or incomplete."""
    from ssd_cli.archives.locate import locate, source_in

    try:
        return locate(name) if to is None else source_in(to / name, name)
    except SsdBenchError:
        return None


def _with_records(names: list[str], named: bool) -> list[str]:
    """Return the datasets with a Zenodo record; the others raise an error if they were `named` with --dataset."""
    from ssd_cli.archives import catalog

    without = [name for name in names if catalog.record_of(name) is None]
    if without:
        what = f"There is no download for {shortened(without)}."
        remedy = "Get the files by hand and use 'ssd-bench data add', or name their folder with --data-dir (docs/data.md)."
        if named:
            raise SsdBenchError(what, "", remedy)
        warn(f"{what} {remedy}")
    return [name for name in names if name not in without]


def download_datasets(
    names: list[str], archives: list[str], root: Path, remote: Remote, jobs: int, zip_: bool | None, force: bool
) -> dict[str, SsdBenchError]:
    """Download datasets and whole archives with a progress display; return the errors by name."""
    from ssd_cli.archives import catalog
    from ssd_cli.archives.fetch import fetch_many, fetch_zip, zip_path
    from ssd_cli.archives.remotes import Zenodo
    from ssd_cli.cli.transfer import transfers
    from ssd_cli.core.atomic import DiskFull

    with transfers() as watcher:
        for archive in archives:
            members = catalog.archives()[archive]
            absent = [name for name in names if name in members]
            fits = archive in catalog.ZENODO_ZIPS and isinstance(remote, Zenodo) and not force
            if zip_ and absent and not fits:
                warn(f"No zip of {archive} can be used here{' with --force' if force else ''}; fetching its datasets singly.")
            pays = 2 * len(absent) > len(members) or zip_path(archive, root).is_file()  # left by an interrupted run
            if fits and absent and (zip_ or (zip_ is None and pays)):
                assert isinstance(remote, Zenodo)
                try:
                    left = fetch_zip(archive, absent, root, remote, watcher)
                    names = [name for name in names if name not in absent or name in left]
                except DiskFull:  # single datasets would need as much room
                    raise
                except SsdBenchError as error:
                    warn(f"The zip of {archive} cannot be used ({error.what}); fetching its datasets singly.")
        return fetch_many(names, root, remote, watcher, jobs, force)


def _download_monster(name: str, fold: int, root: Path, offline: bool, force: bool) -> None:
    from ssd_cli.archives.fetch import fetch_one
    from ssd_cli.archives.remotes import Monster
    from ssd_cli.archives.transport import Transport

    if offline:
        raise SsdBenchError("MONSTER needs the network, which --offline forbids.")
    dataset = Monster.dataset(name, fold)
    fetch_one(dataset, root, Monster(Transport()), force)
    say(f"{dataset} is in {root}.")


def _grouped(failed: dict[str, SsdBenchError]) -> list[tuple[str, SsdBenchError]]:
    """Group errors that differ in the dataset's name only: the names of a group, and the error of its first dataset."""
    groups: dict[str, list[str]] = {}
    for name, error in failed.items():
        groups.setdefault(re.sub(r"\d+", "", str(error).replace(name, "NAME")), []).append(name)
    return [(shortened(sorted(names)), failed[min(names)]) for names in groups.values()]
