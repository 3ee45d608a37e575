"""The three queries of the demo. Each time is measured around the call and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from turbopuffer import Turbopuffer

from .client import readable_errors
from .model import Collection, Row

_TOP_K = 5


@dataclass(frozen=True)
class Answer:
    """What a query asked, what came back and how long the call took, in seconds.

    `request` holds the arguments of the call; `rows` the documents or groups, `total` how many rows were counted.
    """

    request: dict[str, Any]
    rows: list[Row]
    seconds: float
    total: int | None = None


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
