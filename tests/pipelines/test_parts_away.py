"""The database and the object store fail in the middle of a job: calls say which part is away and change nothing, and
afterwards the job completes with nothing lost and nothing doubled."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.grpc import FailedCall
from harness.pipelines import Service, start_pipeline_worker
from harness.postgres import Postgres
from harness.programs import Program
from harness.seaweed import Seaweed
from harness.waiting import let_pass, until

from .client import Patient
from .flow import Flow
from .refused import SOON_S, Refused
from .refusing import Refusing

SETTINGS = {
    "state.acquire_timeout_ms": 1000,
    "state.statement_timeout_ms": 1000,
    "object_store.connect_timeout_ms": 500,
    "object_store.attempt_timeout_ms": 1000,
    "object_store.operation_timeout_ms": 2000,
    "object_store.stall_timeout_ms": 1000,
}


@pytest.fixture(scope="module")
def network(seaweed: Seaweed) -> Iterator[Refusing]:
    proxy = Refusing(seaweed.port)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def worker(
    router: Program, postgres: Postgres, seaweed: Seaweed, network: Refusing, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """On PostgreSQL and S3."""
    settings = {
        "state.url": postgres.url(postgres.database()),
        **seaweed.settings(endpoint=f"http://{network.address}"),
    }
    settings |= {"object_store.directory": None, "object_store.prefix": "parts-away/"}
    program = start_pipeline_worker(router.url, tmp_path_factory.mktemp("worker"), SETTINGS | settings)
    yield program
    program.process.kill()


def restarted(postgres: Postgres, ask: Callable[[], None]) -> None:
    postgres.stop()
    ask()
    postgres.start()


def killed(postgres: Postgres, ask: Callable[[], None]) -> None:
    postgres.kill()
    ask()
    postgres.start()


def paused(postgres: Postgres, ask: Callable[[], None]) -> None:
    postgres.pause()
    try:
        ask()
    finally:
        postgres.resume()


long = pytest.mark.skipif("LAYER_SOAK" not in os.environ, reason="long: part of `make soak`")


@pytest.mark.parametrize("fault", [killed, paused, pytest.param(restarted, marks=long)])
def test_the_database_is_away_for_a_while(
    fault: Callable[[Postgres, Callable[[], None]], None], worker: Program, origin: Program, postgres: Postgres
) -> None:
    flow = Flow(worker, f"database-{fault.__name__}")
    ask = Refused(worker, flow.name, "STATE_UNAVAILABLE")
    flow.run(lambda: fault(postgres, ask))
    flow.check(origin)
    ask.nothing_changed(origin)


def test_no_call_hangs_with_the_database(worker: Program, postgres: Postgres) -> None:
    """It stands still while calls are in the middle of their transactions: each is told so within its bounds."""
    took, refused, stop = [0.0] * 8, [False] * 8, threading.Event()

    def ask(at: int) -> None:
        with Service(worker) as service:
            while not stop.is_set() and not refused[at]:
                began = time.monotonic()
                try:
                    staged = [{"document_id": f"d{at}", "chunks": [{"chunk_id": f"c{at}", "text": str(began)}]}]
                    service.call("StageDocuments", pipeline_id="still", documents=staged)
                except FailedCall as failed:
                    assert failed.reason == "STATE_UNAVAILABLE", failed
                    refused[at] = True
                took[at] = max(took[at], time.monotonic() - began)

    with Service(worker) as service:
        Patient(service, "still").create()
    with ThreadPoolExecutor(len(took)) as pool:
        asking = [pool.submit(ask, at) for at in range(len(took))]
        until(lambda: all(took), "all have been answered")
        postgres.pause()
        try:
            until(lambda: all(refused) or any(one.done() and one.exception() for one in asking), "all are told", 20)
        finally:
            stop.set()
            postgres.resume()
        for one in asking:
            one.result()
    assert max(took) < SOON_S, took


def test_the_databases_connections_are_cut_again_and_again(
    worker: Program, origin: Program, postgres: Postgres
) -> None:
    flow = Flow(worker, "database-cut")
    cut = 0

    def fault() -> None:
        nonlocal cut
        for _ in range(10):
            cut += sum(postgres.cut_connections(name) for name in databases(postgres))
            let_pass(0.1)

    flow.run(fault)
    flow.check(origin)
    assert cut


def databases(postgres: Postgres) -> list[str]:
    return postgres.sql("SELECT datname FROM pg_database WHERE datname LIKE 'test%'").split()


def store_killed(seaweed: Seaweed, network: Refusing, ask: Callable[[], None]) -> None:
    seaweed.kill()
    ask()
    seaweed.start()


def store_paused(seaweed: Seaweed, network: Refusing, ask: Callable[[], None]) -> None:
    seaweed.pause()
    try:
        ask()
    finally:
        seaweed.resume()


def store_refusing(seaweed: Seaweed, network: Refusing, ask: Callable[[], None]) -> None:
    network.refuse()
    try:
        ask()
    finally:
        network.heal()
    assert network.refused


@pytest.mark.parametrize("fault", [store_paused, store_refusing, pytest.param(store_killed, marks=long)])
def test_the_object_store_is_away_for_a_while(
    fault: Callable[[Seaweed, Refusing, Callable[[], None]], None],
    worker: Program,
    origin: Program,
    seaweed: Seaweed,
    network: Refusing,
) -> None:
    flow = Flow(worker, fault.__name__.replace("_", "-"))
    ask = Refused(worker, flow.name, "OBJECT_STORE_UNAVAILABLE")
    flow.run(lambda: fault(seaweed, network, ask))
    flow.check(origin)
    ask.nothing_changed(origin)


def test_a_slow_object_store_slows_the_job_and_nothing_else(
    worker: Program, origin: Program, network: Refusing
) -> None:
    flow = Flow(worker, "store-slow", documents=20)

    def fault() -> None:
        network.delay(0.1)
        let_pass(2)
        network.heal()

    flow.run(fault)
    flow.check(origin)


def test_the_router_is_away_for_a_while(router: Program, origin: Program, postgres: Postgres, tmp_path: Path) -> None:
    """Rows cannot be written: documents keep their leases, and are done when it is back."""
    from faults.proxy import Proxy

    network = Proxy(router.port)
    settings = SETTINGS | {"state.url": postgres.url(postgres.database())}
    program = start_pipeline_worker(f"http://{network.address}", tmp_path, settings)
    try:
        flow = Flow(program, "router-cut")

        def fault() -> None:
            network.cut()
            until(
                lambda: any(f'"{status}"' in program.metrics() for status in ("breaker", "unavailable")),
                "it is noticed",
            )
            network.heal()

        flow.run(fault)
        flow.check(origin)
    finally:
        program.process.kill()
        network.stop()
