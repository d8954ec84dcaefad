"""What a folder of results cost to train, beside what its cells would have cost alone: how much sharing networks saves.

    python benchmarks/sharing.py results/pilot/cells

Each record holds both: `fit_seconds_alone`, all networks that the method needs, and `fit_seconds_spent`, those that this cell
trained itself because nobody had done so before.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from ssd_cli.store.results import ResultStore


def main() -> None:
    """Print the sums of every method, and of all."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
    for record in ResultStore(Path(sys.argv[1])).records():
        if record.status == "ok":
            for name in (record.cell.method, "all"):
                sums[name][0] += record.costs["fit_seconds_alone"]
                sums[name][1] += record.costs["fit_seconds_spent"]
                sums[name][2] += 1
    print(f"{'method':<16}{'cells':>6}{'alone s':>10}{'spent s':>10}{'share':>8}")
    for name, (alone, spent, n_cells) in sums.items():
        if name != "all":
            print(f"{name:<16}{n_cells:>6}{alone:>10.1f}{spent:>10.1f}{spent / alone:>8.0%}")
    alone, spent, n_cells = sums["all"]
    print(f"{'all':<16}{n_cells:>6}{alone:>10.1f}{spent:>10.1f}{spent / alone:>8.1%}")


if __name__ == "__main__":
    main()
