"""Short ways to write the messages that tests need often."""

from __future__ import annotations

from typing import Any

from contract import router, types


def id_of(value: int | str) -> Any:
    return types.Id(uint_value=value) if isinstance(value, int) else types.Id(string_value=value)


def plain(one: Any) -> int | str:
    """An id as Python has it."""
    return getattr(one, one.WhichOneof("kind"))


def vector(*elements: float) -> Any:
    return types.DenseVector(floats=types.Floats(values=elements))


def value(item: Any) -> Any:
    """A value of the kind that fits a Python value; messages of kinds are passed through."""
    match item:
        case types.Value():
            return item
        case None:
            return types.Value(null_value=0)
        case bool():
            return types.Value(bool_value=item)
        case int():
            return types.Value(int_value=item)
        case float():
            return types.Value(float_value=item)
        case str():
            return types.Value(string_value=item)
        case bytes():
            return types.Value(bytes_value=item)
        case types.DenseVector():
            return types.Value(dense_vector=item)
        case list():
            return types.Value(string_array=types.StringArray(values=item))
    raise TypeError(type(item))


def row(id_: int | str, **attributes: Any) -> Any:
    return types.Row(id=id_of(id_), attributes={name: value(item) for name, item in attributes.items()})


def compare(attribute: str, op: str, item: Any) -> Any:
    operator = types.ComparisonOperator.Value(f"COMPARISON_OPERATOR_{op}")
    return types.Filter(comparison=types.Comparison(attribute=attribute, op=operator, value=value(item)))


def order_by(attribute: str, direction: str = "ASC") -> Any:
    key = types.OrderKey(attribute=attribute, direction=types.SortDirection.Value(f"SORT_DIRECTION_{direction}"))
    return types.RankBy(order_by=types.OrderBy(keys=[key]))


def nearest(attribute: str, *elements: float, method: str = "ANN") -> Any:
    how = types.VectorSearchMethod.Value(f"VECTOR_SEARCH_METHOD_{method}")
    return types.RankBy(vector_search=types.VectorSearch(attribute=attribute, method=how, vector=vector(*elements)))


def bm25(attribute: str, text: str) -> Any:
    return types.Score(bm25=types.Bm25(attribute=attribute, operand=types.TextOperand(text=text)))


def query(namespace: str, rank_by: Any = None, limit: int | None = 10, **fields: Any) -> Any:
    """One query; fields that are not the query's are the request's."""
    request_fields = {"consistency", "vector_encoding", "attribute_types", "disable_cache"}
    outer = {name: item for name, item in fields.items() if name in request_fields}
    inner = {name: item for name, item in fields.items() if name not in request_fields}
    if limit is not None:
        inner["limit"] = types.Limit(total=limit)
    return router.QueryRequest(namespace=namespace, query=types.Query(rank_by=rank_by, **inner), **outer)


def kinds(**settings: Any) -> dict[str, Any]:
    """Schema changes: a type as text, or an AttributeConfig."""
    changes = {}
    for name, setting in settings.items():
        is_text = isinstance(setting, str)
        changes[name] = types.AttributeSchemaChange(
            type_only=setting if is_text else None, config=None if is_text else setting
        )
    return changes
