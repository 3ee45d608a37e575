"""Layer's own calls and the breaker, against a gRPC server that answers as it is told."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from halves import Loop, Threads

from fakes import LAYER_KEY, TURBOPUFFER_KEY
from fakes.grpc import refuse
from hevlayer import AsyncHevlayer, Event, Hevlayer, LayerError, LayerUnavailable, Settings
from hevlayer._proto.layer.router.v1 import fetch_pb2

Half = Threads | Loop


class Server(grpc.GenericRpcHandler):
    """Fails while it is told to, as a connection that breaks does: without details of Layer's."""

    def __init__(self) -> None:
        self.fails = False
        self.reason = ""
        self.keys: set[Any] = set()
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.add_generic_rpc_handlers((self,))
        self.server.start()

    def service(self, details: Any) -> Any:
        def answer(request: Any, context: Any) -> Any:
            self.keys.add(dict(context.invocation_metadata())["authorization"])
            if self.fails:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            if self.reason:
                refuse(context, grpc.StatusCode.UNAVAILABLE, self.reason)
            return fetch_pb2.FetchResponse()

        serialize = fetch_pb2.FetchResponse.SerializeToString
        return grpc.unary_unary_rpc_method_handler(answer, fetch_pb2.FetchRequest.FromString, serialize)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.stop(0).wait()


def client_of(half: Half, server: Server, events: list[Event]) -> Any:
    kind = Hevlayer if isinstance(half, Threads) else AsyncHevlayer
    return kind(
        base_url=f"http://127.0.0.1:{server.port}",
        api_key=LAYER_KEY,
        turbopuffer_api_key=TURBOPUFFER_KEY,
        turbopuffer_base_url="http://127.0.0.1:9",
        settings=Settings(probe_initial_s=60, connect_timeout_s=10),
        on_event=events.append,
    )


def fails(half: Half, client: Any) -> None:
    with pytest.raises(LayerUnavailable):
        half.run(client.fetch_document("n", 1))


def test_connecting_takes_as_long_as_over_http(half: Half) -> None:
    kind = Hevlayer if isinstance(half, Threads) else AsyncHevlayer
    events: list[Event] = []
    # Its connections are accepted, and nobody says a word.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = kind(
            base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}",
            api_key=LAYER_KEY,
            turbopuffer_api_key=TURBOPUFFER_KEY,
            turbopuffer_base_url="http://127.0.0.1:9",
            settings=Settings(connect_timeout_s=1.5, probe_initial_s=60),
            on_event=events.append,
        )
        begun = time.monotonic()
        fails(half, client)
        # gRPC's own limit is 20 s.
        assert 1.4 <= time.monotonic() - begun < 15
        assert [event.reason for event in events] == ["not_sent", "not_sent"]
        half.close(client)


def test_failures_that_are_not_in_a_row_do_not_open_the_breaker(half: Half, server: Server) -> None:
    client = client_of(half, server, [])
    for _ in range(3):
        server.fails = True
        fails(half, client)
        fails(half, client)
        server.fails = False
        half.run(client.fetch_document("n", 1))
    assert not client.fall_through.breaker.is_open
    server.fails = True
    for _ in range(3):
        fails(half, client)
    assert client.fall_through.breaker.is_open
    assert server.keys == {f"Bearer {LAYER_KEY}"}
    half.close(client)


def test_calls_that_failed_are_told_of(half: Half, server: Server) -> None:
    events: list[Event] = []
    client = client_of(half, server, events)
    server.fails = True
    for _ in range(4):
        fails(half, client)
    told = [(event.kind, event.operation, event.reason) for event in events if event.kind != "opened"]
    assert told == [("unavailable", "Fetch", "broken")] * 3 + [("unavailable", "Fetch", "open")]
    half.close(client)


@pytest.mark.parametrize(("reason", "opens"), [("GATEWAY_DRAINING", True), ("SERVICE_UNAVAILABLE", False)])
def test_a_router_that_drains_counts(half: Half, server: Server, reason: str, opens: bool) -> None:
    client = client_of(half, server, [])
    server.reason = reason
    for _ in range(3):
        assert not client.fall_through.breaker.is_open
        # It is an answer all the same.
        with pytest.raises(LayerError) as raised:
            half.run(client.fetch_document("n", 1))
        assert raised.value.reason == reason
    assert client.fall_through.breaker.is_open == opens
    half.close(client)
