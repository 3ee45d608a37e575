"""Pipelines over HTTP, through the router: the published client as it is, and Layer's additions."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness.pipelines_http import PipelinesMesh
from harness.waiting import until

OPEN = 'layer_part_breaker_open{part="pipeline-worker"} 1'

hevlayer = pytest.importorskip("hevlayer", reason="the published client needs Python 3.11")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Of the test's own pipeline and namespace."""
    return request.node.name[-60:]


def test_the_published_client_makes_rows_of_documents(pipelines: PipelinesMesh, name: str) -> None:
    async def work(client: Any) -> None:
        made = await client.ensure_pipeline({"id": name, "target_namespace": name})
        assert (made.id, made.target_namespace, made.distance_metric) == (name, name, "cosine_distance")
        assert (await client.ensure_pipeline({"id": name, "target_namespace": name})).created_at == made.created_at
        assert name in [pipeline.id for pipeline in (await client.list_pipelines()).pipelines]

        chunks = [{"id": "a", "text": "Call me Ishmael", "metadata": {"page": 1}}, {"id": "b", "text": "The whale"}]
        staged = await client.put_pipeline_document_chunks(name, "moby", {"chunks": chunks})
        assert (staged.stage, staged.chunk_count, staged.document_id) == ("pending", 2, "moby")
        status = await client.get_pipeline_status(name)
        assert (status.status, status.pending_count, status.counts["pending"]) == ("pending", 1, 1)

        claimed = await client.claim_documents(name, {"worker_id": "w"})
        assert (claimed.documents, claimed.stage, claimed.claim_stage) == (["moby"], "pending", "embedding")
        beat = await client.heartbeat_documents(name, {"document_ids": ["moby", "other"], "worker_id": "w"})
        assert (beat.updated, beat.stage) == (1, "embedding")
        assert (await client.get_pipeline_status(name)).processing_count == 1

        found = await client.get_pipeline_document_chunks(name, "moby")
        assert [(chunk.id, chunk.text, chunk.metadata) for chunk in found] == [
            (staged.chunk_ids[0], "Call me Ishmael", {"page": 1}),
            (staged.chunk_ids[1], "The whale", None),
        ]
        vectors = [{"id": chunk.id, "vector": [0.5, 1.0], "attributes": {"text": chunk.text}} for chunk in found]
        written = await client.put_pipeline_document_vectors(name, "moby", {"vectors": vectors})
        assert (written.status, written.rows_upserted) == ("ok", 2)
        status = await client.get_pipeline_status(name)
        assert (status.status, status.counts) == ("idle", {"pending": 0, "embedding": 0, "indexed": 1, "failed": 0})
        assert pipelines.rows(name) == {"a": "Call me Ishmael", "b": "The whale"}

        assert (await client.delete_pipeline(name)).status == "ok"
        with pytest.raises(hevlayer.HevlayerError) as gone:
            await client.get_pipeline_status(name)
        assert (gone.value.status_code, gone.value.error) == (404, "not_found")

    pipelines.published(work)


def test_the_published_client_moves_documents(pipelines: PipelinesMesh, name: str) -> None:
    async def work(client: Any) -> None:
        await client.create_pipeline({"id": name, "target_namespace": name})
        for document in ("a", "b", "c"):
            await client.put_pipeline_document_chunks(name, document, {"chunks": [{"id": f"{document}1", "text": "x"}]})
        assert sorted((await client.claim_documents(name, {"worker_id": "w"})).documents) == ["a", "b", "c"]
        held = {"from_stage": "embedding", "worker_id": "w"}
        assert (await client.release_documents(name, ["a"], **held)).updated == 1
        assert (await client.fail_documents(name, ["b"], **held)).updated == 1
        assert (await client.complete_documents(name, ["c"], **held)).updated == 1
        assert (await client.release_documents(name, ["c"], **held)).updated == 0
        status = await client.get_pipeline_status(name)
        assert status.counts == {"pending": 1, "embedding": 0, "indexed": 1, "failed": 1}
        assert (status.failed_count, status.failed_reasons) == (1, {"requested": 1})
        marked = {"document_ids": ["new"], "stage": "pending", "create_missing": True}
        assert (await client.set_documents_stage(name, marked)).updated == 1

    pipelines.published(work)


def test_the_published_client_writes_single_vectors_under_any_id(pipelines: PipelinesMesh, name: str) -> None:
    async def work(client: Any) -> None:
        await client.create_pipeline({"id": name, "target_namespace": name})
        # As they are, where httpx leaves them so: it goes up at `..` and takes a percent sign for an encoding.
        documents = {"reports/2026/a b.pdf": None, "ü": None, "../x": "..%2Fx", "a%2Fb": "a%252Fb"}
        for number, (document, encoded) in enumerate(documents.items()):
            path = encoded or document
            chunks = {"chunks": [{"id": f"r{number}", "text": "t"}]}
            staged = await client.put_pipeline_document_chunks(name, path, chunks)
            assert staged.document_id == document
            assert (await client.claim_documents(name, {"worker_id": "w"})).documents == [document]
            entry = {"id": staged.chunk_ids[0], "vector": [1.0, 0.5], "attributes": {"text": document}}
            assert (await client.write_single_vector(name, path, entry)).rows_upserted == 1
        assert pipelines.rows(name) == {"r0": "reports/2026/a b.pdf", "r1": "ü", "r2": "../x", "r3": "a%2Fb"}

    pipelines.published(work)


def test_vectors_of_a_document_that_was_staged_again_are_refused(pipelines: PipelinesMesh, name: str) -> None:
    async def work(client: Any) -> None:
        await client.create_pipeline({"id": name, "target_namespace": name})
        first = await client.put_pipeline_document_chunks(name, "d", {"chunks": [{"id": "a", "text": "old"}]})
        await client.claim_documents(name, {"worker_id": "w"})
        await client.put_pipeline_document_chunks(name, "d", {"chunks": [{"id": "a", "text": "new"}]})
        late = {"vectors": [{"id": first.chunk_ids[0], "vector": [1.0], "attributes": {"text": "old"}}]}
        with pytest.raises(hevlayer.HevlayerError) as refused:
            await client.put_pipeline_document_vectors(name, "d", late)
        assert (refused.value.status_code, refused.value.error) == (409, "conflict")
        assert refused.value.response.json()["reason"] == "STALE_VERSION"
        assert pipelines.rows(name) == {}
        with pytest.raises(hevlayer.HevlayerError) as missing:
            await client.put_pipeline_document_vectors(name, "nothing", {"vectors": []})
        assert missing.value.status_code == 404

    pipelines.published(work)


def test_workers_with_tokens_and_dead_letters(pipelines: PipelinesMesh, name: str) -> None:
    place = f"/v2/pipelines/{name}"
    retry = {"attempts_max": 1}
    made = pipelines.ask("POST", "/v2/pipelines", {"id": name, "target_namespace": name, "retry": retry})
    assert made.status_code == 200 and made.json()["retry"]["attempts_max"] == 1
    for document in ("a", "b"):
        body = {"chunks": [{"id": f"{document}1", "text": document}], "priority": 5}
        staged = pipelines.ask("PUT", f"{place}/documents/{document}", body).json()
        assert staged["version"] > 0 and staged["restaged"] is False
    claims = pipelines.ask("POST", f"{place}/claim", {"worker_id": "w"}).json()["claims"]
    guard = {one["document_id"]: {"document_id": one["document_id"], "token": one["token"]} for one in claims}
    where = pipelines.ask("GET", f"{place}/documents/a").json()
    assert (where["stage"], where["state"], where["worker_id"], where["priority"]) == ("embedding", "leased", "w", 5)

    stale = {"document_id": "a", "token": guard["a"]["token"] - 1}
    beat = {"documents": [guard["b"], stale], "worker_id": "w", "lease_seconds": 60}
    answer = pipelines.ask("POST", f"{place}/documents/heartbeat", beat).json()
    assert (answer["updated"], [one["status"] for one in answer["results"]]) == (1, ["done", "stale_token"])

    rows = [{"id": "a1", "vector": [1.0, 2.0], "attributes": {"text": "a", "big": 2**62 + 1}}]
    bulk = {"documents": [{**guard["a"], "rows": rows}, {"document_id": "nobody", "rows": rows}]}
    answer = pipelines.ask("PUT", f"{place}/rows", bulk).json()
    assert (answer["rows_written"], [one["status"] for one in answer["results"]]) == (1, ["done", "not_found"])
    found = pipelines.ask("GET", f"/v2/namespaces/{name}/documents/a1?include_attributes=big").json()
    assert found["attributes"] == {"big": 2**62 + 1}

    failed = {"documents": [{**guard["b"], "kind": "permanent", "message": "no text in it"}]}
    assert pipelines.ask("POST", f"{place}/documents/fail", failed).json()["updated"] == 1
    letters = pipelines.ask("GET", f"{place}/dead-letters?page_size=10").json()["dead_letters"]
    told = [(letter["document_id"], letter["reason"], letter["message"]) for letter in letters]
    assert told == [("b", "permanent", "no text in it")]
    assert pipelines.ask("POST", f"{place}/dead-letters/requeue", {"document_ids": ["b"]}).json()["requeued"] == 1
    again = pipelines.ask("POST", f"{place}/claim", {"worker_id": "w"}).json()["claims"]
    release = {"documents": [{"document_id": "b", "token": again[0]["token"]}]}
    assert pipelines.ask("POST", f"{place}/documents/release", release).json()["updated"] == 1
    third = pipelines.ask("POST", f"{place}/claim", {"worker_id": "w"}).json()["claims"]
    done = {"documents": [{"document_id": "b", "token": third[0]["token"]}]}
    assert pipelines.ask("POST", f"{place}/documents/complete", done).json()["updated"] == 1


def test_a_claim_waits_for_its_first_document(pipelines: PipelinesMesh, name: str) -> None:
    pipelines.ask("POST", "/v2/pipelines", {"id": name, "target_namespace": name})
    began = time.monotonic()
    answer = pipelines.ask("POST", f"/v2/pipelines/{name}/claim", {"worker_id": "w", "wait_ms": 500})
    assert answer.json()["documents"] == [] and time.monotonic() - began >= 0.5


def test_what_the_service_refuses_names_the_field(pipelines: PipelinesMesh, name: str) -> None:
    for body in ({"id": "no/slash", "target_namespace": name}, {"id": name, "target_namespace": ""}):
        answer = pipelines.ask("POST", "/v2/pipelines", body)
        assert (answer.status_code, answer.json()["error"]) == (422, "validation_error")
    assert pipelines.ask("POST", "/v2/pipelines", {"id": name, "target_namespace": name}).status_code == 200
    answer = pipelines.ask("POST", f"/v2/pipelines/{name}/claim", {"worker_id": ""})
    assert answer.status_code == 422 and "worker_id" in answer.json()["message"]
    chunks = {"chunks": [{"id": "a~5", "text": "t"}]}
    answer = pipelines.ask("PUT", f"/v2/pipelines/{name}/documents/d", chunks)
    assert answer.status_code == 422 and "chunk_id" in answer.json()["message"]


def test_what_the_origin_refuses_keeps_its_status_and_words(pipelines: PipelinesMesh, name: str) -> None:
    place = f"/v2/pipelines/{name}"
    assert pipelines.ask("POST", "/v2/pipelines", {"id": name, "target_namespace": name}).status_code == 200
    pipelines.ask("PUT", f"{place}/documents/d", {"chunks": [{"id": "a", "text": "t"}]})
    pipelines.ask("POST", f"{place}/claim", {"worker_id": "w"})
    # An integer of an attribute that no schema declares is signed at the origin.
    vectors = {"vectors": [{"id": "a", "vector": [1.0], "attributes": {"big": 2**63 + 1}}]}
    answer = pipelines.ask("PUT", f"{place}/documents/d/vectors", vectors)
    told = answer.json()
    assert (answer.status_code, told["error"], told["reason"]) == (400, "origin_error", "ORIGIN_ERROR")
    assert pipelines.ask("GET", f"{place}/documents/d").json()["state"] == "leased"


def test_with_the_service_away_calls_fail_at_once_and_queries_go_on(pipelines: PipelinesMesh, name: str) -> None:
    row = {"upsert_rows": [{"id": "a", "vector": [1.0], "text": "t"}], "distance_metric": "cosine_distance"}
    assert pipelines.ask("POST", f"/v2/namespaces/{name}", row).status_code == 200
    pipelines.worker.process.kill()

    async def work(client: Any) -> None:
        began = time.monotonic()
        with pytest.raises(hevlayer.HevlayerError) as away:
            await client.list_pipelines()
        assert time.monotonic() - began < 1.0
        assert (away.value.status_code, away.value.error) == (503, "pipeline_worker_unavailable")
        assert away.value.message.startswith("pipeline-worker: ")
        assert away.value.response.headers["retry-after"] == "1"

    try:
        pipelines.published(work)
        assert pipelines.rows(name) == {"a": "t"}
    finally:
        pipelines.start()


def test_a_service_that_stands_still_is_left_alone_until_it_goes_on(pipelines: PipelinesMesh) -> None:
    """Callers wait as long as they say until a probe has found out; then for nothing."""

    def ask(timeout_ms: int) -> tuple[int, float]:
        began = time.monotonic()
        answer = pipelines.ask("GET", "/v2/pipelines", timeout_ms=timeout_ms)
        return answer.status_code, time.monotonic() - began

    pipelines.worker.process.suspend()
    try:
        status, took = ask(300)
        assert status == 504 and took < 2.0
        # Five seconds of silence, and two probes that are not answered.
        until(lambda: OPEN in pipelines.router.metrics(), "the router has found out", 20.0)
        status, took = ask(20_000)
        assert status == 503 and took < 1.0
    finally:
        pipelines.worker.process.resume()
    until(lambda: ask(1000)[0] == 200, "the router finds it again")
