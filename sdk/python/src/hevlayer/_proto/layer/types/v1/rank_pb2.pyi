import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from hevlayer._proto.layer.types.v1 import filter_pb2 as _filter_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VectorSearchMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VECTOR_SEARCH_METHOD_UNSPECIFIED: _ClassVar[VectorSearchMethod]
    VECTOR_SEARCH_METHOD_ANN: _ClassVar[VectorSearchMethod]
    VECTOR_SEARCH_METHOD_KNN: _ClassVar[VectorSearchMethod]

class SortDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SORT_DIRECTION_UNSPECIFIED: _ClassVar[SortDirection]
    SORT_DIRECTION_ASC: _ClassVar[SortDirection]
    SORT_DIRECTION_DESC: _ClassVar[SortDirection]

class HighlightFragmentBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HIGHLIGHT_FRAGMENT_BY_UNSPECIFIED: _ClassVar[HighlightFragmentBy]
    HIGHLIGHT_FRAGMENT_BY_NONE: _ClassVar[HighlightFragmentBy]
    HIGHLIGHT_FRAGMENT_BY_SENTENCE: _ClassVar[HighlightFragmentBy]
    HIGHLIGHT_FRAGMENT_BY_PARAGRAPH: _ClassVar[HighlightFragmentBy]
    HIGHLIGHT_FRAGMENT_BY_WORD: _ClassVar[HighlightFragmentBy]

class HighlightOffsetUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HIGHLIGHT_OFFSET_UNIT_UNSPECIFIED: _ClassVar[HighlightOffsetUnit]
    HIGHLIGHT_OFFSET_UNIT_UTF8: _ClassVar[HighlightOffsetUnit]
    HIGHLIGHT_OFFSET_UNIT_UTF16: _ClassVar[HighlightOffsetUnit]
    HIGHLIGHT_OFFSET_UNIT_CODEPOINTS: _ClassVar[HighlightOffsetUnit]
VECTOR_SEARCH_METHOD_UNSPECIFIED: VectorSearchMethod
VECTOR_SEARCH_METHOD_ANN: VectorSearchMethod
VECTOR_SEARCH_METHOD_KNN: VectorSearchMethod
SORT_DIRECTION_UNSPECIFIED: SortDirection
SORT_DIRECTION_ASC: SortDirection
SORT_DIRECTION_DESC: SortDirection
HIGHLIGHT_FRAGMENT_BY_UNSPECIFIED: HighlightFragmentBy
HIGHLIGHT_FRAGMENT_BY_NONE: HighlightFragmentBy
HIGHLIGHT_FRAGMENT_BY_SENTENCE: HighlightFragmentBy
HIGHLIGHT_FRAGMENT_BY_PARAGRAPH: HighlightFragmentBy
HIGHLIGHT_FRAGMENT_BY_WORD: HighlightFragmentBy
HIGHLIGHT_OFFSET_UNIT_UNSPECIFIED: HighlightOffsetUnit
HIGHLIGHT_OFFSET_UNIT_UTF8: HighlightOffsetUnit
HIGHLIGHT_OFFSET_UNIT_UTF16: HighlightOffsetUnit
HIGHLIGHT_OFFSET_UNIT_CODEPOINTS: HighlightOffsetUnit

class RankBy(_message.Message):
    __slots__ = ("vector_search", "sparse_search", "score", "order_by")
    VECTOR_SEARCH_FIELD_NUMBER: _ClassVar[int]
    SPARSE_SEARCH_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    vector_search: VectorSearch
    sparse_search: SparseVectorSearch
    score: Score
    order_by: OrderBy
    def __init__(self, vector_search: _Optional[_Union[VectorSearch, _Mapping]] = ..., sparse_search: _Optional[_Union[SparseVectorSearch, _Mapping]] = ..., score: _Optional[_Union[Score, _Mapping]] = ..., order_by: _Optional[_Union[OrderBy, _Mapping]] = ...) -> None: ...

class VectorSearch(_message.Message):
    __slots__ = ("attribute", "method", "vector", "multi_vector", "embed")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    MULTI_VECTOR_FIELD_NUMBER: _ClassVar[int]
    EMBED_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    method: VectorSearchMethod
    vector: _value_pb2.DenseVector
    multi_vector: _value_pb2.MultiVector
    embed: Embed
    def __init__(self, attribute: _Optional[str] = ..., method: _Optional[_Union[VectorSearchMethod, str]] = ..., vector: _Optional[_Union[_value_pb2.DenseVector, _Mapping]] = ..., multi_vector: _Optional[_Union[_value_pb2.MultiVector, _Mapping]] = ..., embed: _Optional[_Union[Embed, _Mapping]] = ...) -> None: ...

class Embed(_message.Message):
    __slots__ = ("text", "model")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    text: str
    model: str
    def __init__(self, text: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class SparseVectorSearch(_message.Message):
    __slots__ = ("attribute", "vector")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    vector: _value_pb2.SparseVector
    def __init__(self, attribute: _Optional[str] = ..., vector: _Optional[_Union[_value_pb2.SparseVector, _Mapping]] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("bm25", "sum", "max", "product", "filter", "attribute", "saturate", "decay", "dist", "constant")
    BM25_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    SATURATE_FIELD_NUMBER: _ClassVar[int]
    DECAY_FIELD_NUMBER: _ClassVar[int]
    DIST_FIELD_NUMBER: _ClassVar[int]
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    bm25: Bm25
    sum: ScoreList
    max: ScoreList
    product: WeightedScore
    filter: _filter_pb2.Filter
    attribute: str
    saturate: Curve
    decay: Curve
    dist: DistanceFrom
    constant: float
    def __init__(self, bm25: _Optional[_Union[Bm25, _Mapping]] = ..., sum: _Optional[_Union[ScoreList, _Mapping]] = ..., max: _Optional[_Union[ScoreList, _Mapping]] = ..., product: _Optional[_Union[WeightedScore, _Mapping]] = ..., filter: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., attribute: _Optional[str] = ..., saturate: _Optional[_Union[Curve, _Mapping]] = ..., decay: _Optional[_Union[Curve, _Mapping]] = ..., dist: _Optional[_Union[DistanceFrom, _Mapping]] = ..., constant: _Optional[float] = ...) -> None: ...

class Bm25(_message.Message):
    __slots__ = ("attribute", "operand", "last_as_prefix")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    OPERAND_FIELD_NUMBER: _ClassVar[int]
    LAST_AS_PREFIX_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    operand: _filter_pb2.TextOperand
    last_as_prefix: bool
    def __init__(self, attribute: _Optional[str] = ..., operand: _Optional[_Union[_filter_pb2.TextOperand, _Mapping]] = ..., last_as_prefix: _Optional[bool] = ...) -> None: ...

class ScoreList(_message.Message):
    __slots__ = ("scores",)
    SCORES_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[Score]
    def __init__(self, scores: _Optional[_Iterable[_Union[Score, _Mapping]]] = ...) -> None: ...

class WeightedScore(_message.Message):
    __slots__ = ("weight", "score")
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    weight: float
    score: Score
    def __init__(self, weight: _Optional[float] = ..., score: _Optional[_Union[Score, _Mapping]] = ...) -> None: ...

class Curve(_message.Message):
    __slots__ = ("score", "number", "duration", "exponent")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    EXPONENT_FIELD_NUMBER: _ClassVar[int]
    score: Score
    number: float
    duration: _duration_pb2.Duration
    exponent: float
    def __init__(self, score: _Optional[_Union[Score, _Mapping]] = ..., number: _Optional[float] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., exponent: _Optional[float] = ...) -> None: ...

class DistanceFrom(_message.Message):
    __slots__ = ("score", "origin")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    score: Score
    origin: _value_pb2.Value
    def __init__(self, score: _Optional[_Union[Score, _Mapping]] = ..., origin: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...

class OrderBy(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[OrderKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[OrderKey, _Mapping]]] = ...) -> None: ...

class OrderKey(_message.Message):
    __slots__ = ("attribute", "direction")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    direction: SortDirection
    def __init__(self, attribute: _Optional[str] = ..., direction: _Optional[_Union[SortDirection, str]] = ...) -> None: ...

class ComputedAttribute(_message.Message):
    __slots__ = ("vector_dist", "highlight", "rank")
    VECTOR_DIST_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHT_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    vector_dist: VectorDistance
    highlight: Highlight
    rank: RankBy
    def __init__(self, vector_dist: _Optional[_Union[VectorDistance, _Mapping]] = ..., highlight: _Optional[_Union[Highlight, _Mapping]] = ..., rank: _Optional[_Union[RankBy, _Mapping]] = ...) -> None: ...

class VectorDistance(_message.Message):
    __slots__ = ("attribute", "vector")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    vector: _value_pb2.DenseVector
    def __init__(self, attribute: _Optional[str] = ..., vector: _Optional[_Union[_value_pb2.DenseVector, _Mapping]] = ...) -> None: ...

class Highlight(_message.Message):
    __slots__ = ("attribute", "fragment_by", "fragment_limit", "include_offsets", "rank_fragments_by")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_BY_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    RANK_FRAGMENTS_BY_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    fragment_by: HighlightFragmentBy
    fragment_limit: int
    include_offsets: HighlightOffsetUnit
    rank_fragments_by: RankBy
    def __init__(self, attribute: _Optional[str] = ..., fragment_by: _Optional[_Union[HighlightFragmentBy, str]] = ..., fragment_limit: _Optional[int] = ..., include_offsets: _Optional[_Union[HighlightOffsetUnit, str]] = ..., rank_fragments_by: _Optional[_Union[RankBy, _Mapping]] = ...) -> None: ...
