"""What fetches of large documents hold is bounded by fetch.held_bytes, however slowly it is read, on the process."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.client import Connection, ask, refusal
from harness.doc_cache import start_doc_cache
from harness.grpc import call
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program, start_router
from harness.rows import JSON, NS, Rows, batch, fetch, shown
from harness.waiting import until
from harness.wire import LAST_CHUNK, Message, body_pieces, chunk

MIB = 1 << 20
ROW_BYTES = 2 * MIB
IDS = list(range(48))
HELD = 10 * MIB
"""fetch.held_bytes, of which 48 such documents are nearly ten times as much."""
FILLING = 4 * MIB
"""cache.fill_queue_bytes. Beside the queue its four senders have a value in hand each, compressed and as a message."""
BESIDE = 40 * MIB
"""What the bound does not count: connections' buffers, what is sent to the cache, and what the allocator keeps."""

SETTINGS = {"fetch.held_bytes": HELD, "cache.fill_queue_bytes": FILLING}


class Large:
    """An origin with large documents. It sends their text as it lies, or in chunks of no declared length."""

    def __init__(self, chunked: bool = False) -> None:
        made = random.Random(1)
        text = base64.b64encode(made.randbytes(ROW_BYTES * 3 // 4)).decode()
        self.rows = {id_: json.dumps({"id": id_, "t": f"{id_:03}{text}"}).encode() for id_ in IDS}
        self.chunked = chunked
        self.lock = threading.Lock()
        self.answered = 0
        """Documents that were sent to the end."""

    def __call__(self, exchange: Exchange) -> None:
        exchange.read_body()
        self.answer(exchange, json.loads(exchange.request.body or b"{}"))

    def answer(self, exchange: Exchange, body: dict[str, Any]) -> None:
        ids = body["filters"][2]
        rows = [self.rows[id_] for id_ in sorted(ids) if id_ in self.rows]
        pieces = [b'{"rows":[', *[b"," * (at > 0) + row for at, row in enumerate(rows)], b"]}"]
        if self.chunked:
            exchange.send_head("200 OK", [("transfer-encoding", "chunked")])
        else:
            exchange.send_head("200 OK", [("content-length", str(sum(map(len, pieces))))])
        for piece in pieces:
            exchange.send(chunk(piece) if self.chunked else piece)
        if self.chunked:
            exchange.send(LAST_CHUNK)
        with self.lock:
            self.answered += len(rows)


class Listed(Large):
    """The same, which can be listed too."""

    def answer(self, exchange: Exchange, body: dict[str, Any]) -> None:
        if exchange.request.target.endswith("/metadata"):
            return exchange.reply_json({"approx_row_count": len(IDS), "schema": {}})
        if "include_attributes" in body:
            return super().answer(exchange, body)
        after = body["filters"][2] if "filters" in body else -1
        return exchange.reply_json({"rows": [{"id": id_} for id_ in IDS if id_ > after]})


@pytest.fixture
def routers(origin: FakeOrigin) -> Iterator[Callable[..., Program]]:
    with contextlib.ExitStack() as stack:

        def start_one(settings: dict[str, Any]) -> Program:
            router = start_router(origin.url, settings)
            stack.callback(router.process.kill)
            return router

        yield start_one


@pytest.fixture
def doc_cache() -> Iterator[Program]:
    program = start_doc_cache({"embedded.memory_bytes": 512 * MIB})
    yield program
    program.process.kill()


def cached(doc_cache: Program) -> dict[str, Any]:
    """A cache that may be slower than production's: this is a build for tests, and documents are large."""
    return {"cache.addresses": doc_cache.address, "cache.tenant": "store", "cache.deadline_ms": 3000}


def filled(router: Program, large: Large) -> None:
    """Fetches until the cache has all of it."""

    def warm() -> bool:
        before = large.answered
        assert ids_of(batch(router, {"ids": IDS})) == IDS
        return large.answered == before

    until(warm, "the cache has them all", 60)


def ids_of(answer: Message) -> list[int]:
    documents = shown(answer)["documents"]
    assert all(len(one["attributes"]["t"]) >= ROW_BYTES for one in documents)
    assert [int(one["attributes"]["t"][:3]) for one in documents] == [one["id"] for one in documents]
    return [one["id"] for one in documents]


@contextlib.contextmanager
def bounded(router: Program) -> Iterator[None]:
    """What happens here takes no more memory than is promised."""
    before = router.process.memory_peak_bytes()
    try:
        yield
    finally:
        grown = router.process.memory_peak_bytes() - before
        print(f"grown by {grown / MIB:.1f} MiB")
    assert grown < HELD + FILLING + BESIDE


@contextlib.contextmanager
def stalled_batch(router: Program) -> Iterator[Callable[[], list[int]]]:
    """A caller that reads the first bytes of its answer and then nothing, until it is told to go on."""
    with Connection(router.url, patience_s=60) as caller:
        caller.send_request("POST", f"/v2/namespaces/{NS}/documents", json.dumps({"ids": IDS}).encode(), JSON)
        head = caller.answer_head()
        assert head.status == 200

        def go_on() -> list[int]:
            head.body = b"".join(body_pieces(caller.stream, head, to_end=True))
            head.complete = True
            return ids_of(head)

        yield go_on


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_batch_from_the_origin(routers: Callable[..., Program], origin: FakeOrigin, chunked: bool) -> None:
    origin.script = large = Large(chunked)
    router = routers(SETTINGS)
    with bounded(router):
        assert ids_of(batch(router, {"ids": IDS})) == IDS
        known = large.answered
        assert ids_of(batch(router, {"ids": IDS[::-1]})) == IDS[::-1]
    assert large.answered - known == len(IDS), "once their size is known, no document is read for nothing"


def test_a_batch_from_the_cache(routers: Callable[..., Program], origin: FakeOrigin, doc_cache: Program) -> None:
    origin.script = large = Large()
    warmer = routers(cached(doc_cache))

    filled(warmer, large)
    router = routers(SETTINGS | cached(doc_cache))
    until(lambda: fetch(router, 7).get("x-layer-cache") == "hit", "it has found the cache")
    asked = len(origin.requests)
    with bounded(router):
        for _ in range(2):
            assert ids_of(batch(router, {"ids": IDS})) == IDS
        with stalled_batch(router) as go_on:
            assert fetch(router, 7).get("x-layer-cache") == "hit"
            assert go_on() == IDS
    assert len(origin.requests) == asked, "what there is no room for is not taken for a miss"


def test_slow_readers_hold_little_and_do_not_keep_others_from_reading(
    routers: Callable[..., Program], origin: FakeOrigin, doc_cache: Program
) -> None:
    origin.script = large = Large()
    router = routers(SETTINGS | cached(doc_cache))
    with bounded(router):
        assert ids_of(batch(router, {"ids": IDS[:1]})) == IDS[:1]
        known = large.answered
        with stalled_batch(router) as go_on:
            assert large.answered - known < len(IDS) // 2, "most of it is not read before its reader takes it"
            assert ids_of(batch(router, {"ids": IDS})) == IDS
            assert ids_of(batch(router, {"ids": IDS[::-1]})) == IDS[::-1]
            assert go_on() == IDS


def test_who_finds_no_room_is_told_so_and_the_others_end(routers: Callable[..., Program], origin: FakeOrigin) -> None:
    origin.script = Large()
    router = routers(SETTINGS)
    with bounded(router):
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: batch(router, {"ids": IDS[:12]}), range(12)))
            singles = list(pool.map(lambda id_: fetch(router, id_), IDS[:24]))
        for answer in (*answers, *singles):
            if answer.status != 200:
                assert refusal(answer)[:2] == (429, "overloaded")
                assert answer.get("retry-after") == "1"
        assert [ids_of(answer) for answer in answers if answer.status == 200], "somebody is always served"
        assert all(ids_of(answer) == IDS[:12] for answer in answers if answer.status == 200)
    assert ids_of(batch(router, {"ids": IDS})) == IDS, "all room came back"


def test_a_document_that_never_fits_is_refused(routers: Callable[..., Program], origin: FakeOrigin) -> None:
    origin.script = Large()
    router = routers({"fetch.held_bytes": 3 * MIB})
    for answer in (batch(router, {"ids": IDS}), fetch(router, 1)):
        status, code, text = refusal(answer)
        assert (status, code, answer.get("retry-after")) == (429, "overloaded", "1")
        assert "fetch.held_bytes" in text


def test_a_warm_of_what_is_cached_already(
    routers: Callable[..., Program], origin: FakeOrigin, doc_cache: Program, tmp_path: Path
) -> None:
    """It looks everything up, and needs none of what it hits."""
    origin.script = large = Listed()
    filled(routers(cached(doc_cache)), large)
    store = {"object_store.backend": "directory", "object_store.directory": str(tmp_path)}
    router = routers(SETTINGS | cached(doc_cache) | store)
    until(lambda: fetch(router, 7).get("x-layer-cache") == "hit", "it has found the cache")
    answered = large.answered
    with bounded(router):
        job = json.loads(ask(router.url, "POST", f"/v2/namespaces/{NS}/warm").body)
        path = f"/v2/namespaces/{NS}/warm-jobs/{job['id']}"

        def ended() -> dict[str, Any] | None:
            now = json.loads(ask(router.url, "GET", path).body)
            return now if now["status"] != "running" else None

        job = until(ended, "the job ends", 30)
    assert (job["status"], job["documents_scanned"], job["documents_warmed"]) == ("completed", len(IDS), 0)
    assert large.answered == answered


def test_a_small_hit_needs_no_room_however_it_is_asked_for(
    routers: Callable[..., Program], origin: FakeOrigin, doc_cache: Program
) -> None:
    origin.script = Rows({1: {"t": "x" * 10_000}})
    warmer = routers(cached(doc_cache))
    until(lambda: fetch(warmer, 1).get("x-layer-cache") == "hit", "the cache has it")
    router = routers({"fetch.held_bytes": 1024} | cached(doc_cache))
    until(lambda: fetch(router, 1).get("x-layer-cache") == "hit", "it has found the cache")
    assert batch(router, {"ids": [1]}).get("x-layer-cache") == "hit"
    document = call(router, "Fetch", {"namespace": NS, "id": {"uint_value": "1"}})["document"]
    assert document["attributes"] == {"t": {"string_value": "x" * 10_000}}
    assert batch(router, {"ids": [1, 1]}).status == 429, "the bound is full"
