import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hevlayer._proto.layer.types.v1 import filter_pb2 as _filter_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Trigger(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIGGER_UNSPECIFIED: _ClassVar[Trigger]
    TRIGGER_DISCOVERY: _ClassVar[Trigger]
    TRIGGER_WRITE: _ClassVar[Trigger]
    TRIGGER_SCHEDULE: _ClassVar[Trigger]
TRIGGER_UNSPECIFIED: Trigger
TRIGGER_DISCOVERY: Trigger
TRIGGER_WRITE: Trigger
TRIGGER_SCHEDULE: Trigger

class Function(_message.Message):
    __slots__ = ("function_id", "spec", "paused", "created_at", "updated_at")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    spec: FunctionSpec
    paused: bool
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    def __init__(self, function_id: _Optional[str] = ..., spec: _Optional[_Union[FunctionSpec, _Mapping]] = ..., paused: _Optional[bool] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FunctionSpec(_message.Message):
    __slots__ = ("target_namespaces", "inputs", "version", "filter", "worker_json", "schedule", "retry", "triggers", "invalidates", "index_selector_json")
    TARGET_NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WORKER_JSON_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    INVALIDATES_FIELD_NUMBER: _ClassVar[int]
    INDEX_SELECTOR_JSON_FIELD_NUMBER: _ClassVar[int]
    target_namespaces: _containers.RepeatedScalarFieldContainer[str]
    inputs: _containers.RepeatedScalarFieldContainer[str]
    version: str
    filter: _filter_pb2.Filter
    worker_json: str
    schedule: FunctionSchedule
    retry: FunctionRetry
    triggers: _containers.RepeatedScalarFieldContainer[Trigger]
    invalidates: _containers.RepeatedScalarFieldContainer[str]
    index_selector_json: str
    def __init__(self, target_namespaces: _Optional[_Iterable[str]] = ..., inputs: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ..., filter: _Optional[_Union[_filter_pb2.Filter, _Mapping]] = ..., worker_json: _Optional[str] = ..., schedule: _Optional[_Union[FunctionSchedule, _Mapping]] = ..., retry: _Optional[_Union[FunctionRetry, _Mapping]] = ..., triggers: _Optional[_Iterable[_Union[Trigger, str]]] = ..., invalidates: _Optional[_Iterable[str]] = ..., index_selector_json: _Optional[str] = ...) -> None: ...

class FunctionSchedule(_message.Message):
    __slots__ = ("discovery_interval_ms", "lease_ms", "leased_max", "scans_max", "cron", "stale_after_ms")
    DISCOVERY_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    LEASED_MAX_FIELD_NUMBER: _ClassVar[int]
    SCANS_MAX_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    STALE_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    discovery_interval_ms: int
    lease_ms: int
    leased_max: int
    scans_max: int
    cron: str
    stale_after_ms: int
    def __init__(self, discovery_interval_ms: _Optional[int] = ..., lease_ms: _Optional[int] = ..., leased_max: _Optional[int] = ..., scans_max: _Optional[int] = ..., cron: _Optional[str] = ..., stale_after_ms: _Optional[int] = ...) -> None: ...

class FunctionRetry(_message.Message):
    __slots__ = ("attempts_max", "initial_backoff_ms", "max_backoff_ms")
    ATTEMPTS_MAX_FIELD_NUMBER: _ClassVar[int]
    INITIAL_BACKOFF_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKOFF_MS_FIELD_NUMBER: _ClassVar[int]
    attempts_max: int
    initial_backoff_ms: int
    max_backoff_ms: int
    def __init__(self, attempts_max: _Optional[int] = ..., initial_backoff_ms: _Optional[int] = ..., max_backoff_ms: _Optional[int] = ...) -> None: ...

class FunctionStatus(_message.Message):
    __slots__ = ("active_namespaces", "sweeps_completed", "last_completed_at", "ready", "delayed", "leased", "dead", "done_per_minute", "rate_window_ms")
    ACTIVE_NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    SWEEPS_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    LAST_COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    DONE_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    RATE_WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    active_namespaces: _containers.RepeatedScalarFieldContainer[str]
    sweeps_completed: int
    last_completed_at: _timestamp_pb2.Timestamp
    ready: int
    delayed: int
    leased: int
    dead: int
    done_per_minute: float
    rate_window_ms: int
    def __init__(self, active_namespaces: _Optional[_Iterable[str]] = ..., sweeps_completed: _Optional[int] = ..., last_completed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ready: _Optional[int] = ..., delayed: _Optional[int] = ..., leased: _Optional[int] = ..., dead: _Optional[int] = ..., done_per_minute: _Optional[float] = ..., rate_window_ms: _Optional[int] = ...) -> None: ...
