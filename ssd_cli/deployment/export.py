"""Export a trained predictor as one file and compare its output with the original's."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ssd_cli.core.atomic import replacing
from ssd_cli.core.version import __version__
from ssd_cli.costs.measure import MACS_CONVENTION, count_macs
from ssd_cli.deployment.graph import DeployedPredictor
from ssd_cli.deployment.metadata import INPUT, METADATA_KEY, OUTPUT
from ssd_cli.deployment.reduce import drop_notes, fold_batch_norms, quantise
from ssd_cli.deployment.runtime import load_model
from ssd_cli.deployment.trained import Trained
from ssd_cli.errors import SsdBenchError
from ssd_cli.hardware import cpu_model
from ssd_cli.methods import methods
from ssd_cli.methods.base import Combination, Predictor

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-4
"""Largest permitted difference of a probability for a float graph; observed differences are below 1e-5."""


def export_onnx(trained: Trained, path: Path, int8: bool = False) -> dict[str, Any]:
    """Write the ONNX file `path` and a report to ``path.json``: parity, accuracy, size, multiply-accumulates, latency.

    `int8` quantises convolutions and the linear layer, calibrated on training series; the report also has the float figures.

    Raises
    ------
    SsdBenchError
        The extra ``onnx`` is not installed, or the graph's probabilities differ from the predictor's.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        what = "An export needs onnx and onnxscript, which are not installed."
        raise SsdBenchError(what, "", "pip install 'ssd-bench[onnx]'") from error
    expected = reference(trained)
    model = _graph(trained)
    left = fold_batch_norms(model)
    drop_notes(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(_about(trained), allow_nan=False)
    model.producer_name, model.producer_version = "ssd-bench", __version__
    onnx.checker.check_model(model)
    with replacing(path) as draft:
        draft.write_bytes(model.SerializeToString())
        report: dict[str, Any] = {"batch_norms_left": left, "float": _figures(trained, expected, draft)}
        report |= {
            "macs": sum(count_macs(network, _raw_example(trained)[:1]) for network in trained.networks),
            "macs_convention": MACS_CONVENTION,
            "networks": len(trained.networks),
        }
        _refuse_difference(trained, report["float"]["largest_difference"])
        if int8:
            quantise(trained, draft, draft)
            report["int8"] = _figures(trained, expected, draft)
    text = json.dumps({**_about(trained), **report}, indent=1, allow_nan=False)
    path.with_name(f"{path.name}.json").write_text(text + "\n", encoding="utf-8")
    return report


def export_torch(trained: Trained, path: Path) -> dict[str, Any]:
    """Write the same module with ``torch.export``; return the report of `export_onnx` without latency.

    If the module's probabilities differ from the predictor's, raise SsdBenchError and write nothing.
    """
    expected = reference(trained)
    program = torch.export.export(_module(trained), (_raw_example(trained),), dynamic_shapes=_dynamic(trained), strict=False)
    with replacing(path) as draft:
        torch.export.save(program, draft, extra_files={METADATA_KEY: json.dumps(_about(trained), allow_nan=False)})
        loaded = torch.export.load(draft).module()
        filled = [trained.preparation.imputation.filled(series) for series in trained.test]
        found = np.concatenate([loaded(torch.from_numpy(series[None])).numpy() for series in filled])
        report = {**_parity(trained, expected, found), "size_bytes": draft.stat().st_size}
        _refuse_difference(trained, report["largest_difference"])
    return {"float": report}


def reference(trained: Trained) -> npt.NDArray[np.float64]:
    """Return the predictor's probabilities for the test set (n_cases, n_classes), as ``ssd-bench run`` computed them."""
    predictor = Predictor(trained.networks, combination=_combination(trained))
    probabilities = predictor.predict_proba(trained.preparation.transform(trained.test))
    if not np.isfinite(probabilities).all():
        raise SsdBenchError(
            f"{trained.record.cell}: the networks give no probabilities for some test series.",
            "Expected finite weights and finite series.",
            "Train the cell again with another preparation or recipe, since this one cannot be exported.",
        )
    return probabilities


def _combination(trained: Trained) -> Combination:
    """Return the combination rule of the method's predictors; of plug-ins only the mean can be rebuilt."""
    method = trained.record.spec.method
    return "mean" if method.plugin_sha256 else methods.get(method.name).combination


def _module(trained: Trained) -> DeployedPredictor:
    return DeployedPredictor(trained.preparation, trained.networks, _combination(trained) == "vote", trained.any_length).eval()


def _graph(trained: Trained) -> onnx.ModelProto:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _module(trained),
            (_raw_example(trained),),
            dynamo=True,
            external_data=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=_dynamic(trained),
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _dynamic(trained: Trained) -> Any:
    batch = torch.export.Dim("batch")
    return ({0: batch, 2: torch.export.Dim("time", min=2)} if trained.any_length else {0: batch},)


def _raw_example(trained: Trained) -> torch.Tensor:
    """Return three series of the common length: the exporter would treat a batch of one as a constant."""
    shape = (3, trained.train[0].shape[0], trained.preparation.n_timepoints)
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


def _about(trained: Trained) -> dict[str, Any]:
    record = trained.record
    return {
        "classes": list(trained.classes),
        "n_channels": trained.train[0].shape[0],
        "channels": list(trained.channels),
        "n_timepoints": trained.preparation.n_timepoints,
        "equal_length": not trained.any_length,
        "fill": trained.preparation.imputation.fill.tolist(),
        "preparation": record.spec.preparation,
        "cell": {name: getattr(record.cell, name) for name in ("dataset", "method", "backbone", "recipe", "resample", "seed")},
        "identity_sha256": record.identity_hash,
        "dataset_digest": record.spec.dataset_digest,
        "networks_sha256": [entry["sha256"] for entry in record.networks],
        "trained_with": record.provenance.get("versions", {}),
        "exported_with": {"ssd-bench": __version__, "torch": torch.__version__},
    }


def _figures(trained: Trained, expected: npt.NDArray, path: Path) -> dict[str, Any]:
    model = load_model(path)
    return {
        **_parity(trained, expected, model.predict_proba(trained.test)),
        "size_bytes": path.stat().st_size,
        **model.latency_ms(trained.test[0]),
        "latency_convention": "onnxruntime, CPU, batch 1, one thread",
        "processor": cpu_model(),
    }


def _parity(trained: Trained, expected: npt.NDArray, found: npt.NDArray) -> dict[str, float]:
    return {
        "test_cases": len(expected),
        "largest_difference": float(np.abs(expected - found).max()),
        "agreement": float((expected.argmax(1) == found.argmax(1)).mean()),
        "accuracy": float((found.argmax(1) == trained.y_test).mean()),
        "accuracy_before": float((expected.argmax(1) == trained.y_test).mean()),
    }


def _refuse_difference(trained: Trained, difference: float) -> None:
    if not difference <= TOLERANCE:  # this form refuses NaN too
        raise SsdBenchError(
            f"{trained.record.cell}: the exported graph differs from the predictor by {difference:.1g}.",
            f"Expected at most {TOLERANCE:g}.",
            "Report this.",
        )
