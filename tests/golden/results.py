"""Read what a run wrote, in the form in which golden values are stored, and compare it with them."""

import hashlib
import json
import platform
from functools import cache
from pathlib import Path

import numpy as np

VALUES = Path(__file__).parent / "values"
TOLERANCE = 0.02
"""Largest allowed difference of a probability on another kind of processor than that of the golden values.

It is twice the largest that was found with AVX2 in place of AVX-512: 0.0098, of kd on ResNet (median 0.0001).
"""
COUNTS = ("macs", "networks_stored", "parameters", "size_bytes")


def short(value):
    """Return the first 16 digits of the SHA-256 of bytes, or of the canonical JSON of anything else."""
    if not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(value).hexdigest()[:16]


def normalised(identity):
    """Return an identity without what depends on the machine: the versions of other libraries."""
    method = {key: value for key, value in identity["method"].items() if key != "versions"}
    return {**identity, "method": method}


def read(out):
    """Return the golden values of every cell of an output folder, by the cell's name."""
    found = {}
    for path in sorted(Path(out).glob("seed*/*/Predictions/*/testResample*.json")):
        record = json.loads(path.read_bytes())
        cell = record["cell"]
        name = " ".join([cell["dataset"], cell["method"], cell["backbone"], f"r{cell['resample']}", f"s{cell['seed']}"])
        folder = path.relative_to(out).parts[1]
        found[name] = {"identity": short(normalised(record["identity"])), "folder": folder, "status": record["status"]}
        if record["status"] != "ok":
            continue
        rows = [line.split(",") for line in path.with_suffix(".csv").read_text().splitlines()[3:]]
        weights = [Path(out) / "networks" / one["sha256"][:2] / f"{one['sha256']}.safetensors" for one in record["networks"]]
        found[name] |= {
            "keys": [one["key"][:16] for one in record["curves"] if one["key"]],
            "trainings": [[one["epochs"], one["steps"], one["n_cases"]] for one in record["curves"]],
            "losses": short([[one["curve"]["loss"], one["curve"]["learning_rate"]] for one in record["curves"]]),
            "counts": {key: record["costs"][key] for key in COUNTS},
            "networks": [one["sha256"][:16] for one in record["networks"]],
            "weights": [_statistics(one) for one in weights],
            "scores": record["scores"],
            "diagnostics": record["diagnostics"],
            "rows": short([[row[0], row[1], *row[3:]] for row in rows]),
            "probabilities": [[round(float(value), 5) for value in row[3:]] for row in rows],
        }
    return found


def _statistics(path):
    from safetensors.numpy import load

    values = np.concatenate([one.astype(np.float64).ravel() for _, one in sorted(load(path.read_bytes()).items())])
    return [values.size, *(float(f"{value:.6g}") for value in (values.mean(), values.std(), np.abs(values).max()))]


EXACT = ("identity", "folder", "status", "keys", "trainings", "counts")
"""What is the same on every machine."""
BITS = ("losses", "networks", "weights", "scores", "diagnostics", "rows")
"""What is the same on processors of one kind."""


def differences(found, golden, parts):
    """Return a line for every cell and part that differs; of scores, counts and diagnostics new ones may be added."""
    lines = [f"{name}: missing" for name in golden if name not in found]
    lines += [f"{name}: not golden" for name in found if name not in golden]
    for name, values in golden.items():
        for part in parts:
            if name in found and part in values:
                now = found[name].get(part)
                if isinstance(values[part], dict) and isinstance(now, dict):
                    now = {key: now.get(key) for key in values[part]}
                if now != values[part]:
                    lines.append(f"{name}, {part}: {str(values[part])[:300]} before, {str(now)[:300]} now")
    return lines


def far(found, golden):
    """Return a line for every cell of which a probability is further than the tolerance from the golden one."""
    lines = []
    for name, values in golden.items():
        if "probabilities" in values:
            now = found.get(name, {}).get("probabilities")
            if now is None or np.shape(now) != np.shape(values["probabilities"]):
                lines.append(f"{name}: no probabilities of the golden shape")
            elif (most := np.abs(np.subtract(now, values["probabilities"])).max()) > TOLERANCE:
                lines.append(f"{name}: a probability differs by {most:.4f}, more than {TOLERANCE}")
    return lines


def processor():
    """Return what decides the bits of a training beside the cell's identity."""
    import torch

    facts = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().split("\n\n")[0].splitlines():
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
    model = [facts.get(key, "") for key in ("model name", "cpu family", "model")]
    return {
        "processor": " ".join(model) if any(model) else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": 1,
    }


def load(name):
    """Return the golden values of a file, and why the bits cannot be compared here (empty where they can)."""
    stored = json.loads((VALUES / f"{name}.json").read_text())
    here, there = processor(), stored["holds_for"]
    other = [f"{key} {there[key]} there, {here[key]} here" for key in there if there[key] != here.get(key)]
    return stored["values"], "The golden bits hold for another machine: " + "; ".join(other) if other else ""


def save(name, values, made_by="python tests/golden/make.py"):
    """Write golden values, one line for each entry of the second level."""
    VALUES.mkdir(exist_ok=True)
    lines = []
    for key, entries in values.items():
        inside = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry, sort_keys=True)}" for name, entry in entries.items())
        lines.append(f"{json.dumps(key)}: {{\n{inside}\n}}")
    head = f'{{\n"made_by": {json.dumps(made_by)},\n"holds_for": {json.dumps(processor())},\n"values": {{\n'
    (VALUES / f"{name}.json").write_text(head + ",\n".join(lines) + "\n}\n}\n")


def digest(values):
    """Return two exact digests of a cell, for the runs that are too many to store in full; new scores may be added."""
    known = _known_names()
    kept = {
        part: {k: v for k, v in values.get(part, {}).items() if k in known} for part in ("scores", "diagnostics") if part in values
    }
    return {part: short([(values | kept).get(name) for name in names]) for part, names in (("exact", EXACT), ("bits", BITS))}


@cache
def _known_names():
    """Return the names of all scores and diagnostics that are golden."""
    cells = [cell for run in load("trainings")[0].values() for cell in run.values()]
    return {name for cell in cells for part in ("scores", "diagnostics") for name in cell.get(part, {})}
