"""Results in files of other tools: a tsml folder, or a table of accuracies."""

from __future__ import annotations

from pathlib import Path

from ssd_cli.errors import MisuseError, SsdBenchError, shortened
from ssd_cli.leaderboard.external.columns import FORMS
from ssd_cli.leaderboard.external.result import External, Protocol, resamples_protocol, unknown_protocol
from ssd_cli.leaderboard.external.table import Run, TableMethod, read_table
from ssd_cli.leaderboard.external.tsml_folder import read_tsml


def read_files(path: Path, resamples: set[int]) -> list[External]:
    """Read the methods of a file or folder of another tool; resamples are averaged over `resamples`, or all that it has.

    No such path, or a file that cannot be read for sure, raises an SsdBenchError.
    """
    if path.is_dir():
        return read_tsml(path, resamples)
    if not path.is_file():
        raise MisuseError(f"There is no {path}.", f"Expected a folder of tsml results, or a CSV file. {FORMS}")
    table = read_table(path)
    externals = []
    for method in table.methods:
        scores, gaps, protocol = averaged(method, resamples, path)
        name = f"{method.name} ({path.stem})"
        externals.append(
            External(name, method.name, "foreign", protocol, scores, path.name, gaps, method.decimals, notes=table.notes)
        )
    return externals


def averaged(method: TableMethod, resamples: set[int], path: Path) -> tuple[dict[str, float], dict[str, str], Protocol]:
    """Average a method over its runs; of numbered resamples over `resamples`, or over all if it is empty.

    Return the means by dataset, the reasons for datasets that lack a run, and the protocol.
    """
    runs = {run for found in method.results.values() for run in found}
    if not method.axis:
        scores = {name: value for name, found in method.results.items() if isinstance(value := found[()], float)}
        gaps = {name: f"'{found[()]}' in {path.name}" for name, found in method.results.items() if name not in scores}
        return scores, gaps, unknown_protocol
    protocol = Protocol(f"mean of {len(runs)} {method.axis}s", None)
    if method.axis == "resample":
        numbered = {run: _resample(run, path) for run in runs}
        wanted = resamples or set(numbered.values())
        absent = {(str(k),) for k in wanted - set(numbered.values())}
        runs = {run for run in runs if numbered[run] in wanted} | absent
        protocol = resamples_protocol(wanted)
    scores, gaps = {}, {}
    for name, found in method.results.items():
        values = [found.get(run) for run in runs]
        there = [value for value in values if isinstance(value, float)]
        if len(there) == len(values):
            scores[name] = sum(there) / len(there)
        else:
            lacking = sorted((run for run in runs if not isinstance(found.get(run), float)), key=_order)
            gaps[name] = f"no number for {method.axis} {shortened([', '.join(run) for run in lacking])} in {path.name}"
    return scores, gaps, protocol


def _resample(run: Run, path: Path) -> int:
    try:
        return int(run[0])
    except ValueError:
        raise SsdBenchError(f"{path}: the resample '{run[0]}' is no whole number.", "Expected 0, 1, 2, ….") from None


def _order(run: Run) -> tuple[tuple[int, str], ...]:
    """Numbers in the order of their size."""
    return tuple((len(part), part) for part in run)
