"""Traces arrive, logs carry their ids, metrics count right, and none of them tells what callers sent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import ask
from harness.collector import Collector
from harness.doc_cache import start_doc_cache
from harness.exposition import value
from harness.grpc import call
from harness.origin import Exchange, FakeOrigin, stalled
from harness.programs import INTERNAL_KEY, KEY, Program, get
from harness.rows import JSON, Rows
from harness.waiting import until

WRITE = "/v2/namespaces/ns"
BODY = b'{"upsert_rows":[{"id":1}]}'
PARENT = "b7ad6b7169203331"
ZERO = "0000000000000000"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    made = Collector(tmp_path_factory.mktemp("rotel"))
    yield made
    made.process.kill()


@pytest.fixture
def traced(start, collector: Collector) -> Program:
    settings = {"telemetry.otlp_endpoint": collector.url, "log.format": "json", "log.filter": "debug"}
    return start(settings | {"origin.body_stall_timeout_ms": 300})


def traceparent(number: int, sampled: bool = True) -> tuple[str, str]:
    trace_id = f"0af7651916cd43dd8448eb2100000{number:03d}"
    return trace_id, f"00-{trace_id}-{PARENT}-{'01' if sampled else '00'}"


@pytest.mark.parametrize(
    ("number", "target", "name"),
    [(1, WRITE, "write"), (2, f"{WRITE}/query", "query"), (3, f"{WRITE}/metadata", "metadata")],
)
def test_one_trace_goes_from_the_caller_through_the_router_to_the_origin(
    traced: Program, origin: FakeOrigin, collector: Collector, number: int, target: str, name: str
) -> None:
    trace_id, parent = traceparent(number)
    headers = [("traceparent", parent), ("tracestate", "vendor=1")]
    method, body = ("GET", None) if name == "metadata" else ("POST", BODY)
    assert ask(traced.url, method, target, body, headers).status == 200
    came = origin.last()
    assert traced.stop() == 0, "the last spans are sent before it ends"
    spans = collector.trace(trace_id, 2)
    assert set(spans) == {name, "origin"}
    server, client = spans[name], spans["origin"]
    assert server.fields["Kind"] == "SPAN_KIND_SERVER"
    assert server.fields["Parent ID"] == PARENT
    assert server.attributes["http.request.method"] == method
    assert server.attributes["http.route"] == name
    assert server.attributes["http.response.status_code"] == "200"
    assert client.fields["Kind"] == "SPAN_KIND_CLIENT"
    assert client.fields["Parent ID"] == server.fields["ID"]
    assert client.attributes.get("http.response.status_code") == "200"
    assert came.all("traceparent") == [f"00-{trace_id}-{client.fields['ID']}-01"]
    assert came.all("tracestate") == ["vendor=1"]


def test_a_call_over_grpc_is_traced_alike(traced: Program, origin: FakeOrigin, collector: Collector) -> None:
    trace_id, parent = traceparent(10)
    origin.script = lambda exchange: exchange.reply_json({"namespaces": []})
    call(traced, "ListNamespaces", {}, [("traceparent", parent)])
    assert traced.stop() == 0
    spans = collector.trace(trace_id, 2)
    assert spans["list_namespaces"].fields["Parent ID"] == PARENT
    assert origin.last().get("traceparent") == f"00-{trace_id}-{spans['origin'].fields['ID']}-01"


def test_without_a_callers_trace_one_begins_here(traced: Program, origin: FakeOrigin, collector: Collector) -> None:
    ask(traced.url, "POST", WRITE, BODY)
    sent = origin.last().get("traceparent") or ""
    assert origin.last().get("tracestate") is None, "what the caller did not send is not made up"
    assert traced.stop() == 0
    spans = collector.trace(sent.split("-")[1], 2)
    assert spans["write"].fields["Parent ID"] in ("", ZERO)
    assert spans["origin"].fields["ID"] == sent.split("-")[2]


def test_a_caller_that_does_not_sample_is_heeded(traced: Program, origin: FakeOrigin, collector: Collector) -> None:
    trace_id, parent = traceparent(11, sampled=False)
    ask(traced.url, "POST", WRITE, BODY, [("traceparent", parent)])
    assert (origin.last().get("traceparent") or "").startswith(f"00-{trace_id}-")
    assert (origin.last().get("traceparent") or "").endswith("-00")
    seen, other = traceparent(12)
    ask(traced.url, "POST", WRITE, BODY, [("traceparent", other)])
    assert traced.stop() == 0
    collector.trace(seen, 2)
    assert trace_id not in collector.process.log


@pytest.mark.parametrize("bad", ["nonsense", "00-" + "0" * 32 + f"-{PARENT}-01", "", "00-xyz"])
def test_a_traceparent_that_is_none_does_no_harm(traced: Program, origin: FakeOrigin, bad: str) -> None:
    assert ask(traced.url, "POST", WRITE, BODY, [("traceparent", bad)]).status == 200
    assert len(origin.last().get("traceparent") or "") == 55


def test_without_a_collector_a_callers_trace_passes_as_it_came(router: Program, origin: FakeOrigin) -> None:
    headers = [("traceparent", traceparent(13)[1]), ("tracestate", "a=1,b=2"), ("baggage", "c=3")]
    ask(router.url, "POST", WRITE, BODY, headers)
    for name, sent in headers:
        assert origin.last().all(name) == [sent]
    ask(router.url, "POST", WRITE, BODY)
    assert origin.last().get("traceparent") is None


def test_a_collector_that_is_away_costs_nothing(origin: FakeOrigin, start) -> None:
    router = start({"telemetry.otlp_endpoint": "http://127.0.0.1:1"})
    for _ in range(50):
        assert ask(router.url, "POST", WRITE, BODY).status == 200
    assert router.stop() == 0


def test_an_error_is_an_error_in_the_trace(traced: Program, origin: FakeOrigin, collector: Collector) -> None:
    trace_id, parent = traceparent(14)
    origin.cut()
    try:
        assert ask(traced.url, "POST", WRITE, BODY, [("traceparent", parent)]).status == 502
    finally:
        origin.restart()
    assert traced.stop() == 0
    server = collector.trace(trace_id, 2)["write"]
    assert server.attributes["http.response.status_code"] == "502"
    assert server.fields["Status code"] == "STATUS_CODE_ERROR"


def json_lines(router: Program) -> list[dict]:
    return [json.loads(line) for line in router.process.log.splitlines()]


def test_one_trace_goes_on_through_the_document_cache(origin: FakeOrigin, start, collector: Collector) -> None:
    service = "layer.cache.v1.DocCacheService"
    told = {"telemetry.otlp_endpoint": collector.url}
    cache = start_doc_cache(told)
    try:
        router = start(told | {"cache.addresses": cache.address, "cache.warm_on_write": False})
        origin.script = Rows({1: {"a": 1}})
        numbers = itertools.count(100)

        def hit() -> str:
            trace_id, parent = traceparent(next(numbers))
            answer = ask(router.url, "GET", f"{WRITE}/documents/1", headers=[("traceparent", parent)])
            return trace_id if answer.get("x-layer-cache") == "hit" else ""

        read = until(hit, "the cache serves it")
        written, parent = traceparent(17)
        body = b'{"upsert_rows":[{"id":1}]}'
        assert ask(router.url, "POST", WRITE, body, [*JSON, ("traceparent", parent)]).status == 200
        assert router.stop() == 0
        assert cache.stop() == 0
    finally:
        cache.process.kill()
    spans = collector.trace(read, 3)
    server = spans.pop("doc-cache"), spans.pop(f"{service}/Get")
    assert len(spans) == 1, spans
    (fetched,) = spans.values()
    assert fetched.fields["Parent ID"] == PARENT
    client, called = server
    assert (client.fields["Kind"], called.fields["Kind"]) == ("SPAN_KIND_CLIENT", "SPAN_KIND_SERVER")
    assert client.fields["Parent ID"] == fetched.fields["ID"]
    assert called.fields["Parent ID"] == client.fields["ID"]
    assert client.attributes["rpc.method"] == "get"
    assert (client.attributes["rpc.grpc.status_code"], called.attributes["rpc.grpc.status_code"]) == ("0", "0")
    spans = collector.trace(written, 6)
    assert {f"{service}/Hold", f"{service}/Release", "origin", "write"} <= set(spans)


def test_logs_of_a_request_carry_its_trace_id(traced: Program, origin: FakeOrigin) -> None:
    trace_id, parent = traceparent(15)

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send_head("200 OK", [("content-length", "10")])
        exchange.send(b"a")
        exchange.stall()
        exchange.close()

    origin.script = script
    assert not ask(traced.url, "POST", f"{WRITE}/query", b"{}", [("traceparent", parent)]).complete
    line = until(
        lambda: [line for line in json_lines(traced) if "stood still" in line.get("message", "")], "the line is logged"
    )[0]
    assert trace_id in json.dumps(line)
    assert {"timestamp", "level", "message", "target"} <= set(line)


def test_every_log_line_is_json(traced: Program, origin: FakeOrigin) -> None:
    ask(traced.url, "POST", WRITE, BODY)
    ask(traced.url, "POST", WRITE, b"nonsense")
    assert traced.stop() == 0
    lines = json_lines(traced)
    assert {"query-router listens", "query-router stopped"} <= {line.get("message") for line in lines}
    assert [line["signal"] for line in lines if line.get("message") == "told to stop"] == ["SIGTERM"]


def test_metrics_count_queries_and_writes(origin: FakeOrigin, start) -> None:
    router = start()
    query, write = f"{WRITE}/query", b'{"upsert_rows":[{"id":1},{"id":2},{"id":3}]}'
    for _ in range(3):
        ask(router.url, "POST", query, b'{"rank_by":["id","asc"],"filters":["a","Eq",1]}')
    ask(router.url, "POST", "/v1/namespaces/ns/query", b'{"queries":[{"rank_by":["id","asc"]},{"limit":1}]}')
    for _ in range(2):
        ask(router.url, "POST", WRITE, write)
    ask(router.url, "POST", "/v2/namespaces/other", write)
    ask(router.url, "POST", WRITE, b"nonsense")
    ask(router.url, "GET", f"{WRITE}/metadata")
    ask(router.url, "GET", "/v1/namespaces")
    origin.script = lambda exchange: (exchange.read_body(), exchange.reply("400 Bad Request"))
    ask(router.url, "POST", query, b"{}")
    origin.script = stalled
    ask(router.url, "POST", query, b"{}", [("x-request-timeout-ms", "300")])
    page = router.metrics()

    def count(name: str, **labels: str) -> float:
        return value(page, name, **labels)

    for family in ("duration", "tpuf", "overhead"):
        of_queries = f"layer_query_{family}_seconds_count"
        assert count(of_queries, namespace="ns", status="ok", pipeline_id="direct") == 4, family
        assert count(of_queries, status="tpuf_error") == 1
        assert count(of_queries, status="timeout") == 1
        of_writes = f"layer_upsert_{family}_seconds_count"
        assert count(of_writes, namespace="ns", status="ok") == 2
        assert count(of_writes, namespace="other", status="ok") == 1
        assert count(of_writes, namespace="ns", status="layer_error") == 1
    assert count("layer_upsert_batch_size_sum", namespace="ns") == 6
    assert count("layer_query_shape_total", has_filter="true", has_rank_by="true", status="ok") == 3
    assert count("hevlayer_multi_query_total", status="ok") == 1
    assert count("hevlayer_multi_query_legs_sum") == 2
    assert count("layer_head_duration_seconds_count", status="ok") == 1
    assert count("layer_list_duration_seconds_count", status="ok") == 1
    assert count("layer_requests_total", route="write", served_by="origin", code="200") == 3
    assert count("layer_requests_total", route="write", served_by="layer", code="422") == 1
    assert count("layer_requests_total", route="query", served_by="layer", code="504") == 1
    assert count("layer_tpuf_inflight") == 0
    took = count("layer_query_duration_seconds_sum", status="timeout")
    assert 0.25 <= took <= 3
    assert count("process_resident_memory_bytes") > 0


def test_the_metrics_page_is_the_same_on_both_ports_and_well_formed(router: Program, origin: FakeOrigin) -> None:
    ask(router.url, "POST", WRITE, BODY)
    page = ask(router.url, "GET", "/metrics")
    assert (page.get("content-type") or "").startswith("text/plain; version=0.0.4")
    for text in (page.body.decode(), get(f"{router.admin_url}/metrics")[1]):
        assert "# TYPE layer_upsert_duration_seconds histogram" in text
        assert value(text, "layer_upsert_duration_seconds_count") >= 1


SECRETS = [
    "zebra-id-17",
    "quagga text",
    "0.987654321",
    "okapi-filter",
    "tapir-attribute",
    "caller-bearer",
    "cookie-1",
]


def test_nothing_that_callers_send_is_logged_or_counted(
    traced: Program, origin: FakeOrigin, collector: Collector, tmp_path: Path
) -> None:
    row = {"id": "zebra-id-17", "text": "quagga text", "vector": [0.987654321], "tapir-attribute": "x"}
    query = {"rank_by": ["text", "BM25", "quagga text"], "filters": ["tapir-attribute", "Eq", "okapi-filter"]}
    headers = [("cookie", "cookie-1"), ("x-layer-internal-key", INTERNAL_KEY), ("traceparent", traceparent(16)[1])]
    bodies = [json.dumps({"upsert_rows": [row]}).encode(), json.dumps(query).encode()]
    bodies += [bodies[0][:-3], json.dumps({"rows": [row]}).encode()]
    bodies += [json.dumps({"upsert_rows": [row | {"_hevlayer_upserted_at": 1}]}).encode()]
    for body in bodies:
        for target in (WRITE, f"{WRITE}/query"):
            ask(traced.url, "POST", target, body, headers)
            ask(traced.url, "POST", target, body, [*headers, ("authorization", "Bearer caller-bearer")], key=False)
    ask(traced.url, "GET", "/v1/namespaces/ns/operations/zebra-id-17?cursor=okapi-filter", headers=headers)
    ask(traced.url, "GET", "/nowhere/zebra-id-17?x=okapi-filter", headers=headers)
    origin.script = lambda exchange: exchange.close()
    for body in bodies:
        ask(traced.url, "POST", WRITE, body, headers)
    origin.script = lambda exchange: (exchange.read_body(), exchange.reply("400 Bad Request", exchange.request.body))
    for body in bodies:
        ask(traced.url, "POST", WRITE, body, headers)
    page = traced.metrics()
    assert traced.stop() == 0
    collector.trace(traceparent(16)[0], len(bodies))
    for place, text in (("log", traced.process.log), ("metrics", page), ("spans", collector.process.log)):
        found = [secret for secret in [*SECRETS, KEY, INTERNAL_KEY] if secret in text]
        assert not found, f"{found} in the {place}"
