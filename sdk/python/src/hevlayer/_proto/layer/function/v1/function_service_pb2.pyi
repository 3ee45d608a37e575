from hevlayer._proto.layer.function.v1 import function_pb2 as _function_pb2
from hevlayer._proto.layer.function.v1 import item_pb2 as _item_pb2
from hevlayer._proto.layer.types.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateFunctionRequest(_message.Message):
    __slots__ = ("function_id", "spec")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    spec: _function_pb2.FunctionSpec
    def __init__(self, function_id: _Optional[str] = ..., spec: _Optional[_Union[_function_pb2.FunctionSpec, _Mapping]] = ...) -> None: ...

class CreateFunctionResponse(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: _function_pb2.Function
    def __init__(self, function: _Optional[_Union[_function_pb2.Function, _Mapping]] = ...) -> None: ...

class UpsertFunctionRequest(_message.Message):
    __slots__ = ("function_id", "spec")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    spec: _function_pb2.FunctionSpec
    def __init__(self, function_id: _Optional[str] = ..., spec: _Optional[_Union[_function_pb2.FunctionSpec, _Mapping]] = ...) -> None: ...

class UpsertFunctionResponse(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: _function_pb2.Function
    def __init__(self, function: _Optional[_Union[_function_pb2.Function, _Mapping]] = ...) -> None: ...

class GetFunctionRequest(_message.Message):
    __slots__ = ("function_id",)
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    def __init__(self, function_id: _Optional[str] = ...) -> None: ...

class GetFunctionResponse(_message.Message):
    __slots__ = ("function", "status")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    function: _function_pb2.Function
    status: _function_pb2.FunctionStatus
    def __init__(self, function: _Optional[_Union[_function_pb2.Function, _Mapping]] = ..., status: _Optional[_Union[_function_pb2.FunctionStatus, _Mapping]] = ...) -> None: ...

class ListFunctionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFunctionsResponse(_message.Message):
    __slots__ = ("functions", "next_page_token")
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[_function_pb2.Function]
    next_page_token: str
    def __init__(self, functions: _Optional[_Iterable[_Union[_function_pb2.Function, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteFunctionRequest(_message.Message):
    __slots__ = ("function_id",)
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    def __init__(self, function_id: _Optional[str] = ...) -> None: ...

class DeleteFunctionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PauseFunctionRequest(_message.Message):
    __slots__ = ("function_id",)
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    def __init__(self, function_id: _Optional[str] = ...) -> None: ...

class PauseFunctionResponse(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: _function_pb2.Function
    def __init__(self, function: _Optional[_Union[_function_pb2.Function, _Mapping]] = ...) -> None: ...

class ResumeFunctionRequest(_message.Message):
    __slots__ = ("function_id",)
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    def __init__(self, function_id: _Optional[str] = ...) -> None: ...

class ResumeFunctionResponse(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: _function_pb2.Function
    def __init__(self, function: _Optional[_Union[_function_pb2.Function, _Mapping]] = ...) -> None: ...

class ResetFailedRequest(_message.Message):
    __slots__ = ("function_id",)
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    def __init__(self, function_id: _Optional[str] = ...) -> None: ...

class ResetFailedResponse(_message.Message):
    __slots__ = ("reset_count",)
    RESET_COUNT_FIELD_NUMBER: _ClassVar[int]
    reset_count: int
    def __init__(self, reset_count: _Optional[int] = ...) -> None: ...

class ListDeadLettersRequest(_message.Message):
    __slots__ = ("function_id", "page_size", "page_token")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    page_size: int
    page_token: str
    def __init__(self, function_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeadLettersResponse(_message.Message):
    __slots__ = ("dead_letters", "next_page_token")
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    dead_letters: _containers.RepeatedCompositeFieldContainer[_item_pb2.DeadLetter]
    next_page_token: str
    def __init__(self, dead_letters: _Optional[_Iterable[_Union[_item_pb2.DeadLetter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DiscoverRequest(_message.Message):
    __slots__ = ("function_id", "namespaces", "page_size")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    def __init__(self, function_id: _Optional[str] = ..., namespaces: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ...) -> None: ...

class DiscoverResponse(_message.Message):
    __slots__ = ("enqueued", "namespaces")
    ENQUEUED_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    enqueued: int
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, enqueued: _Optional[int] = ..., namespaces: _Optional[_Iterable[str]] = ...) -> None: ...

class ClaimRequest(_message.Message):
    __slots__ = ("function_id", "limit", "worker_id", "lease_ms", "wait_ms")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    limit: int
    worker_id: str
    lease_ms: int
    wait_ms: int
    def __init__(self, function_id: _Optional[str] = ..., limit: _Optional[int] = ..., worker_id: _Optional[str] = ..., lease_ms: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class ClaimResponse(_message.Message):
    __slots__ = ("items", "lease_ms", "version")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.ClaimedItem]
    lease_ms: int
    version: str
    def __init__(self, items: _Optional[_Iterable[_Union[_item_pb2.ClaimedItem, _Mapping]]] = ..., lease_ms: _Optional[int] = ..., version: _Optional[str] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("function_id", "items", "worker_id", "lease_ms")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.ItemGuard]
    worker_id: str
    lease_ms: int
    def __init__(self, function_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.ItemGuard, _Mapping]]] = ..., worker_id: _Optional[str] = ..., lease_ms: _Optional[int] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_item_pb2.ItemResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_item_pb2.ItemResult, _Mapping]]] = ...) -> None: ...

class CompleteRequest(_message.Message):
    __slots__ = ("function_id", "items", "worker_id")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.CompletedItem]
    worker_id: str
    def __init__(self, function_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.CompletedItem, _Mapping]]] = ..., worker_id: _Optional[str] = ...) -> None: ...

class CompleteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_item_pb2.ItemResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_item_pb2.ItemResult, _Mapping]]] = ...) -> None: ...

class FailRequest(_message.Message):
    __slots__ = ("function_id", "items", "worker_id")
    FUNCTION_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    function_id: str
    items: _containers.RepeatedCompositeFieldContainer[_item_pb2.FailedItem]
    worker_id: str
    def __init__(self, function_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[_item_pb2.FailedItem, _Mapping]]] = ..., worker_id: _Optional[str] = ...) -> None: ...

class FailResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_item_pb2.ItemResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_item_pb2.ItemResult, _Mapping]]] = ...) -> None: ...

class NotifyWritesRequest(_message.Message):
    __slots__ = ("writes",)
    WRITES_FIELD_NUMBER: _ClassVar[int]
    writes: _containers.RepeatedCompositeFieldContainer[WrittenRows]
    def __init__(self, writes: _Optional[_Iterable[_Union[WrittenRows, _Mapping]]] = ...) -> None: ...

class WrittenRows(_message.Message):
    __slots__ = ("namespace", "ids", "unnamed")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    UNNAMED_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    ids: _containers.RepeatedCompositeFieldContainer[_value_pb2.Id]
    unnamed: bool
    def __init__(self, namespace: _Optional[str] = ..., ids: _Optional[_Iterable[_Union[_value_pb2.Id, _Mapping]]] = ..., unnamed: _Optional[bool] = ...) -> None: ...

class NotifyWritesResponse(_message.Message):
    __slots__ = ("enqueued", "namespaces", "valid_ms")
    ENQUEUED_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    VALID_MS_FIELD_NUMBER: _ClassVar[int]
    enqueued: int
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    valid_ms: int
    def __init__(self, enqueued: _Optional[int] = ..., namespaces: _Optional[_Iterable[str]] = ..., valid_ms: _Optional[int] = ...) -> None: ...
