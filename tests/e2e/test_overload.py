"""Too much at once is refused at once, says when to come again, and is over when it is over."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import grpc
from harness.client import PATIENCE_S, Connection, ask, refusal
from harness.exposition import value
from harness.grpc import FailedCall, call
from harness.origin import FakeOrigin, ok, stalled
from harness.programs import Program
from harness.waiting import until

WRITE = "/v2/namespaces/ns"
BODY = b'{"upsert_rows":[{"id":1}]}'
AT_ONCE_S = 1.0


@contextmanager
def held(router: Program, origin: FakeOrigin, count: int) -> Iterator[list[Connection]]:
    """`count` requests that the origin has and does not answer."""
    origin.script = stalled
    connections = [Connection(router.url) for _ in range(count)]
    try:
        for connection in connections:
            connection.send_request("POST", WRITE, BODY)
        until(lambda: len(origin.requests) == count, "the requests are at the origin")
        yield connections
    finally:
        for connection in connections:
            connection.close()


def test_beyond_requests_max_is_refused_at_once_and_recovers(origin: FakeOrigin, start) -> None:
    router = start({"limits.requests_max": 2})
    with held(router, origin, 2):
        for _ in range(20):
            began = time.monotonic()
            answer = ask(router.url, "POST", WRITE, BODY)
            assert time.monotonic() - began < AT_ONCE_S
            assert refusal(answer)[:2] == (429, "overloaded")
            assert int(answer.get("retry-after") or 0) >= 1
        assert len(origin.requests) == 2, "what is refused does not reach the origin"
        with pytest.raises(FailedCall) as failed:
            call(router, "ListNamespaces", {})
        assert failed.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert failed.value.reason == "OVERLOADED"
        assert failed.value.retry_delay_s >= 1
        # Whoever watches the router must see it even now.
        assert router.ready() == "ready"
        assert ask(router.url, "GET", "/ready").status == 200
        with grpc.insecure_channel(router.address) as channel:
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert health.status == health_pb2.HealthCheckResponse.SERVING
        assert value(router.metrics(), "layer_requests_total", code="429", served_by="layer") == 21
    origin.script = ok
    until(lambda: ask(router.url, "POST", WRITE, BODY).status == 200, "there is room again")
    until(lambda: value(router.metrics(), "layer_tpuf_inflight") == 0, "nothing is under way")


def test_a_place_is_held_until_the_answer_has_gone_out(origin: FakeOrigin, start) -> None:
    router = start({"limits.requests_max": 1})

    def script(exchange) -> None:
        exchange.read_body()
        exchange.send_head("200 OK", [("content-length", "2")])
        exchange.stall()
        exchange.send(b"{}")

    origin.script = script
    with Connection(router.url) as connection:
        connection.send_request("POST", f"{WRITE}/query", b'{"limit":1}')
        assert connection.answer_head().status == 200
        assert refusal(ask(router.url, "POST", WRITE, BODY))[0] == 429
        origin.script = ok
        origin.released.set()
        assert b"".join(connection.stream.pieces(2)) == b"{}"
    until(lambda: ask(router.url, "POST", WRITE, BODY).status == 200, "there is room again")


def test_without_a_connection_to_the_origin_503_comes_in_time(origin: FakeOrigin, start) -> None:
    queue_ms = 400
    settings = {"origin.connections_max": 1, "listen.workers": 1, "origin.queue_timeout_ms": queue_ms}
    router = start(settings)
    with held(router, origin, 1):
        began = time.monotonic()
        answer = ask(router.url, "POST", WRITE, BODY)
        took = time.monotonic() - began
        assert refusal(answer)[:2] == (503, "service_unavailable")
        assert int(answer.get("retry-after") or 0) >= 1
        assert queue_ms / 1000 * 0.9 <= took < queue_ms / 1000 + AT_ONCE_S
        assert len(origin.requests) == 1
    origin.script = ok
    until(lambda: ask(router.url, "POST", WRITE, BODY).status == 200, "the connection is free again")


def test_a_connection_that_becomes_free_in_time_is_taken(origin: FakeOrigin, start) -> None:
    router = start({"origin.connections_max": 1, "listen.workers": 1, "origin.queue_timeout_ms": 10_000})
    with held(router, origin, 1):
        waiting: list[int] = []
        thread = threading.Thread(target=lambda: waiting.append(ask(router.url, "POST", WRITE, BODY).status))
        thread.start()
        origin.script = ok
        origin.released.set()
        thread.join(5)
        assert waiting == [200]


def test_more_connections_than_allowed_are_closed(origin: FakeOrigin, start) -> None:
    router = start({"listen.connections_max": 2})
    with Connection(router.url) as first, Connection(router.url) as second:
        for connection in (first, second):
            assert connection.request("POST", WRITE, BODY).status == 200
        with Connection(router.url) as third:
            assert third.is_closed()
        assert first.request("POST", WRITE, BODY).status == 200

    def served() -> bool:
        try:
            return ask(router.url, "POST", WRITE, BODY).status == 200
        except Exception:
            return False

    until(served, "there is room again")


REFUSED = {
    "no key": (401, WRITE, [], False, b""),
    "no route": (404, "/nowhere", [], True, b""),
    "an encoding": (415, WRITE, [("content-encoding", "br")], True, b""),
    "a time": (422, WRITE, [("x-request-timeout-ms", "x")], True, b""),
    "no write": (422, WRITE, [], True, b"{]"),
}


@pytest.mark.parametrize("why", REFUSED)
@pytest.mark.parametrize("size", [100, 1 << 20])
def test_a_refusal_keeps_the_connection_or_says_that_it_closes_it(
    router: Program, origin: FakeOrigin, why: str, size: int
) -> None:
    """Clients send head and body apart: the refusal may be there before the body, which must not cost the next one."""
    status, target, headers, key, begin = REFUSED[why]
    with Connection(router.url) as connection:
        for _ in range(5):
            connection.send_head("POST", target, [*headers, ("content-length", str(size))], key)
            connection.send(begin)
            # Who has not been answered goes on sending.
            connection.stream.socket.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                connection.stream.at_end()
            connection.stream.socket.settimeout(PATIENCE_S)
            with contextlib.suppress(OSError):
                connection.send(b" " * (size - len(begin)))
            answer = connection.answer("POST")
            assert refusal(answer)[0] == status
            if answer.get("connection") == "close":
                assert connection.is_closed()
                break
    assert not origin.requests


def test_a_storm_leaves_the_router_as_it_was(origin: FakeOrigin, start) -> None:
    router = start({"limits.requests_max": 4, "origin.connections_max": 4})
    statuses: list[int] = []

    def storm() -> None:
        connection = Connection(router.url)
        for _ in range(50):
            answer = connection.request("POST", WRITE, BODY)
            statuses.append(answer.status)
            if answer.status == 429:
                assert json.loads(answer.body)["error"] == "overloaded"
            if answer.get("connection") == "close":
                connection.close()
                connection = Connection(router.url)
        connection.close()

    threads = [threading.Thread(target=storm) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(statuses) == 16 * 50
    assert set(statuses) <= {200, 429}
    assert statuses.count(200) == len(origin.requests)
    assert origin.connections <= 1000
    until(lambda: value(router.metrics(), "layer_tpuf_inflight") == 0, "nothing is under way")
