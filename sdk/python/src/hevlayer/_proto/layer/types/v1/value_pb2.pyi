import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Id(_message.Message):
    __slots__ = ("uint_value", "string_value")
    UINT_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    uint_value: int
    string_value: str
    def __init__(self, uint_value: _Optional[int] = ..., string_value: _Optional[str] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("null_value", "string_value", "int_value", "uint_value", "float_value", "bool_value", "bytes_value", "datetime_value", "uuid_value", "string_array", "int_array", "uint_array", "float_array", "bool_array", "datetime_array", "uuid_array", "empty_array", "dense_vector", "sparse_vector", "multi_vector", "highlights", "json_value")
    NULL_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    UINT_VALUE_FIELD_NUMBER: _ClassVar[int]
    FLOAT_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    BYTES_VALUE_FIELD_NUMBER: _ClassVar[int]
    DATETIME_VALUE_FIELD_NUMBER: _ClassVar[int]
    UUID_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_ARRAY_FIELD_NUMBER: _ClassVar[int]
    INT_ARRAY_FIELD_NUMBER: _ClassVar[int]
    UINT_ARRAY_FIELD_NUMBER: _ClassVar[int]
    FLOAT_ARRAY_FIELD_NUMBER: _ClassVar[int]
    BOOL_ARRAY_FIELD_NUMBER: _ClassVar[int]
    DATETIME_ARRAY_FIELD_NUMBER: _ClassVar[int]
    UUID_ARRAY_FIELD_NUMBER: _ClassVar[int]
    EMPTY_ARRAY_FIELD_NUMBER: _ClassVar[int]
    DENSE_VECTOR_FIELD_NUMBER: _ClassVar[int]
    SPARSE_VECTOR_FIELD_NUMBER: _ClassVar[int]
    MULTI_VECTOR_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    JSON_VALUE_FIELD_NUMBER: _ClassVar[int]
    null_value: _struct_pb2.NullValue
    string_value: str
    int_value: int
    uint_value: int
    float_value: float
    bool_value: bool
    bytes_value: bytes
    datetime_value: _timestamp_pb2.Timestamp
    uuid_value: str
    string_array: StringArray
    int_array: IntArray
    uint_array: UintArray
    float_array: FloatArray
    bool_array: BoolArray
    datetime_array: DatetimeArray
    uuid_array: UuidArray
    empty_array: EmptyArray
    dense_vector: DenseVector
    sparse_vector: SparseVector
    multi_vector: MultiVector
    highlights: Highlights
    json_value: str
    def __init__(self, null_value: _Optional[_Union[_struct_pb2.NullValue, str]] = ..., string_value: _Optional[str] = ..., int_value: _Optional[int] = ..., uint_value: _Optional[int] = ..., float_value: _Optional[float] = ..., bool_value: _Optional[bool] = ..., bytes_value: _Optional[bytes] = ..., datetime_value: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., uuid_value: _Optional[str] = ..., string_array: _Optional[_Union[StringArray, _Mapping]] = ..., int_array: _Optional[_Union[IntArray, _Mapping]] = ..., uint_array: _Optional[_Union[UintArray, _Mapping]] = ..., float_array: _Optional[_Union[FloatArray, _Mapping]] = ..., bool_array: _Optional[_Union[BoolArray, _Mapping]] = ..., datetime_array: _Optional[_Union[DatetimeArray, _Mapping]] = ..., uuid_array: _Optional[_Union[UuidArray, _Mapping]] = ..., empty_array: _Optional[_Union[EmptyArray, _Mapping]] = ..., dense_vector: _Optional[_Union[DenseVector, _Mapping]] = ..., sparse_vector: _Optional[_Union[SparseVector, _Mapping]] = ..., multi_vector: _Optional[_Union[MultiVector, _Mapping]] = ..., highlights: _Optional[_Union[Highlights, _Mapping]] = ..., json_value: _Optional[str] = ...) -> None: ...

class StringArray(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class IntArray(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values: _Optional[_Iterable[int]] = ...) -> None: ...

class UintArray(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values: _Optional[_Iterable[int]] = ...) -> None: ...

class FloatArray(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class BoolArray(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, values: _Optional[_Iterable[bool]] = ...) -> None: ...

class DatetimeArray(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_timestamp_pb2.Timestamp]
    def __init__(self, values: _Optional[_Iterable[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]]] = ...) -> None: ...

class UuidArray(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class EmptyArray(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Floats(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class DenseVector(_message.Message):
    __slots__ = ("floats", "little_endian")
    FLOATS_FIELD_NUMBER: _ClassVar[int]
    LITTLE_ENDIAN_FIELD_NUMBER: _ClassVar[int]
    floats: Floats
    little_endian: bytes
    def __init__(self, floats: _Optional[_Union[Floats, _Mapping]] = ..., little_endian: _Optional[bytes] = ...) -> None: ...

class SparseVector(_message.Message):
    __slots__ = ("weights",)
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    weights: _containers.ScalarMap[str, float]
    def __init__(self, weights: _Optional[_Mapping[str, float]] = ...) -> None: ...

class MultiVector(_message.Message):
    __slots__ = ("vectors",)
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    vectors: _containers.RepeatedCompositeFieldContainer[DenseVector]
    def __init__(self, vectors: _Optional[_Iterable[_Union[DenseVector, _Mapping]]] = ...) -> None: ...

class Highlights(_message.Message):
    __slots__ = ("fragments",)
    FRAGMENTS_FIELD_NUMBER: _ClassVar[int]
    fragments: _containers.RepeatedCompositeFieldContainer[HighlightFragment]
    def __init__(self, fragments: _Optional[_Iterable[_Union[HighlightFragment, _Mapping]]] = ...) -> None: ...

class HighlightFragment(_message.Message):
    __slots__ = ("text", "fragment_range", "match_ranges", "array_index")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_RANGE_FIELD_NUMBER: _ClassVar[int]
    MATCH_RANGES_FIELD_NUMBER: _ClassVar[int]
    ARRAY_INDEX_FIELD_NUMBER: _ClassVar[int]
    text: str
    fragment_range: OffsetRange
    match_ranges: _containers.RepeatedCompositeFieldContainer[OffsetRange]
    array_index: int
    def __init__(self, text: _Optional[str] = ..., fragment_range: _Optional[_Union[OffsetRange, _Mapping]] = ..., match_ranges: _Optional[_Iterable[_Union[OffsetRange, _Mapping]]] = ..., array_index: _Optional[int] = ...) -> None: ...

class OffsetRange(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...
