"""Make an exported graph as small as what it computes: batch normalisation folded, the exporter's notes dropped."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx


def fold_batch_norms(model: onnx.ModelProto) -> int:
    """Fold in place wherever convolutions alone feed the normalisation; return how many are left.

    A normalisation behind a concatenation is folded into those inputs that are convolutions; where the others follow an activation,
    as hand-made filters do, it stays as one multiplication and one addition for these.

    Parameters
    ----------
    model : onnx.ModelProto
        With all weights inside.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    left = 0
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        gamma, beta, mean, variance = (numpy_helper.to_array(weights[name]).astype(np.float64) for name in norm.input[1:5])
        epsilon = next((item.f for item in norm.attribute if item.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + epsilon)
        shift = beta - mean * factor
        source = producers.get(norm.input[0])
        if source is None or uses[norm.input[0]] != 1:
            left += 1
            continue
        parts = list(source.input) if source.op_type == "Concat" else [norm.input[0]]
        start, added = 0, []
        sizes = [_channels(producers.get(name), weights) for name in parts]
        if sizes.count(None) > (1 if source.op_type == "Concat" else 0):
            left += 1
            continue
        rest = len(factor) - sum(size for size in sizes if size is not None)
        for place, (name, size) in enumerate(zip(parts, sizes, strict=True)):
            stop = start + (rest if size is None else size)
            producer = producers.get(name)
            if size is not None and producer is not None and uses[name] == 1:
                _into_convolution(producer, factor[start:stop], shift[start:stop], weights, graph)
            else:
                scale_name, shift_name = f"{norm.name}_scale_{place}", f"{norm.name}_shift_{place}"
                for new, values in ((scale_name, factor), (shift_name, shift)):
                    tensor = numpy_helper.from_array(values[start:stop, None].astype(np.float32), new)
                    graph.initializer.append(tensor)
                added.append(helper.make_node("Mul", [name, scale_name], [f"{scale_name}_out"], name=scale_name))
                added.append(helper.make_node("Add", [f"{scale_name}_out", shift_name], [f"{shift_name}_out"], name=shift_name))
                if source.op_type == "Concat":
                    source.input[place] = f"{shift_name}_out"
            start = stop
        position = list(graph.node).index(source)
        for offset, node in enumerate(added):
            graph.node.insert(position + offset, node)
        _replace_input(graph, norm.output[0], norm.input[0])
        graph.node.remove(norm)
    _drop_unused(graph)
    return left


def drop_notes(model: onnx.ModelProto) -> None:
    """Drop, in place, what the exporter notes about its work: stack traces and inferred shapes.

    They name folders of the machine, and weigh more than the weights of a small network.
    """
    graph = model.graph
    del graph.value_info[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _channels(node: Any, weights: dict[str, Any]) -> int | None:
    """Output channels of a convolution with constant weights; None for anything else."""
    if node is None or node.op_type != "Conv" or node.input[1] not in weights:
        return None
    return int(weights[node.input[1]].dims[0])


def _into_convolution(node: Any, factor: np.ndarray, shift: np.ndarray, weights: dict[str, Any], graph: Any) -> None:
    from onnx import numpy_helper

    weight = numpy_helper.to_array(weights[node.input[1]]).astype(np.float64)
    bias = numpy_helper.to_array(weights[node.input[2]]).astype(np.float64) if len(node.input) > 2 and node.input[2] else 0.0
    folded = {
        "weight": weight * factor.reshape(-1, *[1] * (weight.ndim - 1)),
        "bias": bias * factor + shift,
    }
    names = []
    for kind, values in folded.items():
        name = f"{node.output[0]}_folded_{kind}"
        tensor = numpy_helper.from_array(values.astype(np.float32), name)
        graph.initializer.append(tensor)
        weights[name] = graph.initializer[-1]
        names.append(name)
    del node.input[1:]
    node.input.extend(names)


def _replace_input(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
