"""Ids and attribute values as Python has them, and as the contract has them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from ._proto.layer.router.v1 import fetch_pb2
from ._proto.layer.types.v1 import value_pb2 as values
from ._proto.layer.types.v1.value_pb2 import DenseVector, Id, Value

DocumentId = int | str


class Vector(list[float]):
    """A dense vector. A plain list of floats is an array of floats, unless its attribute is named `vector`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was fetched."""

    id: DocumentId
    attributes: dict[str, Any]
    """The attributes by name; one without a value has no entry."""

    @staticmethod
    def of(message: fetch_pb2.Document) -> Document:
        """Of the contract's message."""
        return Document(id_of(message.id), attributes_of(message.attributes))


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents as they were fetched, in the order of the ids that were asked for."""

    documents: list[Document]
    missing: list[DocumentId]
    """Ids that have no document."""


def to_id(given: DocumentId | uuid.UUID) -> Id:
    """The contract's id: the string "1" is not the integer 1."""
    return Id(uint_value=given) if isinstance(given, int) else Id(string_value=str(given))


def id_of(message: Id) -> DocumentId:
    """The id as Python has it."""
    return message.uint_value if message.WhichOneof("kind") == "uint_value" else message.string_value


def to_attributes(attributes: Mapping[str, Any]) -> dict[str, Value]:
    """The contract's values by name."""
    return {name: _named(name, value) for name, value in attributes.items()}


def _named(name: str, value: Any) -> Value:
    return to_value(Vector(value) if name == "vector" and _is_list(value) else value)


def attributes_of(attributes: Mapping[str, Value]) -> dict[str, Any]:
    """The values as Python has them."""
    return {name: value_of(value) for name, value in attributes.items()}


def to_value(given: Any) -> Value:
    """The contract's value.

    Lists have elements of one kind. `Vector` is a dense vector, a list of them a multi-vector, a mapping from names to floats a
    sparse vector. Raises TypeError for anything else.
    """
    match given:
        case None:
            return Value(null_value="NULL_VALUE")
        case bool():
            return Value(bool_value=given)
        case int():
            return Value(int_value=given) if given < 2**63 else Value(uint_value=given)
        case float():
            return Value(float_value=given)
        case str():
            return Value(string_value=given)
        case bytes():
            return Value(bytes_value=given)
        case datetime():
            return Value(datetime_value=_timestamp(given))
        case uuid.UUID():
            return Value(uuid_value=str(given))
        case Vector():
            return Value(dense_vector=_dense(given))
        case Mapping():
            return Value(sparse_vector=values.SparseVector(weights=given))
    if _is_list(given):
        return _to_list(list(given))
    raise TypeError(f"{type(given).__name__} is no value of an attribute")


def _is_list(given: Any) -> bool:
    return isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)


def _to_list(given: list[Any]) -> Value:
    kinds = {type(each) for each in given}
    if not kinds:
        return Value(empty_array=values.EmptyArray())
    if kinds == {str}:
        return Value(string_array=values.StringArray(values=given))
    if kinds == {bool}:
        return Value(bool_array=values.BoolArray(values=given))
    if kinds == {int}:
        return _integers(given)
    if kinds <= {int, float}:
        return Value(float_array=values.FloatArray(values=given))
    if kinds == {datetime}:
        return Value(datetime_array=values.DatetimeArray(values=map(_timestamp, given)))
    if kinds == {uuid.UUID}:
        return Value(uuid_array=values.UuidArray(values=map(str, given)))
    if kinds <= {Vector, list, tuple}:
        return Value(multi_vector=values.MultiVector(vectors=map(_dense, given)))
    raise TypeError(f"a list of {', '.join(sorted(kind.__name__ for kind in kinds))} is no value of an attribute")


def _integers(given: Sequence[int]) -> Value:
    if max(given) < 2**63:
        return Value(int_array=values.IntArray(values=given))
    return Value(uint_array=values.UintArray(values=given))


def _dense(given: Iterable[float]) -> DenseVector:
    return DenseVector(floats=values.Floats(values=given))


def _timestamp(given: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(given if given.tzinfo is None else given.astimezone(UTC).replace(tzinfo=None))
    return made


def value_of(message: Value) -> Any:
    """The value as Python has it; a vector that came as bytes stays bytes, as its width is the schema's business."""
    kind = message.WhichOneof("kind")
    if kind is None or kind in ("null_value", "empty_array"):
        return [] if kind == "empty_array" else None
    inner = getattr(message, kind)
    match kind:
        case "datetime_value":
            return _datetime_of(inner)
        case "uuid_value":
            return uuid.UUID(inner)
        case "datetime_array":
            return [_datetime_of(each) for each in inner.values]
        case "uuid_array":
            return [uuid.UUID(each) for each in inner.values]
        case "dense_vector":
            return _vector_of(inner)
        case "multi_vector":
            return [_vector_of(each) for each in inner.vectors]
        case "sparse_vector":
            return dict(inner.weights)
        case "json_value":
            return orjson.loads(inner)
        case "highlights":
            return list(inner.fragments)
    return list(inner.values) if kind.endswith("_array") else inner


def _datetime_of(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)


def _vector_of(message: DenseVector) -> Vector | bytes:
    return message.little_endian if message.WhichOneof("elements") == "little_endian" else Vector(message.floats.values)
