"""Who holds a lease, and who only believes so: races for one document, workers that come back too late, and documents
that kill their workers. Two pipeline-workers share one PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.pipelines import Service, start_pipeline_worker
from harness.postgres import Postgres
from harness.process import clean_environment
from harness.programs import Program
from harness.waiting import steady, until

from .client import Patient, guard, vector
from .crash import PROGRAM
from .origin_rows import rows

SOAK = "LAYER_SOAK" in os.environ
ROUNDS = 3000 if SOAK else 100
DOCUMENTS, POISONED = (2000, 40) if SOAK else (100, 4)
SPEC = {"retry": {"attempts_max": 100, "leases_lost_max": 3, "initial_backoff_ms": 20, "max_backoff_ms": 100}}


@pytest.fixture(scope="module")
def shared(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What replicas share."""
    return {
        "state.url": postgres.url(postgres.database()),
        "object_store.directory": str(tmp_path_factory.mktemp("bodies")),
        "state.late_write_ms": 1500,
        "upkeep.interval_ms": 100,
    }


@pytest.fixture(scope="module")
def replicas(
    router: Program, shared: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Program]]:
    with ExitStack() as stack:
        started = []
        for at in range(2):
            program = start_pipeline_worker(router.url, tmp_path_factory.mktemp(f"replica{at}"), shared)
            stack.callback(program.process.kill)
            started.append(program)
        yield started


@pytest.fixture
def clients(replicas: list[Program], request: pytest.FixtureRequest) -> Iterator[list[Patient]]:
    """A client of each replica, of one pipeline."""
    with ExitStack() as stack:
        services = [stack.enter_context(Service(program)) for program in replicas]
        clients = [Patient(service, request.node.name) for service in services]
        clients[0].create(**SPEC)
        yield clients


def test_of_two_that_race_for_one_document_one_gets_it(clients: list[Patient]) -> None:
    clients[0].stage({"d": {"d-0": "one"}})
    tokens: list[int] = []
    begin = threading.Barrier(2)

    def race(at: int) -> list[dict[str, Any]]:
        begin.wait()
        return clients[at].claim(f"worker-{at}", limit=1)

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            won, lost = sorted(pool.map(race, range(2)), key=len, reverse=True)
            assert (len(won), len(lost)) == (1, 0), f"round {number}: {won} and {lost}"
            tokens.append(int(won[0]["token"]))
            # Whoever has an older token has nothing.
            old = {"document_id": "d", "token": str(tokens[-1] - 1)}
            answer = clients[number % 2].call("Complete", documents=[{"document": old}])["results"][0]
            assert answer["status"] == "DOCUMENT_STATUS_STALE_TOKEN"
            back = clients[number % 2].call("Release", documents=[guard(won[0])])["results"][0]
            assert back["status"] == "DOCUMENT_STATUS_DONE"
    assert tokens == sorted(set(tokens)), "each claim has a larger token"


def test_two_that_put_rows_under_one_token_do_it_once(clients: list[Patient], origin: Program) -> None:
    """A call that was sent twice, to two replicas at the same time: both are told that it is done."""
    names = [f"d{at}" for at in range(10)]
    clients[0].stage({name: {f"{name}-0": "one"} for name in names})
    for claimed in clients[0].claim("w", limit=10):
        chunks = clients[0].chunks(claimed["document_id"])
        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(lambda client: client.put(claimed, chunks), clients))  # noqa: B023
        assert statuses == ["DOCUMENT_STATUS_DONE"] * 2
    assert clients[0].counts()["indexed"] == 10
    assert rows(origin, clients[0].name) == {f"{name}-0": ("one", vector("one")) for name in names}


def test_a_worker_that_stood_still_past_its_lease_is_refused(clients: list[Patient], origin: Program) -> None:
    client = clients[0]
    client.stage({"d": {"d-0": "one", "d-1": "two"}})
    command = [sys.executable, "-m", "pipelines.stopped_worker", client.service.address, client.name]
    here = Path(__file__).parents[1]
    with subprocess.Popen(
        command, cwd=here, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as stopped:
        assert stopped.stdin and stopped.stdout
        assert stopped.stdout.readline() == "claimed\n"
        stopped.send_signal(signal.SIGSTOP)
        stopped.stdin.write("go on\n")
        stopped.stdin.flush()
        [claimed] = until(lambda: client.claim("other", wait_ms=5000), "the lease runs out", 20)
        assert client.put(claimed, client.chunks("d")) == "DOCUMENT_STATUS_DONE"
        stopped.send_signal(signal.SIGCONT)
        assert stopped.stdout.readline() == "DOCUMENT_STATUS_STALE_TOKEN\n"
    assert rows(origin, client.name) == {"d-0": ("one", vector("one")), "d-1": ("two", vector("two"))}


@pytest.fixture
def held(router: Program, shared: dict[str, Any], tmp_path: Path) -> Iterator[tuple[Program, Path]]:
    """A replica that stands still between the check of a token and the write of its rows, until the file is there."""
    go_on = tmp_path / "go-on"
    env = {"LAYER_HOLD_AT": f"put_rows.check.after:{go_on}"}
    program = start_pipeline_worker(router.url, tmp_path / "held", shared, env=env, program_name=PROGRAM)
    yield program, go_on
    program.process.kill()


def test_a_late_write_is_refused_at_the_origin(
    clients: list[Patient], held: tuple[Program, Path], origin: Program
) -> None:
    """It passed the check, and meanwhile the document was staged again, done, and its old rows deleted."""
    client, (program, go_on) = clients[0], held
    client.stage({"d": {"kept": "old", "gone": "old"}})
    with Service(program) as service, ThreadPoolExecutor(1) as pool:
        late = Patient(service, client.name, within_s=60)
        [claimed] = late.claim("late", lease_ms=60_000)
        writing = pool.submit(late.put, claimed, late.chunks("d"))
        until(go_on.with_suffix(".held").exists, "the late write has passed the check")
        client.stage({"d": {"kept": "new"}})
        [newer] = client.claim("newer")
        assert client.put(newer, client.chunks("d")) == "DOCUMENT_STATUS_DONE"
        assert rows(origin, client.name) == {"kept": ("new", vector("new"))}
        go_on.touch()
        assert writing.result(60) == "DOCUMENT_STATUS_STALE_VERSION"
    # The row that is there refused it; the one that is not there could not, and is deleted once more.
    wanted = {"kept": ("new", vector("new"))}
    assert rows(origin, client.name).keys() <= {"kept", "gone"}
    until(lambda: rows(origin, client.name) == wanted, "what came late is deleted", 20)
    steady(lambda: rows(origin, client.name), 0.5)
    assert rows(origin, client.name) == wanted
    assert client.counts()["indexed"] == 1


def test_a_write_under_a_lost_lease_does_not_count(
    clients: list[Patient], held: tuple[Program, Path], origin: Program
) -> None:
    """It passed the check, and meanwhile its lease ran out and another worker did the work."""
    client, (program, go_on) = clients[0], held
    client.stage({"d": {"d-0": "one"}})
    with Service(program) as service, ThreadPoolExecutor(1) as pool:
        late = Patient(service, client.name, within_s=60)
        [claimed] = late.claim("late", lease_ms=1000)
        writing = pool.submit(late.put, claimed, late.chunks("d"))
        until(go_on.with_suffix(".held").exists, "the late write has passed the check")
        [other] = until(lambda: client.claim("other", wait_ms=5000), "the lease runs out", 20)
        go_on.touch()
        assert writing.result(60) == "DOCUMENT_STATUS_STALE_TOKEN"
        assert client.counts()["indexed"] == 0
        assert client.put(other, client.chunks("d")) == "DOCUMENT_STATUS_DONE"
    assert rows(origin, client.name) == {"d-0": ("one", vector("one"))}


@pytest.mark.timeout(900 if SOAK else 120)
def test_documents_that_kill_their_workers_die_alone(clients: list[Patient], origin: Program) -> None:
    names = [f"d{at:05}" for at in range(DOCUMENTS)]
    poison = set(names[3 :: DOCUMENTS // POISONED][:POISONED])
    for at in range(0, DOCUMENTS, 500):
        clients[0].stage({name: {f"{name}-0": name} for name in names[at : at + 500]})
    stop = threading.Event()

    def work(at: int) -> None:
        """One worker after another, each until a document kills it: nothing is given back then."""
        life = 0
        with Service(Address(clients[at % 2].service.address)) as service:  # type: ignore[arg-type]
            client = Patient(service, clients[0].name)
            while not stop.is_set():
                life += 1
                for claimed in client.claim(f"worker-{at}-{life}", limit=20, lease_ms=1000):
                    if claimed["document_id"] in poison:
                        break
                    client.put(claimed, client.chunks(claimed["document_id"]))
                stop.wait(0.02)

    def over() -> bool:
        counts = clients[0].counts()
        return counts["indexed"] + counts["failed"] == DOCUMENTS

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, at) for at in range(4)]
        try:
            began = time.monotonic()
            until(over, "all are done or dead", 600 if SOAK else 90)
            print(f"{DOCUMENTS} documents, {POISONED} of them poison: {time.monotonic() - began:.1f} s")
        finally:
            stop.set()
        for worker in workers:
            worker.result()
    letters = clients[0].call("ListDeadLetters", page_size=1000)["dead_letters"]
    assert {letter["document_id"]: letter["reason"] for letter in letters} == dict.fromkeys(
        sorted(poison), "FAILURE_REASON_LEASES"
    )
    assert rows(origin, clients[0].name).keys() == {f"{name}-0" for name in names if name not in poison}


class Address:
    def __init__(self, address: str) -> None:
        self.address = address
