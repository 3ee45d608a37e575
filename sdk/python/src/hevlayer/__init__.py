"""The Turbopuffer client that survives Layer's absence.

`Hevlayer` and `AsyncHevlayer` are Turbopuffer's own clients, pointed at Layer. While Layer is away, calls that need nothing of
it go to Turbopuffer directly; calls that need it fail fast with `LayerUnavailable`.
"""

from __future__ import annotations

from . import messages
from ._async.client import AsyncHevlayer
from ._async.namespace_perf import AsyncLayerNamespace
from ._async.transport import AsyncFallThroughTransport
from ._blobs import Blob
from ._errors import LayerRefused, LayerUnavailable, NoAnswerInTime, OutcomeUnknown, SameAddress, UnmarkedAnswer
from ._events import Event, OnEvent
from ._grpc_errors import LayerError
from ._guards import ChunkRow, item_named
from ._perf import LayerPerf, LayerResponse, PerfRecord, record_perf
from ._settings import Settings
from ._status import LayerStatus
from ._sync.client import Hevlayer
from ._sync.namespace_perf import LayerNamespace
from ._sync.transport import FallThroughTransport
from ._values import Document, Documents, Vector
from ._version import VERSION as __version__
from ._warm import WarmHint, WarmJob, WarmStep

__all__ = [
    "AsyncFallThroughTransport",
    "AsyncHevlayer",
    "AsyncLayerNamespace",
    "Blob",
    "ChunkRow",
    "Document",
    "Documents",
    "Event",
    "FallThroughTransport",
    "Hevlayer",
    "LayerError",
    "LayerNamespace",
    "LayerPerf",
    "LayerRefused",
    "LayerResponse",
    "LayerStatus",
    "LayerUnavailable",
    "NoAnswerInTime",
    "OnEvent",
    "OutcomeUnknown",
    "PerfRecord",
    "SameAddress",
    "Settings",
    "UnmarkedAnswer",
    "Vector",
    "WarmHint",
    "WarmJob",
    "WarmStep",
    "__version__",
    "item_named",
    "messages",
    "record_perf",
]
