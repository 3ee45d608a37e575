from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DistanceMetric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISTANCE_METRIC_UNSPECIFIED: _ClassVar[DistanceMetric]
    DISTANCE_METRIC_COSINE_DISTANCE: _ClassVar[DistanceMetric]
    DISTANCE_METRIC_EUCLIDEAN_SQUARED: _ClassVar[DistanceMetric]
    DISTANCE_METRIC_DOT_PRODUCT: _ClassVar[DistanceMetric]
DISTANCE_METRIC_UNSPECIFIED: DistanceMetric
DISTANCE_METRIC_COSINE_DISTANCE: DistanceMetric
DISTANCE_METRIC_EUCLIDEAN_SQUARED: DistanceMetric
DISTANCE_METRIC_DOT_PRODUCT: DistanceMetric

class AttributeConfig(_message.Message):
    __slots__ = ("type", "filterable", "full_text_search_enabled", "full_text_search", "regex", "glob", "fuzzy", "ann_enabled", "ann", "sparse_knn", "embed", "embed_removed", "additional_fields")
    class AdditionalFieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FILTERABLE_FIELD_NUMBER: _ClassVar[int]
    FULL_TEXT_SEARCH_ENABLED_FIELD_NUMBER: _ClassVar[int]
    FULL_TEXT_SEARCH_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    GLOB_FIELD_NUMBER: _ClassVar[int]
    FUZZY_FIELD_NUMBER: _ClassVar[int]
    ANN_ENABLED_FIELD_NUMBER: _ClassVar[int]
    ANN_FIELD_NUMBER: _ClassVar[int]
    SPARSE_KNN_FIELD_NUMBER: _ClassVar[int]
    EMBED_FIELD_NUMBER: _ClassVar[int]
    EMBED_REMOVED_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FIELDS_FIELD_NUMBER: _ClassVar[int]
    type: str
    filterable: bool
    full_text_search_enabled: bool
    full_text_search: FullTextSearch
    regex: bool
    glob: bool
    fuzzy: bool
    ann_enabled: bool
    ann: Ann
    sparse_knn: SparseKnn
    embed: EmbedConfig
    embed_removed: bool
    additional_fields: _containers.ScalarMap[str, str]
    def __init__(self, type: _Optional[str] = ..., filterable: _Optional[bool] = ..., full_text_search_enabled: _Optional[bool] = ..., full_text_search: _Optional[_Union[FullTextSearch, _Mapping]] = ..., regex: _Optional[bool] = ..., glob: _Optional[bool] = ..., fuzzy: _Optional[bool] = ..., ann_enabled: _Optional[bool] = ..., ann: _Optional[_Union[Ann, _Mapping]] = ..., sparse_knn: _Optional[_Union[SparseKnn, _Mapping]] = ..., embed: _Optional[_Union[EmbedConfig, _Mapping]] = ..., embed_removed: _Optional[bool] = ..., additional_fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class FullTextSearch(_message.Message):
    __slots__ = ("tokenizer", "language", "stemming", "remove_stopwords", "case_sensitive", "ascii_folding", "max_token_length", "k1", "b", "k3")
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    STEMMING_FIELD_NUMBER: _ClassVar[int]
    REMOVE_STOPWORDS_FIELD_NUMBER: _ClassVar[int]
    CASE_SENSITIVE_FIELD_NUMBER: _ClassVar[int]
    ASCII_FOLDING_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKEN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    K1_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    K3_FIELD_NUMBER: _ClassVar[int]
    tokenizer: str
    language: str
    stemming: bool
    remove_stopwords: bool
    case_sensitive: bool
    ascii_folding: bool
    max_token_length: int
    k1: float
    b: float
    k3: float
    def __init__(self, tokenizer: _Optional[str] = ..., language: _Optional[str] = ..., stemming: _Optional[bool] = ..., remove_stopwords: _Optional[bool] = ..., case_sensitive: _Optional[bool] = ..., ascii_folding: _Optional[bool] = ..., max_token_length: _Optional[int] = ..., k1: _Optional[float] = ..., b: _Optional[float] = ..., k3: _Optional[float] = ...) -> None: ...

class Ann(_message.Message):
    __slots__ = ("distance_metric", "late_interaction")
    DISTANCE_METRIC_FIELD_NUMBER: _ClassVar[int]
    LATE_INTERACTION_FIELD_NUMBER: _ClassVar[int]
    distance_metric: DistanceMetric
    late_interaction: bool
    def __init__(self, distance_metric: _Optional[_Union[DistanceMetric, str]] = ..., late_interaction: _Optional[bool] = ...) -> None: ...

class SparseKnn(_message.Message):
    __slots__ = ("distance_metric",)
    DISTANCE_METRIC_FIELD_NUMBER: _ClassVar[int]
    distance_metric: DistanceMetric
    def __init__(self, distance_metric: _Optional[_Union[DistanceMetric, str]] = ...) -> None: ...

class EmbedConfig(_message.Message):
    __slots__ = ("model", "attribute", "dims", "dtype")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    DIMS_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    model: str
    attribute: str
    dims: int
    dtype: str
    def __init__(self, model: _Optional[str] = ..., attribute: _Optional[str] = ..., dims: _Optional[int] = ..., dtype: _Optional[str] = ...) -> None: ...

class AttributeSchemaChange(_message.Message):
    __slots__ = ("config", "type_only", "drop")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    TYPE_ONLY_FIELD_NUMBER: _ClassVar[int]
    DROP_FIELD_NUMBER: _ClassVar[int]
    config: AttributeConfig
    type_only: str
    drop: bool
    def __init__(self, config: _Optional[_Union[AttributeConfig, _Mapping]] = ..., type_only: _Optional[str] = ..., drop: _Optional[bool] = ...) -> None: ...
