"""Workers against the real mesh."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.programs import KEY
from harness.waiting import until
from hevlayer import ChunkRow, Hevlayer, LayerError, messages
from hevlayer.worker import (
    FunctionItem,
    Job,
    Output,
    Permanent,
    PipelineDocument,
    Transient,
    WorkerEvent,
    function,
    pipeline,
    run_worker,
    run_worker_async,
)
from mesh.parts import UNHURRIED, Mesh

SDK = Path(__file__).parents[2]


@pytest.fixture
def queue(client: Hevlayer, namespace: str) -> str:
    """A pipeline with quick retries."""
    name = f"p-{namespace}"
    retry = messages.RetryPolicy(attempts_max=3, initial_backoff_ms=50, max_backoff_ms=100)
    client.create_pipeline(name, namespace, retry=retry)
    return name


def stage(client: Hevlayer, queue: str, count: int) -> None:
    chunks = lambda name: [messages.Chunk(chunk_id=f"{name}-0", text=f"text of {name}")]  # noqa: E731
    names = [f"d{number}" for number in range(count)]
    client.stage_documents(queue, [messages.StagedDocument(document_id=name, chunks=chunks(name)) for name in names])


def options(mesh: Mesh) -> dict[str, Any]:
    return {"base_url": mesh.url, "api_key": KEY, "settings": UNHURRIED}


def rows_of(documents: Sequence[PipelineDocument]) -> list[Any]:
    return [
        [ChunkRow(chunk.chunk_id, {"text": chunk.text, "vector": [1, 0.5]}) for chunk in each.chunks]
        for each in documents
    ]


def ready(client: Hevlayer, queue: str) -> dict[str, int]:
    """Documents by stage."""
    stages = client.get_pipeline_status(queue).stages
    return {each.stage: each.ready + each.delayed + each.leased + each.ended for each in stages}


def test_a_pipeline(client: Hevlayer, mesh: Mesh, queue: str, namespace: str) -> None:
    stage(client, queue, 25)
    events: list[WorkerEvent] = []
    job = pipeline(queue, batch_size=10)(rows_of)
    run_worker(job, client_options=options(mesh), once=True, wait_seconds=0.2, concurrency=2, on_work=events.append)
    assert ready(client, queue)["indexed"] == 25
    found = client.namespace(namespace).query(rank_by=["id", "asc"], top_k=100, include_attributes=["text"])
    assert sorted(row.text for row in found.rows or []) == sorted(f"text of d{n}" for n in range(25))
    counted = Counter({kind: sum(e.count for e in events if e.kind == kind) for kind in ("claimed", "done")})
    assert counted == {"claimed": 25, "done": 25}


def test_stages(client: Hevlayer, mesh: Mesh, namespace: str) -> None:
    name = f"s-{namespace}"
    client.create_pipeline(name, namespace, stages=["raw", "split", "done"])
    stage(client, name, 2)

    @pipeline(name, stage="raw", claim_stage="raw")
    async def split(documents: Sequence[PipelineDocument]) -> list[Output]:
        return [Output([messages.Chunk(chunk_id=f"{each.id}-x", text="piece")], "split") for each in documents]

    run_worker(split, client_options=options(mesh), once=True, wait_seconds=0)
    assert ready(client, name)["split"] == 2
    chunks = client.get_pipeline_document_chunks(name, "d0", stage="raw")
    assert [chunk.text for chunk in chunks] == ["piece"]


def test_failures(client: Hevlayer, mesh: Mesh, queue: str) -> None:
    stage(client, queue, 4)
    attempts: Counter[str] = Counter()

    @pipeline(queue)
    def handler(documents: Sequence[PipelineDocument]) -> list[Any]:
        attempts.update(each.id for each in documents)
        results = dict(zip((each.id for each in documents), rows_of(documents), strict=True))
        results |= {"d1": Permanent("never"), "d2": Transient("later")}
        if "d3" in results and attempts["d3"] == 1:
            results["d3"] = ValueError("once")
        return [results[each.id] for each in documents]

    def finished() -> bool:
        run_worker(handler, client_options=options(mesh), once=True, wait_seconds=0.1)
        counts = ready(client, queue)
        return counts["indexed"] == 2 and counts["failed"] == 2

    until(finished, "all are done or dead", 30)
    assert attempts["d1"] == 1 and attempts["d2"] == 3 and attempts["d3"] == 2
    dead = {each.document_id: each.message for each in client.list_pipeline_dead_letters(queue).dead_letters}
    assert dead == {"d1": "Permanent: never", "d2": "Transient: later"}


def test_a_handler_that_raises_fails_its_batch(client: Hevlayer, mesh: Mesh, queue: str) -> None:
    stage(client, queue, 2)

    @pipeline(queue)
    def handler(documents: Sequence[PipelineDocument]) -> list[Any]:
        raise Permanent("broken")

    run_worker(handler, client_options=options(mesh), once=True, wait_seconds=0)
    assert ready(client, queue)["failed"] == 2


def test_wrong_answers_are_dead_letters(client: Hevlayer, mesh: Mesh, queue: str) -> None:
    stage(client, queue, 1)
    job = pipeline(queue)(lambda documents: [])

    def dead() -> bool:
        run_worker(job, client_options=options(mesh), once=True, wait_seconds=0.1)
        return ready(client, queue)["failed"] == 1

    until(dead, "it is a dead letter", 30)


def test_leases_are_extended_in_the_background(client: Hevlayer, mesh: Mesh, queue: str) -> None:
    """A batch takes three times its lease, beside a worker that takes what it can get."""
    stage(client, queue, 3)
    seen: Counter[str] = Counter()

    def slow(documents: Sequence[PipelineDocument]) -> list[Any]:
        seen.update(each.id for each in documents)
        time.sleep(9.0)
        return rows_of(documents)

    async def two() -> None:
        stop = asyncio.Event()
        clients = [mesh.async_client(settings=UNHURRIED) for _ in range(2)]
        workers = [
            asyncio.create_task(
                run_worker_async(pipeline(queue)(slow), client=each, lease_seconds=3, wait_seconds=0.3, stop=stop)
            )
            for each in clients
        ]
        end = time.monotonic() + 40
        while (await asyncio.to_thread(ready, client, queue))["indexed"] < 3 and time.monotonic() < end:
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*workers)
        for each in clients:
            await each.close()

    asyncio.run(two())
    assert seen == {"d0": 1, "d1": 1, "d2": 1}
    assert ready(client, queue)["indexed"] == 3


def test_a_router_that_goes_and_comes(client: Hevlayer, mortal: Mesh, mesh: Mesh, queue: str) -> None:
    stage(client, queue, 60)
    mortal.kill()
    mortal.start({"pipelines.addresses": pipelines_of(mesh)})
    done = threading.Event()

    def handler(documents: Sequence[PipelineDocument]) -> list[Any]:
        time.sleep(0.05)
        return rows_of(documents)

    async def work() -> None:
        stop = asyncio.Event()
        async with mortal.async_client() as used:
            job = pipeline(queue, batch_size=2)(handler)
            task = asyncio.create_task(run_worker_async(job, client=used, lease_seconds=5, wait_seconds=1, stop=stop))
            while not done.is_set():
                await asyncio.sleep(0.02)
            stop.set()
            await task

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        for _ in range(2):
            before = ready(client, queue)["indexed"]
            until(lambda before=before: ready(client, queue)["indexed"] > before, "work goes on", 30)
            mortal.kill()
            mortal.start()
        until(lambda: ready(client, queue)["indexed"] == 60, "all is done", 60)
    finally:
        done.set()
        thread.join(30)
    assert ready(client, queue)["failed"] == 0


def pipelines_of(mesh: Mesh) -> str:
    return str(mesh.settings["pipelines.addresses"])


def table(client: Hevlayer, namespace: str, count: int) -> str:
    name = f"f-{namespace}"
    rows: Any = [{"id": number, "text": f"t{number}"} if number else {"id": 0, "other": 1} for number in range(count)]
    client.namespace(namespace).write(upsert_rows=rows)
    retry = messages.FunctionRetry(attempts_max=2, initial_backoff_ms=50, max_backoff_ms=100)
    client.create_udf(name, messages.FunctionSpec(target_namespaces=[namespace], inputs=["text"], retry=retry))
    client.discover_udf(name)
    return name


def work_until(job: Job, mesh: Mesh, good: Callable[[], bool]) -> None:
    def look() -> bool:
        run_worker(job, client_options=options(mesh), once=True, wait_seconds=0.2)
        return good()

    until(look, "the function is done", 30)


def test_a_function(client: Hevlayer, mesh: Mesh, namespace: str) -> None:
    name = table(client, namespace, 5)

    @function(name, output="length")
    def length(*, text: str = "") -> int:
        if text == "t3":
            raise Permanent("no")
        return len(text)

    assert length(text="abc") == 3
    work_until(length, mesh, lambda: client.get_udf_status(name).dead == 1 and not _left(client, name))
    found = client.namespace(namespace).query(rank_by=["id", "asc"], top_k=9, include_attributes=["length"])
    assert [getattr(row, "length", None) for row in found.rows or []] == [0, 2, 2, None, 2]
    client.delete_udf(name)


def test_a_function_over_batches(client: Hevlayer, mesh: Mesh, namespace: str) -> None:
    name = table(client, namespace, 3)

    @function(name, batch=True, batch_size=2)
    async def upper(items: Sequence[FunctionItem]) -> list[Any]:
        return [{"upper": str(item.input.get("text", "")).upper()} for item in items]

    work_until(upper, mesh, lambda: not _left(client, name))
    found = client.namespace(namespace).query(rank_by=["id", "asc"], top_k=9, include_attributes=["upper"])
    assert [row.upper for row in found.rows or []] == ["", "T1", "T2"]
    client.delete_udf(name)


def _left(client: Hevlayer, name: str) -> int:
    status = client.get_udf_status(name)
    return status.ready + status.delayed + status.leased


def test_a_queue_that_is_not_there(mesh: Mesh) -> None:
    with pytest.raises(LayerError) as raised:
        run_worker(pipeline("nowhere")(rows_of), client_options=options(mesh), once=True)
    assert raised.value.reason == "PIPELINE_NOT_FOUND"


PROGRAM = """
import sys, time
from hevlayer import ChunkRow
from hevlayer.worker import pipeline, run_worker

@pipeline(sys.argv[1], batch_size=1)
def handler(documents):
    print("begun", documents[0].id, flush=True)
    time.sleep(float(sys.argv[2]))
    return [[ChunkRow(c.chunk_id, {"vector": [1.0]}) for c in d.chunks] for d in documents]

run_worker(handler, drain_seconds=float(sys.argv[3]), wait_seconds=1)
print("ended", flush=True)
"""


@pytest.mark.parametrize("works_s, drain_s, indexed", [(2, 20, 1), (60, 0.2, 0)], ids=["in time", "too slow"])
def test_sigterm_leaves_nothing_leased(
    client: Hevlayer, mesh: Mesh, queue: str, works_s: float, drain_s: float, indexed: int
) -> None:
    stage(client, queue, 3)
    environment = os.environ | {
        "LAYER_GATEWAY_URL": mesh.url,
        "LAYER_GATEWAY_API_KEY": KEY,
        "PYTHONPATH": str(SDK / "src"),
    }
    arguments = [sys.executable, "-c", PROGRAM, queue, str(works_s), str(drain_s)]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("begun")
        program.send_signal(signal.SIGTERM)
        assert program.stdout.read() == "ended\n"
        assert program.wait(30) == 0
    status = client.get_pipeline_status(queue)
    assert sum(each.leased for each in status.stages) == 0
    assert ready(client, queue) == {"pending": 3 - indexed, "embedding": 0, "indexed": indexed, "failed": 0}
