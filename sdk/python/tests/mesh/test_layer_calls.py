"""Layer's own calls against the real mesh, of both halves of the package."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from halves import Loop, Threads
from turbopuffer import NotFoundError

from hevlayer import (
    ChunkRow,
    LayerError,
    LayerUnavailable,
    OutcomeUnknown,
    Vector,
    item_named,
    messages,
    record_perf,
)
from mesh.parts import UNHURRIED, Mesh

Half = Threads | Loop


def made(half: Half, mesh: Mesh, **more: Any) -> Any:
    given = {"settings": UNHURRIED} | more
    return mesh.client(**given) if isinstance(half, Threads) else mesh.async_client(**given)


def polled(half: Half, ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Asks until the answer is good."""
    end = time.monotonic() + 10
    while not good(answer := half.run(ask())):
        assert time.monotonic() < end, answer
        time.sleep(0.02)
    return answer


def test_fetches(half: Half, mesh: Mesh, namespace: str) -> None:
    client = made(half, mesh)
    rows: Any = [{"id": number, "title": f"t{number}", "vector": [0.5, 1.0]} for number in (1, 2)]
    half.run(client.namespace(namespace).write(upsert_rows=rows, distance_metric="cosine_distance"))
    document = half.run(client.fetch_document(namespace, 1, include_attributes=["title"]))
    assert (document.id, document.attributes) == (1, {"title": "t1"})
    whole = half.run(client.fetch_document(namespace, 1, strong=True))
    assert whole.attributes["vector"] == [0.5, 1.0]
    got = half.run(client.fetch_documents(namespace, [2, 9, 1]))
    assert [each.id for each in got.documents] == [2, 1] and got.missing == [9]
    with record_perf() as record:
        polled(half, lambda: client.fetch_document(namespace, 1), lambda _: record.last.cache_status == "hit")
    half.run(client.invalidate(namespace, [1]))
    half.run(client.fetch_document(namespace, 1))
    with pytest.raises(LayerError) as raised:
        half.run(client.fetch_document(namespace, 404))
    assert (raised.value.code, raised.value.reason) == ("NOT_FOUND", "NOT_FOUND")
    with pytest.raises(LayerError) as raised:
        half.run(client.fetch_document("no spaces", 1))
    assert raised.value.reason == "INVALID_REQUEST" and "namespace" in raised.value.fields
    half.close(client)


def test_warming(half: Half, mesh: Mesh, namespace: str) -> None:
    client = made(half, mesh)
    half.run(client.namespace(namespace).write(upsert_rows=[{"id": 1, "a": "b"}]))
    job = half.run(client.warm_cache(namespace))
    polled(half, lambda: client.get_warm_job(namespace, job.id), lambda job: job.status == "completed")
    assert [each.id for each in half.run(client.list_warm_jobs(namespace))] == [job.id]
    assert half.run(client.cancel_warm_job(namespace, job.id)).status == "completed"
    hint = half.run(client.hint_cache_warm(namespace, documents=False))
    assert hint.turbopuffer.status == "started" and hint.documents.status == "skipped"
    half.close(client)


def test_blobs(half: Half, mesh: Mesh, namespace: str) -> None:
    client = made(half, mesh)
    half.run(client.namespace(namespace).write(upsert_rows=[{"id": 1}]))
    body = bytes(range(256)) * 100
    blob = half.run(client.put_blob(namespace, body, warm=True))
    assert blob.size == len(body) and blob.ref == f"sha256:{blob.sha256}"
    assert half.run(client.get_blob(namespace, blob.ref)) == body
    with pytest.raises(NotFoundError):
        half.run(client.get_blob(namespace, "0" * 64))
    half.close(client)


def test_pipelines(half: Half, mesh: Mesh, namespace: str) -> None:
    client = made(half, mesh)
    pipeline = f"p-{namespace}"
    assert half.run(client.create_pipeline(pipeline, namespace)).pipeline_id == pipeline
    with pytest.raises(LayerError) as raised:
        half.run(client.create_pipeline(pipeline, namespace))
    assert raised.value.reason == "PIPELINE_EXISTS"
    assert half.run(client.ensure_pipeline(pipeline, namespace)).spec.target_namespace == namespace
    assert pipeline in [each.pipeline_id for each in half.run(client.list_pipelines()).pipelines]
    chunks = [messages.Chunk(chunk_id=f"c{number}", text="text") for number in range(2)]
    for name in ("a", "b", "c"):
        staged = half.run(client.put_pipeline_document_chunks(pipeline, name, chunks if name == "a" else []))
        assert staged.document_id == name
    claim = half.run(client.claim_documents(pipeline, "w1", limit=10))
    one, two, three = claim.documents
    assert (
        half.run(client.heartbeat_documents(pipeline, claim.documents))[0].status
        == messages.DocumentStatus.DOCUMENT_STATUS_DONE
    )
    read = half.run(client.get_pipeline_document_chunks(pipeline, "a"))
    rows = [ChunkRow(each.chunk_id, {"vector": [0.1, 0.2], "text": each.text}) for each in read]
    assert half.run(client.put_pipeline_document_rows(pipeline, one, rows)).stage == "indexed"
    half.run(client.fail_documents(pipeline, [two], kind="permanent", message="no" * 2000))
    half.run(client.release_documents(pipeline, [three]))
    (dead,) = half.run(client.list_pipeline_dead_letters(pipeline)).dead_letters
    assert dead.document_id == "b" and len(dead.message) <= 1024
    assert half.run(client.requeue_pipeline_dead_letters(pipeline)) == 1
    status = half.run(client.get_pipeline_status(pipeline))
    assert {each.stage: each.ready for each in status.stages}["pending"] == 2
    assert half.run(client.set_documents_stage(pipeline, ["c"], "indexed"))[0].stage == "indexed"
    assert [each.stage for each in half.run(client.get_pipeline_documents(pipeline, ["a", "c"]))] == ["indexed"] * 2
    found = half.run(client.namespace(namespace).query(rank_by=["id", "asc"], top_k=9, include_attributes=True))
    assert [row.text for row in found.rows] == ["text", "text"]
    half.run(client.delete_pipeline(pipeline))
    with pytest.raises(LayerError):
        half.run(client.get_pipeline(pipeline))
    half.close(client)


def test_functions(half: Half, mesh: Mesh, namespace: str) -> None:
    client = made(half, mesh)
    name = f"f-{namespace}"
    rows: Any = [{"id": number, "text": f"t{number}"} for number in (1, 2)]
    half.run(client.namespace(namespace).write(upsert_rows=rows))
    spec = messages.FunctionSpec(target_namespaces=[namespace], inputs=["text"])
    assert half.run(client.create_udf(name, spec)).function_id == name
    half.run(client.upsert_udf(name, spec))
    half.run(client.pause_udf(name))
    assert half.run(client.resume_udf(name)).paused is False
    half.run(client.discover_udf(name))
    claim = half.run(client.claim_udf_items(name, "w", wait_seconds=5))
    one, two = claim.items
    half.run(client.heartbeat_udf_items(name, [one, item_named(namespace, two.id.uint_value, two.token)]))
    gained = {
        "words": ["a", "b"],
        "count": 3,
        "seen": datetime(2026, 1, 2, tzinfo=UTC),
    }
    (result,) = half.run(client.complete_udf_items(name, [(one, gained)]))
    assert result.status == messages.ItemStatus.ITEM_STATUS_DONE
    half.run(client.fail_udf_items(name, [two], kind="permanent", message="no"))
    (dead,) = half.run(client.list_udf_dead_letters(name)).dead_letters
    assert dead.message == "no"
    assert half.run(client.reset_failed_udf(name)) == 1
    assert half.run(client.get_udf_status(name)).ready == 1
    assert name in [each.function_id for each in half.run(client.list_udfs()).functions]
    document = half.run(client.fetch_document(namespace, one.id.uint_value, strong=True))
    assert document.attributes["words"] == ["a", "b"] and document.attributes["count"] == 3
    half.run(client.delete_udf(name))
    half.close(client)


def test_perf(half: Half, mesh: Mesh, namespace: str) -> None:
    client = made(half, mesh)
    space = client.namespace(namespace)
    written = half.run(space.write(upsert_rows=[{"id": 1, "a": "b"}], with_perf=True))
    assert written.data.rows_affected == 1 and written.perf.fallback is None and written.perf.latency_ms > 0
    # The router asks its cache once it has found it.
    fetched = polled(
        half,
        lambda: client.fetch_document(namespace, 1, with_perf=True),
        lambda fetched: fetched.perf.cache_status in ("hit", "miss"),
    )
    assert fetched.data.id == 1
    half.close(client)


def test_without_layer(half: Half, mesh: Mesh, namespace: str) -> None:
    client = made(half, mesh, base_url="http://127.0.0.1:9")
    with pytest.raises(LayerUnavailable) as raised:
        half.run(client.fetch_document(namespace, 1))
    assert raised.value.operation == "Fetch" and raised.value.__cause__ is not None
    # The breaker has opened: now nobody is asked.
    assert client.fall_through.breaker.is_open
    with pytest.raises(LayerUnavailable):
        half.run(client.claim_documents("p", "w"))
    assert half.run(client.status()).ready is False
    half.close(client)


def test_a_claim_that_gets_no_answer(half: Half, mortal: Mesh) -> None:
    client = made(half, mortal)
    half.run(client.namespace("n").write(upsert_rows=[{"id": 1}]))
    half.run(client.fetch_document("n", 1))
    mortal.pause()
    with pytest.raises(OutcomeUnknown):
        half.run(client.claim_documents("p", "w", timeout=0.5))
    with pytest.raises(LayerUnavailable):
        half.run(client.fetch_document("n", 1, timeout=0.5))
    mortal.resume()
    half.close(client)


def test_values_go_and_come_back() -> None:
    from hevlayer._values import to_value, value_of

    values: list[Any] = [
        None, True, 7, 2**64 - 1, -1, 0.5, "x", b"y", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), uuid.uuid4(),
        ["a"], [1, 2], [2**63], [0.5, 1.5], [True], [datetime(2026, 1, 2, tzinfo=UTC)], [uuid.uuid4()], [],
        Vector([0.5]), [Vector([0.5]), Vector([0.25])], {"a": 0.5},
    ]  # fmt: skip
    for value in values:
        assert value_of(to_value(value)) == value
    for bad in (object(), [1, "a"], [object()]):
        with pytest.raises(TypeError, match="no value"):
            to_value(bad)
