"""The document cache begins to refuse writes in the middle of a job: the job completes all the same, reads come from
the object store, operators are told; and when the cache comes back empty reads fill it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.aerospike import AerospikeStandIn
from harness.doc_cache import start_doc_cache
from harness.exposition import value
from harness.pipelines import Service, start_pipeline_worker
from harness.programs import Program
from harness.waiting import until

from .client import Patient
from .flow import Flow, texts

SOAK = "LAYER_SOAK" in os.environ
DOCUMENTS = 5000 if SOAK else 120
WORDS = " and more words" * 100
WRITE_FAILED = "Aerospike chunk write failed (best-effort)"
READ_FAILED = "Aerospike chunk read failed; falling back to S3 backing"


class Parts:
    """Aerospike, doc-cache before it, and a pipeline-worker that uses it."""

    def __init__(self, router: Program, directory: Path, stack: ExitStack) -> None:
        self.aerospike = AerospikeStandIn()
        stack.callback(self.aerospike.process.kill)
        settings = {"backend": "aerospike", "aerospike.hosts": self.aerospike.address}
        self.cache = start_doc_cache(settings)
        stack.callback(self.cache.process.kill)
        self.worker = start_pipeline_worker(router.url, directory, {"cache.addresses": self.cache.address})
        stack.callback(self.worker.process.kill)

    def reads(self, result: str) -> float:
        return value(self.worker.metrics(), "layer_chunk_cache_reads_total", result=result)

    def writes(self, status: str) -> float:
        return value(self.worker.metrics(), "layer_chunk_cache_writes_total", status=status)

    def store_reads(self) -> float:
        return value(self.worker.metrics(), "layer_s3_op_duration_seconds_count", operation="get", status="ok")

    def refused(self) -> float:
        """Writes that Aerospike refused."""
        page = self.cache.metrics()
        return value(page, "layer_aerospike_op_duration_seconds_count", status="aerospike_stop_writes")

    def told(self, line: str) -> int:
        return self.worker.process.log.count(line)


@pytest.fixture
def parts(router: Program, tmp_path: Path) -> Iterator[Parts]:
    with ExitStack() as stack:
        yield Parts(router, tmp_path / "worker", stack)


@pytest.mark.timeout(600 if SOAK else 120)
def test_a_job_completes_while_the_cache_refuses_writes(parts: Parts, origin: Program) -> None:
    flow = Flow(parts.worker, "stop-writes", DOCUMENTS, WORDS)
    with Service(parts.worker) as service:
        client = Patient(service, flow.name)

        def fault() -> None:
            # It works as it should until then.
            until(lambda: parts.reads("hit") > 0 and parts.writes("ok") > 0, "the cache is used")
            assert parts.told(WRITE_FAILED) == 0
            assert parts.refused() == 0
            parts.aerospike.command("stop-writes on")

        flow.run(fault, 400 if SOAK else 90)
        flow.check(origin)
        assert parts.refused() > 0
        assert parts.writes("error") > 0
        assert parts.told(WRITE_FAILED) == parts.writes("error"), "one line for each write that was refused"
        # What is staged now is read from the object store, each time.
        client.stage({"late": texts("late", WORDS)})
        before = parts.store_reads()
        for _ in range(2):
            assert [one["text"] for one in client.chunks("late")] == list(texts("late", WORDS).values())
        assert parts.store_reads() == before + 2

        # Away as a whole: reads say so, and go on.
        parts.aerospike.command("kill")
        sample = ["late", *flow.names[:5]]

        def read(document: str) -> None:
            assert [one["text"] for one in client.chunks(document)] == list(texts(document, WORDS).values())

        until(lambda: read("late") or parts.told(READ_FAILED) > 0, "a read of the cache fails")
        assert parts.reads("error") > 0

        # It comes back empty, and takes writes: what is read is filled in, and read from it then.
        parts.aerospike.command("stop-writes off")
        parts.aerospike.command("boot empty")
        assert int(parts.aerospike.command("records")) <= 8, "nothing but what doc-cache keeps for itself"

        def kept() -> bool:
            before = parts.store_reads()
            for document in sample:
                read(document)
            return parts.store_reads() == before

        # Not at the first attempt: what is filled before doc-cache finds another epoch is void then.
        until(kept, "all are read from the cache", 30)
