"""A stream of documents through two stages, while something breaks. Its workers repeat what was not acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from harness.pipelines import Service
from harness.programs import Program
from harness.waiting import until

from .client import Patient, guard, vector
from .origin_rows import rows

STAGES = ["raw", "chunking", "embedding", "indexed"]
RETRY = {"attempts_max": 100, "leases_lost_max": 100, "initial_backoff_ms": 20, "max_backoff_ms": 100}
CHUNKS = 2


def texts(document: str, words: str = "") -> dict[str, str]:
    return {f"{document}-{at}": f"text {at} of {document}{words}" for at in range(CHUNKS)}


class Flow:
    """`documents` documents, staged and worked on at the same time. `fault` is called when a fifth of them is done."""

    def __init__(
        self, worker: Program, name: str, documents: int = 60, words: str = "", workers: int = 2, lease_ms: int = 3000
    ) -> None:
        self.worker, self.name, self.words, self.lease_ms = worker, name, words, lease_ms
        self.names = [f"doc{at:05}" for at in range(documents)]
        self.done: set[str] = set()
        """Documents whose rows somebody was told are written."""
        self.refusals: list[str] = []
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        work = [self._produce, *[self._work] * workers]
        self._threads = [
            threading.Thread(target=self._guarded, args=(one, at), daemon=True) for at, one in enumerate(work)
        ]

    def run(self, fault: Callable[[], None], within_s: float = 90.0) -> None:
        with Service(self.worker) as service:
            Patient(service, self.name).create(stages=STAGES, retry=RETRY)
        for thread in self._threads:
            thread.start()
        try:
            self._wait(len(self.names) // 5, within_s)
            fault()
            self._wait(len(self.names), within_s)
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
        assert not self._failed, self._failed

    def _wait(self, count: int, within_s: float) -> None:
        until(lambda: len(self.done) >= count or self._failed, f"{count} of {len(self.names)} are done", within_s)
        assert not self._failed, self._failed

    def _guarded(self, work: Callable[[Patient, int], None], at: int) -> None:
        try:
            with Service(self.worker) as service:
                client = Patient(service, self.name)
                work(client, at)
                self.refusals += client.refusals
        except BaseException as error:
            self._failed.append(error)

    def _produce(self, client: Patient, _: int) -> None:
        for at in range(0, len(self.names), 10):
            client.stage({name: texts(name, self.words) for name in self.names[at : at + 10]})
            if self._stop.wait(0.01):
                return

    def _work(self, client: Patient, at: int) -> None:
        worker = f"worker-{at}"
        while not self._stop.is_set():
            if not self._chunk(client, worker) + self._embed(client, worker):
                self._stop.wait(0.02)

    def _chunk(self, client: Patient, worker: str) -> int:
        claimed = client.claim(worker, stage="raw", claim_stage="chunking", limit=5, lease_ms=self.lease_ms)
        completed = []
        for one in claimed:
            chunks = client.chunks(one["document_id"])
            output = [{"chunk_id": own(chunk), "text": chunk["text"].upper()} for chunk in chunks]
            completed.append({"document": guard(one), "output": output})
        if completed:
            client.call("Complete", documents=completed)
        return len(claimed)

    def _embed(self, client: Patient, worker: str) -> int:
        claimed = client.claim(worker, stage="embedding", limit=5, lease_ms=self.lease_ms)
        for one in claimed:
            document = one["document_id"]
            status = client.put(one, client.chunks(document, "chunking"))
            if status == "DOCUMENT_STATUS_DONE":
                self.done.add(document)
            elif client.documents([document])[document]["stage"] == "indexed":
                # Our call was carried out, and its lease was over when it was repeated.
                self.done.add(document)
        return len(claimed)

    def check(self, origin: Program) -> None:
        """Every row is there, once, as it should be; the counts too."""
        wanted = {
            chunk: (text.upper(), vector(text.upper()))
            for name in self.names
            for chunk, text in texts(name, self.words).items()
        }
        assert rows(origin, self.name) == wanted
        with Service(self.worker) as service:
            client = Patient(service, self.name)
            counts = client.counts()
            assert counts == dict.fromkeys(STAGES, 0) | {"indexed": len(self.names), "failed": 0}, counts
            documents = client.documents(self.names)
            assert {one["state"] for one in documents.values()} == {"DOCUMENT_STATE_DONE"}
            assert len(documents) == len(self.names)


def own(chunk: dict[str, Any]) -> str:
    """The chunk's own id, without the version that it was given out with."""
    return chunk["chunk_id"].rsplit("~", 1)[0]


def within(seconds: float, began: float, what: str) -> None:
    took = time.monotonic() - began
    assert took < seconds, f"{what} took {took:.1f} s"
