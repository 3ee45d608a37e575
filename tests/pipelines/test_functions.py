"""Functions over the real parts: stand-in, router, pipeline-worker on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import grpc
from harness.client import ask
from harness.functions import DONE, NOT_FOUND, OBSOLETE, STALE_TOKEN, Function, Table, number
from harness.grpc import FailedCall
from harness.pipelines import FUNCTIONS, Service, start_pipeline_worker
from harness.postgres import Postgres
from harness.programs import Program, start_router
from harness.waiting import let_pass, until

FAST = {"functions.poll_ms": 50, "functions.wait_poll_ms": 50, "functions.triggers_ms": 50}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def worker(
    request: pytest.FixtureRequest, router: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """pipeline-worker on each database."""
    settings: dict[str, Any] = dict(FAST)
    if request.param == "postgres":
        cluster: Postgres = request.getfixturevalue("postgres")
        settings["state.url"] = cluster.url(cluster.database())
    program = start_pipeline_worker(router.url, tmp_path_factory.mktemp("worker"), settings)
    yield program
    program.process.kill()


@pytest.fixture
def service(worker: Program) -> Iterator[Service]:
    with Service(worker, FUNCTIONS) as one:
        yield one


@pytest.fixture
def table(request: pytest.FixtureRequest, router: Program, origin: Program) -> Table:
    """A namespace of the test's own, with three rows."""
    table = Table(named(request), router, origin)
    table.put(*({"id": n, "title": f"title {n}", "kept": n} for n in (1, 2, 3)))
    return table


def named(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("[", "-").replace("]", "")[-60:]


def made(service: Service, table: Table, name: str = "", **spec: Any) -> Function:
    """A function for a table, which looks for rows only when it is told to, unless `spec` says otherwise."""
    function = Function(service, name or table.name)
    of_its_own = {
        "target_namespaces": [table.name],
        "inputs": ["title"],
        "triggers": ["TRIGGER_WRITE"],
        "retry": {"initial_backoff_ms": 1, "max_backoff_ms": 1, "attempts_max": 2},
    }
    function.call("UpsertFunction", spec=of_its_own | spec)
    return function


def test_rows_are_found_done_and_marked(service: Service, table: Table) -> None:
    schedule = {"discovery_interval_ms": 1000}
    function = made(service, table, triggers=["TRIGGER_DISCOVERY"], schedule=schedule)
    claimed = until(lambda: function.claim(wait_ms=1000), "the search finds rows")
    while len(claimed) < 3:
        claimed += function.claim(wait_ms=1000)
    assert sorted(number(item) for item in claimed) == [1, 2, 3]
    inputs = {number(item): item["input"]["title"]["string_value"] for item in claimed}
    assert inputs == {1: "title 1", 2: "title 2", 3: "title 3"}
    assert function.complete(claimed, topic="whales", score=0.5) == [DONE] * 3
    rows = table.rows()
    expected = {"title": "title 2", "kept": 2, "topic": "whales", "score": 0.5, function.mark: "v1"}
    assert rows[2] == expected
    # A row that comes later is found too, and nothing is found twice.
    table.put({"id": 4, "title": "title 4"})
    [late] = until(lambda: function.claim(wait_ms=1000), "the next search finds the new row")
    assert number(late) == 4
    assert function.complete([late], topic="more") == [DONE]
    status = function.status()
    assert status["active_namespaces"] == [table.name]
    assert int(status["sweeps_completed"]) >= 1
    assert function.counts() == {"ready": 0, "delayed": 0, "leased": 0, "dead": 0}


def test_the_router_shows_results_and_hides_marks(service: Service, table: Table, router: Program) -> None:
    function = made(service, table)
    function.discover()
    assert function.complete(function.claim(), topic="whales") == [DONE] * 3
    shown = ask(router.url, "GET", f"/v2/namespaces/{table.name}/documents/1").body.decode()
    assert "whales" in shown
    assert "_hevlayer" not in shown


def test_keda_is_told_of_rows_to_do(service: Service, table: Table, worker: Program) -> None:
    function = made(service, table)
    with Service(worker, "externalscaler.ExternalScaler") as scaler:
        asked = {"scalerMetadata": {"function": function.name, "itemsPerReplica": "2"}}

        def backlog() -> float:
            found = scaler.call("GetMetrics", scaledObjectRef=asked, metricName="layer_function_backlog")
            return found["metricValues"][0]["metricValueFloat"]

        assert (scaler.call("IsActive", **asked)["result"], backlog()) == (False, 0)
        function.discover()
        claimed = function.claim(limit=1)
        assert (scaler.call("IsActive", **asked)["result"], backlog()) == (True, 3), (
            "two that wait, one that is worked on"
        )
        assert scaler.call("GetMetricSpec", **asked)["metricSpecs"][0]["targetSize"] == "2"
        assert function.complete(claimed + function.claim(), topic="whales") == [DONE] * 3
        assert (scaler.call("IsActive", **asked)["result"], backlog()) == (False, 0)
        with pytest.raises(FailedCall) as failed:
            scaler.call("IsActive", scalerMetadata={"function": function.name, "itemsPerReplica": "0"})
        assert "itemsPerReplica" in failed.value.text


def test_a_new_version_makes_every_row_stale(service: Service, table: Table) -> None:
    function = made(service, table)
    function.discover()
    held = function.claim(limit=1)
    function.complete(function.claim(limit=1), topic="old")
    made(service, table, version="v2")
    assert function.complete(held, topic="late") == [OBSOLETE]
    assert function.discover() == 1
    assert function.complete(function.claim(), topic="new") == [DONE] * 3
    assert {row["topic"] for row in table.rows().values()} == {"new"}
    assert {row[function.mark] for row in table.rows().values()} == {"v2"}
    assert function.discover() == 0


def test_a_paused_function_stands_still(service: Service, table: Table) -> None:
    function = made(service, table, triggers=["TRIGGER_DISCOVERY"], schedule={"discovery_interval_ms": 1000})
    until(lambda: function.counts()["ready"] == 3, "the search finds rows")
    held = function.claim(limit=1)
    assert function.call("PauseFunction")["function"]["paused"]
    table.put({"id": 9, "title": "title 9"})
    assert (function.claim(), function.discover()) == ([], 0)
    assert function.complete(held, topic="whales") == [DONE]
    assert function.counts() == {"ready": 2, "delayed": 0, "leased": 0, "dead": 0}
    function.call("ResumeFunction")
    until(lambda: function.counts()["ready"] == 3, "the search goes on")


def test_what_fails_is_tried_again_and_listed_when_it_is_dead(service: Service, table: Table) -> None:
    function = made(service, table)
    function.discover()
    claimed = sorted(function.claim(), key=number)
    assert function.fail(claimed[:1], "permanent", "cannot ever") == [DONE]
    assert function.fail(claimed[1:], "transient", "not now") == [DONE] * 2
    again = until(lambda: function.claim(wait_ms=1000), "the next attempt")
    while len(again) < 2:
        again += function.claim(wait_ms=1000)
    assert {item["attempt"] for item in again} == {2}
    assert function.fail(again, "transient", "still not") == [DONE] * 2
    letters = function.call("ListDeadLetters")["dead_letters"]
    assert [(int(letter["id"]["uint_value"]), letter["reason"], letter["message"]) for letter in letters] == [
        (1, "FAILURE_REASON_PERMANENT", "cannot ever"),
        (2, "FAILURE_REASON_ATTEMPTS", "still not"),
        (3, "FAILURE_REASON_ATTEMPTS", "still not"),
    ]
    assert function.discover() == 0, "what is dead stays dead"
    assert int(function.call("ResetFailed")["reset_count"]) == 3
    assert function.complete(function.claim(), topic="whales") == [DONE] * 3


def test_a_worker_that_vanishes_loses_its_rows(service: Service, table: Table) -> None:
    function = made(service, table)
    function.discover()
    first = function.claim("first", lease_ms=1000)
    second: list[dict[str, Any]] = []

    def back() -> bool:
        second.extend(function.claim("second", wait_ms=1000))
        return len(second) == 3

    until(back, "the leases run out", 20)
    assert function.complete(first, topic="late") == [STALE_TOKEN] * 3
    assert function.complete(second, topic="right") == [DONE] * 3
    assert function.complete(first, topic="late") == [NOT_FOUND] * 3
    assert {row["topic"] for row in table.rows().values()} == {"right"}


def test_a_row_that_is_deleted_stays_deleted(service: Service, table: Table) -> None:
    function = made(service, table)
    function.discover()
    table.write(deletes=[1])
    claimed = function.claim()
    assert sorted(number(item) for item in claimed) == [2, 3]
    table.write(deletes=[2])
    assert sorted(function.complete(claimed, topic="whales")) == [DONE, OBSOLETE]
    assert set(table.rows()) == {3}
    assert function.counts() == {"ready": 0, "delayed": 0, "leased": 0, "dead": 0}


def test_a_row_that_changed_meanwhile_is_done_anew(service: Service, table: Table) -> None:
    function = made(service, table)
    function.discover()
    claimed = sorted(function.claim(), key=number)
    table.put({"id": 1, "title": "another"})
    table.write(patch_rows=[{"id": 2, "kept": 20}])
    assert function.complete(claimed, topic="old") == [OBSOLETE, DONE, DONE]
    assert table.rows()[1] == {"title": "another"}
    assert table.rows()[2]["kept"] == 20
    [again] = function.claim()
    assert again["input"]["title"]["string_value"] == "another"
    assert function.complete([again], topic="new") == [DONE]
    assert table.rows()[1]["topic"] == "new"


def test_a_vector_is_replaced_and_the_rest_of_the_row_stays(
    service: Service, router: Program, origin: Program, request: pytest.FixtureRequest
) -> None:
    table = Table(named(request), router, origin)
    rows = [{"id": n, "title": "t", "tags": ["a", "b"], "vector": [0.0, 1.0]} for n in ("a", "b")]
    table.write(upsert_rows=rows, distance_metric="cosine_distance")
    function, other = made(service, table), made(service, table, f"{table.name[-50:]}-other")
    other.discover()
    assert other.complete(other.claim(), topic="whales") == [DONE] * 2
    function.discover()
    assert function.complete(function.claim(), vector=[0.5, 0.25], at=7) == [DONE] * 2
    expected = {"title": "t", "tags": ["a", "b"], "topic": "whales", "vector": [0.5, 0.25], "at": 7}
    assert table.rows()["a"] == expected | {function.mark: "v1", other.mark: "v1"}
    assert (function.discover(), other.discover()) == (0, 0)


def test_results_that_are_good_for_a_time_are_found_again(service: Service, table: Table) -> None:
    function = made(service, table, schedule={"stale_after_ms": 1000})
    function.discover()
    assert function.complete(function.claim(), topic="whales") == [DONE] * 3
    assert function.discover() == 0
    let_pass(1.1)
    assert function.discover() == 3


def test_what_a_result_invalidates_is_done_anew(service: Service, table: Table) -> None:
    second = made(service, table, f"{table.name[-50:]}-second")
    second.discover()
    assert second.complete(second.claim(), summary="old") == [DONE] * 3
    first = made(service, table, invalidates=[second.name])
    first.discover()
    assert first.complete(first.claim(limit=2), topic="whales") == [DONE] * 2
    # It wants to know of writes, so they are in its queue already.
    assert (second.discover(), second.counts()["ready"]) == (0, 2)
    assert sum(second.mark in row for row in table.rows().values()) == 1


def test_writes_that_are_told_of_are_done(service: Service, table: Table) -> None:
    function = made(service, table)
    writes = [{"namespace": table.name, "ids": [{"uint_value": 1}, {"uint_value": 3}]}]
    told = service.call("NotifyWrites", writes=writes)
    assert int(told["enqueued"]) == 2
    assert table.name in told["namespaces"]
    assert sorted(number(item) for item in function.claim()) == [1, 3]


def test_a_result_that_the_origin_refuses_is_a_dead_letter(service: Service, table: Table) -> None:
    function = made(service, table)
    function.discover()
    claimed = function.claim()
    assert function.complete(claimed[:1], kept="a number was here") == ["ITEM_STATUS_REFUSED"]
    [letter] = function.call("ListDeadLetters")["dead_letters"]
    assert "kept" in letter["message"]
    assert function.complete(claimed[1:], kept=7) == [DONE] * 2


def test_without_the_router_nothing_is_lost(origin: Program, table: Table, tmp_path: Path) -> None:
    own = start_router(origin.url)
    worker = start_pipeline_worker(own.url, tmp_path, FAST)
    try:
        with Service(worker, FUNCTIONS) as service:
            function = made(service, table)
            function.discover()
            held = function.claim(limit=1)
            own.process.kill()
            for call in (lambda: function.claim(), lambda: function.complete(held, topic="x"), function.discover):
                with pytest.raises(FailedCall) as failed:
                    call()
                assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.UNAVAILABLE, "ROUTER_UNAVAILABLE")
            assert function.counts() == {"ready": 2, "delayed": 0, "leased": 1, "dead": 0}
            admin = own.admin_url.removeprefix("http://")
            own = start_router(origin.url, {"listen.address": own.address, "admin.address": admin}, ready=False)
            until(lambda: succeeds(lambda: function.complete(held, topic="x")), "the router is found again", 30)
            assert len(function.claim()) == 2
    finally:
        own.process.kill()
        worker.process.kill()


def succeeds(call: Any) -> bool:
    try:
        return bool(call())
    except FailedCall:
        return False


def test_a_pipeline_worker_that_is_killed_has_forgotten_nothing(router: Program, table: Table, tmp_path: Path) -> None:
    first = start_pipeline_worker(router.url, tmp_path, FAST)
    with Service(first, FUNCTIONS) as service:
        function = made(service, table)
        function.discover()
        held = function.claim(limit=1)
    first.process.kill()
    second = start_pipeline_worker(router.url, tmp_path, FAST)
    try:
        with Service(second, FUNCTIONS) as service:
            function = Function(service, table.name)
            assert function.complete(held, topic="whales") == [DONE]
            assert function.complete(function.claim(), topic="whales") == [DONE] * 2
            assert {row["topic"] for row in table.rows().values()} == {"whales"}
    finally:
        second.process.kill()


def test_workers_of_two_replicas_never_get_the_same_row(
    router: Program, origin: Program, postgres: Postgres, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    table = Table(named(request), router, origin)
    table.put(*({"id": n, "title": f"title {n}"} for n in range(200)))
    settings = FAST | {"state.url": postgres.url(postgres.database()), "functions.page_rows": 20}
    replicas = [start_pipeline_worker(router.url, tmp_path / str(n), settings) for n in range(2)]
    try:
        with Service(replicas[0], FUNCTIONS) as service:
            made(service, table, triggers=["TRIGGER_DISCOVERY"])

        def work(n: int) -> list[int]:
            mine = []
            with Service(replicas[n % 2], FUNCTIONS) as service:
                function = Function(service, table.name)
                while claimed := function.claim(f"w{n}", limit=7, wait_ms=3000):
                    assert function.complete(claimed, by=n) == [DONE] * len(claimed)
                    mine += [number(item) for item in claimed]
            return mine

        with ThreadPoolExecutor(4) as pool:
            done = [row for mine in pool.map(work, range(4)) for row in mine]
        assert sorted(done) == list(range(200))
        assert all("by" in row for row in table.rows().values())
    finally:
        for replica in replicas:
            replica.process.kill()
