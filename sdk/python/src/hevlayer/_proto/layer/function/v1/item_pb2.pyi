import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_KIND_UNSPECIFIED: _ClassVar[FailureKind]
    FAILURE_KIND_TRANSIENT: _ClassVar[FailureKind]
    FAILURE_KIND_PERMANENT: _ClassVar[FailureKind]

class ItemStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ITEM_STATUS_UNSPECIFIED: _ClassVar[ItemStatus]
    ITEM_STATUS_DONE: _ClassVar[ItemStatus]
    ITEM_STATUS_NOT_FOUND: _ClassVar[ItemStatus]
    ITEM_STATUS_STALE_TOKEN: _ClassVar[ItemStatus]
    ITEM_STATUS_NOT_LEASED: _ClassVar[ItemStatus]
    ITEM_STATUS_OTHER_WORKER: _ClassVar[ItemStatus]
    ITEM_STATUS_OBSOLETE: _ClassVar[ItemStatus]
    ITEM_STATUS_REFUSED: _ClassVar[ItemStatus]

class FailureReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_REASON_UNSPECIFIED: _ClassVar[FailureReason]
    FAILURE_REASON_PERMANENT: _ClassVar[FailureReason]
    FAILURE_REASON_ATTEMPTS: _ClassVar[FailureReason]
    FAILURE_REASON_LEASES: _ClassVar[FailureReason]
FAILURE_KIND_UNSPECIFIED: FailureKind
FAILURE_KIND_TRANSIENT: FailureKind
FAILURE_KIND_PERMANENT: FailureKind
ITEM_STATUS_UNSPECIFIED: ItemStatus
ITEM_STATUS_DONE: ItemStatus
ITEM_STATUS_NOT_FOUND: ItemStatus
ITEM_STATUS_STALE_TOKEN: ItemStatus
ITEM_STATUS_NOT_LEASED: ItemStatus
ITEM_STATUS_OTHER_WORKER: ItemStatus
ITEM_STATUS_OBSOLETE: ItemStatus
ITEM_STATUS_REFUSED: ItemStatus
FAILURE_REASON_UNSPECIFIED: FailureReason
FAILURE_REASON_PERMANENT: FailureReason
FAILURE_REASON_ATTEMPTS: FailureReason
FAILURE_REASON_LEASES: FailureReason

class ItemGuard(_message.Message):
    __slots__ = ("namespace", "id", "token")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: _value_pb2.Id
    token: int
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[_Union[_value_pb2.Id, _Mapping]] = ..., token: _Optional[int] = ...) -> None: ...

class ClaimedItem(_message.Message):
    __slots__ = ("namespace", "id", "token", "input", "attempt")
    class InputEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: _value_pb2.Id
    token: int
    input: _containers.MessageMap[str, _value_pb2.Value]
    attempt: int
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[_Union[_value_pb2.Id, _Mapping]] = ..., token: _Optional[int] = ..., input: _Optional[_Mapping[str, _value_pb2.Value]] = ..., attempt: _Optional[int] = ...) -> None: ...

class CompletedItem(_message.Message):
    __slots__ = ("item", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    ITEM_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    item: ItemGuard
    attributes: _containers.MessageMap[str, _value_pb2.Value]
    def __init__(self, item: _Optional[_Union[ItemGuard, _Mapping]] = ..., attributes: _Optional[_Mapping[str, _value_pb2.Value]] = ...) -> None: ...

class FailedItem(_message.Message):
    __slots__ = ("item", "kind", "message")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    item: ItemGuard
    kind: FailureKind
    message: str
    def __init__(self, item: _Optional[_Union[ItemGuard, _Mapping]] = ..., kind: _Optional[_Union[FailureKind, str]] = ..., message: _Optional[str] = ...) -> None: ...

class ItemResult(_message.Message):
    __slots__ = ("namespace", "id", "status")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: _value_pb2.Id
    status: ItemStatus
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[_Union[_value_pb2.Id, _Mapping]] = ..., status: _Optional[_Union[ItemStatus, str]] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("namespace", "id", "reason", "message", "attempts", "failed_at")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: _value_pb2.Id
    reason: FailureReason
    message: str
    attempts: int
    failed_at: _timestamp_pb2.Timestamp
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[_Union[_value_pb2.Id, _Mapping]] = ..., reason: _Optional[_Union[FailureReason, str]] = ..., message: _Optional[str] = ..., attempts: _Optional[int] = ..., failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
