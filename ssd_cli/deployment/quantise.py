"""Static quantisation of an exported graph to 8 bits."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssd_cli.archives.dataset import Series
from ssd_cli.deployment.runtime import INPUT, Model, load_model
from ssd_cli.deployment.trained import Trained

CALIBRATION_CASES = 256


def quantise(trained: Trained, path: Path, out: Path) -> None:
    """Write ``out``, the 8-bit form of a float file: weights per channel, calibrated on training series from the whole set.

    Parameters
    ----------
    trained : Trained
        Gives the training series.
    path, out : Path
        May be the same.
    """
    from onnxruntime import quantization

    model = load_model(path)
    reader = _Calibration(model, [trained.train[case] for case in calibration_cases(len(trained.train))])
    output = out.with_name(f".{out.stem}.{os.getpid()}.int8.onnx")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser's advice to preprocess: the graph is folded already
    try:
        quantization.quantize_static(
            path,
            output,
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        output.replace(out)
    finally:
        root.setLevel(level)
        output.unlink(missing_ok=True)


def calibration_cases(n_cases: int) -> list[int]:
    """Up to 256 cases from the first to the last: resamples are ordered by class, and every class is to be among them."""
    return np.linspace(0, n_cases - 1, min(n_cases, CALIBRATION_CASES)).astype(int).tolist()


class _Calibration:
    """Training series, one after the other, as onnxruntime's calibration asks for them."""

    def __init__(self, model: Model, series: list[Series]) -> None:
        self._inputs = iter([{INPUT: model.prepare(one)} for one in series])

    def get_next(self) -> dict[str, npt.NDArray] | None:
        """The next input, or None after the last."""
        return next(self._inputs, None)
