"""Reduce an exported graph: fold batch norms into convolutions, drop the exporter's notes, quantise weights to 8 bits.

The graph of any network can be folded, including plug-ins that `engine.folding` does not know. `fold_into` does the arithmetic in
float64.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssd_cli.core.atomic import replacing
from ssd_cli.deployment.metadata import INPUT
from ssd_cli.deployment.runtime import load_model
from ssd_cli.deployment.trained import Trained
from ssd_cli.engine.folding import fold_into

if TYPE_CHECKING:
    import onnx

CALIBRATION_CASES = 256


def fold_batch_norms(model: onnx.ModelProto) -> int:
    """Fold batch norms into the preceding convolutions, in place; return the number of norms that are left.

    A norm after a concatenation is folded into its inputs that are convolutions. At most one other input is possible, such as
    hand-made filters with a ReLU; it gets a multiplication and an addition instead. The model must hold all weights.
    """
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    left = sum(not _fold(model.graph, norm) for norm in norms)
    _drop_unused(model.graph)
    return left


def _fold(graph: Any, norm: Any) -> bool:
    """Fold one norm if possible; return whether it was folded."""
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    source = producers.get(norm.input[0])
    if source is None or uses[norm.input[0]] != 1:
        return False
    joined = source.op_type == "Concat"
    inputs = list(source.input) if joined else [norm.input[0]]
    sizes = [_channels(producers.get(name), weights) for name in inputs]
    if sizes.count(None) > joined:
        return False
    gamma, beta, mean, variance = (numpy_helper.to_array(weights[name]).astype(np.float64) for name in norm.input[1:5])
    epsilon = next((item.f for item in norm.attribute if item.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(variance + epsilon)
    shift = beta - mean * scale
    rest = len(scale) - sum(size for size in sizes if size is not None)
    start = 0
    for position, (name, size) in enumerate(zip(inputs, sizes, strict=True)):
        part = slice(start, start := start + (rest if size is None else size))
        if size is not None and uses[name] == 1:
            _fold_into_node(graph, producers[name], scale[part], shift[part], weights)
        else:
            constants = {f"{norm.name}_scale_{position}": scale[part], f"{norm.name}_shift_{position}": shift[part]}
            source.input[position] = _insert_affine(graph, source, name, constants)
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == norm.output[0]:
                node.input[position] = norm.input[0]
    graph.node.remove(norm)
    return True


def drop_notes(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes, in place: stack traces and inferred shapes.

    The notes contain folder names of the machine, and are larger than the weights of a small network.
    """
    graph = model.graph
    del graph.value_info[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _channels(node: Any, weights: dict[str, Any]) -> int | None:
    """Return the output channels of a convolution with constant weights; None for anything else."""
    if node is None or node.op_type != "Conv" or node.input[1] not in weights:
        return None
    return int(weights[node.input[1]].dims[0])


def _fold_into_node(graph: Any, node: Any, scale: np.ndarray, shift: np.ndarray, weights: dict[str, Any]) -> None:
    from onnx import numpy_helper

    arrays = [numpy_helper.to_array(weights[name]).astype(np.float64) for name in node.input[1:] if name]
    weight, bias = fold_into(arrays[0], arrays[1] if len(arrays) > 1 else None, scale, shift)
    del node.input[1:]
    for kind, values in (("weight", weight), ("bias", bias)):
        node.input.append(_append_constant(graph, f"{node.output[0]}_folded_{kind}", values))


def _insert_affine(graph: Any, before: Any, name: str, constants: dict[str, np.ndarray]) -> str:
    """Insert, before a node, a multiplication and an addition of constants to the value `name`; return the result's name."""
    from onnx import helper

    for operation, (constant, values) in zip(("Mul", "Add"), constants.items(), strict=True):
        _append_constant(graph, constant, values[:, None])
        node = helper.make_node(operation, [name, constant], [f"{constant}_out"], name=constant)
        graph.node.insert(list(graph.node).index(before), node)
        name = node.output[0]
    return name


def _append_constant(graph: Any, name: str, values: np.ndarray) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
    return name


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def quantise(trained: Trained, path: Path, out: Path) -> None:
    """Write the 8-bit form of the float file `path` to `out`: weights per channel, calibrated on training series of all classes."""
    from onnxruntime import quantization

    model = load_model(path)
    cases = calibration_cases(len(trained.train))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # hides the advice to preprocess, since the graph is already folded
    try:
        with replacing(out) as draft:
            quantization.quantize_static(
                path,
                draft,
                _Calibration({INPUT: model.prepare(trained.train[case])} for case in cases),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Gemm", "MatMul"],
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
            )
    finally:
        root.setLevel(level)


def calibration_cases(n_cases: int) -> list[int]:
    """Return up to 256 evenly spaced cases, which include every class, since resamples are ordered by class."""
    return np.linspace(0, n_cases - 1, min(n_cases, CALIBRATION_CASES)).astype(int).tolist()


class _Calibration:
    """Reader of inputs in the form that onnxruntime's calibration takes."""

    def __init__(self, inputs: Iterator[dict[str, np.ndarray]]) -> None:
        self._inputs = inputs

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input, or None after the last."""
        return next(self._inputs, None)
