"""Telling Layer what was written past it, over sockets."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from asking import QUERY, Half, is_open, query, told, write
from halves import Threads

from fakes import FAST, LAYER_KEY, Pair, answers, layer_error, layer_script, reset


def wrote_past(half: Half, pair: Pair) -> Any:
    """A client that has written a row while Layer was gone; it is still gone."""
    client = half.client(pair)
    pair.layer.stop()
    write(half, client, upsert_rows=[{"id": 1}])
    return client


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
    client = wrote_past(half, pair)
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
    client = wrote_past(half, pair)
    pair.layer.script = layer_error(404, "not_found")
    pair.layer.start()
    half.until(lambda: not is_open(client), "it returns")
    half.close(client)


def test_it_stays_away_until_layer_was_told(half: Half, pair: Pair) -> None:
    client = wrote_past(half, pair)
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
    ended = time.monotonic() + 20

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
    client = half.client(pair, settings=replace(FAST, healing_ids_max=3, healing_namespaces_max=2))
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
