"""Show what the search found, and apply its rule.

    python benchmarks/recipe/choose.py lite                       # writes results/recipe/search_lite.md

The rule: of the settings whose networks fit their training part, the one of the fewest steps whose mean accuracy on held-out folds
is within one standard error of the best (Breiman et al. 1984, "Classification and Regression Trees", 3.4.3). Networks fit with a
training accuracy of at least `FITTED` in evaluation mode on every fold; problems that no setting fits do not count. The standard
error is that of the difference over the problems, on the folds that a setting and the best one both have.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ssd_cli.core.options import FITTED

Rows = dict[tuple[str, str], dict[str, float]]
"""Values of one setting by problem and fold."""


def read(path: Path) -> dict[str, Rows]:
    """Return the rows of every setting that has the first fold of every problem."""
    rows: dict[str, Rows] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            setting, *place = row.pop("setting"), row.pop("dataset"), row.pop("fold")
            rows[setting][tuple(place)] = {name: float(value) for name, value in row.items()}
    first = {place for places in rows.values() for place in places if place[1] == "0"}
    return {setting: places for setting, places in rows.items() if first <= places.keys()}


def by_problem(rows: Rows, column: str, places: Iterable[tuple[str, str]]) -> np.ndarray:
    """Return the means of a column over the folds, one for each problem, sorted."""
    values = defaultdict(list)
    for place in sorted(places):
        values[place[0]].append(rows[place][column])
    return np.array([np.mean(of_problem) for of_problem in values.values()])


def choose(settings: dict[str, Rows]) -> tuple[str, dict[str, tuple[float, float, int]]]:
    """Return the chosen setting; of each its difference from the best, the standard error of that, and its unfitted problems."""
    short = {
        name: {place[0] for place, row in rows.items() if row["training_accuracy"] < FITTED} for name, rows in settings.items()
    }
    hard = set.intersection(*short.values())
    best = max(settings, key=lambda name: np.mean([row["accuracy"] for place, row in settings[name].items() if place[1] == "0"]))
    found = {}
    for name, rows in settings.items():
        shared = rows.keys() & settings[best].keys()
        differences = by_problem(rows, "accuracy", shared) - by_problem(settings[best], "accuracy", shared)
        found[name] = float(differences.mean()), float(differences.std(ddof=1) / len(differences) ** 0.5), len(short[name] - hard)
    passing = [name for name, (difference, error, unfitted) in found.items() if not unfitted and difference >= -error]
    return min(passing, key=lambda name: _steps(settings[name])), found


def _steps(rows: Rows) -> float:
    return sum(row["steps"] for place, row in rows.items() if place[1] == "0")


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone")
    parser.add_argument("--out", type=Path, default=Path("results/recipe"))
    options = parser.parse_args()
    settings = read(options.out / f"{options.backbone}.csv")
    chosen, found = choose(settings)
    head = ["setting", "folds", "accuracy", "difference", "its error", "NLL", "training loss", "not fitted", "steps", "chosen"]
    rows = []
    for name, values in settings.items():
        n_folds = len({fold for _, fold in values})
        accuracy, nll, loss = (np.mean([row[column] for row in values.values()]) for column in ("accuracy", "nll", "training_loss"))
        difference, error, unfitted = found[name]
        numbers = [f"{accuracy:.4f}", f"{difference:+.4f}", f"{error:.4f}", f"{nll:.3f}", f"{loss:.4f}", unfitted]
        rows.append([name, n_folds, *numbers, f"{_steps(values):.0f}", "yes" if name == chosen else ""])
    n_problems = len({dataset for dataset, _ in settings[chosen]})
    about = (
        f"`python benchmarks/recipe/choose.py {options.backbone}`: {n_problems} problems; difference from the best mean accuracy."
    )
    lines = [about, "", *(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))]
    text = "\n".join(lines) + "\n"
    (options.out / f"search_{options.backbone}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
