"""Read folders of results into one table of cells, refuse incomparable results, and select by patterns."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ssd_cli.core.cell_spec import WITHOUT_BACKBONE, differences
from ssd_cli.errors import MisuseError, SsdBenchError, did_you_mean, shortened
from ssd_cli.leaderboard.conditions import warnings as misleading
from ssd_cli.store.index import load_index
from ssd_cli.store.record import CellRecord
from ssd_cli.store.results import no_results

if TYPE_CHECKING:
    import pandas as pd

_CELL = ["method", "backbone", "dataset", "resample", "seed"]


@dataclass(frozen=True)
class Cells:
    """All cells: a row per cell from `load_index`, with the added columns name (of the method in the leaderboard) and root."""

    frame: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """Files of predictions that were changed after they were written."""
        rows = self.frame[self.frame["predictions"] == "changed"]
        return tuple(f"{root}/{path}.csv" for root, path in zip(rows["root"], rows["path"], strict=True))


def no_cells() -> Cells:
    """Return an empty table, for comparisons with external results only."""
    import pandas as pd

    columns = ["name", "dataset", "method", "backbone", "recipe", "status", "reason", "root", "path", "device", "execution"]
    frame = pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
    numbers = {column: pd.Series(dtype="int64") for column in ("resample", "seed", "threads")}
    return Cells(frame.assign(**numbers, accuracy=pd.Series(dtype="float64")), ())


def collect(folders: list[Path], on_reading: Callable[[int], None] | None = None) -> Cells:
    """Read the folders, name the methods, and refuse results that cannot be compared.

    The name of a method is its label, or ``<method>@<backbone>`` if it has a backbone and several backbones are compared. These
    raise an SsdBenchError: an absent or empty folder; different recipes, configurations or protocol versions of one name;
    different data or preparations of one dataset; different results of one cell.
    """
    import pandas as pd

    frames = []
    for folder in {Path(folder).resolve(): Path(folder) for folder in folders}.values():
        if not folder.is_dir():
            raise MisuseError(f"There is no folder {folder}.", "Expected the output folder of 'ssd-bench run'.")
        if any("\ud800" <= sign <= "\udfff" for sign in str(folder)):
            raise MisuseError(f"The name of the folder {folder} is not UTF-8.", "Tables hold UTF-8 only.", "Rename the folder.")
        frame = load_index(folder, on_reading)
        if frame.empty:
            raise no_results(folder)
        frames.append(_as_text(frame).assign(root=str(folder)))
    frame = pd.concat(frames, ignore_index=True)
    _every_result_has_an_accuracy(frame)
    frame["name"] = _names(frame)
    warnings = _predictions(frame)
    _one_configuration_a_name(frame)
    frame, repeated = _one_record_a_cell(frame)
    _one_truth_a_dataset(frame)
    return Cells(frame, tuple(warnings + repeated + misleading(frame)))


def _every_result_has_an_accuracy(frame: pd.DataFrame) -> None:
    if "accuracy" not in frame:
        frame["accuracy"] = float("nan")
    without = frame[(frame["status"] == "ok") & frame["accuracy"].isna()]
    if len(without):
        raise SsdBenchError(
            f"The record {_path(without.iloc[0])} holds no accuracy.",
            "Expected the score 'accuracy' in every record of a finished cell.",
            "Delete the file and run the same command again: only this cell is computed again.",
        )


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert categories to text, since tables of several folders have different categories."""
    return frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, "object"))


def _predictions(frame: pd.DataFrame) -> list[str]:
    """Return warnings about changed predictions; mark cells without their predictions as failed."""
    warnings = []
    for row in frame[frame["predictions"] == "changed"].itertuples():
        warnings.append(f"{row.root}/{row.path}.csv was changed after it was written; its scores are computed again from the file.")
    undigested = int((frame["has_digest"] == 0).sum())
    if undigested:
        warnings.append(
            f"{undigested} of {len(frame)} records hold no digest of themselves, since an earlier version wrote them: whether they "
            "were changed is unknown."
        )
    gone = frame["predictions"] == "missing"
    frame.loc[gone, "status"] = "failed"
    frame.loc[gone, "reason"] = "the file of its predictions is missing"
    return warnings


def _names(frame: pd.DataFrame) -> pd.Series:
    networks = frame["backbone"] != WITHOUT_BACKBONE
    several = frame.loc[networks, "backbone"].nunique() > 1
    return frame["method"].where(~networks | (not several), frame["method"] + "@" + frame["backbone"])


def _one_configuration_a_name(frame: pd.DataFrame) -> None:
    for name, group in _varying(frame, "name", "configuration"):
        raise SsdBenchError(
            f"'{name}' has different configurations:\n{_difference(group, ('method', 'backbone', 'recipe'))}",
            "Expected the same recipe and the same parameters in all records of one name.",
            "Compare the folders one at a time, or run all datasets with one recipe.",
        )


def _one_truth_a_dataset(frame: pd.DataFrame) -> None:
    """Check that all methods used the same arrays with the same preparation."""
    for column, what in (("dataset_digest", "different data"), ("preparation", "different preparations")):
        for dataset, group in _varying(frame[frame["status"] == "ok"], "dataset", column):
            raise SsdBenchError(
                f"The results on '{dataset}' used {what}:\n{_difference(group, (column,))}",
                "Expected the same arrays and the same preparation for every method.",
                "Run the methods again on one copy of the dataset, into one folder.",
            )


def _varying(frame: pd.DataFrame, by: str, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the groups in which the column has several values, with one row per value."""
    counts = frame.groupby(by, observed=True)[column].nunique()
    for name in counts.index[counts > 1]:
        yield name, frame[frame[by] == name].drop_duplicates(column)


def _one_record_a_cell(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Keep one record of each cell if its records agree; a result is preferred to a failure."""
    repeated = frame.duplicated(_CELL, keep=False)
    if not repeated.any():
        return frame, []
    for _, group in frame[repeated].groupby(_CELL, observed=True, sort=False):
        if group["identity_hash"].nunique() > 1:
            raise SsdBenchError(
                f"One cell is in two folders with different identities:\n{_difference(group.drop_duplicates('identity_hash'))}",
                "Expected each cell once, or the same identity in both folders.",
                "Compare the folders one at a time.",
            )
        done = group[group["status"] == "ok"]
        if done["accuracy"].nunique() > 1:
            raise SsdBenchError(
                f"One cell is in two folders with different results: {_listed(done)}.",
                "Expected the same cell to have the same accuracy everywhere.",
                "Compare without one of the two folders.",
            )
    n_cells = int((~frame[repeated].duplicated(_CELL)).sum())
    first_ok = frame.sort_values("status", key=lambda status: status != "ok", kind="stable").drop_duplicates(_CELL).sort_index()
    return first_ok, [f"{n_cells} cells are in more than one folder with the same identity and result; each is counted once."]


def _difference(group: pd.DataFrame, keys: tuple[str, ...] | None = None) -> str:
    files = [_path(group.iloc[position]) for position in (0, 1)]
    first, second = (CellRecord.from_json(Path(file).read_bytes(), file).spec for file in files)
    lines = [line.replace(" before, ", " here, ").replace(" now", " there") for line in differences(first, second, keys)]
    return "\n".join([f"  here: {files[0]}", f"  there: {files[1]}", *(f"  {line}" for line in lines)])


def _path(row: pd.Series) -> str:
    return f"{row['root']}/{row['path']}.json"


def _listed(group: pd.DataFrame) -> str:
    return ", ".join(f"{json.dumps(row['accuracy'])} in {_path(row)}" for _, row in group.iterrows())


@dataclass(frozen=True)
class Selection:
    """Patterns of the results to compare; one of them must match. No patterns select all results.

    ``*`` matches any text and ``?`` any character; brackets match themselves, since labels of methods have brackets. A pattern is
    compared with the label of a method, and with ``<method>@<backbone>`` if several backbones are compared.
    """

    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.methods or self.datasets)

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Return the selection with this `text`."""
        words = shlex.split(text)
        pairs = list(zip(words[::2], words[1::2], strict=False))
        methods, datasets = (tuple(value for name, value in pairs if name == option) for option in ("--method", "--dataset"))
        return cls(methods, datasets)

    @property
    def text(self) -> str:
        """The selection as options of the command line."""
        chosen = [("--method", one) for one in self.methods] + [("--dataset", one) for one in self.datasets]
        return shlex.join(word for pair in chosen for word in pair)

    def of(self, cells: Cells) -> Cells:
        """Return the selected cells; MisuseError for a pattern that matches nothing."""
        frame = cells.frame
        called = dict(zip(frame["name"], frame["method"], strict=True))
        names = _fitting(self.methods, {name: (name, label) for name, label in called.items()}, "method")
        # without own results the external results determine the datasets
        datasets = self.datasets_of(frame["dataset"]) if len(frame) else []
        chosen = frame[frame["name"].isin(names) & frame["dataset"].isin(datasets)]
        before = misleading(frame)
        others = [text for text in cells.warnings if text not in before]
        return dataclasses.replace(cells, frame=chosen, warnings=(*others, *misleading(chosen)))

    def datasets_of(self, names: Iterable[str]) -> list[str]:
        """Return the selected datasets, sorted; the errors are those of `of`."""
        return sorted(_fitting(self.datasets, {name: (name,) for name in names}, "dataset"))


def _fitting(patterns: tuple[str, ...], known: dict[str, tuple[str, ...]], what: str) -> set[str]:
    if not patterns:
        return set(known)
    found: set[str] = set()
    for pattern in patterns:
        form = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
        fits = {key for key, texts in known.items() if any(form.fullmatch(text) for text in texts)}
        if not fits:
            raise MisuseError(
                f"No {what} of these results matches '{pattern}'.{did_you_mean(pattern, list(known))}",
                f"Expected one of {shortened(sorted(known), 20)}." if known else "Expected an output folder of 'ssd-bench run'.",
            )
        found |= fits
    return found
