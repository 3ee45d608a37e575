"""A claim's commit is not waited for: what becomes of one that PostgreSQL loses with its last moments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.pipelines import Service, start_pipeline_worker
from harness.postgres import Postgres
from harness.programs import Program

from .client import DONE, Patient, guard, vector
from .origin_rows import rows


@pytest.fixture
def forgetful() -> Iterator[Postgres]:
    """A server that writes by itself only every ten seconds what nobody waits for."""
    cluster = Postgres()
    cluster.sql("ALTER SYSTEM SET wal_writer_delay = '10s'")
    cluster.sql("SELECT pg_reload_conf()")
    yield cluster
    cluster.remove()


@pytest.fixture
def client(router: Program, forgetful: Postgres, tmp_path: Path) -> Iterator[Patient]:
    # Upkeep's commits are waited for, and what came before them is on the disk with them.
    settings = {"state.url": forgetful.url(forgetful.database()), "upkeep.interval_ms": 600_000}
    program = start_pipeline_worker(router.url, tmp_path / "worker", settings)
    with Service(program) as service:
        client = Patient(service, f"lost{program.port}")
        client.create()
        yield client
    program.process.kill()


def stages(client: Patient) -> tuple[int, int]:
    """How many documents are ready at the beginning, and how many are leased."""
    found = client.call("GetPipelineStatus")["status"]["stages"]
    return int(found[0]["ready"]), sum(int(stage["leased"]) for stage in found)


def test_a_claim_that_is_lost_was_never_made(client: Patient, forgetful: Postgres, origin: Program) -> None:
    client.stage({"d": {"d-0": "one"}, "e": {"e-0": "two"}})
    [lost] = client.claim("first", limit=1)
    assert stages(client) == (1, 1)
    forgetful.kill()
    forgetful.start()
    assert stages(client) == (2, 0), "it was lost, and nothing else"
    assert client.put(lost, client.chunks(lost["document_id"])) == "DOCUMENT_STATUS_STALE_TOKEN"

    again = {claimed["document_id"]: claimed for claimed in client.claim("second", limit=2)}
    assert int(again[lost["document_id"]]["token"]) > int(lost["token"])
    assert client.call("Heartbeat", documents=[guard(lost)])["results"][0]["status"] == "DOCUMENT_STATUS_STALE_TOKEN"
    assert [client.put(claimed, client.chunks(name)) for name, claimed in again.items()] == [DONE] * 2
    assert rows(origin, client.name) == {"d-0": ("one", vector("one")), "e-0": ("two", vector("two"))}


def test_what_was_completed_is_not_lost(client: Patient, forgetful: Postgres) -> None:
    client.stage({"d": {"d-0": "one"}, "e": {"e-0": "two"}})
    [claimed] = client.claim("w", limit=1)
    assert client.put(claimed, client.chunks(claimed["document_id"])) == DONE
    forgetful.kill()
    forgetful.start()
    assert client.counts() == {"pending": 1, "embedding": 0, "indexed": 1, "failed": 0}
