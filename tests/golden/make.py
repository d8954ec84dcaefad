"""Write the golden values: ``python tests/golden/make.py [identities] [trainings] [all-triples] [folder]``.

They are to be written from the revision whose results are right, and from no later one.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.golden import folder as golden_folder
from tests.golden import identities, results, runs
from tests.golden.data import write_datasets


def main(parts):
    """Write the named parts."""
    for name in [name for name in os.environ if name.startswith(("SSD_BENCH", "AEON"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SSD_BENCH_CACHE"] = f"{folder}/cache"
        data = write_datasets(Path(folder) / "data")
        if "identities" in parts:
            results.save("identities", identities.everything(data))
        if "trainings" in parts:
            results.save("trainings", {name: _results(name, data, folder) for name in runs.RUNS})
        if "all-triples" in parts:
            results.save("all-triples", {name: _digests(_results(name, data, folder)) for name in runs.LONG_RUNS})
        if "folder" in parts:
            golden_folder.make(data, Path(folder))


def _results(name, data, folder):
    print(name, flush=True)
    return results.read(runs.execute({**runs.RUNS, **runs.LONG_RUNS}[name], data, Path(folder) / name))


def _digests(found):
    return {name: results.digest(values) for name, values in found.items()}


if __name__ == "__main__":
    main(sys.argv[1:] or ["identities", "trainings", "all-triples", "folder"])
