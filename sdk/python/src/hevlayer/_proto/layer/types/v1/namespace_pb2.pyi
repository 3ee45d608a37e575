import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hevlayer._proto.layer.types.v1 import schema_pb2 as _schema_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IndexStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INDEX_STATUS_UNSPECIFIED: _ClassVar[IndexStatus]
    INDEX_STATUS_UP_TO_DATE: _ClassVar[IndexStatus]
    INDEX_STATUS_UPDATING: _ClassVar[IndexStatus]
INDEX_STATUS_UNSPECIFIED: IndexStatus
INDEX_STATUS_UP_TO_DATE: IndexStatus
INDEX_STATUS_UPDATING: IndexStatus

class NamespaceMetadata(_message.Message):
    __slots__ = ("schema", "approx_logical_bytes", "approx_row_count", "created_at", "updated_at", "last_write_at", "encryption", "index", "pinning", "read_only", "sharding", "additional_fields")
    class SchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _schema_pb2.AttributeConfig
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_schema_pb2.AttributeConfig, _Mapping]] = ...) -> None: ...
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    APPROX_LOGICAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    APPROX_ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_WRITE_AT_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PINNING_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    SHARDING_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    schema: _containers.MessageMap[str, _schema_pb2.AttributeConfig]
    approx_logical_bytes: int
    approx_row_count: int
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    last_write_at: _timestamp_pb2.Timestamp
    encryption: Encryption
    index: Index
    pinning: Pinning
    read_only: bool
    sharding: Sharding
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, schema: _Optional[_Mapping[str, _schema_pb2.AttributeConfig]] = ..., approx_logical_bytes: _Optional[int] = ..., approx_row_count: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_write_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., encryption: _Optional[_Union[Encryption, _Mapping]] = ..., index: _Optional[_Union[Index, _Mapping]] = ..., pinning: _Optional[_Union[Pinning, _Mapping]] = ..., read_only: _Optional[bool] = ..., sharding: _Optional[_Union[Sharding, _Mapping]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Index(_message.Message):
    __slots__ = ("status", "unindexed_bytes", "unindexed_rows")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    UNINDEXED_BYTES_FIELD_NUMBER: _ClassVar[int]
    UNINDEXED_ROWS_FIELD_NUMBER: _ClassVar[int]
    status: IndexStatus
    unindexed_bytes: int
    unindexed_rows: int
    def __init__(self, status: _Optional[_Union[IndexStatus, str]] = ..., unindexed_bytes: _Optional[int] = ..., unindexed_rows: _Optional[int] = ...) -> None: ...

class Encryption(_message.Message):
    __slots__ = ("default_encryption", "customer_managed")
    DEFAULT_ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_MANAGED_FIELD_NUMBER: _ClassVar[int]
    default_encryption: DefaultEncryption
    customer_managed: CustomerManagedEncryption
    def __init__(self, default_encryption: _Optional[_Union[DefaultEncryption, _Mapping]] = ..., customer_managed: _Optional[_Union[CustomerManagedEncryption, _Mapping]] = ...) -> None: ...

class DefaultEncryption(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CustomerManagedEncryption(_message.Message):
    __slots__ = ("key_name", "encryption_context")
    class EncryptionContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KEY_NAME_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    key_name: str
    encryption_context: _containers.ScalarMap[str, str]
    def __init__(self, key_name: _Optional[str] = ..., encryption_context: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Pinning(_message.Message):
    __slots__ = ("replicas", "status")
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    replicas: int
    status: PinningStatus
    def __init__(self, replicas: _Optional[int] = ..., status: _Optional[_Union[PinningStatus, _Mapping]] = ...) -> None: ...

class PinningStatus(_message.Message):
    __slots__ = ("ready_replicas", "replicas", "updated_at", "utilization")
    READY_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    ready_replicas: int
    replicas: int
    updated_at: _timestamp_pb2.Timestamp
    utilization: float
    def __init__(self, ready_replicas: _Optional[int] = ..., replicas: _Optional[int] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., utilization: _Optional[float] = ...) -> None: ...

class Sharding(_message.Message):
    __slots__ = ("num_shards",)
    NUM_SHARDS_FIELD_NUMBER: _ClassVar[int]
    num_shards: int
    def __init__(self, num_shards: _Optional[int] = ...) -> None: ...
