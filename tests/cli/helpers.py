import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command(*arguments):
    return [sys.executable, "-m", "ssd_cli", *map(str, arguments)]


def ssd_bench(*arguments, cwd=None, **environment):
    """Run the command in a process of its own."""
    return subprocess.run(
        command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=300, env=os.environ | environment, check=False
    )


def failing(*arguments, code, **options):
    """Run a command that must fail with sentences, not with a traceback; return them in one line."""
    done = ssd_bench(*arguments, **options)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return re.sub(r"\s+", " ", done.stderr)


def probabilities(out):
    """The probability columns of all predictions below a folder, by path."""
    return {
        path.relative_to(out).as_posix(): [line.split(",")[3:] for line in path.read_text().splitlines()[3:]]
        for path in Path(out).rglob("testResample*.csv")
    }
