from hevlayer._proto.layer.pipeline.v1 import document_pb2 as _document_pb2
from hevlayer._proto.layer.pipeline.v1 import pipeline_pb2 as _pipeline_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreatePipelineRequest(_message.Message):
    __slots__ = ("pipeline_id", "spec")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    spec: _pipeline_pb2.PipelineSpec
    def __init__(self, pipeline_id: _Optional[str] = ..., spec: _Optional[_Union[_pipeline_pb2.PipelineSpec, _Mapping]] = ...) -> None: ...

class CreatePipelineResponse(_message.Message):
    __slots__ = ("pipeline",)
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    pipeline: _pipeline_pb2.Pipeline
    def __init__(self, pipeline: _Optional[_Union[_pipeline_pb2.Pipeline, _Mapping]] = ...) -> None: ...

class GetPipelineRequest(_message.Message):
    __slots__ = ("pipeline_id",)
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    def __init__(self, pipeline_id: _Optional[str] = ...) -> None: ...

class GetPipelineResponse(_message.Message):
    __slots__ = ("pipeline",)
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    pipeline: _pipeline_pb2.Pipeline
    def __init__(self, pipeline: _Optional[_Union[_pipeline_pb2.Pipeline, _Mapping]] = ...) -> None: ...

class ListPipelinesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPipelinesResponse(_message.Message):
    __slots__ = ("pipelines", "next_page_token")
    PIPELINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pipelines: _containers.RepeatedCompositeFieldContainer[_pipeline_pb2.Pipeline]
    next_page_token: str
    def __init__(self, pipelines: _Optional[_Iterable[_Union[_pipeline_pb2.Pipeline, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeletePipelineRequest(_message.Message):
    __slots__ = ("pipeline_id",)
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    def __init__(self, pipeline_id: _Optional[str] = ...) -> None: ...

class DeletePipelineResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPipelineStatusRequest(_message.Message):
    __slots__ = ("pipeline_id",)
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    def __init__(self, pipeline_id: _Optional[str] = ...) -> None: ...

class GetPipelineStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _pipeline_pb2.PipelineStatus
    def __init__(self, status: _Optional[_Union[_pipeline_pb2.PipelineStatus, _Mapping]] = ...) -> None: ...

class StageDocumentsRequest(_message.Message):
    __slots__ = ("pipeline_id", "documents")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.StagedDocument]
    def __init__(self, pipeline_id: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_document_pb2.StagedDocument, _Mapping]]] = ...) -> None: ...

class StageDocumentsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_document_pb2.StageResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_document_pb2.StageResult, _Mapping]]] = ...) -> None: ...

class GetChunksRequest(_message.Message):
    __slots__ = ("pipeline_id", "document_id", "stage", "version")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    document_id: str
    stage: str
    version: int
    def __init__(self, pipeline_id: _Optional[str] = ..., document_id: _Optional[str] = ..., stage: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetChunksResponse(_message.Message):
    __slots__ = ("version", "chunks")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    version: int
    chunks: _containers.RepeatedCompositeFieldContainer[_document_pb2.Chunk]
    def __init__(self, version: _Optional[int] = ..., chunks: _Optional[_Iterable[_Union[_document_pb2.Chunk, _Mapping]]] = ...) -> None: ...

class GetDocumentsRequest(_message.Message):
    __slots__ = ("pipeline_id", "document_ids")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    document_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, pipeline_id: _Optional[str] = ..., document_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GetDocumentsResponse(_message.Message):
    __slots__ = ("documents",)
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.Document]
    def __init__(self, documents: _Optional[_Iterable[_Union[_document_pb2.Document, _Mapping]]] = ...) -> None: ...

class ClaimRequest(_message.Message):
    __slots__ = ("pipeline_id", "stage", "claim_stage", "limit", "worker_id", "lease_ms", "document_id_prefix", "wait_ms")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CLAIM_STAGE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    stage: str
    claim_stage: str
    limit: int
    worker_id: str
    lease_ms: int
    document_id_prefix: str
    wait_ms: int
    def __init__(self, pipeline_id: _Optional[str] = ..., stage: _Optional[str] = ..., claim_stage: _Optional[str] = ..., limit: _Optional[int] = ..., worker_id: _Optional[str] = ..., lease_ms: _Optional[int] = ..., document_id_prefix: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class ClaimResponse(_message.Message):
    __slots__ = ("documents", "lease_ms", "stage", "claim_stage")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CLAIM_STAGE_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.ClaimedDocument]
    lease_ms: int
    stage: str
    claim_stage: str
    def __init__(self, documents: _Optional[_Iterable[_Union[_document_pb2.ClaimedDocument, _Mapping]]] = ..., lease_ms: _Optional[int] = ..., stage: _Optional[str] = ..., claim_stage: _Optional[str] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("pipeline_id", "documents", "holder", "lease_ms")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentGuard]
    holder: _document_pb2.Holder
    lease_ms: int
    def __init__(self, pipeline_id: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_document_pb2.DocumentGuard, _Mapping]]] = ..., holder: _Optional[_Union[_document_pb2.Holder, _Mapping]] = ..., lease_ms: _Optional[int] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_document_pb2.DocumentResult, _Mapping]]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("pipeline_id", "documents", "holder")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentGuard]
    holder: _document_pb2.Holder
    def __init__(self, pipeline_id: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_document_pb2.DocumentGuard, _Mapping]]] = ..., holder: _Optional[_Union[_document_pb2.Holder, _Mapping]] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_document_pb2.DocumentResult, _Mapping]]] = ...) -> None: ...

class FailRequest(_message.Message):
    __slots__ = ("pipeline_id", "documents", "holder")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.FailedDocument]
    holder: _document_pb2.Holder
    def __init__(self, pipeline_id: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_document_pb2.FailedDocument, _Mapping]]] = ..., holder: _Optional[_Union[_document_pb2.Holder, _Mapping]] = ...) -> None: ...

class FailResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_document_pb2.DocumentResult, _Mapping]]] = ...) -> None: ...

class CompleteRequest(_message.Message):
    __slots__ = ("pipeline_id", "documents", "holder", "to_stage")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    TO_STAGE_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.CompletedDocument]
    holder: _document_pb2.Holder
    to_stage: str
    def __init__(self, pipeline_id: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_document_pb2.CompletedDocument, _Mapping]]] = ..., holder: _Optional[_Union[_document_pb2.Holder, _Mapping]] = ..., to_stage: _Optional[str] = ...) -> None: ...

class CompleteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_document_pb2.DocumentResult, _Mapping]]] = ...) -> None: ...

class PutRowsRequest(_message.Message):
    __slots__ = ("pipeline_id", "documents", "holder")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentRows]
    holder: _document_pb2.Holder
    def __init__(self, pipeline_id: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_document_pb2.DocumentRows, _Mapping]]] = ..., holder: _Optional[_Union[_document_pb2.Holder, _Mapping]] = ...) -> None: ...

class PutRowsResponse(_message.Message):
    __slots__ = ("results", "rows_written")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentResult]
    rows_written: int
    def __init__(self, results: _Optional[_Iterable[_Union[_document_pb2.DocumentResult, _Mapping]]] = ..., rows_written: _Optional[int] = ...) -> None: ...

class SetStageRequest(_message.Message):
    __slots__ = ("pipeline_id", "documents", "stage", "holder", "create_missing")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    CREATE_MISSING_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentGuard]
    stage: str
    holder: _document_pb2.Holder
    create_missing: bool
    def __init__(self, pipeline_id: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_document_pb2.DocumentGuard, _Mapping]]] = ..., stage: _Optional[str] = ..., holder: _Optional[_Union[_document_pb2.Holder, _Mapping]] = ..., create_missing: _Optional[bool] = ...) -> None: ...

class SetStageResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_document_pb2.DocumentResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_document_pb2.DocumentResult, _Mapping]]] = ...) -> None: ...

class ListDeadLettersRequest(_message.Message):
    __slots__ = ("pipeline_id", "page_size", "page_token")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    page_size: int
    page_token: str
    def __init__(self, pipeline_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeadLettersResponse(_message.Message):
    __slots__ = ("dead_letters", "next_page_token")
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    dead_letters: _containers.RepeatedCompositeFieldContainer[_document_pb2.DeadLetter]
    next_page_token: str
    def __init__(self, dead_letters: _Optional[_Iterable[_Union[_document_pb2.DeadLetter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RequeueDeadLettersRequest(_message.Message):
    __slots__ = ("pipeline_id", "document_ids", "limit")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    document_ids: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    def __init__(self, pipeline_id: _Optional[str] = ..., document_ids: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ...) -> None: ...

class RequeueDeadLettersResponse(_message.Message):
    __slots__ = ("requeued",)
    REQUEUED_FIELD_NUMBER: _ClassVar[int]
    requeued: int
    def __init__(self, requeued: _Optional[int] = ...) -> None: ...
