from hevlayer._proto.layer.types.v1 import document_pb2 as _document_pb2
from hevlayer._proto.layer.types.v1 import filter_pb2 as _filter_pb2
from hevlayer._proto.layer.types.v1 import rank_pb2 as _rank_pb2
from hevlayer._proto.layer.types.v1 import schema_pb2 as _schema_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConsistencyLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSISTENCY_LEVEL_UNSPECIFIED: _ClassVar[ConsistencyLevel]
    CONSISTENCY_LEVEL_STRONG: _ClassVar[ConsistencyLevel]
    CONSISTENCY_LEVEL_EVENTUAL: _ClassVar[ConsistencyLevel]

class VectorEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VECTOR_ENCODING_UNSPECIFIED: _ClassVar[VectorEncoding]
    VECTOR_ENCODING_FLOAT: _ClassVar[VectorEncoding]
    VECTOR_ENCODING_BYTES: _ClassVar[VectorEncoding]
CONSISTENCY_LEVEL_UNSPECIFIED: ConsistencyLevel
CONSISTENCY_LEVEL_STRONG: ConsistencyLevel
CONSISTENCY_LEVEL_EVENTUAL: ConsistencyLevel
VECTOR_ENCODING_UNSPECIFIED: VectorEncoding
VECTOR_ENCODING_FLOAT: VectorEncoding
VECTOR_ENCODING_BYTES: VectorEncoding

class Query(_message.Message):
    __slots__ = ("rank_by", "limit", "offset", "filters", "include_all_attributes", "include_attributes", "exclude_attributes", "aggregate_by", "group_by", "compute_attributes", "distance_metric", "additional_fields")
    class AggregateByEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Aggregation
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Aggregation, _Mapping]] = ...) -> None: ...
    class ComputeAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _rank_pb2.ComputedAttribute
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_rank_pb2.ComputedAttribute, _Mapping]] = ...) -> None: ...
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RANK_BY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ALL_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_BY_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_METRIC_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    rank_by: _rank_pb2.RankBy
    limit: Limit
    offset: int
    filters: _filter_pb2.Filter
    include_all_attributes: bool
    include_attributes: AttributeNames
    exclude_attributes: _containers.RepeatedScalarFieldContainer[str]
    aggregate_by: _containers.MessageMap[str, Aggregation]
    group_by: _containers.RepeatedCompositeFieldContainer[GroupKey]
    compute_attributes: _containers.MessageMap[str, _rank_pb2.ComputedAttribute]
    distance_metric: _schema_pb2.DistanceMetric
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, rank_by: _Optional[_Union[_rank_pb2.RankBy, _Mapping]] = ..., limit: _Optional[_Union[Limit, _Mapping]] = ..., offset: _Optional[int] = ..., filters: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., include_all_attributes: _Optional[bool] = ..., include_attributes: _Optional[_Union[AttributeNames, _Mapping]] = ..., exclude_attributes: _Optional[_Iterable[str]] = ..., aggregate_by: _Optional[_Mapping[str, Aggregation]] = ..., group_by: _Optional[_Iterable[_Union[GroupKey, _Mapping]]] = ..., compute_attributes: _Optional[_Mapping[str, _rank_pb2.ComputedAttribute]] = ..., distance_metric: _Optional[_Union[_schema_pb2.DistanceMetric, str]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class AttributeNames(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class Limit(_message.Message):
    __slots__ = ("total", "per")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    total: int
    per: PerLimit
    def __init__(self, total: _Optional[int] = ..., per: _Optional[_Union[PerLimit, _Mapping]] = ...) -> None: ...

class PerLimit(_message.Message):
    __slots__ = ("attributes", "limit")
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    attributes: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    def __init__(self, attributes: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ...) -> None: ...

class Aggregation(_message.Message):
    __slots__ = ("count", "sum")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    count: Count
    sum: Sum
    def __init__(self, count: _Optional[_Union[Count, _Mapping]] = ..., sum: _Optional[_Union[Sum, _Mapping]] = ...) -> None: ...

class Count(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Sum(_message.Message):
    __slots__ = ("attribute",)
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    def __init__(self, attribute: _Optional[str] = ...) -> None: ...

class GroupKey(_message.Message):
    __slots__ = ("attribute", "for_each_unique")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    FOR_EACH_UNIQUE_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    for_each_unique: ForEachUnique
    def __init__(self, attribute: _Optional[str] = ..., for_each_unique: _Optional[_Union[ForEachUnique, _Mapping]] = ...) -> None: ...

class ForEachUnique(_message.Message):
    __slots__ = ("label", "attribute")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    label: str
    attribute: str
    def __init__(self, label: _Optional[str] = ..., attribute: _Optional[str] = ...) -> None: ...

class Consistency(_message.Message):
    __slots__ = ("level", "max_staleness_seconds")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MAX_STALENESS_SECONDS_FIELD_NUMBER: _ClassVar[int]
    level: ConsistencyLevel
    max_staleness_seconds: int
    def __init__(self, level: _Optional[_Union[ConsistencyLevel, str]] = ..., max_staleness_seconds: _Optional[int] = ...) -> None: ...

class ModelRerank(_message.Message):
    __slots__ = ("model", "query", "attribute")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    model: str
    query: str
    attribute: str
    def __init__(self, model: _Optional[str] = ..., query: _Optional[str] = ..., attribute: _Optional[str] = ...) -> None: ...

class ReciprocalRankFusion(_message.Message):
    __slots__ = ("rank_constant", "weights")
    RANK_CONSTANT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    rank_constant: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, rank_constant: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...

class QueryResult(_message.Message):
    __slots__ = ("rows", "aggregations", "aggregation_groups", "additional_fields")
    class AggregationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ROWS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATIONS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_GROUPS_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[_document_pb2.ResultRow]
    aggregations: _containers.MessageMap[str, _value_pb2.Value]
    aggregation_groups: _containers.RepeatedCompositeFieldContainer[AggregationGroup]
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, rows: _Optional[_Iterable[_Union[_document_pb2.ResultRow, _Mapping]]] = ..., aggregations: _Optional[_Mapping[str, _value_pb2.Value]] = ..., aggregation_groups: _Optional[_Iterable[_Union[AggregationGroup, _Mapping]]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class AggregationGroup(_message.Message):
    __slots__ = ("key", "aggregations")
    class KeyEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    class AggregationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    AGGREGATIONS_FIELD_NUMBER: _ClassVar[int]
    key: _containers.MessageMap[str, _value_pb2.Value]
    aggregations: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, key: _Optional[_Mapping[str, _value_pb2.Value]] = ..., aggregations: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...
