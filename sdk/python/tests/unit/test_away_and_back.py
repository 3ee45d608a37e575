"""The breaker, its probe, and hedges, over sockets."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from asking import RANKING, Half, is_open, query, write
from halves import Threads

from fakes import (
    FAST,
    LAYER_KEY,
    Pair,
    Server,
    answers,
    hedging,
    layer_error,
    layer_script,
    reset,
    silent,
    turbopuffer_script,
)
from harness.waiting import let_pass, until
from hevlayer import AsyncFallThroughTransport, LayerUnavailable, Settings, record_perf
from hevlayer._runtime import threads


def test_while_layer_is_away_it_is_not_asked(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=replace(FAST, probe_initial_s=60))
    pair.layer_answers(answers(503))
    for _ in range(10):
        query(half, client)
    assert len(pair.layer.requests) == 3
    assert len(pair.turbopuffer.requests) == 10
    with pytest.raises(LayerUnavailable):
        half.run(client.namespace("n").delete_all())
    assert len(pair.layer.requests) == 3
    half.close(client)


def test_failures_that_are_not_in_a_row_do_not_open_it(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    for _ in range(5):
        for script in (answers(503), reset, layer_script):
            pair.layer.script = script
            query(half, client)
    assert not is_open(client)
    half.close(client)


def test_it_returns_by_itself(half: Half, pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "hevlayer")
    client = half.client(pair)
    pair.layer.stop()
    for _ in range(5):
        query(half, client)
    assert is_open(client)
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    with record_perf() as record:
        query(half, client)
    assert record.last.fallback is None and len(pair.layer.requests) == 1
    assert [event.kind for event in pair.events if event.kind != "fallback"] == ["opened", "closed"]
    # One warning for each transition, none for a call.
    assert len(caplog.records) == 2
    half.close(client)


def test_a_router_that_is_not_ready_is_not_back(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.ready = layer_error(503, "draining")
    pair.layer_answers(layer_error(503, "gateway_draining"))
    for _ in range(3):
        query(half, client)
    half.until(lambda: pair.layer.probes >= 3, "probes come")
    assert is_open(client)
    # A page of what stands before Layer is not its word.
    pair.layer.ready = answers(200, b"<html>It works!</html>")
    seen = pair.layer.probes
    half.until(lambda: pair.layer.probes >= seen + 3, "probes come")
    assert is_open(client) and not half.run(client.status()).ready
    pair.layer.ready = answers(200, {}, x_layer_served_by="layer")
    half.until(lambda: not is_open(client), "it returns")
    half.close(client)


def test_silence_is_hedged(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=hedging(0.2))
    pair.layer_answers(silent)
    begun = time.monotonic()
    with record_perf() as record:
        assert query(half, client).rows[0].id == 1
    took = time.monotonic() - begun
    assert 0.2 <= took < 5.0
    assert record.last.fallback == "turbopuffer_direct"
    assert pair.kinds() == ["hedge", "fallback"]
    assert client.fall_through.breaker.suspicious
    half.close(client)


def test_a_slow_layer_that_answers_first_wins(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=hedging(0.2))
    turbopuffer_waits = threading.Event()
    pair.turbopuffer.script = lambda exchange: (turbopuffer_waits.set(), silent(exchange))[0]  # type: ignore[func-returns-value]

    def slow(exchange: Any) -> None:
        assert turbopuffer_waits.wait(10)
        layer_script(exchange)

    pair.layer.script = slow
    with record_perf() as record:
        query(half, client)
    assert record.last.fallback is None and len(pair.turbopuffer.requests) == 1
    assert not client.fall_through.breaker.suspicious
    half.close(client)


def test_a_hedge_that_fails_waits_for_layer(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=hedging(0.2))
    asked = threading.Event()

    def failing(exchange: Any) -> None:
        exchange.answer(429, {})
        asked.set()

    def slow(exchange: Any) -> None:
        assert asked.wait(10)
        layer_script(exchange)

    pair.turbopuffer.script, pair.layer.script = failing, slow
    with record_perf() as record:
        query(half, client)
    assert record.last.fallback is None
    half.close(client)


def test_writes_and_calls_that_need_layer_are_not_hedged(half: Half, pair: Pair) -> None:
    # Turbopuffer has to answer the write in that time too.
    client = half.client(pair, settings=hedging(0.05, probe_initial_s=60), timeout=httpx2.Timeout(2))
    pair.layer_answers(silent)
    write(half, client, upsert_rows=[{"id": 1}])
    with pytest.raises(LayerUnavailable):
        half.run(client.namespace("n").query(rank_by=["t", "Auto", "x"], top_k=1))
    assert "hedge" not in pair.kinds()
    half.close(client)


def test_hanging_opens_the_breaker(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=hedging(0.05, hedge_budget_burst=1, probe_initial_s=60))
    pair.layer_answers(silent)

    def once_layer_was_asked(exchange: Any) -> None:
        until(lambda: len(pair.layer.requests) >= min(len(pair.turbopuffer.requests), 3), "Layer was asked")
        turbopuffer_script(exchange)

    pair.turbopuffer.script = once_layer_was_asked
    for _ in range(6):
        query(half, client)
    # The budget of one is not what holds it up: after a failure there is none.
    assert is_open(client) and len(pair.layer.requests) == 3
    half.close(client)


def test_the_budget_of_hedges(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=hedging(0.02, hedge_budget_burst=2))
    pair.turbopuffer.script = answers(429)

    def slow(exchange: Any) -> None:
        until(lambda: len(pair.turbopuffer.requests) >= min(len(pair.layer.requests), 2), "the hedge came")
        # Time for a hedge that must not come.
        let_pass(0.1)
        layer_script(exchange)

    pair.layer.script = slow
    for _ in range(6):
        query(half, client)
    assert len(pair.turbopuffer.requests) == 2
    half.close(client)


def test_a_black_hole_costs_the_connect_timeout(half: Half, pair: Pair) -> None:
    # TEST-NET-1: nobody is there. Where the machine has no route it is refused at once, which is as good.
    settings = replace(FAST, connect_timeout_s=0.25, hedge=False)
    client = half.client(pair, base_url="http://192.0.2.1:9", settings=settings, timeout=60)
    begun = time.monotonic()
    query(half, client)
    assert time.monotonic() - begun < 10
    assert is_open(client)
    half.close(client)


def test_a_name_that_does_not_exist(half: Half, pair: Pair) -> None:
    client = half.client(pair, base_url="http://layer.invalid:8080")
    assert query(half, client).rows[0].id == 1
    half.close(client)


def test_tls_that_fails(half: Half, pair: Pair) -> None:
    client = half.client(pair, base_url=pair.layer.url.replace("http:", "https:"))
    assert query(half, client).rows[0].id == 1
    assert pair.events[0].reason == "not_sent"
    half.close(client)


def test_hedges_can_be_switched_off(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=hedging(0.01, hedge=False))

    def slow(exchange: Any) -> None:
        let_pass(0.1)
        layer_script(exchange)

    pair.layer.script = slow
    query(half, client)
    assert pair.turbopuffer.requests == [] and pair.events == []
    half.close(client)


def test_nothing_runs_on_after_close(pair: Pair) -> None:
    before = set(threading.enumerate())
    client = pair.client(settings=hedging(0.05, probe_initial_s=30))
    pair.layer_answers(silent)
    for _ in range(4):
        query(Threads(), client)
    assert is_open(client)
    client.close()
    ours = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("hevlayer")]
    assert ours == []


def test_a_client_that_nobody_closes_leaves_no_thread(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    # A machine that stands still may hedge, which must not open the breaker: calls past Layer need no thread.
    client = pair.client(settings=hedging(0.05, failures_to_open=100))

    def waiting() -> list[str]:
        return [each.name for each in set(threading.enumerate()) - before if each.name == "hevlayer-hedges"]

    for _ in range(3):
        monkeypatch.setattr(threads, "IDLE_S", 60)
        query(Threads(), client)
        assert waiting() == ["hevlayer-hedges"]
        # From its next read on it stays no longer than that.
        monkeypatch.setattr(threads, "IDLE_S", 0.05)
        query(Threads(), client)
        Threads().until(lambda: not waiting(), "its thread ends")
    pair.events.clear()
    pair.layer_answers(silent)
    # And it is there again when it is needed.
    query(Threads(), client)
    assert "hedge" in pair.kinds()
    client.close()


def test_a_process_that_can_start_no_thread(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def no_more(thread: threading.Thread) -> None:
        if thread.name.startswith("hevlayer"):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(thread)

    client = pair.client()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        query(Threads(), client)
        pair.layer.stop()
        for _ in range(2):
            query(Threads(), client)
        assert len(pair.turbopuffer.requests) == 2 and is_open(client)
    pair.layer.start()
    # The next call finds that a thread can be had again.
    query(Threads(), client)
    Threads().until(lambda: not is_open(client), "it returns")
    client.close()


def test_no_task_runs_on_after_close(pair: Pair) -> None:
    import asyncio

    async def scenario() -> set[Any]:
        client = pair.async_client(settings=hedging(0.05, probe_initial_s=30))
        pair.layer_answers(silent)
        for _ in range(4):
            await client.namespace("n").query(rank_by=RANKING, top_k=1)
        assert is_open(client)
        await client.close()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(scenario()) == set()


@pytest.mark.parametrize("hedged", [False, True])
def test_a_callers_cancellation_is_the_callers(pair: Pair, hedged: bool) -> None:
    import asyncio

    async def scenario() -> set[Any]:
        settings = hedging(0.01 if hedged else 60)
        async with pair.async_client(settings=settings) as client:
            pair.layer_answers(silent)
            pair.turbopuffer.script = silent
            asked = pair.turbopuffer if hedged else pair.layer
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    task = asyncio.current_task()
                    assert task is not None
                    call = asyncio.ensure_future(client.namespace("n").query(rank_by=RANKING, top_k=1))
                    while not asked.requests:
                        await asyncio.sleep(0.005)
                    call.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await call
                    async with asyncio.timeout(0.05):
                        await client.namespace("n").query(rank_by=RANKING, top_k=1)
            assert task.cancelling() == 0
        return asyncio.all_tasks() - {task}

    assert asyncio.run(scenario()) == set()


def test_a_hedge_leaves_no_cancellation_behind(pair: Pair) -> None:
    import asyncio

    async def scenario() -> None:
        async with pair.async_client(settings=hedging(0.2)) as client:
            pair.layer_answers(silent)
            await client.namespace("n").query(rank_by=RANKING, top_k=1)
            task = asyncio.current_task()
            assert task is not None and task.cancelling() == 0
            await asyncio.to_thread(int)

    asyncio.run(scenario())


def test_a_hook_that_fails_harms_no_call(half: Half, pair: Pair) -> None:
    def hook(event: Any) -> None:
        raise RuntimeError("no")

    client = half.client(pair, on_event=hook)
    pair.layer.stop()
    query(half, client)
    half.close(client)


def test_a_hook_holds_up_no_other_call(half: Half, pair: Pair) -> None:
    free: list[bool] = []

    def hook(event: Any) -> None:
        if event.kind == "opened":
            asked = threading.Event()
            threading.Thread(target=lambda: client.fall_through.breaker.before_probe(asked.set)).start()
            free.append(asked.wait(5))

    client = half.client(pair, on_event=hook)
    pair.layer_answers(answers(503))
    for _ in range(3):
        query(half, client)
        # Whoever opens it tells of it while others already use it.
    assert free == [True]
    half.close(client)


def test_a_client_without_a_timeout(half: Half, pair: Pair) -> None:
    client = half.client(pair, timeout=3)
    assert client.with_options(timeout=None).timeout is None
    assert client.with_options(max_retries=3).timeout == 3
    assert client.with_options(timeout=None).with_options(max_retries=1).timeout is None
    half.close(client)


def test_no_probe_starts_after_close(pair: Pair) -> None:
    import asyncio

    async def scenario() -> set[Any]:
        client = pair.async_client()
        await client.close()
        # A call that was under way finds that Layer is away.
        client.fall_through.breaker.open(None, "not_sent")
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(scenario()) == set()


def test_a_hedge_is_made_in_its_callers_context() -> None:
    import asyncio
    from contextvars import ContextVar

    caller: ContextVar[str] = ContextVar("caller", default="nobody")
    seen: dict[str, str] = {}

    class Silent(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            await asyncio.Event().wait()
            raise AssertionError

    class Answers(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            seen[request.url.path.split("/")[3]] = caller.get()
            return httpx2.Response(200, json={})

    async def scenario() -> None:
        transport = AsyncFallThroughTransport(
            "http://layer",
            turbopuffer_url="http://turbopuffer",
            turbopuffer_api_key="t",
            settings=Settings(hedge_delay_default_s=0.02, probe_initial_s=60),
            layer_transport=Silent(),
            turbopuffer_transport=Answers(),
        )
        async with httpx2.AsyncClient(transport=transport) as client:

            async def ask(name: str) -> None:
                caller.set(name)
                await client.get(f"http://layer/v1/namespaces/{name}/schema")

            await asyncio.gather(*map(ask, "abc"))

    asyncio.run(scenario())
    assert seen == {"a": "a", "b": "b", "c": "c"}


def test_clients_made_of_a_client_share_what_it_knows(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    other = client.with_options(max_retries=1, default_headers={"x-one": "1"})
    pair.layer.stop()
    query(half, other)
    assert is_open(client)
    assert pair.turbopuffer.requests[0].headers["x-one"] == "1"
    assert other.max_retries == 1 and other.with_options(timeout=3).timeout == 3
    with pytest.raises(TypeError, match="base_url"):
        client.with_options(base_url="http://elsewhere")
    half.close(client)


def test_an_official_client_with_the_transport(pair: Pair) -> None:
    from turbopuffer import DefaultHttpxClient, Turbopuffer

    from hevlayer import FallThroughTransport, OutcomeUnknown

    transport = FallThroughTransport(
        pair.layer.url,
        turbopuffer_url=pair.turbopuffer.url,
        turbopuffer_api_key="other",
        settings=FAST,
        on_event=pair.events.append,
    )
    http_client = DefaultHttpxClient(transport=transport)
    with Turbopuffer(base_url=pair.layer.url, api_key=LAYER_KEY, http_client=http_client) as client:
        pair.layer_answers(answers(502))
        assert client.namespace("n").query(rank_by=RANKING, top_k=1).rows
        with pytest.raises(OutcomeUnknown):
            client.namespace("n").write(patch_by_filter={"filters": ["a", "Eq", 1], "patch": {"a": 2}})
        assert len(pair.layer.requests) == 2 and len(pair.turbopuffer.requests) == 1


def test_spans(half: Half, pair: Pair) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    client = half.client(pair)
    pair.layer.stop()
    query(half, client)
    (made,) = exporter.get_finished_spans()
    assert made.name == "turbopuffer query" and made.attributes is not None
    assert made.attributes["layer.reason"] == "not_sent"
    half.close(client)


def test_a_server_that_says_nothing_of_itself(pair: Pair) -> None:
    """The tests' own server: it forgets nothing on a restart."""
    server = Server()
    port = server.port
    server.stop()
    server.start()
    assert server.port == port
    server.stop()
