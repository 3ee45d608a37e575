"""A write is held in the document cache before the origin gets it, and its changes are cleared before its caller gets
the answer. A client of the cache stands in for readers: what it finds is what they would."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.client import ask, refusal
from harness.coherence import answering, key, namespace_holds, outcomes, states, store, write
from harness.doc_cache import Cache, start_doc_cache
from harness.exposition import value
from harness.grpc import call
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program, start_router

KEYS_MAX = 3
CLEAR_MAX = 8
READ_AHEAD = 4096


@pytest.fixture(scope="module")
def doc_cache() -> Iterator[Program]:
    program = start_doc_cache()
    yield program
    program.stop()


@pytest.fixture(scope="module")
def module_router(module_origin: FakeOrigin, doc_cache: Program) -> Iterator[Program]:
    program = start_router(
        module_origin.url,
        {
            "cache.addresses": doc_cache.address,
            "cache.tenant": "store",
            "cache.warm_on_write": False,
            "write.hold_keys_max": KEYS_MAX,
            "write.clear_keys_max": CLEAR_MAX,
            "write.read_ahead_bytes": READ_AHEAD,
        },
    )
    yield program
    program.stop()


@pytest.fixture
def cache(doc_cache: Program, request: pytest.FixtureRequest) -> Iterator[Cache]:
    """A namespace of the test's own."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:100]
    with Cache(doc_cache, name) as cache:
        yield cache


def ns(cache: Cache) -> str:
    return cache.scope["namespace"]


NAMED: list[dict[str, Any]] = [
    {"upsert_rows": [{"id": 1, "a": {"id": 9}}], "schema": {"a": "int"}},
    {"upsert_columns": {"a": [7], "id": [1]}},
    {"patch_rows": [{"id": 1}]},
    {"patch_columns": {"id": [1]}},
    {"deletes": [1]},
    {"upsert_rows": [{"id": 1}], "upsert_condition": ["a", "Eq", 1], "return_affected_ids": True},
]


@pytest.mark.parametrize("body", NAMED, ids=[next(iter(body)) for body in NAMED[:-1]] + ["conditional"])
def test_few_ids_are_held_while_the_origin_has_them_and_cleared_before_the_answer(
    router: Program, origin: FakeOrigin, cache: Cache, body: dict[str, Any]
) -> None:
    store(cache, 1, 2, 9)
    origin.script, seen = answering(lambda: (states(cache, 1, 2, 9), namespace_holds(cache)))
    assert write(router, ns(cache), body).status == 200
    assert seen == [(["held", "hit", "hit"], 0)]
    assert states(cache, 1, 2, 9) == ["free", "hit", "hit"]


def test_a_reader_of_before_cannot_fill_in_what_it_read(router: Program, origin: FakeOrigin, cache: Cache) -> None:
    _, lease = cache.get(key(1))
    assert write(router, ns(cache), {"deletes": [1]}).status == 200
    assert cache.fill(key(1), lease, b"old") == "LEASE_ENDED"
    assert len(origin.requests) == 1


def test_ids_are_those_of_the_origin_however_they_are_spelled(
    router: Program, origin: FakeOrigin, cache: Cache
) -> None:
    store(cache, 18446744073709551615, "é\n")
    body = b'{"deletes":[18446744073709551615,"\\u00e9\\n"]}'
    path = "/v2/namespaces/" + "".join(f"%{ord(letter):02x}" for letter in ns(cache))
    assert ask(router.url, "POST", path, body).status == 200
    assert states(cache, 18446744073709551615, "é\n") == ["free", "free"]


def test_a_compressed_write_and_one_over_grpc_are_held_too(router: Program, origin: FakeOrigin, cache: Cache) -> None:
    store(cache, 1, 2)
    origin.script, seen = answering(lambda: states(cache, 1, 2))
    assert write(router, ns(cache), gzip.compress(b'{"deletes":[1]}'), [("content-encoding", "gzip")]).status == 200
    call(router, "Write", {"namespace": ns(cache), "deletes": [{"uint_value": 2}]})
    assert seen == [["held", "hit"], ["free", "held"]]
    assert states(cache, 1, 2) == ["free", "free"]


BULKS = {
    "many ids": ({"deletes": [1, 2, 3, 4]}, ["free", "free", "hit"]),
    "too many ids": ({"deletes": list(range(1, CLEAR_MAX + 2))}, ["free", "free", "free"]),
    "an id of another form": (b'{"deletes":[1.0]}', ["free", "free", "free"]),
    "more than is read ahead": ({"upsert_rows": [{"id": 1}, {"id": 2, "t": "x" * 100_000}]}, ["free", "free", "hit"]),
}


@pytest.mark.parametrize("name", BULKS)
def test_a_bulk_holds_the_namespace_and_clears_what_it_named(
    router: Program, origin: FakeOrigin, cache: Cache, name: str
) -> None:
    body, after = BULKS[name]
    store(cache, 1, 2, 20)
    origin.script, seen = answering(lambda: (states(cache, 1, 2, 20), namespace_holds(cache)))
    assert write(router, ns(cache), body).status == 200
    assert seen == [(["hit", "hit", "hit"], 1)], "steady bulks must not keep the cache cold"
    assert states(cache, 1, 2, 20) == after
    assert namespace_holds(cache) == 0


def test_the_namespace_is_held_before_the_first_byte_of_a_body_that_streams(
    router: Program, origin: FakeOrigin, cache: Cache
) -> None:
    seen: list[int] = []

    def script(exchange: Exchange) -> None:
        exchange.read_body(watch=lambda _: seen.append(namespace_holds(cache)) if not seen else None)
        exchange.reply_json({"status": "OK"})

    origin.script = script
    pieces = [b'{"upsert_rows":[{"id":1,"t":"', *[b"x" * 5000] * 4, b'"}]}']
    assert ask(router.url, "POST", f"/v2/namespaces/{ns(cache)}", pieces).status == 200
    assert seen == [1]


FILTER = b'{"delete_by_filter": ["a", "Eq", 1]}'
LISTED = b'{"status":"OK","deleted_ids":[1,2], "rows_affected":2,"n":18446744073709551615}'
HIDDEN = b'{"status":"OK", "rows_affected":2,"n":18446744073709551615}'


def raw(origin: FakeOrigin, answer: bytes, headers: list[tuple[str, str]] | None = None) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", answer, headers or [])

    origin.script = script


def test_the_origin_is_asked_what_a_filter_hit_and_the_caller_does_not_notice(
    router: Program, origin: FakeOrigin, cache: Cache
) -> None:
    store(cache, 1, 2, 3)
    raw(origin, LISTED)
    asked = value(router.metrics(), "layer_write_ids_asked_total")
    answer = write(router, ns(cache), FILTER, [("accept-encoding", "gzip")])
    assert origin.requests[-1].body == FILTER[:-1] + b',"return_affected_ids":true}'
    assert origin.requests[-1].get("accept-encoding") == "identity"
    assert (answer.status, answer.body, answer.get("content-length")) == (200, HIDDEN, str(len(HIDDEN)))
    assert answer.complete
    assert states(cache, 1, 2, 3) == ["free", "free", "hit"]
    assert value(router.metrics(), "layer_write_ids_asked_total") == asked + 1


def test_lists_that_the_caller_asked_for_stay_to_the_byte(router: Program, origin: FakeOrigin, cache: Cache) -> None:
    store(cache, 1, 3)
    raw(origin, LISTED)
    body = FILTER[:-1] + b',"return_affected_ids":true}'
    answer = write(router, ns(cache), body)
    assert (origin.requests[-1].body, answer.body) == (body, LISTED)
    assert states(cache, 1, 3) == ["free", "hit"]


UNKNOWN = {
    "fewer ids than rows": (FILTER, b'{"deleted_ids":[1,2],"rows_affected":3}'),
    "no ids": (FILTER, b'{"rows_affected":3}'),
    "more ids than are kept": (FILTER, json.dumps({"deleted_ids": list(range(9)), "rows_affected": 9}).encode()),
    "the caller wants no ids": (FILTER[:-1] + b',"return_affected_ids":false}', b'{"rows_affected":3}'),
    "a copy": (b'{"copy_from_namespace":"other"}', b"{}"),
    "a branch": (b'{"branch_from_namespace":{"source_namespace":"other"}}', b"{}"),
    "an attribute is dropped": (b'{"schema":{"a":{"drop":true}},"deletes":[1]}', b"{}"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_changed_unseen_ends_all_that_was_cached(
    router: Program, origin: FakeOrigin, cache: Cache, name: str
) -> None:
    body, answer = UNKNOWN[name]
    store(cache, 1, 3)
    raw(origin, answer)
    assert write(router, ns(cache), body).status == 200
    assert states(cache, 1, 3) == ["free", "free"]
    assert namespace_holds(cache) == 0


def test_an_answer_that_cannot_be_read_ends_all_and_passes_where_nothing_is_hidden(
    router: Program, origin: FakeOrigin, cache: Cache
) -> None:
    store(cache, 1)
    packed = gzip.compress(LISTED)
    raw(origin, packed, [("content-encoding", "gzip")])
    assert write(router, ns(cache), FILTER).body == packed
    assert states(cache, 1) == ["free"]
    store(cache, 1)
    raw(origin, b'{"deleted_ids":[1,')
    assert refusal(write(router, ns(cache), FILTER))[:2] == (502, "upstream_error")
    assert states(cache, 1) == ["free"]


CALLS = {
    "the namespace is deleted": ("DELETE", "/v2/namespaces/{}", None, "free"),
    "an attribute is dropped": ("POST", "/v1/namespaces/{}/schema", b'{"a":{"drop":true}}', "free"),
    "an index is added": ("POST", "/v1/namespaces/{}/schema", b'{"a":{"type":"string","filterable":true}}', "hit"),
    "a schema alone": ("POST", "/v2/namespaces/{}", b'{"schema":{"a":"int"}}', "hit"),
    "it becomes read-only": ("PATCH", "/v1/namespaces/{}/metadata", b'{"read_only":true}', "hit"),
    "recall": ("POST", "/v1/namespaces/{}/_debug/recall", b"{}", "hit"),
    "a warm hint": ("GET", "/v1/namespaces/{}/hint_cache_warm", None, "hit"),
    "a query": ("POST", "/v2/namespaces/{}/query", b'{"top_k":1}', "hit"),
}


@pytest.mark.parametrize("name", CALLS)
def test_other_calls_clear_what_they_change(router: Program, origin: FakeOrigin, cache: Cache, name: str) -> None:
    method, path, body, after = CALLS[name]
    store(cache, 1)
    origin.script, seen = answering(lambda: namespace_holds(cache), {})
    assert ask(router.url, method, path.format(ns(cache)), body).status == 200
    assert states(cache, 1) == [after]
    assert seen == [1 if after == "free" else 0]
    assert namespace_holds(cache) == 0


def test_an_operation_that_has_come_to_its_end_is_told_of_after_its_clearing(
    router: Program, origin: FakeOrigin, cache: Cache
) -> None:
    path = f"/v1/namespaces/{ns(cache)}/operations/token"
    finished = {"status": "finished", "result": {"success": {"rows_affected": 2}}}
    recall = {"status": "finished", "result": {"success": {"avg_recall": 1.0}}}
    for answer, after in [({"status": "running"}, "hit"), (recall, "hit"), (finished, "free")]:
        store(cache, 1) if states(cache, 1) == ["free"] else None
        origin.script, _ = answering(lambda: None, answer)
        assert json.loads(ask(router.url, "GET", path).body) == answer
        assert states(cache, 1) == [after], answer


STATUSES = {
    "free": ["400 Bad", "401 Bad", "404 Bad", "413 Bad", "422 Bad", "429 Slow"],
    "held": ["202 Later", "408 Slow", "409 Both", "500 Broken", "502 Proxy", "503 Proxy", "504 Proxy"],
}


@pytest.mark.parametrize("after", STATUSES)
def test_only_a_definite_answer_closes_a_hold(router: Program, origin: FakeOrigin, cache: Cache, after: str) -> None:
    for id_, status in enumerate(STATUSES[after]):
        origin.script, _ = answering(lambda: None, {"status": "error", "error": "x"}, status)
        unknown = outcomes(router, "unknown")
        answer = write(router, ns(cache), {"deletes": [id_]})
        assert answer.status == int(status[:3])
        assert states(cache, id_) == [after], status
        assert outcomes(router, "unknown") == unknown + (after == "held")


def test_a_refused_bulk_leaves_the_namespace_as_it_was(router: Program, origin: FakeOrigin, cache: Cache) -> None:
    store(cache, 1)
    origin.script, _ = answering(lambda: None, {"status": "error"}, "429 Slow")
    assert write(router, ns(cache), {"deletes": [1, 2, 3, 4]}).status == 429
    assert states(cache, 1) == ["hit"]
    assert namespace_holds(cache) == 0


def test_what_is_no_write_is_not_held(router: Program, origin: FakeOrigin, cache: Cache) -> None:
    store(cache, 1)
    assert refusal(write(router, ns(cache), {"deletes": [1], "upserts": []}))[0] == 422
    assert refusal(write(router, ns(cache), b'{"deletes":[1]'))[0] == 422
    assert states(cache, 1) == ["hit"]
    assert origin.requests == []
