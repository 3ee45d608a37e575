"""The example workers, in Python and in Go, as a user starts them: through the router, against the real parts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import ask
from harness.pipelines import Service, start_pipeline_worker
from harness.ports import free_port
from harness.process import Process
from harness.programs import KEY, Program, start_router, start_stand_in
from harness.waiting import until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples/workers"
DOCUMENTS = 30


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A router with pipelines behind it."""
    origin = start_stand_in(tmp_path_factory.mktemp("origin"))
    port = free_port()
    router = start_router(origin.url, {"pipelines.addresses": f"127.0.0.1:{port}"})
    worker = start_pipeline_worker(router.url, tmp_path_factory.mktemp("worker"), port=port)
    until(lambda: ask(router.url, "GET", "/v2/pipelines").status == 200, "the router has found pipeline-worker")
    yield router
    for program in (worker, router, origin):
        program.process.kill()


@pytest.fixture(scope="module")
def go_worker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Go example, built as its README says, in a copy."""
    assert shutil.which("go"), "Go is missing"
    cache = Path.home() / ".cache/layer/tools/go-stubs"
    copy = tmp_path_factory.mktemp("repository")
    shutil.copytree(EXAMPLES / "go", copy / "examples/workers/go", ignore=shutil.ignore_patterns("layer", ".bin"))
    (copy / "proto").symlink_to(EXAMPLES.parents[1] / "proto")
    folder = copy / "examples/workers/go"
    variables = os.environ | {"PYTHON": sys.executable, "STUBS_BIN": str(cache), "GOFLAGS": "-mod=mod"}
    for command in (["./generate"], ["go", "vet", "./..."], ["go", "build", "-o", "worker", "."]):
        ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
    return str(folder / "worker")


def started(language: str, router: Program, pipeline: str, request: pytest.FixtureRequest) -> Process:
    address = ["address", router.address]
    if language == "python":
        command = [
            sys.executable,
            str(EXAMPLES / "python/worker.py"),
            "--pipeline",
            pipeline,
            f"--{address[0]}",
            address[1],
        ]
    else:
        command = [request.getfixturevalue("go_worker"), "-pipeline", pipeline, f"-{address[0]}", address[1]]
    process = Process(f"{language}-worker", command, {"LAYER_GATEWAY_API_KEY": KEY})
    request.addfinalizer(process.kill)
    return process


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", ["python", "go"])
def test_two_workers_do_all_documents_and_give_back_what_they_have_when_told_to_stop(
    language: str, router: Program, request: pytest.FixtureRequest
) -> None:
    pipeline = f"workers-{language}"
    with Service(router) as service:
        service.call("CreatePipeline", pipeline_id=pipeline, spec={"target_namespace": pipeline})
        workers = [started(language, router, pipeline, request) for _ in range(2)]
        documents = [
            {"document_id": f"d{n}", "chunks": [{"chunk_id": f"d{n}-{c}", "text": f"text {n} {c}"} for c in range(3)]}
            for n in range(DOCUMENTS)
        ]
        service.call("StageDocuments", pipeline_id=pipeline, documents=documents)

        def done() -> bool:
            for worker in workers:
                assert worker.exit_code is None, worker.log
            stages = service.call("GetPipelineStatus", pipeline_id=pipeline)["status"]["stages"]
            return int(next(stage for stage in stages if stage["stage"] == "indexed")["ended"]) == DOCUMENTS

        until(done, "all documents are done", 60)
        for worker in workers:
            worker.signal(signal.SIGTERM)
        assert [worker.wait(30) for worker in workers] == [0, 0]
    query = {"rank_by": ["id", "asc"], "limit": 1000, "include_attributes": ["text"]}
    answer = ask(router.url, "POST", f"/v2/namespaces/{pipeline}/query", json.dumps(query).encode())
    found = {row["id"]: row["text"] for row in json.loads(answer.body)["rows"]}
    assert found == {f"d{n}-{c}": f"text {n} {c}" for n in range(DOCUMENTS) for c in range(3)}
