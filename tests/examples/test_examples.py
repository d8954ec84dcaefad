import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_runs(path, tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_OPT": "0", "SSD_BENCH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    numbers = [float(word) for word in done.stdout.split() if word.replace(".", "").isdigit()]
    assert numbers and all(number >= 0.5 for number in numbers)
