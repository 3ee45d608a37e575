"""Writes and the document cache when something goes wrong: the origin, the cache, the caller, or the router itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import grpc
from faults.proxy import Proxy
from harness.client import Connection, ask, refusal
from harness.coherence import JSON, answering, key, namespace_holds, outcomes, states, store, write
from harness.doc_cache import Cache, start_doc_cache
from harness.exposition import value
from harness.grpc import FailedCall, call
from harness.origin import Exchange, FakeOrigin, ok
from harness.programs import Program, start_router
from harness.waiting import until

NS = "ns"
PATH = f"/v2/namespaces/{NS}"
DELETE_1 = {"deletes": [1]}
BODY_1 = b'{"deletes":[1]}'

Start = Callable[..., Program]


@pytest.fixture
def cache(doc_cache: Program) -> Iterator[Cache]:
    with Cache(doc_cache, NS) as cache:
        yield cache


@pytest.fixture
def mesh(origin: FakeOrigin, doc_cache: Program) -> Iterator[Start]:
    """Starts routers before the scripted origin and beside the cache."""
    with ExitStack() as stack:

        def start_one(settings: dict[str, Any] | None = None) -> Program:
            own = {"cache.addresses": doc_cache.address, "cache.tenant": "store", "cache.warm_on_write": False}
            router = start_router(origin.url, own | (settings or {}))
            stack.callback(router.process.kill)
            return router

        yield start_one


def waits(router: Program, phase: str, over_s: str) -> int:
    """How many writes waited longer than that for the cache."""
    page = router.metrics()
    name = "layer_write_cache_wait_seconds"
    return int(value(page, f"{name}_count", phase=phase) - value(page, f"{name}_bucket", phase=phase, le=over_s))


def gate() -> tuple[threading.Event, threading.Event, Callable[[Exchange], None]]:
    """An origin that has a write, and answers it when it is told to."""
    came, go = threading.Event(), threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        came.set()
        assert go.wait(20)
        exchange.reply_json({"status": "OK", "rows_affected": 1})

    return came, go, script


def test_a_broken_connection_leaves_the_hold(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh()
    store(cache, 1, 2)

    def cut(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reset()

    origin.script = cut
    assert refusal(write(router, NS, DELETE_1))[:2] == (502, "upstream_error")
    assert states(cache, 1, 2) == ["held", "hit"]
    assert outcomes(router, "unknown") == 1


def test_an_origin_that_never_answers_leaves_the_hold(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh({"limits.request_timeout_ms": 300})
    _, go, origin.script = gate()
    assert refusal(write(router, NS, DELETE_1))[:2] == (504, "gateway_timeout")
    assert states(cache, 1) == ["held"]
    go.set()


def test_a_hold_that_nobody_closes_runs_out(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh({"limits.request_timeout_ms": 100, "cache.hold_ms": 1000})
    _, go, origin.script = gate()
    assert write(router, NS, DELETE_1).status == 504
    assert states(cache, 1) == ["held"]
    until(lambda: states(cache, 1) == ["free"], "the hold runs out", 5)
    go.set()


def test_an_origin_that_cannot_be_reached_changed_nothing(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh()
    store(cache, 1)
    origin.cut()
    try:
        assert refusal(write(router, NS, DELETE_1))[:2] == (502, "upstream_error")
        assert ask(router.url, "DELETE", PATH).status == 502
    finally:
        origin.restart()
    assert states(cache, 1) == ["free"]
    assert namespace_holds(cache) == 0
    assert outcomes(router, "nothing") == 2


def test_a_caller_that_goes_away_does_not_keep_the_hold_from_its_end(
    mesh: Start, origin: FakeOrigin, cache: Cache
) -> None:
    router = mesh()
    came, go, origin.script = gate()
    with Connection(router.url) as caller:
        caller.send_request("POST", PATH, BODY_1, JSON)
        assert came.wait(10)
    until(lambda: value(router.metrics(), "layer_tpuf_inflight") == 0, "the router has seen it leave")
    assert states(cache, 1) == ["held"]
    go.set()
    until(lambda: states(cache, 1) == ["free"], "the origin's answer closes the hold", 5)
    assert outcomes(router, "changed") == 1


def test_a_caller_whose_time_is_over_does_not_keep_the_hold_from_its_end(
    mesh: Start, origin: FakeOrigin, cache: Cache
) -> None:
    router = mesh()
    came, go, origin.script = gate()
    assert write(router, NS, DELETE_1, [("x-request-timeout-ms", "1500")]).status == 504
    with pytest.raises(FailedCall) as failed:
        call(router, "Write", {"namespace": NS, "deletes": [{"uint_value": 2}]}, within_s=1.5)
    assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert came.is_set()
    assert states(cache, 1, 2) == ["held", "held"]
    go.set()
    until(lambda: states(cache, 1, 2) == ["free", "free"], "the origin's answers close the holds", 5)


def test_a_body_that_breaks_off_changed_nothing(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh({"write.read_ahead_bytes": 1000})
    store(cache, 1)
    origin.script = lambda exchange: exchange.read_body()
    with Connection(router.url) as caller:
        caller.send_head("POST", PATH, [("content-length", "100000")])
        caller.send(b'{"upsert_rows":[{"id":1,"t":"' + b"x" * 5000)
        until(lambda: namespace_holds(cache) == 1, "it is held")
        origin.last()
    until(lambda: namespace_holds(cache) == 0, "the hold is closed", 5)
    assert states(cache, 1) == ["hit"]
    until(lambda: outcomes(router, "nothing") == 1, "it is counted")


def test_a_write_goes_on_when_the_cache_dies_meanwhile(
    mesh: Start, origin: FakeOrigin, doc_cache: Program, cache: Cache
) -> None:
    router = mesh()
    origin.script, _ = answering(doc_cache.process.kill)
    assert write(router, NS, DELETE_1).status == 200
    assert value(router.metrics(), "hevlayer_cache_release_backlog") >= 1, "the release waits"
    origin.script = ok
    again = start_doc_cache(port=doc_cache.port)
    try:
        until(lambda: value(router.metrics(), "hevlayer_cache_release_backlog") == 0, "it is delivered", 90)
        with Cache(again, NS) as fresh:
            assert states(fresh, 1) == ["free"]
    finally:
        again.process.kill()


@pytest.mark.parametrize("doc_cache", [{"proof.lapse_ms": None}], indirect=True, ids=["lapse"])
def test_while_the_cache_stands_still_only_the_first_writes_wait(
    mesh: Start, origin: FakeOrigin, doc_cache: Program, cache: Cache
) -> None:
    router = mesh({"listen.workers": 1})
    store(cache, 1)
    assert write(router, NS, {"deletes": [2]}).status == 200
    doc_cache.process.suspend()
    for _ in range(20):
        assert write(router, NS, DELETE_1).status == 200
    # One hold was waited for in vain; its own release and all that follow know better.
    assert waits(router, "hold", "0.25") == 1
    assert waits(router, "release", "0.25") == 0
    assert waits(router, "hold", "2.5") == 0, "no longer than the deadline"
    assert value(router.metrics(), "layer_write_holds_total", result="unheld") == 20
    doc_cache.process.resume()
    until(lambda: value(router.metrics(), "hevlayer_cache_release_backlog") == 0, "it is delivered", 90)
    until(lambda: cache.get(key(1)) != ("no_lease", "UNPROVEN"), "the replica has proven itself", 10)
    assert cache.get(key(1))[0] != "hit", "the old value is gone"


def test_strict_writes_are_refused_before_they_are_sent(mesh: Start, origin: FakeOrigin, doc_cache: Program) -> None:
    router = mesh({"cache.coherence": "strict"})
    assert write(router, NS, DELETE_1).status == 200
    doc_cache.process.kill()
    seen = len(origin.requests)
    for body in [BODY_1, b'{"delete_by_filter":["a","Eq",1]}']:
        answer = write(router, NS, body)
        status, code, text = refusal(answer)
        assert (status, code) == (503, "doc_cache_unavailable")
        assert "doc-cache" in text and "strict" in text
        assert answer.get("retry-after")
    assert refusal(ask(router.url, "DELETE", PATH))[:2] == (503, "doc_cache_unavailable")
    with pytest.raises(FailedCall) as failed:
        call(router, "Write", {"namespace": NS, "deletes": [{"uint_value": 1}]})
    assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.UNAVAILABLE, "DOC_CACHE_UNAVAILABLE")
    assert len(origin.requests) == seen
    assert ask(router.url, "POST", f"{PATH}/query", b'{"top_k":1}').status == 200, "reads go on"


def test_a_long_upload_keeps_its_hold(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh({"write.read_ahead_bytes": 1000, "cache.hold_ms": 6000})
    store(cache, 1)
    with Connection(router.url) as caller:
        caller.send_head("POST", PATH, [("transfer-encoding", "chunked")])
        begun = time.monotonic()
        caller.send(b"1000\r\n" + b'{"upsert_rows":[{"id":1,"t":"'.ljust(0x1000, b"x") + b"\r\n")
        until(lambda: namespace_holds(cache) == 1, "it is held")
        # Longer than the hold would stand: it is renewed while the body comes.
        while time.monotonic() < begun + 7:
            caller.send(b"1\r\nx\r\n")
            assert namespace_holds(cache) >= 1
        caller.send(b'4\r\n"}]}\r\n0\r\n\r\n')
        assert caller.answer().status == 200
    assert (states(cache, 1), namespace_holds(cache)) == (["free"], 0)
    assert value(router.metrics(), "layer_write_holds_total", of="namespace", result="held") > 2


def test_a_renewal_that_cannot_be_placed_leaves_the_older_hold(
    mesh: Start, origin: FakeOrigin, doc_cache: Program, cache: Cache
) -> None:
    proxy = Proxy(doc_cache.port)
    settings = {"write.read_ahead_bytes": 1000, "cache.hold_ms": 30_000, "cache.addresses": proxy.address}
    router = mesh(settings)
    with Connection(router.url) as caller:
        caller.send_head("POST", PATH, [("transfer-encoding", "chunked")])
        caller.send(b"1000\r\n" + b'{"upsert_rows":[{"id":1,"t":"'.ljust(0x1000, b"x") + b"\r\n")

        def page(name: str, **labels: str) -> float:
            return value(router.metrics(), name, **labels)

        until(lambda: page("layer_write_holds_total", result="held") == 1, "it is held")
        proxy.cut()
        # The renewal comes after a tenth of the hold's time.
        until(lambda: page("layer_write_holds_total", result="unheld") == 1, "a renewal fails", 10)
        proxy.heal()
        until(lambda: page("layer_cache_breaker_open", path="write") == 0, "the router finds the cache again")
        until(lambda: page("hevlayer_cache_release_backlog") == 0, "it owes nothing")
        # Before the next renewal, which would hold again.
        assert namespace_holds(cache) == 1
        assert page("layer_write_holds_total", of="namespace", result="held") == 1
        caller.send(b'4\r\n"}]}\r\n0\r\n\r\n')
        assert caller.answer().status == 200
    assert namespace_holds(cache) == 0
    proxy.stop()
