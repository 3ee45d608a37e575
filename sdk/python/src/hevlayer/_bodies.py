"""Reads what a body asks for: whether it needs Layer, whether it may be sent twice, and which rows it writes.

A body is only read when a decision hangs on it. It must never be changed or written anew: what goes to Turbopuffer is what
the caller gave, byte for byte.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import orjson

from ._effects import Effect
from ._healing import Written

Body = dict[str, Any]

LAYER_KEYS = ("nearest_to_id", "cursor", "as_of", "between", "vector", "include_leg_breakdown")
"""Members of a query that only Layer understands."""
LAYER_RANKINGS = ("HybridText", "Auto")
"""Rankings that only Layer understands."""
IDEMPOTENT_KEYS = frozenset(
    (
        "upsert_rows",
        "upsert_columns",
        "patch_rows",
        "patch_columns",
        "deletes",
        "schema",
        "distance_metric",
        "create_namespace",
        "encryption",
        "sharding",
        "disable_backpressure",
        "return_affected_ids",
    )
)
"""A write with other members than these must not be repeated."""


GZIP = b"\x1f\x8b"
"""What a compressed body begins with, and JSON never does."""


def read(content: bytes) -> Body | None:
    """The body's object; None for one that cannot be read, or is no object."""
    try:
        plain = gzip.decompress(content) if content.startswith(GZIP) else content
        body = orjson.loads(plain)
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError):
        return None
    return body if isinstance(body, dict) else None


def query_needs_layer(body: Body | None) -> bool:
    """Whether a query, or one of several, uses an extension of Layer's. What cannot be read is for the origin to refuse."""
    if body is None:
        return False
    queries = body.get("queries")
    legs = [leg for leg in queries if isinstance(leg, dict)] if isinstance(queries, list) else []
    return any(map(_leg_needs_layer, [body, *legs]))


def _leg_needs_layer(leg: Body) -> bool:
    if any(leg.get(key) is not None for key in LAYER_KEYS):
        return True
    ranking = leg.get("rank_by")
    return isinstance(ranking, list) and len(ranking) > 1 and ranking[1] in LAYER_RANKINGS


def write_effect(body: Body | None) -> Effect:
    """Whether a write may be sent twice."""
    if body is None or any(value is not None and key not in IDEMPOTENT_KEYS for key, value in body.items()):
        return Effect.UNREPEATABLE_WRITE
    return Effect.IDEMPOTENT_WRITE


def written(namespace: str, body: Body | None) -> Written:
    """The rows that a write changes; all of the namespace where the body does not name them."""
    if body is None or (write_effect(body) is Effect.UNREPEATABLE_WRITE and _by_filter(body)):
        return Written(namespace, None)
    if _drops_an_attribute(body.get("schema")):
        return Written(namespace, None)
    ids = tuple(_ids(body))
    return Written(namespace, ids if all(isinstance(each, int | str) for each in ids) else None)


CONDITIONS = frozenset(("upsert_condition", "patch_condition", "delete_condition"))
"""Members that leave rows out, and name none."""


def _by_filter(body: Body) -> bool:
    known = IDEMPOTENT_KEYS | CONDITIONS
    return any(value is not None and key not in known for key, value in body.items())


def _drops_an_attribute(schema: object) -> bool:
    attributes = schema.values() if isinstance(schema, dict) else ()
    return any(isinstance(each, dict) and each.get("drop") for each in attributes)


def _ids(body: Body) -> Iterator[Any]:
    for key in ("upsert_rows", "patch_rows"):
        for row in _list(body.get(key)):
            yield row.get("id") if isinstance(row, dict) else None
    for key in ("upsert_columns", "patch_columns"):
        columns = body.get(key)
        yield from _list(columns.get("id") if isinstance(columns, dict) else None)
    yield from _list(body.get("deletes"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
