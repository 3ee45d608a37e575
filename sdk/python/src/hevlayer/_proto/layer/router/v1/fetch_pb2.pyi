from hevlayer._proto.layer.types.v1 import query_pb2 as _query_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FetchRequest(_message.Message):
    __slots__ = ("namespace", "id", "include_attributes", "consistency", "attribute_types")
    class AttributeTypesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_TYPES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: _value_pb2.Id
    include_attributes: _containers.RepeatedScalarFieldContainer[str]
    consistency: _query_pb2.Consistency
    attribute_types: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[_Union[_value_pb2.Id, _Mapping]] = ..., include_attributes: _Optional[_Iterable[str]] = ..., consistency: _Optional[_Union[_query_pb2.Consistency, _Mapping]] = ..., attribute_types: _Optional[_Mapping[str, str]] = ...) -> None: ...

class FetchResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class BatchFetchRequest(_message.Message):
    __slots__ = ("namespace", "ids", "include_attributes", "consistency", "attribute_types")
    class AttributeTypesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_TYPES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    ids: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    include_attributes: _containers.RepeatedScalarFieldContainer[str]
    consistency: _query_pb2.Consistency
    attribute_types: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., ids: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ..., include_attributes: _Optional[_Iterable[str]] = ..., consistency: _Optional[_Union[_query_pb2.Consistency, _Mapping]] = ..., attribute_types: _Optional[_Mapping[str, str]] = ...) -> None: ...

class BatchFetchResponse(_message.Message):
    __slots__ = ("documents", "missing")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    missing: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    def __init__(self, documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ..., missing: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ...) -> None: ...

class Document(_message.Message):
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
