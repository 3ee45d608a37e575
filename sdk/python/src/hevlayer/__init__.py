"""The Turbopuffer client that survives Layer's absence.

`Hevlayer` and `AsyncHevlayer` are Turbopuffer's own clients, pointed at Layer. While Layer is away, calls that need nothing of
it go to Turbopuffer directly; calls that need it fail fast with `LayerUnavailable`.
"""

from __future__ import annotations

from ._async.client import AsyncHevlayer
from ._async.transport import AsyncFallThroughTransport
from ._errors import LayerDraining, LayerUnavailable, NoAnswerInTime, OutcomeUnknown, UnmarkedAnswer
from ._events import Event, OnEvent
from ._perf import LayerPerf, LayerResponse, PerfRecord, record_perf
from ._settings import Settings
from ._sync.client import Hevlayer
from ._sync.transport import FallThroughTransport
from ._version import VERSION as __version__

__all__ = [
    "AsyncFallThroughTransport",
    "AsyncHevlayer",
    "Event",
    "FallThroughTransport",
    "Hevlayer",
    "LayerDraining",
    "LayerPerf",
    "LayerResponse",
    "LayerUnavailable",
    "NoAnswerInTime",
    "OnEvent",
    "OutcomeUnknown",
    "PerfRecord",
    "Settings",
    "UnmarkedAnswer",
    "__version__",
    "record_perf",
]
