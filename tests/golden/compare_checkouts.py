"""Compare two checkouts bit for bit on this machine: ``python tests/golden/compare_checkouts.py OLD NEW [--cuda] [RUN ...]``.

The same cells are trained with the package of each checkout. Prints every difference of identities, keys of networks, weights and
probabilities; the exit code is 1 if there is any. Without names of runs all that ``make test`` trains are compared; ``--all`` adds
every triple of backbone, execution and method; ``--cuda`` trains on the GPU.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.golden import results, runs
from tests.golden.data import write_datasets


def main(arguments):
    """Compare, print, and return the exit code."""
    old, new, *names = [one for one in arguments if one not in ("--all", "--cuda")]
    device = "cuda" if "--cuda" in arguments else "cpu"
    known = {**runs.RUNS, **runs.LONG_RUNS}
    names = names or list(known if "--all" in arguments else runs.RUNS)
    for checkout in (old, new):
        if not (Path(checkout) / "ssd_cli" / "__init__.py").is_file():
            raise SystemExit(f"{checkout} is no checkout: it has no folder ssd_cli.")
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"Unknown runs: {', '.join(unknown)}. Known: {', '.join(known)}.")
    n_different = 0
    with tempfile.TemporaryDirectory() as folder:
        data = write_datasets(Path(folder) / "data")
        for name in names:
            lines = _compare(known[name], data, Path(folder) / name, Path(old).resolve(), Path(new).resolve(), device)
            n_different += len(lines)
            print(f"{name}: {len(lines)} differences", *lines, sep="\n  ", flush=True)
    print(f"{n_different} differences in {len(names)} runs.")
    return int(n_different > 0)


def _compare(options, data, folder, old, new, device):
    found = []
    for name, root in (("old", old), ("new", new)):
        try:
            cache = {"SSD_BENCH_CACHE": str(folder / f"{name} cache")}
            found.append(results.read(runs.execute(options, data, folder / name, root, device, **cache)))
        except RuntimeError as error:
            return [f"the {name} checkout fails: {error}"]
    return results.differences(found[1], found[0], (*results.EXACT, *results.BITS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
