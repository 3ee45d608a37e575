from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Row(_message.Message):
    __slots__ = ("id", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    id: _value_pb2.Id
    attributes: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, id: _Optional[_Union[_value_pb2.Id, _Mapping]] = ..., attributes: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...

class Columns(_message.Message):
    __slots__ = ("ids", "columns")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Column
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Column, _Mapping]] = ...) -> None: ...
    IDS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    columns: _containers.MessageMap[str, Column]
    def __init__(self, ids: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ..., columns: _Optional[_Mapping[str, Column]] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("values", "dense_vectors")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    DENSE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    values: ValueList
    dense_vectors: DenseVectorColumn
    def __init__(self, values: _Optional[_Union[ValueList, _Mapping]] = ..., dense_vectors: _Optional[_Union[DenseVectorColumn, _Mapping]] = ...) -> None: ...

class ValueList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    def __init__(self, values: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ...) -> None: ...

class DenseVectorColumn(_message.Message):
    __slots__ = ("dimensions", "floats", "little_endian")
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    FLOATS_FIELD_NUMBER: _ClassVar[int]
    LITTLE_ENDIAN_FIELD_NUMBER: _ClassVar[int]
    dimensions: int
    floats: _value_pb2.Floats
    little_endian: bytes
    def __init__(self, dimensions: _Optional[int] = ..., floats: _Optional[_Union[_value_pb2.Floats, _Mapping]] = ..., little_endian: _Optional[bytes] = ...) -> None: ...

class ResultRow(_message.Message):
    __slots__ = ("id", "dist", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    DIST_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    id: _value_pb2.Id
    dist: float
    attributes: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, id: _Optional[_Union[_value_pb2.Id, _Mapping]] = ..., dist: _Optional[float] = ..., attributes: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...
