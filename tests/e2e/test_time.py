"""Every wait ends: slow callers, slow origins, and connections that do nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from harness.client import Connection, ask, refusal
from harness.origin import Exchange, FakeOrigin, ok, stalled
from harness.programs import Program
from harness.waiting import let_pass, until
from harness.wire import BrokenOff, chunk

HEAD_MS, BODY_STALL_MS, REQUEST_MS, IDLE_MS, ORIGIN_STALL_MS = 600, 700, 1800, 1200, 800
ROUTER_SETTINGS = {
    "limits.head_timeout_ms": HEAD_MS,
    "limits.body_stall_timeout_ms": BODY_STALL_MS,
    "limits.request_timeout_ms": REQUEST_MS,
    "limits.idle_timeout_ms": IDLE_MS,
    "origin.body_stall_timeout_ms": ORIGIN_STALL_MS,
    "write.read_ahead_bytes": 64 << 10,
}
CLOSE_GRACE_MS = 1000
"""For so long a caller that was told to go may take its leave."""
SLACK_S = 1.5
"""What a busy machine may add; less than REQUEST_MS, so that waiting twice is noticed."""

WRITE = "/v2/namespaces/ns"
QUERY = "/v2/namespaces/ns/query"
METADATA = "/v2/namespaces/ns/metadata"
BODY = b'{"upsert_rows":[{"id":1}]}'


class Clock:
    """Measures, and holds a time to its bounds."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def took(self, at_least_ms: float, at_most_ms: float | None = None) -> None:
        seconds = time.monotonic() - self._start
        assert seconds >= at_least_ms / 1000 * 0.95, f"after {seconds:.2f} s already"
        assert seconds <= (at_most_ms or at_least_ms) / 1000 + SLACK_S, f"only after {seconds:.2f} s"


def test_a_trickled_head_is_cut_while_others_are_served(router: Program, origin: FakeOrigin) -> None:
    text = b"GET /v1/namespaces HTTP/1.1\r\nhost: a\r\n" + b"x-slow: 1\r\n" * 1000
    stop = threading.Event()
    slow = [Connection(router.url) for _ in range(20)]

    def trickle() -> None:
        for byte in text:
            for connection in slow:
                try:
                    connection.send(bytes([byte]))
                except OSError:
                    continue
            if stop.wait(0.02):
                return

    clock = Clock()
    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with Connection(router.url) as fast:
            until(lambda: fast.request("POST", WRITE, BODY).status == 200, "others are served", 1)
            for connection in slow:
                assert connection.is_closed()
            clock.took(HEAD_MS)
        assert ask(router.url, "POST", WRITE, BODY).status == 200
    finally:
        stop.set()
        thread.join()
        for connection in slow:
            connection.close()
    assert all(request.method == "POST" for request in origin.requests)


def test_a_slow_second_head_on_a_connection_is_cut_too(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        assert connection.request("POST", WRITE, BODY).status == 200
        clock = Clock()
        connection.send(b"POST ")
        assert connection.is_closed()
        clock.took(HEAD_MS)


def test_http2_without_a_request_is_idle_and_no_slow_head(router: Program) -> None:
    settings = b"\0\0\0\x04\0\0\0\0\0"
    with Connection(router.url) as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        clock = Clock()
        received = b""
        while not connection.stream.at_end():
            received += b"".join(connection.stream.pieces(1))
        clock.took(IDLE_MS, IDLE_MS + CLOSE_GRACE_MS)
    goaway = b"\x07\0"
    assert goaway in received, "an idle connection is told to go before it is closed"


def test_a_connection_that_says_nothing_is_closed(router: Program) -> None:
    clock = Clock()
    with Connection(router.url) as connection:
        assert connection.is_closed()
        clock.took(IDLE_MS)


def test_an_idle_connection_is_closed_and_one_in_use_is_not(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as idle, Connection(router.url) as used:
        idle.request("POST", WRITE, BODY)
        clock = Clock()
        end = time.monotonic() + 2 * IDLE_MS / 1000
        while time.monotonic() < end:
            assert used.request("POST", WRITE, BODY).status == 200
            let_pass(IDLE_MS / 1000 / 10)
        assert idle.is_closed()
        clock.took(IDLE_MS, 2 * IDLE_MS)


@pytest.mark.parametrize("method", ["POST", "DELETE"], ids=["read by Layer", "relayed"])
def test_a_body_that_stands_still_gets_408(router: Program, origin: FakeOrigin, method: str) -> None:
    with Connection(router.url) as connection:
        connection.send_head(method, WRITE, [("content-length", "1000")])
        clock = Clock()
        connection.send(BODY[:10])
        status, code, message = refusal(connection.answer(method))
        clock.took(BODY_STALL_MS)
        assert (status, code) == (408, "request_timeout")
        assert "limits.body_stall_timeout_ms" in message
        assert connection.is_closed()
    assert not any(request.complete for request in origin.requests)


def test_a_large_write_that_stands_still_gets_408_and_is_broken_off(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        connection.send_head("POST", WRITE, [("transfer-encoding", "chunked")])
        connection.send(chunk(b'{"upsert_rows":[' + b'{"id":1},' * 20_000))
        until(lambda: origin.requests, "the write has begun at the origin")
        assert refusal(connection.answer("POST"))[:2] == (408, "request_timeout")
    until(lambda: origin.last().sha256, "the origin's request ends")
    assert not origin.last().complete


def test_a_body_that_comes_slowly_but_steadily_is_served(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        connection.send_head("POST", WRITE, [("content-length", str(len(BODY)))])
        clock = Clock()
        for byte in BODY:
            connection.send(bytes([byte]))
            let_pass(1.3 * BODY_STALL_MS / 1000 / len(BODY))
        assert connection.answer("POST").status == 200
        clock.took(BODY_STALL_MS)


@pytest.mark.parametrize("target", [WRITE, QUERY])
def test_an_origin_that_stalls_gets_504_within_the_callers_time(
    router: Program, origin: FakeOrigin, target: str
) -> None:
    origin.script = stalled
    clock = Clock()
    answer = ask(router.url, "POST", target, BODY, [("x-request-timeout-ms", "400")])
    clock.took(400)
    status, code, message = refusal(answer)
    assert (status, code) == (504, "gateway_timeout")
    assert "may still have been applied" in message


@pytest.mark.parametrize(("method", "target"), [("POST", WRITE), ("GET", METADATA), ("GET", "/v1/namespaces")])
def test_an_origin_that_stalls_gets_504_within_the_routers_time(
    router: Program, origin: FakeOrigin, method: str, target: str
) -> None:
    origin.script = stalled
    clock = Clock()
    answer = ask(router.url, method, target, BODY if method == "POST" else None)
    clock.took(REQUEST_MS)
    assert refusal(answer)[:2] == (504, "gateway_timeout")


def test_the_origins_connection_is_given_up_with_the_caller(router: Program, origin: FakeOrigin) -> None:
    gone = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        if exchange.wait_gone(within_s=10):
            gone.set()
        exchange.close()

    origin.script = script
    with Connection(router.url) as connection:
        connection.send_request("POST", QUERY, b'{"limit":1}')
        origin.last()
    assert gone.wait(10), "the origin goes on working for a caller that has gone"


def test_the_time_that_is_left_is_passed_on(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        headers = [("x-request-timeout-ms", "5000"), ("content-length", str(len(BODY)))]
        connection.send_head("POST", WRITE, headers)
        connection.send(BODY[:-1])
        let_pass(0.3)
        connection.send(BODY[-1:])
        assert connection.answer("POST").status == 200
    left = origin.last().all("x-request-timeout-ms")
    assert len(left) == 1
    # The kernel tells when bytes came to some milliseconds.
    assert 2000 <= int(left[0]) <= 4710


def test_no_time_is_made_up_for_a_caller_that_names_none(router: Program, origin: FakeOrigin) -> None:
    ask(router.url, "POST", WRITE, BODY)
    assert origin.last().get("x-request-timeout-ms") is None


def test_the_callers_time_also_bounds_the_wait_for_its_own_body(router: Program, origin: FakeOrigin) -> None:
    with Connection(router.url) as connection:
        clock = Clock()
        connection.send_head("POST", WRITE, [("x-request-timeout-ms", "200"), ("content-length", "1000")])
        end = time.monotonic() + 3
        connection.stream.socket.settimeout(0.01)
        answered = False
        while not answered and time.monotonic() < end:
            connection.send(b" ")
            try:
                answered = bool(connection.stream.socket.recv(1, socket.MSG_PEEK))
            except TimeoutError:
                let_pass(0.1)
        clock.took(200)
        connection.stream.socket.settimeout(5)
        assert connection.answer("POST").status in (408, 504)
    assert not origin.requests


def test_an_origin_that_does_not_take_the_body_is_given_up(router: Program, origin: FakeOrigin) -> None:
    """Nothing moves: the origin reads nothing, so the router reads nothing, and the caller cannot send."""

    def script(exchange: Exchange) -> None:
        exchange.stall()
        exchange.close()

    origin.script = script
    sender: list[Connection] = []

    def send() -> None:
        try:
            sender[0].send(b"x" * (64 << 20))
        except OSError:
            return

    with Connection(router.url) as connection:
        sender.append(connection)
        connection.send_head("DELETE", WRITE, [("content-length", str(64 << 20))])
        clock = Clock()
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        connection.stream.socket.settimeout(REQUEST_MS / 1000 + BODY_STALL_MS / 1000 + SLACK_S)
        answer = connection.answer()
        clock.took(min(REQUEST_MS, BODY_STALL_MS), REQUEST_MS + BODY_STALL_MS)
        assert refusal(answer)[0] in (408, 504)
        origin.released.set()
    thread.join(5)


def stall_mid_body(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.send_head("200 OK", [("content-length", "1000"), ("content-type", "application/json")])
    exchange.send(b'{"rows":[')
    exchange.stall()
    exchange.close()


def stall_mid_chunks(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.send_head("200 OK", [("transfer-encoding", "chunked")])
    exchange.send(chunk(b'{"rows":['))
    exchange.stall()
    exchange.close()


def close_mid_body(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.send_head("200 OK", [("content-length", "1000"), ("content-type", "application/json")])
    exchange.send(b'{"rows":[')
    exchange.close()


def close_mid_chunks(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.send_head("200 OK", [("transfer-encoding", "chunked")])
    exchange.send(chunk(b'{"rows":['))
    exchange.close()


def reset_mid_body(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.send_head("200 OK", [("content-length", "1000")])
    exchange.send(b'{"rows":[')
    exchange.reset()


@pytest.mark.parametrize("script", [stall_mid_body, stall_mid_chunks], ids=["length", "chunked"])
def test_an_answer_that_stalls_is_cut_not_ended(router: Program, origin: FakeOrigin, script) -> None:
    origin.script = script
    with Connection(router.url) as connection:
        clock = Clock()
        answer = connection.request("POST", QUERY, b'{"limit":1}')
        clock.took(ORIGIN_STALL_MS)
        assert answer.status == 200
        assert not answer.complete
        assert answer.body in (b"", b'{"rows":[')
        assert connection.is_closed()


@pytest.mark.parametrize(
    "script", [close_mid_body, close_mid_chunks, reset_mid_body], ids=["length", "chunked", "reset"]
)
def test_an_answer_that_breaks_off_is_cut_not_ended(router: Program, origin: FakeOrigin, script) -> None:
    origin.script = script
    for target in (QUERY, WRITE):
        with Connection(router.url) as connection:
            # Where it breaks off at once, not even the head may have gone out.
            with contextlib.suppress(BrokenOff):
                answer = connection.request("POST", target, BODY if target == WRITE else b'{"limit":1}')
                assert not answer.complete, answer
            assert connection.is_closed()


@pytest.mark.parametrize("target", [METADATA, "/v1/namespaces/ns/schema"])
@pytest.mark.parametrize("script", [close_mid_body, close_mid_chunks], ids=["length", "chunked"])
def test_where_layer_reads_the_answer_a_broken_one_is_502(
    router: Program, origin: FakeOrigin, target: str, script
) -> None:
    origin.script = script
    assert refusal(ask(router.url, "GET", target))[:2] == (502, "upstream_error")


@pytest.mark.parametrize("target", [METADATA, "/v1/namespaces/ns/schema"])
@pytest.mark.parametrize("headers", [[], [("x-request-timeout-ms", "300")]], ids=["no time", "caller's time"])
def test_where_layer_reads_the_answer_a_stalled_one_ends_too(
    router: Program, origin: FakeOrigin, target: str, headers: list[tuple[str, str]]
) -> None:
    origin.script = stall_mid_body
    with Connection(router.url, patience_s=ORIGIN_STALL_MS / 1000 + REQUEST_MS / 1000 + SLACK_S) as connection:
        clock = Clock()
        answer = connection.request("GET", target, headers=headers)
        clock.took(300 if headers else ORIGIN_STALL_MS, ORIGIN_STALL_MS + REQUEST_MS)
        assert refusal(answer)[0] in (502, 504)


def test_an_origin_that_closes_at_once_gets_502_and_nothing_is_sent_twice(router: Program, origin: FakeOrigin) -> None:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.close()

    origin.script = script
    status, code, _ = refusal(ask(router.url, "POST", WRITE, BODY))
    assert (status, code) == (502, "upstream_error")
    assert len(origin.requests) == 1


def test_rubbish_from_the_origin_is_502(router: Program, origin: FakeOrigin) -> None:
    for rubbish in (b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n"):

        def script(exchange: Exchange, rubbish: bytes = rubbish) -> None:
            exchange.read_body()
            exchange.send(rubbish)
            exchange.close()

        origin.script = script
        assert refusal(ask(router.url, "POST", WRITE, BODY))[:2] == (502, "upstream_error"), rubbish


def test_a_caller_that_does_not_read_its_answer_is_given_up(origin: FakeOrigin, start) -> None:
    """It would hold its place among the requests, and a connection to the origin, for ever."""
    router = start(ROUTER_SETTINGS | {"limits.requests_max": 1})

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", b"x" * (64 << 20))

    origin.script = script
    with Connection(router.url) as connection:
        connection.send_request("POST", QUERY, b'{"limit":1}')
        assert connection.answer_head().status == 200
        origin.script = ok
        assert ask(router.url, "POST", WRITE, BODY).status == 429, "the only place is taken"
        free = (REQUEST_MS + ORIGIN_STALL_MS + BODY_STALL_MS) / 1000 + SLACK_S
        until(lambda: ask(router.url, "POST", WRITE, BODY).status == 200, "its place is free again", free)
