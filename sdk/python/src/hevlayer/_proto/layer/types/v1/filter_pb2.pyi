from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ComparisonOperator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPARISON_OPERATOR_UNSPECIFIED: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_EQ: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_NOT_EQ: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_IN: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_NOT_IN: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_CONTAINS: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_NOT_CONTAINS: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_CONTAINS_ANY: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_NOT_CONTAINS_ANY: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_LT: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_LTE: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_GT: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_GTE: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_ANY_LT: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_ANY_LTE: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_ANY_GT: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_ANY_GTE: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_GLOB: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_NOT_GLOB: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_IGLOB: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_NOT_IGLOB: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_REGEX: _ClassVar[ComparisonOperator]

class TokenOperator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOKEN_OPERATOR_UNSPECIFIED: _ClassVar[TokenOperator]
    TOKEN_OPERATOR_CONTAINS_ALL_TOKENS: _ClassVar[TokenOperator]
    TOKEN_OPERATOR_CONTAINS_ANY_TOKEN: _ClassVar[TokenOperator]
    TOKEN_OPERATOR_CONTAINS_TOKEN_SEQUENCE: _ClassVar[TokenOperator]
COMPARISON_OPERATOR_UNSPECIFIED: ComparisonOperator
COMPARISON_OPERATOR_EQ: ComparisonOperator
COMPARISON_OPERATOR_NOT_EQ: ComparisonOperator
COMPARISON_OPERATOR_IN: ComparisonOperator
COMPARISON_OPERATOR_NOT_IN: ComparisonOperator
COMPARISON_OPERATOR_CONTAINS: ComparisonOperator
COMPARISON_OPERATOR_NOT_CONTAINS: ComparisonOperator
COMPARISON_OPERATOR_CONTAINS_ANY: ComparisonOperator
COMPARISON_OPERATOR_NOT_CONTAINS_ANY: ComparisonOperator
COMPARISON_OPERATOR_LT: ComparisonOperator
COMPARISON_OPERATOR_LTE: ComparisonOperator
COMPARISON_OPERATOR_GT: ComparisonOperator
COMPARISON_OPERATOR_GTE: ComparisonOperator
COMPARISON_OPERATOR_ANY_LT: ComparisonOperator
COMPARISON_OPERATOR_ANY_LTE: ComparisonOperator
COMPARISON_OPERATOR_ANY_GT: ComparisonOperator
COMPARISON_OPERATOR_ANY_GTE: ComparisonOperator
COMPARISON_OPERATOR_GLOB: ComparisonOperator
COMPARISON_OPERATOR_NOT_GLOB: ComparisonOperator
COMPARISON_OPERATOR_IGLOB: ComparisonOperator
COMPARISON_OPERATOR_NOT_IGLOB: ComparisonOperator
COMPARISON_OPERATOR_REGEX: ComparisonOperator
TOKEN_OPERATOR_UNSPECIFIED: TokenOperator
TOKEN_OPERATOR_CONTAINS_ALL_TOKENS: TokenOperator
TOKEN_OPERATOR_CONTAINS_ANY_TOKEN: TokenOperator
TOKEN_OPERATOR_CONTAINS_TOKEN_SEQUENCE: TokenOperator

class Filter(_message.Message):
    __slots__ = ("comparison", "all_of", "any_of", "negated", "tokens", "fuzzy")
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    ALL_OF_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    NEGATED_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FUZZY_FIELD_NUMBER: _ClassVar[int]
    comparison: Comparison
    all_of: FilterList
    any_of: FilterList
    negated: Filter
    tokens: TokenFilter
    fuzzy: FuzzyFilter
    def __init__(self, comparison: _Optional[_Union[Comparison, _Mapping]] = ..., all_of: _Optional[_Union[FilterList, _Mapping]] = ..., any_of: _Optional[_Union[FilterList, _Mapping]] = ..., negated: _Optional[_Union[Filter, _Mapping]] = ..., tokens: _Optional[_Union[TokenFilter, _Mapping]] = ..., fuzzy: _Optional[_Union[FuzzyFilter, _Mapping]] = ...) -> None: ...

class FilterList(_message.Message):
    __slots__ = ("filters",)
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    filters: _containers.RepeatedCompositeFieldContainer[Filter]
    def __init__(self, filters: _Optional[_Iterable[_Union[Filter, _Mapping]]] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("attribute", "op", "value", "ref_new")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    REF_NEW_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    op: ComparisonOperator
    value: _value_pb2.Value
    ref_new: str
    def __init__(self, attribute: _Optional[str] = ..., op: _Optional[_Union[ComparisonOperator, str]] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ..., ref_new: _Optional[str] = ...) -> None: ...

class TokenFilter(_message.Message):
    __slots__ = ("attribute", "op", "operand", "last_as_prefix")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    OPERAND_FIELD_NUMBER: _ClassVar[int]
    LAST_AS_PREFIX_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    op: TokenOperator
    operand: TextOperand
    last_as_prefix: bool
    def __init__(self, attribute: _Optional[str] = ..., op: _Optional[_Union[TokenOperator, str]] = ..., operand: _Optional[_Union[TextOperand, _Mapping]] = ..., last_as_prefix: _Optional[bool] = ...) -> None: ...

class TextOperand(_message.Message):
    __slots__ = ("text", "texts")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    text: str
    texts: _value_pb2.StringArray
    def __init__(self, text: _Optional[str] = ..., texts: _Optional[_Union[_value_pb2.StringArray, _Mapping]] = ...) -> None: ...

class FuzzyFilter(_message.Message):
    __slots__ = ("attribute", "text", "max_edit_distance", "case_sensitive")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MAX_EDIT_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    CASE_SENSITIVE_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    text: str
    max_edit_distance: _containers.RepeatedCompositeFieldContainer[MaxEditDistance]
    case_sensitive: bool
    def __init__(self, attribute: _Optional[str] = ..., text: _Optional[str] = ..., max_edit_distance: _Optional[_Iterable[_Union[MaxEditDistance, _Mapping]]] = ..., case_sensitive: _Optional[bool] = ...) -> None: ...

class MaxEditDistance(_message.Message):
    __slots__ = ("min_query_chars", "distance")
    MIN_QUERY_CHARS_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    min_query_chars: int
    distance: int
    def __init__(self, min_query_chars: _Optional[int] = ..., distance: _Optional[int] = ...) -> None: ...
