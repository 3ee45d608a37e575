"""The built-in workers over the real parts: sources become chunks, chunks become rows, and nothing is lost or burnt."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.client import ask
from harness.pipelines import Service, start_pipeline_worker
from harness.programs import Program, start_router, start_stand_in
from harness.waiting import until
from harness.workers import Endpoint, model_dir, start_worker

STAGES = ["staged", "chunking", "pending", "embedding", "indexed"]
WITHIN_S = 40.0


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    origin = start_stand_in(tmp_path_factory.mktemp("origin"))
    program = start_router(origin.url)
    yield program
    program.process.kill()
    origin.process.kill()


@pytest.fixture(scope="module")
def service(router: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = start_pipeline_worker(router.url, tmp_path_factory.mktemp("service"))
    yield program
    program.process.kill()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    one = Endpoint()
    yield one
    one.close()


@pytest.fixture
def pipeline(service: Program, request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    name = request.node.name[-60:]
    with Service(service) as client:
        one = Pipeline(client, name)
        one.call("CreatePipeline", spec={"target_namespace": name, "stages": STAGES, "retry": {"attempts_max": 3}})
        yield one


@pytest.fixture
def start(service: Program, pipeline: Pipeline) -> Iterator[Callable[..., Program]]:
    """Starts workers of the test's pipeline; all are gone after it."""
    started: list[Program] = []

    def chunk_or_embed(kind: str, **settings: Any) -> Program:
        own: dict[str, Any] = {"stage": "staged", "chunk.size": 40, "chunk.overlap": 0}
        if kind == "embed":
            own = {"stage": "pending", "input_stage": "chunking"}
        given = own | {path.replace("__", "."): value for path, value in settings.items()}
        started.append(start_worker(kind, service, pipeline.name, given))
        return started[-1]

    yield chunk_or_embed
    for one in started:
        one.process.kill()


class Pipeline:
    """Calls of one pipeline."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name = service, name

    def call(self, method: str, **fields: Any) -> Any:
        return self.service.call(method, pipeline_id=self.name, **fields)

    def stage(self, document: str, text: str | None = None, **metadata: Any) -> None:
        chunk = {"chunk_id": "source", "metadata_json": json.dumps(metadata)} | ({"text": text} if text else {})
        self.call("StageDocuments", documents=[{"document_id": document, "chunks": [chunk]}])

    def document(self, document: str) -> dict[str, Any]:
        return self.call("GetDocuments", document_ids=[document])["documents"][0]

    def wait(self, document: str, stage: str) -> None:
        until(lambda: self.document(document)["stage"] == stage, f"{document} is in {stage}", WITHIN_S)

    def dead(self) -> dict[str, str]:
        letters = self.call("ListDeadLetters")["dead_letters"]
        return {letter["document_id"]: letter["message"] for letter in letters}


def rows(router: Program, namespace: str) -> dict[str, dict[str, Any]]:
    query = {"rank_by": ["id", "asc"], "limit": 1000, "include_attributes": True}
    answer = ask(router.url, "POST", f"/v2/namespaces/{namespace}/query", json.dumps(query).encode())
    assert answer.status == 200, answer.body
    return {found["id"]: found for found in json.loads(answer.body)["rows"]}


def test_sources_become_rows_that_can_be_searched(
    pipeline: Pipeline, start: Callable[..., Program], router: Program, tmp_path: Path
) -> None:
    (tmp_path / "pumps.md").write_text("# Pumps\n\nA pump lifts water.\n\n## Care\n\nOil the bearings every spring.\n")
    pipeline.stage("manual", source="file:pumps.md", shelf=7)
    pipeline.stage("page", text="<html><body><p>Cats sleep all day.</p></body></html>", content_type="text/html")
    start("chunk", chunk__directory=str(tmp_path))
    start("embed", embed__model_dir=str(model_dir()))
    for document in ("manual", "page"):
        pipeline.wait(document, "indexed")
    found = rows(router, pipeline.name)
    assert {identity: row["text"] for identity, row in found.items()} == {
        "manual-0": "# Pumps\n\nA pump lifts water.",
        "manual-1": "## Care\n\nOil the bearings every spring.",
        "page-0": "Cats sleep all day.",
    }
    care = found["manual-1"]
    assert (care["headings"], care["shelf"], care["document_id"]) == (["Pumps", "Care"], 7, "manual")
    assert (care["chunk_index"], care["chunk_count"], care["source"]) == (1, 2, "file:pumps.md")
    assert len(care["vector"]) == 384
    asked = {"rank_by": ["vector", "ANN", found["page-0"]["vector"]], "limit": 1}
    answer = ask(router.url, "POST", f"/v2/namespaces/{pipeline.name}/query", json.dumps(asked).encode())
    assert json.loads(answer.body)["rows"][0]["id"] == "page-0"


def test_chunking_again_takes_the_rows_of_chunks_that_are_gone(
    pipeline: Pipeline, start: Callable[..., Program], router: Program, endpoint: Endpoint
) -> None:
    start("chunk")
    start("embed", embed__url=endpoint.url, embed__model="m", embed__api_key="secret-key")
    pipeline.stage("d", text="The first sentence is here. " * 4)
    pipeline.wait("d", "indexed")
    assert set(rows(router, pipeline.name)) == {"d-0", "d-1", "d-2", "d-3"}
    pipeline.stage("d", text="Only this one is left.")
    until(lambda: set(rows(router, pipeline.name)) == {"d-0"}, "the other rows are gone", WITHIN_S)
    assert rows(router, pipeline.name)["d-0"]["text"] == "Only this one is left."
    assert endpoint.keys == {"Bearer secret-key"}


def test_what_cannot_be_read_or_embedded_fails_for_good_and_takes_no_other_with_it(
    pipeline: Pipeline, start: Callable[..., Program], endpoint: Endpoint
) -> None:
    pipeline.stage("picture", text="x", content_type="image/png")
    pipeline.stage("nowhere", source="file:../secret")
    pipeline.stage("refused", text="please refuse me")
    for number in range(10):
        pipeline.stage(f"good-{number}", text=f"text number {number}")
    start("chunk")
    start("embed", embed__url=endpoint.url, embed__model="m")
    for number in range(10):
        pipeline.wait(f"good-{number}", "indexed")
    until(lambda: set(pipeline.dead()) == {"picture", "nowhere", "refused"}, "the bad ones are dead", WITHIN_S)
    dead = pipeline.dead()
    assert "image/png" in dead["picture"]
    assert dead["nowhere"].startswith("metadata.source:")
    assert dead["refused"].startswith("chunks[0].text:") and "too many tokens" in dead["refused"]


def test_a_text_that_breaks_the_endpoint_ends_alone(
    pipeline: Pipeline, start: Callable[..., Program], endpoint: Endpoint
) -> None:
    pipeline.stage("poison", text="break me")
    for number in range(10):
        pipeline.stage(f"good-{number}", text=f"text number {number}")
    start("chunk")
    start("embed", embed__url=endpoint.url, embed__model="m")
    for number in range(10):
        pipeline.wait(f"good-{number}", "indexed")
    until(lambda: set(pipeline.dead()) == {"poison"}, "the poison is dead", WITHIN_S)


def test_an_outage_of_the_endpoint_uses_up_no_attempts(
    pipeline: Pipeline, start: Callable[..., Program], endpoint: Endpoint
) -> None:
    endpoint.close()
    worker = start("embed", embed__url=endpoint.url, embed__model="m")
    start("chunk")
    pipeline.stage("d", text="patience")
    returned = 'layer_work_documents_total{status="returned"} '

    def times() -> int:
        line = next((line for line in worker.metrics().splitlines() if line.startswith(returned)), returned + "0")
        return int(line.removeprefix(returned))

    # As often as a document may be tried, and once more.
    until(lambda: times() >= 4, "it is returned again and again", WITHIN_S)
    again = Endpoint(endpoint.port)
    pipeline.wait("d", "indexed")
    again.close()
    assert pipeline.dead() == {}
    assert worker.process.log.count("work pauses") == 1


def test_a_stop_finishes_what_was_begun_and_returns_the_rest(
    pipeline: Pipeline, start: Callable[..., Program], endpoint: Endpoint
) -> None:
    start("chunk")
    endpoint.open.clear()
    worker = start("embed", embed__url=endpoint.url, embed__model="m", lease_ms=600_000)
    pipeline.stage("begun", text="begun")
    until(lambda: endpoint.requests, "it is being embedded", WITHIN_S)
    worker.process.signal(signal.SIGTERM)
    until(lambda: worker.ready() == "draining", "it drains")
    pipeline.stage("late", text="late")
    pipeline.wait("late", "pending")
    endpoint.open.set()
    assert worker.process.wait() == 0
    assert pipeline.document("begun")["stage"] == "indexed"
    late = pipeline.document("late")
    assert (late["stage"], late["state"]) == ("pending", "DOCUMENT_STATE_READY")


def test_a_stop_that_takes_too_long_returns_what_was_begun(
    pipeline: Pipeline, start: Callable[..., Program], endpoint: Endpoint
) -> None:
    start("chunk")
    endpoint.open.clear()
    settings = {"embed__url": endpoint.url, "embed__model": "m", "lease_ms": 600_000, "drain__timeout_ms": 300}
    worker = start("embed", **settings)
    pipeline.stage("begun", text="begun")
    until(lambda: endpoint.requests, "it is being embedded", WITHIN_S)
    assert worker.process.stop() == 0
    begun = pipeline.document("begun")
    assert (begun["stage"], begun["state"]) == ("pending", "DOCUMENT_STATE_READY")
    endpoint.open.set()
    start("embed", embed__url=endpoint.url, embed__model="m")
    pipeline.wait("begun", "indexed")


def test_work_longer_than_a_lease_is_kept_by_heartbeats(
    pipeline: Pipeline, start: Callable[..., Program], endpoint: Endpoint
) -> None:
    start("chunk")
    endpoint.open.clear()
    first = start("embed", embed__url=endpoint.url, embed__model="m", lease_ms=3000)
    pipeline.stage("d", text="slow")
    until(lambda: endpoint.requests, "it is being embedded", WITHIN_S)
    claimed = pipeline.document("d")
    until(lambda: pipeline.document("d")["wakes_at"] != claimed["wakes_at"], "the lease is extended", WITHIN_S)
    endpoint.open.set()
    pipeline.wait("d", "indexed")
    until(lambda: 'layer_work_documents_total{status="done"} 1' in first.metrics(), "it is counted")
    assert len(endpoint.requests) == 1


def test_what_was_lost_is_thrown_away(
    pipeline: Pipeline, start: Callable[..., Program], endpoint: Endpoint, router: Program
) -> None:
    start("chunk")
    endpoint.open.clear()
    worker = start("embed", embed__url=endpoint.url, embed__model="m", lease_ms=3000)
    pipeline.stage("d", text="old words")
    until(lambda: endpoint.requests, "it is being embedded", WITHIN_S)
    pipeline.stage("d", text="new words")
    lost = 'layer_work_documents_total{status="lost"} 1'
    until(lambda: lost in worker.metrics(), "a heartbeat tells that it is lost", WITHIN_S)
    endpoint.open.set()
    pipeline.wait("d", "indexed")
    assert [row["text"] for row in rows(router, pipeline.name).values()] == ["new words"]


def test_settings_that_cannot_be_meant_are_refused_by_name(service: Program) -> None:
    from harness.process import binary, run

    work = [binary("pipeline-worker"), "work", "--pipeline", "p", "--stage", "s", "--kind"]
    for more, name in [
        (["embed"], "embed.model_dir"),
        (["embed", "--embed-model-dir", "/nowhere"], "embed.model_dir"),
        (["chunk", "--chunk-overlap", "1000"], "chunk.overlap"),
        (["chunk", "--chunk-unit", "tokens"], "chunk.tokenizer_file"),
    ]:
        ended = run([*work, *more, "--admin-address", "127.0.0.1:0"])
        assert ended.returncode == 64, ended.stderr
        assert f"`{name}`" in ended.stderr, ended.stderr
