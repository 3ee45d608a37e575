"""An origin that is away costs an answer that says so, quickly, and nothing once it is back."""

from __future__ import annotations

import time

import pytest

from harness.client import Connection, ask, refusal
from harness.origin import FakeOrigin, ok, stalled
from harness.programs import Program, start_router, start_stand_in
from harness.waiting import until

WRITE = "/v2/namespaces/ns"
BODY = b'{"upsert_rows":[{"id":1}]}'
QUICK_S = 1.5


@pytest.fixture
def own_origin():
    origin = FakeOrigin()
    yield origin
    origin.stop()


def test_a_refused_connection_is_502_quickly(own_origin: FakeOrigin, start) -> None:
    router = start(url=own_origin.url)
    own_origin.cut()
    for method, target, body in [
        ("POST", WRITE, BODY),
        ("GET", "/v1/namespaces", None),
        ("GET", f"{WRITE}/metadata", None),
    ]:
        began = time.monotonic()
        status, code, message = refusal(ask(router.url, method, target, body))
        assert time.monotonic() - began < QUICK_S
        assert (status, code) == (502, "upstream_error")
        assert "origin" in message
    own_origin.restart()
    assert ask(router.url, "POST", WRITE, BODY).status == 200


def test_the_router_starts_without_its_origin_and_serves_when_it_comes(own_origin: FakeOrigin, start) -> None:
    own_origin.cut()
    router = start(url=own_origin.url)
    assert refusal(ask(router.url, "POST", WRITE, BODY))[0] == 502
    own_origin.restart()
    assert ask(router.url, "POST", WRITE, BODY).status == 200


@pytest.mark.parametrize("idle", [1, 8])
def test_pooled_connections_to_a_restarted_origin_are_no_error(own_origin: FakeOrigin, start, idle: int) -> None:
    router = start({"listen.workers": 1}, url=own_origin.url)
    for _ in range(3):
        own_origin.requests.clear()
        own_origin.script = stalled
        callers = [Connection(router.url) for _ in range(idle)]
        for caller in callers:
            caller.send_request("POST", WRITE, BODY)
        until(lambda: len(own_origin.requests) == idle, "every caller has a connection to the origin")
        own_origin.released.set()
        for caller in callers:
            caller.close()
        own_origin.reset()
        with Connection(router.url) as caller:
            assert caller.request("POST", WRITE, BODY).status == 200
            own_origin.cut()
            own_origin.restart()
            for _ in range(idle + 1):
                assert caller.request("POST", WRITE, BODY).status == 200
        assert own_origin.script is ok


def test_connections_that_the_origin_closed_one_by_one_are_no_error(origin: FakeOrigin, start) -> None:
    """The origin closes each connection right after its answer, without having said so."""
    router = start({"listen.workers": 1})

    def script(exchange) -> None:
        ok(exchange)
        exchange.close()

    origin.script = script
    with Connection(router.url) as caller:
        for _ in range(100):
            # A request that meets the close on its way is another matter: whether it was done is not known then.
            until(lambda: origin.open_connections() == 0, "the origin has closed it")
            assert caller.request("POST", WRITE, BODY).status == 200
    assert len(origin.requests) == 100


def test_a_real_origin_may_be_killed_and_started_again(tmp_path) -> None:
    stand_in = start_stand_in(tmp_path)
    router: Program = start_router(stand_in.url)
    try:
        assert ask(router.url, "POST", WRITE, BODY).status == 200
        stand_in.process.kill()
        assert refusal(ask(router.url, "POST", WRITE, BODY))[0] == 502
        stand_in = start_stand_in(tmp_path, stand_in.port)
        answer = ask(router.url, "POST", f"{WRITE}/query", b'{"rank_by":["id","asc"],"limit":5}')
        assert answer.status == 200
        assert b'"id":1' in answer.body
    finally:
        router.process.kill()
        stand_in.process.kill()


def test_an_origin_spoken_to_in_http2_may_be_restarted_too(tmp_path) -> None:
    stand_in = start_stand_in(tmp_path)
    router = start_router(stand_in.url, {"origin.protocol": "http2"})
    try:
        for _ in range(2):
            assert ask(router.url, "POST", WRITE, BODY).status == 200
            stand_in.process.kill()
            assert refusal(ask(router.url, "POST", WRITE, BODY))[0] == 502
            stand_in = start_stand_in(tmp_path, stand_in.port)
        assert ask(router.url, "POST", WRITE, BODY).status == 200
    finally:
        router.process.kill()
        stand_in.process.kill()


def test_an_origin_that_is_layer_itself_is_refused(origin: FakeOrigin, start) -> None:
    first = start()
    second = start(url=first.url, ready=False)
    assert second.process.wait() != 0
    assert "origin.url" in second.process.log
    assert "Layer itself" in second.process.log


def test_a_loop_is_refused_where_the_origin_became_layer_later(own_origin: FakeOrigin, start) -> None:
    own_origin.cut()
    outer = start(url=own_origin.url)
    inner = start_router("http://127.0.0.1:1", {"listen.address": f"127.0.0.1:{own_origin.port}"}, ready=False)
    try:
        until(lambda: inner.ready() == "ready", "the inner router is ready")
        status, code, message = refusal(ask(outer.url, "POST", WRITE, BODY))
        assert (status, code) == (502, "upstream_error")
        assert "Layer itself" in message
    finally:
        inner.process.kill()
