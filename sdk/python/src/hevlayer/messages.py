"""Messages of Layer's contract that calls take and answer: those of `layer.pipeline.v1` and `layer.function.v1`.

Each field is documented in proto/layer.
"""

from __future__ import annotations

from ._proto.layer.function.v1.function_pb2 import (
    Function,
    FunctionRetry,
    FunctionSchedule,
    FunctionSpec,
    FunctionStatus,
    Trigger,
)
from ._proto.layer.function.v1.item_pb2 import ClaimedItem, ItemGuard, ItemResult, ItemStatus
from ._proto.layer.pipeline.v1.document_pb2 import (
    Chunk,
    ClaimedDocument,
    DocumentGuard,
    DocumentResult,
    DocumentStatus,
    StagedDocument,
    StageResult,
)
from ._proto.layer.pipeline.v1.pipeline_pb2 import Pipeline, PipelineSpec, PipelineStatus, RetryPolicy
from ._proto.layer.types.v1.filter_pb2 import Filter

__all__ = [
    "Chunk",
    "ClaimedDocument",
    "ClaimedItem",
    "DocumentGuard",
    "DocumentResult",
    "DocumentStatus",
    "Filter",
    "Function",
    "FunctionRetry",
    "FunctionSchedule",
    "FunctionSpec",
    "FunctionStatus",
    "ItemGuard",
    "ItemResult",
    "ItemStatus",
    "Pipeline",
    "PipelineSpec",
    "PipelineStatus",
    "RetryPolicy",
    "StageResult",
    "StagedDocument",
    "Trigger",
]
