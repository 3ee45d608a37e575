"""A router that is told to stop finishes what it has, loses nothing, and ends in time."""

from __future__ import annotations

import json
import signal
import threading
import time
from dataclasses import dataclass, field

import pytest

from harness.client import Connection, ask, refusal
from harness.grpc import call
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program, get
from harness.waiting import until

QUERY = "/v2/namespaces/ns/query"
BODY = b'{"limit":1}'
CLIENTS = 8


def listens(router: Program) -> bool:
    try:
        Connection(router.url).close()
    except OSError:
        return False
    return True


@dataclass
class Hammer:
    """A client as a good one is: it keeps its connection, goes when it is told to, and then goes elsewhere."""

    routers: list[Program]
    stop: threading.Event
    at: int = 0
    answers: list[int] = field(default_factory=lambda: [0, 0])
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                connection = Connection(self.routers[self.at].url)
            except OSError:
                self.at = 1 - self.at
                continue
            with connection:
                self._use(connection)
            self.at = 1 - self.at

    def _use(self, connection: Connection) -> None:
        while not self.stop.is_set():
            try:
                answer = connection.request("POST", QUERY, BODY)
            except Exception as error:
                self.failures.append(repr(error))
                return
            if answer.status != 200 or not answer.complete:
                self.failures.append(f"{answer.status} {answer.body!r}")
            self.answers[self.at] += 1
            if answer.get("connection") == "close":
                return


@pytest.mark.parametrize("notice_ms", [0, 300])
def test_no_request_fails_when_one_of_two_routers_stops(origin: FakeOrigin, start, notice_ms: int) -> None:
    routers = [start({"drain.notice_ms": notice_ms, "drain.linger_ms": 2000}) for _ in range(2)]
    stop = threading.Event()
    clients = [Hammer(routers, stop, at=number % 2) for number in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    until(lambda: all(sum(client.answers) > 50 for client in clients), "everyone is at work")
    began = time.monotonic()
    assert routers[0].stop() == 0
    assert time.monotonic() - began < 5
    moved = [client.answers[1] for client in clients]
    until(lambda: all(c.answers[1] > m + 50 for c, m in zip(clients, moved, strict=True)), "work goes on")
    stop.set()
    for thread in threads:
        thread.join(10)
    assert [failure for client in clients for failure in client.failures] == []
    assert sum(client.answers[0] for client in clients) > 100


def hold(release: threading.Event):
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        release.wait(30)
        exchange.reply_json({"namespaces": [{"id": "late"}]})

    return script


@pytest.mark.parametrize("kind", ["http1", "grpc", "begun"])
def test_a_slow_request_in_flight_is_finished(origin: FakeOrigin, start, kind: str) -> None:
    router = start({"drain.timeout_ms": 30_000})
    release, answers = threading.Event(), []

    def begun(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send_head("200 OK", [("content-length", "32"), ("content-type", "application/json")])
        exchange.send(b'{"namespaces": [')
        release.wait(30)
        exchange.send(b'{"id": "late"}]}')

    origin.script = begun if kind == "begun" else hold(release)

    def caller() -> None:
        if kind == "grpc":
            # Python's other HTTP/2 client takes a GOAWAY for the end of requests in flight too.
            answers.append((200, call(router, "ListNamespaces", {})))
        else:
            answer = ask(router.url, "POST", QUERY, BODY)
            answers.append((answer.status, json.loads(answer.body)))

    thread = threading.Thread(target=caller)
    with Connection(router.url) as idle:
        assert idle.request("GET", "/health").status == 200
        thread.start()
        origin.last()
        router.process.signal(signal.SIGTERM)
        until(lambda: not listens(router), "the port is closed")
        # The linger is over when idle connections are closed: from then on only what is in flight keeps the process.
        assert idle.is_closed()
    assert router.process.exit_code is None
    assert get(f"{router.admin_url}/ready")[0] == 503
    release.set()
    thread.join(10)
    assert answers == [(200, {"namespaces": [{"id": "late"}]})]
    assert router.process.wait(5) == 0


def test_while_it_gives_notice_it_says_so_and_serves(origin: FakeOrigin, start) -> None:
    router = start({"drain.notice_ms": 3000})
    with Connection(router.url) as connection:
        assert connection.request("POST", QUERY, BODY).get("connection") is None
        router.process.signal(signal.SIGTERM)
        until(lambda: router.ready() == "draining", "it says that it drains")
        status, page = get(f"{router.admin_url}/ready")
        assert (status, json.loads(page)["status"]) == (503, "draining")
        assert get(f"{router.admin_url}/health")[0] == 200
        assert ask(router.url, "GET", "/ready").status == 503
        answer = connection.request("POST", QUERY, BODY)
        assert (answer.status, answer.get("connection")) == (200, "close")
        assert connection.is_closed()
    assert ask(router.url, "POST", QUERY, BODY).status == 200, "new connections are served still"
    assert router.process.wait(10) == 0


def test_a_last_request_on_an_idle_connection_is_served(origin: FakeOrigin, start) -> None:
    router = start({"drain.linger_ms": 3000})
    with Connection(router.url) as used, Connection(router.url) as fresh, Connection(router.url) as idle:
        used.request("POST", QUERY, BODY)
        idle.request("POST", QUERY, BODY)
        router.process.signal(signal.SIGTERM)
        until(lambda: not listens(router), "the port is closed")
        for connection in (used, fresh):
            answer = connection.request("POST", QUERY, BODY)
            assert (answer.status, answer.get("connection")) == (200, "close")
        assert idle.is_closed()
    assert router.process.wait(10) == 0


def test_idle_connections_do_not_hold_it_up(origin: FakeOrigin, start) -> None:
    router = start({"drain.linger_ms": 100, "drain.timeout_ms": 60_000})
    with Connection(router.url) as first, Connection(router.url) as second:
        first.request("POST", QUERY, BODY)
        began = time.monotonic()
        assert router.stop() == 0
        assert time.monotonic() - began < 3
        assert second.is_closed()


def test_a_request_that_does_not_end_is_cut_when_the_time_is_up(origin: FakeOrigin, start) -> None:
    router = start({"drain.timeout_ms": 700})
    origin.script = hold(origin.released)
    with Connection(router.url) as connection:
        connection.send_request("POST", QUERY, BODY)
        origin.last()
        began = time.monotonic()
        assert router.stop() == 0
        assert 0.6 < time.monotonic() - began < 3
        assert connection.is_closed()
    assert "drain timed out" in router.process.log


@pytest.mark.parametrize("stage", ["notice", "drain"])
def test_a_second_signal_cuts(origin: FakeOrigin, start, stage: str) -> None:
    router = start({"drain.notice_ms": 60_000 if stage == "notice" else 0, "drain.timeout_ms": 60_000})
    origin.script = hold(origin.released)
    with Connection(router.url) as connection:
        connection.send_request("POST", QUERY, BODY)
        origin.last()
        router.process.signal(signal.SIGTERM)
        until(lambda: router.process.log.count("told to stop") == 1, "the first signal is taken")
        began = time.monotonic()
        router.process.signal(signal.SIGTERM)
        router.process.wait(5)
        assert time.monotonic() - began < 3
        assert connection.is_closed()


def test_what_comes_after_the_linger_is_told_to_go_elsewhere(origin: FakeOrigin, start) -> None:
    """On HTTP/2 a connection with a request in flight is still open then."""
    router = start({"drain.linger_ms": 50, "drain.timeout_ms": 30_000})
    origin.script = hold(origin.released)
    with Connection(router.url) as slow, Connection(router.url) as pipelined:
        for connection in (slow, pipelined):
            connection.send_request("POST", QUERY, BODY)
        until(lambda: len(origin.requests) == 2, "both are in flight")
        pipelined.send_request("POST", QUERY, BODY)
        router.process.signal(signal.SIGTERM)
        until(lambda: not listens(router), "the port is closed")
        origin.released.set()
        assert slow.answer("POST").status == 200
        first = pipelined.answer("POST")
        assert (first.status, first.get("connection")) == (200, "close")
        if not pipelined.is_closed():
            assert refusal(pipelined.answer("POST"))[:2] == (503, "gateway_draining")
    assert router.process.wait(5) == 0
