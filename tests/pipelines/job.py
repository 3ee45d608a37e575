"""A small job that goes every way that a document can go: done at once, given back, failed and tried again, failed for
good, staged again while it waits and when it is done, put back by an operator."""

from __future__ import annotations

import time
from typing import Any

from harness.waiting import let_pass

from .client import DONE, PATIENCE_S, Patient, guard

STAGES = ["raw", "chunking", "embedding", "indexed"]
RETRY = {"attempts_max": 100, "leases_lost_max": 100, "initial_backoff_ms": 10, "max_backoff_ms": 40}
DOCUMENTS = [f"d{at}" for at in range(8)]
RELEASED, TRANSIENT, REQUEUED, DEAD, RESTAGED_EARLY, RESTAGED_LATE, PUT_BACK = DOCUMENTS[1:8]
LEASE_MS = 1500
BODIES = 15
"""In the end: eight that were staged, and what the first stage put out for seven."""


def staged(document: str, edition: str, chunks: int) -> dict[str, str]:
    return {f"{document}-{at}": f"{document} {edition} piece {at}" for at in range(chunks)}


def put_out(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    """What the first stage makes of a chunk: two."""
    own = chunk["chunk_id"].rsplit("~", 1)[0]
    return [{"chunk_id": own + end, "text": f"{chunk['text']}{end}".upper()} for end in ("", "x")]


class Job:
    """The job, done by one client that remembers what was acknowledged."""

    def __init__(self, client: Patient) -> None:
        self.client = client
        self.seen: set[str] = set()
        self.end = time.monotonic() + PATIENCE_S

    def run(self) -> None:
        client = self.client
        client.create(stages=STAGES, retry=RETRY)
        for half in (DOCUMENTS[:4], DOCUMENTS[4:]):
            client.stage({document: staged(document, "first", 3) for document in half})
        self.work_until({"embedding", "failed"}, [self.chunk])
        client.stage({RESTAGED_EARLY: staged(RESTAGED_EARLY, "second", 2)})
        self.work_until({"indexed", "failed"}, [self.chunk, self.embed])
        client.call("RequeueDeadLetters", document_ids=[REQUEUED])
        client.stage({RESTAGED_LATE: staged(RESTAGED_LATE, "second", 1)})
        client.call("SetStage", documents=[{"document_id": PUT_BACK}], stage="raw")
        self.work_until({"indexed", "failed"}, [self.chunk, self.embed])

    def work_until(self, stages: set[str], steps: list[Any]) -> None:
        while {one["stage"] for one in self.client.documents(DOCUMENTS).values()} - stages:
            assert time.monotonic() < self.end, self.client.documents(DOCUMENTS)
            if not sum(step() for step in steps):
                let_pass(0.02)

    def chunk(self) -> int:
        claimed = self.client.claim(stage="raw", claim_stage="chunking", limit=3, lease_ms=LEASE_MS)
        if claimed:
            self.client.call("Heartbeat", documents=[guard(one) for one in claimed], lease_ms=LEASE_MS)
        completed = [one for one in claimed if not self.strange(one)]
        documents = []
        for one in completed:
            output = [piece for chunk in self.client.chunks(one["document_id"]) for piece in put_out(chunk)]
            documents.append({"document": guard(one), "output": output})
        if documents:
            self.client.call("Complete", documents=documents)
        return len(claimed)

    def strange(self, claimed: dict[str, Any]) -> bool:
        """Whether something else than completion was in store for the document."""
        document = claimed["document_id"]
        once = document not in self.seen
        if document == RELEASED and once:
            results = self.client.call("Release", documents=[guard(claimed)])
        elif document == DEAD or (document == REQUEUED and once):
            failed = {"document": guard(claimed), "kind": "FAILURE_KIND_PERMANENT", "message": "it cannot be read"}
            results = self.client.call("Fail", documents=[failed])
        elif document == TRANSIENT and once:
            failed = {"document": guard(claimed), "kind": "FAILURE_KIND_TRANSIENT", "message": "the model is away"}
            results = self.client.call("Fail", documents=[failed])
        else:
            return False
        # A release that was carried out and not acknowledged is refused when it is repeated; both are the same to us.
        if results["results"][0]["status"] == DONE or document == RELEASED:
            self.seen.add(document)
        return True

    def embed(self) -> int:
        claimed = self.client.claim(stage="embedding", limit=3, lease_ms=LEASE_MS)
        for one in claimed:
            self.client.put(one, self.client.chunks(one["document_id"], "chunking"))
        return len(claimed)

    def outcome(self) -> dict[str, Any]:
        """What the service says in the end."""
        letters = self.client.call("ListDeadLetters")["dead_letters"]
        return {
            "counts": self.client.counts(),
            "chunks": {name: [one["text"] for one in self.client.chunks(name)] for name in DOCUMENTS},
            "dead": [(one["document_id"], one["reason"], one["message"], one["stage"]) for one in letters],
        }
