"""The queries of the demo, and its fetches. Each time is measured around the call and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from turbopuffer import Turbopuffer

from .client import readable_errors
from .model import Collection, Row

_TOP_K = 5
_FILLED_WITHIN_S = 10.0
"""A cache that has just started serves nothing for three seconds, and is filled in the background."""
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Answer:
    """What a query asked, what came back and how long the call took, in seconds.

    `request` holds the arguments of the call; `rows` the documents or groups, `total` how many rows were counted.
    """

    request: dict[str, Any]
    rows: list[Row]
    seconds: float
    total: int | None = None


@dataclass(frozen=True)
class Fetch:
    """Where a document came from, in Layer's word (`hit`: the cache, `miss`: the origin), and the time in seconds."""

    came: str
    seconds: float


def full_text(client: Turbopuffer, namespace: str, collection: Collection, text: str) -> Answer:
    """The five best matches of `text` by BM25 over the collection's text attributes."""
    questions = collection.questions
    clauses = [_weighted(name, weight, text) for name, weight in questions.text_attributes.items()]
    columns = [name for name in questions.columns if name != "id"]
    return _ask(
        client,
        namespace,
        rank_by=clauses[0] if len(clauses) == 1 else ["Sum", clauses],
        top_k=_TOP_K,
        include_attributes=columns,
    )


def count_by_group(client: Turbopuffer, namespace: str, collection: Collection) -> Answer:
    """How many rows pass the filter, by group where the collection has one; the largest groups first."""
    questions = collection.questions
    arguments: dict[str, Any] = {"aggregate_by": {"count": ["Count"]}}
    if questions.group_by:
        arguments["group_by"] = [questions.group_by]
    if questions.filters:
        arguments["filters"] = questions.filters
    answer = _ask(client, namespace, **arguments)
    # The group is the only other key; one without a value has none.
    rows = sorted(answer.rows, key=lambda row: (-row["count"], str(row.get(questions.group_by or ""))))
    return Answer(answer.request, rows, answer.seconds, sum(row["count"] for row in rows))


def by_id(client: Turbopuffer, namespace: str, collection: Collection, identifier: str | int) -> Answer:
    """The one document with this id."""
    return _ask(
        client,
        namespace,
        rank_by=["id", "asc"],
        filters=["id", "Eq", identifier],
        top_k=1,
        include_attributes=collection.questions.record,
    )


def fetch(client: Turbopuffer, namespace: str, identifier: str | int) -> Fetch:
    """Fetches a document by Layer's own call, which Turbopuffer's client has no method for."""
    path = f"/v2/namespaces/{namespace}/documents/{quote(str(identifier), safe='')}"
    with readable_errors(client):
        start = time.perf_counter()
        response = client.get(path, cast_to=httpx2.Response)
        seconds = time.perf_counter() - start
    return Fetch(response.headers.get("x-layer-cache", ""), seconds)


def fetch_until_cached(client: Turbopuffer, namespace: str, identifier: str | int) -> list[Fetch]:
    """The first fetch of a document, and the first that the cache answered; the one alone where that does not come."""
    first = last = fetch(client, namespace, identifier)
    end = time.monotonic() + _FILLED_WITHIN_S
    while last.came.startswith("miss") and time.monotonic() < end:
        time.sleep(_LOOK_EVERY_S)
        last = fetch(client, namespace, identifier)
    return [first, last] if last is not first and last.came == "hit" else [first]


def _weighted(name: str, weight: float, text: str) -> list[Any]:
    clause = [name, "BM25", text]
    return clause if weight == 1.0 else ["Product", weight, clause]


def _ask(client: Turbopuffer, namespace: str, **arguments: Any) -> Answer:
    target = client.namespace(namespace)
    with readable_errors(client):
        start = time.perf_counter()
        response = target.query(**arguments)
        seconds = time.perf_counter() - start
    if response.rows is not None:
        rows = [row.model_dump(exclude_none=True) for row in response.rows]
    elif response.aggregation_groups is not None:
        rows = [dict(group) for group in response.aggregation_groups]
    else:
        rows = [dict(response.aggregations or {})]
    return Answer(arguments, rows, seconds)
