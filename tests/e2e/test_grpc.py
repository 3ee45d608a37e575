"""gRPC on the same port: health, reflection, deadlines, and both protocols side by side."""

from __future__ import annotations

import signal
import time

import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import grpc
from harness.client import AUTHORIZED, ask
from harness.grpc import SERVICE, FailedCall, Reflection, call
from harness.origin import FakeOrigin, stalled
from harness.programs import Program
from harness.waiting import until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health(router: Program, service: str = "") -> int:
    with grpc.insecure_channel(router.address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(channel).Check(request, timeout=5).status


def listed(origin: FakeOrigin) -> None:
    origin.script = lambda exchange: exchange.reply_json({"namespaces": [{"id": "a"}]})


def test_health_is_not_serving_before_it_is_ready(origin: FakeOrigin, start) -> None:
    # It asks its origin who it is before it says that it is ready.
    origin.health = stalled
    router = start(ready=False)
    until(lambda: router.ready() == "starting", "the admin port answers")
    assert health(router) == NOT_SERVING
    assert health(router, SERVICE) == NOT_SERVING
    assert ask(router.url, "GET", "/ready").status == 503
    assert ask(router.url, "GET", "/health").status == 200
    router.wait_ready()
    assert health(router) == SERVING
    assert health(router, SERVICE) == SERVING


def test_health_is_not_serving_while_it_gives_notice_and_the_port_stays_open(origin: FakeOrigin, start) -> None:
    listed(origin)
    router = start({"drain.notice_ms": 3000})
    with grpc.insecure_channel(router.address) as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watched).status == SERVING
        router.process.signal(signal.SIGTERM)
        assert next(watched).status == NOT_SERVING
        assert health(router, SERVICE) == NOT_SERVING, "a new connection is taken, and told"
        assert call(router, "ListNamespaces", {}, channel=channel)["namespaces"]
        watched.cancel()
    assert router.process.wait(10) == 0


def test_an_unknown_service_has_no_health(router: Program) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        health(router, "no.such.Service")
    assert failed.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_lists_the_services_and_describes_them(router: Program) -> None:
    with grpc.insecure_channel(router.address) as channel:
        services = set(Reflection(channel).get_services())
        assert {SERVICE, "grpc.health.v1.Health"} <= services
        file = Reflection(channel).FindFileContainingSymbol(SERVICE)
        methods = {method.name for service in file.service for method in service.method}
    assert {"Query", "MultiQuery", "Write", "ListNamespaces", "GetMetadata", "WarmHint", "Explain", "Recall"} <= methods


def test_all_protocols_share_the_port(router: Program, origin: FakeOrigin) -> None:
    listed(origin)
    assert call(router, "ListNamespaces", {}) == {"namespaces": [{"id": "a"}]}
    for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
        with httpx.Client(http1=not http2, http2=http2) as client:
            answer = client.get(f"{router.url}/v1/namespaces", headers=[AUTHORIZED])
            assert (answer.status_code, answer.http_version) == (200, version)
            assert answer.json() == {"namespaces": [{"id": "a"}]}
            assert answer.headers["x-layer-served-by"] == "origin"
    assert len({request.target.split("?")[0] for request in origin.requests}) == 1


def test_http2_bodies_are_relayed_and_stamped(router: Program, origin: FakeOrigin) -> None:
    with httpx.Client(http1=False, http2=True) as client:
        large = b'{"upsert_rows":[{"id":1,"t":"' + b"x" * (4 << 20) + b'"}]}'
        answer = client.post(f"{router.url}/v2/namespaces/ns", content=large, headers=[AUTHORIZED])
        assert answer.status_code == 200
        assert origin.last().length > len(large)
        assert origin.last().get("connection") is None
        body = bytes(range(256)) * 5000
        origin.script = lambda exchange: (exchange.read_body(), exchange.reply("200 OK", exchange.request.body))
        echoed = client.request("DELETE", f"{router.url}/v2/namespaces/ns", content=body, headers=[AUTHORIZED])
        assert echoed.content == body
        refused = client.post(f"{router.url}/v2/namespaces/ns", content=b"[]", headers=[AUTHORIZED])
        assert (refused.status_code, refused.json()["error"]) == (422, "validation_error")


def test_many_streams_on_one_connection(router: Program, origin: FakeOrigin) -> None:
    listed(origin)
    with grpc.insecure_channel(router.address) as channel:
        for _ in range(200):
            call(router, "ListNamespaces", {}, channel=channel)
    assert len(origin.requests) == 200


def test_the_callers_deadline_goes_on_and_holds(router: Program, origin: FakeOrigin) -> None:
    origin.script = stalled
    began = time.monotonic()
    with pytest.raises(FailedCall) as failed:
        call(router, "ListNamespaces", {}, within_s=0.5)
    assert failed.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 2
    assert 0 < int(origin.last().get("x-request-timeout-ms") or 0) <= 500


def test_errors_have_reasons(router: Program, origin: FakeOrigin) -> None:
    def reason(metadata: list[tuple[str, str]] | None = None, **request) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(FailedCall) as failed:
            call(router, "GetMetadata", {"namespace": "ns"} | request, metadata or [])
        return failed.value.code, failed.value.reason

    assert reason(namespace="") == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert not origin.requests
    origin.script = lambda exchange: exchange.reply("404 Not Found", b'{"status":"error","error":"no such"}')
    assert reason() == (grpc.StatusCode.NOT_FOUND, "ORIGIN_ERROR")
    origin.script = lambda exchange: exchange.close()
    assert reason() == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_ERROR")
    origin.script = lambda exchange: exchange.reply("200 OK", b"nonsense")
    assert reason() == (grpc.StatusCode.INTERNAL, "UNREADABLE_ANSWER")
