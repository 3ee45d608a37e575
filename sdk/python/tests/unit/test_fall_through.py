"""Which calls go past Layer, and when, over sockets."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest
from halves import Loop, Threads
from turbopuffer import APIConnectionError, APIStatusError, InternalServerError, RateLimitError

from fakes import LAYER_KEY, TURBOPUFFER_KEY, Pair, answers, layer_error, layer_script, reset, silent
from hevlayer import (
    FallThroughTransport,
    LayerRefused,
    LayerUnavailable,
    OutcomeUnknown,
    Settings,
    UnmarkedAnswer,
    record_perf,
)

Half = Threads | Loop
RANKING: Any = ["vector", "ANN", [0.1]]
CONDITIONAL: Any = {"upsert_rows": [{"id": 1}], "upsert_condition": ["v", "Lt", 2]}
UPSERT: Any = {"upsert_rows": [{"id": 1}]}

AWAY = {
    "reset": reset,
    "502": answers(502, {"error": "bad gateway"}),
    "503": answers(503, b"<html>no backend</html>"),
    "504": answers(504),
}
DRAINING = layer_error(503, "gateway_draining")
UPSTREAM = layer_error(502, "upstream_error")


def query(half: Half, client: Any) -> Any:
    return half.run(client.namespace("n").query(rank_by=RANKING, top_k=1))


def write(half: Half, client: Any, **body: Any) -> Any:
    return half.run(client.namespace("n").write(**body))


def test_calls_go_through_layer_while_it_is_there(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    with record_perf() as record:
        assert query(half, client).rows[0].id == 1
    assert pair.layer.paths == ["/v2/namespaces/n/query"]
    assert pair.turbopuffer.requests == []
    assert record.last.fallback is None and record.last.latency_ms > 0
    half.close(client)


def test_nobody_listens(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    with record_perf() as record:
        assert query(half, client).rows[0].id == 1
        write(half, client, **CONDITIONAL)
    assert pair.turbopuffer.paths == ["/v2/namespaces/n/query", "/v2/namespaces/n"]
    assert [perf.fallback for perf in record.calls] == ["turbopuffer_direct"] * 2
    assert pair.kinds() == ["opened", "fallback", "fallback"]
    half.close(client)


def test_what_names_the_caller_to_layer_stays_with_layer(half: Half, pair: Pair) -> None:
    names = {"Cookie": "session=1", "Proxy-Authorization": "Basic eDp5", "X-Layer-Internal-Key": "i", "X-Mine": "m"}
    client = half.client(pair, default_headers=names)
    query(half, client)
    pair.layer.stop()
    query(half, client)
    for server, seen in ((pair.layer, names), (pair.turbopuffer, {"X-Mine": "m"})):
        (exchange,) = server.requests
        assert {name: exchange.headers[name.lower()] for name in names if name.lower() in exchange.headers} == seen
    half.close(client)


@pytest.mark.parametrize("how", AWAY)
def test_reads_and_repeatable_writes_go_direct(half: Half, pair: Pair, how: str) -> None:
    client = half.client(pair)
    pair.layer_answers(AWAY[how])
    query(half, client)
    write(half, client, **UPSERT)
    assert len(pair.turbopuffer.requests) == 2
    half.close(client)


@pytest.mark.parametrize("how", AWAY)
def test_a_write_that_must_not_be_repeated_is_not(half: Half, pair: Pair, how: str) -> None:
    client = half.client(pair, max_retries=4)
    pair.layer_answers(AWAY[how])
    with pytest.raises(OutcomeUnknown) as raised:
        write(half, client, **CONDITIONAL)
    assert isinstance(raised.value, APIConnectionError) and raised.value.operation == "write"
    cause = raised.value.__cause__
    assert isinstance(cause, UnmarkedAnswer) if how.isdigit() else isinstance(cause, Exception)
    # Once: neither this package nor the official client's own retries have repeated it.
    assert len(pair.layer.requests) == 1
    assert pair.turbopuffer.requests == []
    half.close(client)


def test_a_write_without_an_answer_in_time(half: Half, pair: Pair) -> None:
    # Turbopuffer has to answer the second write in that time too.
    client = half.client(pair, timeout=httpx2.Timeout(2))
    pair.layer_answers(silent)
    with pytest.raises(OutcomeUnknown):
        write(half, client, **CONDITIONAL)
    write(half, client, **UPSERT)
    assert len(pair.turbopuffer.requests) == 1
    half.close(client)


@pytest.mark.parametrize("layer", ["gone", "draining"])
def test_a_direct_write_that_turbopuffer_broke_off_is_not_repeated(half: Half, pair: Pair, layer: str) -> None:
    client = half.client(pair, max_retries=4)
    if layer == "gone":
        pair.layer.stop()
    else:
        pair.layer_answers(DRAINING)
    pair.turbopuffer.script = reset
    with pytest.raises(OutcomeUnknown) as raised:
        write(half, client, **CONDITIONAL)
    assert len(pair.turbopuffer.requests) == 1 and raised.value.__cause__ is not None
    assert pair.kinds()[-1] == "outcome_unknown"
    # What may be repeated is the official client's to repeat.
    with pytest.raises(APIConnectionError):
        write(half, client.with_options(max_retries=1), **UPSERT)
    assert len(pair.turbopuffer.requests) == 3
    half.close(client)


def test_draining_lets_every_write_go_direct(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer_answers(DRAINING)
    write(half, client, **CONDITIONAL)
    assert len(pair.turbopuffer.requests) == 1
    half.close(client)


def test_upstream_error(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer_answers(UPSTREAM)
    for _ in range(5):
        query(half, client)
    write(half, client, **UPSERT)
    with pytest.raises(OutcomeUnknown) as raised:
        write(half, client, **CONDITIONAL)
    assert isinstance(raised.value.__cause__, LayerRefused)
    # Layer is there, so the breaker stays closed.
    assert not client.fall_through.breaker.is_open
    half.close(client)


@pytest.mark.parametrize("status, code", [(504, "gateway_timeout"), (503, "doc_cache_unavailable")])
def test_a_write_that_layer_may_have_applied(half: Half, pair: Pair, status: int, code: str) -> None:
    client = half.client(pair, max_retries=4)
    pair.layer_answers(layer_error(status, code))
    with pytest.raises(OutcomeUnknown):
        write(half, client, **CONDITIONAL)
    assert len(pair.layer.requests) == 1
    with pytest.raises(InternalServerError):
        write(half, half_of(client), **UPSERT)
    assert pair.turbopuffer.requests == []
    half.close(client)


def half_of(client: Any) -> Any:
    """The client without the official client's retries."""
    return client.with_options(max_retries=0)


@pytest.mark.parametrize(
    "script",
    [
        layer_error(429, "overloaded"),
        layer_error(503, "service_unavailable"),
        layer_error(422, "validation_error"),
        layer_error(504, "gateway_timeout"),
        answers(500),
        answers(401, {"error": "who"}),
        answers(429),
        answers(503, {"status": "error"}, x_layer_served_by="origin"),
        answers(502, {"status": "error"}, x_layer_served_by="origin"),
        answers(404, {"status": "error"}, x_layer_served_by="origin"),
    ],
    ids=["overloaded", "unavailable", "422", "504", "500", "401", "429", "origin 503", "origin 502", "origin 404"],
)
def test_answers_are_answers(half: Half, pair: Pair, script: Any) -> None:
    client = half.client(pair)
    pair.layer.script = script
    for _ in range(4):
        with pytest.raises(APIStatusError):
            query(half, client)
    assert pair.turbopuffer.requests == []
    half.close(client)


def test_what_needs_layer_fails_fast(half: Half, pair: Pair) -> None:
    client = half.client(pair, max_retries=4)
    pair.layer.stop()
    begun = time.monotonic()
    with pytest.raises(LayerUnavailable) as raised:
        half.run(client.namespace("n").delete_all())
    assert raised.value.operation == "delete_namespace"
    assert isinstance(raised.value.__cause__, httpx2.ConnectError)
    with pytest.raises(LayerUnavailable):
        half.run(client.namespace("n").query(rank_by=["t", "HybridText", "x"], top_k=1))
    # The retries of one call would take 2.8 s at the least, and each of them would be told of.
    assert time.monotonic() - begun < 5.0
    assert pair.kinds() == ["opened", "unavailable", "unavailable"]
    assert pair.turbopuffer.requests == []
    half.close(client)


def test_without_a_turbopuffer_key_every_error_is_the_original(half: Half, pair: Pair) -> None:
    client = half.client(pair, turbopuffer_api_key=None)
    pair.layer.script = answers(503)
    with pytest.raises(InternalServerError):
        query(half, client)
    pair.layer.stop()
    with pytest.raises(APIConnectionError) as raised:
        query(half, client)
    assert type(raised.value) is APIConnectionError and isinstance(raised.value.__cause__, httpx2.ConnectError)
    assert pair.events == [] and pair.turbopuffer.requests == []
    half.close(client)


def test_it_can_be_switched_off(half: Half, pair: Pair) -> None:
    client = half.client(pair, fallback_to_turbopuffer=False)
    pair.layer.stop()
    with pytest.raises(APIConnectionError):
        query(half, client)
    assert pair.turbopuffer.requests == []
    half.close(client)


def test_each_key_goes_to_its_own_side(half: Half, pair: Pair) -> None:
    client = half.client(pair, default_headers={"x-layer-tag": "t", "X-HevLayer-Search-Query": "q", "x-other": "o"})
    query(half, client)
    pair.layer.script = reset
    query(half, client)
    pair.layer.stop()
    write(half, client, **UPSERT)
    for exchange in pair.layer.requests:
        assert exchange.headers["authorization"] == f"Bearer {LAYER_KEY}"
        assert TURBOPUFFER_KEY not in str(exchange)
    assert len(pair.turbopuffer.requests) == 2
    for exchange in pair.turbopuffer.requests:
        assert exchange.headers["authorization"] == f"Bearer {TURBOPUFFER_KEY}"
        assert LAYER_KEY not in f"{exchange.headers}{exchange.body!r}{exchange.target}"
        assert exchange.headers["x-other"] == "o"
        assert not [
            name for name in exchange.headers if name.startswith(("x-layer", "x-hevlayer", "x-request-timeout"))
        ]
        assert exchange.headers["host"] == f"127.0.0.1:{pair.turbopuffer.port}"
    half.close(client)


@pytest.mark.parametrize("compression", [False, True])
def test_the_body_is_the_callers_to_the_byte(half: Half, pair: Pair, compression: bool) -> None:
    client = half.client(pair, compression=compression)
    pair.layer_answers(reset)
    write(half, client, upsert_rows=[{"id": 2**63, "text": "long " * 1000}])
    one, two = pair.layer.requests[0], pair.turbopuffer.requests[0]
    assert two.body == one.body and len(two.body) > 100
    assert two.headers.get("content-encoding") == one.headers.get("content-encoding")
    assert (two.headers.get("content-encoding") == "gzip") is compression
    half.close(client)


def test_the_origin_overloaded_behind_a_fall(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    pair.turbopuffer.script = answers(429)
    with pytest.raises(RateLimitError):
        query(half, client)
    pair.turbopuffer.stop()
    with pytest.raises(APIConnectionError) as raised:
        query(half, client)
    assert raised.value.__cause__ is not None
    half.close(client)


def test_one_call_is_one_attempt_on_each_side(half: Half, pair: Pair) -> None:
    client = half.client(pair, max_retries=2)
    pair.layer_answers(answers(503))
    pair.turbopuffer.script = answers(500)
    with pytest.raises(InternalServerError):
        query(half, client)
    # The breaker opened with the third; nobody went on to Layer after that.
    assert len(pair.layer.requests) == 3
    assert len(pair.turbopuffer.requests) == 3
    half.close(client)


def test_asynchronous_copies_are_polled_at_layers_address(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    operation = "/v1/namespaces/n/operations/t1"

    def script(exchange: Any) -> None:
        if exchange.path == operation:
            result = {
                "status": "finished",
                "start_time": "",
                "result": {"success": {"status": "OK", "rows_affected": 7}},
            }
            exchange.answer(200, result)
        else:
            location = f"{pair.turbopuffer.url}{operation}"
            exchange.answer(202, {"token": "t1"}, preference_applied="respond-async", location=location)

    pair.turbopuffer.script = script
    answer = half.run(client.namespace("n").copy_from(source_namespace="m"))
    assert answer.rows_affected == 7
    assert pair.turbopuffer.paths == ["/v2/namespaces/n", operation]
    half.close(client)


def test_another_address_is_left_alone(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.turbopuffer.script = answers(503)
    with pytest.raises(InternalServerError):
        half.run(client.get(f"{pair.turbopuffer.url}/v1/namespaces", cast_to=object))
    assert len(pair.turbopuffer.requests) == 1
    half.close(client)


def test_only_connecting_to_layer_has_a_short_timeout() -> None:
    seen: dict[str, Any] = {}

    class Side(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            seen[request.url.host] = request.extensions["timeout"]
            if request.url.host == "layer":
                raise httpx2.ConnectError("refused")
            return httpx2.Response(200, json={})

    transport = FallThroughTransport(
        "http://layer",
        turbopuffer_url="http://turbopuffer",
        turbopuffer_api_key="t",
        settings=Settings(probe_initial_s=60),
        layer_transport=Side(),
        turbopuffer_transport=Side(),
    )
    with httpx2.Client(transport=transport, timeout=httpx2.Timeout(60, connect=5)) as client:
        client.get("http://layer/v1/namespaces/n/schema")
    assert seen["layer"] == {"connect": 0.25, "read": 60, "write": 60, "pool": 60}
    assert seen["turbopuffer"] == {"connect": 5, "read": 60, "write": 60, "pool": 60}


def test_layer_script_is_not_what_makes_tests_pass(pair: Pair) -> None:
    assert pair.layer.script is layer_script
