"""The breaker, its probe, hedges, and telling Layer what was written past it, over sockets."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from typing import Any

import httpx2
import pytest
from halves import Loop, Threads

from fakes import LAYER_KEY, Pair, Server, answers, layer_error, layer_script, reset, silent
from hevlayer import AsyncFallThroughTransport, LayerUnavailable, Settings, record_perf
from hevlayer._runtime import threads

Half = Threads | Loop
RANKING: Any = ["vector", "ANN", [0.1]]
QUERY = "/v2/namespaces/n/query"


def query(half: Half, client: Any) -> Any:
    return half.run(client.namespace("n").query(rank_by=RANKING, top_k=1))


def write(half: Half, client: Any, namespace: str = "n", **body: Any) -> Any:
    return half.run(client.namespace(namespace).write(**body))


def is_open(client: Any) -> bool:
    opened: bool = client.fall_through.breaker.is_open
    return opened


def told(pair: Pair) -> dict[str, Any]:
    """What Layer was told of, by namespace; None: all of it."""
    kept: dict[str, Any] = {}
    for exchange in pair.layer.requests:
        if exchange.path.endswith("/invalidate"):
            ids = exchange.json().get("ids")
            kept[exchange.path.split("/")[3]] = None if ids is None else set(ids)
    return kept


def test_while_layer_is_away_it_is_not_asked(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=Settings(probe_initial_s=60))
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
    client = half.client(pair)
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
    client = half.client(pair)
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
    client = half.client(pair)
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
    settings = Settings(hedge_delay_default_s=0.05, probe_initial_s=60)
    client = half.client(pair, settings=settings, timeout=httpx2.Timeout(0.5))
    pair.layer_answers(silent)
    write(half, client, upsert_rows=[{"id": 1}])
    with pytest.raises(LayerUnavailable):
        half.run(client.namespace("n").query(rank_by=["t", "Auto", "x"], top_k=1))
    assert "hedge" not in pair.kinds()
    half.close(client)


def test_hanging_opens_the_breaker(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=Settings(hedge_delay_default_s=0.05, hedge_budget_burst=1, probe_initial_s=60))
    pair.layer_answers(silent)
    for _ in range(6):
        query(half, client)
    # The budget of one is not what holds it up: after a failure there is none.
    assert is_open(client) and len(pair.layer.requests) == 3
    half.close(client)


def test_the_budget_of_hedges(half: Half, pair: Pair) -> None:
    settings = Settings(hedge_delay_default_s=0.02, hedge_budget_burst=2)
    client = half.client(pair, settings=settings)
    pair.turbopuffer.script = answers(429)

    def slow(exchange: Any) -> None:
        time.sleep(0.1)
        layer_script(exchange)

    pair.layer.script = slow
    for _ in range(6):
        query(half, client)
    assert len(pair.turbopuffer.requests) == 2
    half.close(client)


def test_a_black_hole_costs_the_connect_timeout(half: Half, pair: Pair) -> None:
    # TEST-NET-1: nobody is there. Where the machine has no route it is refused at once, which is as good.
    client = half.client(pair, base_url="http://192.0.2.1:9")
    begun = time.monotonic()
    query(half, client)
    assert time.monotonic() - begun < 3.0
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


def test_layer_learns_what_was_written_before_any_call_goes_back(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    write(half, client, upsert_rows=[{"id": 1}, {"id": "a"}])
    write(half, client, upsert_columns={"id": [2, 3]}, deletes=[4])
    write(half, client, "m", delete_by_filter=["a", "Eq", 1])
    write(half, client, "s", schema={"t": "string"})
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    assert told(pair) == {"n": {1, "a", 2, 3, 4}, "m": None}
    assert {each.headers["authorization"] for each in pair.layer.requests} == {f"Bearer {LAYER_KEY}"}
    half.close(client)


def test_layer_is_told_with_the_key_of_who_wrote(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    other = client.with_options(api_key="key-of-another-tenant")
    pair.layer.stop()
    write(half, client, "a", upsert_rows=[{"id": 1}])
    write(half, other, "b", upsert_rows=[{"id": 1}])
    query(half, other)
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    keys = {each.path.split("/")[3]: each.headers["authorization"] for each in pair.layer.requests}
    assert keys == {"a": f"Bearer {LAYER_KEY}", "b": "Bearer key-of-another-tenant"}
    half.close(client)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_layer_refuses_has_told_it_nothing(
    half: Half, pair: Pair, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "hevlayer")
    client = half.client(pair)
    pair.layer.stop()
    write(half, client, upsert_rows=[{"id": 1}])
    pair.layer.script = layer_error(status, "unauthorized")
    pair.layer.start()
    half.until(lambda: len(pair.layer.requests) >= 3, "it tries to tell")
    assert is_open(client) and "untold" in pair.kinds()
    # It says so once, and not at each probe.
    assert len([record for record in caplog.records if "key" in record.message]) == 1
    pair.layer.script = layer_script
    pair.layer.requests.clear()
    half.until(lambda: not is_open(client), "it returns")
    assert told(pair) == {"n": {1}}
    half.close(client)


def test_another_key_may_tell_what_a_refused_one_wrote(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    other = client.with_options(api_key="key-that-was-withdrawn")
    pair.layer.stop()
    write(half, other, upsert_rows=[{"id": 1}])
    query(half, client)

    def script(exchange: Any) -> None:
        known = exchange.headers["authorization"] == f"Bearer {LAYER_KEY}"
        (layer_script if known else layer_error(401, "unauthorized"))(exchange)

    pair.layer.script = script
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    assert [each.headers["authorization"] for each in pair.layer.requests][1:] == [f"Bearer {LAYER_KEY}"]
    half.close(client)


def test_a_namespace_that_layer_does_not_take_keeps_nobody_away(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    write(half, client, upsert_rows=[{"id": 1}])
    pair.layer.script = layer_error(404, "not_found")
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    half.close(client)


def test_hedges_can_be_switched_off(half: Half, pair: Pair) -> None:
    client = half.client(pair, settings=Settings(hedge_delay_default_s=0.01, hedge=False))

    def slow(exchange: Any) -> None:
        time.sleep(0.1)
        layer_script(exchange)

    pair.layer.script = slow
    query(half, client)
    assert pair.turbopuffer.requests == [] and pair.events == []
    half.close(client)


def test_it_stays_away_until_layer_was_told(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    write(half, client, upsert_rows=[{"id": 1}])
    pair.layer.script = layer_error(503, "doc_cache_unavailable")
    pair.layer.start()
    half.until(lambda: len(pair.layer.requests) >= 2, "it tries to tell")
    assert is_open(client)
    pair.layer.script = layer_script
    half.until(lambda: not is_open(client), "it returns")
    assert told(pair) == {"n": {1}}
    half.close(client)


def test_a_direct_write_beside_a_layer_that_is_there_is_told_at_once(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer_answers(reset)
    write(half, client, upsert_rows=[{"id": 1}])
    assert told(pair) == {"n": {1}}
    assert not is_open(client)
    pair.layer.script = reset
    write(half, client, upsert_rows=[{"id": 2}])
    # It could not be told: nothing goes through Layer until it has been.
    assert is_open(client)
    pair.layer.script = layer_script
    half.until(lambda: not is_open(client), "it returns")
    assert told(pair) == {"n": {2}}
    half.close(client)


@pytest.mark.parametrize("count", [10_000, 10_001])
def test_no_more_ids_are_told_than_layer_takes(half: Half, pair: Pair, count: int) -> None:
    client = half.client(pair)

    def script(exchange: Any) -> None:
        if not exchange.path.endswith("/invalidate"):
            reset(exchange)
        elif len(exchange.json().get("ids", [])) > 10_000:
            exchange.answer(422, {"error": "validation_error"}, x_layer_served_by="layer")
        else:
            layer_script(exchange)

    pair.layer.script = script
    write(half, client, upsert_rows=[{"id": each} for each in range(count)])
    assert told(pair) == {"n": set(range(count)) if count == 10_000 else None}
    half.close(client)


def test_ids_that_layer_refuses_stand_for_the_namespace(half: Half, pair: Pair) -> None:
    client = half.client(pair)

    def script(exchange: Any) -> None:
        if not exchange.path.endswith("/invalidate"):
            reset(exchange)
        elif "ids" in exchange.json():
            exchange.answer(422, {"error": "validation_error"}, x_layer_served_by="layer")
        else:
            layer_script(exchange)

    pair.layer.script = script
    write(half, client, upsert_rows=[{"id": 1}])
    assert told(pair) == {"n": None}
    half.close(client)


def test_a_write_that_is_in_flight_when_layer_returns(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    query(half, client)
    begun, go_on = threading.Event(), threading.Event()

    def held(exchange: Any) -> None:
        begun.set()
        assert go_on.wait(10)
        exchange.answer(200, {"status": "OK", "message": "", "rows_affected": 1, "billing": {}})

    pair.turbopuffer.script = held
    if isinstance(half, Threads):
        writer = threading.Thread(target=lambda: write(half, client, upsert_rows=[{"id": 9}]))
        writer.start()
        join = writer.join
    else:
        task = half.started(client.namespace("n").write(upsert_rows=[{"id": 9}]))

        def join() -> None:
            half.run(task)

    half.until(begun.is_set, "the write is under way")
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    assert told(pair) == {}
    go_on.set()
    join()
    assert told(pair) == {"n": {9}}
    half.close(client)


def test_a_write_that_ends_while_layer_is_being_told(pair: Pair) -> None:
    client = pair.client()
    pair.layer.stop()
    write(Threads(), client, upsert_rows=[{"id": 1}])
    seen: list[set[Any]] = []

    def script(exchange: Any) -> None:
        seen.append(set(exchange.json()["ids"]))
        if len(seen) == 1:
            # Layer has been asked to forget 1 alone when 2 is written past it.
            write(Threads(), client, upsert_rows=[{"id": 2}])
        layer_script(exchange)

    pair.layer.script = script
    pair.layer.start()
    Threads().until(lambda: not is_open(client), "it returns")
    assert seen == [{1}, {2}]
    client.close()


def test_a_write_that_cannot_tell_during_the_last_probe_is_told_by_it(pair: Pair) -> None:
    client = pair.client()
    pair.layer.stop()
    write(Threads(), client, upsert_rows=[{"id": 1}])
    seen: list[set[Any]] = []

    def script(exchange: Any) -> None:
        seen.append(set(exchange.json()["ids"]))
        if seen == [{1}]:
            write(Threads(), client, upsert_rows=[{"id": 2}])
        (layer_error(503, "doc_cache_unavailable") if seen[-1] == {3} else layer_script)(exchange)

    def ready(exchange: Any) -> None:
        if pair.layer.probes == 2:
            # The last probe: who writes now tells Layer, and is refused.
            write(Threads(), client, upsert_rows=[{"id": 3}])
        answers(200, {}, x_layer_served_by="layer")(exchange)

    pair.layer.script, pair.layer.ready = script, ready
    pair.layer.start()
    Threads().until(lambda: not is_open(client), "it returns")
    assert seen == [{1}, {3}, {2, 3}]
    client.close()


def test_writes_past_layer_that_never_end_do_not_keep_it_away(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    count, written = itertools.count(), threading.Semaphore(0)

    def some(exchange: Any) -> None:
        layer_script(exchange)
        written.release()

    def slow(exchange: Any) -> None:
        if exchange.path.endswith("/invalidate"):
            # While Layer is told of some writes others end: of five by four writers one at least.
            while written.acquire(blocking=False):
                pass
            for _ in range(5):
                written.acquire(timeout=0.05)
        layer_script(exchange)

    pair.turbopuffer.script, pair.layer.script = some, slow
    ended = time.monotonic() + 5

    def goes_on() -> bool:
        return is_open(client) and time.monotonic() < ended

    if isinstance(half, Threads):

        def writer() -> None:
            while goes_on():
                write(half, client, upsert_rows=[{"id": next(count)}])

        writers = [threading.Thread(target=writer) for _ in range(4)]
    query(half, client)
    assert is_open(client)
    pair.layer.start()
    if isinstance(half, Threads):
        for each in writers:
            each.start()
        for each in writers:
            each.join()
    else:

        async def forever() -> None:
            while goes_on():
                await client.namespace("n").write(upsert_rows=[{"id": next(count)}])

        tasks = [half.started(forever()) for _ in range(4)]
        for task in tasks:
            half.run(task)
    assert not is_open(client)
    # And Layer was told of each before it was answered.
    direct = {
        exchange.json()["upsert_rows"][0]["id"] for exchange in pair.turbopuffer.requests if exchange.path != QUERY
    }
    tellings = [exchange for exchange in pair.layer.requests if exchange.path.endswith("/invalidate")]
    assert {each for exchange in tellings for each in exchange.json()["ids"]} == direct
    half.close(client)


def test_a_refused_direct_write_changed_nothing(half: Half, pair: Pair) -> None:
    client = half.client(pair)
    pair.layer.stop()
    pair.turbopuffer.script = answers(400, {"status": "error", "error": "no"})
    with pytest.raises(Exception, match="400"):
        write(half, client, upsert_rows=[{"id": 1}])
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    assert told(pair) == {}
    half.close(client)


def test_what_is_remembered_is_bounded(half: Half, pair: Pair) -> None:
    settings = Settings(probe_initial_s=0.05, probe_max_s=0.2, healing_ids_max=3, healing_namespaces_max=2)
    client = half.client(pair, settings=settings)
    pair.layer.stop()
    write(half, client, "x", upsert_rows=[{"id": 1}, {"id": 2}])
    write(half, client, "y", upsert_rows=[{"id": 3}, {"id": 4}])
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    assert told(pair) == {"x": None, "y": None}
    pair.layer.requests.clear()
    pair.layer.stop()
    for name in ("x", "y", "z"):
        write(half, client, name, upsert_rows=[{"id": 1}])
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    # Of which namespaces is forgotten: all that Layer lists are told of.
    assert told(pair) == {"a": None, "b": None}
    half.close(client)


def test_nothing_runs_on_after_close(pair: Pair) -> None:
    before = set(threading.enumerate())
    client = pair.client(settings=Settings(hedge_delay_default_s=0.05, probe_initial_s=30))
    pair.layer_answers(silent)
    for _ in range(4):
        query(Threads(), client)
    assert is_open(client)
    client.close()
    ours = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("hevlayer")]
    assert ours == []


def test_a_client_that_nobody_closes_leaves_no_thread(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "IDLE_S", 0.05)
    before = set(threading.enumerate())
    client = pair.client(settings=Settings(hedge_delay_default_s=0.05))

    def waiting() -> list[str]:
        return [each.name for each in set(threading.enumerate()) - before if each.name.startswith("hevlayer")]

    for _ in range(3):
        query(Threads(), client)
        assert waiting() == ["hevlayer-hedges"]
        Threads().until(lambda: not waiting(), "its thread ends")
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
        client = pair.async_client(settings=Settings(hedge_delay_default_s=0.05, probe_initial_s=30))
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
        settings = Settings(hedge_delay_default_s=0.01 if hedged else 60)
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
        async with pair.async_client() as client:
            pair.layer_answers(silent)
            await client.namespace("n").query(rank_by=RANKING, top_k=1)
            task = asyncio.current_task()
            assert task is not None and task.cancelling() == 0
            await asyncio.sleep(0)

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
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(scenario()) == set()


def test_a_hedge_is_made_in_its_callers_context() -> None:
    import asyncio
    from contextvars import ContextVar

    caller: ContextVar[str] = ContextVar("caller", default="nobody")
    seen: dict[str, str] = {}

    class Silent(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            await asyncio.sleep(30)
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
        pair.layer.url, turbopuffer_url=pair.turbopuffer.url, turbopuffer_api_key="other", on_event=pair.events.append
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
