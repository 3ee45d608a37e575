"""`layer warm` over a whole mesh."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

from harness.client import ask, ask_json
from harness.process import Process, binary
from harness.programs import Program, layer
from harness.waiting import until

NS = "sea"


def write(mesh: Program, count: int) -> None:
    rows = [{"id": id_, "v": id_} for id_ in range(1, count + 1)]
    assert ask_json(mesh.url, "POST", f"/v2/namespaces/{NS}", {"upsert_rows": rows})[0] == 200


def test_warm_reads_a_namespace_into_the_cache_and_says_so(up: Callable[..., Program]) -> None:
    mesh = up()
    write(mesh, 300)
    done = until(lambda: (d := layer("warm", NS, "--url", mesh.url, "--page-size", "100")).returncode == 0 and d, "ok")
    assert f"{NS} completed" in done.stdout
    assert "100%" in done.stderr
    assert "\r" not in done.stderr, "no terminal, no bar"
    answer = until(
        lambda: (a := ask(mesh.url, "GET", f"/v2/namespaces/{NS}/documents/7")).get("x-layer-cache") == "hit" and a,
        "it is cached",
    )
    assert json.loads(answer.body)["attributes"]["v"] == 7
    page = json.loads(layer("warm", NS, "--url", mesh.url, "--output", "json").stdout)
    assert (page["status"], page["documents_scanned"]) == ("completed", 300)
    started = json.loads(layer("warm", NS, "--url", mesh.url, "--output", "json", "--detach").stdout)
    assert started["status"] == "running"
    wrong = layer("warm", "nowhere", "--url", mesh.url)
    assert (wrong.returncode, "404" in wrong.stderr) == (1, True)
    assert layer("warm", NS, "--page-size", "0").returncode == 64


def test_ctrl_c_cancels_the_job(up: Callable[..., Program]) -> None:
    mesh = up()
    write(mesh, 3000)
    until(lambda: layer("warm", NS, "--url", mesh.url).returncode == 0, "the cache is there")
    process = Process("layer-warm", [binary("layer"), "warm", NS, "--url", mesh.url, "--page-size", "1"])
    until(lambda: "documents" in process.log, "it shows progress")
    process.signal(signal.SIGINT)
    until(lambda: process.exit_code is not None, "it ends")
    assert process.exit_code == 1
    assert "the job is cancelled" in process.log
    jobs = ask_json(mesh.url, "GET", f"/v2/namespaces/{NS}/warm-jobs")[1]["warm_jobs"]
    assert jobs[0]["status"] == "cancelled"
