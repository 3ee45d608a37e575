from hevlayer._proto.layer.types.v1 import document_pb2 as _document_pb2
from hevlayer._proto.layer.types.v1 import filter_pb2 as _filter_pb2
from hevlayer._proto.layer.types.v1 import performance_pb2 as _performance_pb2
from hevlayer._proto.layer.types.v1 import query_pb2 as _query_pb2
from hevlayer._proto.layer.types.v1 import rank_pb2 as _rank_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryRequest(_message.Message):
    __slots__ = ("namespace", "query", "consistency", "vector_encoding", "rerank_by", "disable_cache", "attribute_types")
    class AttributeTypesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ENCODING_FIELD_NUMBER: _ClassVar[int]
    RERANK_BY_FIELD_NUMBER: _ClassVar[int]
    DISABLE_CACHE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_TYPES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    query: _query_pb2.Query
    consistency: _query_pb2.Consistency
    vector_encoding: _query_pb2.VectorEncoding
    rerank_by: _query_pb2.ModelRerank
    disable_cache: bool
    attribute_types: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., query: _Optional[_Union[_query_pb2.Query, _Mapping]] = ..., consistency: _Optional[_Union[_query_pb2.Consistency, _Mapping]] = ..., vector_encoding: _Optional[_Union[_query_pb2.VectorEncoding, str]] = ..., rerank_by: _Optional[_Union[_query_pb2.ModelRerank, _Mapping]] = ..., disable_cache: _Optional[bool] = ..., attribute_types: _Optional[_Mapping[str, str]] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("result", "billing", "performance")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    BILLING_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    result: _query_pb2.QueryResult
    billing: _performance_pb2.QueryBilling
    performance: _performance_pb2.QueryPerformance
    def __init__(self, result: _Optional[_Union[_query_pb2.QueryResult, _Mapping]] = ..., billing: _Optional[_Union[_performance_pb2.QueryBilling, _Mapping]] = ..., performance: _Optional[_Union[_performance_pb2.QueryPerformance, _Mapping]] = ...) -> None: ...

class MultiQueryRequest(_message.Message):
    __slots__ = ("namespace", "queries", "consistency", "vector_encoding", "rrf", "model", "limit", "offset", "attribute_types", "additional_fields")
    class AttributeTypesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ENCODING_FIELD_NUMBER: _ClassVar[int]
    RRF_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_TYPES_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    queries: _containers.RepeatedCompositeFieldContainer[_query_pb2.Query]
    consistency: _query_pb2.Consistency
    vector_encoding: _query_pb2.VectorEncoding
    rrf: _query_pb2.ReciprocalRankFusion
    model: _query_pb2.ModelRerank
    limit: int
    offset: int
    attribute_types: _containers.ScalarMap[str, str]
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., queries: _Optional[_Iterable[_Union[_query_pb2.Query, _Mapping]]] = ..., consistency: _Optional[_Union[_query_pb2.Consistency, _Mapping]] = ..., vector_encoding: _Optional[_Union[_query_pb2.VectorEncoding, str]] = ..., rrf: _Optional[_Union[_query_pb2.ReciprocalRankFusion, _Mapping]] = ..., model: _Optional[_Union[_query_pb2.ModelRerank, _Mapping]] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., attribute_types: _Optional[_Mapping[str, str]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class MultiQueryResponse(_message.Message):
    __slots__ = ("results", "billing", "performance", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    BILLING_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_query_pb2.QueryResult]
    billing: _performance_pb2.QueryBilling
    performance: _performance_pb2.QueryPerformance
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, results: _Optional[_Iterable[_Union[_query_pb2.QueryResult, _Mapping]]] = ..., billing: _Optional[_Union[_performance_pb2.QueryBilling, _Mapping]] = ..., performance: _Optional[_Union[_performance_pb2.QueryPerformance, _Mapping]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("namespace", "query", "consistency")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    query: _query_pb2.Query
    consistency: _query_pb2.Consistency
    def __init__(self, namespace: _Optional[str] = ..., query: _Optional[_Union[_query_pb2.Query, _Mapping]] = ..., consistency: _Optional[_Union[_query_pb2.Consistency, _Mapping]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("plan_text", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PLAN_TEXT_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    plan_text: str
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, plan_text: _Optional[str] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RecallRequest(_message.Message):
    __slots__ = ("namespace", "num", "top_k", "filters", "include_ground_truth", "rank_by")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NUM_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_GROUND_TRUTH_FIELD_NUMBER: _ClassVar[int]
    RANK_BY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    num: int
    top_k: int
    filters: _filter_pb2.Filter
    include_ground_truth: bool
    rank_by: _rank_pb2.RankBy
    def __init__(self, namespace: _Optional[str] = ..., num: _Optional[int] = ..., top_k: _Optional[int] = ..., filters: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., include_ground_truth: _Optional[bool] = ..., rank_by: _Optional[_Union[_rank_pb2.RankBy, _Mapping]] = ...) -> None: ...

class RecallResponse(_message.Message):
    __slots__ = ("avg_recall", "avg_exhaustive_count", "avg_ann_count", "ground_truth", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AVG_RECALL_FIELD_NUMBER: _ClassVar[int]
    AVG_EXHAUSTIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVG_ANN_COUNT_FIELD_NUMBER: _ClassVar[int]
    GROUND_TRUTH_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    avg_recall: float
    avg_exhaustive_count: float
    avg_ann_count: float
    ground_truth: _containers.RepeatedCompositeFieldContainer[GroundTruth]
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, avg_recall: _Optional[float] = ..., avg_exhaustive_count: _Optional[float] = ..., avg_ann_count: _Optional[float] = ..., ground_truth: _Optional[_Iterable[_Union[GroundTruth, _Mapping]]] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GroundTruth(_message.Message):
    __slots__ = ("query_vector", "nearest_neighbors")
    QUERY_VECTOR_FIELD_NUMBER: _ClassVar[int]
    NEAREST_NEIGHBORS_FIELD_NUMBER: _ClassVar[int]
    query_vector: _value_pb2.DenseVector
    nearest_neighbors: _containers.RepeatedCompositeFieldContainer[_document_pb2.ResultRow]
    def __init__(self, query_vector: _Optional[_Union[_value_pb2.DenseVector, _Mapping]] = ..., nearest_neighbors: _Optional[_Iterable[_Union[_document_pb2.ResultRow, _Mapping]]] = ...) -> None: ...
