"""A namespace's bound in the document cache, from the router's rule to the cache's account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.client import ask
from harness.doc_cache import start_doc_cache
from harness.exposition import value
from harness.origin import FakeOrigin
from harness.programs import Program, await_cache, start_router
from harness.rows import Rows
from harness.waiting import until

ROWS = 30
TEXT_BYTES = 1000
MAX_BYTES = 10 * 1400


@pytest.fixture
def doc_cache() -> Iterator[Program]:
    program = start_doc_cache()
    yield program
    program.process.kill()


@pytest.fixture
def bounded(origin: FakeOrigin, doc_cache: Program) -> Iterator[Program]:
    """A router that gives one namespace little room, and one document of it none."""
    origin.script = Rows({id_: {"t": "x" * TEXT_BYTES * (100 if id_ == ROWS else 1)} for id_ in range(ROWS + 1)})
    rules = f"small max_bytes={MAX_BYTES}"
    settings = {"cache.namespaces": rules, "cache.compress_min_bytes": 0}
    router = start_router(origin.url, {"cache.addresses": doc_cache.address} | settings)
    yield await_cache(router)
    router.process.kill()


def read(router: Program, namespace: str, id_: int) -> str:
    answer = ask(router.url, "GET", f"/v2/namespaces/{namespace}/documents/{id_}")
    assert answer.status == 200
    return answer.get("x-layer-cache") or ""


def stored(router: Program) -> float:
    return value(router.metrics(), "layer_cache_fills_total", status="stored")


def test_a_namespace_with_a_bound_keeps_to_it_and_others_do_not(bounded: Program, doc_cache: Program) -> None:
    for count, namespace in enumerate(["small", "large"], 1):
        for id_ in range(ROWS):
            read(bounded, namespace, id_)
        until(lambda n=count: stored(bounded) >= ROWS * n, "they are filled")
    # The newest first: an older one that is read takes the room of a newer one.
    newest = range(ROWS - 1, -1, -1)
    hits = {name: sum(read(bounded, name, id_) == "hit" for id_ in newest) for name in ("large", "small")}
    assert hits["large"] == ROWS
    assert 0 < hits["small"] <= MAX_BYTES / TEXT_BYTES
    assert value(doc_cache.metrics(), "layer_cache_quota_evictions_total") >= ROWS - MAX_BYTES / TEXT_BYTES


def test_a_document_over_the_bound_is_served_from_the_origin(bounded: Program, doc_cache: Program) -> None:
    def refused() -> bool:
        assert read(bounded, "small", ROWS) != "hit"
        return value(bounded.metrics(), "layer_cache_fills_total", status="over_quota") > 0

    until(refused, "the fill is refused")
    assert value(doc_cache.metrics(), "layer_cache_backfills_total", status="over_quota") > 0
