"""A worker that turns documents of a pipeline into rows, over layer.pipeline.v1.

Start as many as you like: no two ever have the same document. One that dies loses nothing; what it had comes back when
its leases end.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import socket
import string
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_tools import protoc

LEASE_MS = 60_000
WAIT_MS = 10_000
BATCH = 20


def stubs() -> tuple[Any, Any, Any]:
    """The messages and calls of the contract, generated from `proto/` beside this repository's examples."""
    proto = Path(__file__).resolve().parents[3] / "proto"
    out = tempfile.mkdtemp(prefix="layer-stubs-")
    files = [str(path) for path in sorted((proto / "layer").glob("*/v1/*.proto"))]
    well_known = str(Path(protoc.__file__).parent / "_proto")
    arguments = ["", f"-I{proto}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}", *files]
    if protoc.main(arguments) != 0:
        sys.exit("the contract cannot be compiled")
    sys.path.insert(0, out)
    modules = ["document_pb2", "pipeline_service_pb2", "pipeline_service_pb2_grpc"]
    return tuple(importlib.import_module(f"layer.pipeline.v1.{name}") for name in modules)  # type: ignore[return-value]


def embed(text: str) -> list[float]:
    """A toy: the share of each letter. Put your model here."""
    counts = [float(text.lower().count(letter)) for letter in string.ascii_lowercase]
    return [count / max(1.0, sum(counts)) for count in counts]


class Worker:
    """One worker of one pipeline."""

    def __init__(self, channel: grpc.Channel, pipeline: str, api_key: str, stop: threading.Event) -> None:
        self.documents, self.messages, calls = stubs()
        self.service = calls.PipelineServiceStub(channel)
        self.pipeline = pipeline
        self.metadata = [("authorization", f"Bearer {api_key}")]
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.stop = stop

    def call(self, call: Callable[..., Any], request: Any, within_s: float = 60.0) -> Any:
        return call(request, timeout=within_s, metadata=self.metadata, wait_for_ready=True)

    def run(self) -> None:
        """Works until told to stop. A part that is away is tried again: calls may be repeated safely."""
        while not self.stop.is_set():
            try:
                self.batch()
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
                print(f"trying again: {error.details()}", file=sys.stderr)
                self.stop.wait(1.0)

    def batch(self) -> None:
        request = self.messages.ClaimRequest(
            pipeline_id=self.pipeline, worker_id=self.name, limit=BATCH, lease_ms=LEASE_MS, wait_ms=WAIT_MS
        )
        claimed = list(self.call(self.service.Claim, request).documents)
        with self.leases(claimed):
            while claimed and not self.stop.is_set():
                self.one(claimed.pop(0))
            if claimed:
                guards = [self.guard(document) for document in claimed]
                release = self.messages.ReleaseRequest(pipeline_id=self.pipeline, documents=guards)
                self.call(self.service.Release, release)

    def one(self, document: Any) -> None:
        try:
            rows = [self.row(chunk) for chunk in self.chunks(document)]
        except grpc.RpcError:
            raise
        except Exception as error:
            failed = self.documents.FailedDocument(
                document=self.guard(document), kind=self.documents.FAILURE_KIND_TRANSIENT, message=str(error)
            )
            self.call(self.service.Fail, self.messages.FailRequest(pipeline_id=self.pipeline, documents=[failed]))
            return
        done = self.documents.DocumentRows(document=self.guard(document), rows=rows, complete=True)
        answer = self.call(
            self.service.PutRows, self.messages.PutRowsRequest(pipeline_id=self.pipeline, documents=[done])
        )
        status = self.documents.DocumentStatus.Name(answer.results[0].status)
        print(f"{document.document_id}: {len(rows)} rows, {status}", flush=True)

    def chunks(self, document: Any) -> Iterator[Any]:
        request = self.messages.GetChunksRequest(
            pipeline_id=self.pipeline, document_id=document.document_id, version=document.version
        )
        for piece in self.call(self.service.GetChunks, request):
            yield from piece.chunks

    def row(self, chunk: Any) -> Any:
        row = self.documents.ChunkRow(chunk_id=chunk.chunk_id)
        row.attributes["vector"].dense_vector.floats.values.extend(embed(chunk.text))
        row.attributes["text"].string_value = chunk.text
        return row

    def guard(self, document: Any) -> Any:
        """What must still be true for a call to count: the token is refused when somebody else has the document."""
        return self.documents.DocumentGuard(document_id=document.document_id, token=document.token)

    @contextmanager
    def leases(self, claimed: list[Any]) -> Iterator[None]:
        """Extends the leases of what is left in `claimed`, in the background."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(LEASE_MS / 3000):
                guards = [self.guard(document) for document in list(claimed)]
                if guards:
                    request = self.messages.HeartbeatRequest(
                        pipeline_id=self.pipeline, documents=guards, lease_ms=LEASE_MS
                    )
                    self.call(self.service.Heartbeat, request)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--address", default="127.0.0.1:8080", help="the router's host and port")
    parser.add_argument("--api-key", default=os.environ.get("LAYER_GATEWAY_API_KEY", "demo"))
    asked = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with grpc.insecure_channel(asked.address) as channel:
        Worker(channel, asked.pipeline, asked.api_key, stop).run()


if __name__ == "__main__":
    main()
