"""Finished cells by dataset and method: means over resamples and seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Grouped:
    """Finished cells of some datasets (the rows) and methods (the columns).

    Attributes
    ----------
    row, column : ndarray of int (n_cells,)
        Dataset and method of each cell.
    counts : ndarray of int (n_datasets, n_methods)
        Number of cells.
    """

    def __init__(self, frame: pd.DataFrame, names: list[str], datasets: list[str]) -> None:
        import pandas as pd

        done = frame[(frame["status"] == "ok") & frame["dataset"].isin(datasets) & frame["name"].isin(names)]
        self.cells, self._shape = done, (len(datasets), len(names))
        self.row: Ints = pd.Categorical(done["dataset"], categories=datasets).codes.astype(np.int64)
        self.column: Ints = pd.Categorical(done["name"], categories=names).codes.astype(np.int64)
        self._place = self.row * len(names) + self.column
        self.counts: Ints = np.bincount(self._place, minlength=len(datasets) * len(names)).reshape(self._shape)

    def mean(self, column: str) -> Floats:
        """Return means over resamples and seeds (n_datasets, n_methods); NaN without cells, or if a cell lacks the number."""
        totals = np.bincount(self._place, weights=self.cells[column], minlength=self.counts.size).reshape(self._shape)
        return np.divide(totals, self.counts, out=np.full(self._shape, np.nan), where=self.counts > 0)
