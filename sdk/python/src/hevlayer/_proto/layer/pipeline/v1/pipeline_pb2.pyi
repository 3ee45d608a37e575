import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_REASON_UNSPECIFIED: _ClassVar[FailureReason]
    FAILURE_REASON_PERMANENT: _ClassVar[FailureReason]
    FAILURE_REASON_ATTEMPTS: _ClassVar[FailureReason]
    FAILURE_REASON_LEASES: _ClassVar[FailureReason]
    FAILURE_REASON_REQUESTED: _ClassVar[FailureReason]
FAILURE_REASON_UNSPECIFIED: FailureReason
FAILURE_REASON_PERMANENT: FailureReason
FAILURE_REASON_ATTEMPTS: FailureReason
FAILURE_REASON_LEASES: FailureReason
FAILURE_REASON_REQUESTED: FailureReason

class Pipeline(_message.Message):
    __slots__ = ("pipeline_id", "spec", "created_at")
    PIPELINE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    pipeline_id: str
    spec: PipelineSpec
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, pipeline_id: _Optional[str] = ..., spec: _Optional[_Union[PipelineSpec, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PipelineSpec(_message.Message):
    __slots__ = ("target_namespace", "distance_metric", "stages", "retry", "leased_max", "keep_done_ms", "keep_failed_ms")
    TARGET_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_METRIC_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    LEASED_MAX_FIELD_NUMBER: _ClassVar[int]
    KEEP_DONE_MS_FIELD_NUMBER: _ClassVar[int]
    KEEP_FAILED_MS_FIELD_NUMBER: _ClassVar[int]
    target_namespace: str
    distance_metric: str
    stages: _containers.RepeatedScalarFieldContainer[str]
    retry: RetryPolicy
    leased_max: int
    keep_done_ms: int
    keep_failed_ms: int
    def __init__(self, target_namespace: _Optional[str] = ..., distance_metric: _Optional[str] = ..., stages: _Optional[_Iterable[str]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., leased_max: _Optional[int] = ..., keep_done_ms: _Optional[int] = ..., keep_failed_ms: _Optional[int] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("attempts_max", "leases_lost_max", "initial_backoff_ms", "max_backoff_ms")
    ATTEMPTS_MAX_FIELD_NUMBER: _ClassVar[int]
    LEASES_LOST_MAX_FIELD_NUMBER: _ClassVar[int]
    INITIAL_BACKOFF_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKOFF_MS_FIELD_NUMBER: _ClassVar[int]
    attempts_max: int
    leases_lost_max: int
    initial_backoff_ms: int
    max_backoff_ms: int
    def __init__(self, attempts_max: _Optional[int] = ..., leases_lost_max: _Optional[int] = ..., initial_backoff_ms: _Optional[int] = ..., max_backoff_ms: _Optional[int] = ...) -> None: ...

class PipelineStatus(_message.Message):
    __slots__ = ("stages", "failures", "done_per_minute", "rate_window_ms")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    DONE_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    RATE_WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[StageCount]
    failures: _containers.RepeatedCompositeFieldContainer[FailureCount]
    done_per_minute: float
    rate_window_ms: int
    def __init__(self, stages: _Optional[_Iterable[_Union[StageCount, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[FailureCount, _Mapping]]] = ..., done_per_minute: _Optional[float] = ..., rate_window_ms: _Optional[int] = ...) -> None: ...

class StageCount(_message.Message):
    __slots__ = ("stage", "ready", "delayed", "leased", "ended")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    stage: str
    ready: int
    delayed: int
    leased: int
    ended: int
    def __init__(self, stage: _Optional[str] = ..., ready: _Optional[int] = ..., delayed: _Optional[int] = ..., leased: _Optional[int] = ..., ended: _Optional[int] = ...) -> None: ...

class FailureCount(_message.Message):
    __slots__ = ("reason", "count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: FailureReason
    count: int
    def __init__(self, reason: _Optional[_Union[FailureReason, str]] = ..., count: _Optional[int] = ...) -> None: ...
