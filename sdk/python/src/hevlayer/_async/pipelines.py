"""Pipelines as operators and producers call them. Results are messages of `layer.pipeline.v1`."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence

from .. import _guards as guards
from .._grpc_errors import LayerError
from .._proto.layer.pipeline.v1 import document_pb2 as documents_pb2
from .._proto.layer.pipeline.v1 import pipeline_pb2
from .._proto.layer.pipeline.v1 import pipeline_service_pb2 as service
from .calls import IDEMPOTENT, READ, UNREPEATABLE, AsyncCalls

SERVICE = "/layer.pipeline.v1.PipelineService/"


class AsyncPipelines(AsyncCalls):
    """Documents that become rows, stage by stage."""

    async def create_pipeline(
        self,
        pipeline_id: str,
        target_namespace: str,
        *,
        distance_metric: str = "",
        stages: Sequence[str] = (),
        retry: pipeline_pb2.RetryPolicy | None = None,
        leased_max: int = 0,
        keep_done_ms: int = 0,
        keep_failed_ms: int = 0,
        timeout: float | None = None,
    ) -> pipeline_pb2.Pipeline:
        """Declares a pipeline, which never changes: delete it and declare another.

        Raises:
          LayerError: with the reason `PIPELINE_EXISTS` where the id is taken.
        """
        spec = pipeline_pb2.PipelineSpec(
            target_namespace=target_namespace,
            distance_metric=distance_metric,
            stages=stages,
            retry=retry,
            leased_max=leased_max,
            keep_done_ms=keep_done_ms,
            keep_failed_ms=keep_failed_ms,
        )
        request = service.CreatePipelineRequest(pipeline_id=pipeline_id, spec=spec)
        answer = await self._call(
            SERVICE + "CreatePipeline", request, service.CreatePipelineResponse, UNREPEATABLE, timeout
        )
        return answer.pipeline

    async def ensure_pipeline(
        self,
        pipeline_id: str,
        target_namespace: str,
        *,
        distance_metric: str = "",
        stages: Sequence[str] = (),
        timeout: float | None = None,
    ) -> pipeline_pb2.Pipeline:
        """Declares a pipeline, or answers the one that has that id already, whatever it does."""
        try:
            return await self.create_pipeline(
                pipeline_id, target_namespace, distance_metric=distance_metric, stages=stages, timeout=timeout
            )
        except LayerError as error:
            if error.reason != "PIPELINE_EXISTS":
                raise
        return await self.get_pipeline(pipeline_id, timeout=timeout)

    async def get_pipeline(self, pipeline_id: str, *, timeout: float | None = None) -> pipeline_pb2.Pipeline:
        """One pipeline; LayerError with the reason `PIPELINE_NOT_FOUND` where there is none."""
        request = service.GetPipelineRequest(pipeline_id=pipeline_id)
        answer = await self._call(SERVICE + "GetPipeline", request, service.GetPipelineResponse, READ, timeout)
        return answer.pipeline

    async def list_pipelines(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> service.ListPipelinesResponse:
        """A page of pipelines in the order of their ids."""
        request = service.ListPipelinesRequest(page_size=page_size, page_token=page_token)
        return await self._call(SERVICE + "ListPipelines", request, service.ListPipelinesResponse, READ, timeout)

    async def delete_pipeline(self, pipeline_id: str, *, timeout: float | None = None) -> None:
        """Deletes a pipeline with its documents' states and bodies. Rows that it has written stay."""
        request = service.DeletePipelineRequest(pipeline_id=pipeline_id)
        await self._call(SERVICE + "DeletePipeline", request, service.DeletePipelineResponse, UNREPEATABLE, timeout)

    async def get_pipeline_status(
        self, pipeline_id: str, *, timeout: float | None = None
    ) -> pipeline_pb2.PipelineStatus:
        """How many documents are in which stage."""
        request = service.GetPipelineStatusRequest(pipeline_id=pipeline_id)
        answer = await self._call(
            SERVICE + "GetPipelineStatus", request, service.GetPipelineStatusResponse, READ, timeout
        )
        return answer.status

    async def stage_documents(
        self,
        pipeline_id: str,
        documents: Iterable[documents_pb2.StagedDocument],
        *,
        timeout: float | None = None,
    ) -> builtins.list[documents_pb2.StageResult]:
        """Stages documents: 1 to 1,000. One that is there already begins anew."""
        request = service.StageDocumentsRequest(pipeline_id=pipeline_id, documents=documents)
        answer = await self._call(
            SERVICE + "StageDocuments", request, service.StageDocumentsResponse, IDEMPOTENT, timeout
        )
        return list(answer.results)

    async def put_pipeline_document_chunks(
        self,
        pipeline_id: str,
        document_id: str,
        chunks: Iterable[documents_pb2.Chunk],
        *,
        priority: int = 0,
        timeout: float | None = None,
    ) -> documents_pb2.StageResult:
        """Stages one document."""
        staged = documents_pb2.StagedDocument(document_id=document_id, chunks=chunks, priority=priority)
        (result,) = await self.stage_documents(pipeline_id, [staged], timeout=timeout)
        return result

    async def get_pipeline_documents(
        self, pipeline_id: str, document_ids: Iterable[str], *, timeout: float | None = None
    ) -> builtins.list[documents_pb2.Document]:
        """Where documents stand; one that is not there has no entry."""
        request = service.GetDocumentsRequest(pipeline_id=pipeline_id, document_ids=document_ids)
        answer = await self._call(SERVICE + "GetDocuments", request, service.GetDocumentsResponse, READ, timeout)
        return list(answer.documents)

    async def get_pipeline_document_chunks(
        self, pipeline_id: str, document_id: str, *, stage: str = "", version: int = 0, timeout: float | None = None
    ) -> builtins.list[documents_pb2.Chunk]:
        """The chunks of a document: what was staged, or what a stage put out."""
        request = service.GetChunksRequest(
            pipeline_id=pipeline_id, document_id=document_id, stage=stage, version=version
        )
        pieces = await self._collected(SERVICE + "GetChunks", request, service.GetChunksResponse, READ, timeout)
        return [chunk for piece in pieces for chunk in piece.chunks]

    async def set_documents_stage(
        self,
        pipeline_id: str,
        documents: Iterable[guards.DocumentName],
        stage: str,
        *,
        from_stage: str = "",
        worker_id: str = "",
        create_missing: bool = False,
        timeout: float | None = None,
    ) -> builtins.list[documents_pb2.DocumentResult]:
        """Puts documents into a stage; `from_stage` and `worker_id` must hold where they are given."""
        request = service.SetStageRequest(
            pipeline_id=pipeline_id,
            documents=guards.documents(documents),
            stage=stage,
            holder=guards.holder(worker_id, from_stage),
            create_missing=create_missing,
        )
        answer = await self._call(SERVICE + "SetStage", request, service.SetStageResponse, IDEMPOTENT, timeout)
        return list(answer.results)

    async def list_pipeline_dead_letters(
        self, pipeline_id: str, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> service.ListDeadLettersResponse:
        """A page of documents that failed for good."""
        request = service.ListDeadLettersRequest(pipeline_id=pipeline_id, page_size=page_size, page_token=page_token)
        return await self._call(SERVICE + "ListDeadLetters", request, service.ListDeadLettersResponse, READ, timeout)

    async def requeue_pipeline_dead_letters(
        self, pipeline_id: str, document_ids: Iterable[str] = (), *, limit: int = 0, timeout: float | None = None
    ) -> int:
        """Puts dead letters back, all of them where none is named, and answers how many."""
        request = service.RequeueDeadLettersRequest(pipeline_id=pipeline_id, document_ids=document_ids, limit=limit)
        answer = await self._call(
            SERVICE + "RequeueDeadLetters", request, service.RequeueDeadLettersResponse, IDEMPOTENT, timeout
        )
        return answer.requeued
