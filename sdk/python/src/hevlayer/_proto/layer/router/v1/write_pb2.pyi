from hevlayer._proto.layer.types.v1 import document_pb2 as _document_pb2
from hevlayer._proto.layer.types.v1 import filter_pb2 as _filter_pb2
from hevlayer._proto.layer.types.v1 import namespace_pb2 as _namespace_pb2
from hevlayer._proto.layer.types.v1 import performance_pb2 as _performance_pb2
from hevlayer._proto.layer.types.v1 import schema_pb2 as _schema_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WriteRequest(_message.Message):
    __slots__ = ("namespace", "upsert_rows", "upsert_columns", "patch_rows", "patch_columns", "deletes", "upsert_condition", "patch_condition", "delete_condition", "delete_by_filter", "delete_by_filter_allow_partial", "patch_by_filter", "patch_by_filter_allow_partial", "schema", "distance_metric", "copy_from_namespace", "branch_from_namespace", "create_namespace", "encryption", "sharding", "disable_backpressure", "return_affected_ids", "additional_fields")
    class SchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _schema_pb2.AttributeSchemaChange
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_schema_pb2.AttributeSchemaChange, _Mapping]] = ...) -> None: ...
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    UPSERT_ROWS_FIELD_NUMBER: _ClassVar[int]
    UPSERT_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    PATCH_ROWS_FIELD_NUMBER: _ClassVar[int]
    PATCH_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    DELETES_FIELD_NUMBER: _ClassVar[int]
    UPSERT_CONDITION_FIELD_NUMBER: _ClassVar[int]
    PATCH_CONDITION_FIELD_NUMBER: _ClassVar[int]
    DELETE_CONDITION_FIELD_NUMBER: _ClassVar[int]
    DELETE_BY_FILTER_FIELD_NUMBER: _ClassVar[int]
    DELETE_BY_FILTER_ALLOW_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    PATCH_BY_FILTER_FIELD_NUMBER: _ClassVar[int]
    PATCH_BY_FILTER_ALLOW_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_METRIC_FIELD_NUMBER: _ClassVar[int]
    COPY_FROM_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FROM_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    CREATE_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    SHARDING_FIELD_NUMBER: _ClassVar[int]
    DISABLE_BACKPRESSURE_FIELD_NUMBER: _ClassVar[int]
    RETURN_AFFECTED_IDS_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    upsert_rows: _containers.RepeatedCompositeFieldContainer[_document_pb2.Row]
    upsert_columns: _document_pb2.Columns
    patch_rows: _containers.RepeatedCompositeFieldContainer[_document_pb2.Row]
    patch_columns: _document_pb2.Columns
    deletes: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    upsert_condition: _filter_pb2.Filter
    patch_condition: _filter_pb2.Filter
    delete_condition: _filter_pb2.Filter
    delete_by_filter: _filter_pb2.Filter
    delete_by_filter_allow_partial: bool
    patch_by_filter: PatchByFilter
    patch_by_filter_allow_partial: bool
    schema: _containers.MessageMap[str, _schema_pb2.AttributeSchemaChange]
    distance_metric: _schema_pb2.DistanceMetric
    copy_from_namespace: CopyFromNamespace
    branch_from_namespace: BranchFromNamespace
    create_namespace: bool
    encryption: _namespace_pb2.Encryption
    sharding: _namespace_pb2.Sharding
    disable_backpressure: bool
    return_affected_ids: bool
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., upsert_rows: _Optional[_Iterable[_Union[_document_pb2.Row, _Mapping]]] = ..., upsert_columns: _Optional[_Union[_document_pb2.Columns, _Mapping]] = ..., patch_rows: _Optional[_Iterable[_Union[_document_pb2.Row, _Mapping]]] = ..., patch_columns: _Optional[_Union[_document_pb2.Columns, _Mapping]] = ..., deletes: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ..., upsert_condition: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., patch_condition: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., delete_condition: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., delete_by_filter: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., delete_by_filter_allow_partial: _Optional[bool] = ..., patch_by_filter: _Optional[_Union[PatchByFilter, _Mapping]] = ..., patch_by_filter_allow_partial: _Optional[bool] = ..., schema: _Optional[_Mapping[str, _schema_pb2.AttributeSchemaChange]] = ..., distance_metric: _Optional[_Union[_schema_pb2.DistanceMetric, str]] = ..., copy_from_namespace: _Optional[_Union[CopyFromNamespace, _Mapping]] = ..., branch_from_namespace: _Optional[_Union[BranchFromNamespace, _Mapping]] = ..., create_namespace: _Optional[bool] = ..., encryption: _Optional[_Union[_namespace_pb2.Encryption, _Mapping]] = ..., sharding: _Optional[_Union[_namespace_pb2.Sharding, _Mapping]] = ..., disable_backpressure: _Optional[bool] = ..., return_affected_ids: _Optional[bool] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PatchByFilter(_message.Message):
    __slots__ = ("filters", "patch")
    class PatchEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    PATCH_FIELD_NUMBER: _ClassVar[int]
    filters: _filter_pb2.Filter
    patch: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, filters: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., patch: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...

class CopyFromNamespace(_message.Message):
    __slots__ = ("source_namespace", "source_region", "source_api_key")
    SOURCE_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REGION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_API_KEY_FIELD_NUMBER: _ClassVar[int]
    source_namespace: str
    source_region: str
    source_api_key: str
    def __init__(self, source_namespace: _Optional[str] = ..., source_region: _Optional[str] = ..., source_api_key: _Optional[str] = ...) -> None: ...

class BranchFromNamespace(_message.Message):
    __slots__ = ("source_namespace",)
    SOURCE_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    source_namespace: str
    def __init__(self, source_namespace: _Optional[str] = ...) -> None: ...

class WriteResponse(_message.Message):
    __slots__ = ("message", "rows_affected", "rows_upserted", "rows_patched", "rows_deleted", "rows_remaining", "upserted_ids", "patched_ids", "deleted_ids", "billing", "performance", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ROWS_AFFECTED_FIELD_NUMBER: _ClassVar[int]
    ROWS_UPSERTED_FIELD_NUMBER: _ClassVar[int]
    ROWS_PATCHED_FIELD_NUMBER: _ClassVar[int]
    ROWS_DELETED_FIELD_NUMBER: _ClassVar[int]
    ROWS_REMAINING_FIELD_NUMBER: _ClassVar[int]
    UPSERTED_IDS_FIELD_NUMBER: _ClassVar[int]
    PATCHED_IDS_FIELD_NUMBER: _ClassVar[int]
    DELETED_IDS_FIELD_NUMBER: _ClassVar[int]
    BILLING_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    message: str
    rows_affected: int
    rows_upserted: int
    rows_patched: int
    rows_deleted: int
    rows_remaining: bool
    upserted_ids: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    patched_ids: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    deleted_ids: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    billing: _performance_pb2.WriteBilling
    performance: _performance_pb2.WritePerformance
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, message: _Optional[str] = ..., rows_affected: _Optional[int] = ..., rows_upserted: _Optional[int] = ..., rows_patched: _Optional[int] = ..., rows_deleted: _Optional[int] = ..., rows_remaining: _Optional[bool] = ..., upserted_ids: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ..., patched_ids: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ..., deleted_ids: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ..., billing: _Optional[_Union[_performance_pb2.WriteBilling, _Mapping]] = ..., performance: _Optional[_Union[_performance_pb2.WritePerformance, _Mapping]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...
