"""The same calls through Layer, past it, and while it goes away: one answer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from halves import Loop, Threads
from turbopuffer import APIStatusError

from hevlayer import record_perf
from mesh.parts import UNHURRIED, Mesh

Half = Threads | Loop
Step = Callable[[Any, str], Any]
NEVER_ALIKE = {"performance", "billing", "created_at", "updated_at", "last_write_at", "token"}
"""Members that differ between two calls of the same server."""

ROWS: Any = [
    {"id": number, "title": title, "year": 1990 + number, "tags": ["a", title[0]], "vector": [number / 10, 0.5]}
    for number, title in enumerate(["blue whale", "walrus", "grey whale", "seal", "orca"], 1)
]
SCHEMA: Any = {"title": {"type": "string", "full_text_search": True}}

STEPS: dict[str, Step] = {
    "write": lambda c, n: c.namespace(n).write(upsert_rows=ROWS, schema=SCHEMA, distance_metric="cosine_distance"),
    "write columns": lambda c, n: c.namespace(n).write(
        upsert_columns={"id": [2**53 + 1], "year": [7], "vector": [[0.25, 0.5]]}, return_affected_ids=True
    ),
    "patch": lambda c, n: c.namespace(n).write(patch_rows=[{"id": 1, "year": 1}]),
    "conditional": lambda c, n: c.namespace(n).write(
        upsert_rows=[{"id": 2, "year": 3, "vector": [0.1, 0.1]}], upsert_condition=["year", "Gt", 1]
    ),
    "delete by filter": lambda c, n: c.namespace(n).write(delete_by_filter=["year", "Eq", 1994]),
    "query": lambda c, n: c.namespace(n).query(
        rank_by=["vector", "ANN", [0.1, 0.6]], top_k=3, include_attributes=["year"]
    ),
    "full text": lambda c, n: c.namespace(n).query(rank_by=["title", "BM25", "whale"], top_k=3),
    "filter": lambda c, n: c.namespace(n).query(rank_by=["id", "asc"], top_k=9, filters=["year", "Lt", 1994]),
    "aggregate": lambda c, n: c.namespace(n).query(aggregate_by={"n": ["Count"]}, filters=["year", "Gt", 1]),
    "multi": lambda c, n: c.namespace(n).multi_query(
        queries=[{"rank_by": ["title", "BM25", "whale"], "top_k": 2}, {"rank_by": ["id", "desc"], "top_k": 1}]
    ),
    "schema": lambda c, n: c.namespace(n).schema(),
    "update schema": lambda c, n: c.namespace(n).update_schema(schema={"year": {"type": "int", "filterable": True}}),
    "metadata": lambda c, n: c.namespace(n).metadata(),
    "recall": lambda c, n: c.namespace(n).recall(num=1, top_k=2),
    "warm hint": lambda c, n: c.namespace(n).hint_cache_warm(),
    "exists": lambda c, n: c.namespace(n).exists(),
    "list": lambda c, n: c.namespaces(prefix=n),
    "copy": lambda c, n: c.namespace(f"{n}-copy").copy_from(source_namespace=n),
    "branch": lambda c, n: c.namespace(f"{n}-branch").branch_from(source_namespace=n),
    "query the copy": lambda c, n: c.namespace(f"{n}-copy").query(rank_by=["id", "asc"], top_k=9),
    "no such namespace": lambda c, n: c.namespace(f"{n}-none").query(rank_by=["id", "asc"], top_k=1),
    "bad filter": lambda c, n: c.namespace(n).query(rank_by=["id", "asc"], top_k=1, filters=["a", "Nope", 1]),  # type: ignore[arg-type]
    "explain": lambda c, n: c.namespace(n).explain_query(rank_by=["id", "asc"], top_k=1),
}


def plain(value: Any, namespace: str) -> Any:
    """What was answered, without what never is alike."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in NEVER_ALIKE and not key.startswith("_")}
        return {key: plain(each, namespace) for key, each in kept.items()}
    if isinstance(value, list):
        return [plain(each, namespace) for each in value]
    return value.replace(namespace, "NAMESPACE") if isinstance(value, str) else value


def done(half: Half, client: Any, namespace: str, step: Step) -> Any:
    try:
        return plain(half.run(step(client, namespace)), namespace)
    except APIStatusError as error:
        return {"status": error.status_code, "error": plain(copy.copy(error.body), namespace)}


def run(half: Half, client: Any, namespace: str, before: Callable[[str], None]) -> tuple[dict[str, Any], set[Any]]:
    """All steps in order: what each answered, and which ways they went."""
    answers = {}
    with record_perf() as record:
        for name, step in STEPS.items():
            before(name)
            answers[name] = done(half, client, namespace, step)
    return answers, {perf.fallback for perf in record.calls}


def nothing(_: str) -> None:
    """The router stays as it is."""


@pytest.fixture
def wanted(half: Half, mortal: Mesh, namespace: str) -> dict[str, Any]:
    """What comes through Layer."""
    make = mortal.client if isinstance(half, Threads) else mortal.async_client
    client = make(settings=UNHURRIED)
    answers, ways = run(half, client, f"{namespace}x", nothing)
    assert ways == {None}
    half.close(client)
    return answers


def test_past_layer(half: Half, mortal: Mesh, namespace: str, wanted: dict[str, Any]) -> None:
    client = mortal.client() if isinstance(half, Threads) else mortal.async_client()
    mortal.kill()
    answers, ways = run(half, client, f"{namespace}y", nothing)
    assert ways == {"turbopuffer_direct"}
    assert answers == wanted
    half.close(client)


def test_while_it_goes_and_comes(half: Half, mortal: Mesh, namespace: str, wanted: dict[str, Any]) -> None:
    client = mortal.client() if isinstance(half, Threads) else mortal.async_client()
    there = True

    def before(name: str) -> None:
        nonlocal there
        if list(STEPS).index(name) % 4 == 2:
            mortal.kill() if there else mortal.start()
            there = not there
        if there:
            half.until(lambda: not client.fall_through.breaker.is_open, "it returns")

    answers, ways = run(half, client, f"{namespace}z", before)
    assert ways == {None, "turbopuffer_direct"}
    assert answers == wanted
    half.close(client)


def test_the_answers_are_worth_comparing(wanted: dict[str, Any]) -> None:
    assert [row["id"] for row in wanted["query"]["rows"]] != []
    assert wanted["no such namespace"]["status"] == 404 and wanted["bad filter"]["status"] == 400
    errors = [
        name
        for name, answer in wanted.items()
        if isinstance(answer, dict) and answer.get("status", 0) in range(400, 600)
    ]
    assert set(errors) == {"no such namespace", "bad filter"}
