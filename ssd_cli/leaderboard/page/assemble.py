"""One file of HTML from its template, style, scripts and data."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files
from pathlib import Path

from ssd_cli.core import atomic

SCRIPTS = (
    "statistics",
    "data",
    "elements",
    "state",
    "filters",
    "leaderboard",
    "diagram",
    "pairs",
    "costs",
    "datasets",
    "drill",
    "provenance",
    "main",
)
"""In the order in which they stand in the page: one scope, each after what it uses when it is loaded."""


def assemble(title: str, content: bytes | None) -> bytes:
    """The page.

    Parameters
    ----------
    title : str
    content : bytes, optional
        What `payload` made. Without it the page asks the server that it came from, again and again.

    Returns
    -------
    bytes
        HTML that may load nothing from anywhere: its policy allows its own style and script by their digests, and nothing else.
    """
    style = _asset("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(_asset(f"{name}.js") for name in SCRIPTS) + "\n})();\n"
    policy = f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; connect-src 'self'; img-src data:; "
    policy += "base-uri 'none'; form-action 'none'"
    parts = {
        "policy": policy,
        "title": html.escape(title),
        "style": style,
        "script": script,
        "data": "" if content is None else base64.b64encode(content).decode(),
    }
    return re.sub(r"@(policy|title|style|script|data)@", lambda mark: parts[mark[1]], _asset("template.html")).encode()


def write(path: Path, content: bytes) -> None:
    """Write the file, or leave the one that is there.

    Raises
    ------
    SsdBenchError
        If the folder cannot be written.
    """
    atomic.write_into(path.parent, [(path, content)])


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
