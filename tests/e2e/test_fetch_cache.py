"""Fetches with the document cache, and with a cache that is slow, gone, empty or mad: every fetch still answers."""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from harness.client import Connection, ask, refusal
from harness.doc_cache import start_doc_cache
from harness.exposition import value
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program, start_router
from harness.rows import JSON, NS, Rows, batch, fetch, shown
from harness.waiting import steady, until
from harness.wire import body_pieces

Start = Callable[..., Program]
CACHE = "x-layer-cache"


@pytest.fixture
def mesh(origin: FakeOrigin, doc_cache: Program) -> Iterator[Start]:
    """Starts routers before the scripted origin and beside the cache, or beside another address."""
    with ExitStack() as stack:

        def start_one(settings: dict[str, Any] | None = None, address: str | None = None) -> Program:
            own = {"cache.addresses": address or doc_cache.address, "cache.tenant": "store"}
            router = start_router(origin.url, own | (settings or {}))
            stack.callback(router.process.kill)
            return router

        yield start_one


def warm(router: Program, id_: int | str = 1, query: str = "", **options: Any) -> None:
    """Fetches until the cache has it: fills go on in the background."""

    def look() -> bool:
        answer = fetch(router, id_, query, **options)
        assert answer.status in (200, 404), answer
        return answer.get(CACHE) == "hit"

    until(look, "the cache serves it")


def test_a_hit_is_the_same_answer_and_asks_nobody(mesh: Start, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({1: {"t": "ü", "big": 2**63, "_hevlayer_upserted_at": 5}})
    router = mesh()
    missed = fetch(router, 1)
    assert missed.get(CACHE) in ("miss", "miss-on-error")
    warm(router)
    asked = len(rows.queries)
    hit = fetch(router, 1)
    assert (hit.get(CACHE), hit.body) == ("hit", missed.body)
    named = fetch(router, 1, "?include_attributes=_hevlayer_upserted_at,t")
    assert shown(named)["attributes"] == {"_hevlayer_upserted_at": 5, "t": "ü"}
    assert (named.get(CACHE), len(rows.queries)) == ("hit", asked)
    both = batch(router, {"ids": [1, 1]})
    assert (both.get(CACHE), len(shown(both)["documents"])) == ("hit", 2)
    mixed = batch(router, {"ids": [1, 2]})
    assert (mixed.get(CACHE), shown(mixed)["missing"]) == ("miss", [2])
    assert rows.queries[asked:] == [[2]], "exactly the missing id is asked for"


@pytest.mark.parametrize(
    ("names", "shown_of_1"), [(["t", "nope"], b'{"t":"x"}'), (["nope"], b"{}"), (["n", "nope"], b'{"n":null}')]
)
def test_a_name_that_nobody_knows_is_left_out_of_hit_and_miss_alike(
    mesh: Start, origin: FakeOrigin, names: list[str], shown_of_1: bytes
) -> None:
    """A hit asks nobody, so it cannot know that the schema has no such name: a miss must not know it either."""
    origin.script = Rows({1: {"t": "x", "n": None}, 2: {}})
    router = mesh()
    for id_ in (1, 2, 3):
        warm(router, id_)
    asked = {"ids": [1, 2, 3], "include_attributes": names}
    hit, miss = batch(router, asked), batch(router, asked | {"consistency": "strong"})
    assert (hit.get(CACHE), miss.get(CACHE)) == ("hit", "miss")
    of_1 = b'{"id":1,"attributes":' + shown_of_1 + b"}"
    assert hit.body == miss.body == b'{"documents":[' + of_1 + b',{"id":2,"attributes":{}}],"missing":[3]}'
    query = "?include_attributes=" + ",".join(names)
    hit, miss = fetch(router, 1, query), fetch(router, 1, f"{query}&consistency=strong")
    assert (hit.get(CACHE), miss.get(CACHE), hit.body, miss.body) == ("hit", "miss", of_1, of_1)


def test_integer_1_is_not_string_1(mesh: Start, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({1: {}})
    router = mesh()
    warm(router)
    asked = len(rows.queries)
    assert fetch(router, 1, "?id_type=string").status == 400, "the origin refuses it, whatever the cache has"
    assert len(rows.queries) == asked + 1


def test_absence_is_remembered_for_a_while(mesh: Start, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({1: {}})
    router = mesh({"cache.absent_ttl_ms": 1500})
    warm(router, 2)
    assert refusal(fetch(router, 2))[0] == 404
    asked = len(rows.queries)
    rows.rows[2] = {"v": 1}
    until(lambda: fetch(router, 2).status == 200, "it is asked for again")
    assert len(rows.queries) == asked + 1


def test_strong_goes_to_the_origin(mesh: Start, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({1: {}})
    router = mesh()
    warm(router)
    asked = len(rows.queries)
    assert fetch(router, 1, "?consistency=strong").get(CACHE) == "miss"
    assert batch(router, {"ids": [1], "consistency": "strong"}).get(CACHE) == "miss"
    assert len(rows.queries) == asked + 2


def test_a_failed_read_fills_nothing(mesh: Start, origin: FakeOrigin) -> None:
    router = mesh()
    rows = Rows({1: {}})

    def broken(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("404 Not Found", b'{"status":"error","error":"no namespace"}')

    origin.script = broken
    for _ in range(3):
        assert fetch(router, 1).status == 404
    origin.script = rows
    assert fetch(router, 1).status == 200, "a missing namespace is no absent row"


def test_a_write_is_seen_by_the_next_fetch(mesh: Start, origin: FakeOrigin) -> None:
    origin.script = Rows({1: {"v": 0}})
    routers = [mesh(), mesh()]
    for number in range(1, 30):
        body = b'{"upsert_rows":[{"id":1,"v":%d}]}' % number
        assert ask(routers[number % 2].url, "POST", f"/v2/namespaces/{NS}", body, JSON).status == 200
        for router in routers:
            assert shown(fetch(router, 1))["attributes"]["v"] == number
    warm(routers[0])


def test_only_keys_that_the_origin_accepts_are_served(mesh: Start, origin: FakeOrigin) -> None:
    rows = Rows({1: {"secret": 1}})

    def script(exchange: Exchange) -> None:
        if exchange.request.get("authorization") == "Bearer good":
            return rows(exchange)
        exchange.read_body()
        exchange.reply("401 Unauthorized", b'{"status":"error","error":"no"}')
        return None

    origin.script = script
    settings = {"auth.mode": "pass-through", "origin.api_key": None, "auth.single_organisation": True}
    router = mesh(settings)

    def with_key(key):
        return {"headers": [("authorization", f"Bearer {key}")], "key": False}

    warm(router, 1, **with_key("good"))
    for _ in range(2):
        assert fetch(router, 1, **with_key("bad")).status == 401
    assert fetch(router, 1, key=False).status == 401
    assert fetch(router, 1, **with_key("good")).get(CACHE) == "hit"
    assert ask(router.url, "GET", "/v2/namespaces/other/documents/1", **with_key("bad")).status == 401


def test_keys_of_unknown_organisations_get_nothing_cached(mesh: Start, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({1: {}})
    router = mesh({"auth.mode": "pass-through", "origin.api_key": None})
    for number in range(1, 6):
        assert fetch(router, 1).get(CACHE) == "miss"
        assert len(rows.queries) == number


def answers_all(router: Program, rows: Rows, seconds: float = 0) -> list[float]:
    """Fetches that must all answer; how long each took."""
    times, end = [], time.monotonic() + seconds
    while len(times) < 30 or time.monotonic() < end:
        began = time.monotonic()
        answer = fetch(router, 1)
        times.append(time.monotonic() - began)
        assert shown(answer)["attributes"] == rows.rows[1]
    assert shown(batch(router, {"ids": [1, 2, 3]}))["missing"] == [2, 3]
    return times


@pytest.mark.parametrize("doc_cache", [{"proof.lapse_ms": None}], indirect=True, ids=["lapse"])
def test_a_cache_that_is_paused_killed_or_empty_fails_no_fetch(
    mesh: Start, origin: FakeOrigin, doc_cache: Program
) -> None:
    rows = origin.script = Rows({1: {"v": 1}})
    router = mesh({"cache.deadline_ms": None})
    warm(router)
    doc_cache.process.suspend()
    times = answers_all(router, rows)
    assert max(times) < 2
    assert sorted(times)[len(times) // 2] < 0.2, "the breaker opens"
    away = fetch(router, 1)
    assert away.get(CACHE) == "miss-on-error"
    page = router.metrics()
    assert value(page, "hevlayer_cache_cold_responses_total", namespace=NS) > 0
    assert value(page, "hevlayer_cache_demand_total") > 30
    doc_cache.process.resume()
    warm_again(router)
    doc_cache.process.kill()
    answers_all(router, rows)
    again = start_doc_cache(port=doc_cache.port)
    try:
        answers_all(router, rows)
        warm_again(router)
    finally:
        again.process.kill()


def warm_again(router: Program) -> None:
    until(lambda: fetch(router, 1).get(CACHE) == "hit", "the cache serves again", 30)


def silent() -> socket.socket:
    """Takes connections into its backlog and never says a word."""
    return socket.create_server(("127.0.0.1", 0), backlog=64)


def test_a_black_hole_fails_no_fetch(mesh: Start, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({1: {"v": 1}})
    with silent() as listener:
        router = mesh(address=f"127.0.0.1:{listener.getsockname()[1]}")
        times = answers_all(router, rows)
        assert fetch(router, 1).get(CACHE) == "miss-on-error"
    assert sorted(times)[len(times) // 2] < 0.2


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"\x00" * 64, b""])
def test_a_cache_that_answers_garbage_or_hangs_up_fails_no_fetch(
    mesh: Start, origin: FakeOrigin, answer: bytes
) -> None:
    rows = origin.script = Rows({1: {"v": 1}})
    with silent() as listener:

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                    sock.sendall(answer)
                    sock.close()
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        router = mesh(address=f"127.0.0.1:{listener.getsockname()[1]}")
        answers_all(router, rows)
        assert fetch(router, 1).get(CACHE) == "miss-on-error"
        listener.shutdown(socket.SHUT_RDWR)


def unread(caller: Connection) -> int:
    """Bytes that have come and nobody has read."""
    return struct.unpack("i", fcntl.ioctl(caller.stream.socket, termios.FIONREAD, bytes(4)))[0]


def test_a_caller_that_stands_still_keeps_nobody_from_the_cache(mesh: Start, origin: FakeOrigin) -> None:
    """What is read ahead of it must not keep the worker's turns at the cache, nor what a connection has received."""
    rows = origin.script = Rows({id_: {"t": "x" * 2000} for id_ in range(8000)})
    ids = list(rows.rows)
    # A build for tests may be slow; a turn that nobody gives back never comes.
    router = mesh({"listen.workers": 1, "cache.deadline_ms": 3000})
    warm(router)

    def cached() -> bool:
        asked = len(rows.asked())
        assert len(shown(batch(router, {"ids": ids}))["documents"]) == len(ids)
        return len(rows.asked()) == asked

    until(cached, "the cache has them all", 60)
    with Connection(router.url, patience_s=60) as slow:
        slow.send_request("POST", f"/v2/namespaces/{NS}/documents", json.dumps({"ids": ids}).encode(), JSON)
        head = slow.answer_head()
        assert steady(lambda: unread(slow), 0.5) > 0
        for some in (ids[:100], ids[100:500]):
            assert batch(router, {"ids": some}).get(CACHE) == "hit"
        head.body = b"".join(body_pieces(slow.stream, head, to_end=True))
        head.complete = True
        assert [one["id"] for one in shown(head)["documents"]] == ids


def test_hits_are_compared_with_the_origin(mesh: Start, origin: FakeOrigin) -> None:
    rows = origin.script = Rows({1: {"v": 1}})
    router = mesh({"fetch.verify_one_in": 1})

    def verified(result):
        return value(router.metrics(), "hevlayer_cache_verify_total", result=result)

    warm(router)
    until(lambda: verified("same") >= 1, "a hit is compared")
    # A write that never came through Layer: the cache cannot know of it.
    rows.rows[1] = {"v": 2}
    assert fetch(router, 1).get(CACHE) == "hit"
    until(lambda: verified("stale") >= 1, "it is found out")
