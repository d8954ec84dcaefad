"""An output folder as the golden revision writes it: results of two backbones, a failed and skipped cells, some cells missing."""

import json
import shutil
import tarfile
from pathlib import Path

from tests.golden import adapter, results
from tests.golden.runs import call, execute
from tests.store.editing import seal

PACKED = Path(__file__).parent / "values" / "folder.tar.xz"
TABLES = Path(__file__).parent / "values" / "tables"
COMMON = ["--backbone", "fcn[width=4]", "--recipe", "smoke[batch_size=6]"]
MAIN = [
    *(part for name in ("Waves", "Pairs", "Gaps", "Ragged", "Few") for part in ("--dataset", name)),
    *(part for name in ("single", "ens-avg[members=2]", "ssd", "soup-greedy") for part in ("--method", name)),
    *(*COMMON, "--seeds", "3", "--resamples", "2"),
]
FAILING = ["--dataset", "Lacking", "--method", "single", *COMMON]
MISSING = [
    "Gaps ssd fcn[width=4] r0 s1",
    "Gaps ssd fcn[width=4] r1 s1",
    "Gaps soup-greedy fcn[width=4] r1 s0",
    "Gaps ens-avg[members=2] fcn[width=4] r1 s1",
]
COMPARISONS = {
    "complete": ["--missing", "complete"],
    "worst-rank": ["--missing", "worst-rank", "--rope", "0.01", "--alpha", "0.1"],
    "nemenyi": ["--missing", "complete", "--convention", "nemenyi", "--method", "s*"],
    "external": ["--missing", "complete", "--with", "others.csv"],
}
OTHERS = "dataset,Forest,Kernel\nWaves,0.5,0.75\nPairs,0.25,0.5\nGaps,0.5,0.5\nRagged,0.625,0.5\nFew,0.5,0.5\n"
EXPORTED = {"single": "Waves", "ens-avg[members=2]": "Pairs", "ssd": "Ragged"}


def make(data, folder):
    """Write the packed folder and all that the commands say about it."""
    out = folder / "packed" / "results"
    execute(MAIN, data, out)
    failing = call("run", *FAILING, "--data-dir", data, "--out", out, *_fixed())
    assert failing.returncode == 1, failing.stderr
    whole = results.read(out)
    _raise_scores(out, folder / "raised")
    for source, reference in ((out, "reference"), (folder / "raised", "reference-above")):
        done = call("check", source, "--update", "--reference", folder / "packed" / reference)
        assert done.returncode == 0, done.stderr
    _remove_missing(out)
    PACKED.parent.mkdir(exist_ok=True)
    with tarfile.open(PACKED, "w:xz", preset=9) as file:
        for path in sorted((folder / "packed").rglob("*")):
            if path.is_file() and not {".tmp", ".claims"} & set(path.parts):
                file.add(path, path.relative_to(folder / "packed"), filter=_anonymous)
    copy = unpack(folder / "copy")
    shutil.rmtree(TABLES, ignore_errors=True)
    for name in COMPARISONS:
        for table in sorted(compare(name, copy, folder / f"tables {name}").glob("*.csv")):
            (TABLES / name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(table, TABLES / name / table.name)
    results.save(
        "folder",
        {
            "missing cells": {name: whole[name] for name in MISSING},
            "cells of the page": page(copy, folder / "page.html"),
            "files for tsml": tsml(copy, folder / "tsml"),
            "predictions of exported files": {method: predict(copy, data, method, folder / "exported") for method in EXPORTED},
        },
    )


def _fixed():
    return ["--workers", 1, "--threads", 1, "--device", "cpu", "--no-download"]


def unpack(folder):
    """Unpack into a folder and return the output folder in it; beside it lie two references of ``check``."""
    with tarfile.open(PACKED) as file:
        file.extractall(folder, filter="data")
    return folder / "results"


def go_on(out, data, *more):
    """Run the same cells again and return the finished process."""
    return call("run", *MAIN, "--data-dir", data, "--out", out, *_fixed(), *more)


def compare(name, out, tables):
    """Compare with the options of one name; return the folder of the tables."""
    others = tables.parent / "others.csv"
    others.write_text(OTHERS)
    done = call("compare", out, "-o", tables, *COMPARISONS[name], cwd=tables.parent)
    assert done.returncode == 0, done.stderr
    return tables


def page(out, path):
    """Return what the page of ``report`` knows of every cell."""
    done = call("report", out, "-o", path)
    assert done.returncode == 0, done.stderr
    return adapter.data_of_page(path)


def tsml(out, folder):
    """Return the digest of every file of ``export-tsml``."""
    done = call("export-tsml", out, folder)
    assert done.returncode == 0, done.stderr
    return {path.relative_to(folder).as_posix(): results.short(path.read_bytes()) for path in sorted(folder.rglob("*.csv"))}


def predict(out, data, method, folder):
    """Export a predictor, and return the classes and probabilities that the file gives for the test series."""
    dataset, folder = EXPORTED[method], folder / method
    folder.mkdir(parents=True)
    exported = call("export", out, "--dataset", dataset, "--method", method, "-o", folder / "model.onnx", "--data-dir", data)
    assert exported.returncode == 0, exported.stderr
    done = call("predict", folder / "model.onnx", data / dataset / f"{dataset}_TEST.ts")
    assert done.returncode == 0, done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines()[1:] if line]
    return [[row[1], *(round(float(value), 4) for value in row[2:])] for row in rows]


def paths_of(out, name):
    """Return the record and the predictions of a cell."""
    for path in sorted(Path(out).glob("seed*/*/Predictions/*/testResample*.json")):
        cell = json.loads(path.read_bytes())["cell"]
        if name == f"{cell['dataset']} {cell['method']} {cell['backbone']} r{cell['resample']} s{cell['seed']}":
            return path, path.with_suffix(".csv")
    raise KeyError(name)


def _remove_missing(out):
    """Remove the missing cells, and all networks of one of them."""
    for number, name in enumerate(MISSING):
        record, predictions = paths_of(out, name)
        if number == len(MISSING) - 1:
            for one in json.loads(record.read_bytes())["networks"]:
                (out / "networks" / one["sha256"][:2] / f"{one['sha256']}.safetensors").unlink()
        record.unlink()
        predictions.unlink()


def _raise_scores(out, copy):
    """Copy the folder, with records of perfect accuracy."""
    shutil.copytree(out, copy)
    for path in copy.glob("seed*/*/Predictions/*/testResample*.json"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith('"scores": {"accuracy"'):
                scores = json.loads("{" + line.rstrip(",") + "}")["scores"] | {"accuracy": 1.0, "nll": 0.01}
                lines[number] = f'"scores": {json.dumps(scores, sort_keys=True)},'
        body = "\n".join(lines[:-2]).removesuffix(",")  # the last lines hold the digest
        seal(path, body)


def _anonymous(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 1_700_000_000
    return entry
