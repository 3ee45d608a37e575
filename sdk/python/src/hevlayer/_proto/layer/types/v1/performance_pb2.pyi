import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryBilling(_message.Message):
    __slots__ = ("billable_logical_bytes_queried", "billable_logical_bytes_returned", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BILLABLE_LOGICAL_BYTES_QUERIED_FIELD_NUMBER: _ClassVar[int]
    BILLABLE_LOGICAL_BYTES_RETURNED_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    billable_logical_bytes_queried: int
    billable_logical_bytes_returned: int
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, billable_logical_bytes_queried: _Optional[int] = ..., billable_logical_bytes_returned: _Optional[int] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class WriteBilling(_message.Message):
    __slots__ = ("billable_logical_bytes_written", "query", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BILLABLE_LOGICAL_BYTES_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    billable_logical_bytes_written: int
    query: QueryBilling
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, billable_logical_bytes_written: _Optional[int] = ..., query: _Optional[_Union[QueryBilling, _Mapping]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class QueryPerformance(_message.Message):
    __slots__ = ("approx_namespace_size", "cache_hit_ratio", "cache_temperature", "exhaustive_search_count", "query_execution_ms", "server_total_ms", "embedding_ms", "embedding_tokens", "last_included_write_at", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPROX_NAMESPACE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CACHE_HIT_RATIO_FIELD_NUMBER: _ClassVar[int]
    CACHE_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    EXHAUSTIVE_SEARCH_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUERY_EXECUTION_MS_FIELD_NUMBER: _ClassVar[int]
    SERVER_TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LAST_INCLUDED_WRITE_AT_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    approx_namespace_size: int
    cache_hit_ratio: float
    cache_temperature: str
    exhaustive_search_count: int
    query_execution_ms: int
    server_total_ms: int
    embedding_ms: int
    embedding_tokens: int
    last_included_write_at: _timestamp_pb2.Timestamp
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, approx_namespace_size: _Optional[int] = ..., cache_hit_ratio: _Optional[float] = ..., cache_temperature: _Optional[str] = ..., exhaustive_search_count: _Optional[int] = ..., query_execution_ms: _Optional[int] = ..., server_total_ms: _Optional[int] = ..., embedding_ms: _Optional[int] = ..., embedding_tokens: _Optional[int] = ..., last_included_write_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class WritePerformance(_message.Message):
    __slots__ = ("server_total_ms", "embedding_ms", "embedding_tokens", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SERVER_TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    server_total_ms: int
    embedding_ms: int
    embedding_tokens: int
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, server_total_ms: _Optional[int] = ..., embedding_ms: _Optional[int] = ..., embedding_tokens: _Optional[int] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...
