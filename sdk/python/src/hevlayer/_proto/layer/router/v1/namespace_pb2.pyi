from hevlayer._proto.layer.types.v1 import namespace_pb2 as _namespace_pb2
from hevlayer._proto.layer.types.v1 import schema_pb2 as _schema_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListNamespacesRequest(_message.Message):
    __slots__ = ("prefix", "page_size", "page_token")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    page_size: int
    page_token: str
    def __init__(self, prefix: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListNamespacesResponse(_message.Message):
    __slots__ = ("namespaces", "next_page_token", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    namespaces: _containers.RepeatedCompositeFieldContainer[NamespaceSummary]
    next_page_token: str
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, namespaces: _Optional[_Iterable[_Union[NamespaceSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class NamespaceSummary(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetMetadataRequest(_message.Message):
    __slots__ = ("namespace",)
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    def __init__(self, namespace: _Optional[str] = ...) -> None: ...

class GetMetadataResponse(_message.Message):
    __slots__ = ("metadata",)
    METADATA_FIELD_NUMBER: _ClassVar[int]
    metadata: _namespace_pb2.NamespaceMetadata
    def __init__(self, metadata: _Optional[_Union[_namespace_pb2.NamespaceMetadata, _Mapping]] = ...) -> None: ...

class UpdateMetadataRequest(_message.Message):
    __slots__ = ("namespace", "pinning_enabled", "pinning", "read_only")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PINNING_ENABLED_FIELD_NUMBER: _ClassVar[int]
    PINNING_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    pinning_enabled: bool
    pinning: _namespace_pb2.Pinning
    read_only: bool
    def __init__(self, namespace: _Optional[str] = ..., pinning_enabled: _Optional[bool] = ..., pinning: _Optional[_Union[_namespace_pb2.Pinning, _Mapping]] = ..., read_only: _Optional[bool] = ...) -> None: ...

class UpdateMetadataResponse(_message.Message):
    __slots__ = ("metadata",)
    METADATA_FIELD_NUMBER: _ClassVar[int]
    metadata: _namespace_pb2.NamespaceMetadata
    def __init__(self, metadata: _Optional[_Union[_namespace_pb2.NamespaceMetadata, _Mapping]] = ...) -> None: ...

class GetSchemaRequest(_message.Message):
    __slots__ = ("namespace",)
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    def __init__(self, namespace: _Optional[str] = ...) -> None: ...

class GetSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    class SchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _schema_pb2.AttributeConfig
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_schema_pb2.AttributeConfig, _Mapping]] = ...) -> None: ...
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: _containers.MessageMap[str, _schema_pb2.AttributeConfig]
    def __init__(self, schema: _Optional[_Mapping[str, _schema_pb2.AttributeConfig]] = ...) -> None: ...

class UpdateSchemaRequest(_message.Message):
    __slots__ = ("namespace", "schema")
    class SchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _schema_pb2.AttributeSchemaChange
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_schema_pb2.AttributeSchemaChange, _Mapping]] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    schema: _containers.MessageMap[str, _schema_pb2.AttributeSchemaChange]
    def __init__(self, namespace: _Optional[str] = ..., schema: _Optional[_Mapping[str, _schema_pb2.AttributeSchemaChange]] = ...) -> None: ...

class UpdateSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    class SchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _schema_pb2.AttributeConfig
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_schema_pb2.AttributeConfig, _Mapping]] = ...) -> None: ...
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: _containers.MessageMap[str, _schema_pb2.AttributeConfig]
    def __init__(self, schema: _Optional[_Mapping[str, _schema_pb2.AttributeConfig]] = ...) -> None: ...

class DeleteNamespaceRequest(_message.Message):
    __slots__ = ("namespace",)
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    def __init__(self, namespace: _Optional[str] = ...) -> None: ...

class DeleteNamespaceResponse(_message.Message):
    __slots__ = ("status", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    status: str
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, status: _Optional[str] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class WarmHintRequest(_message.Message):
    __slots__ = ("namespace",)
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    def __init__(self, namespace: _Optional[str] = ...) -> None: ...

class InvalidateRequest(_message.Message):
    __slots__ = ("namespace", "ids")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    ids: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    def __init__(self, namespace: _Optional[str] = ..., ids: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ...) -> None: ...

class InvalidateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WarmHintResponse(_message.Message):
    __slots__ = ("status", "message", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    status: str
    message: str
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, status: _Optional[str] = ..., message: _Optional[str] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...
