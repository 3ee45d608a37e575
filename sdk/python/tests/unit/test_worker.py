"""What a worker makes of refusals, of what cannot be handed in, and of handlers that do not end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.queue import Queue
from hevlayer import AsyncHevlayer, ChunkRow, LayerError, Settings
from hevlayer._proto.layer.pipeline.v1 import document_pb2 as documents
from hevlayer.worker import Permanent, WorkerEvent, _loop, function, pipeline, run_worker_async

Code = grpc.StatusCode
SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setattr(_loop, "BACKOFF_S", 0.01)
    made = Queue()
    yield made
    made.stop()


def rows(given: Sequence[Any]) -> list[Any]:
    return [[ChunkRow("c", {"x": "y"})] for _ in given]


def attributes(given: Sequence[Any]) -> list[Any]:
    return [{"x": "y"} for _ in given]


KINDS: list[tuple[Any, Callable[[Sequence[Any]], list[Any]]]] = [
    (pipeline("p"), rows),
    (function("f", batch=True), attributes),
]


@pytest.fixture(params=KINDS, ids=["pipeline", "function"])
def work(request: pytest.FixtureRequest) -> Any:
    """What makes a job of a handler, and a handler of that kind that does its work."""
    return request.param


def client_of(queue: Queue) -> AsyncHevlayer:
    return AsyncHevlayer(base_url=queue.url, api_key="k", settings=Settings(connect_timeout_s=10))


def run(queue: Queue, job: Any, **options: Any) -> list[WorkerEvent]:
    """Works until nothing is left."""
    events: list[WorkerEvent] = []

    async def once() -> None:
        async with client_of(queue) as client:
            given = {"once": True, "wait_seconds": 0, "on_work": events.append} | options
            await asyncio.wait_for(run_worker_async(job, client=client, **given), 20)

    asyncio.run(once())
    return events


def counted(events: list[WorkerEvent]) -> dict[str, int]:
    kinds = {event.kind for event in events} - {"retry"}
    return {kind: sum(event.count for event in events if event.kind == kind) for kind in kinds}


def test_one_bad_row_fails_alone(queue: Queue, work: Any) -> None:
    make, handler = work
    queue.ready = ["a", "bad", "b"]
    queue.refuses = lambda ids: (Code.INVALID_ARGUMENT, "ORIGIN_ERROR") if "bad" in ids else None
    events = run(queue, make(handler))
    assert sorted(queue.done) == ["a", "b"] and list(queue.failed) == ["bad"]
    # The same again would be refused again.
    assert queue.failed["bad"].kind == documents.FAILURE_KIND_PERMANENT
    assert counted(events) == {"claimed": 3, "done": 2, "failed": 1}


@pytest.mark.parametrize(
    "wrong", ["\ud800", object(), 2**70, None], ids=["no text", "no value", "too large", "no result"]
)
def test_what_cannot_be_sent_fails_alone(queue: Queue, work: Any, wrong: Any) -> None:
    make, handler = work

    def handle(given: Sequence[Any]) -> list[Any]:
        results = handler(given)
        bad = None if wrong is None else {"x": wrong}
        results[1] = bad if bad is None or isinstance(results[0], dict) else [ChunkRow("c", bad)]
        return results

    queue.ready = ["a", "bad", "b"]
    run(queue, make(handle))
    assert sorted(queue.done) == ["a", "b"] and list(queue.failed) == ["bad"]
    assert queue.failed["bad"].kind == documents.FAILURE_KIND_PERMANENT


TROUBLE = {
    "the router refuses pipeline-worker": (Code.FAILED_PRECONDITION, "ROUTER_REFUSED"),
    "the worker's key is refused": (Code.UNAUTHENTICATED, "UNAUTHORIZED"),
    "the worker's key may not": (Code.PERMISSION_DENIED, "FORBIDDEN"),
    "a fault of Layer": (Code.INTERNAL, "STATE_BROKEN"),
    "an ingress without a route": (Code.UNIMPLEMENTED, ""),
    "a change came first": (Code.ABORTED, "BODY_EXPIRED"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_of_operators_makes_no_dead_letters(queue: Queue, work: Any, trouble: str) -> None:
    make, handler = work
    queue.ready = ["a", "b"]
    answers = [TROUBLE[trouble]] * 3
    queue.refuses = lambda ids: answers.pop() if answers else None
    events = run(queue, make(handler))
    assert sorted(queue.done) == ["a", "b"] and queue.failed == {}
    assert counted(events) == {"claimed": 2, "done": 2}


@pytest.mark.parametrize("reason", ["PIPELINE_NOT_FOUND", "FUNCTION_NOT_FOUND", "STALE_VERSION", "DOCUMENT_NOT_FOUND"])
def test_what_is_gone_is_left(queue: Queue, work: Any, reason: str) -> None:
    make, handler = work
    queue.ready = ["a"]
    queue.refuses = lambda ids: (Code.ABORTED if reason == "STALE_VERSION" else Code.NOT_FOUND, reason)
    events = run(queue, make(handler))
    assert queue.done == [] and queue.failed == {}
    assert counted(events) == {"claimed": 1, "lost": 1}


def test_what_somebody_else_has_is_not_done(queue: Queue, work: Any) -> None:
    make, handler = work
    queue.ready, queue.stale = ["a", "b"], {"b"}
    assert counted(run(queue, make(handler))) == {"claimed": 2, "done": 1, "lost": 1}


def test_chunks_that_are_lost_fail_alone(queue: Queue) -> None:
    queue.ready = ["a", "bad", "b"]
    queue.reads = lambda: (Code.DATA_LOSS, "BODY_LOST")
    seen: list[str] = []

    def handle(given: Sequence[Any]) -> list[Any]:
        seen.extend(each.id for each in given)
        return rows(given)

    run(queue, pipeline("p")(handle))
    assert sorted(seen) == sorted(queue.done) == ["a", "b"]
    assert queue.failed["bad"].kind == documents.FAILURE_KIND_PERMANENT


def test_a_document_that_is_gone_before_it_is_read(queue: Queue) -> None:
    queue.ready = ["a", "bad"]
    queue.reads = lambda: (Code.NOT_FOUND, "DOCUMENT_NOT_FOUND")
    assert counted(run(queue, pipeline("p")(rows))) == {"claimed": 2, "done": 1, "lost": 1}
    assert queue.failed == {}


def test_any_error_can_be_told(queue: Queue, work: Any) -> None:
    make, _ = work
    queue.ready = ["a", "b"]
    errors = [Permanent("not text: \udcff"), ValueError("x" + "é" * 1024)]
    run(queue, make(lambda given: errors))
    assert queue.failed["a"].message == "Permanent: not text: ?"
    assert len(queue.failed["b"].message.encode()) <= 1024


@pytest.mark.parametrize("code", [Code.UNAUTHENTICATED, Code.PERMISSION_DENIED])
def test_a_key_that_no_claim_is_granted_ends_the_worker(queue: Queue, work: Any, code: Code) -> None:
    make, handler = work
    queue.claims = lambda: (code, "UNAUTHORIZED")
    with pytest.raises(LayerError, match="UNAUTHORIZED"):
        run(queue, make(handler))


def test_claims_outlast_trouble(queue: Queue, work: Any) -> None:
    make, handler = work
    queue.ready = ["a"]
    answers = [(Code.INTERNAL, "STATE_BROKEN"), (Code.FAILED_PRECONDITION, "ROUTER_REFUSED")]
    queue.claims = lambda: answers.pop() if answers else None
    run(queue, make(handler))
    assert queue.done == ["a"]


def test_what_is_given_back_is_no_failure(queue: Queue, work: Any) -> None:
    make, _ = work
    queue.ready = ["a"]

    async def drain() -> None:
        stop = asyncio.Event()

        async def handle(given: Sequence[Any]) -> list[Any]:
            stop.set()
            await asyncio.Event().wait()
            raise AssertionError

        async with client_of(queue) as client:
            await run_worker_async(make(handle), client=client, drain_seconds=0.05, stop=stop)

    asyncio.run(drain())
    assert queue.failed == {} and queue.done == []


PROGRAM = """
import sys, threading
from hevlayer.worker import pipeline, run_worker

@pipeline("p")
def handler(documents):
    print("begun", flush=True)
    threading.Event().wait()

run_worker(handler, drain_seconds=0.1, wait_seconds=0)
print("ended", flush=True)
"""


def test_a_handler_that_never_ends_keeps_no_process(queue: Queue) -> None:
    queue.ready = ["a"]
    environment = os.environ | {"LAYER_GATEWAY_URL": queue.url, "LAYER_GATEWAY_API_KEY": "k", "PYTHONPATH": str(SRC)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        try:
            assert program.stdout.readline() == "begun\n"
            program.terminate()
            assert program.wait(20) == 0
            assert program.stdout.read() == "ended\n"
        finally:
            program.kill()
    assert queue.released == ["a"]


@pytest.mark.parametrize("raised", [StopIteration("no"), KeyError("k")])
def test_what_a_handler_in_a_thread_raises(queue: Queue, raised: Exception) -> None:
    queue.ready = ["a"]
    names: list[str] = []

    def handle(given: Sequence[Any]) -> list[Any]:
        names.append(threading.current_thread().name)
        raise raised

    run(queue, pipeline("p")(handle))
    assert names == ["hevlayer-handler"] and list(queue.failed) == ["a"]
