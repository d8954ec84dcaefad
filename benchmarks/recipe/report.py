"""Compare single networks of the default recipe with published ones, after the recipe was chosen.

    ssd-bench run --archive ucr --archive uea --method single --backbone lite --only-present --discard-networks --out build/recipe
    python benchmarks/recipe/report.py build/recipe               # writes results/recipe/report_BACKBONE.{csv,md}

`published.csv` holds the accuracy of published single networks on the archive's split, by backbone and problem: their mean, the
lowest, and the number of runs. inception: results-inception-128.csv of github.com/hfawaz/InceptionTime (Ismail Fawaz et al. 2020);
resnet, fcn: results-ucr-128.csv of github.com/hfawaz/dl-4-tsc (Ismail Fawaz et al. 2019); lite: results.csv and
results_multivariate.csv of github.com/MSD-IRIMAS/LITE (Ismail-Fawaz et al. 2023), which give means only.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd

from ssd_cli.archives.catalog import size
from ssd_cli.backbones import backbones
from ssd_cli.statistics.intervals import mean_interval
from ssd_cli.store.index import load_index
from ssd_cli.training import recipes
from ssd_cli.training.recipe import ResolvedRecipe

HERE = Path(__file__).parent
POINTS, CASES = 0.03, 2
"""An exception is further below the lowest published run than three points, and than two test cases."""


def published(backbone: str) -> pd.DataFrame:
    """Return mean, lowest run and number of runs by problem; the mean counts as the lowest where only it is known."""
    frame = pd.read_csv(HERE / "published.csv").query("backbone == @backbone").set_index("dataset")
    return frame[["mean", "lowest", "runs"]]


def steps(recipe: ResolvedRecipe, n_cases: int) -> int:
    """Return the optimiser steps of a training."""
    return recipe.for_cases(n_cases).epochs * math.ceil(n_cases / recipe.batch(n_cases))


def compare(frame: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Return a row for each problem that has both: ours (mean and median over seeds), published, difference, exception."""
    ours = frame.groupby("dataset", observed=True)["accuracy"].agg(["mean", "median", "count"])
    fitted = frame.groupby("dataset", observed=True)["converged"].mean()
    joined = ours.join(published(backbone), rsuffix="_published", how="inner").join(fitted)
    n_test = {name: known.n_test for name in joined.index if (known := size(name)) is not None}
    margin = np.maximum(POINTS, CASES / joined.index.map(n_test).to_numpy(dtype=float))
    joined["difference"] = joined["mean"] - joined["mean_published"]
    joined["below_lowest"] = joined["lowest"] - joined["median"]
    joined["exception"] = joined["below_lowest"] > margin + 1e-9
    default, paper = (recipes.get(name)().for_backbone(backbones.get(backbone)()) for name in ("standard", "paper"))
    n_train = {name: known.n_train for name in joined.index if (known := size(name)) is not None}
    joined["steps"] = [steps(default, n_train[name]) for name in joined.index]
    joined["steps_paper"] = [steps(paper, n_train[name]) for name in joined.index]
    return joined.reset_index()


def summary(table: pd.DataFrame, backbone: str) -> list[str]:
    """Return sentences for the page."""
    low, high = (float(end[0]) for end in mean_interval(table["difference"].to_numpy()[:, None]))
    exceptions = table[table["exception"]]
    names = ", ".join(
        f"{row.dataset} (median {row.median:.3f}, lowest published {row.lowest:.3f})" for row in exceptions.itertuples()
    )
    share = table["steps"].sum() / table["steps_paper"].sum()
    seeds = "/".join(sorted({str(count) for count in table["count"]}))
    n_fitted = int((table["converged"] == 1).sum())
    return [
        f"{backbone}, {len(table)} problems, {seeds} seed(s): mean accuracy {table['mean'].mean():.4f}, published "
        f"{table['mean_published'].mean():.4f}; difference {100 * table['difference'].mean():+.2f} points "
        f"(95 % {100 * low:+.2f} to {100 * high:+.2f}), median {100 * table['difference'].median():+.2f}.",
        f"All networks have fitted on {n_fitted} of {len(table)} problems. Steps: {share:.1%} of those of `paper`.",
        f"Below the lowest published run by more than three points and two cases: {names or 'none'}.",
    ]


def main() -> None:
    """Write the table of every backbone in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/recipe"))
    options = parser.parse_args()
    frame = load_index(options.cells)
    frame = frame[(frame["status"] == "ok") & (frame["method"] == "single") & (frame["resample"] == 0)]
    for backbone, cells in frame.groupby("backbone", observed=True):
        table = compare(cells, str(backbone))
        options.out.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.out / f"report_{backbone}.csv", index=False, float_format="%.6g", quoting=csv.QUOTE_MINIMAL)
        text = "\n\n".join([f"`python benchmarks/recipe/report.py {options.cells}`", *summary(table, str(backbone))]) + "\n"
        (options.out / f"report_{backbone}.md").write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
