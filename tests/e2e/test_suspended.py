"""A router that was suspended, and what came to it before and meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import grpc
from harness.client import Connection, ask, refusal
from harness.coherence import JSON, states
from harness.doc_cache import Cache
from harness.exposition import value
from harness.grpc import FailedCall, call
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program
from harness.waiting import let_pass, until

NS = "ns"
PATH = f"/v2/namespaces/{NS}"
QUERY = f"{PATH}/query"
BODY_1 = b'{"deletes":[1]}'
QUEUE = {"listen.workers": 1, "origin.connections_max": 1, "origin.queue_timeout_ms": 15_000}

Start = Callable[..., Program]
Queued = tuple[Connection, threading.Event, Connection]


@pytest.fixture
def cache(doc_cache: Program) -> Iterator[Cache]:
    with Cache(doc_cache, NS) as cache:
        yield cache


def beside(doc_cache: Program) -> dict[str, Any]:
    """Settings of a router with a cache."""
    return {"cache.addresses": doc_cache.address, "cache.tenant": "store", "cache.warm_on_write": False}


@pytest.fixture
def mesh(start: Start, doc_cache: Program) -> Start:
    """Starts routers before the scripted origin and beside the cache."""
    return lambda settings: start(beside(doc_cache) | settings)


@pytest.fixture(params=["with a cache", "without"])
def router(request: pytest.FixtureRequest, start: Start) -> Program:
    """A router of the test's own."""
    return start(beside(request.getfixturevalue("doc_cache")) if request.param == "with a cache" else {})


@pytest.fixture
def come(origin: FakeOrigin) -> Iterator[list[str]]:
    """The targets of what came whole to the origin; it answers anything."""

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        if exchange.request.complete:
            come.append(exchange.request.target)
        exchange.reply_json({"status": "OK", "rows_affected": 1})

    come: list[str] = []
    origin.script = script
    return come


def is_spared(router: Program, come: list[str]) -> None:
    """Nothing but what is asked now comes to the origin: on one thread, what came earlier would be there first."""
    assert ask(router.url, "POST", QUERY, b'{"top_k":1}', JSON).status == 200
    assert come[-1] == QUERY and PATH not in come
    assert ask(router.url, "POST", PATH, BODY_1, JSON).status == 200, "it serves again"


def occupied(router: Program, origin: FakeOrigin) -> tuple[threading.Event, Connection]:
    """The only connection to the origin is in use; what gives it free, and who has it."""
    go = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        assert go.wait(20)
        exchange.reply_json({})

    origin.script = script
    first = Connection(router.url)
    first.send_request("POST", QUERY, b'{"top_k":1}', JSON)
    origin.last()
    return go, first


def queued(router: Program, origin: FakeOrigin, cache: Cache, headers: list[tuple[str, str]]) -> Queued:
    """A write that is held and waits for the only connection to the origin; what gives that free; and who has it."""
    go, first = occupied(router, origin)
    caller = Connection(router.url)
    caller.send_request("POST", PATH, BODY_1, [*JSON, *headers])
    until(lambda: states(cache, 1) == ["held"], "the write is held")
    return caller, go, first


def stand_still(router: Program, seconds: float, meanwhile: Callable[[], None]) -> None:
    """Suspends the router for that long."""
    router.process.suspend()
    end = time.monotonic() + seconds
    meanwhile()
    let_pass(end - time.monotonic())
    router.process.resume()


def test_a_router_that_stood_still_sends_nothing_old(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh(QUEUE | {"cache.hold_ms": 5000})
    caller, go, _first = queued(router, origin, cache, [])
    stand_still(router, 1.5, go.set)
    status, code, text = refusal(caller.answer())
    assert (status, code) == (503, "service_unavailable")
    assert "stood still" in text
    until(lambda: states(cache, 1) == ["free"], "nothing was sent: the hold is closed", 5)
    assert [request.target for request in origin.requests if request.complete] == [QUERY]


def test_a_router_that_stood_still_but_not_for_long_sends_its_writes(
    mesh: Start, origin: FakeOrigin, cache: Cache
) -> None:
    router = mesh(QUEUE)
    caller, go, _first = queued(router, origin, cache, [])
    stand_still(router, 1.5, go.set)
    assert caller.answer().status == 200


def test_a_write_whose_time_is_over_is_not_sent(mesh: Start, origin: FakeOrigin, cache: Cache) -> None:
    router = mesh(QUEUE)
    caller, go, _first = queued(router, origin, cache, [("x-request-timeout-ms", "1000")])
    stand_still(router, 1.5, go.set)
    assert refusal(caller.answer())[:2] == (504, "gateway_timeout")
    until(lambda: states(cache, 1) == ["free"], "nothing was sent: the hold is closed", 5)
    assert [request.target for request in origin.requests if request.complete] == [QUERY]


def test_without_a_cache_too_a_write_whose_time_is_over_is_not_sent(origin: FakeOrigin, start: Start) -> None:
    router = start(QUEUE)
    go, first = occupied(router, origin)
    caller = Connection(router.url)
    caller.send_request("POST", PATH, BODY_1, [*JSON, ("x-request-timeout-ms", "1000")])
    until(lambda: value(router.metrics(), "layer_tpuf_inflight") == 2, "the write waits for its turn")
    stand_still(router, 1.5, go.set)
    assert refusal(caller.answer())[:2] == (504, "gateway_timeout")
    first.answer()
    assert [request.target for request in origin.requests if request.complete] == [QUERY]


@pytest.fixture(params=["before", "meanwhile"])
def connected(request: pytest.FixtureRequest, router: Program) -> Callable[[], Connection]:
    """Gives a caller's connection to a router that stands still: one that was used before, or a new one."""
    if request.param == "meanwhile":
        return lambda: Connection(router.url)
    used = Connection(router.url)
    assert used.request("POST", QUERY, b'{"top_k":1}', JSON).status == 200
    return lambda: used


def test_a_write_that_came_meanwhile_is_not_sent_when_its_caller_has_left(
    router: Program, come: list[str], connected: Callable[[], Connection]
) -> None:
    def meanwhile() -> None:
        with connected() as caller:
            caller.send_request("POST", PATH, BODY_1, JSON)

    stand_still(router, 0.2, meanwhile)
    is_spared(router, come)


def test_a_write_that_came_meanwhile_is_not_sent_when_its_time_is_over(
    router: Program, come: list[str], connected: Callable[[], Connection]
) -> None:
    callers = []

    def meanwhile() -> None:
        callers.append(connected())
        callers[0].send_request("POST", PATH, BODY_1, [*JSON, ("x-request-timeout-ms", "500")])

    stand_still(router, 0.8, meanwhile)
    assert refusal(callers[0].answer())[:2] == (504, "gateway_timeout")
    is_spared(router, come)


def test_a_write_that_came_meanwhile_is_sent_when_there_is_time(router: Program, come: list[str]) -> None:
    caller = Connection(router.url)
    body = [*JSON, ("x-request-timeout-ms", "10000")]
    stand_still(router, 0.8, lambda: caller.send_request("POST", PATH, BODY_1, body))
    assert caller.answer().status == 200
    assert come == [PATH]


def test_a_call_that_came_meanwhile_is_not_sent_when_its_time_is_over(router: Program, come: list[str]) -> None:
    """gRPC: its caller is told, and its stream is reset, while nobody reads."""

    def delete(id_: int, within_s: float) -> None:
        call(router, "Write", {"namespace": NS, "deletes": [{"uint_value": id_}]}, within_s=within_s, channel=channel)

    def meanwhile() -> None:
        with pytest.raises(FailedCall) as failed:
            delete(2, 0.5)
        assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED

    with grpc.insecure_channel(router.address) as channel:
        delete(1, 10)
        assert come == [PATH]
        come.clear()
        stand_still(router, 0.8, meanwhile)
        is_spared(router, come)


@pytest.mark.parametrize("cached", [True, False], ids=["with a cache", "without"])
def test_a_namespace_is_not_deleted_when_the_time_is_over(
    origin: FakeOrigin, start: Start, doc_cache: Program, cached: bool
) -> None:
    """A request without a body that waits for the only connection to the origin."""
    router = start(QUEUE | (beside(doc_cache) if cached else {}))
    go, first = occupied(router, origin)
    caller = Connection(router.url)
    caller.send_request("DELETE", PATH, None, [("x-request-timeout-ms", "1000")])
    until(lambda: value(router.metrics(), "layer_tpuf_inflight") == 2, "it waits for its turn")
    stand_still(router, 1.5, go.set)
    assert refusal(caller.answer())[:2] == (504, "gateway_timeout")
    first.answer()
    assert ask(router.url, "POST", QUERY, b'{"top_k":1}', JSON).status == 200
    assert {request.target for request in origin.requests} == {QUERY}
