import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hevlayer._proto.layer.pipeline.v1 import pipeline_pb2 as _pipeline_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DocumentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOCUMENT_STATE_UNSPECIFIED: _ClassVar[DocumentState]
    DOCUMENT_STATE_READY: _ClassVar[DocumentState]
    DOCUMENT_STATE_DELAYED: _ClassVar[DocumentState]
    DOCUMENT_STATE_LEASED: _ClassVar[DocumentState]
    DOCUMENT_STATE_DONE: _ClassVar[DocumentState]
    DOCUMENT_STATE_DEAD: _ClassVar[DocumentState]

class FailureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_KIND_UNSPECIFIED: _ClassVar[FailureKind]
    FAILURE_KIND_TRANSIENT: _ClassVar[FailureKind]
    FAILURE_KIND_PERMANENT: _ClassVar[FailureKind]

class DocumentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOCUMENT_STATUS_UNSPECIFIED: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_DONE: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_NOT_FOUND: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_STALE_TOKEN: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_STALE_VERSION: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_NOT_LEASED: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_OTHER_WORKER: _ClassVar[DocumentStatus]
    DOCUMENT_STATUS_WRONG_STAGE: _ClassVar[DocumentStatus]
DOCUMENT_STATE_UNSPECIFIED: DocumentState
DOCUMENT_STATE_READY: DocumentState
DOCUMENT_STATE_DELAYED: DocumentState
DOCUMENT_STATE_LEASED: DocumentState
DOCUMENT_STATE_DONE: DocumentState
DOCUMENT_STATE_DEAD: DocumentState
FAILURE_KIND_UNSPECIFIED: FailureKind
FAILURE_KIND_TRANSIENT: FailureKind
FAILURE_KIND_PERMANENT: FailureKind
DOCUMENT_STATUS_UNSPECIFIED: DocumentStatus
DOCUMENT_STATUS_DONE: DocumentStatus
DOCUMENT_STATUS_NOT_FOUND: DocumentStatus
DOCUMENT_STATUS_STALE_TOKEN: DocumentStatus
DOCUMENT_STATUS_STALE_VERSION: DocumentStatus
DOCUMENT_STATUS_NOT_LEASED: DocumentStatus
DOCUMENT_STATUS_OTHER_WORKER: DocumentStatus
DOCUMENT_STATUS_WRONG_STAGE: DocumentStatus

class Chunk(_message.Message):
    __slots__ = ("chunk_id", "text", "metadata_json")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    text: str
    metadata_json: str
    def __init__(self, chunk_id: _Optional[str] = ..., text: _Optional[str] = ..., metadata_json: _Optional[str] = ...) -> None: ...

class StagedDocument(_message.Message):
    __slots__ = ("document_id", "chunks", "priority")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    chunks: _containers.RepeatedCompositeFieldContainer[Chunk]
    priority: int
    def __init__(self, document_id: _Optional[str] = ..., chunks: _Optional[_Iterable[_Union[Chunk, _Mapping]]] = ..., priority: _Optional[int] = ...) -> None: ...

class StageResult(_message.Message):
    __slots__ = ("document_id", "version", "chunk_count", "chunk_ids", "restaged", "stage")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_IDS_FIELD_NUMBER: _ClassVar[int]
    RESTAGED_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    version: int
    chunk_count: int
    chunk_ids: _containers.RepeatedScalarFieldContainer[str]
    restaged: bool
    stage: str
    def __init__(self, document_id: _Optional[str] = ..., version: _Optional[int] = ..., chunk_count: _Optional[int] = ..., chunk_ids: _Optional[_Iterable[str]] = ..., restaged: _Optional[bool] = ..., stage: _Optional[str] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("document_id", "stage", "state", "version", "attempts", "worker_id", "wakes_at", "chunk_count", "priority")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    WAKES_AT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    stage: str
    state: DocumentState
    version: int
    attempts: int
    worker_id: str
    wakes_at: _timestamp_pb2.Timestamp
    chunk_count: int
    priority: int
    def __init__(self, document_id: _Optional[str] = ..., stage: _Optional[str] = ..., state: _Optional[_Union[DocumentState, str]] = ..., version: _Optional[int] = ..., attempts: _Optional[int] = ..., worker_id: _Optional[str] = ..., wakes_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., chunk_count: _Optional[int] = ..., priority: _Optional[int] = ...) -> None: ...

class ClaimedDocument(_message.Message):
    __slots__ = ("document_id", "token", "version", "attempt", "chunk_count")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    token: int
    version: int
    attempt: int
    chunk_count: int
    def __init__(self, document_id: _Optional[str] = ..., token: _Optional[int] = ..., version: _Optional[int] = ..., attempt: _Optional[int] = ..., chunk_count: _Optional[int] = ...) -> None: ...

class DocumentGuard(_message.Message):
    __slots__ = ("document_id", "token", "version")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    token: int
    version: int
    def __init__(self, document_id: _Optional[str] = ..., token: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class Holder(_message.Message):
    __slots__ = ("worker_id", "stage")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    stage: str
    def __init__(self, worker_id: _Optional[str] = ..., stage: _Optional[str] = ...) -> None: ...

class FailedDocument(_message.Message):
    __slots__ = ("document", "kind", "message")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    document: DocumentGuard
    kind: FailureKind
    message: str
    def __init__(self, document: _Optional[_Union[DocumentGuard, _Mapping]] = ..., kind: _Optional[_Union[FailureKind, str]] = ..., message: _Optional[str] = ...) -> None: ...

class CompletedDocument(_message.Message):
    __slots__ = ("document", "output")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    document: DocumentGuard
    output: _containers.RepeatedCompositeFieldContainer[Chunk]
    def __init__(self, document: _Optional[_Union[DocumentGuard, _Mapping]] = ..., output: _Optional[_Iterable[_Union[Chunk, _Mapping]]] = ...) -> None: ...

class DocumentRows(_message.Message):
    __slots__ = ("document", "rows", "complete")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    document: DocumentGuard
    rows: _containers.RepeatedCompositeFieldContainer[ChunkRow]
    complete: bool
    def __init__(self, document: _Optional[_Union[DocumentGuard, _Mapping]] = ..., rows: _Optional[_Iterable[_Union[ChunkRow, _Mapping]]] = ..., complete: _Optional[bool] = ...) -> None: ...

class ChunkRow(_message.Message):
    __slots__ = ("chunk_id", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    attributes: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, chunk_id: _Optional[str] = ..., attributes: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...

class DocumentResult(_message.Message):
    __slots__ = ("document_id", "status", "stage")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    status: DocumentStatus
    stage: str
    def __init__(self, document_id: _Optional[str] = ..., status: _Optional[_Union[DocumentStatus, str]] = ..., stage: _Optional[str] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("document_id", "reason", "message", "stage", "attempts", "failed_at")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    reason: _pipeline_pb2.FailureReason
    message: str
    stage: str
    attempts: int
    failed_at: _timestamp_pb2.Timestamp
    def __init__(self, document_id: _Optional[str] = ..., reason: _Optional[_Union[_pipeline_pb2.FailureReason, str]] = ..., message: _Optional[str] = ..., stage: _Optional[str] = ..., attempts: _Optional[int] = ..., failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
