"""Damaged and hostile exported files: an error in a sentence, or probabilities; values never come from another file."""

import json
import math
import random
import re
import struct

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ssd_cli.deployment.runtime import load_model
from ssd_cli.errors import SsdBenchError

ABOUT = {
    "classes": ["down", "up", "level"],
    "n_channels": 2,
    "channels": ["acc", "gyro"],
    "n_timepoints": 5,
    "equal_length": True,
    "fill": [0.5, -1.0],
    "preparation": {"length": "pad", "impute": "linear", "scale": "none"},
}
SERIES = [np.linspace(-1, 1, 10).reshape(2, 5), np.full((2, 5), np.nan)]


def small(last=("Softmax",), about=ABOUT, dtype=TensorProto.DOUBLE, n_out=3):
    """A linear classifier of raw series; `last` are the operators after its logits."""
    weight = np.random.default_rng(0).normal(size=(10, 3)).astype(helper.tensor_dtype_to_np_dtype(dtype))
    names = [*(f"values_{step}" for step in range(len(last))), "probabilities"]
    nodes = [helper.make_node("Flatten", ["series"], ["flat"]), helper.make_node("MatMul", ["flat", "weight"], [names[0]])]
    nodes += [
        helper.make_node(kind, [names[step]], [names[step + 1]], **({"axis": -1} if kind == "Softmax" else {}))
        for step, kind in enumerate(last)
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("series", dtype, ["batch", 2, 5])],
        [helper.make_tensor_value_info("probabilities", dtype, ["batch", n_out] if n_out else None)],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"ssd_bench": about if isinstance(about, str) else json.dumps(about)})
    return model


def refused(path, model):
    """The error of a model, in one line."""
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(SsdBenchError) as caught:
        load_model(path).predict_proba(SERIES)
    assert path.name in str(caught.value)
    return " ".join(str(caught.value).split())


def judge(path):
    """Whether the file gives probabilities; it may be refused instead, but nothing else may happen."""
    try:
        model = load_model(path)
        given = [series[: model.about["n_channels"], : model.about["n_timepoints"]] for series in SERIES]
        found = model.predict_proba(given)
    except SsdBenchError as error:
        assert len(str(error)) < 1500, error
        return False
    assert found.shape == (2, len(model.classes)) and (found >= 0).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=2e-3)
    return True


@pytest.mark.parametrize("dtype", [TensorProto.DOUBLE, TensorProto.FLOAT])
def test_the_small_model_is_accepted(tmp_path, dtype):
    (tmp_path / "model.onnx").write_bytes(small(dtype=dtype).SerializeToString())
    assert judge(tmp_path / "model.onnx")


def mutations(seed, n):
    """Files with flipped bits, cuts, repeated and exchanged pieces, and sizes of fields changed."""
    whole = small().SerializeToString()
    source = random.Random(seed)
    for _ in range(n):
        content = bytearray(whole)
        for _ in range(source.choice((1, 1, 1, 2, 8))):
            at = source.randrange(len(content))
            kind = source.choice(("flip", "flip", "byte", "cut", "repeat", "insert", "move"))
            length = source.randrange(1, 40)
            if kind == "flip":
                content[at] ^= 1 << source.randrange(8)
            elif kind == "byte":
                content[at] = source.choice((0, 1, 127, 128, 255))
            elif kind == "cut":
                del content[at : at + length]
            elif kind == "repeat":
                content[at:at] = content[at : at + length]
            elif kind == "insert":
                content[at:at] = source.randbytes(length)
            else:
                to = source.randrange(len(content))
                content[to:to] = content[at : at + length]
            if not content:
                content = bytearray(b"\0")
        yield bytes(content)


def attacked(folder, seed, n):
    path = folder / "model.onnx"
    accepted = 0
    for content in mutations(seed, n):
        path.write_bytes(content)
        accepted += judge(path)
    return accepted


def test_mutated_files_are_refused_or_give_probabilities(tmp_path, capfd):
    assert 0 < attacked(tmp_path, 0, 400) < 400
    assert capfd.readouterr() == ("", "")  # the runtime prints nothing among the probabilities


@pytest.mark.torture
def test_thousands_of_mutated_files(tmp_path):
    assert attacked(tmp_path, 1, 10_000)


PLACES = ("secret.bin", "./secret.bin", "../model/secret.bin", "{folder}/secret.bin", "/etc/passwd", "*/_ORT_MEM_ADDR_/*")


def external(name, place, dims, flag=True, entries=True):
    tensor = TensorProto(name=name, data_type=TensorProto.DOUBLE, dims=dims)
    if flag:
        tensor.data_location = TensorProto.EXTERNAL
    if entries:
        for key, value in (("location", place), ("offset", "0"), ("length", str(8 * math.prod(dims)))):
            tensor.external_data.add(key=key, value=value)
    return tensor


def with_tensor(where, tensor):
    """The small model, in which a tensor stands somewhere."""
    model = small()
    constant = helper.make_node("Constant", [], ["constant"], value=tensor)
    inner = helper.make_graph([constant], "inner", [], [helper.make_tensor_value_info("constant", TensorProto.DOUBLE, None)])
    if where == "weight":
        model.graph.initializer[0].CopyFrom(tensor)
    elif where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "sparse":
        model.graph.sparse_initializer.add(values=tensor, indices=numpy_helper.from_array(np.arange(10), "i"), dims=[30])
    elif where == "node":
        model.graph.node.insert(0, constant)
    elif where == "subgraph":
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        model.graph.node.insert(0, helper.make_node("If", ["yes"], ["chosen"], then_branch=inner, else_branch=inner))
    elif where == "graphs":
        node = helper.make_node("Identity", ["series"], ["unused"])
        node.attribute.append(helper.make_attribute("graphs", [inner]))
        model.graph.node.insert(0, node)
    elif where == "function":
        model.functions.add(name="f", domain="own", node=[constant], output=["constant"])
    else:
        model.training_info.add().algorithm.CopyFrom(inner)
    return model


@pytest.mark.parametrize("where", ["weight", "initializer", "sparse", "node", "subgraph", "graphs", "function", "training"])
def test_values_outside_the_file_are_refused(tmp_path, monkeypatch, where):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "secret.bin").write_bytes(struct.pack("<30d", *range(30)))
    monkeypatch.chdir(folder)
    for place in PLACES:
        tensor = external("weight", place.format(folder=folder), [10, 3])
        said = refused(folder / "model.onnx", with_tensor(where, tensor))
        assert "takes values from outside the file: the tensor weight" in said
    said = refused(folder / "model.onnx", with_tensor(where, external("weight", "", [10, 3], entries=False)))
    assert "outside the file" in said
    assert "outside the file" in refused(folder / "model.onnx", with_tensor(where, external("weight", "x", [10, 3], flag=False)))


def test_a_later_field_does_not_hide_an_external_tensor(tmp_path):
    """A protocol buffer may hold a field twice; readers differ in which of them counts."""
    outside, inside = with_tensor("weight", external("weight", "/etc/passwd", [10, 3])), small()
    for first, second in ((outside, inside), (inside, outside)):
        content = first.SerializeToString() + second.SerializeToString()
        assert "outside the file" in refused(tmp_path / "model.onnx", content)


WRONG = (None, "", "two", -1, 0, 2.5, 1e400, 10**400, 2**40, True, [], {}, [[]], [None, 1], ["a", "a", "a"], ["\ud800", "b", "c"])


def test_every_wrong_field_of_the_metadata_is_named(tmp_path):
    n_refused = 0
    for field in ABOUT:
        for value in WRONG:
            if (field, value) in (("channels", []), ("equal_length", True)):
                continue
            about = json.dumps({**ABOUT, field: value})
            assert f"'{field}" in refused(tmp_path / "model.onnx", small(about=about)) or "Infinity" in about
            n_refused += 1
        if field != "channels":
            about = {name: value for name, value in ABOUT.items() if name != field}
            assert f"'{field}" in refused(tmp_path / "model.onnx", small(about=about))
    assert n_refused > 100
    for value in WRONG:
        said = refused(tmp_path / "model.onnx", small(about={**ABOUT, "preparation": {"impute": value}}))
        assert "'preparation.impute'" in said or "Infinity" in said
        said = refused(tmp_path / "model.onnx", small(about={**ABOUT, "preparation": {"impute": "linear", "scale": value}}))
        assert "'preparation.scale'" in said or "Infinity" in said
    for text in ("", "[]", "7", "null", "{", "[" * 100_000, '{"n_channels": ' + "9" * 5000 + "}", "NaN", json.dumps(ABOUT)[:-1]):
        assert "metadata is missing or wrong" in refused(tmp_path / "model.onnx", small(about=text))


@pytest.mark.parametrize(
    "change",
    [
        {"n_channels": 1, "channels": ["a"], "fill": [0]},
        {"n_timepoints": 6},
        {"classes": ["a", "b"]},
        {"classes": ["a", "b", "c", "d"]},
    ],
)
def test_metadata_of_another_graph_are_refused(tmp_path, change):
    assert "does not agree with the metadata" in refused(tmp_path / "model.onnx", small(about={**ABOUT, **change}))


@pytest.mark.parametrize(
    ("last", "n_out", "piece"),
    [
        (("Identity",), 3, "Expected probabilities"),
        (("Relu",), 3, "Expected probabilities"),
        (("Softmax", "Neg"), 3, "Expected probabilities"),
        (("Sigmoid",), 3, "Expected probabilities"),
        (("Abs", "Neg", "Sqrt"), 3, "no probabilities"),
        (("Exp", "Exp", "Exp", "Exp", "Exp", "Exp"), 3, "no probabilities"),
        (("Softmax", "Transpose"), 0, "does not agree|output has the shape"),
        (("Shape",), 0, "does not agree|cannot read"),
    ],
)
def test_output_that_is_no_probability_is_refused(tmp_path, last, n_out, piece):
    assert re.search(piece, refused(tmp_path / "model.onnx", small(last, n_out=n_out)))
