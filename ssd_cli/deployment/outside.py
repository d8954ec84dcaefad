"""Find tensors of an ONNX file whose values lie outside the file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph"), "training": (20, "Training"), "functions": (25, "Function")},
    "Training": {"initialization": (1, "Graph"), "algorithm": (2, "Graph")},
    "Function": {"nodes": (7, "Node"), "attributes": (11, "Attribute")},
    "Graph": {"nodes": (1, "Node"), "tensors": (5, "Tensor"), "sparse": (15, "Sparse")},
    "Node": {"attributes": (5, "Attribute")},
    "Attribute": {
        "tensor": (5, "Tensor"),
        "graph": (6, "Graph"),
        "tensors": (10, "Tensor"),
        "graphs": (11, "Graph"),
        "sparse": (22, "Sparse"),
        "sparses": (23, "Sparse"),
    },
    "Sparse": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {"name": (8, "bytes"), "places": (13, "bytes"), "location": (14, "int32")},
}
"""Messages and fields of onnx.proto3 that lead to tensors, with their numbers. The package onnx is not needed to predict."""


def external_tensors(content: bytes) -> list[str]:
    """Return the names of the tensors of an ONNX file that refer to other files or to memory.

    Raises
    ------
    ValueError
        The content is not a protocol buffer.
    """
    from google.protobuf.message import DecodeError

    model = _message_class()()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return [b"".join(tensor.name).decode(errors="replace") for tensor in _tensors(model) if tensor.places or any(tensor.location)]


def _tensors(message: Any) -> Iterator[Any]:
    if message.DESCRIPTOR.name == "Tensor":
        yield message
        return
    for field, children in message.ListFields():
        if field.message_type is not None:
            for child in children:
                yield from _tensors(child)


@cache
def _message_class() -> Any:
    """Return the class of a model. All fields are repeated, so that a later value of a field does not hide an earlier one."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="ssd_bench_outside.proto", package="ssd_bench_outside", syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            added = message.field.add(name=field, number=number, label=kinds.LABEL_REPEATED)
            if kind in _FIELDS:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".{file.package}.{kind}"
            else:
                added.type = kinds.TYPE_BYTES if kind == "bytes" else kinds.TYPE_INT32
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Model"))
