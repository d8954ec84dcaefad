"""Run an exported model on the series of a file, with onnxruntime and numpy; torch is never imported."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.dataset import Series
from ssd_cli.archives.labels import plain
from ssd_cli.archives.read import read_part
from ssd_cli.archives.rules import imputation_rules, scaling_rules
from ssd_cli.archives.rules.scaling import ScalingError
from ssd_cli.deployment.metadata import INPUT, METADATA_KEY, OUTPUT, check_signature, read_metadata
from ssd_cli.deployment.outside import external_tensors
from ssd_cli.errors import MisuseError, SsdBenchError, shortened

_UNLABELLED = "?"
_SUM_TOLERANCE = 1e-3
"""Largest permitted difference of a sum of probabilities from 1. Sums of softmax in 32 bits differ by less than 1e-5."""
_AGAIN = "Copy the file again, or export the model again."
_TOO_NEW = ("NOT_IMPLEMENTED", "No Op registered", "is not a registered function/op", "opset", "IR version")
"""Parts of error messages of an onnxruntime that is too old for the file."""


@dataclass(frozen=True, eq=False)
class Model:
    """An exported model: an onnxruntime session, the checked metadata (classes, shapes, rules, provenance), and the file's path."""

    session: Any
    about: dict[str, Any]
    path: Path = Path("model.onnx")

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the probabilities."""
        return list(self.about["classes"])

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels in the order of the input; empty if the training data or an old file have no names."""
        return tuple(self.about.get("channels", ()))

    def prepare(self, series: npt.NDArray, name: str = "The series") -> npt.NDArray[np.floating]:
        """Return the input of the graph (1, n_channels, n_timepoints) for one series, with missing values (NaN) filled.

        The input has 64 bits; graphs of early versions take 32 bits. Raises SsdBenchError, which names the series by `name`, if its
        length, channels or type differ from the training data, or a value is infinite or too large for the graph.
        """
        if series.dtype.kind not in "fiu":
            raise SsdBenchError(f"{name} holds values of type {series.dtype}.", "The model expects numbers.")
        if series.ndim == 1:
            series = series[None]
        expected = (self.about["n_channels"], self.about["n_timepoints"])
        fits = series.ndim == 2 and series.shape[0] == expected[0] and series.shape[1] > 0
        if not fits or (self.about["equal_length"] and series.shape[1] != expected[1]):
            length = f"{expected[1]} steps" if self.about["equal_length"] else "any number of steps"
            channels = f"{expected[0]} channel{'s' * (expected[0] != 1)}"
            raise SsdBenchError(f"{name} has the shape {series.shape}.", f"The model expects {channels} and {length}.")
        imputation = imputation_rules.get(self.about["preparation"]["impute"])(np.array(self.about["fill"]))
        (taken,) = self.session.get_inputs()
        dtype: type[np.floating] = np.float32 if taken.type == "tensor(float)" else np.float64
        with np.errstate(over="ignore", invalid="ignore"):
            filled = imputation.filled(series.astype(np.float64))
            prepared = filled.astype(dtype)[None]
        beyond = series[~np.isfinite(prepared[0])]
        if len(beyond):
            raise SsdBenchError(f"{name} holds {beyond[0]:g}, which is infinite or too large.", "The model expects finite numbers.")
        try:
            scaling_rules.get(self.about["preparation"]["scale"]).check(filled)
        except ScalingError as error:
            raise SsdBenchError(f"{name}, channel {error.channel + 1}: {error.what}.", "The model scales each series.") from error
        return prepared

    def predict_proba(self, X: Sequence[Series], name: str = "Case", first: int = 0) -> npt.NDArray[np.float64]:
        """Return class probabilities (n_cases, n_classes) of raw series (n_channels, n_timepoints_i).

        Raises SsdBenchError, which names a series by `name` and its number counted from `first`, if `prepare` refuses it, or the
        model gives no probabilities: one row for each series, one number for each class, not below 0, with the sum 1.
        """
        prepared = [self.prepare(series, f"{name} {number}") for number, series in enumerate(X, first)]
        probabilities = np.empty((len(X), len(self.classes)))
        lengths = np.array([series.shape[2] for series in prepared])
        for length in np.unique(lengths):
            cases = np.flatnonzero(lengths == length)
            for start in range(0, len(cases), 64):
                part = cases[start : start + 64]
                probabilities[part] = self._run(np.concatenate([prepared[case] for case in part]))
        failed = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
        if len(failed):
            raise SsdBenchError(
                f"{name} {first + failed[0]}: {self.path} gives no probabilities.",
                "Expected values of the same magnitude as in the training series, and finite weights.",
            )
        sums = probabilities.sum(axis=1)
        failed = np.flatnonzero((probabilities < 0).any(axis=1) | (np.abs(sums - 1) > _SUM_TOLERANCE))
        if len(failed):
            raise SsdBenchError(
                f"{name} {first + failed[0]}: {self.path} gives {shortened([f'{value:g}' for value in probabilities[failed[0]]])}.",
                "Expected probabilities: numbers that are not below 0 and have the sum 1.",
                _AGAIN,
            )
        return probabilities

    def _run(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return the output (n_cases, n_classes) of the graph for an input (n_cases, n_channels, n_timepoints)."""
        try:
            (found,) = self.session.run([OUTPUT], {INPUT: x})
        except Exception as error:  # the runtime's errors have no common public base class
            words = " ".join(str(error).split())[:200]
            raise SsdBenchError(f"{self.path}: onnxruntime cannot compute the graph: {words}", "", _AGAIN) from error
        expected = (len(x), len(self.classes))
        if found.shape != expected:
            raise SsdBenchError(f"{self.path}: the output has the shape {found.shape}.", f"Expected {expected}.", _AGAIN)
        return found

    def latency_ms(self, series: Series, repeats: int = 200) -> dict[str, float]:
        """Return median and 95th percentile of the time in milliseconds for one series, after 20 warm-ups."""
        x = self.prepare(series)
        times = []
        for _ in range(20 + repeats):
            start = time.perf_counter()
            self.session.run([OUTPUT], {INPUT: x})
            times.append((time.perf_counter() - start) * 1e3)
        p50, p95 = np.percentile(times[20:], [50, 95])
        return {"latency_ms_p50": float(p50), "latency_ms_p95": float(p95)}


def load_model(path: str | Path) -> Model:
    """Load a model from a local ONNX file, for one thread.

    Raises
    ------
    MisuseError
        The model is remote, pickled or absent.
    SsdBenchError
        onnxruntime is not installed or lacks an operator, or the file is damaged, refers to values in other files, or was not
        written by ssd-bench.
    """
    if "://" in str(path):
        remedy = "Download the file, and check its origin."
        raise MisuseError(f"{path} is not a local file.", "Remote models are refused.", remedy)
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        refusal = "Pickled models are refused: loading one runs its code."
        raise MisuseError(f"{path} is not an ONNX file.", refusal, "See: ssd-bench export")
    if not path.is_file():
        raise MisuseError(f"There is no file {path}.")
    try:
        import onnxruntime
    except ImportError as error:
        raise SsdBenchError("onnxruntime is not installed.", "", "pip install 'ssd-bench[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised below with a message of ours
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the other format could hide external tensors
    content = path.read_bytes()
    _refuse_external_tensors(content, path)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)  # fails if any text of the file is not UTF-8
        inputs, outputs = (
            [(one.name, one.type, one.shape) for one in some] for some in (session.get_inputs(), session.get_outputs())
        )
    except Exception as error:  # the runtime's errors have no common public base class
        words = " ".join(str(error).split())
        if any(sign in words for sign in _TOO_NEW):
            what = f"This onnxruntime lacks an operator of {path}."
            raise SsdBenchError(what, words[:300], "Install a newer onnxruntime.") from error
        raise SsdBenchError(f"{path} is damaged or cut off: onnxruntime cannot read it.", words[:200], _AGAIN) from error
    if text is None:
        raise SsdBenchError(f"{path} was not exported by ssd-bench: it lacks classes and shapes.", "", "See: ssd-bench export")
    about = read_metadata(text, path)
    check_signature(inputs, outputs, about, path)
    return Model(session, about, path)


def _refuse_external_tensors(content: bytes, path: Path) -> None:
    """Raise SsdBenchError if values of the model lie outside the file: onnxruntime would read any file that the model names."""
    try:
        external = external_tensors(content)
    except ValueError as error:
        raise SsdBenchError(f"{path} is damaged or cut off: {error}.", "", _AGAIN) from error
    if external:
        raise SsdBenchError(
            f"{path} takes values from outside the file: the tensor {shortened(external, 3)}.",
            "Models with external data are refused, because they can name any file of this machine.",
            "Write all values into one file: ssd-bench export",
        )


def read_series(path: Path, model: Model) -> tuple[list[Series], list[str | None]]:
    """Read raw series of shapes (n_channels, n_timepoints_i) and their labels, None where one is missing, for a model.

    Named channels are put into the model's order. Labels that differ from a class of the model only by a decimal point get the
    spelling of the model. The file has any format of the archives; ``.ts``, ``.npz``, ``.csv`` and ``.parquet`` may lack labels.
    Pickled objects are never loaded. Raises SsdBenchError if the file is malformed, or has other channel names than the model.
    """
    if not path.is_file():
        raise MisuseError(f"There is no file {path}.")
    part = read_part(path, equal_length=True if model.about["equal_length"] else None, missing_label=_UNLABELLED)
    part = part.in_order_of(model.channels, str(path), "the model")
    known = {plain(label): label for label in model.classes} | {label: label for label in model.classes} | {_UNLABELLED: None}
    return part.X, [known.get(label, known.get(plain(label), label)) for label in part.y.tolist()]
