"""Describe how a result was made: versions, revision, hardware, command; no names of persons, machines or folders."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

import ssd_cli
from ssd_cli.core.version import __version__
from ssd_cli.hardware import cpu_features, cpu_model

_PACKAGES = ("torch", "numpy", "scipy", "aeon", "sktime", "safetensors")
_QUOTED = re.compile(r"""(["'])((?:[A-Za-z]:[\\/]|[/\\~])[^"'\n]*)\1""")
_BARE = re.compile(r"""(?<![\w.:/\\>'"…])((?:[A-Za-z]:[\\/]|~?/)[^\s"':,;()<>\[\]]+)""")


def provenance(threads: int, command: Sequence[str]) -> dict[str, Any]:
    """Return versions, hardware, command and threads of this process."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": reduce_command(command),
        "threads": threads,
        **_fixed(),
        **_accelerator(),
    }


@cache
def _fixed() -> dict[str, Any]:
    versions = {"ssd-bench": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {
        "versions": versions,
        "revision": git_revision(),
        "platform": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
    }


@cache
def program() -> str:
    """Return the versions of ssd-bench, with a digest of its sources, and of torch."""
    import torch

    sources = hashlib.sha256()
    for path in sorted(Path(ssd_cli.__file__).parent.rglob("*.py")):
        sources.update(path.read_bytes())
    return f"ssd-bench {__version__} {sources.hexdigest()[:16]}, torch {torch.__version__}"


@cache
def made_with() -> str:
    """Return program and processor, which determine the bits of a CPU training together with the cell's identity."""
    import torch

    return f"{program()}, {cpu_model()} {cpu_features()}, {torch.backends.cpu.get_cpu_capability()}"


def _accelerator() -> dict[str, Any]:
    """Return name and CUDA version of the GPU that this process uses, if any."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    return {"accelerator": torch.cuda.get_device_name(), "cuda": torch.version.cuda}


def reduce_paths(text: str) -> str:
    """Shorten all absolute paths in a text, such as a traceback, and remove the machine's name.

    Paths of installed packages begin with the package, those of this package with ``ssd_cli``; others keep the last component.
    """
    text = _QUOTED.sub(lambda match: f"{match[1]}{_reduced(match[2])}{match[1]}", text)
    text = _BARE.sub(lambda match: _reduced(match[1]), text)
    name = socket.gethostname()
    return re.sub(rf"\b{re.escape(name)}\b", "host", text) if len(name) > 3 else text


def reduce_command(command: Sequence[str]) -> str:
    """Join a command line; absolute and upward paths keep their last component only."""
    program = PurePath(command[0]).name if command else ""
    program = "python -m ssd_cli" if program in ("__main__.py", "-m") else program
    return " ".join([program, *map(_reduced_argument, command[1:])])


@cache
def git_revision() -> str | None:
    """Return the git revision of this package, with ``+changes`` if tracked files were changed; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        revision = _git(root, "rev-parse", "HEAD")
        return revision + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no", "--", "ssd_cli") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "--no-optional-locks", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


def _reduced(path: str) -> str:
    parts = [part for part in re.split(r"[/\\]", path) if part]
    for anchor, keep in (("site-packages", 1), ("dist-packages", 1), ("ssd_cli", 0)):
        if anchor in parts:
            last = len(parts) - 1 - parts[::-1].index(anchor)
            return "/".join(parts[last + keep :])
    return f"…/{parts[-1]}" if parts else "/"


def _reduced_argument(argument: str) -> str:
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    path = PurePath(value)
    if path.is_absolute() or ".." in path.parts or value.startswith("~"):
        value = f"…/{path.name}"
    return f"{option}{equals}{value}"
