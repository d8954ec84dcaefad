"""Export the networks of a study, as float and in 8 bits, and tabulate parity, accuracy, size and latency.

    python benchmarks/deployed.py CELLS EXPORTS [--dataset …] [--method …] [--float-only]   # resumes: what is there is left alone
    python benchmarks/deployed.py CELLS EXPORTS --time      # all latencies again, with nothing else running
    python benchmarks/deployed.py CELLS EXPORTS --table accuracy|parity                     # Markdown, from the reports

CELLS is an output folder of ``ssd-bench run`` that kept its networks. EXPORTS gets DATASET/METHOD@BACKBONE.onnx, .int8.onnx, and a
report beside each; ``ssd-bench compare CELLS --deployed EXPORTS`` puts them beside accuracy.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

Report = dict[str, Any]


def main() -> None:
    """Export what is not there yet, time, or print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path)
    parser.add_argument("exports", type=Path)
    parser.add_argument("--dataset", nargs="*")
    parser.add_argument("--method", nargs="*")
    parser.add_argument("--float-only", action="store_true")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--table", choices=["accuracy", "parity"])
    options = parser.parse_args()
    if options.table:
        print(TABLES[options.table](chosen(options)))
    elif options.time:
        for path in sorted(options.exports.rglob("*.onnx")):
            time_again(path)
    else:
        export(options)


def export(options: argparse.Namespace) -> None:
    """Export every chosen cell."""
    import torch

    from ssd_cli.deployment.export import export_onnx, quantise_onnx
    from ssd_cli.deployment.trained import restore
    from ssd_cli.store.results import ResultStore

    torch.set_num_threads(1)
    for record in ResultStore(options.cells).records():
        cell = record.cell
        if not record.networks or left_out(cell.dataset, cell.method, options):
            continue
        path = options.exports / cell.dataset / f"{cell.folder}.onnx"
        eight = path.with_suffix(".int8.onnx")
        wanted = [one for one in ([path] if options.float_only else [path, eight]) if not one.is_file()]
        if not wanted:
            continue
        trained = restore(options.cells, record)
        if path in wanted:
            export_onnx(trained, path)
        if eight in wanted:
            quantise_onnx(trained, path, eight)
        print(path, flush=True)


def time_again(path: Path) -> None:
    """Measure the latency of an exported file and put it into its report, and into that of the 8-bit file made from it."""
    from ssd_cli.deployment.export import latency, read_report, write_report
    from ssd_cli.deployment.runtime import load_model

    model = load_model(path)
    shape = (model.about["n_channels"], model.about["n_timepoints"])
    found = latency(model, np.random.default_rng(0).standard_normal(shape))
    kind = "int8" if path.name.endswith(".int8.onnx") else "float"
    for one in {path, path.with_suffix(".int8.onnx")} if kind == "float" else {path}:
        if one.is_file():
            report = read_report(one)
            report[kind] |= found
            write_report(one, report)
    print(f"{path} {found['latency_ms_p50']:.3f} ms", flush=True)


def chosen(options: argparse.Namespace) -> list[Report]:
    """The reports of the chosen cells, the 8-bit one where there is one: it has the float figures too."""
    best: dict[tuple[str, str, str], Report] = {}
    for path in sorted(options.exports.rglob("*.onnx.json"), key=lambda path: path.name.endswith(".int8.onnx.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        cell = report["cell"]
        if not left_out(cell["dataset"], cell["method"], options):
            best[cell["dataset"], cell["backbone"], cell["method"]] = report
    return [best[key] for key in sorted(best)]


def left_out(dataset: str, method: str, options: argparse.Namespace) -> bool:
    """Whether a cell was not asked for."""
    return bool((options.dataset and dataset not in options.dataset) or (options.method and method not in options.method))


def accuracy_table(reports: list[Report]) -> str:
    """Float against 8 bits: accuracy, agreement with the run, size and latency."""
    lines = [
        "| dataset | backbone | method | accuracy | int8 | same class | kB | int8 | p50 [ms] | int8 | p95 [ms] | int8 |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for report in reports:
        cell, one, other = report["cell"], report["float"], report["int8"]
        parts = [
            f"{one['accuracy']:.4f} | {other['accuracy']:.4f} | {other['agreement']:.1%}",
            f"{one['size_bytes'] / 1e3:,.0f} | {other['size_bytes'] / 1e3:,.0f}",
            f"{one['latency_ms_p50']:.3g} | {other['latency_ms_p50']:.3g}",
            f"{one['latency_ms_p95']:.3g} | {other['latency_ms_p95']:.3g}",
        ]
        lines.append(f"| {cell['dataset']} | {cell['backbone']} | {cell['method']} | {' | '.join(parts)} |")
    return "\n".join(lines)


def parity_table(reports: list[Report]) -> str:
    """How far each float graph is from the predictor in torch, over a whole test set."""
    lines = [
        "| backbone | method | networks | multiply-accumulates | kB | test cases | largest difference | same class |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for report in reports:
        cell, one = report["cell"], report["float"]
        parts = [
            f"{report['networks']} | {report['macs']:,} | {one['size_bytes'] / 1e3:,.0f} | {one['test_cases']}",
            f"{one['largest_difference']:.1e} | {one['agreement']:.1%}",
        ]
        lines.append(f"| {cell['backbone']} | {cell['method']} | {' | '.join(parts)} |")
    return "\n".join(lines)


TABLES = {"accuracy": accuracy_table, "parity": parity_table}


if __name__ == "__main__":
    main()
