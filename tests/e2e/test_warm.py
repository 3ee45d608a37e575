"""Warming the document cache: jobs over real processes, before an origin that counts what it is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.client import ask, refusal
from harness.doc_cache import Cache, start_doc_cache
from harness.exposition import value
from harness.lossy import Lossy
from harness.origin import Exchange, FakeOrigin
from harness.programs import Program, await_cache, start_router
from harness.rows import JSON, NS, Rows, batch, fetch, shown
from harness.seaweed import Seaweed
from harness.waiting import until

Start = Callable[..., Program]
JOBS = f"/v2/namespaces/{NS}/warm-jobs"
HINT = f"/v1/namespaces/{NS}/hint_cache_warm"
HINTED = b'{"status":"ACCEPTED","message":"cache warm hint accepted"}'
STORES = pytest.mark.parametrize("store", ["directory", "s3"], indirect=True)
S3 = pytest.mark.parametrize("store", ["s3"], indirect=True)
IMPATIENT = {
    "object_store.connect_timeout_ms": 300,
    "object_store.attempt_timeout_ms": 500,
    "object_store.operation_timeout_ms": 1500,
}


class Shelf(Rows):
    """Rows that can be listed page by page, too."""

    def __init__(self, rows: dict[Any, dict[str, Any]]) -> None:
        super().__init__(rows)
        self.pages: list[Any] = []
        """What each page was asked for behind."""
        self.hints: list[str] = []
        self.refuse: list[tuple[str, list[tuple[str, str]]]] = []
        """Answers to the next pages instead of their own."""
        self.open = threading.Event()
        """Pages behind the first wait for it."""
        self.open.set()

    def __call__(self, exchange: Exchange) -> None:
        target = exchange.request.target
        if target.endswith("/metadata"):
            exchange.read_body()
            return exchange.reply_json({"approx_row_count": len(self.rows), "schema": {}})
        if "/hint_cache_warm" in target:
            exchange.read_body()
            self.hints.append(target)
            return exchange.reply("202 Accepted", HINTED, [("content-type", "application/json"), ("x-own", "1")])
        return super().__call__(exchange)

    def query(self, exchange: Exchange, body: dict[str, Any]) -> None:
        if "include_attributes" in body:
            return super().query(exchange, body)
        assert body["rank_by"] == ["id", "asc"]
        after = body["filters"][2] if "filters" in body else None
        assert "filters" not in body or body["filters"][:2] == ["id", "Gt"]
        with self.lock:
            self.pages.append(after)
            refused = self.refuse.pop(0) if self.refuse else None
        if refused:
            return exchange.reply(refused[0], b"{}", refused[1])
        if after is not None:
            self.open.wait(30)
        ids = sorted(id_ for id_ in self.rows if after is None or id_ > after)[: body["limit"]]
        return exchange.reply_json({"rows": [{"id": id_} for id_ in ids]})


@pytest.fixture
def doc_cache() -> Iterator[Program]:
    program = start_doc_cache()
    with Cache(program, NS) as cache:
        until(lambda: cache.get(b"probe")[0] == "lease", "the cache serves")
    yield program
    program.process.kill()


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The object store's settings: a directory where a test does not say which."""
    if getattr(request, "param", "directory") == "s3":
        return request.getfixturevalue("seaweed").settings(prefix=f"{tmp_path.name}/")
    return {"object_store.backend": "directory", "object_store.directory": str(tmp_path / "objects")}


@pytest.fixture
def mesh(origin: FakeOrigin, doc_cache: Program, store: dict[str, Any]) -> Iterator[Start]:
    """Starts routers that share an origin, a cache and an object store."""
    with ExitStack() as stack:

        def start_one(settings: dict[str, Any] | None = None) -> Program:
            own = store | {
                "cache.addresses": doc_cache.address,
                "cache.tenant": "store",
                "warm.lease_ms": 1500,
            }
            own |= settings or {}
            router = start_router(origin.url, own)
            stack.callback(router.process.kill)
            return await_cache(router) if own["cache.addresses"] else router

        yield start_one


def call(router: Program, method: str, target: str) -> tuple[int, Any]:
    answer = ask(router.url, method, target)
    return answer.status, json.loads(answer.body)


def post(router: Program, query: str = "") -> dict[str, Any]:
    status, job = call(router, "POST", f"/v2/namespaces/{NS}/warm{query}")
    assert status == 202, job
    assert job["namespace"] == NS
    return job


def ended(router: Program, job: dict[str, Any], within_s: float = 20) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        status, now = call(router, "GET", f"{JOBS}/{job['id']}")
        assert status == 200, now
        return now if now["status"] != "running" else None

    return until(look, "the job ends", within_s)


def rows(count: int) -> dict[Any, dict[str, Any]]:
    return {id_: {"v": id_, "t": "x" * 100} for id_ in range(1, count + 1)}


def all_hits(router: Program, ids: list[Any]) -> bool:
    answer = batch(router, {"ids": ids})
    return answer.get("x-layer-cache") == "hit" and len(shown(answer)["documents"]) == len(ids)


def came_from(router: Program, ids: list[Any]) -> str:
    """`hit` or `miss`, once the cache answers in time: this machine may be busy."""

    def look() -> str | None:
        came = batch(router, {"ids": ids}).get("x-layer-cache")
        return came if came != "miss-on-error" else None

    return until(look, "the cache answers")


@STORES
def test_a_warmed_namespace_is_served_without_the_origin(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(2500))
    router = mesh()
    job = ended(router, post(router, "?page_size=1000"))
    assert (job["status"], job["progress"], job["documents_scanned"]) == ("completed", 1.0, 2500)
    assert job["documents_warmed"] == 2500
    assert job["created_at"] <= job["completed_at"]
    assert "error" not in job
    assert shelf.pages == [None, 1000, 2000, 2500]
    assert sorted(shelf.asked()) == sorted(shelf.rows), "each row is read once"
    until(lambda: value(router.metrics(), "layer_cache_fills_total", status="stored") == 2500, "it is filled in")
    assert value(router.metrics(), "layer_cache_fills_total") == 2500, "no fill is dropped"
    for start in range(1, 2500, 100):
        assert came_from(router, list(range(start, start + 100))) == "hit"
    again = ended(router, post(router))
    assert shelf.pages[4:] == [None, 2500], "pages are long where nobody says otherwise"
    assert (again["documents_scanned"], again["documents_warmed"]) == (2500, 0), "what is there is not read again"
    status, listed = call(router, "GET", JOBS)
    assert (status, [job["id"] for job in listed["warm_jobs"]]) == (200, [again["id"], job["id"]])
    until(lambda: value(router.metrics(), "layer_warm_jobs_active") == 0, "nothing runs any more")
    page = router.metrics()
    assert value(page, "layer_warm_jobs_total", status="completed") == 2
    assert value(page, "layer_warm_documents_total", result="warmed") == 2500


def test_ids_of_every_kind_are_paged(mesh: Start, origin: FakeOrigin) -> None:
    names = ["a", 'b"\\', "c/ü", "67e55044-10b1-426f-9247-bb680e5fe0c8", "1"]
    shelf = origin.script = Shelf({name: {"v": 1} for name in names})
    router = mesh()
    assert ended(router, post(router, "?page_size=2"))["documents_warmed"] == len(names)
    assert len(shelf.pages) == 4


@STORES
def test_one_job_at_a_time_whatever_router_is_asked(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(30))
    shelf.open.clear()
    one, other = mesh(), mesh()
    first = post(one, "?page_size=10")
    jobs = [post(router)["id"] for router in (one, other, one, other)]
    assert set(jobs) == {first["id"]}
    status, seen = call(other, "GET", f"{JOBS}/{first['id']}")
    assert (status, seen["status"]) == (200, "running")
    shelf.open.set()
    done = [ended(router, first) for router in (one, other)]
    assert done[0] == done[1]
    assert len(shelf.pages) == 4, "the pages were listed once"
    assert post(other)["id"] != first["id"]


@STORES
def test_another_router_goes_on_where_a_killed_one_was(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(40))
    one, other = mesh(), mesh()
    shelf.open.clear()
    job = post(one, "?page_size=10")
    until(lambda: 10 in shelf.pages, "it lists the second page")
    one.process.kill()
    shelf.open.set()
    done = ended(other, job)
    assert (done["status"], done["id"], done["progress"]) == ("completed", job["id"], 1.0)
    assert shelf.asked().count(40) == 1
    page = other.metrics()
    assert value(page, "layer_warm_jobs_total", status="taken_over") == 1
    until(lambda: all_hits(other, list(shelf.rows)), "all of it is served")


@STORES
def test_progress_survives_a_kill(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(40))
    one, other = mesh(), mesh()
    gate = threading.Event()
    shelf.before = lambda exchange: gate.wait(30) if b"[21,22," in exchange.request.body else None
    job = post(one, "?page_size=10")

    def half_way() -> dict[str, Any] | None:
        now = call(other, "GET", f"{JOBS}/{job['id']}")[1]
        assert now["documents_scanned"] <= 20
        return now if now["documents_scanned"] == 20 else None

    seen = until(half_way, "two pages are told of")
    assert 0.4 < seen["progress"] < 0.6
    one.process.kill()
    gate.set()
    done = ended(other, job)
    assert done["documents_scanned"] == 40
    assert shelf.pages.count(None) == 1, "it does not begin again"


@STORES
def test_a_stopped_router_hands_its_job_on(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(30))
    one, other = mesh({"drain.notice_ms": 0}), mesh()
    shelf.open.clear()
    job = post(one, "?page_size=10")
    until(lambda: 10 in shelf.pages, "it is under way")
    assert one.stop() == 0
    shelf.open.set()
    assert ended(other, job)["documents_scanned"] == 30


@STORES
def test_jobs_survive_a_restart_of_the_only_router(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(40))
    router = mesh()
    before = ended(router, post(router, "?page_size=10"))
    shelf.pages.clear()
    shelf.open.clear()
    job = post(router, "?page_size=10")
    until(lambda: 10 in shelf.pages, "it lists the second page")
    router.process.kill()
    shelf.open.set()
    again = mesh()
    assert [one["id"] for one in call(again, "GET", JOBS)[1]["warm_jobs"]] == [job["id"], before["id"]]
    assert post(again)["id"] == job["id"], "it has not ended"
    assert ended(again, job)["documents_scanned"] == 40
    assert call(again, "GET", f"{JOBS}/{before['id']}") == (200, before)


@STORES
@pytest.mark.parametrize("through", ["its own router", "another router"])
def test_a_job_can_be_cancelled(mesh: Start, origin: FakeOrigin, through: str) -> None:
    shelf = origin.script = Shelf(rows(5000))
    shelf.open.clear()
    one, other = mesh(), mesh()
    job = post(one, "?page_size=10")
    until(lambda: shelf.pages, "it is under way")
    router = one if through == "its own router" else other
    status, now = call(router, "DELETE", f"{JOBS}/{job['id']}")
    assert (status, now["status"]) == (200, "cancelled")
    assert "completed_at" in now
    assert call(one, "GET", f"{JOBS}/{job['id']}")[1] == now
    assert call(other, "DELETE", f"{JOBS}/{job['id']}") == (200, now), "once more changes nothing"
    until(lambda: value(one.metrics(), "layer_warm_jobs_active") == 0, "it ends while a page is awaited")
    assert shelf.pages in ([None], [None, 10])
    shelf.open.set()
    assert ended(other, post(other))["status"] == "completed"


def test_writes_during_a_warm_are_never_undone(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf({id_: {"v": 0} for id_ in range(1, 301)})
    one, other = mesh({"cache.warm_on_write": False}), mesh({"cache.warm_on_write": False})
    done = threading.Event()
    newest = dict.fromkeys(shelf.rows, 0)
    wrong: list[Any] = []

    def writes() -> None:
        number = 0
        while not done.is_set():
            number += 1
            id_ = number * 7 % 300 + 1
            body = json.dumps({"upsert_rows": [{"id": id_, "v": number}]}).encode()
            assert ask(other.url, "POST", f"/v2/namespaces/{NS}", body, JSON).status == 200
            newest[id_] = number
            found = shown(fetch(one, id_))["attributes"]["v"]
            if found < number:
                wrong.append((id_, number, found))

    writer = threading.Thread(target=writes)
    writer.start()
    try:
        for _ in range(8):
            assert ended(one, post(one, "?page_size=50"))["status"] == "completed"
    finally:
        done.set()
        writer.join()
    assert not wrong
    documents = shown(batch(one, {"ids": list(newest)}))["documents"]
    assert {one["id"]: one["attributes"]["v"] for one in documents} == newest


def test_an_origin_that_asks_for_time_gets_it(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(10))
    shelf.refuse = [("429 Too Many Requests", [("retry-after", "1")]), ("503 Service Unavailable", [])]
    router = mesh()
    assert ended(router, post(router))["status"] == "completed"
    shelf.refuse = [("400 Bad Request", [])]
    job = ended(router, post(router))
    assert (job["status"], "400" in job["error"]) == ("failed", True)


@STORES
def test_a_cache_that_is_away_is_said_at_once(mesh: Start, origin: FakeOrigin, doc_cache: Program) -> None:
    origin.script = Shelf(rows(10))
    router = mesh()
    doc_cache.process.kill()
    until(lambda: fetch(router, 1).get("x-layer-cache") == "miss-on-error", "the router knows")
    for method, target in [
        ("POST", f"/v2/namespaces/{NS}/warm"),
        ("GET", f"{HINT}?documents=true"),
        ("GET", f"{HINT}?turbopuffer=true"),
    ]:
        answer = until(lambda m=method, t=target: (a := ask(router.url, m, t)).status == 503 and a, "it is refused")
        assert refusal(answer)[1] == "cache_cold"
        assert answer.get("retry-after") == "1"
    assert ask(router.url, "GET", HINT).status == 202
    assert call(router, "GET", f"{HINT}?documents=false")[0] == 200
    assert call(router, "GET", JOBS)[0] == 200


@S3
def test_a_store_that_is_away_is_said_in_time(mesh: Start, origin: FakeOrigin, seaweed: Seaweed) -> None:
    shelf = origin.script = Shelf(rows(30))
    router = mesh(IMPATIENT)
    shelf.open.clear()
    job = post(router, "?page_size=10")
    seaweed.pause()
    try:
        for method, target in [
            ("POST", f"/v2/namespaces/{NS}/warm"),
            ("GET", f"{HINT}?documents=true"),
            ("GET", JOBS),
            ("GET", f"{JOBS}/{job['id']}"),
            ("DELETE", f"{JOBS}/{job['id']}"),
        ]:
            answer = ask(router.url, method, target)
            assert refusal(answer)[:2] == (503, "object_store_unavailable"), target
            assert answer.get("retry-after") == "1"
        assert fetch(router, 1).status == 200
        shelf.open.set()
        until(lambda: len(shelf.pages) == 4, "the job goes on without it")
    finally:
        seaweed.resume()
    assert ended(router, job)["documents_scanned"] == 30, "its end is written when the store is back"


@S3
def test_a_put_whose_answer_is_lost_is_its_own(mesh: Start, origin: FakeOrigin, seaweed: Seaweed) -> None:
    """The client tries again and is told that the slot has changed: by this very put."""
    shelf = origin.script = Shelf(rows(30))
    with Lossy(seaweed.port) as lossy:
        # A lease that no job of this test lives to see the end of.
        router = mesh({"object_store.endpoint": f"http://127.0.0.1:{lossy.port}", "warm.lease_ms": 60_000})
        lossy.lose("PUT", "/slots/")
        job = post(router)
        assert lossy.lost == 1
        assert ended(router, job)["status"] == "completed", "it runs here at once"

        shelf.open.clear()
        job = post(router, "?page_size=10")
        lossy.lose("PUT", "/slots/")
        assert call(router, "DELETE", f"{JOBS}/{job['id']}")[1]["status"] == "cancelled"
        assert lossy.lost == 2
        until(lambda: value(router.metrics(), "layer_warm_jobs_active") == 0, "it ends at once")
        assert value(router.metrics(), "layer_warm_jobs_total", status="cancelled") == 1
        shelf.open.set()

        shelf.pages.clear()
        shelf.open.clear()
        job = post(router, "?page_size=10")
        until(lambda: 10 in shelf.pages, "it is under way")
        lossy.lose("PUT", "/slots/")
        shelf.open.set()
        done = ended(router, job)
        assert (lossy.lost, done["status"], done["documents_scanned"]) == (3, "completed", 30)


def test_without_a_cache_or_a_store_it_is_said_which(mesh: Start, origin: FakeOrigin) -> None:
    origin.script = Shelf(rows(10))
    router = mesh({"cache.addresses": None})
    assert "cache.addresses" in refusal(ask(router.url, "POST", f"/v2/namespaces/{NS}/warm"))[2]
    assert "cache.addresses" in refusal(ask(router.url, "GET", f"{HINT}?documents=true"))[2]
    status, page = call(router, "GET", f"{HINT}?turbopuffer=true")
    assert (status, page["documents"]) == (200, {"enabled": True, "status": "skipped"})
    router = mesh({"object_store.backend": "none", "object_store.directory": None})
    assert "object_store.backend" in refusal(ask(router.url, "POST", f"/v2/namespaces/{NS}/warm"))[2]


def test_the_hint_without_options_is_the_origins(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(10))
    router = mesh()
    answer = ask(router.url, "GET", f"{HINT}?a=b")
    assert (answer.status, answer.body, answer.get("x-own")) == (202, HINTED, "1")
    assert answer.get("x-layer-served-by") == "origin"
    assert shelf.hints == [f"{HINT}?a=b"]
    assert call(router, "GET", JOBS)[1] == {"warm_jobs": []}


def test_the_hint_with_options_says_what_each_step_did(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(10))
    router = mesh()
    status, page = call(router, "GET", f"{HINT}?page_size=5&a=b")
    assert status == 202
    assert shelf.hints == [f"{HINT}?a=b"]
    assert page["turbopuffer"] == {"enabled": True, "status": "started"}
    assert page["snapshots"] == {"enabled": True, "status": "no_snapshot"}
    assert (page["blobs"]["enabled"], page["blobs"]["status"]) == (False, "skipped")
    assert (page["documents"]["enabled"], page["documents"]["status"]) == (True, "started")
    assert ended(router, page["documents"]["job"])["documents_scanned"] == 10
    assert shelf.pages == [None, 5, 10]
    status, page = call(router, "GET", f"{HINT}?turbopuffer=false&documents=0&snapshots=false")
    assert (status, len(shelf.hints)) == (200, 1)
    assert {page[step]["status"] for step in ("turbopuffer", "documents", "snapshots", "blobs")} == {"skipped"}


@STORES
def test_what_is_wrong_is_named(mesh: Start, origin: FakeOrigin) -> None:
    origin.script = Shelf(rows(1))
    router = mesh()
    for method, target, field in [
        ("POST", f"/v2/namespaces/{NS}/warm?page_size=0", "page_size"),
        ("POST", f"/v2/namespaces/{NS}/warm?page_size=10001", "page_size"),
        ("GET", f"{HINT}?documents=maybe", "documents"),
        ("GET", f"{HINT}?blobs=true", "blob_budget_bytes"),
        ("GET", f"{HINT}?page_size=x", "page_size"),
    ]:
        status, code, message = refusal(ask(router.url, method, target))
        assert (status, code) == (422, "validation_error")
        assert message.startswith(field), message
    for id_ in ("x", "0" * 28, "..%2f"):
        assert ask(router.url, "GET", f"{JOBS}/{id_}").status == 404


def test_a_namespace_that_the_origin_does_not_have_is_its_own_answer(mesh: Start, origin: FakeOrigin) -> None:
    def missing(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("404 Not Found", b'{"status":"error","error":"no namespace"}')

    origin.script = missing
    answer = ask(mesh().url, "POST", f"/v2/namespaces/{NS}/warm")
    assert (answer.status, answer.body) == (404, b'{"status":"error","error":"no namespace"}')


def test_a_miss_warms_the_namespace_where_that_is_wanted(mesh: Start, origin: FakeOrigin) -> None:
    shelf = origin.script = Shelf(rows(50))
    router = mesh({"warm.reactive": True})
    fetch(router, 1)
    until(lambda: call(router, "GET", JOBS)[1]["warm_jobs"], "a job is there")
    until(lambda: all_hits(router, list(shelf.rows)), "all of it is served")
    fetch(router, 999)
    assert len(call(router, "GET", JOBS)[1]["warm_jobs"]) == 1, "once for each connection to the cache"


def test_keys_of_strangers_see_no_jobs(mesh: Start, origin: FakeOrigin) -> None:
    shelf = Shelf(rows(10))

    def script(exchange: Exchange) -> None:
        if exchange.request.get("authorization") == "Bearer good":
            return shelf(exchange)
        exchange.read_body()
        return exchange.reply("401 Unauthorized", b'{"status":"error","error":"no"}')

    origin.script = script
    settings = {"auth.mode": "pass-through", "origin.api_key": None, "auth.single_organisation": True}
    router = mesh(settings)

    def with_key(method: str, target: str, key: str) -> Any:
        return ask(router.url, method, target, headers=[("authorization", f"Bearer {key}")], key=False)

    assert with_key("POST", f"/v2/namespaces/{NS}/warm", "bad").status == 401
    started = with_key("POST", f"/v2/namespaces/{NS}/warm", "good")
    assert started.status == 202
    target = f"{JOBS}/{json.loads(started.body)['id']}"
    for method, path in [("GET", JOBS), ("GET", target), ("DELETE", target)]:
        assert with_key(method, path, "bad").status == 401
    until(lambda: json.loads(with_key("GET", target, "good").body)["status"] == "completed", "it is done")
