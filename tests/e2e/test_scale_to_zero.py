"""Demand wakes the document cache: KEDA is told by push and by poll, and a cold start is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from google.protobuf import descriptor_pool, message_factory

import grpc
from harness.client import ask, ask_json
from harness.doc_cache import start_doc_cache
from harness.grpc import Reflection
from harness.ports import free_port
from harness.programs import Program
from harness.waiting import until

SERVICE = "externalscaler.ExternalScaler"
FETCH = "/v2/namespaces/ns/documents/1"
WINDOW_S = 2


class Scaler:
    """KEDA's side of the contract, by reflection."""

    def __init__(self, router: Program) -> None:
        self.channel = grpc.insecure_channel(router.address)
        pool = descriptor_pool.DescriptorPool(Reflection(self.channel))
        self.methods = pool.FindServiceByName(SERVICE).methods_by_name

    def start(self, method: str, **fields):
        description = self.methods[method]
        kinds = [message_factory.GetMessageClass(kind) for kind in (description.input_type, description.output_type)]
        make = self.channel.unary_stream if description.server_streaming else self.channel.unary_unary
        rpc = make(
            f"/{SERVICE}/{method}",
            request_serializer=kinds[0].SerializeToString,
            response_deserializer=kinds[1].FromString,
        )
        return rpc(kinds[0](**fields), timeout=30)

    def is_active(self) -> bool:
        return self.start("IsActive", scalerMetadata={"demandWindow": str(WINDOW_S)}).result


@pytest.fixture
def away(start: Callable[..., Program], stand_in: Program) -> Iterator[tuple[Program, int]]:
    """A router whose cache is scaled to zero, and the port where it is looked for."""
    port = free_port()
    answer = ask_json(stand_in.url, "POST", "/v2/namespaces/ns", {"upsert_rows": [{"id": 1, "title": "a"}]})
    assert answer[0] == 200, answer
    yield start({"cache.addresses": f"127.0.0.1:{port}"}, stand_in.url), port


def series(router: Program, name: str) -> float:
    lines = [line for line in router.metrics().splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_keda_is_told_of_demand_at_once_and_of_its_end(away: tuple[Program, int]) -> None:
    router, _ = away
    scaler = Scaler(router)
    told = scaler.start("StreamIsActive", scalerMetadata={"demandWindow": str(WINDOW_S)})
    assert next(told).result is False
    assert scaler.is_active() is False
    assert ask(router.url, "GET", FETCH).status == 200
    assert next(told).result is True
    assert scaler.is_active() is True
    metric = scaler.start("GetMetricSpec").metricSpecs[0]
    value = scaler.start("GetMetrics", metricName=metric.metricName).metricValues[0]
    assert value.metricName == metric.metricName
    assert value.metricValueFloat > 0
    assert metric.targetSizeFloat > 0
    assert next(told).result is False, "after the window"
    assert scaler.is_active() is False


def test_a_router_that_stops_ends_its_streams(away: tuple[Program, int]) -> None:
    router, _ = away
    told = Scaler(router).start("StreamIsActive")
    assert next(told).result is False
    assert router.stop() == 0
    with pytest.raises((StopIteration, grpc.RpcError)):
        next(told)


def test_wrong_metadata_is_named(away: tuple[Program, int]) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        Scaler(away[0]).start("IsActive", scalerMetadata={"demandWindow": "soon"})
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "demandWindow" in raised.value.details()


def test_a_cold_start_is_one_from_the_first_demand_to_the_first_hit(away: tuple[Program, int]) -> None:
    router, port = away
    for _ in range(3):
        answer = ask(router.url, "GET", FETCH)
        assert (answer.status, answer.get("x-layer-cache")) == (200, "miss-on-error")
    assert series(router, "hevlayer_document_cache_cold_starts_total") == 1
    assert series(router, "hevlayer_document_cache_cold_start_active") == 1
    assert series(router, "hevlayer_cache_cold_responses_total") == 3
    assert series(router, "hevlayer_cache_demand_total") == 3
    cache = start_doc_cache(port=port)
    try:
        until(lambda: ask(router.url, "GET", FETCH).get("x-layer-cache") == "hit", "the cache serves", 20.0)
        assert series(router, "hevlayer_document_cache_cold_starts_total") == 1
        assert series(router, "hevlayer_document_cache_cold_start_active") == 0
        assert series(router, "hevlayer_document_cache_cold_start_seconds_count") == 1
        assert 'hevlayer_cache_state{namespace="ns",state="warm",store_kind="turbopuffer"} 1' in router.metrics()
    finally:
        cache.process.kill()
