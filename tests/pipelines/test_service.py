"""Pipelines over the real parts: stand-in, router, pipeline-worker on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.client import ask
from harness.grpc import FailedCall
from harness.pipelines import Service, start_pipeline_worker
from harness.postgres import Postgres
from harness.programs import Program
from harness.waiting import until

NAMESPACE = "books"
PIPELINE = "books-pipeline"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def worker(
    request: pytest.FixtureRequest, router: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """pipeline-worker on each database."""
    settings: dict[str, Any] = {"state.late_write_ms": 500}
    if request.param == "postgres":
        cluster: Postgres = request.getfixturevalue("postgres")
        settings["state.url"] = cluster.url(cluster.database())
    program = start_pipeline_worker(router.url, tmp_path_factory.mktemp("worker"), settings)
    yield program
    program.process.kill()


@pytest.fixture
def service(worker: Program, request: pytest.FixtureRequest) -> Iterator[Service]:
    with Service(worker) as one:
        yield one


@pytest.fixture
def pipeline(service: Service, request: pytest.FixtureRequest) -> Pipeline:
    """A pipeline of the test's own, with a namespace of its own."""
    name = request.node.name.replace("[", "-").replace("]", "")[-60:]
    service.call("CreatePipeline", pipeline_id=name, spec={"target_namespace": name})
    return Pipeline(service, name)


class Pipeline:
    """Calls of one pipeline."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name = service, name

    def call(self, method: str, **fields: Any) -> Any:
        return self.service.call(method, pipeline_id=self.name, **fields)

    def stage(self, document: str, **texts: str) -> dict[str, Any]:
        chunks = [{"chunk_id": chunk, "text": text} for chunk, text in texts.items()]
        return self.call("StageDocuments", documents=[{"document_id": document, "chunks": chunks}])["results"][0]

    def claim(self, worker: str = "w", **fields: Any) -> list[dict[str, Any]]:
        return self.call("Claim", worker_id=worker, **fields)["documents"]

    def chunks(self, document: str) -> list[dict[str, Any]]:
        pieces = self.call("GetChunks", document_id=document)
        return [chunk for piece in pieces for chunk in piece["chunks"]]

    def put(self, claimed: dict[str, Any], chunks: list[dict[str, Any]]) -> dict[str, Any]:
        rows = [row(chunk) for chunk in chunks]
        documents = [{"document": guard(claimed), "rows": rows, "complete": True}]
        return self.call("PutRows", documents=documents)["results"][0]

    def index(self, document: str) -> dict[str, Any]:
        """Does all that a worker would."""
        claimed = next(one for one in self.claim() if one["document_id"] == document)
        return self.put(claimed, self.chunks(document))

    def counts(self) -> dict[str, int]:
        stages = self.call("GetPipelineStatus")["status"]["stages"]
        return {
            stage["stage"]: sum(int(stage[state]) for state in ("ready", "delayed", "leased", "ended"))
            for stage in stages
        }


def guard(claimed: dict[str, Any]) -> dict[str, Any]:
    return {"document_id": claimed["document_id"], "token": claimed["token"]}


def row(chunk: dict[str, Any]) -> dict[str, Any]:
    vector = {"dense_vector": {"floats": {"values": [1.0, len(chunk["text"])]}}}
    return {"chunk_id": chunk["chunk_id"], "attributes": {"vector": vector, "text": {"string_value": chunk["text"]}}}


def rows(router: Program, namespace: str) -> dict[str, str]:
    """The texts of a namespace's rows, by id."""
    query = {"rank_by": ["id", "asc"], "limit": 1000, "include_attributes": ["text"]}
    answer = ask(router.url, "POST", f"/v2/namespaces/{namespace}/query", json.dumps(query).encode())
    if answer.status == 404:
        return {}
    assert answer.status == 200, answer.body
    return {found["id"]: found["text"] for found in json.loads(answer.body)["rows"]}


def test_a_document_becomes_rows(pipeline: Pipeline, router: Program) -> None:
    staged = pipeline.stage("moby", a="Call me Ishmael", b="The whale")
    assert (staged["chunk_count"], staged["restaged"]) == (2, False)
    assert [identity.split("~")[0] for identity in staged["chunk_ids"]] == ["a", "b"]
    assert pipeline.counts() == {"pending": 1, "embedding": 0, "indexed": 0, "failed": 0}
    assert pipeline.index("moby")["status"] == "DOCUMENT_STATUS_DONE"
    assert pipeline.counts()["indexed"] == 1
    assert rows(router, pipeline.name) == {"a": "Call me Ishmael", "b": "The whale"}


def test_staging_again_cancels_what_is_in_flight_and_deletes_what_is_gone(pipeline: Pipeline, router: Program) -> None:
    pipeline.stage("d", a="one", b="two")
    pipeline.index("d")
    pipeline.stage("d", a="three", c="four")
    until(lambda: set(rows(router, pipeline.name)) == {"a"}, "the row of the chunk that is gone is deleted")
    [late] = pipeline.claim("late")
    late_chunks = pipeline.chunks("d")
    pipeline.stage("d", a="five")
    assert pipeline.put(late, late_chunks)["status"] == "DOCUMENT_STATUS_STALE_TOKEN"
    assert pipeline.index("d")["status"] == "DOCUMENT_STATUS_DONE"
    until(lambda: rows(router, pipeline.name) == {"a": "five"}, "only the newest version is there")


def test_a_published_client_is_held_to_the_version_in_its_chunk_ids(pipeline: Pipeline, router: Program) -> None:
    pipeline.stage("d", a="old")
    pipeline.claim()
    old = pipeline.chunks("d")
    pipeline.stage("d", a="new")
    document = {"document": {"document_id": "d"}, "rows": [row(old[0])], "complete": True}
    assert pipeline.call("PutRows", documents=[document])["results"][0]["status"] == "DOCUMENT_STATUS_STALE_VERSION"
    assert rows(router, pipeline.name) == {}
    document["rows"] = [row(pipeline.chunks("d")[0])]
    assert pipeline.call("PutRows", documents=[document])["results"][0]["status"] == "DOCUMENT_STATUS_DONE"
    assert rows(router, pipeline.name) == {"a": "new"}


def test_every_step_may_be_repeated(pipeline: Pipeline, router: Program) -> None:
    first = pipeline.stage("d", a="one")
    assert pipeline.stage("d", a="one") == first | {"restaged": True}
    [claimed] = pipeline.claim()
    chunks = pipeline.chunks("d")
    answers = [pipeline.put(claimed, chunks)["status"] for _ in range(2)]
    assert answers == ["DOCUMENT_STATUS_DONE"] * 2
    assert rows(router, pipeline.name) == {"a": "one"}
    assert pipeline.counts()["indexed"] == 1


def test_a_lease_that_is_over_is_over(pipeline: Pipeline) -> None:
    pipeline.stage("d", a="one")
    [first] = pipeline.claim("first", lease_ms=1000)
    second = until(lambda: pipeline.claim("second", wait_ms=5000), "the lease runs out", 20)[0]
    assert int(second["token"]) > int(first["token"])
    beat = pipeline.call("Heartbeat", documents=[guard(first)])["results"][0]
    assert beat["status"] == "DOCUMENT_STATUS_STALE_TOKEN"
    assert pipeline.put(first, pipeline.chunks("d"))["status"] == "DOCUMENT_STATUS_STALE_TOKEN"
    assert pipeline.put(second, pipeline.chunks("d"))["status"] == "DOCUMENT_STATUS_DONE"


def test_a_claim_that_waits_is_woken_by_what_comes(pipeline: Pipeline) -> None:
    with Service(Address(pipeline.service.address)) as other:  # type: ignore[arg-type]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(Pipeline(other, pipeline.name).claim, "w", wait_ms=15_000)
            pipeline.stage("d", a="one")
            assert [one["document_id"] for one in waiting.result(20)] == ["d"]


class Address:
    def __init__(self, address: str) -> None:
        self.address = address


def test_what_fails_for_good_is_a_dead_letter_and_may_be_put_back(pipeline: Pipeline) -> None:
    pipeline.stage("d", a="one")
    [claimed] = pipeline.claim()
    failed = {"document": guard(claimed), "kind": "FAILURE_KIND_PERMANENT", "message": "cannot be read"}
    pipeline.call("Fail", documents=[failed])
    [letter] = pipeline.call("ListDeadLetters")["dead_letters"]
    assert (letter["document_id"], letter["message"], letter["stage"]) == ("d", "cannot be read", "pending")
    assert pipeline.counts()["failed"] == 1
    assert pipeline.call("RequeueDeadLetters")["requeued"] == 1
    assert pipeline.index("d")["status"] == "DOCUMENT_STATUS_DONE"


def test_stages_pass_on_what_they_put_out(service: Service, router: Program) -> None:
    name = f"staged-{service.address.split(':')[1]}"
    stages = ["raw", "chunking", "embedding", "indexed"]
    service.call("CreatePipeline", pipeline_id=name, spec={"target_namespace": name, "stages": stages})
    pipeline = Pipeline(service, name)
    pipeline.stage("d", source="a long text")
    [claimed] = pipeline.claim(stage="raw", claim_stage="chunking")
    output = [{"chunk_id": "d-0", "text": "a long"}, {"chunk_id": "d-1", "text": "text"}]
    done = pipeline.call("Complete", documents=[{"document": guard(claimed), "output": output}])["results"][0]
    assert (done["status"], done["stage"]) == ("DOCUMENT_STATUS_DONE", "embedding")
    [claimed] = pipeline.claim(stage="embedding")
    pieces = pipeline.call("GetChunks", document_id="d", stage="chunking")
    chunks = [chunk for piece in pieces for chunk in piece["chunks"]]
    assert [chunk["text"] for chunk in chunks] == ["a long", "text"]
    assert pipeline.put(claimed, chunks)["status"] == "DOCUMENT_STATUS_DONE"
    assert rows(router, name) == {"d-0": "a long", "d-1": "text"}


@pytest.mark.parametrize(
    ("method", "fields", "field"),
    [
        ("CreatePipeline", {"pipeline_id": "a b", "spec": {"target_namespace": "n"}}, "pipeline_id"),
        ("CreatePipeline", {"pipeline_id": "p", "spec": {"target_namespace": ""}}, "spec.target_namespace"),
        ("CreatePipeline", {"pipeline_id": "p"}, "spec"),
        ("StageDocuments", {"pipeline_id": "p", "documents": []}, "documents"),
        ("StageDocuments", {"pipeline_id": "p", "documents": [{"document_id": ""}]}, "documents[0].document_id"),
        (
            "StageDocuments",
            {"pipeline_id": "p", "documents": [{"document_id": "d", "chunks": [{"chunk_id": "a~1"}]}]},
            "documents[0].chunks[0].chunk_id",
        ),
        ("Claim", {"pipeline_id": "p"}, "worker_id"),
        ("Claim", {"pipeline_id": "p", "worker_id": "w", "lease_ms": 1}, "lease_ms"),
        ("Heartbeat", {"pipeline_id": "p"}, "documents"),
        (
            "PutRows",
            {
                "pipeline_id": "p",
                "documents": [
                    {
                        "document": {"document_id": "d"},
                        "rows": [{"chunk_id": "c", "attributes": {"_hevlayer_x": {"int_value": 1}}}],
                    }
                ],
            },
            "documents[0].rows[0].attributes",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_the_fields_name(
    service: Service, method: str, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(FailedCall) as failed:
        service.call(method, **fields)
    assert failed.value.reason == "INVALID_ARGUMENT"
    assert failed.value.text.startswith(field + " "), failed.value.text


def test_what_is_not_there_is_told(service: Service, pipeline: Pipeline) -> None:
    with pytest.raises(FailedCall) as failed:
        service.call("Claim", pipeline_id="nowhere", worker_id="w")
    assert failed.value.reason == "PIPELINE_NOT_FOUND"
    with pytest.raises(FailedCall) as failed:
        pipeline.chunks("nothing")
    assert failed.value.reason == "DOCUMENT_NOT_FOUND"
    with pytest.raises(FailedCall) as failed:
        service.call("CreatePipeline", pipeline_id=pipeline.name, spec={"target_namespace": "n"})
    assert failed.value.reason == "PIPELINE_EXISTS"


def test_a_pipeline_that_is_deleted_leaves_nothing_behind(pipeline: Pipeline, worker: Program) -> None:
    pipeline.stage("d", a="one")
    pipeline.call("DeletePipeline")
    with pytest.raises(FailedCall):
        pipeline.counts()
    pipeline.service.call("CreatePipeline", pipeline_id=pipeline.name, spec={"target_namespace": "n"})
    assert pipeline.counts()["pending"] == 0


def test_series_tell_how_far_a_pipeline_is(pipeline: Pipeline, worker: Program) -> None:
    pipeline.stage("d", a="one")
    pipeline.index("d")
    wanted = f'layer_pipeline_stage_count{{pipeline_id="{pipeline.name}",stage="indexed"}} 1'
    until(lambda: wanted in worker.metrics(), "the gauge follows")
    page = worker.metrics()
    assert f'layer_pipeline_indexed_total{{pipeline_id="{pipeline.name}"}} 1' in page
    assert 'layer_s3_op_duration_seconds_count{operation="put",status="ok"}' in page
    assert 'layer_pg_query_duration_seconds_count{query_name="claim",status="ok"}' in page


def test_with_the_router_away_documents_keep_their_leases(
    router: Program, tmp_path: Path, service: Service, pipeline: Pipeline
) -> None:
    alone = start_pipeline_worker("http://127.0.0.1:1", tmp_path / "alone")
    try:
        with Service(alone) as lonely:
            lonely.call("CreatePipeline", pipeline_id="p", spec={"target_namespace": "n"})
            cut = Pipeline(lonely, "p")
            cut.stage("d", a="one")
            [claimed] = cut.claim()
            with pytest.raises(FailedCall) as failed:
                cut.put(claimed, cut.chunks("d"))
            assert failed.value.reason == "ROUTER_UNAVAILABLE"
            beat = cut.call("Heartbeat", documents=[guard(claimed)])["results"][0]
            assert beat["status"] == "DOCUMENT_STATUS_DONE"
    finally:
        alone.process.kill()


def test_keda_is_told_of_work(pipeline: Pipeline, worker: Program) -> None:
    with Service(worker, "externalscaler.ExternalScaler") as scaler:
        asked = {"scalerMetadata": {"pipeline": pipeline.name, "documentsPerReplica": "10"}}
        assert scaler.call("IsActive", **asked)["result"] is False
        pipeline.stage("a", x="1")
        pipeline.stage("b", x="1")
        pipeline.claim(limit=1)
        assert scaler.call("IsActive", **asked)["result"] is True
        value = scaler.call("GetMetrics", scaledObjectRef=asked, metricName="layer_pipeline_backlog")["metricValues"][0]
        assert value["metricValueFloat"] == 2
        assert scaler.call("GetMetricSpec", **asked)["metricSpecs"][0]["targetSize"] == "10"
        with pytest.raises(FailedCall) as failed:
            scaler.call("IsActive", scalerMetadata={"pipeline": pipeline.name, "stage": "nowhere"})
        assert "scalerMetadata.stage" in failed.value.text
