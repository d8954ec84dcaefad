"""Assemble the HTML file from its template, style, scripts and data."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files

SCRIPTS = (
    "statistics", "data", "elements", "state", "filters", "leaderboard", "diagram", "pairs", "costs", "datasets", "drill",
    "provenance", "main",
)  # fmt: skip
"""Scripts in the order of the page. All share one scope, and each follows the scripts that it uses while it is loaded."""


def assemble(title: str, content: bytes | None) -> bytes:
    """Return the page; its content security policy allows only its own style and script, by their digests.

    `content` is the result of `payload`; without it the page polls its server.
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


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
