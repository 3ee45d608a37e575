"""`with_perf=True`, on sockets."""

from __future__ import annotations

import inspect
import time
from typing import Any

import pytest
from halves import Loop, Threads
from turbopuffer import BadRequestError
from turbopuffer.resources.namespaces import AsyncNamespacesResource, NamespacesResource

from fakes import Pair, answers
from fakes.turbopuffer import ROWS, layer_script
from hevlayer import AsyncHevlayer, Hevlayer, LayerResponse, LayerUnavailable, record_perf
from hevlayer._async import blobs, documents, functions, pipeline_queue, pipelines

Half = Threads | Loop
RANKING: Any = ["vector", "ANN", [0.1]]
GROUPS = [
    owner
    for module in (blobs, documents, functions, pipeline_queue, pipelines)
    for owner in vars(module).values()
    if inspect.isclass(owner) and owner.__module__ == module.__name__
]
OWN = [name for group in GROUPS for name in vars(group) if not name.startswith("_")]
OWN = [name for name in OWN if inspect.isfunction(getattr(AsyncHevlayer, name))]
OFFICIAL = [name for name, each in vars(NamespacesResource).items() if inspect.isfunction(each) and name[0] != "_"]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "branch_from": {"source_namespace": "m"},
    "copy_from": {"source_namespace": "m"},
    "start_copy_from": {"source_namespace": "m"},
    "poll_copy_from": {"token": "t"},
    "query": {"rank_by": RANKING, "top_k": 1},
    "explain_query": {"rank_by": RANKING, "top_k": 1},
    "multi_query": {"queries": [{"rank_by": RANKING, "top_k": 1}]},
    "write": {"upsert_rows": [{"id": 1}]},
    "update_schema": {"schema": {"a": "string"}},
    "update_metadata": {"pinning": None},
}


def query(half: Half, client: Any, **more: Any) -> Any:
    return half.run(client.namespace("n").query(rank_by=RANKING, top_k=1, **more))


def test_every_call_takes_it() -> None:
    assert len(OWN) >= 45 and len(OFFICIAL) >= 15
    for kind in (Hevlayer, AsyncHevlayer):
        for name in [*OWN, "namespaces"]:
            assert "with_perf" in inspect.signature(getattr(kind, name)).parameters, name
    for client, resource in ((Hevlayer, NamespacesResource), (AsyncHevlayer, AsyncNamespacesResource)):
        space = client(api_key="k").namespace("n")
        for name in OFFICIAL:
            method, original = getattr(space, name), getattr(resource, name)
            assert "with_perf" in inspect.signature(method).parameters, name
            assert inspect.iscoroutinefunction(method) is inspect.iscoroutinefunction(original), name


@pytest.mark.parametrize("away", [False, True], ids=["through Layer", "past Layer"])
@pytest.mark.parametrize("name", [name for name in OFFICIAL if name != "delete_all"])
def test_it_says_how_a_call_went(half: Half, pair: Pair, name: str, away: bool) -> None:
    with_name = {"x_layer_cache": "hit", "x_layer_served_by": "origin"}
    clients = [half.client(pair), half.client(pair)]
    body = {"status": "running", "token": "t", **ROWS}
    pair.layer.script, pair.turbopuffer.script = answers(200, body, **with_name), answers(200, body)
    plain, measured = [getattr(client.namespace("n"), name) for client in clients]
    answered = half.run(plain(**ARGUMENTS.get(name, {})))
    if away:
        pair.layer.stop()
    answer = half.run(measured(**ARGUMENTS.get(name, {}), with_perf=True))
    assert type(answer) is LayerResponse and type(answer.data) is type(answered)
    assert answer.perf.fallback == ("turbopuffer_direct" if away else None)
    assert answer.perf.cache_status == (None if away else "hit")
    assert 0 < answer.perf.latency_ms < 10_000
    first, second = [*pair.layer.requests, *pair.turbopuffer.requests]
    assert (first.method, first.target, first.body) == (second.method, second.target, second.body)
    assert b"with_perf" not in second.body and "with_perf" not in second.target
    for client in clients:
        half.close(client)


def test_the_listing(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    answer = half.run(client.namespaces(prefix="p", with_perf=True))
    assert [each.id for each in answer.data.namespaces] == ["a", "b"] and answer.perf.fallback is None
    pair.layer.stop()
    answer = half.run(client.namespaces(prefix="p", with_perf=True))
    assert answer.perf.fallback == "turbopuffer_direct"
    assert pair.turbopuffer.requests[0].target == "/v1/namespaces?prefix=p"
    half.close(client)


def test_the_time_counts_from_the_first_attempt(half: Half, pair: Pair) -> None:
    client = half.client(pair, max_retries=2)
    asked: list[float] = []

    def script(exchange: Any) -> None:
        asked.append(time.monotonic())
        if len(asked) < 3:
            exchange.answer(429, {}, x_layer_served_by="layer", retry_after_ms="60")
        else:
            layer_script(exchange)

    pair.layer.script = script
    answer = query(half, client, with_perf=True)
    assert len(asked) == 3
    assert answer.perf.latency_ms >= (asked[2] - asked[0]) * 1000 >= 80
    half.close(client)


def test_it_raises_what_is_raised_without_it(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.script = answers(400, {"status": "error", "error": "no"}, x_layer_served_by="origin")
    with pytest.raises(BadRequestError):
        query(half, client, with_perf=True)
    pair.layer.stop()
    with pytest.raises(LayerUnavailable):
        half.run(client.namespace("n").delete_all(with_perf=True))
    with pytest.raises(LayerUnavailable):
        half.run(client.fetch_document("n", 1, with_perf=True))
    # A failed call leaves no record behind.
    with record_perf() as record:
        query(half, client)
    assert len(record.calls) == 1
    half.close(client)


def test_a_record_around_it_knows_too(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    with record_perf() as record:
        answer = query(half, client, with_perf=True)
        query(half, client)
    assert len(record.calls) == 2 and answer.perf.latency_ms >= record.calls[0].latency_ms
    half.close(client)


def test_copies_of_a_client_and_raw_answers(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    space = client.with_options(timeout=5).namespace("n")
    assert half.run(space.query(rank_by=RANKING, top_k=1, with_perf=True)).perf.fallback is None
    raw = half.run(space.with_raw_response.query(rank_by=RANKING, top_k=1))
    assert raw.headers["x-layer-served-by"] == "origin"
    half.close(client)
