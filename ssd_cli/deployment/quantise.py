"""Quantise an exported graph statically to 8 bits."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.dataset import Series
from ssd_cli.core.atomic import replacing
from ssd_cli.deployment.runtime import INPUT, Model, load_model
from ssd_cli.deployment.trained import Trained

CALIBRATION_CASES = 256


def quantise(trained: Trained, path: Path, out: Path) -> None:
    """Write the 8-bit form of the float file `path` to `out`: weights per channel, calibrated on training series of all classes."""
    from onnxruntime import quantization

    model = load_model(path)
    reader = _Calibration(model, [trained.train[case] for case in calibration_cases(len(trained.train))])
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # hides the advice to preprocess: the graph is folded already
    try:
        with replacing(out) as draft:
            quantization.quantize_static(
                path,
                draft,
                reader,
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Gemm", "MatMul"],
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
            )
    finally:
        root.setLevel(level)


def calibration_cases(n_cases: int) -> list[int]:
    """Return up to 256 evenly spaced cases: resamples are ordered by class, so every class is among them."""
    return np.linspace(0, n_cases - 1, min(n_cases, CALIBRATION_CASES)).astype(int).tolist()


class _Calibration:
    """Reader of training series in the form that onnxruntime's calibration takes."""

    def __init__(self, model: Model, series: list[Series]) -> None:
        self._inputs = iter([{INPUT: model.prepare(one)} for one in series])

    def get_next(self) -> dict[str, npt.NDArray] | None:
        """Return the next input, or None after the last."""
        return next(self._inputs, None)
