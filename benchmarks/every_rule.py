"""Every problem with unequal lengths under every length rule, every one with missing values under every imputation rule.

    python benchmarks/every_rule.py --out results/every_rule.csv

trains each once with the recipe ``smoke`` (3 epochs: whether it runs, not how well) through ``ssd-bench run``, and writes a row for
every result. It ends with an error where one is not "ok". Needs the datasets in ``$SSD_BENCH_DATA`` or among aeon's downloads.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from preparation_rules import DATASETS, RULES

from ssd_cli.store.results import ResultStore

PROBLEMS = {"length": (*DATASETS["length"], "PLAID"), "impute": DATASETS["impute"]}
FIELDS = ["dataset", "option", "rule", "status", "accuracy", "backbone", "epochs"]


def main() -> None:
    """Run what the table names, and write its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbone", default="lite")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for option, rules in RULES.items():
            for rule in rules:
                rows += cells(option, rule, options.backbone, Path(folder) / f"{option}-{rule}")
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    states = Counter(row["status"] for row in rows)
    print(f"{len(rows)} cells: {', '.join(f'{number} {state}' for state, number in states.items())}.")
    if set(states) != {"ok"} or len(rows) != sum(len(PROBLEMS[option]) * len(rules) for option, rules in RULES.items()):
        sys.exit(1)


def cells(option: str, rule: str, backbone: str, out: Path) -> list[dict[str, object]]:
    """Run the problems of one option under one rule; the preparation is part of a result's identity, so a folder holds one rule."""
    command = [sys.executable, "-m", "ssd_cli", "run", "--method", "single", "--backbone", backbone, "--recipe", "smoke"]
    command += [f"--{option}", rule, "--no-download", "--workers", "1", "--discard-networks", "--out", str(out)]
    command += [argument for name in PROBLEMS[option] for argument in ("--dataset", name)]
    subprocess.run(command, check=False)  # failed cells stand in the table
    found = []
    for record in ResultStore(out).records():
        assert record.identity["preparation"][option] == rule
        found.append(
            {
                "dataset": record.cell.dataset,
                "option": option,
                "rule": rule,
                "status": record.status,
                "accuracy": round(record.scores["accuracy"], 4) if record.scores else "",
                "backbone": record.cell.backbone,
                "epochs": record.identity["recipe"]["parameters"]["epochs"],
            }
        )
    return sorted(found, key=lambda row: str(row["dataset"]))


if __name__ == "__main__":
    main()
