"""What is written through one router is what every router fetches, from the moment when the write is acknowledged."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from harness.client import Connection, ask
from harness.coherence import key, write
from harness.doc_cache import Cache, start_doc_cache
from harness.programs import Program, await_cache, start_router
from harness.waiting import until

NS = "ns"
ROUNDS = 60
IDS = [1, 2, 3]

Start = Callable[..., Program]


@pytest.fixture
def cache() -> Iterator[Cache]:
    program = start_doc_cache()
    with Cache(program, NS) as cache:
        until(lambda: cache.get(b"probe")[0] == "lease", "the cache serves")
        yield cache
    program.process.kill()


@pytest.fixture
def mesh(stand_in: Program, cache: Cache) -> Iterator[Start]:
    """Starts routers before the stand-in and beside the cache."""
    with ExitStack() as stack:

        def start_one(settings: dict[str, Any] | None = None) -> Program:
            own = {"cache.addresses": cache.address, "cache.tenant": "store", "cache.warm_on_write": False}
            router = start_router(stand_in.url, own | (settings or {}))
            stack.callback(router.process.kill)
            return await_cache(router)

        yield start_one


def fetch(router: Program | Connection, id_: int) -> tuple[int | None, str]:
    """The document's `n`, nothing where it is absent, and where it came from."""
    target = f"/v2/namespaces/{NS}/documents/{id_}"
    answer = router.request("GET", target) if isinstance(router, Connection) else ask(router.url, "GET", target)
    came = answer.get("x-layer-cache") or ""
    if answer.status == 404:
        return None, came
    assert answer.status == 200, answer
    body = json.loads(answer.body)
    return body.get("attributes", body)["n"], came


def upsert(router: Program, n: int, ids: list[int] = IDS) -> None:
    assert write(router, NS, {"upsert_rows": [{"id": id_, "n": n} for id_ in ids]}).status == 200


def hit(router: Program, id_: int = 1) -> int | None:
    """What the cache serves, once it does."""
    return until(lambda: [n for n, came in [fetch(router, id_)] if came == "hit"], "the cache serves it")[0]


WRITES: dict[str, tuple[dict[str, Any], int | None]] = {
    "upsert": ({"upsert_rows": [{"id": 1, "n": 7}]}, 7),
    "columns": ({"upsert_columns": {"id": [1], "n": [7]}}, 7),
    "patch": ({"patch_rows": [{"id": 1, "n": 7}]}, 7),
    "delete": ({"deletes": [1]}, None),
    "patch by filter": ({"patch_by_filter": {"filters": ["n", "Eq", 5], "patch": {"n": 7}}}, 7),
    "delete by filter": ({"delete_by_filter": ["n", "Lt", 6]}, None),
    "bulk": ({"upsert_rows": [{"id": id_, "n": 7} for id_ in range(1, 400)]}, 7),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_through_one_router_is_fetched_through_the_other(mesh: Start, name: str) -> None:
    one, other = mesh(), mesh()
    body, after = WRITES[name]
    upsert(one, 5)
    assert (hit(one), hit(other)) == (5, 5)
    assert write(one, NS, body).status == 200
    assert fetch(other, 1)[0] == after
    assert fetch(one, 1)[0] == after


def test_a_deleted_namespace_is_gone_from_the_cache(mesh: Start) -> None:
    one, other = mesh(), mesh()
    upsert(one, 5)
    assert hit(other) == 5
    assert ask(one.url, "DELETE", f"/v2/namespaces/{NS}").status == 200
    assert fetch(other, 1)[0] is None


def test_no_fetch_is_older_than_a_write_acknowledged_before_it_began(mesh: Start) -> None:
    one, other = mesh(), mesh()
    upsert(one, 0)
    acknowledged, done = [0], threading.Event()
    stale: list[tuple[int | None, int]] = []
    came: list[str] = []

    def read(router: Program) -> None:
        with Connection(router.url) as connection:
            while not done.is_set():
                least = acknowledged[0]
                n, where = fetch(connection, 1)
                came.append(where)
                if n is None or n < least:
                    stale.append((n, least))

    readers = [threading.Thread(target=read, args=(router,)) for router in (one, other, other)]
    for reader in readers:
        reader.start()
    for n in range(1, ROUNDS):
        upsert((one, other)[n % 2], n, [1] if n % 3 else list(range(1, 300)))
        acknowledged[0] = n
        hit(one) if n % 5 == 0 else None
    done.set()
    for reader in readers:
        reader.join()
    assert stale == []
    assert came.count("hit") > ROUNDS, "the cache took part"


def test_small_writes_are_read_back(mesh: Start, cache: Cache) -> None:
    router = mesh({"cache.warm_on_write": True})
    upsert(router, 5)
    until(lambda: [cache.get(key(id_))[0] for id_ in IDS] == ["hit"] * 3, "they are read back")
    assert fetch(router, 1) == (5, "hit")
    assert write(router, NS, {"deletes": [1]}).status == 200
    until(lambda: fetch(router, 1) == (None, "hit"), "that it is gone is known too")


def test_rules_for_single_namespaces(mesh: Start, cache: Cache) -> None:
    on, off = mesh(), mesh({"cache.namespaces": f"{NS} enabled=false"})
    upsert(off, 5)
    assert hit(on) == 5
    assert [fetch(off, 1) for _ in range(3)] == [(5, "miss")] * 3
    upsert(off, 6)
    assert fetch(on, 1)[0] == 6, "its writes are held all the same"
    short = mesh({"cache.namespaces": f"{NS} ttl_ms=300"})
    upsert(short, 7)
    assert hit(short) == 7
    until(lambda: cache.get(key(1))[0] == "lease", "it runs out early", 5)
    warm = mesh({"cache.warm_on_write": True, "cache.namespaces": f"{NS} warm_on_write=false"})
    upsert(warm, 8)
    assert cache.get(key(1))[0] == "lease"
    assert write(warm, "other", {"upsert_rows": [{"id": 1, "n": 1}]}).status == 200
