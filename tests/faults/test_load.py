"""Fetches go on while the document cache is killed, paused and started again in turn: none fails, and what it costs is
printed. LAYER_FAULT_SECONDS changes how long each phase lasts; `make soak` runs for long.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.client import Connection, ask_json
from harness.doc_cache import start_doc_cache
from harness.ports import free_port
from harness.programs import Program, start_router, start_stand_in
from harness.waiting import let_pass, until

PHASE_S = float(os.environ.get("LAYER_FAULT_SECONDS", "3")) / 2
CLIENTS = 4
ROWS = 50
PATH = "/v2/namespaces/load"


class Load(threading.Thread):
    """A client that fetches one document after another and keeps what each took, by phase."""

    def __init__(self, router: Program, number: int) -> None:
        super().__init__(daemon=True)
        self.router, self.at = router, number
        self.stop = threading.Event()
        self.phase = "warm"
        self.took: dict[str, list[float]] = {}
        self.failures: list[str] = []

    def run(self) -> None:
        with Connection(self.router.url) as connection:
            while not self.stop.is_set():
                self.at = (self.at + 1) % ROWS
                phase, start = self.phase, time.perf_counter()
                answer = connection.request("GET", f"{PATH}/documents/{self.at}")
                self.took.setdefault(phase, []).append(time.perf_counter() - start)
                if answer.status != 200 or not answer.complete:
                    self.failures.append(f"{phase}: {answer.status} {answer.body[:200]!r}")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.timeout(120 + 20 * PHASE_S)
def test_no_fetch_fails_while_the_cache_comes_and_goes(stack: ExitStack, tmp_path: Path) -> None:
    origin = start_stand_in(tmp_path / "origin")
    stack.callback(origin.process.kill)
    rows = [{"id": n, "text": "x" * 1000} for n in range(ROWS)]
    assert ask_json(origin.url, "POST", PATH, {"upsert_rows": rows})[0] == 200
    port = free_port()
    proof = {"proof.lapse_ms": None}
    caches = [start_doc_cache(proof, port=port)]
    stack.callback(lambda: caches[-1].process.kill())
    settings = {"cache.addresses": f"127.0.0.1:{port}", "cache.breaker_max_ms": 1000, "cache.deadline_ms": None}
    router = start_router(origin.url, settings)
    stack.callback(router.process.kill)
    until(lambda: is_hit(router), "the cache is used")
    loads = [Load(router, n * 7) for n in range(CLIENTS)]
    for load in loads:
        load.start()

    def enter(phase: str) -> None:
        for load in loads:
            load.phase = phase
        let_pass(PHASE_S)

    enter("warm")
    caches[-1].process.kill()
    enter("killed")
    caches.append(start_doc_cache(proof, port=port))
    enter("started again")
    caches[-1].process.suspend()
    enter("paused")
    caches[-1].process.resume()
    enter("goes on")
    until(lambda: is_hit(router), "the cache is used again", 20.0)
    enter("warm again")
    for load in loads:
        load.stop.set()
        load.join()
    failures = [failure for load in loads for failure in load.failures]
    assert not failures, f"{len(failures)} fetches failed:\n" + "\n".join(failures[:20])
    for phase in loads[0].took:
        show(phase, sorted(took for load in loads for took in load.took.get(phase, [])))


def show(phase: str, took: list[float]) -> None:
    p99 = took[int(len(took) * 0.99)]
    p50 = statistics.median(took)
    times = ", ".join(f"{name} {s * 1e3:.2f} ms" for name, s in [("p50", p50), ("p99", p99), ("max", took[-1])])
    print(f"{phase:>14}: {len(took)} fetches, {times}")


def is_hit(router: Program) -> bool:
    with Connection(router.url) as connection:
        return connection.request("GET", f"{PATH}/documents/1").get("x-layer-cache") == "hit"
