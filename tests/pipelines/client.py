"""A client of pipelines as it should be: it repeats what was not acknowledged, and drops what is no longer its own."""

from __future__ import annotations

import time
from typing import Any

import grpc
from harness.grpc import FailedCall
from harness.pipelines import Service
from harness.waiting import let_pass

AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
PATIENCE_S = 90.0
DONE = "DOCUMENT_STATUS_DONE"


def repeated(service: Service, method: str, within_s: float, refusals: list[str], **fields: Any) -> Any:
    """A call, repeated until it is answered; `refusals` gets the reasons why, empty where nobody answered."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return service.call(method, within_s=within_s, **fields)
        except FailedCall as failed:
            if failed.code not in AGAIN and failed.reason != "BODY_EXPIRED":
                raise
            refusals.append(failed.reason)
            if time.monotonic() > end:
                raise
        except grpc.RpcError:
            # Its contract is asked for before the first call.
            if time.monotonic() > end:
                raise
        let_pass(0.02)


class Patient:
    """Calls of one pipeline, each repeated until it is answered."""

    def __init__(self, service: Service, name: str, within_s: float = 5.0) -> None:
        self.service, self.name, self.within_s = service, name, within_s
        self.refusals: list[str] = []

    def call(self, method: str, **fields: Any) -> Any:
        return repeated(self.service, method, self.within_s, self.refusals, pipeline_id=self.name, **fields)

    def create(self, **spec: Any) -> None:
        """Declares the pipeline, whose namespace is called as it is. That it exists is what a repetition finds."""
        try:
            self.call("CreatePipeline", spec={"target_namespace": self.name} | spec)
        except FailedCall as failed:
            if failed.reason != "PIPELINE_EXISTS" or not self.refusals:
                raise

    def stage(self, documents: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
        """Stages documents, given by their chunks' texts."""
        staged = [
            {"document_id": name, "chunks": [{"chunk_id": chunk, "text": text} for chunk, text in chunks.items()]}
            for name, chunks in documents.items()
        ]
        return self.call("StageDocuments", documents=staged)["results"]

    def claim(self, worker: str = "w", **fields: Any) -> list[dict[str, Any]]:
        return self.call("Claim", worker_id=worker, **fields)["documents"]

    def chunks(self, document: str, stage: str = "") -> list[dict[str, Any]]:
        pieces = self.call("GetChunks", document_id=document, stage=stage)
        return [chunk for piece in pieces for chunk in piece["chunks"]]

    def put(self, claimed: dict[str, Any], chunks: list[dict[str, Any]], within_s: float | None = None) -> str:
        """Writes a document's rows and completes it; what became of it."""
        document = {"document": guard(claimed), "rows": [row(chunk) for chunk in chunks], "complete": True}
        return self.call("PutRows", documents=[document])["results"][0]["status"]

    def documents(self, names: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for at in range(0, len(names), 1000):
            answer = self.call("GetDocuments", document_ids=names[at : at + 1000])
            found |= {one["document_id"]: one for one in answer["documents"]}
        return found

    def counts(self) -> dict[str, int]:
        """How many documents are in each stage, as the service counts them."""
        stages = self.call("GetPipelineStatus")["status"]["stages"]
        states = ("ready", "delayed", "leased", "ended")
        return {stage["stage"]: sum(int(stage[state]) for state in states) for stage in stages}


def guard(claimed: dict[str, Any]) -> dict[str, Any]:
    return {"document_id": claimed["document_id"], "token": claimed["token"]}


def vector(text: str) -> list[float]:
    """A vector that is told by its text."""
    return [1.0, float(len(text)), float(sum(text.encode()) % 251)]


def row(chunk: dict[str, Any]) -> dict[str, Any]:
    values = {"dense_vector": {"floats": {"values": vector(chunk["text"])}}}
    return {"chunk_id": chunk["chunk_id"], "attributes": {"vector": values, "text": {"string_value": chunk["text"]}}}
