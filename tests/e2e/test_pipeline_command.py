"""`layer pipeline` and `layer function` over a whole mesh."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.client import ask, ask_json
from harness.process import Process, binary
from harness.programs import Program, layer
from harness.waiting import until
from harness.workers import Endpoint

NS = "shelf"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    one = Endpoint()
    yield one
    one.close()


def run_arguments(mesh: Program, endpoint: Endpoint, *more: str) -> list[str]:
    of = ["--endpoint", endpoint.url, "--endpoint-model", "toy", "--chunk-size", "20", "--chunk-overlap", "0"]
    return ["pipeline", "run", *more, "--to", NS, "--url", mesh.url, *of]


def run(mesh: Program, endpoint: Endpoint, *more: str) -> subprocess.CompletedProcess[str]:
    return layer(*run_arguments(mesh, endpoint, *more), env={"OPENAI_API_KEY": "key-of-the-endpoint"})


def texts(mesh: Program) -> dict[str, str]:
    """Id and text of all rows."""
    query = {"rank_by": ["id", "asc"], "limit": 1000, "include_attributes": ["text"]}
    answer = ask(mesh.url, "POST", f"/v2/namespaces/{NS}/query", json.dumps(query).encode())
    return {row["id"]: row["text"] for row in json.loads(answer.body)["rows"]} if answer.status == 200 else {}


def sources(folder: Path) -> list[str]:
    (folder / "a.md").write_text("# Whales\n\nThe blue whale is large.\n")
    (folder / "b.html").write_text("<html><body><p>Krill is small.</p><script>x()</script></body></html>")
    (folder / "c.jsonl").write_text(
        '{"id": 7, "text": "Seven seas.", "author": "x"}\n\n{"id": "eight", "text": "Eight arms."}\n'
    )
    return ["*.md", "b.html", "c.jsonl", "--folder", str(folder)]


def test_files_become_rows_and_failures_can_be_seen_and_tried_again(
    up: Callable[..., Program], endpoint: Endpoint, tmp_path: Path
) -> None:
    mesh = up()
    done = run(mesh, endpoint, *sources(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"4 documents are in {NS}; 0 failed" in done.stdout
    assert "embedded" in done.stderr and "\x1b" not in done.stderr, "no terminal, no bars"
    found = sorted(texts(mesh).values())
    assert {"Krill is small.", "Seven seas.", "Eight arms."} <= set(found), found
    assert any("blue whale" in text for text in found)
    assert endpoint.keys == {"Bearer key-of-the-endpoint"}
    before = texts(mesh)
    assert run(mesh, endpoint, *sources(tmp_path)).returncode == 0
    assert texts(mesh) == before, "the same files give the same rows"

    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 nothing of the kind")
    failed = run(mesh, endpoint, "bad.pdf", "--folder", str(tmp_path))
    assert failed.returncode == 1 and f"layer pipeline failed {NS}" in failed.stderr
    seen = layer("pipeline", "failed", NS, "--url", mesh.url).stdout
    assert "bad.pdf" in seen and "permanent" in seen
    assert "1 put back to work" in layer("pipeline", "retry", NS, "--url", mesh.url).stdout
    status = json.loads(layer("pipeline", "status", NS, "--url", mesh.url, "--output", "json").stdout)
    assert (status["counts"]["indexed"], status["counts"]["failed"]) == (4, 0)
    assert NS in layer("pipeline", "ls", "--url", mesh.url).stdout
    assert layer("pipeline", "rm", NS, "--url", mesh.url).returncode == 0
    assert NS not in layer("pipeline", "ls", "--url", mesh.url).stdout
    assert texts(mesh) == before, "rows stay"


def test_interrupted_it_goes_on_where_it_was(up: Callable[..., Program], endpoint: Endpoint, tmp_path: Path) -> None:
    mesh = up()
    endpoint.open.clear()
    process = Process("layer-run", [binary("layer"), *run_arguments(mesh, endpoint, *sources(tmp_path))])
    until(lambda: endpoint.requests, "it embeds", 30)
    process.signal(signal.SIGINT)
    endpoint.open.set()
    assert process.wait(40) == 1
    assert "interrupted" in process.log
    done = run(mesh, endpoint, *sources(tmp_path))
    assert done.returncode == 0, done.stderr
    assert len(texts(mesh)) >= 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pipeline", "run", "nothing-here.txt", "--to", NS, "--model", "x"], "there is no such file"),
        (["pipeline", "run", "x.txt", "--to", NS], "--model"),
        (["pipeline", "run", "s3://bucket/prefix", "--to", NS, "--model", "x"], "LAYER_OBJECT_STORE_"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_done(arguments: list[str], said: str) -> None:
    ended = layer(*arguments)
    assert (ended.returncode, said in ended.stderr) == (64, True), ended.stderr


def test_functions_are_looked_after(up: Callable[..., Program]) -> None:
    mesh = up()
    spec: dict[str, Any] = {"target_namespaces": [NS], "inputs": ["text"], "worker": {}, "triggers": ["discovery"]}
    assert ask_json(mesh.url, "POST", "/v2/udfs", {"id": "shout", "spec": spec})[0] in (200, 201)
    assert "shout" in layer("function", "ls", "--url", mesh.url).stdout
    assert layer("function", "pause", "shout", "--url", mesh.url).returncode == 0
    assert "paused" in layer("function", "status", "shout", "--url", mesh.url).stdout
    assert layer("function", "resume", "shout", "--url", mesh.url).returncode == 0
    rows = {"upsert_rows": [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]}
    assert ask_json(mesh.url, "POST", f"/v2/namespaces/{NS}", rows)[0] == 200
    assert "2 rows found" in layer("function", "discover", "shout", "--url", mesh.url).stdout
    assert "nothing has failed" in layer("function", "failed", "shout", "--url", mesh.url).stdout
    assert layer("function", "rm", "shout", "--url", mesh.url).returncode == 0
    assert "shout" not in layer("function", "ls", "--url", mesh.url).stdout
