"""The scripts of the page, run by Node without a browser."""

import base64
import functools
import importlib.resources
import json
import shutil
import subprocess

import pytest

from ssd_cli.leaderboard.page.assemble import SCRIPTS

requires_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed (apt-get install nodejs)")


@functools.cache
def scripts():
    """All scripts but the last, which starts the page."""
    assert SCRIPTS[-1] == "main"
    folder = importlib.resources.files("ssd_cli.leaderboard.page") / "assets"
    return "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS[:-1])


def evaluate(expression, block=None):
    """The JSON value of an expression; with a block of `payload` as `data`, and compared with the page's first choices."""
    start = ""
    if block is not None:
        start = (
            f"data = await unpack(fromBase64('{base64.b64encode(block).decode()}'));"
            "ranges = cellRanges(data); Object.assign(rules, data.rules.numbers); recompute();"
        )
    program = f'"use strict";\n{scripts()}\n(async () => {{ {start} console.log(JSON.stringify({expression})); }})();'
    done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
