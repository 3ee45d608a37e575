"""A queue of a million documents, staged, claimed and completed through the service on PostgreSQL."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.pipelines import Service, start_pipeline_worker
from harness.postgres import Postgres
from harness.programs import Program

from .client import Patient, guard

DOCUMENTS = int(os.environ.get("LAYER_SOAK_DOCUMENTS", "1000000"))
BATCH = 1000
CLIENTS = 4
pytestmark = [
    pytest.mark.skipif("LAYER_SOAK" not in os.environ, reason="long: part of `make soak`"),
    pytest.mark.timeout(5400),
]


@pytest.fixture
def worker(router: Program, postgres: Postgres, tmp_path: Path) -> Iterator[Program]:
    settings = {"state.url": postgres.url(postgres.database()), "upkeep.interval_ms": 5000}
    program = start_pipeline_worker(router.url, tmp_path, settings)
    yield program
    program.process.kill()
    # A million bodies.
    shutil.rmtree(tmp_path)


def side_by_side(worker: Program, name: str, work: Callable[[Patient], int], what: str) -> int:
    """`work` by several clients, each until there is none; how much it was, and how fast."""
    began, total, lock = time.monotonic(), 0, threading.Lock()

    def one(_: int) -> None:
        nonlocal total
        with Service(worker) as service:
            client = Patient(service, name, within_s=60)
            while count := work(client):
                with lock:
                    total += count

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(one, range(CLIENTS)))
    took = time.monotonic() - began
    print(f"{what}: {total} documents in {took:.0f} s, {total / took:.0f}/s")
    return total


def test_a_million_documents_are_counted_right(worker: Program) -> None:
    name = "million"
    with Service(worker) as service:
        client = Patient(service, name)
        client.create(stages=["pending", "embedding", "indexed"])
        batches = iter(range(0, DOCUMENTS, BATCH))
        taken = threading.Lock()

        def stage(client: Patient) -> int:
            with taken:
                at = next(batches, None)
            if at is None:
                return 0
            names = [f"d{number:07}" for number in range(at, min(at + BATCH, DOCUMENTS))]
            client.stage({name: {f"{name}-0": name} for name in names})
            return len(names)

        assert side_by_side(worker, name, stage, "staged") == DOCUMENTS
        assert client.counts() == {"pending": DOCUMENTS, "embedding": 0, "indexed": 0, "failed": 0}
        seen: list[list[str]] = []
        claims = itertools.count()

        def work(client: Patient) -> int:
            claimed = client.claim(f"worker-{next(claims)}", limit=BATCH, claim_stage="embedding")
            seen.append([one["document_id"] for one in claimed])
            if claimed:
                documents = [{"document": guard(one)} for one in claimed]
                results = client.call("Complete", documents=documents, to_stage="indexed")["results"]
                assert {one["status"] for one in results} == {"DOCUMENT_STATUS_DONE"}
            return len(claimed)

        assert side_by_side(worker, name, work, "claimed and completed") == DOCUMENTS
        assert client.counts() == {"pending": 0, "embedding": 0, "indexed": DOCUMENTS, "failed": 0}
        times = Counter(document for batch in seen for document in batch)
        assert len(times) == DOCUMENTS
        assert set(times.values()) == {1}, "each was given to one worker, once"
