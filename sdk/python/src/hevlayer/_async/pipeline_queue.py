"""Pipelines as workers call them. `hevlayer.run_worker` does all of this."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from typing import Any

from .. import _guards as guards
from .._proto.layer.pipeline.v1 import document_pb2 as documents_pb2
from .._proto.layer.pipeline.v1 import pipeline_service_pb2 as service
from .._values import Vector
from .calls import IDEMPOTENT, UNREPEATABLE, AsyncCalls
from .pipelines import SERVICE

Results = builtins.list[documents_pb2.DocumentResult]
WAIT_MARGIN_S = 10.0
"""How much longer than its wait a claim's deadline is."""


class AsyncPipelineQueue(AsyncCalls):
    """Claims and what ends them. Documents are named by what `claim_documents` answered, or by their ids."""

    async def claim_documents(
        self,
        pipeline_id: str,
        worker_id: str,
        *,
        stage: str = "",
        claim_stage: str = "",
        limit: int = 0,
        lease_seconds: float = 0,
        document_id_prefix: str = "",
        wait_seconds: float = 0,
        timeout: float | None = None,
    ) -> service.ClaimResponse:
        """Takes documents that are ready, under a lease; no two claims ever hold the same one.

        Raises:
          OutcomeUnknown: no answer came; what was claimed is ready again when its lease ends.
        """
        request = service.ClaimRequest(
            pipeline_id=pipeline_id,
            stage=stage,
            claim_stage=claim_stage,
            limit=limit,
            worker_id=worker_id,
            lease_ms=int(lease_seconds * 1000),
            document_id_prefix=document_id_prefix,
            wait_ms=int(wait_seconds * 1000),
        )
        timeout = timeout or wait_seconds + WAIT_MARGIN_S
        return await self._call(SERVICE + "Claim", request, service.ClaimResponse, UNREPEATABLE, timeout)

    async def heartbeat_documents(
        self,
        pipeline_id: str,
        documents: Iterable[guards.DocumentName],
        *,
        worker_id: str = "",
        stage: str = "",
        lease_seconds: float = 0,
        timeout: float | None = None,
    ) -> Results:
        """Extends leases; a worker stops working on what is not done."""
        request = service.HeartbeatRequest(
            pipeline_id=pipeline_id,
            documents=guards.documents(documents),
            holder=guards.holder(worker_id, stage),
            lease_ms=int(lease_seconds * 1000),
        )
        answer = await self._call(SERVICE + "Heartbeat", request, service.HeartbeatResponse, IDEMPOTENT, timeout)
        return list(answer.results)

    async def release_documents(
        self,
        pipeline_id: str,
        documents: Iterable[guards.DocumentName],
        *,
        worker_id: str = "",
        stage: str = "",
        timeout: float | None = None,
    ) -> Results:
        """Returns documents as if they had not been claimed."""
        request = service.ReleaseRequest(
            pipeline_id=pipeline_id, documents=guards.documents(documents), holder=guards.holder(worker_id, stage)
        )
        answer = await self._call(SERVICE + "Release", request, service.ReleaseResponse, IDEMPOTENT, timeout)
        return list(answer.results)

    async def fail_documents(
        self,
        pipeline_id: str,
        documents: Iterable[guards.DocumentName],
        *,
        kind: guards.Kind = "transient",
        message: str = "",
        worker_id: str = "",
        stage: str = "",
        timeout: float | None = None,
    ) -> Results:
        """Says that documents failed: they are tried again later, or become dead letters."""
        failed = [
            documents_pb2.FailedDocument(
                document=guards.document(name), kind=guards.DOCUMENT_KINDS[kind], message=guards.cut(message)
            )
            for name in documents
        ]
        request = service.FailRequest(pipeline_id=pipeline_id, documents=failed, holder=guards.holder(worker_id, stage))
        answer = await self._call(SERVICE + "Fail", request, service.FailResponse, IDEMPOTENT, timeout)
        return list(answer.results)

    async def complete_documents(
        self,
        pipeline_id: str,
        documents: Iterable[guards.DocumentName],
        *,
        output: Sequence[documents_pb2.Chunk] = (),
        to_stage: str = "",
        worker_id: str = "",
        stage: str = "",
        timeout: float | None = None,
    ) -> Results:
        """Says that a stage is done for documents; `output` is what it put out for each of them."""
        completed = [
            documents_pb2.CompletedDocument(document=guards.document(name), output=output) for name in documents
        ]
        request = service.CompleteRequest(
            pipeline_id=pipeline_id,
            documents=completed,
            holder=guards.holder(worker_id, stage),
            to_stage=to_stage,
        )
        answer = await self._call(SERVICE + "Complete", request, service.CompleteResponse, IDEMPOTENT, timeout)
        return list(answer.results)

    async def put_pipeline_document_rows(
        self,
        pipeline_id: str,
        document: guards.DocumentName,
        rows: Sequence[guards.ChunkRow],
        *,
        complete: bool = True,
        worker_id: str = "",
        stage: str = "",
        timeout: float | None = None,
    ) -> documents_pb2.DocumentResult:
        """Writes rows of a document to the target namespace; with `complete` the document is done."""
        written = documents_pb2.DocumentRows(
            document=guards.document(document), rows=guards.rows(rows), complete=complete
        )
        request = service.PutRowsRequest(
            pipeline_id=pipeline_id, documents=[written], holder=guards.holder(worker_id, stage)
        )
        answer = await self._call(SERVICE + "PutRows", request, service.PutRowsResponse, IDEMPOTENT, timeout)
        return answer.results[0]

    async def write_single_vector(
        self,
        pipeline_id: str,
        document: guards.DocumentName,
        chunk_id: str,
        vector: Iterable[float],
        *,
        timeout: float | None = None,
        **attributes: Any,
    ) -> documents_pb2.DocumentResult:
        """Writes the one row of a document, with its vector; the document is done."""
        row = guards.ChunkRow(chunk_id, {**attributes, "vector": Vector(vector)})
        return await self.put_pipeline_document_rows(pipeline_id, document, [row], timeout=timeout)
