"""``ssd-bench export``, ``predict``, ``export-tsml``: write a predictor as a file, classify with it, and write predictions."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssd_cli.archives.formats import extensions
from ssd_cli.cli.console import plural, say, table, warn
from ssd_cli.cli.options import completing
from ssd_cli.core.text import spreadsheet_cell
from ssd_cli.errors import MisuseError, SsdBenchError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ssd_cli.deployment.runtime import Model


class Format(StrEnum):
    """Format of the exported file."""

    onnx = "onnx"
    torch = "torch"


_ENDINGS = {Format.onnx: ".onnx", Format.torch: ".pt2"}


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of 'ssd-bench run'.", show_default=False)],
    dataset: Annotated[str, typer.Option(help="Whose predictor.", autocompletion=completing("dataset"), show_default=False)],
    method: Annotated[
        str, typer.Option(help="Label, as the run was given it.", autocompletion=completing("method"), show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: .onnx or, with --format torch, .pt2.", show_default=False)
    ],
    backbone: Annotated[str | None, typer.Option(help="If there are several.", autocompletion=completing("backbone"))] = None,
    resample: Annotated[int | None, typer.Option(help="Default: the lowest there is.")] = None,
    seed: Annotated[int | None, typer.Option(help="Default: the lowest there is.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="ONNX, or torch.export.")] = Format.onnx,
    int8: Annotated[bool, typer.Option("--int8", help="Quantise to 8 bits, calibrated on training series.")] = False,
    data_dir: Annotated[list[Path] | None, typer.Option("--data-dir", help="Folder of datasets; repeatable.")] = None,
) -> None:
    """Write a trained predictor, with its preparation, as one file; say how far it is from the original, how large and how fast."""
    if out.suffix != (ending := _ENDINGS[format_]):
        raise MisuseError(f"The file {out} does not end in {ending}.", "", f"Use -o {out.with_suffix(ending)}")
    if int8 and format_ is Format.torch:
        raise MisuseError("--int8 cannot be combined with --format torch.", "Expected --format onnx with --int8.")
    from ssd_cli.deployment.export import export_onnx, export_torch
    from ssd_cli.deployment.trained import find, restore

    trained = restore(folder, find(folder, dataset, method, backbone, resample, seed), tuple(data_dir or ()))
    report = export_onnx(trained, out, int8) if format_ is Format.onnx else export_torch(trained, out)
    names = {
        "accuracy": "accuracy",
        "largest_difference": "largest difference of a probability",
        "agreement": "agreement of predictions",
        "size_bytes": "size in bytes",
        "latency_ms_p50": "latency p50 in ms",
        "latency_ms_p95": "latency p95 in ms",
    }
    kinds = [kind for kind in ("float", "int8") if kind in report]
    measured = {key: text for key, text in names.items() if key in report["float"]}  # torch.export has no latency
    rows = [(text, *(_number(report[kind][key]) for kind in kinds)) for key, text in measured.items()]
    table([f"{trained.record.cell.dataset}, {trained.record.cell.method}", *kinds], rows)
    if "macs" in report:
        networks = plural(report["networks"], "network")
        say(f"\n{networks}, {report['macs']:,} multiply-accumulates a series; latency: onnxruntime, one thread.")
    say(f"Written to {out}" + (f" and {out.name}.json" if format_ is Format.onnx else ""))


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL.onnx", help="A file of 'ssd-bench export'.", show_default=False)],
    series: Annotated[
        Path | None,
        typer.Argument(
            metavar=f"[X{'|'.join(extensions()).replace('|.', '|')}]", help="Series to classify, with or without labels."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV to write; default standard output.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read windows from standard input, a line each: values by comma, channels by colon.")
    ] = False,
) -> None:
    """Write class and probabilities of every series; needs onnxruntime and numpy, not torch."""
    from ssd_cli.deployment.runtime import load_model, read_series

    if bool(stream) == (series is not None):
        raise MisuseError("There is no input, or there are two.", "Expected either a file of series or --stream.")
    if stream and out is not None:
        raise MisuseError(
            "--stream and -o cannot be combined.", "--stream writes to standard output.", f"Leave -o out, and add > {out}"
        )
    loaded = load_model(model)
    if stream:
        _stream(loaded, sys.stdin.buffer)
        return
    assert series is not None
    X, y = read_series(series, loaded)
    labelled = {case: label for case, label in enumerate(y) if label is not None}
    if unknown := sorted(set(labelled.values()) - set(loaded.classes)):
        raise SsdBenchError(
            f"{series} has the class {unknown[0]}, which the model does not know.", f"Expected {', '.join(loaded.classes)}."
        )
    probabilities = loaded.predict_proba(X, f"{series}, case")
    lines = [_header(loaded), *(f"{case},{_row(loaded, row)}" for case, row in enumerate(probabilities))]
    if out is None:
        say("\n".join(lines))
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if labelled:
        correct = sum(loaded.classes[probabilities[case].argmax()] == label for case, label in labelled.items())
        warn(f"{correct} of {len(labelled)} as labelled (accuracy {correct / len(labelled):.4f}).")


def export_tsml(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of 'ssd-bench run'.", show_default=False)],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.", show_default=False)],
) -> None:
    """Write the predictions of every finished cell to OUT/<estimator>/Predictions/<dataset>/testResample<k>.csv."""
    from ssd_cli.store import tsml_export

    done = tsml_export.export_tsml(folder, out)
    names = tsml_export.NAMES
    say(f"{plural(done.n_files, 'file')} of {plural(len(done.estimators), 'estimator')} in {out}; {names} says what each one is.")
    if done.n_without:
        say(f"{plural(done.n_without, 'cell')} without predictions (failed or skipped) left out.")


def _stream(model: Model, lines: Iterable[bytes]) -> None:
    """Classify each window; a malformed window gives a line of empty cells, so that line numbers stay aligned."""
    from ssd_cli.deployment.stream import read_window, windows

    say(_header(model), flush=True)
    n_failed = 0
    for number, text in windows(lines):
        try:
            window = read_window(text, number)
            start = time.perf_counter()
            (row,) = model.predict_proba([window], "Window", number)
        except SsdBenchError as error:
            n_failed += 1
            say(f"{number}{',' * (1 + len(model.classes))}", flush=True)
            warn(f"Error: {error}")
            continue
        milliseconds = (time.perf_counter() - start) * 1e3
        say(f"{number},{_row(model, row)}", flush=True)
        warn(f"{number}: {milliseconds:.3f} ms")
    if n_failed:
        warn(f"{plural(n_failed, 'window')} without an answer.")
        raise typer.Exit(1)


def _header(model: Model) -> str:
    return ",".join(["case", "class", *(f"p_{_quoted(label)}" for label in model.classes)])


def _row(model: Model, row: npt.NDArray[np.float64]) -> str:
    return ",".join([_quoted(spreadsheet_cell(model.classes[int(row.argmax())])), *(f"{value:.8g}" for value in row)])


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n') else text


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
