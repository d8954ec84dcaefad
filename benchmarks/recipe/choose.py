"""Show what the search found, and apply its rule.

    python benchmarks/recipe/choose.py lite                       # writes results/recipe/search_lite.md

The rule: of the settings whose networks fit their training part, the one of the fewest steps whose mean accuracy on held-out folds
is within one standard error of the best (Breiman et al. 1984, "Classification and Regression Trees", 3.4.3). A network fits with a
mean cross-entropy of at most `LOSS` in evaluation mode; problems on which the longest setting misses it do not count. The standard
error is that of the difference over the problems. Settings are compared on the folds that all of them have.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

LOSS = 0.05
"""A network with this cross-entropy gives the true class of its training cases .95 on the geometric mean."""

Values = dict[str, np.ndarray]


def read(path: Path) -> tuple[list[str], dict[str, Values]]:
    """Return the problems, and the means over the common folds by setting: each value an array over the problems."""
    rows: dict[str, dict[tuple[str, str], dict[str, float]]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            setting, *place = row.pop("setting"), row.pop("dataset"), row.pop("fold")
            rows[setting][tuple(place)] = {name: float(value) for name, value in row.items()}
    first = {place for place in next(iter(rows.values())) if place[1] == "0"}
    settings = {name: places for name, places in rows.items() if first <= places.keys()}
    common = sorted(set.intersection(*(set(places) for places in settings.values())))
    names = sorted({dataset for dataset, _ in common})
    columns = list(next(iter(settings.values()))[common[0]])
    return names, {
        setting: {
            column: np.array([np.mean([places[p][column] for p in common if p[0] == name]) for name in names]) for column in columns
        }
        for setting, places in settings.items()
    }


def choose(settings: dict[str, Values]) -> tuple[str, dict[str, tuple[float, float, int]]]:
    """Return the chosen setting; of each its difference from the best, the standard error of that, and its unfitted problems."""
    longest = max(settings, key=lambda name: settings[name]["steps"].sum())
    hard = settings[longest]["training_loss"] > LOSS
    best = max(settings, key=lambda name: settings[name]["accuracy"].mean())
    found = {}
    for name, values in settings.items():
        differences = values["accuracy"] - settings[best]["accuracy"]
        unfitted = int(((values["training_loss"] > LOSS) & ~hard).sum())
        found[name] = float(differences.mean()), float(differences.std(ddof=1) / len(differences) ** 0.5), unfitted
    passing = [name for name, (difference, error, unfitted) in found.items() if not unfitted and difference >= -error]
    return min(passing, key=lambda name: settings[name]["steps"].sum()), found


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone")
    parser.add_argument("--out", type=Path, default=Path("results/recipe"))
    options = parser.parse_args()
    names, settings = read(options.out / f"{options.backbone}.csv")
    chosen, found = choose(settings)
    head = ["setting", "accuracy", "difference", "its error", "NLL", "training loss, median", "not fitted", "steps", "chosen"]
    rows = []
    for name, values in settings.items():
        accuracy, nll, loss = values["accuracy"].mean(), values["nll"].mean(), np.median(values["training_loss"])
        difference, error, unfitted = found[name]
        numbers = [f"{accuracy:.4f}", f"{difference:+.4f}", f"{error:.4f}", f"{nll:.3f}", f"{loss:.4f}", unfitted]
        rows.append([name, *numbers, f"{values['steps'].sum():.0f}", "yes" if name == chosen else ""])
    about = (
        f"`python benchmarks/recipe/choose.py {options.backbone}`: {len(names)} problems; difference from the best mean accuracy."
    )
    lines = [about, "", *(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))]
    text = "\n".join(lines) + "\n"
    (options.out / f"search_{options.backbone}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
